#!/bin/bash
# Waits for the effect of the import Job, a marker on the volume, because the Job object itself is removed some day.
set -euo pipefail
marker=/nominatim/import-finished
for _ in $(seq "$WAIT_TIMEOUT"); do
  if [ -f "$marker" ]; then
    echo "nominatim-init has filled the volume"
    exit 0
  fi
  echo "waiting for nominatim-init: $marker is not there yet"
  sleep 1
done
echo "gave up on nominatim-init after $WAIT_TIMEOUT s: $marker never appeared" >&2
exit 1

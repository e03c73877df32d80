#!/bin/bash
# PostgreSQL on the Unix socket, the geocoder's HTTP server in front of it; both end when this shell is told to.
set -euo pipefail
data=/nominatim
postgres=/usr/lib/postgresql/14/bin
server=0
stop() {
  [ "$server" -eq 0 ] || kill "$server" 2>/dev/null || true
  "$postgres/pg_ctl" --pgdata="$data/database" --wait stop --mode=fast
  exit 0
}
trap stop TERM INT
rm -f "$data/database/postmaster.pid"
"$postgres/pg_ctl" --pgdata="$data/database" --wait start --options \
  "-c listen_addresses= -c unix_socket_directories=/var/run/postgresql -c shared_buffers=256MB"
cd "$data/project"
nominatim refresh --project-dir . --website --functions
# The other engines need Python packages that the image lacks.
nominatim serve --project-dir . --engine php --server 0.0.0.0:8080 &
server=$!
wait "$server"

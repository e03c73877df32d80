#!/bin/bash
# Start-up contract of the official Redis image: flags or a configuration file alone mean redis-server.
set -euo pipefail

if [[ $# -eq 0 || "${1:0:1}" == "-" || "$1" == *.conf ]]; then
    set -- redis-server "$@"
fi
# Data files are readable by their owner only, whatever the volume's default says.
umask 0077
exec "$@"

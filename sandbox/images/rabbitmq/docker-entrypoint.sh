#!/bin/bash
# Start-up contract of the official RabbitMQ image, as far as this platform uses it: rabbitmq-server reads
# /etc/rabbitmq/rabbitmq.conf, conf.d and enabled_plugins, keeps its state in /var/lib/rabbitmq, and logs to the console.
set -euo pipefail

if [[ "$(id -u)" == 0 && "${1:-}" == rabbitmq* ]]; then
    echo "docker-entrypoint: run this image as uid 999" >&2
    exit 1
fi

cookie="/var/lib/rabbitmq/.erlang.cookie"
if [[ -n "${RABBITMQ_ERLANG_COOKIE:-}" && ! -s "$cookie" ]]; then
    (umask 0077 && printf '%s' "$RABBITMQ_ERLANG_COOKIE" >"$cookie")
fi
exec "$@"

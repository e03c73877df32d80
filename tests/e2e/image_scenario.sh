#!/bin/bash
# Runs the sandbox's images one after the other as chroots with the users of their pods, in namespaces of its own, against
# each other over TLS on the loopback. Prints `=== step`, the step's output, `--- status`; test_images.py reads that.
# Usage: image_scenario.sh DIRECTORY MANIFESTS. DIRECTORY holds `base`, `layer/<image>` (unpacked) and definitions.json.
set -u
cd "$1" || exit 1
ip link set lo up

path=/usr/lib/postgresql/15/bin:/usr/lib/rabbitmq/bin:/usr/local/bin:/usr/sbin:/usr/bin:/bin
names="127.0.0.1 localhost auth-db redis rabbitmq auth-service gateway frontend"

for image in postgres redis rabbitmq service frontend; do
    mkdir -p "root/$image" "write/$image"
    mount -t tmpfs tmpfs "write/$image"
    mkdir "write/$image/upper" "write/$image/work"
    mount -t overlay overlay -o "lowerdir=layer/$image:base,upperdir=write/$image/upper,workdir=write/$image/work" "root/$image"
    mount -t proc proc "root/$image/proc"
    mount --bind /dev "root/$image/dev"
    mount -t tmpfs -o mode=1777 tmpfs "root/$image/dev/shm"
    mount -t tmpfs tmpfs "root/$image/run"
    mount -t tmpfs -o mode=1777 tmpfs "root/$image/tmp"
    echo "$names" >"root/$image/etc/hosts"
done

# --- secrets, as the pods see them
mkdir -p root/service/tmp/pki
openssl() { chroot root/service env -i -C /tmp/pki PATH="$path" openssl "$@" 2>>openssl.log; }
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.crt -subj "/CN=scenario" -days 2
for server in auth-db redis rabbitmq; do
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$server.key" -out "$server.csr" -subj "/CN=$server"
    echo "subjectAltName=DNS:$server" >"root/service/tmp/pki/$server.ext"
    openssl x509 -req -in "$server.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -out "$server.crt" -days 2 -extfile "$server.ext"
done
secrets=root/service/tmp/pki
server_secrets() { # image, server
    mkdir -p "root/$1/run/secrets/tls" && cp "$secrets/ca.crt" "root/$1/run/secrets/tls/"
    cp "$secrets/$2.crt" "root/$1/run/secrets/tls/tls.crt" && cp "$secrets/$2.key" "root/$1/run/secrets/tls/tls.key"
    chown -R 0:999 "root/$1/run/secrets/tls" && chmod 0440 "root/$1/run/secrets/tls/tls.key"
}
login() { # directory, user, password
    mkdir -p "$1" && printf %s "$2" >"$1/username" && printf %s "$3" >"$1/password"
}
server_secrets postgres auth-db
server_secrets redis redis
server_secrets rabbitmq rabbitmq
mkdir -p root/service/run/secrets/ca && cp "$secrets/ca.crt" root/service/run/secrets/ca/
login root/service/run/secrets/db auth secret-of-database
login root/service/run/secrets/redis auth secret-of-redis
login root/service/run/secrets/rabbitmq auth secret-of-broker
cp -r root/service/run/secrets/db root/postgres/run/secrets/
printf %s secret-of-superuser >root/postgres/run/secrets/db/postgres-password
mkdir -p root/redis/run/secrets/acl root/rabbitmq/run/secrets/definitions
echo "user default off
user auth on >secret-of-redis ~auth:* +@all -@dangerous" >root/redis/run/secrets/acl/users.acl
cp definitions.json root/rabbitmq/run/secrets/definitions/

# --- configuration, from the manifests
manifests="$2"
mkdir -p root/{postgres/etc/postgresql,redis/etc/redis,rabbitmq/etc/rabbitmq/conf.d,postgres/docker-entrypoint-initdb.d}
cp "$manifests"/services/postgres/*.conf root/postgres/etc/postgresql/
install -m 0755 "$manifests/services/postgres/10-owner.sh" root/postgres/docker-entrypoint-initdb.d/
rm -f root/redis/etc/redis/redis.conf && cp "$manifests/infrastructure/redis/redis.conf" root/redis/etc/redis/
cp "$manifests/infrastructure/rabbitmq/bakery.conf" root/rabbitmq/etc/rabbitmq/conf.d/90-bakery.conf
cp "$manifests/infrastructure/rabbitmq/enabled_plugins" root/rabbitmq/etc/rabbitmq/
chmod -R a+rX root/*/etc/postgresql root/redis/etc/redis root/rabbitmq/etc/rabbitmq root/*/run/secrets
chmod 0440 root/*/run/secrets/tls/tls.key
install -d -o 999 -g 999 root/postgres/run/postgresql

as() { # uid, image, words...
    local uid="$1" image="$2"
    shift 2
    exec chroot --userspec="$uid:$uid" "root/$image" env -i PATH="$path" "$@"
}
postgres() {
    (as 999 postgres PGDATA=/var/lib/postgresql/data/pgdata SERVICE_NAME=auth \
        POSTGRES_PASSWORD_FILE=/run/secrets/db/postgres-password \
        POSTGRES_INITDB_ARGS="--encoding=UTF8 --locale=C.UTF-8 --auth-local=peer --auth-host=scram-sha-256 --no-sync --wal-segsize=1" \
        docker-entrypoint.sh postgres -c config_file=/etc/postgresql/postgresql.conf >>postgres.log 2>&1) &
    postgres_pid=$!
}
redis() {
    (as 999 redis docker-entrypoint.sh redis-server /etc/redis/redis.conf >>redis.log 2>&1) &
    redis_pid=$!
}
rabbitmq() {
    (as 999 rabbitmq HOME=/var/lib/rabbitmq RABBITMQ_LOGS=- RABBITMQ_NODENAME=rabbit@localhost ERL_EPMD_ADDRESS=127.0.0.1 \
        docker-entrypoint.sh rabbitmq-server >>rabbitmq.log 2>&1) &
}
bakery() {
    (as 10001 service SERVICE_NAME=auth DB_HOST=auth-db DB_NAME=auth DB_CREDENTIALS_DIR=/run/secrets/db REDIS_HOST=redis \
        REDIS_CREDENTIALS_DIR=/run/secrets/redis RABBITMQ_HOST=rabbitmq RABBITMQ_CREDENTIALS_DIR=/run/secrets/rabbitmq \
        CA_FILE=/run/secrets/ca/ca.crt WAIT_TIMEOUT="${patience:-60}" "$@")
}
step() {
    echo "=== $1"
    shift
    "$@" 2>&1
    echo "--- $?"
}
get() { bakery python3 -c '
import sys, urllib.error, urllib.request
request = urllib.request.Request(sys.argv[1], method=sys.argv[2], data=(sys.argv[3] or None) and sys.argv[3].encode())
request.add_header("Content-Type", "application/json")
try:
    answer = urllib.request.urlopen(request, timeout=20)
except urllib.error.HTTPError as error:
    answer = error
print(answer.status, answer.read().decode())
print(answer.headers)' "$1" "${2:-GET}" "${3:-}"; }

# What a container leaves that was killed during its first start: a directory that only looks initialised.
mkdir -p root/postgres/var/lib/postgresql/data/pgdata
echo 15 >root/postgres/var/lib/postgresql/data/pgdata/PG_VERSION
touch root/postgres/var/lib/postgresql/data/.unfinished-pgdata
chown -R 999:999 root/postgres/var/lib/postgresql/data

patience=1 step "redis is not there" bakery bakery-service wait-for redis
rabbitmq
postgres
redis
step "wait for redis" bakery bakery-service wait-for redis
step "wait for the database" bakery bakery-service wait-for db
patience=1 step "wait for the migration too early" bakery bakery-service wait-for migration
step "seed too early" bakery bakery-service seed users
bakery bakery-service migrate >migrate.log 2>&1 &
other=$!
step "migrate beside another" bakery bakery-service migrate
step "the other" bash -c "tail --pid=$other -f /dev/null; cat migrate.log"
step "migrate again" bakery bakery-service migrate
step "wait for the migration" bakery bakery-service wait-for migration
step "seed" bakery bakery-service seed users
step "seed again" bakery bakery-service seed users
step "seed of another service" bakery bakery-service seed orders
step "redis under another name" bakery env REDIS_HOST=localhost WAIT_TIMEOUT=1 bakery-service wait-for redis
step "database under another name" bakery env DB_HOST=localhost WAIT_TIMEOUT=1 bakery-service wait-for db
step "database without TLS" bakery env PGPASSWORD=secret-of-database psql "host=auth-db user=auth dbname=auth sslmode=disable" -c "SELECT 1"
step "wait for the broker" bakery bakery-service wait-for rabbitmq

(as 10001 service SERVICE_NAME=auth DB_HOST=auth-db DB_NAME=auth DB_CREDENTIALS_DIR=/run/secrets/db REDIS_HOST=redis \
    REDIS_CREDENTIALS_DIR=/run/secrets/redis RABBITMQ_HOST=rabbitmq RABBITMQ_CREDENTIALS_DIR=/run/secrets/rabbitmq \
    CA_FILE=/run/secrets/ca/ca.crt bakery-service serve >service.log 2>&1) &
service_pid=$!
step "wait for the service" bakery bakery-service wait-for http http://auth-service:8000/health/ready
step "ready" get http://auth-service:8000/health/ready
step "rows" get "http://auth-service:8000/items?kind=users&limit=1"
step "write" get http://auth-service:8000/items/bread/rye/1 PUT '{"name": "Rye", "attributes": {"grams": 750}}'
step "read" get http://auth-service:8000/items/bread/rye/1
step "metrics" get http://auth-service:8000/metrics

(as 10001 frontend nginx -e stderr -g "daemon off;" >frontend.log 2>&1) &
(as 10001 service SERVICE_NAME=gateway PORT=8001 REDIS_HOST=redis REDIS_CREDENTIALS_DIR=/run/secrets/redis \
    CA_FILE=/run/secrets/ca/ca.crt bakery-gateway >gateway.log 2>&1) &
gateway_pid=$!
step "wait for the gateway" bakery bakery-service wait-for http http://gateway:8001/health/ready
step "through the gateway" get http://gateway:8001/api/auth/items/bread/rye/1
step "page" get http://gateway:8001/
step "no such service" get http://gateway:8001/api/localhost:8000/items

kill "$redis_pid" && wait "$redis_pid"
step "ready without redis" get http://auth-service:8000/health/ready
step "alive without redis" get http://auth-service:8000/health/live
redis
step "wait for redis again" bakery bakery-service wait-for redis
step "ready with redis again" get http://auth-service:8000/health/ready

kill -INT "$postgres_pid" && wait "$postgres_pid"
step "ready without the database" get http://auth-service:8000/health/ready
step "rows without the database" get http://auth-service:8000/items/bread/rye/1
postgres
step "wait for the database again" bakery bakery-service wait-for db
step "rows with the database again" get http://auth-service:8000/items/bread/rye/1

stop() { # pid: asked politely; the status is the process's own
    kill -TERM "$1"
    wait "$1"
}
step "the service ends" stop "$service_pid"
step "the gateway ends" stop "$gateway_pid"

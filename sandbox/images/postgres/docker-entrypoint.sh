#!/bin/bash
# Start-up contract of the official PostgreSQL image, as far as this platform uses it: an empty PGDATA is initialised,
# /docker-entrypoint-initdb.d runs once against a server only this container can reach, then the real server takes over.
set -Eeuo pipefail

fail() {
    echo "docker-entrypoint: $*" >&2
    exit 1
}

# $1 is the variable; $1_FILE may name a file that holds its value. Never echoed.
read_setting() {
    local name="$1" file_name="${1}_FILE"
    if [[ -n "${!name:-}" && -n "${!file_name:-}" ]]; then
        fail "$name and $file_name exclude each other"
    fi
    if [[ -n "${!file_name:-}" ]]; then
        [[ -r "${!file_name}" ]] || fail "$file_name names ${!file_name}, which cannot be read"
        printf -v "$name" '%s' "$(<"${!file_name}")"
    fi
    unset "$file_name"
}

template=/usr/local/share/postgres-template

# Whether the image holds what initdb would make of these very arguments. Databases copied from it share one system
# identifier, which only replication and physical backups look at; a sandbox has neither.
template_fits() {
    [[ -r "$template/arguments" && "$(<"$template/arguments")" == "${POSTGRES_INITDB_ARGS:-}" ]] &&
        [[ "$POSTGRES_USER" == postgres && -z "${POSTGRES_INITDB_WALDIR:-}" ]]
}

initialise() {
    local password_file
    mkdir -p "$PGDATA"
    chmod 700 "$PGDATA"
    touch "$unfinished" 2>/dev/null || true
    if template_fits; then
        cp --archive "$template/data/." "$PGDATA/"
        copied=yes
        return
    fi
    password_file="$(mktemp)"
    printf '%s\n' "$POSTGRES_PASSWORD" >"$password_file"
    # Unquoted on purpose: POSTGRES_INITDB_ARGS is a list of words.
    # shellcheck disable=SC2086
    initdb --no-sync --username="$POSTGRES_USER" --pwfile="$password_file" ${POSTGRES_INITDB_ARGS:-} \
        ${POSTGRES_INITDB_WALDIR:+--waldir="$POSTGRES_INITDB_WALDIR"}
    rm -f "$password_file"
}

run_scripts() {
    local script
    for script in /docker-entrypoint-initdb.d/*; do
        case "$script" in
            *.sh)
                echo "docker-entrypoint: running $script"
                # As the official image does: an executable runs, anything else is sourced.
                # shellcheck disable=SC1090
                if [[ -x "$script" ]]; then "$script"; else . "$script"; fi
                ;;
            *.sql)
                echo "docker-entrypoint: running $script"
                psql --no-psqlrc --no-password --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" --file "$script"
                ;;
            *) [[ ! -e "$script" ]] || echo "docker-entrypoint: ignoring $script" ;;
        esac
    done
}

first_start() {
    echo "docker-entrypoint: initialising $PGDATA"
    initialise
    # What the official image adds; a deployment with files of its own (`config_file`, `hba_file`) never reads them.
    printf "\nlisten_addresses = '*'\n" >>"$PGDATA/postgresql.conf"
    printf '\nhost all all all %s\n' "${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}" >>"$PGDATA/pg_hba.conf"
    export PGHOST=/var/run/postgresql PGPASSWORD="$POSTGRES_PASSWORD" POSTGRES_PASSWORD
    # No TCP and no durability yet: if this is interrupted, the next start begins anew.
    pg_ctl --pgdata="$PGDATA" --wait --silent --options="$(printf ' %q' "${@:2}" \
        -c listen_addresses= -c fsync=off -c full_page_writes=off -c log_connections=off -c log_disconnections=off)" start
    if [[ "${copied:-}" == yes ]]; then
        psql --no-psqlrc --no-password --quiet --username postgres --dbname postgres --set ON_ERROR_STOP=1 <<'SQL'
SET log_statement = 'none';
SET log_min_error_statement = 'panic';
\set password `printf %s "$POSTGRES_PASSWORD"`
ALTER ROLE postgres PASSWORD :'password';
SQL
    fi
    if [[ "$POSTGRES_DB" != postgres ]]; then
        psql --no-psqlrc --no-password --quiet --username "$POSTGRES_USER" --dbname postgres --set ON_ERROR_STOP=1 \
            --set name="$POSTGRES_DB" <<<'CREATE DATABASE :"name";'
    fi
    run_scripts
    pg_ctl --pgdata="$PGDATA" --mode=fast --wait --silent stop
    unset PGHOST PGPASSWORD
    rm -f "$unfinished"
    echo "docker-entrypoint: ready for start-up"
}

# A flag first means: these are flags of postgres.
if [[ $# -eq 0 || "${1:0:1}" == "-" ]]; then
    set -- postgres "$@"
fi

if [[ "$1" == postgres ]]; then
    # A container killed half-way leaves a directory that looks initialised and lacks its roles. The mark lies beside
    # PGDATA, on the same volume; where that place is not writable there is none, as in the official image.
    unfinished="$(dirname "$PGDATA")/.unfinished-$(basename "$PGDATA")"
    if [[ -e "$unfinished" ]]; then
        echo "docker-entrypoint: an earlier initialisation did not finish; starting it over" >&2
        [[ ! -d "$PGDATA" ]] || find "$PGDATA" -mindepth 1 -delete
    fi
    if [[ ! -s "$PGDATA/PG_VERSION" ]]; then
        read_setting POSTGRES_PASSWORD
        read_setting POSTGRES_USER
        read_setting POSTGRES_DB
        [[ -n "${POSTGRES_PASSWORD:-}" ]] || fail "POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE is needed to initialise $PGDATA"
        export POSTGRES_USER="${POSTGRES_USER:-postgres}"
        export POSTGRES_DB="${POSTGRES_DB:-$POSTGRES_USER}"
        first_start "$@"
        unset POSTGRES_PASSWORD
    fi
fi

exec "$@"

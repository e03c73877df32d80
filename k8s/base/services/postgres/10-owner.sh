#!/bin/sh
# Runs once, on an empty volume: the service's own role, and the database it owns.
set -eu
export owner="$SERVICE_NAME"
psql --no-psqlrc --quiet --username postgres --dbname postgres --set ON_ERROR_STOP=1 <<'SQL'
-- The statements below carry a password: neither the audit log nor an error message may repeat them.
SET log_statement = 'none';
SET log_min_duration_statement = -1;
SET log_min_error_statement = 'panic';
\set owner `printf %s "$owner"`
\set password `cat /run/secrets/db/password`
CREATE ROLE :"owner" LOGIN PASSWORD :'password';
CREATE DATABASE :"owner" OWNER :"owner";
REVOKE ALL ON DATABASE :"owner" FROM PUBLIC;
SQL

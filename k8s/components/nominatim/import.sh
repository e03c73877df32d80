#!/bin/bash
# Fills the volume once: downloads one OpenStreetMap extract and imports it. The image's own start script needs root (useradd,
# chown, sudo), which Pod Security "restricted" refuses, so the same programs run here as www-data, a user every Debian has.
set -euo pipefail
data=/nominatim
if [ -f "$data/import-finished" ]; then
  echo "the volume already holds a finished import"
  exit 0
fi
# What an interrupted import left behind is of no use to the next one.
rm -rf "$data/database" "$data/project" "$data/extract.osm.pbf"
mkdir -p "$data/project"
cd "$data/project"

echo "downloading $PBF_URL"
curl --fail --silent --show-error --location --retry 3 --max-time 3600 --output "$data/extract.osm.pbf" "$PBF_URL"

postgres=/usr/lib/postgresql/14/bin
"$postgres/initdb" --pgdata="$data/database" --username=www-data --auth=peer --encoding=UTF8 --locale=C.UTF-8
# Speed before safety: a crash during the import starts it anew.
"$postgres/pg_ctl" --pgdata="$data/database" --wait start --options \
  "-c listen_addresses= -c unix_socket_directories=/var/run/postgresql -c fsync=off -c full_page_writes=off -c shared_buffers=256MB"
nominatim import --project-dir . --osm-file "$data/extract.osm.pbf" --threads 2 --osm2pgsql-cache 256
# The import leaves a few places unindexed; the check below would find them.
nominatim index --project-dir . --threads 2
nominatim admin --project-dir . --check-database
# Nobody updates this extract: half of the tables exist only for that.
nominatim freeze --project-dir .
psql --no-psqlrc --quiet --host=/var/run/postgresql --dbname=nominatim --command=ANALYZE
"$postgres/pg_ctl" --pgdata="$data/database" --wait stop --mode=fast
# The import ran without fsync: what the marker vouches for must be on the disk before the marker is.
sync
rm -f "$data/extract.osm.pbf"
touch "$data/import-finished"
echo "import finished"

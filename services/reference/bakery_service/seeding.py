"""`bakery-service seed NAME`: demo rows, always the same ones, written so that a second run changes nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

import psycopg2

from bakery_service import settings
from bakery_service.errors import BadEnvironment, NotYet, ServiceError, one_line
from bakery_service.postgres import UNDEFINED_TABLE, Connection, connect
from bakery_service.seeds import SEEDS, Row
from bakery_service.settings import Environment
from bakery_service.waiting import Say

_UPSERT = """
INSERT INTO items AS existing (kind, code, name, attributes) VALUES {places}
ON CONFLICT (kind, code) DO UPDATE
    SET name = excluded.name, attributes = excluded.attributes, updated_at = now()
    WHERE (existing.name, existing.attributes) IS DISTINCT FROM (excluded.name, excluded.attributes)
RETURNING existing.xmax = 0
"""


class Written(NamedTuple):
    """How many rows a seed created, brought back to their demo value, and found as they should be."""

    created: int
    changed: int
    unchanged: int


def seed(name: str, environment: Environment, say: Say) -> None:
    """Write the rows of seed `name` into the database of the service that owns them.

    Raises: BadEnvironment for an unknown seed, or one of another service; ServiceError when the database cannot be
        reached, or the table is missing because the migration has not run.
    """
    if name not in SEEDS:
        raise BadEnvironment(f"There is no seed {name!r}; known: {', '.join(sorted(SEEDS))}.")
    chosen = SEEDS[name]
    service = settings.service_name(environment)
    if service != chosen.owner:
        raise BadEnvironment(f"Seed {name} belongs to service {chosen.owner}, but SERVICE_NAME is {service}.")
    server, database = settings.database(environment)
    try:
        connection = connect(server, database, purpose=f"seed-{name}", timeout=10)
    except NotYet as error:
        raise ServiceError(f"Database {database}: {error}") from error
    try:
        written = upsert(connection, name, chosen.rows())
    finally:
        connection.close()
    say(
        f"seed {name}: {written.created} rows created, {written.changed} changed, {written.unchanged} as they should be"
    )


def upsert(connection: Connection, kind: str, rows: Sequence[Row]) -> Written:
    """Write `rows` in one transaction; PostgreSQL sets `xmax` to 0 on a row version that an INSERT made."""
    values = [(kind, row.code, row.name, json.dumps(row.attributes, sort_keys=True)) for row in rows]
    statement = _UPSERT.format(places=", ".join(["(%s, %s, %s, %s::jsonb)"] * len(values)))
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement, [field for value in values for field in value])
            created = [row[0] for row in cursor.fetchall()]
        connection.commit()
    except psycopg2.Error as error:
        connection.rollback()
        if error.pgcode == UNDEFINED_TABLE:
            raise ServiceError("Table items does not exist: run the migration first.") from error
        raise ServiceError(f"The rows were refused: {one_line(error)}") from error
    return Written(created.count(True), created.count(False), len(rows) - len(created))

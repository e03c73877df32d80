"""The revision a database is at, as Alembic records it."""

from __future__ import annotations

import psycopg2

from bakery_service.errors import NotYet
from bakery_service.postgres import Connection, refusal


def applied_revision(connection: Connection) -> str:
    """The one row of `alembic_version`; "" while no migration has run. Ends the transaction it reads in."""
    try:
        with connection.cursor() as cursor:
            # Asked first, or each early question would leave an ERROR in the database's log.
            cursor.execute("SELECT to_regclass('alembic_version')")
            row = cursor.fetchone()
            if row[0] is not None:
                cursor.execute("SELECT version_num FROM alembic_version")
                row = cursor.fetchone()
        connection.commit()
    except psycopg2.Error as error:
        raise NotYet(refusal(error)) from error
    return (row and row[0]) or ""

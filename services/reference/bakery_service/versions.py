"""The revision a database is at, as Alembic records it."""

from __future__ import annotations

import psycopg2

from bakery_service.errors import NotYet
from bakery_service.postgres import UNDEFINED_TABLE, Connection, refusal


def applied_revision(connection: Connection) -> str:
    """The one row of `alembic_version`; "" while no migration has run. Ends the transaction it reads in."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT version_num FROM alembic_version")
            row = cursor.fetchone()
        connection.commit()
    except psycopg2.Error as error:
        if error.pgcode != UNDEFINED_TABLE:
            raise NotYet(refusal(error)) from error
        connection.rollback()
        return ""
    return row[0] if row else ""

"""`bakery-service migrate`: Alembic under an advisory lock, for a Job may run twice (Kubernetes Job documentation)."""

from __future__ import annotations

import time
from typing import Any

import psycopg2

from bakery_service import settings
from bakery_service.errors import NotYet, ServiceError, one_line
from bakery_service.heads import MIGRATIONS, image_revisions
from bakery_service.postgres import Connection, connect
from bakery_service.settings import Environment
from bakery_service.versions import applied_revision
from bakery_service.waiting import Say

LOCK_KEY = 7_268_951_021  # any constant, the same in every version of the image


def migrate(environment: Environment, say: Say) -> str:
    """Bring the database to the image's head and return it; at the head already, say so and write nothing.

    Raises: ServiceError when the lock is not free within WAIT_TIMEOUT seconds, when the database is at a revision this
        image does not know (an older image must not touch it), or when a migration fails: then nothing of it is kept.
    """
    server, name = settings.database(environment)
    timeout = settings.number(environment, "WAIT_TIMEOUT", 300)
    revisions = image_revisions()
    connection = connect(server, name, purpose="migrate", timeout=10)
    try:
        _lock(connection, timeout)
        applied = applied_revision(connection)
        if applied == revisions[-1]:
            say(f"database {name} is at {applied}, the image's head: nothing to migrate")
            return revisions[-1]
        if applied and applied not in revisions:
            raise ServiceError(
                f"Database {name} is at revision {applied}, which this image does not know: the image is older."
            )
        started = time.monotonic()
        _upgrade(connection)
        pending = len(revisions) - (revisions.index(applied) + 1 if applied else 0)
        took = time.monotonic() - started
        say(f"database {name}: {pending} migration(s), from {applied or 'empty'} to {revisions[-1]} in {took:.1f} s")
        return revisions[-1]
    except NotYet as error:
        raise ServiceError(f"Database {name}: {error}") from error
    finally:
        connection.close()


def _lock(connection: Connection, timeout: int) -> None:
    """A session lock: it outlives the migrations' own transactions, and the server frees it when we die."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = %s", (f"{timeout}s",))
            cursor.execute("SELECT pg_advisory_lock(%s)", (LOCK_KEY,))
            cursor.execute("SET lock_timeout = 0")
        connection.commit()
    except psycopg2.Error as error:
        raise ServiceError(f"Another migration held the lock for {timeout} s: {one_line(error)}") from error


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config
    from sqlalchemy import create_engine
    from sqlalchemy.exc import SQLAlchemyError
    from sqlalchemy.pool import StaticPool

    def lend(*_: Any) -> Connection:
        return connection

    engine = create_engine("postgresql+psycopg2://", creator=lend, poolclass=StaticPool)
    config = Config()
    config.set_main_option("script_location", MIGRATIONS)
    config.attributes["engine"] = engine
    try:
        command.upgrade(config, "head")
    except (SQLAlchemyError, psycopg2.Error) as error:
        raise ServiceError(f"The migration failed and was rolled back: {one_line(error)}") from error

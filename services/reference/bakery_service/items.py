"""The rows of this service: SQL only. Every write is an upsert, so a retry after a lost connection does no harm."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from bakery_service.postgres import Connection

_COLUMNS = "kind, code, name, attributes, created_at, updated_at"
_SELECT = f"SELECT {_COLUMNS} FROM items"


def listed(connection: Connection, kind: str | None, limit: int, offset: int) -> list[dict[str, Any]]:
    """Rows in the order they were created; `kind` None means all kinds."""
    statement = f"{_SELECT} WHERE (%s::text IS NULL OR kind = %s) ORDER BY id LIMIT %s OFFSET %s"
    with connection.cursor() as cursor:
        cursor.execute(statement, (kind, kind, limit, offset))
        return [_document(row) for row in cursor.fetchall()]


def found(connection: Connection, kind: str, code: str) -> dict[str, Any] | None:
    with connection.cursor() as cursor:
        cursor.execute(f"{_SELECT} WHERE kind = %s AND code = %s", (kind, code))
        row = cursor.fetchone()
    return _document(row) if row else None


def put(connection: Connection, kind: str, code: str, name: str, attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Create the row, or give the existing one this name and these attributes."""
    statement = f"""
        INSERT INTO items (kind, code, name, attributes) VALUES (%s, %s, %s, %s::jsonb)
        ON CONFLICT (kind, code) DO UPDATE
            SET name = excluded.name, attributes = excluded.attributes, updated_at = now()
        RETURNING {_COLUMNS}
    """
    with connection.cursor() as cursor:
        cursor.execute(statement, (kind, code, name, json.dumps(attributes)))
        return _document(cursor.fetchone())


def removed(connection: Connection, kind: str, code: str) -> bool:
    """False: there was no such row."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM items WHERE kind = %s AND code = %s", (kind, code))
        return bool(cursor.rowcount)


def counted(connection: Connection) -> dict[str, int]:
    """Rows per kind."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT kind, count(*) FROM items GROUP BY kind ORDER BY kind")
        return dict(cursor.fetchall())


def _document(row: Any) -> dict[str, Any]:
    kind, code, name, attributes, created, updated = row
    return {
        "kind": kind,
        "code": code,
        "name": name,
        "attributes": attributes,
        "created_at": created.isoformat(),
        "updated_at": updated.isoformat(),
    }

"""The HTTP interface: health, metrics, and the rows of the service under `/items`."""

from __future__ import annotations

from typing import Any, NamedTuple

from fastapi import FastAPI, HTTPException, Query, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from bakery_service import items
from bakery_service.errors import NotYet
from bakery_service.health import Readiness
from bakery_service.postgres import Connections
from bakery_service.settings import Settings


class Item(BaseModel):
    """What a client sends to create or change a row."""

    name: str
    attributes: dict[str, Any] = {}


class Parts(NamedTuple):
    """What the application is made of: built by `server`, or by a test."""

    settings: Settings
    readiness: Readiness
    connections: Connections
    revision: str


def build(parts: Parts) -> FastAPI:
    settings = parts.settings
    app = FastAPI(
        title=f"{settings.service} service",
        openapi_url="/openapi.json"
        if settings.debug
        else None,  # without it there are no pages of documentation either
    )
    _add_operations(app, parts)
    _add_items(app, parts.connections)

    @app.exception_handler(NotYet)
    def unavailable(_request: Any, error: NotYet) -> JSONResponse:
        return JSONResponse({"detail": f"database: {error}"}, status_code=503)

    return app


def _add_operations(app: FastAPI, parts: Parts) -> None:
    @app.get("/health/live")
    async def live() -> dict[str, str]:
        return {"status": "alive"}

    @app.get("/health/ready")
    async def ready() -> JSONResponse:
        health = await parts.readiness.ask()
        return JSONResponse(health.document(), status_code=503 if health.failing else 200)

    @app.get("/")
    async def about() -> dict[str, str]:
        return {"service": parts.settings.service, "revision": parts.revision}

    @app.get("/metrics")
    async def exposed() -> Response:
        from bakery_service import metrics  # not at start: where nobody scrapes, nobody pays

        body, kind = metrics.exposition()
        return Response(body, headers={"Content-Type": kind})


def _add_items(app: FastAPI, connections: Connections) -> None:
    # Plain functions: FastAPI runs them in threads, where a slow query holds up nobody else.
    @app.get("/items")
    def listed(
        kind: str | None = None, limit: int = Query(100, ge=1, le=1000), offset: int = Query(0, ge=0)
    ) -> dict[str, Any]:
        rows = connections.run(lambda connection: items.listed(connection, kind, limit, offset))
        return {"items": rows, "limit": limit, "offset": offset}

    @app.get("/kinds")
    def kinds() -> dict[str, int]:
        return connections.run(items.counted)

    # `:path`, for a code may hold slashes ("madrid/till-1").
    @app.get("/items/{kind}/{code:path}")
    def found(kind: str, code: str) -> dict[str, Any]:
        row = connections.run(lambda connection: items.found(connection, kind, code))
        if row is None:
            raise HTTPException(404, f"There is no {kind} {code!r}.")
        return row

    @app.put("/items/{kind}/{code:path}")
    def put(kind: str, code: str, item: Item) -> dict[str, Any]:
        return connections.run(lambda connection: items.put(connection, kind, code, item.name, item.attributes))

    @app.delete("/items/{kind}/{code:path}", status_code=204)
    def removed(kind: str, code: str) -> Response:
        if not connections.run(lambda connection: items.removed(connection, kind, code)):
            raise HTTPException(404, f"There is no {kind} {code!r}.")
        return Response(status_code=204)

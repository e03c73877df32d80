"""Prometheus metrics by route, never by raw path: an id in a label would grow the series without end."""

from __future__ import annotations

import time
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, Counter, Histogram, generate_latest

REQUESTS = Counter("http_requests_total", "Requests answered.", ["service", "method", "route", "status"])
DURATION = Histogram(
    "http_request_duration_seconds",
    "Time until the last byte was sent.",
    ["service", "method", "route"],
    buckets=(0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
)


def exposition() -> tuple[bytes, str]:
    """The document of `/metrics` and its content type."""
    return generate_latest(), CONTENT_TYPE_LATEST


class Measured:
    """ASGI middleware that counts and times. `route` is the path template the router chose, "unmatched" if none."""

    def __init__(self, app: Any, service: str) -> None:
        self._app = app
        self._service = service

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500
        started = time.perf_counter()

        async def watch(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watch)
        finally:
            route = getattr(scope.get("route"), "path", None) or scope.get("route_label", "unmatched")
            REQUESTS.labels(self._service, scope["method"], route, str(status)).inc()
            DURATION.labels(self._service, scope["method"], route).observe(time.perf_counter() - started)

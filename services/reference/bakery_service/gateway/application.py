"""The gateway as an ASGI application: its own health and metrics, everything else passed on as a stream."""

from __future__ import annotations

import logging
import secrets
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from bakery_service import metrics
from bakery_service.gateway.limiter import Limiter
from bakery_service.gateway.routes import SECURITY, Backends, Headers, Route, client_address, outgoing, returning, route
from bakery_service.health import Readiness

_log = logging.getLogger("gateway")


class Parts(NamedTuple):
    """What the gateway is made of."""

    backends: Backends
    readiness: Readiness
    limiter: Limiter
    http: httpx.AsyncClient


class Gateway:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            request = Request(scope, receive)
            response = await self._answer(request)
            await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        path = request.scope.get("raw_path", request.url.path.encode()).decode("latin-1").partition("?")[0]
        if path in ("/health/live", "/health/ready", "/metrics"):
            return await self._own(request, path)
        request_id = secrets.token_hex(8)
        peer = request.client.host if request.client else "unknown"
        decision = await self._parts.limiter.ask(client_address(request.headers.items(), peer))
        if not decision.allowed:
            request.scope["route_label"] = "limited"
            detail = {"detail": "Too many requests."}
            return _own_words(detail, 429, request_id, {"retry-after": str(decision.retry_after)})
        target = route(path, self._parts.backends)
        if target is None:
            return _own_words({"detail": "There is no such address."}, 404, request_id)
        request.scope["route_label"] = target.label
        return await self._pass_on(request, target, request_id, peer)

    async def _own(self, request: Request, path: str) -> Response:
        request.scope["route_label"] = path
        if path == "/health/live":
            return JSONResponse({"status": "alive"})
        if path == "/health/ready":
            health = await self._parts.readiness.ask()
            return JSONResponse(health.document(), status_code=503 if health.failing else 200)
        # For Prometheus, which asks the pod; whoever comes through an ingress is somebody else.
        if "x-forwarded-for" in request.headers:
            return JSONResponse({"detail": "There is no such address."}, status_code=404)
        body, kind = metrics.exposition()
        return Response(body, headers={"Content-Type": kind})

    async def _pass_on(self, request: Request, target: Route, request_id: str, peer: str) -> Response:
        scheme = request.headers.get("x-forwarded-proto", request.url.scheme)
        headers = outgoing(request.headers.items(), client=peer, scheme=scheme, request_id=request_id)
        try:
            answer = await self._send(request, target, headers)
        except httpx.TimeoutException:
            return _own_words({"detail": f"{target.name} did not answer in time."}, 504, request_id)
        except httpx.HTTPError as error:
            _log.warning("%s: %s %s", target.name, type(error).__name__, error)
            return _own_words({"detail": f"{target.name} does not answer."}, 502, request_id)
        response = StreamingResponse(_relayed(answer), status_code=answer.status_code)
        fields = [(name.lower(), value) for name, value in answer.headers.multi_items()]
        back = returning(fields, https=scheme == "https", request_id=request_id)
        response.raw_headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in back]
        return response

    async def _send(self, request: Request, target: Route, headers: Headers) -> httpx.Response:
        query = request.scope.get("query_string", b"")
        url = httpx.URL(target.url).copy_with(query=query) if query else httpx.URL(target.url)
        has_body = "content-length" in request.headers or "transfer-encoding" in request.headers
        content = request.stream() if has_body else None
        http = self._parts.http
        outbound = http.build_request(request.method, url, headers=headers, content=content)
        try:
            return await http.send(outbound, stream=True)
        except (httpx.RemoteProtocolError, httpx.ReadError):
            # A pooled connection to a pod that went away; asking again is harmless only when nothing can change.
            if has_body or request.method not in ("GET", "HEAD"):
                raise
            return await http.send(outbound, stream=True)

    async def _lifespan(self, receive: Any, send: Any) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                await self._parts.http.aclose()
                self._parts.readiness.close()
                await send({"type": "lifespan.shutdown.complete"})
                return
            await send({"type": "lifespan.startup.complete"})


async def _relayed(answer: httpx.Response) -> AsyncIterator[bytes]:
    """The bytes as the backend sent them, compression included."""
    try:
        async for block in answer.aiter_raw():
            yield block
    finally:
        await answer.aclose()


def _own_words(document: Any, status: int, request_id: str, extra: dict[str, str] | None = None) -> Response:
    return JSONResponse(document, status_code=status, headers={**SECURITY, "x-request-id": request_id, **(extra or {})})

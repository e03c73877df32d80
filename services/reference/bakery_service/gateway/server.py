"""`bakery-gateway`: where the gateway's clients, checks and limits are joined."""

from __future__ import annotations

import time

import httpx
import redis.asyncio
import redis.asyncio.retry

from bakery_service import settings
from bakery_service.cache import Cache, client
from bakery_service.errors import BadEnvironment
from bakery_service.gateway.application import Gateway, Parts
from bakery_service.gateway.limiter import Limiter
from bakery_service.gateway.limits import read_limits
from bakery_service.gateway.routes import Backends
from bakery_service.health import Check, Readiness
from bakery_service.settings import Environment
from bakery_service.waiting import ask_http, split_url
from bakery_service.web import serve_http

REQUEST_SECONDS = 30.0
CONNECT_SECONDS = 2.0


def serve(environment: Environment) -> None:
    """Pass requests on until SIGTERM; those in progress are finished first.

    Raises: BadEnvironment before the port is opened.
    """
    chosen = settings.read_settings(environment)
    store = settings.redis(environment)
    backends = Backends(
        service=_url(environment, "SERVICE_URL", "http://{name}-service:8000"),
        frontend=_url(environment, "FRONTEND_URL", "http://frontend:8080"),
    )
    auth = _health_of(_url(environment, "AUTH_URL", "http://auth-service:8000"))
    readiness = Readiness({"redis": Cache(store).check, "auth-service": auth})
    limiter = Limiter(read_limits(environment), client(store, module=redis.asyncio), chosen.service, time.time)
    # Without the environment's proxy settings: the backends are inside the cluster.
    http = httpx.AsyncClient(
        timeout=httpx.Timeout(REQUEST_SECONDS, connect=CONNECT_SECONDS),
        limits=httpx.Limits(max_connections=200, max_keepalive_connections=50),
        trust_env=False,
    )
    gateway = Gateway(Parts(backends, readiness, limiter, http))
    serve_http(gateway, chosen)


def _url(environment: Environment, name: str, default: str) -> str:
    value = environment.get(name, "").strip().rstrip("/") or default
    if not value.startswith(("http://", "https://")):
        raise BadEnvironment(f"{name} is {value!r}, which does not start with http:// or https://.")
    return value


def _health_of(url: str) -> Check:
    host, port, _ = split_url(url)
    return lambda: ask_http(host, port, "/health/ready")

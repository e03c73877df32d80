"""Where a request goes and which headers travel with it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

# RFC 9110, section 7.6.1, and the host, which is the backend's own.
HOP_BY_HOP = frozenset(
    {
        "connection",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
SECURITY = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "content-security-policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "cross-origin-opener-policy": "same-origin",
}
_HTTPS_ONLY = {"strict-transport-security": "max-age=31536000"}
# One label of a host name (RFC 1123): nothing a client writes here can name another host, port or credentials.
_API = re.compile(r"^/api/([a-z](?:[a-z0-9-]{0,54}[a-z0-9])?)(/.*)?$")

Headers = list[tuple[str, str]]


class Route(NamedTuple):
    """`url` without the query; `label` is what metrics call it, `name` what an error calls the backend."""

    url: str
    label: str
    name: str


class Backends(NamedTuple):
    """`service` is a URL with `{name}` in it; `frontend` the base URL of everything else."""

    service: str
    frontend: str


def route(path: str, backends: Backends) -> Route | None:
    """`path` is still percent-encoded. None: there is no such place, `/api/` without a service or an internal page."""
    if not path.startswith("/api/") and path != "/api":
        return Route(backends.frontend + path, "frontend", "frontend")
    match = _API.match(path)
    if match is None:
        return None
    name, rest = match[1], match[2] or "/"
    # Metrics tell a stranger what runs and how much it is used; Prometheus asks the pods directly.
    if rest.split("/")[1] == "metrics":
        return None
    return Route(backends.service.format(name=name) + rest, "/api/{service}", f"{name}-service")


def outgoing(headers: Iterable[tuple[str, str]], *, client: str, scheme: str, request_id: str) -> Headers:
    """What a backend gets: the client's headers without those of this hop, and who asked, from where."""
    given = list(headers)
    forwarded = [value for name, value in given if name == "x-forwarded-for"]
    dropped = HOP_BY_HOP | {"x-forwarded-for", "x-forwarded-proto", "x-request-id"} | _named_in_connection(given)
    return [
        *((name, value) for name, value in given if name not in dropped),
        ("x-forwarded-for", ", ".join([*forwarded, client])),
        ("x-forwarded-proto", scheme),
        ("x-request-id", request_id),
    ]


def returning(headers: Iterable[tuple[str, str]], *, https: bool, request_id: str) -> Headers:
    """What the client gets: the backend's headers, and ours where the backend does not say better."""
    given = list(headers)
    dropped = HOP_BY_HOP | _named_in_connection(given) | {"date", "server", "x-request-id"}
    kept = [(name, value) for name, value in given if name not in dropped]
    present = {name for name, _ in kept}
    wanted: Mapping[str, str] = {**SECURITY, **(_HTTPS_ONLY if https else {})}
    return [
        *kept,
        *((name, value) for name, value in wanted.items() if name not in present),
        ("x-request-id", request_id),
    ]


def client_address(headers: Iterable[tuple[str, str]], peer: str) -> str:
    """Whom a limit counts: the last address an ingress appended, else the peer. Earlier ones anybody can invent."""
    forwarded = [value for name, value in headers if name == "x-forwarded-for"]
    return forwarded[-1].rpartition(",")[2].strip() if forwarded else peer


def _named_in_connection(headers: Iterable[tuple[str, str]]) -> frozenset[str]:
    """`Connection: x` makes x a header of this hop only."""
    values = [value for name, value in headers if name == "connection"]
    return frozenset(word.strip().lower() for value in values for word in value.split(",") if word.strip())

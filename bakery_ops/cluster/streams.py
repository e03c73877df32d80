"""What a stream follows, and how patient it is."""

from __future__ import annotations

from typing import NamedTuple

from bakery_ops.cluster.discovery import Resource


class Settings(NamedTuple):
    """Seconds, unless said otherwise.

    read: Silence after which a watch is opened anew; half-open connections are only noticed this way (F5). Bookmarks
        come once a minute, so a quiet stream pays one request every `read` seconds.
    served: The server's own limit of a watch, drawn between these two.
    gap: Time without an answer after which the cache is listed anew instead of watched on.
    safety: Age of the last full list after which a quiet stream lists anew instead of watching on. It costs nothing:
        either is one request.
    page: Objects per page of a LIST.
    longest_pause: Between two attempts to reconnect.
    steady_after: A watch that lived so long was healthy, so that its end does not lengthen the next pause.
    """

    read: float = 20.0
    served: tuple[int, int] = (240, 300)
    gap: float = 30.0
    safety: float = 60.0
    page: int = 500
    longest_pause: float = 3.0
    steady_after: float = 1.0


class Target(NamedTuple):
    """What a stream follows."""

    resource: Resource
    kind: str
    namespace: str | None
    field_selector: str = ""

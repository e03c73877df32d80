"""One HTTP exchange with the API server: timed, counted, never retried here, and its failures in our own words."""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import NamedTuple
from urllib.parse import urlencode, urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from bakery_ops.cluster.clock import ServerClock, steady
from bakery_ops.cluster.troubles import translated
from bakery_ops.errors import OperationFailed, UsageError

JSON = "application/json"
_ERROR_BODY_LIMIT = 64 * 1024
# Requests that change the platform. The Lease's own are not among them: they decide whether these may be sent.
_WRITES = frozenset({"apply", "delete", "journal", "inventory", "release"})
_CHUNK = 64 * 1024

Query = Mapping[str, str | int | bool]


class Timeouts(NamedTuple):
    """Seconds: to connect (and shake hands), and between two pieces of an answer."""

    connect: float = 5.0
    read: float = 30.0

    def at_most(self, other: Timeouts) -> Timeouts:
        return Timeouts(min(self.connect, other.connect), min(self.read, other.read))


_HURRIED = Timeouts(connect=3.0, read=5.0)


class Reply(NamedTuple):
    """`sent` and `received` are steady seconds (clock.steady); `date` is the Date header in epoch seconds, or None."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    sent: float
    received: float
    date: float | None
    session: int


class Session(NamedTuple):
    """Connections with one set of credentials. `headers` may hold a token: never printed."""

    pool: urllib3.PoolManager
    headers: Mapping[str, str]


class _Link(NamedTuple):
    """A Session in use. Without a proxy its one pool is kept: finding it anew costs a tenth of a small request."""

    manager: urllib3.PoolManager
    pool: urllib3.PoolManager | urllib3.HTTPConnectionPool
    base: str
    headers: Mapping[str, str]
    generation: int

    @classmethod
    def of(cls, session: Session, server: str, generation: int) -> _Link:
        if isinstance(session.pool, urllib3.ProxyManager):  # wants the whole address
            return cls(session.pool, session.pool, server, session.headers, generation)
        pool = session.pool.connection_from_url(server)
        return cls(session.pool, pool, urlsplit(server).path, session.headers, generation)


class Transport:
    """Exchanges with one server. Safe to use from many threads.

    Args:
        server: "https://host:port", with a path prefix where the API lives below one.
        authenticate: Builds a Session from the credentials as they are now; called again by `renew`.
    """

    def __init__(
        self,
        server: str,
        authenticate: Callable[[], Session],
        clock: ServerClock,
        *,
        steady: Callable[[], float] = steady,
    ) -> None:
        self.server, self.clock, self.steady = server, clock, steady
        self.stopped = threading.Event()
        self.sealed = False
        self._roused = threading.Event()
        self._ends_at = math.inf
        self._guard: Callable[[], None] | None = None
        self._authenticate = authenticate
        self._link = _Link.of(authenticate(), server, 0)
        self._lock, self._renewing = threading.Lock(), threading.Lock()
        self._not_renewed: tuple[float, OperationFailed] | None = None  # when the last attempt failed, and how
        self._counts: Counter[str] = Counter()

    @property
    def requests(self) -> Mapping[str, int]:
        """How many requests were sent so far, by verb: get, list, watch, apply, dry-run, delete, …"""
        with self._lock:
            return dict(self._counts)

    def guard(self, require: Callable[[], None] | None) -> None:
        """Call `require` before each write from now on: it raises when the lock was lost (faults.md, F20)."""
        self._guard = require

    def hurry(self, seconds: float) -> None:
        """Somebody waits for the end: try nothing again beyond so many seconds from now, and end pauses now."""
        self._ends_at = min(self._ends_at, self.steady() + seconds)
        self._roused.set()

    @property
    def left(self) -> float:
        """Seconds until nothing is tried again; infinity while nobody is in a hurry."""
        return self._ends_at - self.steady()

    def rest(self, seconds: float) -> None:
        """Wait; ends early when somebody gets into a hurry, or at `close`."""
        (self._roused if math.isinf(self._ends_at) else self.stopped).wait(seconds)

    def seal(self) -> None:
        """Send no write any more: what is still under way is left behind, and must not be followed by another."""
        self.sealed = True

    def renew(self, generation: int) -> None:
        """Load the credentials anew after a 401 to a request of session `generation`, unless that was done since.

        One thread does it, and a plugin may take a minute; meanwhile all others go on with what there is.
        Raises: OperationFailed: they cannot be loaded (F16); whoever waited meanwhile is told the same.
        """
        asked = self.steady()
        with self._renewing:
            if generation != self._link.generation:
                return
            if self._not_renewed is not None and self._not_renewed[0] > asked:
                raise self._not_renewed[1]
            try:
                fresh = _Link.of(self._authenticate(), self.server, generation + 1)
            except UsageError as error:
                said = f"The credentials were refused and cannot be renewed: {error}"
                failed = OperationFailed(said, remedy=error.remedy)
                self._not_renewed = self.steady(), failed
                raise failed from error
            with self._lock:
                stale, self._link = self._link, fresh
            stale.manager.clear()  # what is in use ends by itself

    def send(
        self,
        verb: str,
        method: str,
        path: str,
        query: Query | None = None,
        *,
        body: bytes | None = None,
        content_type: str = JSON,
        accept: str = JSON,
        timeouts: Timeouts = Timeouts(),  # noqa: B008 an immutable value
        limit: int | None = None,
    ) -> Reply:
        """One request and its whole answer (of an error, the first 64 KiB).

        `limit`: bytes after which nobody reads on, nor longer than the two timeouts together: for answers of others.

        Raises: TransportError; what the guard raises; OperationFailed for a write after `seal`.
        """
        if verb in _WRITES:
            self._require_open()
        if not math.isinf(self._ends_at):
            timeouts = timeouts.at_most(_HURRIED)
        link = self._begin(verb)
        headers = _asking(link, accept)
        if body is not None:
            headers["Content-Type"] = content_type
        sent = self.steady()
        try:
            response = self._open(link, method, _target(path, query), headers, body, timeouts)
            content = _content(response) if limit is None else self._beginning(response, limit, sent + sum(timeouts))
        except (HTTPError, OSError) as error:
            raise translated(error) from error
        received = self.steady()
        date = date_of(response.headers.get("Date"))
        if date is not None:
            self.clock.observe(date, sent, received)
        return Reply(response.status, response.headers, content, sent, received, date, link.generation)

    def stream(self, path: str, query: Query, *, accept: str = JSON, timeouts: Timeouts) -> WatchStream:
        """Open a watch. Raises: TransportError."""
        link = self._begin("watch")
        headers = _asking(link, accept)
        try:
            response = self._open(link, "GET", _target(path, query), headers, None, timeouts)
        except (HTTPError, OSError) as error:
            raise translated(error) from error
        return WatchStream(response, link.generation)

    def close(self) -> None:
        """End pauses between retries at once and drop idle connections."""
        self.stopped.set()
        self._roused.set()
        self._link.manager.clear()

    def _require_open(self) -> None:
        if self.sealed:
            raise OperationFailed("The run was interrupted; nothing more is written.")
        if self._guard is not None:
            self._guard()

    def _begin(self, verb: str) -> _Link:
        with self._lock:
            self._counts[verb] += 1
            return self._link

    def _beginning(self, response: urllib3.BaseHTTPResponse, limit: int, until: float) -> bytes:
        content = b""
        while len(content) < limit and self.steady() < until:
            chunk = response.read1(limit - len(content))
            if not chunk:
                return content
            content += chunk
        response.close()
        return content

    def _open(
        self,
        link: _Link,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: bytes | None,
        timeouts: Timeouts,
    ) -> urllib3.BaseHTTPResponse:
        return link.pool.urlopen(
            method,
            link.base + target,
            body=body,
            headers=headers,
            timeout=urllib3.Timeout(connect=timeouts.connect, read=timeouts.read),
            retries=False,
            redirect=False,
            preload_content=False,
        )


class WatchStream:
    """A watch over urllib3."""

    def __init__(self, response: urllib3.BaseHTTPResponse, session: int) -> None:
        self._response = response
        self.status, self.headers, self.session = response.status, response.headers, session

    def chunks(self) -> Iterator[bytes]:
        """Bytes as they arrive, until the server ends the answer. Raises: TransportError."""
        try:
            yield from self._response.stream(_CHUNK)
        except (HTTPError, OSError, ValueError, AttributeError) as error:
            # ValueError and AttributeError: another thread closed the response between two reads.
            raise translated(error) from error

    def error_body(self) -> bytes:
        try:
            return self._response.read(_ERROR_BODY_LIMIT)
        except (HTTPError, OSError) as error:
            raise translated(error) from error

    def close(self) -> None:
        """Wake a thread that waits for the next chunk; the connection is not used again. Callable from any thread."""
        try:
            self._response.shutdown()
        except (ValueError, RuntimeError, OSError):
            return  # already over

    def release(self) -> None:
        """Close for good; only by the thread that reads."""
        self._response.close()


def _asking(link: _Link, accept: str) -> urllib3.HTTPHeaderDict:
    """A header may be there more than once: a plain dictionary would join the groups of who we act as."""
    headers = urllib3.HTTPHeaderDict(link.headers)
    headers["Accept"] = accept
    return headers


def _content(response: urllib3.BaseHTTPResponse) -> bytes:
    """The whole body, or the beginning of an error's. A body read to its end gives its connection back by itself."""
    if response.status < 400:
        return response.read()
    content = response.read(_ERROR_BODY_LIMIT)
    if len(content) == _ERROR_BODY_LIMIT:
        response.close()
    return content


def _target(path: str, query: Query | None) -> str:
    if not query:
        return path
    pairs = {key: str(value).lower() if isinstance(value, bool) else value for key, value in query.items()}
    return f"{path}?{urlencode(pairs)}"


def date_of(text: str | None) -> float | None:
    """Epoch seconds of a Date header."""
    if not text:
        return None
    try:
        return parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError):
        return None

"""A scripted API server on a real socket: each path answers what it was told, once; anything else is a test failure."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qs, urlsplit

import urllib3

from bakery_ops.cluster.clock import ServerClock
from bakery_ops.cluster.discovery import Discovery
from bakery_ops.cluster.lag import LagMeter
from bakery_ops.cluster.requests import ApiRequests
from bakery_ops.cluster.retry import Retrier
from bakery_ops.cluster.transport import Session, Transport
from bakery_ops.errors import UsageError

_DATE = "Mon, 01 Jan 2024 00:00:00 GMT"


class Seen(NamedTuple):
    """One request that arrived."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    every_header: Mapping[str, list[str]] = {}  # by their names in small letters

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Say(NamedTuple):
    """Answer with this."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = {}


class Watch(NamedTuple):
    """Open a watch: send these events, then "end", "reset" or "hold" it (open, without a byte, until the test ends)."""

    events: tuple[Any, ...] = ()
    then: str = "end"


class Drop(NamedTuple):
    """Reset the connection instead of answering (the request has been read)."""


class Hold(NamedTuple):
    """Never answer."""


Action = Say | Watch | Drop | Hold
Reaction = Action | Callable[[Seen], Action]


def status(code: int, reason: str = "", message: str = "", **more: Any) -> Say:
    """A refusal as the API server words it."""
    headers = more.pop("headers", {})
    body = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "code": code,
        "reason": reason,
        "message": message,
    }
    return Say(code, body | more, headers)


class ScriptedServer:
    """Runs in threads of this process. `expect` queues reactions per (method, path); `always` is the one after them."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.seen: list[Seen] = []
        self.unexpected: list[str] = []
        self.release = threading.Event()
        self._script: dict[tuple[str, str], deque[Reaction]] = defaultdict(deque)
        self._always: dict[tuple[str, str], Reaction] = {}
        self._lock = threading.Lock()
        self._arrived = threading.Condition(self._lock)
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # or every answer waits 40 ms for an acknowledgement

            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except OSError:
                    self.close_connection = True

            def log_message(self, *arguments: object) -> None:
                pass

            def date_time_string(self, timestamp: float | None = None) -> str:
                return _DATE

            def do_GET(self) -> None:
                outer._handle(self)

            do_PATCH = do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, request: object, client_address: object) -> None:
                pass  # a reset on purpose

        self._server, self._tls = Server(("127.0.0.1", 0), Handler), tls
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *problem: object) -> None:
        self.release.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(2)

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self._server.server_port}"

    def expect(self, method: str, path: str, *reactions: Reaction) -> Self:
        with self._lock:
            self._script[method, path].extend(reactions)
        return self

    def always(self, method: str, path: str, reaction: Reaction) -> Self:
        with self._lock:
            self._always[method, path] = reaction
        return self

    def requests(self, method: str = "", path: str = "") -> list[Seen]:
        with self._lock:
            return [seen for seen in self.seen if seen.method.startswith(method) and seen.path.startswith(path)]

    def wait_for(self, count: int, method: str = "", path: str = "", within: float = 5.0) -> list[Seen]:
        """The requests to that path, once there are `count`."""

        def matching() -> list[Seen]:
            return [seen for seen in self.seen if seen.method.startswith(method) and seen.path.startswith(path)]

        with self._arrived:
            assert self._arrived.wait_for(lambda: len(matching()) >= count, within), f"only {self.seen}"
            return matching()

    def _handle(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        length = int(handler.headers.get("Content-Length") or 0)
        every = {name.lower(): handler.headers.get_all(name, []) for name in handler.headers}
        query = {key: values[0] for key, values in parse_qs(parts.query, keep_blank_values=True).items()}
        seen = Seen(handler.command, parts.path, query, dict(handler.headers), handler.rfile.read(length), every)
        with self._arrived:
            self.seen.append(seen)
            script = self._script[seen.method, seen.path]
            reaction = script.popleft() if script else self._always.get((seen.method, seen.path))
            if reaction is None:
                self.unexpected.append(f"{seen.method} {handler.path}")
                reaction = status(418, "Unexpected", f"{seen.method} {handler.path} is not in the script")
            self._arrived.notify_all()
        self._act(handler, reaction if isinstance(reaction, tuple) else reaction(seen))

    def _act(self, handler: BaseHTTPRequestHandler, action: Action) -> None:
        if isinstance(action, Drop):
            _reset(handler)
        elif isinstance(action, Hold):
            self.release.wait(10)
            handler.close_connection = True
        elif isinstance(action, Watch):
            self._watch(handler, action)
        else:
            content = action.body if isinstance(action.body, bytes) else json.dumps(action.body or {}).encode()
            handler.send_response(action.status)
            for name, value in {"Content-Length": str(len(content)), **action.headers}.items():
                handler.send_header(name, value)
            handler.end_headers()
            handler.wfile.write(content)

    def _watch(self, handler: BaseHTTPRequestHandler, action: Watch) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for event in action.events:
            line = event if isinstance(event, bytes) else json.dumps(event).encode() + b"\n"
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
        handler.wfile.flush()
        if action.then == "end":
            handler.wfile.write(b"0\r\n\r\n")
        elif action.then == "reset":
            _reset(handler)
        else:
            self.release.wait(10)
            handler.close_connection = True


def _reset(handler: BaseHTTPRequestHandler) -> None:
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.close_connection = True
    handler.wfile.flush()
    handler.rfile.close()
    handler.connection.close()


class FakeSteady:
    """Steady seconds that only `sleep` advances."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.sleeps: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += seconds


class Client:
    """The cluster room's parts, put together against a scripted server, in virtual time unless told otherwise."""

    def __init__(self, server: ScriptedServer, *, real_time: bool = False, budget: float = 120.0) -> None:
        self.steady, self.lines = FakeSteady(), list[str]()
        self.pool = urllib3.PoolManager(maxsize=8)
        self.sessions = self.unusable = 0
        clock = ServerClock()
        times = {} if real_time else {"steady": self.steady}
        self.transport = Transport(server.url, self.session, clock, **times)  # type: ignore[arg-type]
        sleep = None if real_time else self.steady.sleep
        self.retrier = Retrier(self.transport, notify=self.lines.append, budget=budget, sleep=sleep)
        self.discovery, self.lag = Discovery(self.transport, self.retrier), LagMeter()
        self.requests = ApiRequests(self.transport, self.retrier, self.discovery, self.lag)

    def session(self) -> Session:
        if self.unusable:
            self.unusable -= 1
            raise UsageError("The token file cannot be read.")
        self.sessions += 1
        return Session(self.pool, {"Authorization": f"Bearer token-{self.sessions}"})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *problem: object) -> None:
        self.transport.close()


def item(name: str, version: str = "1", uid: str = "", **more: Any) -> dict[str, Any]:
    """An object as a list or a watch carries it."""
    metadata = {"name": name, "namespace": "shop", "uid": uid or f"uid-{name}", "resourceVersion": version}
    return {"metadata": metadata | more.pop("metadata", {}), **more}


def added(name: str, version: str = "1", **more: Any) -> dict[str, Any]:
    return {"type": "ADDED", "object": item(name, version, **more)}


def modified(name: str, version: str, **more: Any) -> dict[str, Any]:
    return {"type": "MODIFIED", "object": item(name, version, **more)}


def deleted(name: str, version: str, **more: Any) -> dict[str, Any]:
    return {"type": "DELETED", "object": item(name, version, **more)}


def bookmark(version: str, *, initial_end: bool = False) -> dict[str, Any]:
    annotations = {"k8s.io/initial-events-end": "true"} if initial_end else {}
    return {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": version, "annotations": annotations}}}


def listing(items: Iterable[dict[str, Any]], version: str = "10", token: str = "") -> Say:
    return Say(200, {"metadata": {"resourceVersion": version, "continue": token}, "items": list(items)})

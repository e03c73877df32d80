"""What the fault proxy can do to an exchange, as values, and which exchanges it does it to."""

from __future__ import annotations

import json
import re
import signal
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

MUTATING = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class Call(NamedTuple):
    """One request as the proxy saw it."""

    method: str
    target: str

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> Mapping[str, list[str]]:
        return parse_qs(urlsplit(self.target).query)

    @property
    def is_watch(self) -> bool:
        return self.query.get("watch") in (["true"], ["1"])

    @property
    def mutates(self) -> bool:
        """Counted by the kill-point sweep: no dry runs, no Lease (its renewals depend on time), no access review."""
        if self.method not in MUTATING or "dryRun" in self.query:
            return False
        return "/leases" not in self.path and "reviews" not in self.path

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class Answer:
    """Answer in the server's place; the request never reaches it."""

    status: int
    body: Mapping[str, object] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def raw(self) -> bytes:
        status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": self.status, **self.body}
        content = json.dumps(status).encode()
        headers = {"Content-Type": "application/json", "Content-Length": str(len(content)), **self.headers}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"HTTP/1.1 {self.status} Injected\r\n{lines}\r\n".encode() + content


@dataclass(frozen=True)
class Reset:
    """Reset the connection before the request reaches the server."""


@dataclass(frozen=True)
class LoseResponse:
    """Let the server carry the request out, then reset the connection instead of answering."""


@dataclass(frozen=True)
class Stall:
    """Let the request through, then never send another byte on this connection, which stays open (half-open)."""


@dataclass(frozen=True)
class Delay:
    """Hold the request back for so many seconds."""

    seconds: float


@dataclass(frozen=True)
class WatchLines:
    """Open a watch that sends these lines and ends, in the server's place."""

    lines: tuple[Mapping[str, object], ...]

    def raw(self) -> bytes:
        chunks = b"".join(
            b"%x\r\n%s\r\n" % (len(line), line) for line in (json.dumps(item).encode() + b"\n" for item in self.lines)
        )
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        return head + chunks + b"0\r\n\r\n"


@dataclass(frozen=True)
class Outage:
    """Pass the request on; `after` seconds later reset every connection, and refuse new ones for so many seconds."""

    seconds: float
    after: float = 0.0


@dataclass(frozen=True)
class HalfOpen:
    """Pass the request on; `after` seconds later every connection there is falls silent without an end."""

    after: float = 0.0


@dataclass(frozen=True)
class Partition:
    """Pass the request on; `after` seconds later nothing passes any more, either way, for so many seconds."""

    seconds: float
    after: float = 0.0


@dataclass(frozen=True)
class Tell:
    """Send the tool a signal, then pass the request on."""

    signal: signal.Signals


Fault = Answer | Reset | LoseResponse | Stall | Delay | WatchLines | Outage | HalfOpen | Partition | Tell


@dataclass
class Rule:
    """Do `fault` to the matching calls number `skip`+1 … `skip`+`times`. `used` counts how often it was done."""

    fault: Fault
    method: str = ".*"
    path: str = ".*"
    times: int = 1
    skip: int = 0
    when: Callable[[Call], bool] = lambda call: True
    used: int = 0

    def wants(self, call: Call) -> bool:
        if self.used >= self.times or not re.fullmatch(self.method, call.method) or not self.when(call):
            return False
        if not re.search(self.path, call.path):
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.used += 1
        return True


class Rules:
    """The rules in force, and the record of all calls. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Condition()
        self._rules: list[Rule] = []
        self.calls: list[Call] = []

    def add(self, *rules: Rule) -> None:
        with self._lock:
            self._rules.extend(rules)

    def clear(self) -> None:
        with self._lock:
            self._rules.clear()

    def take(self, call: Call) -> Fault | None:
        """Record a call; the fault of the first rule that wants it."""
        with self._lock:
            self.calls.append(call)
            self._lock.notify_all()
            return next((rule.fault for rule in self._rules if rule.wants(call)), None)

    def wait_for(self, method: str, path: str, within: float = 60.0) -> None:
        """Return when such a call has arrived, dry runs apart."""

        def seen() -> bool:
            return any(
                call.method == method and re.search(path, call.path) and "dryRun" not in call.query
                for call in self.calls
            )

        with self._lock:
            assert self._lock.wait_for(seen, within), [str(call) for call in self.calls]

    def count(self, wanted: Callable[[Call], bool]) -> int:
        with self._lock:
            return sum(1 for call in self.calls if wanted(call))

"""What the workflows need of the world. Adapters fit structurally; `bootstrap` picks them, mypy checks the fit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from bakery_ops.model.answer import Answer as Answer  # the value these ports speak in
from bakery_ops.model.contract import FIELD_MANAGER
from bakery_ops.model.manifest import Manifest, ObjectRef
from bakery_ops.rules.plan import JournalEntry, Live, Recorded

LOG_BYTES = 64 * 1024
"""How much of a log is evidence enough."""

Say = Callable[[str], None]
"""One progress line for the user; goes to stderr."""


class ProcessResult(Protocol):
    @property
    def status(self) -> int: ...
    @property
    def stdout(self) -> str: ...
    @property
    def stderr(self) -> str: ...


class Shell(Protocol):
    """Programs. `env` is merged over the process's own; `timeout` in seconds."""

    def run(
        self,
        argv: Sequence[str | Path],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        stdin: bytes | None = None,
        timeout: float | None = None,
        check: bool = True,
        on_line: Callable[[str], None] | None = None,
    ) -> ProcessResult: ...

    def find(self, program: str) -> Path: ...


class Clock(Protocol):
    def now(self) -> float:
        """Epoch seconds in the API server's clock; monotonic between calls."""

    def sleep(self, seconds: float) -> None: ...


class Requests(Protocol):
    """Single requests; every one carries connect and read timeouts and the retry policy of docs/faults.md.

    Raises: ClusterUnreachable when the retry budget is used up. An HTTP refusal (4xx) is an Answer, not an error.
    """

    def apply(
        self, manifest: Manifest, *, dry_run: bool = False, force: bool = False, manager: str = FIELD_MANAGER
    ) -> Answer:
        """Server-side apply, with our field manager unless another is named; fieldValidation=Strict on dry runs."""

    def read(self, ref: ObjectRef) -> Answer: ...

    def list(
        self, group: str, kind: str, namespace: str | None, *, label_selector: str = ""
    ) -> Sequence[Mapping[str, Any]]:
        """Whole objects as dictionaries, all pages; [] when the kind is not served."""

    def metadata(self, group: str, kind: str, namespace: str | None) -> Sequence[Mapping[str, Any]]:
        """All objects of a kind with their metadata; their content is not read."""

    def delete(self, ref: ObjectRef, *, uid: str | None = None, propagation: str = "Background") -> Answer: ...

    def logs(
        self,
        namespace: str,
        pod: str,
        container: str,
        *,
        previous: bool = False,
        tail_lines: int | None = 50,
        since_seconds: int | None = None,
        limit_bytes: int | None = LOG_BYTES,
    ) -> Sequence[str]:
        """The last lines of a container; () when there is no log. None is no limit."""

    def proxy_get(
        self, namespace: str, service: str, port: str, path: str, *, timeout: float = 5.0
    ) -> tuple[int, bytes, float]:
        """GET through the API server's service proxy: status, body (at most 64 KiB), seconds taken."""

    def served(self, refs: Iterable[ObjectRef]) -> Mapping[tuple[str, str], bool]:
        """(group, kind) -> whether the server serves it."""


class Journal(Protocol):
    """What runs recorded of each node, in the cluster. One write carries many entries. Raises BakeryError."""

    def read(self, seen: Mapping[ObjectRef, Live] | None = None) -> Mapping[str, Recorded]:
        """`seen`: all live ConfigMaps by ref, when they have just been listed."""

    def record(self, entries: Mapping[str, JournalEntry]) -> None: ...

    def clear(self) -> None: ...


class Inventory(Protocol):
    """Every object we wrote and did not delete. Written before the objects are (docs/faults.md, promise I1)."""

    def read(self, seen: Mapping[ObjectRef, Live] | None = None) -> Sequence[ObjectRef]:
        """`seen`: as for the journal."""

    def write(self, refs: Sequence[ObjectRef]) -> None: ...


class Mirror(Protocol):
    """Watch caches: one LIST and one WATCH per kind. Calls `deliver` from its own threads with rollout events."""

    def start(self, kinds: Sequence[str], namespace: str, deliver: Callable[[object], None]) -> None: ...

    def refresh(self) -> None:
        """List every kind anew, each with a Synced of its own: what was delivered so far may be old."""

    def stop(self) -> None: ...

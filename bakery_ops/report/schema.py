"""A run's report as it is written to summary.json: a deploy's, from which every other format is drawn, or a destroy's.

docs/schemas/ is made from these types, and a test holds it to them. Fields are only ever added within
one `apiVersion`. Times are seconds since the rollout began unless a field says otherwise.
"""

from __future__ import annotations

import json

import msgspec

API_VERSION = "bakery-ia.dev/v1"


class Part(msgspec.Struct, frozen=True, rename="camel"):
    """Base of all: immutable, camelCase on paper."""


class Change(Part, frozen=True, kw_only=True):
    """One object a deploy wrote, or would write."""

    node: str
    action: str
    reason: str


class Evidence(Part, frozen=True, kw_only=True):
    """What shows the failure: an object, its container ("" for none), the API's reason and its first message."""

    subject: str
    container: str
    reason: str
    message: str


class Event(Part, frozen=True, kw_only=True):
    """A Kubernetes event about the failing objects. `at`: its last occurrence; negative when before the rollout."""

    at: float
    subject: str
    reason: str
    message: str
    times: int


class Log(Part, frozen=True, kw_only=True):
    """The end of one container's log. `previous`: of the container before its restart."""

    pod: str
    container: str
    previous: bool
    lines: tuple[str, ...]


class Cause(Part, frozen=True, kw_only=True):
    """One independent root cause. `blocks`: the nodes it holds up; `next`: the command to type."""

    sentence: str
    node: str
    state: str
    reason: str
    message: str
    blocks: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    events: tuple[Event, ...] = ()
    logs: tuple[Log, ...] = ()
    source: str = ""
    next: str = ""


class Stage(Part, frozen=True, kw_only=True):
    """One step of the start order. `seconds`: from its first write until all its nodes were ready."""

    stage: str
    title: str
    objects: int
    applied: int
    began_at: float | None
    seconds: float | None
    slowest: str


class Node(Part, frozen=True, kw_only=True):
    """One object and what became of it.

    `sentAt`, `scheduledAt`, `initializedAt`, `readyAt`: when we wrote it, when its last pod had a cluster node, when
    that pod's init containers were done, when it was ready; null where unknown. `readyAfter`: from write to ready.
    `source`: where the manifest stands, "file:line".
    """

    name: str
    kind: str
    stage: str
    status: str
    verdict: str
    message: str
    workload: bool
    needs: tuple[str, ...]
    sent_at: float | None
    scheduled_at: float | None
    initialized_at: float | None
    ready_at: float | None
    ready_after: float | None
    restarts: int
    source: str


class Step(Part, frozen=True, kw_only=True):
    """One node of the longest path. `saves`: how much shorter that path would be if this step took no time."""

    node: str
    seconds: float
    saves: float


class Check(Part, frozen=True, kw_only=True):
    """One check of the acceptance contract."""

    name: str
    state: str
    message: str
    evidence: tuple[str, ...] = ()
    remedy: str = ""


class Deploy(Part, frozen=True, kw_only=True):
    """A deploy's report.

    `seconds` is the rollout's own time and `totalSeconds` the whole command's; `started` is RFC 3339. `seconds`,
    `started` and `requests` are null where nothing was rolled out. `watchLagP95` is in seconds, null when unmeasured.
    `requests` counts all of the command's, `requestsByKind` by what they were ("get", "list", "watch", "apply", …).
    `refusal`: why it stopped before that: what, details, what to do.
    """

    api_version: str = API_VERSION
    kind: str = "DeployReport"
    run: str
    profile: str
    overlay: str
    context: str
    outcome: str
    headline: str
    started: str | None = None
    seconds: float | None = None
    total_seconds: float
    requests: int | None = None
    requests_by_kind: dict[str, int] = {}
    watch_lag_p95: float | None = None
    refusal: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    causes: tuple[Cause, ...] = ()
    path: tuple[Step, ...] = ()
    stages: tuple[Stage, ...] = ()
    nodes: tuple[Node, ...] = ()
    warnings: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()


class RemovedObject(Part, frozen=True, kw_only=True):
    """One object and what became of it. `why`: what kept it, "" where the fate says it all."""

    object: str
    fate: str
    why: str


class Removal(Part, frozen=True, kw_only=True):
    """A destroy's report: every object of the inventory, and what became of it."""

    api_version: str = API_VERSION
    kind: str = "RemovalReport"
    run: str
    profile: str
    namespace: str
    context: str
    outcome: str
    headline: str
    total_seconds: float
    notes: tuple[str, ...] = ()
    objects: tuple[RemovedObject, ...] = ()


class _Head(Part, frozen=True, kw_only=True):
    api_version: str = ""
    kind: str = ""


def encode(document: Part) -> str:
    """As JSON text, indented, with a last newline. ASCII only: `cat` of it must not steer a terminal (C1, bidi)."""
    return json.dumps(msgspec.to_builtins(document), indent=1) + "\n"


def decode(text: str | bytes) -> Deploy | Removal:
    """A report read back. Raises: ValueError: it is not JSON, or no report of this version."""
    head = msgspec.json.decode(text, type=_Head)
    kinds: dict[tuple[str, str], type[Deploy | Removal]] = {
        (API_VERSION, "DeployReport"): Deploy,
        (API_VERSION, "RemovalReport"): Removal,
    }
    if (wanted := kinds.get((head.api_version, head.kind))) is None:
        raise ValueError(f"it is a {head.api_version} {head.kind}, not a {API_VERSION} DeployReport or RemovalReport")
    return msgspec.json.decode(text, type=wanted)

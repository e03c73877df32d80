"""What can happen to a rollout (events), and what it can ask for (commands). All plain values.

Every event carries `at`, the API server's time in epoch seconds. An event never says what to do about it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from bakery_ops.model.live import LiveObject
from bakery_ops.model.manifest import ObjectRef
from bakery_ops.rules.verdict import Applied


class Outcome(Enum):
    """How a rollout ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed out"
    INTERRUPTED = "interrupted"
    LOCK_LOST = "lock lost"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class Event:
    at: float


@dataclass(frozen=True, slots=True)
class TimePassed(Event):
    """A wake-up that was asked for, or a tick."""


@dataclass(frozen=True, slots=True)
class TimeJumped(Event):
    """Nobody looked for the last so many seconds: this machine slept, the process stood still, a clock was set.

    The streams are listed anew; until then what is known of the cluster may be as old as that.
    """

    seconds: float


@dataclass(frozen=True, slots=True)
class ObjectChanged(Event):
    """The watch cache has this object in this state now."""

    object: LiveObject


@dataclass(frozen=True, slots=True)
class ObjectDeleted(Event):
    """`uid` is "" when a read did not find the object."""

    ref: ObjectRef
    uid: str


@dataclass(frozen=True, slots=True)
class Synced(Event):
    """The first full list of a kind ("Pod", "Event", …) has been delivered, or delivered anew after a gap."""

    kind: str


@dataclass(frozen=True, slots=True)
class StreamLost(Event):
    """The stream of a kind is broken; its cache may be old until the next Synced."""

    kind: str


@dataclass(frozen=True, slots=True)
class ApplyAccepted(Event):
    node: str
    applied: Applied
    live: LiveObject | None = None


@dataclass(frozen=True, slots=True)
class ApplyRejected(Event):
    """The server refused for good (4xx, conflict, retry budget used up). `unknown`: the outcome could not be learnt."""

    node: str
    reason: str
    message: str
    unknown: bool = False


@dataclass(frozen=True, slots=True)
class ApplyDropped(Event):
    """The write was still queued when writing stopped (interrupt, lease lost): it was never sent."""

    node: str


@dataclass(frozen=True, slots=True)
class LogTailArrived(Event):
    node: str
    subject: str
    container: str
    previous: bool
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pruned(Event):
    """Answer to Prune: the object is gone, `reason`/`message` say why it was kept, or `holder` what still holds it."""

    ref: ObjectRef
    reason: str = ""
    message: str = ""
    holder: str = ""


@dataclass(frozen=True, slots=True)
class InterruptRequested(Event):
    pass


@dataclass(frozen=True, slots=True)
class LeaseLost(Event):
    holder: str


@dataclass(frozen=True, slots=True)
class Command:
    pass


@dataclass(frozen=True, slots=True)
class Apply(Command):
    """Apply the node's manifest. Answered by ApplyAccepted or ApplyRejected."""

    node: str


@dataclass(frozen=True, slots=True)
class ReplaceJob(Command):
    """Delete the finished Job, wait until it is gone, create it anew. Answered like Apply."""

    node: str
    uid: str


@dataclass(frozen=True, slots=True)
class SuspendJob(Command):
    """Keep a Job we call failed from running later after all (its image may still appear). Not awaited.

    Faults F35: the tool must not report failure while the Job can still start behind its back.
    """

    node: str
    uid: str


@dataclass(frozen=True, slots=True)
class Prune(Command):
    """Delete an object that left the render. Answered by Pruned."""

    ref: ObjectRef
    uid: str


@dataclass(frozen=True, slots=True)
class ReadObjects(Command):
    """Read these nodes' objects, all of one kind and namespace, whose kind has no stream.

    Each is answered by ObjectChanged, or ObjectDeleted with uid "".
    """

    nodes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FetchLog(Command):
    node: str
    namespace: str
    pod: str
    container: str
    previous: bool


@dataclass(frozen=True, slots=True)
class WriteJournal(Command):
    """Record the node's verdict; never awaited before going on, always flushed before Finish."""

    node: str
    verdict: str
    content_hash: str
    uid: str


@dataclass(frozen=True, slots=True)
class WakeAt(Command):
    """Deliver TimePassed at this server time. A later WakeAt replaces an earlier one."""

    at: float


@dataclass(frozen=True, slots=True)
class Finish(Command):
    outcome: Outcome

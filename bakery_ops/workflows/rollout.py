"""Drive a rollout: feed the machine from one queue, carry out its commands on a pool of connections."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from bakery_ops.model.graph import Graph
from bakery_ops.model.live import LiveObject
from bakery_ops.rules.plan import Plan
from bakery_ops.rules.readiness.observation import ClusterFacts
from bakery_ops.rules.rollout import machine
from bakery_ops.rules.rollout.events import (
    Apply,
    Command,
    Event,
    FetchLog,
    Finish,
    InterruptRequested,
    LeaseLost,
    Outcome,
    Prune,
    ReadObjects,
    ReplaceJob,
    SuspendJob,
    TimeJumped,
    TimePassed,
    WakeAt,
    WriteJournal,
)
from bakery_ops.rules.rollout.followed import kinds_followed, namespace_followed
from bakery_ops.rules.rollout.options import Options
from bakery_ops.rules.rollout.recording import begun, happened
from bakery_ops.rules.rollout.result import RolloutResult, result
from bakery_ops.rules.rollout.state import Judge, Rollout
from bakery_ops.rules.rollout.view import RolloutView
from bakery_ops.workflows.interrupts import interruptible
from bakery_ops.workflows.ports import Clock, Journal, Mirror, Requests
from bakery_ops.workflows.rollout_requests import Carrier, Carrying
from bakery_ops.workflows.rollout_scribe import Scribe

LOG_READERS = 4
UNWATCHED = 10.0
"""Seconds between two looks after which what was known counts as old: twice as long as they ever are apart."""

Told = Event | Sequence[Event] | None
"""What carrying out a command came to."""

# Without a date until the loop takes it out: a signal's handler may run while its own thread holds the clock's lock.
_INTERRUPTED = InterruptRequested(0.0)


class Inbox(Protocol):
    """Events of all threads, in one line."""

    def put(self, event: Event) -> None: ...

    def get(self, until: float | None) -> list[Event]:
        """Everything that is there; waits for a first event until that server time (None: for ever). [] at the time."""


class QueueInbox:
    """The Inbox of a real run."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._queue: queue.SimpleQueue[Event] = queue.SimpleQueue()

    def put(self, event: Event) -> None:
        self._queue.put(event)

    def get(self, until: float | None) -> list[Event]:
        timeout = None if until is None else max(0.0, until - self._clock.now())
        events: list[Event] = []
        try:
            events.append(self._queue.get(timeout=timeout))
            while True:
                events.append(self._queue.get_nowait())
        except queue.Empty:
            return events


def workers(round_trip: float) -> int:
    """Writes in parallel for a round trip in seconds (docs/readiness.md, section 8)."""
    if round_trip < 0.005:
        return 8
    return 16 if round_trip <= 0.015 else 32


@dataclass(frozen=True, slots=True)
class World:
    """What a drive needs of the outside.

    Attributes:
        writers, readers: Pools for writes, and for logs and reads.
        hurry: Called at an interrupt: let all requests come to an end within so many seconds.
        seal: Called where an interrupted run leaves writes behind unanswered: send no further one.
    """

    requests: Requests
    mirror: Mirror
    clock: Clock
    inbox: Inbox
    journal: Journal | None = None
    writers: Executor = field(default_factory=lambda: ThreadPoolExecutor(16, "write"))
    readers: Executor = field(default_factory=lambda: ThreadPoolExecutor(LOG_READERS, "read"))
    hurry: Callable[[float], None] = lambda seconds: None
    seal: Callable[[], None] = lambda: None


def drive(
    graph: Graph,
    plan: Plan,
    options: Options,
    world: World,
    *,
    facts: ClusterFacts | None = None,
    snapshot: Iterable[LiveObject] = (),
    synced: Iterable[str] = (),
    fence: int | None = None,
    force: bool = False,
    may_write: Callable[[], bool] = lambda: True,
    on_change: Callable[[RolloutView], None] = lambda view: None,
    on_event: Callable[[Mapping[str, Any]], None] = lambda event: None,
    on_record: Callable[[Mapping[str, Any]], None] | None = None,
    request_count: Callable[[], int] = lambda: 0,
    judge: Judge | None = None,
) -> RolloutResult:
    """Roll out `graph` as planned and return how it ended; failures are in the result, not raised.

    Args:
        snapshot, synced: See `machine.begin`. When nothing has to be done the mirror is never started.
        fence: Transition count of our Lease, noted on every object written.
        force: Take over fields that other managers own, instead of failing with their names.
        may_write: Asked before every write; False as soon as the lease is not surely ours (its LeaseLost event, put
            into `world.inbox`, then ends the rollout).
        on_change: Gets the view when something changed, at most every 0.25 s, while nothing does every 5 s, and once at
            the end.
        on_event: Gets one flat dictionary per verdict change, command and outcome, as it happens.
        on_record: Gets the lines of a recording, from which `rules.rollout.recording.replay` plays the run again.
        request_count: Asked once at the end.
    Raises: KeyboardInterrupt at the second Ctrl-C or SIGTERM (the first ends cleanly, outcome INTERRUPTED); any bug.
    """
    scribe = Scribe(world.clock, world.journal, on_change, on_event, world.readers, may_write)
    carrying = Carrying(fence, force, may_write)
    driver = _Driver(graph, plan, options, world, carrying, scribe, on_record)
    at = world.clock.now()
    snapshot = tuple(snapshot)
    if on_record is not None:
        on_record(begun(graph, plan, options, at, facts=facts, snapshot=snapshot, synced=synced))
    rollout, commands = machine.begin(
        graph, plan, options, at, facts=facts, snapshot=snapshot, synced=synced, judge=judge
    )
    with interruptible(lambda: world.inbox.put(_INTERRUPTED)):
        driver.run(rollout, commands)
    ended = result(rollout, requests=request_count())
    if not scribe.journal_error:
        return ended
    return replace(ended, warnings=(*ended.warnings, f"the journal was not written: {scribe.journal_error}"))


class _Driver:
    def __init__(
        self,
        graph: Graph,
        plan: Plan,
        options: Options,
        world: World,
        carrying: Carrying,
        scribe: Scribe,
        on_record: Callable[[Mapping[str, Any]], None] | None,
    ) -> None:
        self._on_record = on_record
        self._graph, self._plan, self._options, self._world, self._scribe = graph, plan, options, world, scribe
        self._open = True
        self._may_write = carrying.may_write
        self._carrier = Carrier(world.requests, world.clock, carrying._replace(may_write=self._is_open))
        self._wake: float | None = None
        self._looked_at = 0.0
        self._error: BaseException | None = None

    def run(self, rollout: Rollout, commands: list[Command]) -> None:
        world = self._world
        self._carry_out(rollout, commands)
        following = rollout.outcome is None
        self._looked_at = world.clock.now()
        if following:
            kinds = kinds_followed(self._graph, self._options.streamed)
            world.mirror.start(kinds, namespace_followed(self._graph), self._deliver)
        try:
            while rollout.outcome is None:
                events = self._next()
                if self._on_record is not None:
                    for line in happened(events):
                        self._on_record(line)
                if events:
                    self._carry_out(rollout, machine.steps(rollout, events)[1])
                self._scribe.show(rollout)
        except BaseException:
            self._open = False
            raise
        finally:
            if following:
                world.mirror.stop()
        self._end_writing(rollout)
        self._scribe.finish(rollout, journal=rollout.outcome is not Outcome.LOCK_LOST)
        world.readers.shutdown(wait=False, cancel_futures=True)

    def _end_writing(self, rollout: Rollout) -> None:
        """Wait for what was sent; not for ever where somebody waits for us, and the server has had its time."""
        left_behind = rollout.outcome is Outcome.INTERRUPTED and bool(rollout.in_flight)
        if left_behind:
            self._world.seal()
        self._world.writers.shutdown(wait=not left_behind, cancel_futures=left_behind)

    def _is_open(self) -> bool:
        return self._open and self._may_write()

    def _deliver(self, event: object) -> None:
        """Called by the streams from their own threads."""
        if isinstance(event, Event):
            self._world.inbox.put(event)

    def _next(self) -> list[Event]:
        """The next burst: first TimeJumped if nobody looked for long, at last TimePassed when its time has come.

        Raises: what a worker thread stumbled over.
        """
        now = self._world.clock.now
        due = self._scribe.due()
        events = self._world.inbox.get(due if self._wake is None else min(due, self._wake))
        if self._error is not None:
            raise self._error
        if any(isinstance(event, InterruptRequested | LeaseLost) for event in events):
            self._open = False
        if _INTERRUPTED in events:
            self._world.hurry(machine.INTERRUPT_GRACE)
            events = [replace(event, at=now()) if event is _INTERRUPTED else event for event in events]
        gap, self._looked_at = now() - self._looked_at, now()
        if gap > UNWATCHED:
            events.insert(0, TimeJumped(now(), gap))
            self._world.mirror.refresh()
        if self._wake is not None and now() >= self._wake:
            self._wake = None
            events.append(TimePassed(now()))
        return events

    def _carry_out(self, rollout: Rollout, commands: list[Command]) -> None:
        for command in commands:
            self._scribe.tell(command, rollout.now)
            self._start(rollout, command)

    def _start(self, rollout: Rollout, command: Command) -> None:
        """One command on its way. Reads have their own few connections: evidence must not wait behind writes."""
        carrier, writers, readers = self._carrier, self._world.writers, self._world.readers
        match command:
            case Apply(name):
                node = self._graph[name]
                self._submit(writers, carrier.apply, node, self._plan.steps[name], rollout.world.of(node.ref))
            case ReplaceJob(name):
                self._submit(writers, carrier.replace_job, self._graph[name], self._plan.steps[name])
            case Prune():
                self._submit(writers, carrier.prune, command)
            case SuspendJob(name, uid):
                self._submit(writers, carrier.suspend, self._graph[name], self._plan.steps[name], uid)
            case ReadObjects(names):
                self._submit(readers, carrier.read, [self._graph[name] for name in names])
            case FetchLog():
                self._submit(readers, carrier.fetch_log, command)
            case WriteJournal():
                self._scribe.note(command, rollout.now)
            case WakeAt(at):
                self._wake = at
            case Finish():
                pass

    def _submit(self, pool: Executor, work: Callable[..., Told], *arguments: Any) -> None:
        pool.submit(work, *arguments).add_done_callback(self._answered)

    def _answered(self, future: Future[Told]) -> None:
        if future.cancelled():
            return
        error = future.exception()
        if error is not None:
            self._error = error  # a bug; the empty event wakes the loop that raises it
            self._world.inbox.put(TimePassed(self._world.clock.now()))
            return
        told = future.result()
        for event in (told,) if isinstance(told, Event) else told or ():
            self._world.inbox.put(event)

"""A destroy under way: delete wave after wave, wait until each is gone, note what became of every object."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from bakery_ops.errors import BakeryError, Locked, TimedOut
from bakery_ops.model.manifest import ObjectRef
from bakery_ops.rules.deletion import by_kind, held_by
from bakery_ops.rules.plan import PruneStep
from bakery_ops.rules.removal import Removal
from bakery_ops.rules.reports import Fate, RemovalReport, Removed
from bakery_ops.rules.rollout.events import Outcome
from bakery_ops.workflows.interrupts import interruptible
from bakery_ops.workflows.ports import Clock, Inventory, Journal, Requests, Say
from bakery_ops.workflows.rollout_requests import refusal

_HEARTBEAT = 30.0  # seconds without a word: as long as Kubernetes gives a pod to end where its template says nothing
_NAMED = 3
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 2.0

_FATES = {Fate.REFUSED: Outcome.FAILED, Fate.UNKNOWN: Outcome.UNREACHABLE, Fate.HANGING: Outcome.TIMED_OUT}


@dataclass(frozen=True, slots=True)
class Ports:
    """The adapters a destroy works through.

    Attributes:
        namespace: Where the lock, the inventory and the journal are kept.
        lock: Makes the context manager that holds the deploy lock; every write asks it first.
        contents: Everything in a namespace ({apiVersion, kind, metadata}); raises OperationFailed where it cannot tell.
        note_destroyed: Notes that no release is live any more; True: and that data goes.
        elsewhere: What the inventories of other namespaces hold: ref -> namespace.
        deleters: A pool for deletions and the reads that wait for them.
    """

    namespace: str
    requests: Requests
    clock: Clock
    inventory: Inventory
    journal: Journal
    lock: Callable[[], AbstractContextManager[object]]
    contents: Callable[[str], Sequence[Mapping[str, Any]]]
    note_destroyed: Callable[[bool], None]
    elsewhere: Callable[[], Mapping[ObjectRef, str]]
    deleters: Executor
    say: Say


class Run:
    """One destroy under way. `fates` holds what became of each object so far."""

    def __init__(self, decided: Removal, ports: Ports, deadline: float) -> None:
        self._decided, self._ports, self._deadline = decided, ports, deadline
        self._bodies: dict[ObjectRef, Mapping[str, Any]] = {}
        self._fates: dict[ObjectRef, Removed] = {ref: Removed(ref, Fate.GONE) for ref in decided.gone}
        self._fates |= {step.ref: Removed(step.ref, Fate.KEPT, step.kept) for step in decided.kept}
        self._total = len(decided.doomed)
        self._interrupted = self._lock_lost = False
        self._notes = decided.notes

    def carry_out(self) -> RemovalReport:
        """Wave after wave; our own namespace, in which the inventory is kept, at the very end."""
        home = ObjectRef("", "Namespace", "", self._ports.namespace)
        others = [(step,) for step in self._decided.namespaces if step.ref != home]
        last = [(step,) for step in self._decided.namespaces if step.ref == home]
        with interruptible(self._interrupt):
            outcome = self._remove_all([*self._decided.waves, *others])
            uncorrected = self._correct_inventory()
            return self.report(outcome or uncorrected or self._remove_all(last))

    def watch(self, step: PruneStep) -> RemovalReport:
        """Wait for an object that is being deleted already."""
        self._ports.say(f"{step.ref} is being deleted already; waiting for its end")
        with interruptible(self._interrupt):
            self._wait([step])
            return self.report(self._trouble([step]))

    def report(self, outcome: Outcome | None) -> RemovalReport:
        for step in self._decided.doomed:
            self._fates.setdefault(step.ref, Removed(step.ref, Fate.SKIPPED))
        rows = tuple(self._fates[ref] for ref in sorted(self._fates))
        return RemovalReport(outcome or Outcome.SUCCEEDED, rows, self._notes)

    def _remove_all(self, waves: Sequence[Sequence[PruneStep]]) -> Outcome | None:
        """Why it ended early, or None. What a wave could not remove may still need what comes after it."""
        for wave in waves:
            if (outcome := self._remove(wave)) is not None:
                return outcome
        return None

    def _interrupt(self) -> None:
        self._interrupted = True

    def _correct_inventory(self) -> Outcome | None:
        """None when it names exactly what is left. A failure must not cost the report of what is gone (I5)."""
        if self._lock_lost:  # another run writes it now
            return Outcome.LOCK_LOST
        gone = {ref for ref, row in self._fates.items() if row.fate in (Fate.REMOVED, Fate.GONE)}
        everything = {*self._decided.gone, *(step.ref for step in (*self._decided.doomed, *self._decided.kept))}
        try:
            self._ports.inventory.write(sorted(everything - gone))
        except BakeryError as error:
            note = f"the inventory still names what is gone: {error}"
            self._notes = (*self._notes, note)
            self._ports.say(note)
            return _outcome(error)
        return None

    def _remove(self, wave: Sequence[PruneStep]) -> Outcome | None:
        """Delete a wave and wait until it is gone. Why nothing more may follow, or None."""
        if self._interrupted:
            return Outcome.INTERRUPTED
        done = sum(row.fate is Fate.REMOVED for row in self._fates.values())
        self._ports.say(f"[{done}/{self._total}] removing {_told(wave)}")
        for row in self._ports.deleters.map(self._delete, wave):
            self._fates[row.ref] = row
        self._wait([step for step in wave if self._fates[step.ref].fate is Fate.HANGING])
        return self._trouble(wave)

    def _delete(self, step: PruneStep) -> Removed:
        """A workload stays in the foreground until its pods are gone, so that none outlives what it needs."""
        propagation = "Foreground" if step.ref.is_workload else "Background"
        try:
            answer = self._ports.requests.delete(step.ref, uid=step.uid, propagation=propagation)
        except Locked as error:
            self._lock_lost = True
            return Removed(step.ref, Fate.SKIPPED, str(error))
        except BakeryError as error:
            return Removed(step.ref, Fate.UNKNOWN if isinstance(error, TimedOut) else Fate.REFUSED, str(error))
        if answer.status < 300:
            return Removed(step.ref, Fate.HANGING)
        if answer.status == 404:
            return Removed(step.ref, Fate.GONE)
        return Removed(step.ref, Fate.REFUSED, ": ".join(refusal(answer)))

    def _wait(self, steps: Sequence[PruneStep]) -> None:
        clock = self._ports.clock
        began, pause = clock.now(), _FIRST_PAUSE
        spoke = began
        left = list(steps)
        while left:
            for row in self._ports.deleters.map(self._look, left):
                self._fates[row.ref] = row
            left = [step for step in left if self._fates[step.ref].fate is Fate.HANGING]
            now = clock.now()
            is_over = self._interrupted or now - began >= self._deadline
            if left and (is_over or now - spoke >= _HEARTBEAT):
                self._look_closer(left)
            if not left or is_over:
                return
            if now - spoke >= _HEARTBEAT:
                spoke = now
                self._ports.say(self._sign_of_life(left))
            clock.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE)

    def _look(self, step: PruneStep) -> Removed:
        try:
            found = self._ports.requests.read(step.ref)
        except BakeryError as error:
            return Removed(step.ref, Fate.UNKNOWN, str(error))
        metadata = found.body.get("metadata") or {}
        if found.status == 404 or (found.status == 200 and metadata.get("uid") != step.uid):
            return Removed(step.ref, Fate.REMOVED)
        if found.status != 200:
            return Removed(step.ref, Fate.UNKNOWN, ": ".join(refusal(found)))
        self._bodies[step.ref] = found.body
        return Removed(step.ref, Fate.HANGING, held_by(found.body))

    def _look_closer(self, steps: Sequence[PruneStep]) -> None:
        """A workload waits for its pods: which, and where they are, is what helps. They cost a list, so not always."""
        for namespace in sorted({step.ref.namespace for step in steps if step.ref.is_workload}):
            try:
                pods = self._ports.requests.list("", "Pod", namespace)
            except BakeryError:
                continue  # the finalizers are named already
            for step in steps:
                if step.ref.is_workload and step.ref.namespace == namespace:
                    self._fates[step.ref] = Removed(step.ref, Fate.HANGING, held_by(self._bodies[step.ref], pods))

    def _sign_of_life(self, left: Sequence[PruneStep]) -> str:
        named = "; ".join(f"{step.ref} ({self._fates[step.ref].why})" for step in left[:_NAMED])
        more = f" and {len(left) - _NAMED} more" if len(left) > _NAMED else ""
        return f"still waiting for {named}{more}"

    def _trouble(self, wave: Sequence[PruneStep]) -> Outcome | None:
        fates: Collection[Fate] = {self._fates[step.ref].fate for step in wave}
        if self._interrupted and Fate.HANGING in fates:
            return Outcome.INTERRUPTED
        if self._lock_lost:
            return Outcome.LOCK_LOST
        return next((outcome for fate, outcome in _FATES.items() if fate in fates), None)


def _outcome(error: BakeryError) -> Outcome:
    if isinstance(error, Locked):
        return Outcome.LOCK_LOST
    return Outcome.UNREACHABLE if isinstance(error, TimedOut) else Outcome.FAILED


def _told(wave: Sequence[PruneStep]) -> str:
    refs = [step.ref for step in wave]
    return ", ".join(map(str, refs)) if len(refs) <= _NAMED else by_kind(refs)

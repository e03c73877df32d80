"""A held lock, renewed by a thread of its own.

An API server that is silent gives the lock to nobody, so silence does not lose it; it only makes the holder unsure, and
an unsure holder asks the server before its next write. Only the server's word that another holds it loses it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from bakery_ops.cluster import lease_record as record
from bakery_ops.cluster.lease_record import holder_of
from bakery_ops.cluster.records import Access, Body
from bakery_ops.cluster.transport import Timeouts
from bakery_ops.errors import BakeryError, Locked
from bakery_ops.model.answer import Answer
from bakery_ops.model.manifest import ObjectRef

_MARGIN = 1.0
_HURRY = 2.0  # seconds; someone has pressed Ctrl-C twice
_IMPATIENT = Timeouts(connect=3.0, read=5.0)


class LeaseHandle:
    """Proof of holding a lock. Made by `Lease.acquire`; `release` it, or use it as a context manager.

    Until then every write over the same transport asks it first (`require`), whoever sends it.

    Args:
        live: The Lease as the server answered our acquisition, which was sent at `sent` (steady seconds).
        duration, every: Seconds: until others may take an unrenewed lock, and between renewals.
        on_lost: Called once with the id of the new holder, "" when the Lease was freed or deleted.
    """

    def __init__(
        self,
        access: Access,
        ref: ObjectRef,
        live: Body,
        sent: float,
        *,
        duration: float,
        every: float,
        phase: str,
        on_lost: Callable[[str], None],
    ) -> None:
        self._access, self._ref, self._live, self._renewed_at = access, ref, live, sent
        self._duration, self._every, self._on_lost = duration, every, on_lost
        self._work = self._phase = phase
        self._budget = access.retrier.budget
        self._lock = threading.Lock()  # one renewal at a time
        self._asking = threading.Lock()
        self._denials = 0
        self._denied: BakeryError | None = None  # what the last patient question came to; None once renewed again
        self._refusal = ""
        self._over = threading.Event()
        self._lost_to: str | None = None
        self.holder = holder_of(live).id
        self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)
        self._thread.start()
        access.transport.guard(self.require)

    @property
    def transitions(self) -> int:
        """How often the lock changed hands: the fencing number."""
        return record.transitions_of(self._live)

    @property
    def is_held(self) -> bool:
        """Certainly ours: not lost, and renewed less than a lease duration ago, sleep of the machine included."""
        age = self._access.transport.steady() - self._renewed_at
        return self._lost_to is None and not self._over.is_set() and age < self._duration - _MARGIN

    def enter(self, phase: str) -> None:
        """Tell others how far this run is; written with the next renewal."""
        self._phase = f"{self._work}, {phase}"

    def require(self) -> None:
        """Called before a write. A process that was stopped or cut off asks the server first (F20).

        Many writers may come at once: one asks, and those behind it share its answer. A server that did not give it
        within a whole budget is asked only once by later writes, or each of them would wait as long again.

        Raises: Locked: the lock was lost. ClusterUnreachable: the server does not say.
        """
        denials = self._denials
        if self.is_held:
            return
        with self._asking:
            if self.is_held:
                return
            if self._denied is None or self._denials == denials:
                self._ask()
            if self._denied is not None:
                raise self._denied

    def _ask(self) -> None:
        budget = self._budget if self._denied is None else 0.0
        denied: BakeryError | None
        try:
            is_over = self._lost_to is not None or self._over.is_set()
            denied = None if not is_over and self._renew(self._access, budget) else self._denial()
        except BakeryError as error:
            denied = error
        self._denied, self._denials = denied, self._denials + (denied is not None)

    def _denial(self) -> Locked:
        where = self._ref.namespace
        if self._lost_to is None and not self._over.is_set():
            return Locked(f"the lock of {where} could not be renewed ({self._refusal}); nothing more is written")
        taker = f"to {self._lost_to}" if self._lost_to else "(it was freed by someone else)"
        return Locked(f"the lock of {where} was lost {taker}; nothing more is written")

    def release(self, *, budget: float | None = None) -> None:
        """Free the lock if it is still ours. Never raises for a server that does not answer: the Lease expires.

        So it does where a write was left behind under way (`Transport.seal`): it may arrive after all.

        `budget`: Seconds to try for; None: as long as any request, or once where the server has been silent that long.
        """
        if self._over.is_set():
            return
        self._over.set()
        transport = self._access.transport
        self._thread.join(max(1.0, min(self._duration, transport.left)))
        transport.guard(None)
        if self._lost_to is not None or transport.sealed:
            return
        access = self._access
        if self._denied is not None:
            budget = 0.0
        if budget is not None:
            access = access._replace(retrier=access.retrier.with_budget(budget), timeouts=_IMPATIENT)
        try:
            access.change(self._ref, self._freed)
        except BakeryError:
            return

    def __enter__(self) -> LeaseHandle:
        return self

    def __exit__(self, kind: type[BaseException] | None, *problem: object) -> None:
        self.release(budget=_HURRY if kind is KeyboardInterrupt else None)

    def _freed(self, live: Body | None) -> Body | None:
        return record.released(live) if live is not None and holder_of(live).id == self.holder else None

    def _keep(self) -> None:
        # A half-open connection must not cost the lock, but a server that takes 20 s a call (F13) is waited for.
        impatient = self._access._replace(timeouts=_IMPATIENT)
        access = impatient
        while not self._over.wait(self._every) and self._lost_to is None:
            try:
                self._renew(access, 0.0)
                access = impatient
            except BakeryError:
                access = self._access  # unsure, not lost: see above

    def _renew(self, access: Access, budget: float) -> bool:
        """Whether the server says that it is still ours."""
        with self._lock:
            for _ in range(2):  # a conflict with a Lease that is still ours is written once more (F10)
                if self._lost_to is not None:
                    return False
                sent = self._access.transport.steady()
                now = self._access.transport.clock.now()
                wanted = record.renewed(self._live, self._phase, now=now)
                answered = access.write(self._ref, wanted, budget=budget)
                if answered.status < 300:
                    self._live, self._renewed_at, self._denied = answered.body, sent, None
                    return True
                self._refusal = answered.message or f"HTTP {answered.status}"
                if answered.status in (404, 409):
                    self._look(access.read(self._ref, budget=budget))
            return False

    def _look(self, found: Answer) -> None:
        """After a conflict: the Lease is still ours (touched by someone, or our own answer was lost), or it is not."""
        holder = holder_of(found.body).id if found.status == 200 else ""
        if holder == self.holder:
            self._live = found.body
        elif found.status in (200, 404):
            self._lost_to = holder
            self._on_lost(holder)

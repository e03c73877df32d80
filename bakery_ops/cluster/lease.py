"""The deploy lock: a Lease that its holder renews every second, so that others can see within two that it lives.

Nobody compares clocks. A contender watches the Lease: one renewal proves a living holder (Locked), a whole lease
duration without any proves a dead one (takeover, with a note). The server's resourceVersion decides every race.
"""

from __future__ import annotations

import getpass
import os
import socket
import time
from collections.abc import Callable
from uuid import uuid4

from bakery_ops.cluster import lease_record as record
from bakery_ops.cluster.lease_handle import LeaseHandle
from bakery_ops.cluster.lease_record import Holder, holder_of
from bakery_ops.cluster.records import Access, Body, refused
from bakery_ops.cluster.retry import Retrier
from bakery_ops.cluster.transport import Timeouts, Transport
from bakery_ops.errors import Locked, TargetRefused
from bakery_ops.model.manifest import ObjectRef

NAME = "bakery-ops"
DURATION = 15
RENEW_EVERY = 1.0
_TIMEOUTS = Timeouts(connect=5.0, read=30.0)
_OBSERVE_EVERY = 0.25
_SAY_AFTER = 2.0
_MARGIN = 1.0
_STALL = 3.0


def this_run() -> Holder:
    """A Holder for a run of this process."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # no entry in the password file, as in a container
        user = str(os.getuid())
    host = socket.gethostname()
    return Holder(f"{user}@{host}-{os.getpid()}-{uuid4().hex[:8]}", user, host)


class Lease:
    """The lock of one namespace.

    Args:
        duration: Whole seconds without renewal after which a holder counts as dead.
        renew_every: Seconds between renewals; below 1.5, or a contender is not refused within 2 s.
        notify: Gets a line when a lock is waited for and when a dead holder's is taken over.
    """

    def __init__(
        self,
        transport: Transport,
        retrier: Retrier,
        namespace: str,
        *,
        duration: int = DURATION,
        renew_every: float = RENEW_EVERY,
        notify: Callable[[str], None] = lambda line: None,
        sleep: Callable[[float], None] = time.sleep,
        unlock: str = "invoke deploy.unlock",
    ) -> None:
        self._unlock = unlock
        self._access = Access(transport, retrier, "lease", _TIMEOUTS)
        self._ref = ObjectRef("coordination.k8s.io", "Lease", namespace, NAME)
        self._duration, self._renew_every = duration, renew_every
        self._notify, self._sleep = notify, sleep
        self._clock, self._steady = transport.clock, transport.steady

    def acquire(
        self, holder: Holder, *, phase: str = "starting", on_lost: Callable[[str], None] = lambda holder: None
    ) -> LeaseHandle:
        """Take the lock and keep it renewed in a thread of its own.

        Args:
            on_lost: Called once, from that thread, with the new holder's id ("" when the Lease was freed or deleted).

        Raises:
            Locked: another run holds it and lives; known within 2 s.
            OperationFailed: the server refuses (no such namespace, no permission). ClusterUnreachable.
        """
        while True:
            live = self._read()
            if live is not None and holder_of(live).id:
                live = self._expired(live)
                if live is None:
                    continue
            sent = self._steady()
            base = live or record.free(self._ref.namespace, self._ref.name)
            wanted = record.taken(base, holder, phase, duration=self._duration, now=self._clock.now())
            written = self._access.write(self._ref, wanted)
            if written.status < 300:
                return self._handle(written.body, sent, phase, on_lost)
            if written.status == 409:  # someone was faster; or it was ourselves, and the answer was lost
                live = self._read()
                if live is not None and holder_of(live).id == holder.id:
                    return self._handle(live, sent, phase, on_lost)
            elif written.status != 404 or base is not live:  # 404 to a replacement: the Lease was deleted meanwhile
                raise refused(self._ref, written)

    def holder(self) -> Holder | None:
        """Who holds the lock according to the Lease, dead or alive, or None."""
        live = self._read()
        known = holder_of(live) if live is not None else Holder("")
        return known if known.id else None

    def is_free(self) -> bool:
        """Whether runs have been here and none holds the lock: the Lease exists and names nobody."""
        live = self._read()
        return live is not None and not holder_of(live).id

    def unlock(self, holder_id: str) -> None:
        """Free the lock of that holder, who is known to be dead. Its run, should it live, stops writing.

        Raises: TargetRefused: someone else holds the lock, or nobody.
        """

        def edit(live: Body | None) -> Body | None:
            known = holder_of(live) if live is not None else Holder("")
            if live is None or not known.id or known.id != holder_id:
                held = f"its holder is {known.id}" if known.id else "nobody holds it"
                raise TargetRefused(f"the lock of {self._ref.namespace} is not held by {holder_id}: {held}")
            return record.released(live)

        self._access.change(self._ref, edit)

    def _read(self) -> Body | None:
        found = self._access.read(self._ref)
        if found.status not in (200, 404):
            raise refused(self._ref, found)
        return found.body if found.status == 200 else None

    def _expired(self, live: Body) -> Body | None:
        """Watch a held Lease: its last body when the holder is dead, None when it was freed or changed hands.

        Raises: Locked: it was renewed.
        """
        first, renewal = holder_of(live), record.renewal_of(live)
        lasts = record.duration_of(live, self._duration) + _MARGIN
        began = seen = self._steady()
        said = False
        while True:
            now = self._steady()
            if now - seen > _STALL:  # we or the server were not there: a renewal may have been held up as well
                began = now
            seen, waited = now, now - began
            if waited > lasts:
                self._notify(f"taking over the lock of {self._ref.namespace}: {first} has stopped renewing it")
                return live
            if waited > _SAY_AFTER and not said:
                said = True
                dead = f"it is not renewed, so it may be dead: waiting {lasts:.0f} s for it to expire"
                self._notify(f"{self._held_by(first)}; {dead}")
            self._sleep(_OBSERVE_EVERY if waited < _SAY_AFTER else 2 * _OBSERVE_EVERY)
            found = self._read()
            if found is None or holder_of(found).id != first.id:
                return None
            if record.renewal_of(found) != renewal:
                raise self._locked(holder_of(found))
            live = found

    def _handle(self, live: Body, sent: float, phase: str, on_lost: Callable[[str], None]) -> LeaseHandle:
        duration, every = float(self._duration), self._renew_every
        return LeaseHandle(
            self._access, self._ref, live, sent, duration=duration, every=every, phase=phase, on_lost=on_lost
        )

    def _locked(self, holder: Holder) -> Locked:
        return Locked(
            self._held_by(holder),
            remedy=f"wait until it ends; if it is dead for certain: {self._unlock} --holder {holder.id}",
        )

    def _held_by(self, holder: Holder) -> str:
        phase = holder.phase or "unknown"
        where = self._ref.namespace
        return f"another run holds the lock of {where}: {holder}, since {holder.since}, phase {phase!r}"

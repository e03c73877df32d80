"""`verify --watch`: verify again whenever the cluster changes, and tell what that changed.

The watch says when to look; a look is a whole verification. What no watch tells (an answer over HTTP, a certificate's
age, an object of a kind that is not followed) is looked at every `EVERY` seconds all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from bakery_ops.errors import ClusterUnreachable, TimedOut
from bakery_ops.rules.acceptance import CheckResult, CheckState
from bakery_ops.rules.reports import VerifyReport
from bakery_ops.workflows.ports import Clock
from bakery_ops.workflows.rollout import Inbox

FOLLOWED = ("Pod", "Deployment", "StatefulSet", "DaemonSet", "Job", "PersistentVolumeClaim", "EndpointSlice")
"""Not Events and autoscalers: those change all the time while nothing does."""
EVERY = 30.0
"""Seconds between two looks while the watch is silent."""
REST = 2.0
"""Seconds between two looks while it is not."""


class Seen(NamedTuple):
    """One look. `report`: None when the API server did not answer, and then `trouble` says so.

    `changes`: the checks that stand otherwise than at the look before; all of them at the first.
    """

    at: float
    report: VerifyReport | None
    changes: tuple[CheckResult, ...] = ()
    trouble: str = ""


def watch(
    look: Callable[[], VerifyReport], inbox: Inbox, clock: Clock, *, seconds: float, tell: Callable[[Seen], None]
) -> Seen:
    """Look now and at every change for `seconds`; `tell` gets the first look and each that differs.

    Returns: The last look. Ctrl-C ends it like the bound does. Raises: KeyboardInterrupt before the first look ended;
    whatever the first look raises.
    """
    until = clock.now() + seconds
    report = look()
    last = Seen(clock.now(), report, report.results)
    known = _essences(report)
    tell(last)
    try:
        while clock.now() < until:
            _await(inbox, clock, last.at, until)
            seen = _again(look, clock, known)
            if seen.changes or seen.trouble != last.trouble:
                tell(seen)
            last = seen
            known = known if seen.report is None else _essences(seen.report)
    except KeyboardInterrupt:
        return last
    return last


def _await(inbox: Inbox, clock: Clock, looked_at: float, until: float) -> None:
    """Until something changes, `EVERY` seconds are over, or it is the end; and never at once after a look."""
    if inbox.get(min(until, looked_at + EVERY)):
        clock.sleep(max(0.0, min(until, looked_at + REST) - clock.now()))
        inbox.get(clock.now())  # what came meanwhile is part of the same look


def _again(look: Callable[[], VerifyReport], clock: Clock, known: Mapping[str, object]) -> Seen:
    try:
        report = look()
    except (ClusterUnreachable, TimedOut) as error:
        return Seen(clock.now(), None, (), str(error))
    changes = tuple(check for check in report.results if known.get(check.name) != _essence(check))
    return Seen(clock.now(), report, changes)


def _essences(report: VerifyReport) -> Mapping[str, object]:
    return {check.name: _essence(check) for check in report.results}


def _essence(check: CheckResult) -> tuple[CheckState, str]:
    """How long a good answer took is no change; how many are down is one."""
    return check.state, check.message if check.state in (CheckState.FAILED, CheckState.WARNING) else ""

"""What a Lease of ours says, read and written as values."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NamedTuple

from bakery_ops.cluster.records import Body

_HOST, _PHASE, _USER = "bakery-ia.dev/lock-host", "bakery-ia.dev/lock-phase", "bakery-ia.dev/lock-user"

LONGEST = 3600.0  # seconds: what BAKERY_LOCK_SECONDS may say at most


class Holder(NamedTuple):
    """Who holds a lock. `id` is unique to one run, "" for a free lock; the rest is for people."""

    id: str
    user: str = ""
    host: str = ""
    since: str = ""
    phase: str = ""

    def __str__(self) -> str:
        return f"{self.user or self.id} on {self.host or 'an unknown host'}"


def holder_of(lease: Body) -> Holder:
    """Who a Lease names."""
    specification = lease.get("spec") or {}
    notes = (lease.get("metadata") or {}).get("annotations") or {}
    since = str(specification.get("acquireTime") or "")
    return Holder(
        str(specification.get("holderIdentity") or ""),
        str(notes.get(_USER, "")),
        str(notes.get(_HOST, "")),
        since[:19].replace("T", " ") + (" UTC" if since else ""),
        str(notes.get(_PHASE, "")),
    )


def renewal_of(lease: Body) -> str:
    """Changes with every renewal; never read as a time."""
    return str((lease.get("spec") or {}).get("renewTime") or "")


def duration_of(lease: Body, default: float) -> float:
    """Seconds the Lease itself says it lasts, as far as ours can: whoever waits for its end must not wait for ever."""
    return min(float((lease.get("spec") or {}).get("leaseDurationSeconds") or default), LONGEST)


def transitions_of(lease: Body) -> int:
    return int((lease.get("spec") or {}).get("leaseTransitions") or 0)


def free(namespace: str, name: str) -> Body:
    """A Lease that does not exist yet."""
    return {"metadata": {"name": name, "namespace": namespace}, "spec": {}}


def taken(live: Body, holder: Holder, phase: str, *, duration: int, now: float) -> Body:
    """`live` in the hands of `holder`; `now` in epoch seconds, for people only."""
    moment = _micro_time(now)
    transitions = transitions_of(live) + 1 if "resourceVersion" in live["metadata"] else 0
    return _with(
        live,
        {_HOST: holder.host, _USER: holder.user, _PHASE: phase},
        holderIdentity=holder.id,
        leaseDurationSeconds=duration,
        acquireTime=moment,
        renewTime=moment,
        leaseTransitions=transitions,
    )


def renewed(live: Body, phase: str, *, now: float) -> Body:
    return _with(live, {**(live["metadata"].get("annotations") or {}), _PHASE: phase}, renewTime=_micro_time(now))


def released(live: Body) -> Body:
    """`live` without a holder. The transition count stays: it fences writes of earlier holders."""
    return _with(live, live["metadata"].get("annotations") or {}, holderIdentity="", leaseDurationSeconds=1)


def _with(live: Body, annotations: Body, **specification: Any) -> Body:
    metadata = {**live["metadata"], "annotations": dict(annotations)}
    metadata.pop("managedFields", None)
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": metadata,
        "spec": {**(live.get("spec") or {}), **specification},
    }


def _micro_time(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

"""What a deploy will do to each object, decided before the first write: desired x live x journal -> steps."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple, Protocol

from bakery_ops.errors import TargetRefused
from bakery_ops.model.content import content_hash, recorded_hash
from bakery_ops.model.contract import CONTENT_HASH
from bakery_ops.model.graph import Graph, Node
from bakery_ops.model.manifest import Manifest, ObjectRef
from bakery_ops.model.secrets import wanted
from bakery_ops.rules.claims import is_made, stems
from bakery_ops.rules.deletion import held_by, leaving_since
from bakery_ops.rules.drift import drift
from bakery_ops.rules.handover import autoscaled, replicas_to_keep

Live = Mapping[str, Any]

# Data and its containers: deleted by a named flag only (docs/faults.md, promise I2).
PROTECTED_KINDS = frozenset({"PersistentVolumeClaim", "PersistentVolume", "Namespace", "Secret"})
MASS_PRUNE_SHARE = 0.2


class Action(Enum):
    APPLY = "apply"
    SKIP = "unchanged"
    REPLACE_JOB = "replace job"
    RECREATE = "recreate"
    DONE = "done"


ANEW = frozenset({Action.REPLACE_JOB, Action.RECREATE})
"""The live object is deleted first; the new one is created when its name is free."""


class JournalEntry(NamedTuple):
    """What a run recorded of a node: content hash, UID, verdict value ("ready", "failed"), epoch seconds."""

    hash: str
    uid: str
    verdict: str
    at: float


class Recorded(Protocol):
    """Any journal entry: `JournalEntry`, or the adapter's own."""

    @property
    def hash(self) -> str: ...
    @property
    def uid(self) -> str: ...
    @property
    def verdict(self) -> str: ...


class Step(NamedTuple):
    """What happens to one node.

    Attributes:
        reason: Why, for people: "not in the cluster", "content changed", "spec.replicas changed by kubectl-edit".
        content_hash: Of the wanted manifest.
        uid: Of the live object, or "".
        recorded: The journal already says this hash is ready, so it need not be written again.
        replicas: The number that is handed over to an autoscaler before the write; None for none.
        restart: The note that rolls its pods instead of a write of the manifest (`rules.restarts`); "" for none.
    """

    node: str
    action: Action
    reason: str
    content_hash: str
    uid: str = ""
    recorded: bool = False
    replicas: int | None = None
    restart: str = ""


class PruneStep(NamedTuple):
    """An object of the inventory that the render lost. `kept`: why it stays nevertheless, or "" when it is deleted."""

    ref: ObjectRef
    uid: str
    kept: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    steps: Mapping[str, Step]
    orphans: tuple[PruneStep, ...] = ()

    @property
    def prune(self) -> tuple[PruneStep, ...]:
        return tuple(orphan for orphan in self.orphans if not orphan.kept)

    @property
    def changes(self) -> tuple[Step, ...]:
        """The steps that write, in graph order."""
        return tuple(step for step in self.steps.values() if step.action in {Action.APPLY, *ANEW})

    @property
    def is_empty(self) -> bool:
        """Nothing will be written or deleted."""
        return not self.changes and not self.prune


def plan(
    graph: Graph,
    live: Mapping[ObjectRef, Live],
    journal: Mapping[str, Recorded] | None = None,
    *,
    inventory: Iterable[ObjectRef] = (),
    only: Collection[str] = (),
    prune: bool = True,
    prune_kinds: Collection[str] = (),
    allow_mass_prune: bool = False,
    rerun: Collection[str] = (),
    recreate: Collection[str] = (),
) -> Plan:
    """The plan of one deploy.

    Args:
        live: Whole live objects (with managedFields) by ref; an absent ref is an absent object.
        journal: Node -> what an earlier run recorded.
        inventory: Every object earlier runs wrote; those not in `graph` any more are orphans.
        only: Names of nodes that may be written; () means all. The others are watched, never written, never pruned.
        prune: Whether orphans may be deleted at all. Never together with `only` (it would delete the rest).
        prune_kinds: Kinds of `PROTECTED_KINDS` that a flag has named, so that their orphans are deleted too.
        rerun: Jobs to run again although nothing changed; one that runs already is waited for.
        recreate: Nodes to delete and create anew where their content changed: the way past an immutable field.
    Raises: TargetRefused: an empty render, data among `recreate`, or more than 20 % of the inventory would be pruned.
    """
    for name in recreate:
        if graph[name].ref.kind in PROTECTED_KINDS:
            raise TargetRefused(f"--recreate never deletes a {graph[name].ref.kind}: {name} holds data")
    recorded = journal or {}
    upstream = graph.upstream(only)
    scaled = autoscaled(graph)
    steps = {
        name: _anew(_step(node, live.get(node.ref), recorded.get(name), name in rerun), name in recreate)
        if not only or name in only
        else _watched(node, live.get(node.ref), name in upstream)
        for name, node in graph.items()
    }
    steps |= {
        name: step._replace(replicas=replicas_to_keep(graph[name].manifest, live[graph[name].ref]))
        for name, step in steps.items()
        if step.action is Action.APPLY and step.uid and graph[name].ref in scaled
    }
    orphans = () if only else _orphans(graph, live, tuple(inventory), prune, prune_kinds, allow_mass_prune)
    return Plan(steps, orphans)


def _anew(step: Step, is_asked: bool) -> Step:
    """What was asked to be recreated is, when it would be written and there is something to delete."""
    return step._replace(action=Action.RECREATE) if is_asked and step.action is Action.APPLY and step.uid else step


def _watched(node: Node, live: Live | None, is_upstream: bool) -> Step:
    """Not selected: what the selected ones wait for is judged, so an absent database fails; the rest is left alone."""
    action = Action.SKIP if is_upstream else Action.DONE
    return Step(node.name, action, "not selected", content_hash(node.manifest), _uid(live))


def _step(node: Node, live: Live | None, entry: Recorded | None, rerun: bool) -> Step:
    digest = content_hash(node.manifest)
    recorded = _is_ready(entry, digest)
    is_job = node.ref.is_job
    if live is None:
        if is_job and recorded and not rerun:
            return Step(node.name, Action.DONE, "completed in an earlier run", digest, recorded=True)
        return Step(node.name, Action.APPLY, "not in the cluster", digest)
    changed = _change(node, live, digest)
    uid = _uid(live)
    if is_job and (again := _replacement(node.manifest, live, changed, rerun)):
        return Step(node.name, Action.REPLACE_JOB, again, digest, uid)
    if changed and not (is_job and _condition(live, "Complete") and not _content_changed(live, digest)):
        return Step(node.name, Action.APPLY, changed, digest, uid)
    return Step(node.name, Action.SKIP, "unchanged", digest, uid, recorded)


def is_completed(node: Node, journal: Mapping[str, Recorded]) -> bool:
    """Whether an earlier run saw this very content become ready: a Job then need not be in the cluster any more."""
    return _is_ready(journal.get(node.name), content_hash(node.manifest))


def _is_ready(entry: Recorded | None, digest: str) -> bool:
    return entry is not None and entry.hash == digest and entry.verdict == "ready"


def _change(node: Node, live: Live, digest: str) -> str:
    """Why the live object is not what we want, or ""."""
    if (live.get("metadata") or {}).get("deletionTimestamp"):
        return "is being deleted"
    if not recorded_hash(live):
        return "not applied by us before"
    if recorded_hash(live) != digest:
        return "content changed"
    lost = drift(node.manifest, live)
    if not lost:
        return ""
    more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
    return f"{lost[0]}{more}" if lost[0].path else "our field manager owns nothing of it"


def _content_changed(live: Live, digest: str) -> bool:
    return recorded_hash(live) != digest


def _replacement(desired: Manifest, live: Live, changed: str, rerun: bool) -> str:
    """Why this live Job has to be deleted and created anew, or "". A Job's template is immutable."""
    if rerun and not _is_running(live):
        return "asked for"
    if _condition(live, "Failed") or _condition(live, "FailureTarget"):
        return "failed before"
    if changed == "content changed" or changed == "not applied by us before":
        return "content changed" if _condition(live, "Complete") else "content changed while it was unfinished"
    if (live.get("spec") or {}).get("suspend") and not desired.spec.get("suspend"):
        return "suspended after a failure"  # by us (SuspendJob), so that it could not run behind a reported failure
    return ""


def _is_running(live: Live) -> bool:
    """To ask for a Job that runs is to wait for it; a migration must not be killed halfway."""
    return bool((live.get("status") or {}).get("active")) and not (live.get("spec") or {}).get("suspend")


def _condition(live: Live, kind: str) -> bool:
    conditions = (live.get("status") or {}).get("conditions") or []
    return any(condition.get("type") == kind and condition.get("status") == "True" for condition in conditions)


def _uid(live: Live | None) -> str:
    return "" if live is None else str((live.get("metadata") or {}).get("uid", ""))


def _orphans(
    graph: Graph,
    live: Mapping[ObjectRef, Live],
    inventory: tuple[ObjectRef, ...],
    prune: bool,
    prune_kinds: Collection[str],
    allow_mass_prune: bool,
) -> tuple[PruneStep, ...]:
    made = {spec.ref for spec in wanted([node.manifest for node in graph.values()])}  # by us, beside the render
    ours = stems((node.ref, node.manifest.spec) for node in graph.values())
    lost = [ref for ref in inventory if graph.by_ref(ref) is None and ref not in made and not is_made(ref, ours)]
    if not lost:
        return ()
    if not len(graph):
        raise TargetRefused("the render is empty; pruning would delete the whole platform")
    present = [ref for ref in lost if ref in live]
    orphans = tuple(
        PruneStep(ref, _uid(live[ref]), _kept(ref, live[ref], prune, prune_kinds)) for ref in sorted(present)
    )
    doomed = [orphan for orphan in orphans if not orphan.kept]
    if len(doomed) > MASS_PRUNE_SHARE * len(inventory) and not allow_mass_prune:
        raise TargetRefused(
            f"the render lost {len(doomed)} of {len(inventory)} objects; pruning them needs --allow-mass-prune",
            remedy="look at the list; if they really have to go, deploy with --allow-mass-prune",
            details=[str(orphan.ref) for orphan in doomed],
        )
    return orphans


def _kept(ref: ObjectRef, live: Live, prune: bool, prune_kinds: Collection[str]) -> str:
    if leaving_since(live):
        return f"it is being deleted already, and {held_by(live)}"
    if not prune:
        return "pruning is off"
    if ref.kind in PROTECTED_KINDS and ref.kind not in prune_kinds:
        return f"a {ref.kind} is deleted only when it is named: --prune-kind {ref.kind}"
    annotations = (live.get("metadata") or {}).get("annotations") or {}
    if CONTENT_HASH not in annotations:
        return "not written by us"
    return ""

"""`destroy`: take away what the inventory says is ours, in the reverse of the start order, and wait until it is gone.

Safe to kill anywhere: the inventory names an object until it is seen to be gone, and a rerun goes on from what is left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from bakery_ops.errors import OperationFailed, TargetRefused
from bakery_ops.model.contract import INVENTORY
from bakery_ops.model.manifest import Manifest, ObjectRef
from bakery_ops.model.words import amount
from bakery_ops.rules.plan import PruneStep
from bakery_ops.rules.removal import Removal, Surroundings, removal
from bakery_ops.rules.reports import RemovalReport
from bakery_ops.workflows.removing import Ports, Run
from bakery_ops.workflows.rollout_requests import refusal


def survey(ports: Ports, *, volumes: bool) -> Removal:
    """Read the cluster and decide; nothing is written. Raises: OperationFailed, ClusterUnreachable."""
    inventory = tuple(ports.inventory.read())
    namespaces = sorted({ref.namespace for ref in inventory if ref.namespace})
    live = _live(ports, inventory)
    for namespace in namespaces:
        for body in ports.requests.list("", "PersistentVolumeClaim", namespace):
            live[ObjectRef("", "PersistentVolumeClaim", namespace, body["metadata"]["name"])] = body
    doomed_namespaces = [ref.name for ref in live if ref.kind == "Namespace"] if volumes else []
    around = Surroundings(
        inventory=inventory,
        live=live,
        contents={name: _or_unknown(partial(ports.contents, name)) for name in doomed_namespaces},
        instances={ref: _or_unknown(partial(_instances, ports, live[ref])) for ref in live if _defines(ref)},
        shared=ports.elsewhere() if any(not ref.namespace for ref in live) else {},
        volumes=_or_unknown(partial(ports.requests.list, "", "PersistentVolume", None)) or () if volumes else (),
    )
    return removal(around, volumes=volumes)


def destroy(approved: Removal, ports: Ports, *, volumes: bool, deadline: float) -> RemovalReport:
    """Carry out what `approved` shows and the user agreed to. `deadline`: seconds until a wave has to be gone.

    Raises: Locked; TargetRefused: the cluster changed since, and more would go than was shown. OperationFailed,
    ClusterUnreachable before the first deletion.
    """
    if (home := _leaving(ports)) is not None:
        return Run(Removal(), ports, deadline).watch(home)
    if not approved.doomed and not approved.gone:  # after a run that died, the inventory still has to be corrected
        return Run(approved, ports, deadline).report(None)
    with ports.lock():
        decided = survey(ports, volumes=volumes)
        _refuse_surprises(approved, decided)
        ports.note_destroyed(decided.takes_data)
        ports.journal.clear()  # it must never say "done" of a Job whose data is gone
        _adopt(decided, ports)
        return Run(decided, ports, deadline).carry_out()


def _leaving(ports: Ports) -> PruneStep | None:
    """Our namespace when it is being deleted already: then no lock can be taken in it, and nothing is left to do."""
    ref = ObjectRef("", "Namespace", "", ports.namespace)
    metadata = ports.requests.read(ref).body.get("metadata") or {}
    return PruneStep(ref, str(metadata.get("uid", ""))) if metadata.get("deletionTimestamp") else None


def _live(ports: Ports, refs: Iterable[ObjectRef]) -> dict[ObjectRef, Mapping[str, Any]]:
    """One LIST per kind and namespace; an object that is not there is not in the result."""
    wanted: dict[tuple[str, str, str], set[ObjectRef]] = {}
    for ref in refs:
        wanted.setdefault(ref[:3], set()).add(ref)
    found: dict[ObjectRef, Mapping[str, Any]] = {}
    for (group, kind, namespace), members in wanted.items():
        for body in ports.requests.list(group, kind, namespace or None):
            ref = ObjectRef(group, kind, namespace, body["metadata"]["name"])
            if ref in members:
                found[ref] = body
    return found


def _or_unknown(read: Callable[[], Sequence[Mapping[str, Any]]]) -> Sequence[Mapping[str, Any]] | None:
    try:
        return read()
    except OperationFailed:
        return None


def _defines(ref: ObjectRef) -> bool:
    return ref.kind == "CustomResourceDefinition"


def _instances(ports: Ports, definition: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    spec = definition["spec"]
    return ports.requests.list(spec["group"], spec["names"]["kind"], None)


def _refuse_surprises(approved: Removal, decided: Removal) -> None:
    seen = {step.ref for step in approved.doomed}
    more = sorted(str(step.ref) for step in decided.doomed if step.ref not in seen)
    if more:
        raise TargetRefused(
            f"the cluster has changed since: {amount(len(more), 'more object')} would go; nothing was removed",
            details=more,
            remedy="look at the list, then run the same command again",
        )


def _adopt(decided: Removal, ports: Ports) -> None:
    """Mark the claims of our StatefulSets as ours: without their sets nobody could tell any more."""
    if not decided.claims:
        return
    ports.inventory.write([*ports.inventory.read(), *(step.ref for step in decided.claims)])
    for step in decided.claims:
        metadata = {
            "name": step.ref.name,
            "namespace": step.ref.namespace,
            "uid": step.uid,
            "annotations": {INVENTORY: "claim"},
        }
        body = {"apiVersion": "v1", "kind": step.ref.kind, "metadata": metadata}
        answer = ports.requests.apply(Manifest(step.ref, "v1", body, "destroy"))
        if answer.status >= 300:
            raise OperationFailed(f"{step.ref} cannot be marked as ours: {': '.join(refusal(answer))}")

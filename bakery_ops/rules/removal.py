"""What a destroy takes away, in which order, and what stays: decided from values before the first deletion.

Three conditions, all of them: the object stands in the inventory, it carries our mark, and it is not data, unless data
was named (docs/faults.md, promise I2). Whatever fails one stays, with the reason.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bakery_ops.model.builder import build
from bakery_ops.model.content import recorded_hash
from bakery_ops.model.contract import INVENTORY
from bakery_ops.model.graph import Graph
from bakery_ops.model.manifest import Manifest, ObjectRef
from bakery_ops.model.secrets import GENERATED
from bakery_ops.model.words import amount
from bakery_ops.rules.claims import is_made, stems
from bakery_ops.rules.deletion import held_by, leaving_since
from bakery_ops.rules.plan import PROTECTED_KINDS, PruneStep
from bakery_ops.rules.strangers import strangers

Live = Mapping[str, Any]

_NAMED = 5
_CLAIM = "PersistentVolumeClaim"
_DATA = (_CLAIM, "PersistentVolume", "Secret")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """All that a destroy looks at, read once.

    Attributes:
        inventory: What earlier runs wrote.
        live: Whole live objects by ref: those of the inventory, and every volume claim of their namespaces.
        contents: Namespace -> everything in it (metadata is enough), or None where it cannot be told.
        instances: CustomResourceDefinition -> the objects of its kind, or None where they cannot be listed.
        shared: Ref -> the other namespace whose inventory holds it too (only cluster-scoped objects can be shared).
        volumes: Live PersistentVolumes; () where they may not be listed.
    """

    inventory: tuple[ObjectRef, ...]
    live: Mapping[ObjectRef, Live]
    contents: Mapping[str, Sequence[Live] | None] = field(default_factory=dict)
    instances: Mapping[ObjectRef, Sequence[Live] | None] = field(default_factory=dict)
    shared: Mapping[ObjectRef, str] = field(default_factory=dict)
    volumes: Sequence[Live] = ()


@dataclass(frozen=True, slots=True)
class Removal:
    """A destroy, decided.

    Attributes:
        waves: What goes, those first that nothing else needs; a wave is begun when the one before is gone.
        namespaces: What goes when all of that is gone.
        kept: What stays, each with its reason.
        gone: In the inventory, but not in the cluster any more.
        claims: Volume claims that our StatefulSets made; the inventory has to learn of them before their sets go.
        notes: What the user should know besides.
    """

    waves: tuple[tuple[PruneStep, ...], ...] = ()
    namespaces: tuple[PruneStep, ...] = ()
    kept: tuple[PruneStep, ...] = ()
    gone: tuple[ObjectRef, ...] = ()
    claims: tuple[PruneStep, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def doomed(self) -> tuple[PruneStep, ...]:
        return (*(step for wave in self.waves for step in wave), *self.namespaces)

    @property
    def takes_data(self) -> bool:
        return any(step.ref.kind in PROTECTED_KINDS for step in self.doomed)

    def unconfirmed(self, given: str | None) -> str:
        """Why it is not carried out: what was given as a confirmation is not the namespace's name."""
        what = "no confirmation was given" if given is None else "the confirmation is not the namespace's name"
        return f"data would be deleted and {what}" if self.takes_data else what


def removal(around: Surroundings, *, volumes: bool) -> Removal:
    """What goes and what stays. `volumes`: data, passwords, certificates and the namespace too."""
    claims = _claims(around)
    known = sorted({*around.inventory, *claims})
    present = [ref for ref in known if ref in around.live]
    steps = [PruneStep(ref, _uid(around.live[ref]), _kept(ref, around, claims, volumes)) for ref in present]
    doomed = [step for step in steps if not step.kept and step.ref.kind != "Namespace"]
    namespaces = [_namespace(step, steps, around) for step in steps if not step.kept and step.ref.kind == "Namespace"]
    return Removal(
        waves=tuple(_waves(doomed, around.live)),
        namespaces=tuple(step for step in namespaces if not step.kept),
        kept=tuple(step for step in (*steps, *namespaces) if step.kept),
        gone=tuple(ref for ref in known if ref not in around.live),
        claims=tuple(step for step in steps if step.ref in claims and INVENTORY not in _notes(around.live[step.ref])),
        notes=(*_leaving(present, around.live), *_retained(doomed, around.volumes)),
    )


def _kept(ref: ObjectRef, around: Surroundings, claims: Collection[ObjectRef], volumes: bool) -> str:
    """Why the object stays, or ""."""
    live = around.live[ref]
    if ref not in claims and not _is_ours(ref, live):
        return "not written by us"
    if ref.kind in PROTECTED_KINDS and not volumes:
        return "goes only with --volumes"
    if other := around.shared.get(ref):
        return f"in use by the namespace {other} too"
    if ref.kind == "StatefulSet" and not volumes and _takes_its_volumes(live):
        return "its deletion would delete its volumes (whenDeleted: Delete); goes only with --volumes"
    if ref.kind == "CustomResourceDefinition":
        return _instances(ref, around)
    return ""


def _is_ours(ref: ObjectRef, live: Live) -> bool:
    notes = _notes(live)
    return bool(
        recorded_hash(live)
        or (ref.kind == "Secret" and notes.get(GENERATED) == "true")
        or (ref.kind == _CLAIM and INVENTORY in notes)
    )


def _takes_its_volumes(live: Live) -> bool:
    policy = (live.get("spec") or {}).get("persistentVolumeClaimRetentionPolicy") or {}
    return bool(policy.get("whenDeleted") == "Delete")


def _instances(ref: ObjectRef, around: Surroundings) -> str:
    """A definition takes every object of its kind with it, whoever made it."""
    found = around.instances.get(ref)
    if found is None:
        return "the objects of its kind cannot be listed"
    ours = {_uid(around.live[each]) for each in around.inventory if each in around.live}
    others = [item for item in found if _uid(item) not in ours]
    return f"{amount(len(others), 'object')} of its kind not ours: {_listed(map(_name, others))}" if others else ""


def _claims(around: Surroundings) -> frozenset[ObjectRef]:
    """The claims that StatefulSets of ours made of their templates, those of past replicas included."""
    ours = [ref for ref in around.inventory if ref in around.live and recorded_hash(around.live[ref])]
    made = stems((ref, around.live[ref].get("spec") or {}) for ref in ours)
    return frozenset(ref for ref in around.live if is_made(ref, made))


def _namespace(step: PruneStep, steps: Sequence[PruneStep], around: Surroundings) -> PruneStep:
    """A namespace takes everything in it along, so it goes only when everything in it goes."""
    name = step.ref.name
    staying = [
        str(other.ref)
        for other in steps
        if other.kept and (other.ref.namespace == name or other.ref.kind == "CustomResourceDefinition")
    ]
    contents = around.contents.get(name)
    if staying:
        return step._replace(kept=f"what stays is in it: {_listed(staying)}")
    if contents is None:
        return step._replace(kept="it cannot be told what else is in it")
    foreign = strangers(contents, {_uid(around.live[other.ref]) for other in steps})
    if foreign:
        return step._replace(kept=f"{amount(len(foreign), 'object')} in it not ours: {_listed(foreign)}")
    return step


def _waves(doomed: Sequence[PruneStep], live: Mapping[ObjectRef, Live]) -> Iterator[tuple[PruneStep, ...]]:
    """Data goes after all that uses it, and a password after the volume that was initialised with it: what is left by
    a destroy that died is then something a deploy can start from."""
    yield from _reversed([step for step in doomed if step.ref.kind not in _DATA], live)
    for kind in _DATA:
        yield from _reversed([step for step in doomed if step.ref.kind == kind], live)


def _reversed(steps: Sequence[PruneStep], live: Mapping[ObjectRef, Live]) -> Iterator[tuple[PruneStep, ...]]:
    """The reverse of the start order: an object comes after all that need it."""
    graph = build([_manifest(step.ref, live[step.ref]) for step in steps]).graph
    waits = {name: set[str]() for name in graph}  # name -> those that go before it
    for earlier, later in _order(graph):
        waits[later].add(earlier)
    by_ref = {step.ref: step for step in steps}
    while waits:
        # Objects that need each other in a circle go together, last.
        free = [name for name, before in waits.items() if not before & waits.keys()] or list(waits)
        yield tuple(by_ref[graph[name].ref] for name in free)
        for name in free:
            del waits[name]


def _order(graph: Graph) -> Iterator[tuple[str, str]]:
    """Pairs (goes first, goes later)."""
    for name, node in graph.items():
        upstream = node.needs | node.after
        for other in upstream:
            yield name, other
        for other in node.relies - upstream:
            # A Service outlives the pods behind it: they may still be asked. A route to them goes before both.
            yield (name, other) if node.ref.kind == "Ingress" else (other, name)


def _manifest(ref: ObjectRef, live: Live) -> Manifest:
    return Manifest(ref, str(live.get("apiVersion", "v1")), live, "the cluster")


def _leaving(present: Iterable[ObjectRef], live: Mapping[ObjectRef, Live]) -> Iterator[str]:
    """What somebody else has deleted, or a destroy before this one, and is still there: it may hang again."""
    for ref in present:
        if since := leaving_since(live[ref]):
            yield f"{ref} is being deleted since {since}: {held_by(live[ref])}"


def _retained(doomed: Sequence[PruneStep], volumes: Sequence[Live]) -> Iterator[str]:
    claims = {(step.ref.namespace, step.ref.name) for step in doomed if step.ref.kind == _CLAIM}
    for volume in volumes:
        spec = volume.get("spec") or {}
        claim = spec.get("claimRef") or {}
        stays = spec.get("persistentVolumeReclaimPolicy") == "Retain"
        if stays and (claim.get("namespace"), claim.get("name")) in claims:
            yield f"{_name(volume)}: its data stays on disk (reclaim policy Retain); remove it by hand"


def _listed(names: Iterable[str]) -> str:
    every = sorted(names)
    more = f" and {len(every) - _NAMED} more" if len(every) > _NAMED else ""
    return ", ".join(every[:_NAMED]) + more


def _name(item: Live) -> str:
    return f"{str(item.get('kind', '')).lower()}/{item['metadata']['name']}"


def _notes(live: Live) -> Mapping[str, str]:
    return (live.get("metadata") or {}).get("annotations") or {}


def _uid(live: Live) -> str:
    return str((live.get("metadata") or {}).get("uid", ""))

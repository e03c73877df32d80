"""Strict stand-ins for the world: a clock that only sleeping advances, and a cluster in memory.

The cluster speaks `workflows.ports.Requests` and `Mirror`, with server-side apply as Kubernetes describes it: field
ownership in managedFields, conflicts, generations, UIDs, resource versions. Whatever it was not told to answer fails
loudly. `tests/simulation.py` adds controllers that move workloads.
"""

from __future__ import annotations

import copy
import heapq
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from typing import Any

from bakery_ops.errors import ClusterUnreachable
from bakery_ops.model.answer import Answer
from bakery_ops.model.contract import FIELD_MANAGER
from bakery_ops.model.live import LiveObject, ref_of
from bakery_ops.model.manifest import Manifest, ObjectRef
from bakery_ops.model.times import format_time
from bakery_ops.rules.rollout.events import Event, ObjectChanged, ObjectDeleted, Synced
from bakery_ops.workflows.rollout_requests import live_object
from tests.apply_semantics import Leaves, Path, conflicts, fields_v1, leaves, merge, remove

START = 1_700_000_000.0


class FakeClock:
    """Virtual server time. Sleeping advances it; so does the cluster when everything waits."""

    def __init__(self, now: float = START) -> None:
        self._now = now

    def now(self) -> float:
        return self._now

    def sleep(self, seconds: float) -> None:
        self._now += seconds

    def advance_to(self, moment: float) -> None:
        self._now = max(self._now, moment)


class Killed(BaseException):
    """kill -9 at this moment: no handler of the tool runs, so nothing may catch it."""


class Stored:
    """An object and who owns which of its fields."""

    def __init__(self, body: dict[str, Any]) -> None:
        self.body = body
        self.owners: dict[tuple[str, str], Leaves] = {}


class FakeCluster:
    """An API server in memory. Mutations are counted in `mutations` as (verb, ref)."""

    def __init__(self, clock: FakeClock | None = None) -> None:
        self.clock = clock or FakeClock()
        self.stored: dict[ObjectRef, Stored] = {}
        self.mutations: list[tuple[str, ObjectRef]] = []
        self.calls: list[tuple[str, ObjectRef | None]] = []
        self.log_lines: dict[tuple[str, str, bool], Sequence[str]] = {}
        self.faults: dict[tuple[str, ObjectRef], list[Answer | Exception]] = {}
        self.on_write: list[Callable[[ObjectRef, dict[str, Any], bool], None]] = []
        self.kill_at: tuple[int, str] | None = None  # (number of the mutation, "before" or "after" its answer)
        self.watched: frozenset[str] = frozenset()
        self._deliver: Callable[[Event], None] | None = None
        self._versions = itertools.count(100)
        self._uids = itertools.count(1)
        self._schedule: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()

    # Requests ---------------------------------------------------------------------------------------------------

    def apply(
        self, manifest: Manifest, *, dry_run: bool = False, force: bool = False, manager: str = FIELD_MANAGER
    ) -> Answer:
        ref = manifest.ref
        self.calls.append(("dry-run" if dry_run else "apply", ref))
        if (fault := self._fault("apply", ref)) is not None:
            return fault
        if not dry_run:
            self.about_to_mutate()
        desired = copy.deepcopy({key: value for key, value in manifest.body.items() if key != "status"})
        stored = self.stored.get(ref)
        ours = (manager, "Apply")
        answer = self._applied(ref, stored, desired, manifest.api_version, ours, force=force, dry_run=dry_run)
        if not dry_run and answer.status < 300:
            self.mutated("apply", ref)
        return answer

    def _applied(
        self,
        ref: ObjectRef,
        stored: Stored | None,
        desired: dict[str, Any],
        api_version: str,
        ours: tuple[str, str],
        *,
        force: bool,
        dry_run: bool,
    ) -> Answer:
        wanted = leaves(desired)
        if uid := (desired.get("metadata") or {}).pop("uid", None):
            if stored is None or stored.body["metadata"]["uid"] != uid:
                return _refused(409, "Conflict", f"the UID in the precondition ({uid}) is not that of the object")
            wanted = leaves(desired)
        if stored is None:
            body = self._created(ref, desired, api_version)
            fresh = Stored(body)
            fresh.owners[ours] = wanted
            return self._keep(ref, fresh, 201, dry_run=dry_run, changed=True)
        others = {owner: held for owner, held in stored.owners.items() if owner != ours}
        if (found := conflicts(stored.body, wanted, others)) and not force:
            return _conflict(found)
        body = copy.deepcopy(stored.body)
        for path in stored.owners.get(ours, {}):
            if path not in wanted and not any(path in held for held in others.values()):
                remove(body, path)
        merge(body, desired)
        if refusal := _immutable(ref, stored.body, body):
            return refusal
        after = Stored(body)
        after.owners = {
            owner: {path: value for path, value in held.items() if path not in {item[1] for item in found}}
            for owner, held in others.items()
        } | {ours: wanted}
        changed = body != stored.body or after.owners != stored.owners
        if body.get("spec") != stored.body.get("spec"):
            body["metadata"]["generation"] = stored.body["metadata"]["generation"] + 1
        return self._keep(ref, after, 200, dry_run=dry_run, changed=changed)

    def _created(self, ref: ObjectRef, desired: dict[str, Any], api_version: str) -> dict[str, Any]:
        metadata = {
            **(desired.get("metadata") or {}),
            "name": ref.name,
            "uid": f"uid-{next(self._uids)}",
            "generation": 1,
            "creationTimestamp": format_time(self.clock.now()),
        }
        if ref.namespace:
            metadata["namespace"] = ref.namespace
        return {**desired, "apiVersion": api_version, "kind": ref.kind, "metadata": metadata}

    def _keep(self, ref: ObjectRef, stored: Stored, status: int, *, dry_run: bool, changed: bool) -> Answer:
        if changed:
            stored.body["metadata"]["resourceVersion"] = str(next(self._versions))
        if dry_run:
            return Answer(status, self._shown(stored), date=self.clock.now())
        self.stored[ref] = stored
        shown = self._shown(stored)
        if changed:
            for hook in self.on_write:
                hook(ref, stored.body, status == 201)
            self._tell(ref)
        return Answer(status, shown, date=self.clock.now())

    def read(self, ref: ObjectRef) -> Answer:
        self.calls.append(("read", ref))
        if (fault := self._fault("read", ref)) is not None:
            return fault
        stored = self.stored.get(ref)
        return _refused(404, "NotFound", f"{ref} not found") if stored is None else Answer(200, self._shown(stored))

    def list(
        self, group: str, kind: str, namespace: str | None, *, label_selector: str = ""
    ) -> Sequence[Mapping[str, Any]]:
        self.calls.append(("list", None))
        assert label_selector[:1] in ("", "!"), "the fake knows only the selector of a missing label"
        bodies = self._alike(group, kind, namespace)
        return [body for body in bodies if label_selector[1:] not in (body["metadata"].get("labels") or {})]

    def metadata(self, group: str, kind: str, namespace: str | None) -> Sequence[Mapping[str, Any]]:
        self.calls.append(("metadata", None))
        return [{"metadata": body["metadata"]} for body in self._alike(group, kind, namespace)]

    def _alike(self, group: str, kind: str, namespace: str | None) -> Sequence[Mapping[str, Any]]:
        return [
            self._shown(stored)
            for ref, stored in self.stored.items()
            if (ref.group, ref.kind) == (group, kind) and namespace in (None, "", ref.namespace)
        ]

    def delete(self, ref: ObjectRef, *, uid: str | None = None, propagation: str = "Background") -> Answer:
        self.calls.append(("delete", ref))
        if (fault := self._fault("delete", ref)) is not None:
            return fault
        stored = self.stored.get(ref)
        if stored is None:
            return _refused(404, "NotFound", f"{ref} not found")
        if uid is not None and stored.body["metadata"]["uid"] != uid:
            return _refused(409, "Conflict", "the UID in the precondition does not match")
        self.about_to_mutate()
        if stored.body["metadata"].get("finalizers"):
            stored.body["metadata"].setdefault("deletionTimestamp", format_time(self.clock.now()))
        else:
            self.vanish(ref)
        self.mutated("delete", ref)
        return Answer(200, {})

    def logs(
        self,
        namespace: str,
        pod: str,
        container: str,
        *,
        previous: bool = False,
        tail_lines: int | None = 50,
        since_seconds: int | None = None,
        limit_bytes: int | None = 64 * 1024,
    ) -> Sequence[str]:
        assert since_seconds is None, "the fake's lines have no age"
        self.calls.append(("logs", ObjectRef("", "Pod", namespace, pod)))
        return tuple(self.log_lines.get((pod, container, previous), ()))[-(tail_lines or 0) :]

    def proxy_get(
        self, namespace: str, service: str, port: str, path: str, *, timeout: float = 5.0
    ) -> tuple[int, bytes, float]:
        raise AssertionError(f"nobody said what {service}:{port}{path} answers")

    def served(self, refs: Iterable[ObjectRef]) -> Mapping[tuple[str, str], bool]:
        return {(ref.group, ref.kind): True for ref in refs}

    # Mirror -----------------------------------------------------------------------------------------------------

    def start(self, kinds: Sequence[str], namespace: str, deliver: Callable[[object], None]) -> None:
        assert self._deliver is None, "the mirror was started twice"
        self._deliver, self.watched = deliver, frozenset(kinds)
        for kind in kinds:
            for ref in [ref for ref in self.stored if ref.kind == kind]:
                self._tell(ref)
            deliver(Synced(self.clock.now(), kind))

    def refresh(self) -> None:
        """Every kind listed anew, as `Mirror.refresh` says."""
        deliver, watched = self._deliver, self.watched
        assert deliver is not None, "nothing is followed"
        self._deliver = None
        self.start(tuple(watched), "", deliver)

    def stop(self) -> None:
        self._deliver = None

    def _tell(self, ref: ObjectRef) -> None:
        if self._deliver is not None and ref.kind in self.watched:
            self._deliver(ObjectChanged(self.clock.now(), self.live(ref)))

    # What tests and controllers do to it ------------------------------------------------------------------------

    def live(self, ref: ObjectRef) -> LiveObject:
        return live_object(self._shown(self.stored[ref]))

    def body(self, ref: ObjectRef) -> Mapping[str, Any]:
        return self._shown(self.stored[ref])

    def bodies(self) -> dict[ObjectRef, Mapping[str, Any]]:
        return {ref: self._shown(stored) for ref, stored in self.stored.items()}

    def put(self, body: Mapping[str, Any], manager: str = "controller") -> ObjectRef:
        """Create or replace an object by an update of `manager`: what it changes it owns from now on."""
        ref = ref_of(live_object(body))
        before = self.stored.get(ref)
        fresh = copy.deepcopy(dict(body))
        if before is None:
            fresh = self._created(ref, fresh, str(body["apiVersion"]))
        else:
            kept = {key: before.body["metadata"][key] for key in ("uid", "generation", "creationTimestamp")}
            fresh["metadata"] = {**fresh["metadata"], **kept}
            if fresh.get("spec") != before.body.get("spec"):
                fresh["metadata"]["generation"] += 1
        stored = Stored(fresh)
        old = leaves(before.body) if before else {}
        changed = {path: value for path, value in leaves(fresh).items() if old.get(path, ...) != value}
        for owner, held in (before.owners if before else {}).items():
            stored.owners[owner] = {
                path: value for path, value in held.items() if path not in changed and path in leaves(fresh)
            }
        stored.owners.setdefault((manager, "Update"), {}).update(changed)
        fresh["metadata"]["resourceVersion"] = str(next(self._versions))
        self.stored[ref] = stored
        self._tell(ref)
        return ref

    def change(self, ref: ObjectRef, edit: Callable[[dict[str, Any]], None], manager: str = "controller") -> None:
        """Edit the object in place, as `kubectl edit` by `manager` would."""
        body = copy.deepcopy(self.stored[ref].body)
        edit(body)
        self.put(body, manager)

    def set_status(self, ref: ObjectRef, **status: Any) -> None:
        """Merge `status` into the object's, unless it is gone meanwhile."""
        stored = self.stored.get(ref)
        if stored is None:
            return
        after = {**(stored.body.get("status") or {}), **status}
        if after != stored.body.get("status"):
            stored.body["status"] = after
            stored.body["metadata"]["resourceVersion"] = str(next(self._versions))
            self._tell(ref)

    def vanish(self, ref: ObjectRef) -> None:
        """The object and all it owns are gone, at once."""
        stored = self.stored.pop(ref, None)
        if stored is None:
            return
        uid = stored.body["metadata"]["uid"]
        if self._deliver is not None and ref.kind in self.watched:
            self._deliver(ObjectDeleted(self.clock.now(), ref, uid))
        for child in [child for child, other in self.stored.items() if _owned_by(other.body, uid)]:
            self.vanish(child)

    def fail(self, verb: str, ref: ObjectRef, *answers: Answer | Exception) -> None:
        """The next calls of `verb` on `ref` get these answers, in turn."""
        self.faults.setdefault((verb, ref), []).extend(answers)

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Run `action` in `seconds` of virtual time."""
        heapq.heappush(self._schedule, (self.clock.now() + seconds, next(self._order), action))

    def nap(self, seconds: float) -> None:
        """The machine that deploys sleeps: the cluster goes on, and what its streams would have told is lost."""
        end, deliver, self._deliver = self.clock.now() + seconds, self._deliver, None
        while self.next_at is not None and self.next_at <= end:
            self.run_next()
        self.clock.advance_to(end)
        self._deliver = deliver

    @property
    def next_at(self) -> float | None:
        return self._schedule[0][0] if self._schedule else None

    def run_next(self) -> None:
        moment, _, action = heapq.heappop(self._schedule)
        self.clock.advance_to(moment)
        action()

    def about_to_mutate(self) -> None:
        """Die here, before the next write reaches the server, if the test cuts "after" the answer of the last one."""
        if self.kill_at is not None and self.kill_at[1] == "after" and len(self.mutations) >= self.kill_at[0]:
            raise Killed(f"before mutation {len(self.mutations) + 1}")

    def mutated(self, verb: str, ref: ObjectRef) -> None:
        """Count a committed write; die here, its answer unread, if the test cuts "before" it."""
        self.mutations.append((verb, ref))
        if self.kill_at == (len(self.mutations), "before"):
            raise Killed(f"inside mutation {len(self.mutations)}: {verb} {ref}")

    def _fault(self, verb: str, ref: ObjectRef) -> Answer | None:
        waiting = self.faults.get((verb, ref))
        if not waiting:
            return None
        fault = waiting.pop(0)
        if isinstance(fault, Exception):
            raise fault
        return fault

    def _shown(self, stored: Stored) -> dict[str, Any]:
        body = copy.deepcopy(stored.body)
        body["metadata"]["managedFields"] = [
            {
                "manager": manager,
                "operation": operation,
                "apiVersion": body["apiVersion"],
                "fieldsType": "FieldsV1",
                "fieldsV1": fields_v1(held),
            }
            for (manager, operation), held in stored.owners.items()
            if held
        ]
        return body


class FakeInbox:
    """The Inbox of a run in virtual time: when nothing is there, the cluster moves on, or the clock does."""

    def __init__(self, cluster: FakeCluster, *, patience: float = 7200.0) -> None:
        self._cluster, self._events = cluster, list[Event]()
        self._end = cluster.clock.now() + patience

    def put(self, event: Event) -> None:
        self._events.append(event)

    def get(self, until: float | None) -> list[Event]:
        while not self._events:
            moment = self._cluster.next_at
            if moment is not None and (until is None or moment <= until):
                self._cluster.run_next()
            elif until is not None:
                self._cluster.clock.advance_to(until)
                break
            else:
                raise AssertionError("the rollout waits for ever: no timer, no event, nothing scheduled")
        assert self._cluster.clock.now() < self._end, "the rollout does not end"
        events, self._events = self._events, []
        return events


class InlineExecutor(Executor):
    """Runs what it is given at once, or after a delay of virtual time; a kill goes through to the caller."""

    def __init__(self, cluster: FakeCluster | None = None, delay: Callable[[], float] | None = None) -> None:
        self._cluster, self._delay = cluster, delay

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()

        def run() -> None:
            try:
                future.set_result(fn(*args, **kwargs))
            except Exception as error:  # noqa: BLE001 a future carries whatever its work raised
                future.set_exception(error)

        if self._cluster is None or self._delay is None:
            run()
        else:
            self._cluster.after(self._delay(), run)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Nothing runs beside the test."""


class FakeJournal:
    """The journal in memory; `kill_at` of the cluster counts its writes too."""

    def __init__(self, cluster: FakeCluster | None = None) -> None:
        self.entries: dict[str, Any] = {}
        self._cluster = cluster

    def read(self, seen: Mapping[ObjectRef, Any] | None = None) -> Mapping[str, Any]:
        return dict(self.entries)

    def record(self, entries: Mapping[str, Any]) -> None:
        if self._cluster is not None:
            self._cluster.about_to_mutate()
        self.entries.update(entries)
        if self._cluster is not None:
            self._cluster.mutated("journal", ObjectRef("", "ConfigMap", "", "journal"))

    def clear(self) -> None:
        if self.entries:
            if self._cluster is not None:
                self._cluster.about_to_mutate()
            self.entries.clear()
            if self._cluster is not None:
                self._cluster.mutated("journal", ObjectRef("", "ConfigMap", "", "journal"))


class FakeInventory:
    """The inventory in memory, lost with its namespace; `kill_at` of the cluster counts its writes too."""

    def __init__(self, cluster: FakeCluster, namespace: ObjectRef) -> None:
        self.refs: tuple[ObjectRef, ...] = ()
        self._cluster, self._namespace = cluster, namespace

    def read(self) -> Sequence[ObjectRef]:
        if self._namespace not in self._cluster.stored:
            self.refs = ()
        return self.refs

    def write(self, refs: Sequence[ObjectRef]) -> None:
        wanted = tuple(sorted(set(refs)))
        if wanted != self.refs:
            self._cluster.about_to_mutate()
            self.refs = wanted
            self._cluster.mutated("inventory", ObjectRef("", "ConfigMap", "", "inventory"))


def unreachable(seconds: float = 120.0) -> ClusterUnreachable:
    return ClusterUnreachable(f"The API server does not answer, and did not for {seconds:.0f} s.")


def _refused(status: int, reason: str, message: str) -> Answer:
    return Answer(status, {"kind": "Status", "reason": reason, "message": message}, reason, message)


def _conflict(found: Sequence[tuple[str, Path]]) -> Answer:
    causes = [
        {"reason": "FieldManagerConflict", "message": f'conflict with "{manager}"', "field": _spelled(path)}
        for manager, path in found
    ]
    message = f"Apply failed with {len(causes)} conflict(s)"
    return Answer(409, {"kind": "Status", "details": {"causes": causes}}, "Conflict", message)


def _spelled(path: Path) -> str:
    return "".join(f".{part[2:]}" if part.startswith("f:") else f"[{part[2:]}]" for part in path)


def _immutable(ref: ObjectRef, before: Mapping[str, Any], after: Mapping[str, Any]) -> Answer | None:
    spec_before, spec_after = before.get("spec") or {}, after.get("spec") or {}
    frozen = {"Job": "template", "StatefulSet": "volumeClaimTemplates", "Deployment": "selector"}.get(ref.kind)
    if frozen and spec_before.get(frozen) != spec_after.get(frozen):
        return _refused(422, "Invalid", f"{ref.kind} {ref.name} is invalid: spec.{frozen}: field is immutable")
    return None


def _owned_by(body: Mapping[str, Any], uid: str) -> bool:
    return any(owner.get("uid") == uid for owner in _owners(body))


def _owners(body: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from (body.get("metadata") or {}).get("ownerReferences") or ()

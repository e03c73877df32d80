"""Carry out one command of the rollout machine with requests, and answer it with one event. No decisions here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import msgspec

from bakery_ops.errors import BakeryError, TimedOut
from bakery_ops.model.content import shows_write, stamped
from bakery_ops.model.graph import Node
from bakery_ops.model.live import Generic, LiveObject, struct_for
from bakery_ops.model.manifest import ObjectRef
from bakery_ops.rules.deletion import held_by
from bakery_ops.rules.handover import HANDOVER_MANAGER, handover
from bakery_ops.rules.plan import Step
from bakery_ops.rules.restarts import RESTART_MANAGER, noted, restart
from bakery_ops.rules.rollout.events import (
    ApplyAccepted,
    ApplyDropped,
    ApplyRejected,
    Event,
    FetchLog,
    LogTailArrived,
    ObjectChanged,
    ObjectDeleted,
    Prune,
    Pruned,
)
from bakery_ops.rules.rollout.homes import TERMINATING
from bakery_ops.rules.verdict import Applied
from bakery_ops.workflows.ports import Answer, Clock, Requests

JOB_GONE_WITHIN = 60.0
_JOB_POLL = 0.2
GONE_WITHIN = 30.0  # seconds: the usual grace period of a pod
_LEFT_POLL = 0.5


class Carrying(NamedTuple):
    """How writes are sent.

    Attributes:
        fence: The Lease's transition count, noted on every object we write; None without a lease.
        force: Take over fields that other managers own.
        may_write: Asked before every write; False once the lease is lost or the run was interrupted.
    """

    fence: int | None = None
    force: bool = False
    may_write: Callable[[], bool] = lambda: True


class Carrier:
    """Requests on behalf of a rollout. Called from many threads at once."""

    def __init__(self, requests: Requests, clock: Clock, carrying: Carrying = Carrying()) -> None:  # noqa: B008 a value
        self._requests, self._clock = requests, clock
        self._fence, self._force, self._is_open = carrying
        self._pruned_by = 0.0

    def apply(self, node: Node, step: Step, before: LiveObject | None) -> Event:
        """Server-side apply of one node. `before`: its live object as last seen, to tell a change from a repetition."""
        if not self._is_open():
            return ApplyDropped(self._clock.now(), node.name)
        since = self._clock.now()
        try:
            answer = self._written(node, step)
            if answer is None:
                return ApplyDropped(self._clock.now(), node.name)
        except TimedOut as error:
            return ApplyRejected(self._clock.now(), node.name, "Unreachable", str(error), unknown=True)
        except BakeryError as error:
            return ApplyRejected(self._clock.now(), node.name, "Refused", str(error))
        return self._answered(node, step, before, answer, since)

    def _written(self, node: Node, step: Step) -> Answer | None:
        """The answer to the write; None when writing was stopped between its two parts."""
        if step.restart:
            note = restart(node.manifest, step.restart, step.uid)
            answer = self._requests.apply(note, manager=RESTART_MANAGER)
            return self._settled(node.ref, answer, lambda body: noted(body) == step.restart)
        if step.replicas is not None:
            kept = self._requests.apply(handover(node.manifest, step.replicas), manager=HANDOVER_MANAGER)
            if kept.status >= 300:
                return kept
            if not self._is_open():
                return None
        manifest = stamped(node.manifest, step.content_hash, fence=self._fence)
        answer = self._requests.apply(manifest, force=self._force)
        return self._settled(node.ref, answer, lambda body: shows_write(body, manifest))

    def _settled(self, ref: ObjectRef, answer: Answer, landed: Callable[[Mapping[str, Any]], bool]) -> Answer:
        """A server error leaves the outcome open: the object itself decides. Raises TimedOut if it stays open."""
        if answer.status < 500:
            return answer
        found = self._requests.read(ref)
        if found.status == 404 or (found.status == 200 and not landed(found.body)):
            return answer._replace(status=400)  # not carried out: a refusal like any other, safe to repeat
        if found.status != 200:
            raise TimedOut(f"the API server answered {answer.status} {answer.message}, and then {found.status}")
        return found

    def _answered(self, node: Node, step: Step, before: LiveObject | None, answer: Answer, since: float) -> Event:
        now = self._clock.now()
        if answer.status >= 300:
            return ApplyRejected(now, node.name, *refusal(answer))
        live = live_object(answer.body)
        generation = live.metadata.generation
        same_object = before is not None and before.metadata.uid == live.metadata.uid
        created = not same_object or before is None or before.metadata.generation != generation
        changed = before is None or before.metadata.resource_version != live.metadata.resource_version
        applied = Applied(live.metadata.uid, generation, step.content_hash, since, created, changed)
        return ApplyAccepted(now, node.name, applied, live)

    def replace_job(self, node: Node, step: Step) -> Event:
        """Delete the Job of that UID, wait until its name is free, create it anew (docs/readiness.md, Job)."""
        if not self._is_open():
            return ApplyDropped(self._clock.now(), node.name)
        ref = node.ref
        try:
            answer = self._requests.delete(ref, uid=step.uid)
            if answer.status >= 300 and answer.status not in (404, 409):
                return ApplyRejected(self._clock.now(), node.name, *refusal(answer))
            is_gone = self._is_gone(node, step.uid)
            if not self._is_open():
                return ApplyDropped(self._clock.now(), node.name)
            if not is_gone:
                message = f"{ref} was still there {JOB_GONE_WITHIN:.0f} s after its deletion"
                return ApplyRejected(self._clock.now(), node.name, "StillTerminating", message)
        except TimedOut as error:
            return ApplyRejected(self._clock.now(), node.name, "Unreachable", str(error), unknown=True)
        except BakeryError as error:
            return ApplyRejected(self._clock.now(), node.name, "Refused", str(error))
        return self.apply(node, step, None)

    def _is_gone(self, node: Node, uid: str) -> bool:
        end = self._clock.now() + JOB_GONE_WITHIN
        while True:
            found = self._requests.read(node.ref)
            if found.status == 404 or (found.body.get("metadata") or {}).get("uid") not in (None, uid):
                return True
            if self._clock.now() >= end or not self._is_open():
                return False
            self._clock.sleep(_JOB_POLL)

    def suspend(self, node: Node, step: Step, uid: str) -> None:
        """Set `suspend` on a Job that failed in our eyes only. Best effort: its failure changes no verdict."""
        if not self._is_open():
            return
        body = {**node.manifest.body, "spec": {**node.manifest.spec, "suspend": True}}
        metadata = {**body["metadata"], "uid": uid}  # a Job of another UID is not ours to touch
        manifest = replace(node.manifest, body={**body, "metadata": metadata})
        try:
            self._requests.apply(stamped(manifest, step.content_hash, fence=self._fence))
        except BakeryError:
            return

    def prune(self, command: Prune) -> Event:
        """Delete an orphan and wait for its end; all orphans together get `GONE_WITHIN`."""
        if not self._is_open():
            return Pruned(self._clock.now(), command.ref, "Stopped", "writing was stopped before")
        self._pruned_by = self._pruned_by or self._clock.now() + GONE_WITHIN
        try:
            answer = self._requests.delete(command.ref, uid=command.uid)
        except BakeryError as error:
            return Pruned(self._clock.now(), command.ref, "Unreachable", str(error))
        if answer.status >= 300 and answer.status != 404:
            return Pruned(self._clock.now(), command.ref, *refusal(answer))
        # The server answers with a Status what it has removed, with the object what it may only have marked.
        is_gone = answer.status == 404 or answer.body.get("kind") == "Status"
        return Pruned(self._clock.now(), command.ref, holder="" if is_gone else self._left(command))

    def _left(self, command: Prune) -> str:
        """What still holds a deleted object when the time for all of them is over; "" when it is gone."""
        while True:
            try:
                found = self._requests.read(command.ref)
            except BakeryError as error:
                return str(error)
            if found.status == 404 or (found.body.get("metadata") or {}).get("uid") not in (None, command.uid):
                return ""
            if self._clock.now() >= self._pruned_by or not self._is_open():
                return held_by(found.body) if found.status == 200 else ": ".join(refusal(found))
            self._clock.sleep(_LEFT_POLL)

    def read(self, nodes: Sequence[Node]) -> Sequence[Event]:
        """The objects of these nodes, of one kind and namespace, as they are now: one request, however many they are.

        () when the server did not say; it is asked again later.
        """
        ref = nodes[0].ref
        try:
            if len(nodes) == 1:
                answer = self._requests.read(ref)
                if answer.status not in (200, 404):
                    return ()
                found = {ref.name: answer.body} if answer.status == 200 else {}
            else:
                listed = self._requests.list(ref.group, ref.kind, ref.namespace or None)
                found = {body["metadata"]["name"]: body for body in listed}
        except BakeryError:
            return ()
        now = self._clock.now()
        return [
            ObjectChanged(now, live_object(found[node.ref.name]))
            if node.ref.name in found
            else ObjectDeleted(now, node.ref, "")
            for node in nodes
        ]

    def fetch_log(self, command: FetchLog) -> Event:
        """An unreadable log is an empty one: evidence is worth a try, never a failure."""
        try:
            lines = self._requests.logs(command.namespace, command.pod, command.container, previous=command.previous)
        except BakeryError:
            lines = ()
        return LogTailArrived(
            self._clock.now(), command.node, f"pod/{command.pod}", command.container, command.previous, tuple(lines)
        )


def live_object(body: Mapping[str, Any]) -> LiveObject:
    """An answer's object as the partial struct of its kind. Raises msgspec.ValidationError without metadata."""
    struct = struct_for(str(body.get("apiVersion", "")), str(body.get("kind", "")))
    try:
        return msgspec.convert(body, struct)
    except msgspec.ValidationError:
        return msgspec.convert(body, Generic)


def refusal(answer: Answer) -> tuple[str, str]:
    """(reason, message) of a refused write; a field conflict names every field and its manager (faults.md, F12)."""
    causes = (answer.body.get("details") or {}).get("causes") or []
    conflicts = [cause for cause in causes if cause.get("reason") == "FieldManagerConflict"]
    if answer.status == 409 and conflicts:
        fields = "; ".join(f"{str(cause.get('field', '')).lstrip('.')} ({cause.get('message')})" for cause in conflicts)
        return "FieldConflict", f"other managers own fields we set: {fields}"
    if any(cause.get("reason") == TERMINATING for cause in causes):
        return TERMINATING, answer.message
    if answer.status == 401:
        return "Unauthorized", "the API server no longer accepts our credentials; renew them and run again"
    # The server adds both versions of a bare pod as a diff of its own structs.
    message = answer.message.partition("\n@@ ")[0]
    return answer.reason or f"HTTP {answer.status}", message or "refused without a message"

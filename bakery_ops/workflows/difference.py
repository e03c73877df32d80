"""What a deploy would change, as the API server itself answers: a dry run of each object beside the live one."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from bakery_ops.errors import OperationFailed
from bakery_ops.model.graph import Graph, Node
from bakery_ops.rules.difference import Change, difference
from bakery_ops.rules.plan import ANEW, Plan, Step
from bakery_ops.workflows.ports import Requests
from bakery_ops.workflows.rollout_requests import refusal
from bakery_ops.workflows.trial import is_conflict, refused, trial

_OF_THE_JOB = frozenset(
    {"batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name", "controller-uid", "job-name"}
)


class ObjectDifference(NamedTuple):
    """One object that a deploy would write.

    Attributes:
        changes: Field by field; () for an object that is not there yet, or whose dry run could not be asked for.
        refusal: Why the server would refuse the write, or "".
        conflict: Whose fields the write would take over: it needs --force-conflicts. `changes` are those with it.
    """

    step: Step
    node: Node
    changes: tuple[Change, ...]
    refusal: str = ""
    conflict: str = ""

    @property
    def is_refused(self) -> bool:
        """Whether a deploy would end before its first write for it, unless it was told otherwise."""
        return bool(self.refusal or self.conflict)


def differences(requests: Requests, graph: Graph, decided: Plan, *, workers: int) -> tuple[ObjectDifference, ...]:
    """Every object that would be written, in graph order. Two requests for each that is there already; no writes.

    Raises: OperationFailed: one may not be read. ClusterUnreachable.
    """
    with ThreadPoolExecutor(workers) as pool:
        return tuple(pool.map(lambda step: _one(requests, graph[step.node], step), decided.changes))


def _one(requests: Requests, node: Node, step: Step) -> ObjectDifference:
    if not step.uid:
        return ObjectDifference(step, node, ())
    live = requests.read(node.ref)
    if live.status == 404:  # it went since the plan was made, as a Job does by its TTL: it will be made anew
        return ObjectDifference(step._replace(uid=""), node, ())
    if live.status != 200:
        raise OperationFailed(f"{node.ref} cannot be read: {': '.join(refusal(live))}")
    wanted = trial(node, step)
    answer, conflict = requests.apply(wanted, dry_run=True), ""
    if is_conflict(answer):
        conflict = refused(answer, node)
        answer = requests.apply(wanted, dry_run=True, force=True)
    if answer.status >= 300:
        return ObjectDifference(step, node, (), refused(answer, node))
    if step.action in ANEW:
        return ObjectDifference(step, node, difference(_anonymous(live.body), _anonymous(answer.body)))
    return ObjectDifference(step, node, difference(live.body, answer.body), conflict=conflict)


def _anonymous(job: Mapping[str, Any]) -> dict[str, Any]:
    """A Job without its name and what the server derives from name and UID."""
    spec = {key: value for key, value in job["spec"].items() if key not in ("selector", "manualSelector")}
    template = spec.get("template") or {}
    metadata = template.get("metadata") or {}
    labels = {key: value for key, value in (metadata.get("labels") or {}).items() if key not in _OF_THE_JOB}
    kept = {key: value for key, value in metadata.items() if key != "creationTimestamp"}
    spec["template"] = {**template, "metadata": {**kept, "labels": labels}}
    return {**job, "metadata": {**job["metadata"], "name": ""}, "spec": spec}

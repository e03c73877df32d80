"""The dry run of one step: what is sent to learn what the server would say, without changing anything."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import NamedTuple

from bakery_ops.model.content import stamped
from bakery_ops.model.contract import FIELD_MANAGER
from bakery_ops.model.graph import Graph, Node
from bakery_ops.model.manifest import Manifest
from bakery_ops.rules.handover import with_replicas
from bakery_ops.rules.plan import ANEW, Step
from bakery_ops.rules.restarts import RESTART_MANAGER, restart
from bakery_ops.workflows.ports import Answer, Requests
from bakery_ops.workflows.rollout_requests import refusal

_SUFFIX = "-trial"
_LONGEST_NAME = 63


class Refusal(NamedTuple):
    """A step that the server would refuse. `status`: its HTTP status; `text`: the object and why."""

    step: Step
    status: int
    text: str


def refusals(requests: Requests, graph: Graph, steps: Sequence[Step], *, force: bool, workers: int) -> list[Refusal]:
    """Try every step with a dry run; those that the server would refuse, in the same order."""

    def ask(step: Step) -> Refusal | None:
        node = graph[step.node]
        answer = requests.apply(trial(node, step), dry_run=True, force=force, manager=manager(step))
        return None if answer.status < 300 else Refusal(step, answer.status, f"{node.ref}: {refused(answer, node)}")

    with ThreadPoolExecutor(workers) as pool:
        return [found for found in pool.map(ask, steps) if found is not None]


def trial(node: Node, step: Step) -> Manifest:
    """What to send with dryRun. What will be deleted first goes under a name of its own, as the new object it will be.

    A field of it is immutable, so under its own name the server would refuse whatever it holds; and a refusal that
    comes only after the old object was deleted comes too late.
    """
    if step.restart:
        return restart(node.manifest, step.restart, step.uid)
    manifest = stamped(node.manifest, step.content_hash)
    if step.replicas is not None:
        return with_replicas(manifest, step.replicas)
    if step.action not in ANEW:
        return manifest
    name = trial_name(node.ref.name)
    body = {**manifest.body, "metadata": {**manifest.body["metadata"], "name": name}}
    return replace(manifest, ref=node.ref._replace(name=name), body=body)


def manager(step: Step) -> str:
    """Under whose name the step will be sent, and so is tried."""
    return RESTART_MANAGER if step.restart else FIELD_MANAGER


def trial_name(name: str) -> str:
    """A name that no object of the render has, within what a label value may hold."""
    return f"{name[: _LONGEST_NAME - len(_SUFFIX)].rstrip('-.')}{_SUFFIX}"


def refused(answer: Answer, node: Node) -> str:
    """Why the server would refuse the step, in words about the object itself."""
    return ": ".join(refusal(answer)).replace(trial_name(node.ref.name), node.ref.name)


def is_conflict(answer: Answer) -> bool:
    """Whether the server refuses only because other managers own fields that would be set."""
    return answer.status == 409 and refusal(answer)[0] == "FieldConflict"

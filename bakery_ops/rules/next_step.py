"""The one command to type next for a cause: exact, with its context, ready to be copied."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from typing import NamedTuple

from bakery_ops.model.manifest import ObjectRef
from bakery_ops.rules import outages
from bakery_ops.rules.diagnosis import RootCause


class Address(NamedTuple):
    """Where a run went. `kubeconfig`: the file kubectl has to be told of, or "". `invoke`: the flags with which our own
    commands go there too; () for manifests that are not of a profile. `is_passing`: it is gone when the run ends."""

    context: str
    kubeconfig: str = ""
    invoke: tuple[str, ...] = ()
    is_passing: bool = False


def next_step(cause: RootCause, ref: ObjectRef, address: Address) -> str:
    """The command that shows most of what is still to be known, or puts it right where that is certain.

    Args: ref: The object of the cause's node (of a merged cause: of its first member).
    """
    if address.is_passing:
        return "docs/rehearse.md says how to deploy it to a sandbox that stays, to look at it there"
    if cause.node == outages.DNS:
        system = ObjectRef("", "Pod", outages.SYSTEM, "")
        return _kubectl(address, system, "get", "pods", "--selector", outages.DNS_SELECTOR)
    if cause.node == outages.NODES:
        return _kubectl(address, ref, "describe", "nodes")
    if cause.state == "is held":
        return _kubectl(address, ref, *_RESUME.get(ref.kind, ("describe",)), str(ref))
    if any(missing.kind == "Secret" for evidence in cause.evidence[:1] for missing in evidence.names):
        if address.invoke:
            return shlex.join(("./invoke", "secrets", *address.invoke))
        return _kubectl(address, ref, "get", "secrets")
    if "failed calling webhook" in cause.message:
        return _kubectl(address, ref, "get", _WEBHOOKS)
    words = _BY_REASON.get(cause.reason, _describe)
    return _kubectl(address, ref, *words(cause, ref))


def _kubectl(address: Address, ref: ObjectRef, *words: str) -> str:
    place = ("--kubeconfig", address.kubeconfig) if address.kubeconfig else ()
    namespace = ("-n", ref.namespace) if ref.namespace and words[1] not in _CLUSTER_SCOPED else ()
    return shlex.join(("kubectl", *place, "--context", address.context, *namespace, *words))


_WEBHOOKS = "validatingwebhookconfigurations,mutatingwebhookconfigurations"
_CLUSTER_SCOPED = frozenset({"nodes", "storageclasses", _WEBHOOKS})
_RESUME: Mapping[str, tuple[str, ...]] = {
    "Deployment": ("rollout", "resume"),
    "Job": ("patch", "--patch", '{"spec":{"suspend":false}}'),
}

Words = Callable[[RootCause, ObjectRef], tuple[str, ...]]


def _describe(cause: RootCause, ref: ObjectRef) -> tuple[str, ...]:
    return ("describe", cause.evidence[0].subject if cause.evidence else str(ref))


def _logs(cause: RootCause, ref: ObjectRef) -> tuple[str, ...]:
    evidence = cause.evidence[0] if cause.evidence else None
    if evidence is None or not evidence.subject.startswith("pod/"):
        return ("logs", str(ref), "--all-containers", "--tail", "50")
    container = ("--container", evidence.container) if evidence.container else ("--all-containers",)
    return ("logs", evidence.subject, *container)


def _previous_logs(cause: RootCause, ref: ObjectRef) -> tuple[str, ...]:
    words = _logs(cause, ref)
    return (*words, "--previous") if "--container" in words else words


def _managers(_cause: RootCause, ref: ObjectRef) -> tuple[str, ...]:
    return ("get", str(ref), "--output", "yaml", "--show-managed-fields")


_BY_REASON: Mapping[str, Words] = {
    "CrashLoopBackOff": _previous_logs,
    "OOMKilled": _previous_logs,
    "Unhealthy": _previous_logs,
    "Error": _logs,
    "BackoffLimitExceeded": _logs,
    "DeadlineExceeded": _logs,
    "Unschedulable": lambda _cause, _ref: ("describe", "nodes"),
    "NodeNotReady": lambda _cause, _ref: ("describe", "nodes"),
    "StorageClassMissing": lambda _cause, _ref: ("get", "storageclasses"),
    "Conflict": _managers,
    "FieldConflict": _managers,
    # The object is gone; what the cluster still remembers of it are its events.
    "OutcomeUnknown": lambda _cause, ref: ("events", "--for", str(ref)),
}

"""The one way in: from what is seen of a node to its verdict. Common checks first, then the rule of its kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bakery_ops.model.contract import CONTENT_HASH
from bakery_ops.model.kinds import group_of
from bakery_ops.model.live import LiveObject
from bakery_ops.rules.readiness import (
    autoscaling,
    bare_pods,
    configuration,
    extensions,
    gates,
    jobs,
    network,
    sets,
    storage,
    workloads,
)
from bakery_ops.rules.readiness.conditions import by_convention
from bakery_ops.rules.readiness.look import Look
from bakery_ops.rules.readiness.observation import Memory, Observation
from bakery_ops.rules.readiness.reading import Reading, progressing
from bakery_ops.rules.verdict import Judgement, Verdict

Rule = Callable[[Look, Any], Reading]

RULES: Mapping[tuple[str, str], Rule] = {
    ("apps", "Deployment"): workloads.deployment,
    ("apps", "ReplicaSet"): workloads.replica_set,
    ("", "ReplicationController"): workloads.replica_set,
    ("apps", "StatefulSet"): sets.stateful_set,
    ("apps", "DaemonSet"): sets.daemon_set,
    ("batch", "Job"): jobs.job,
    ("batch", "CronJob"): jobs.cron_job,
    ("", "Pod"): bare_pods.bare_pod,
    ("", "PersistentVolumeClaim"): storage.claim,
    ("", "Service"): network.service,
    ("networking.k8s.io", "Ingress"): network.ingress,
    ("autoscaling", "HorizontalPodAutoscaler"): autoscaling.autoscaler,
    ("policy", "PodDisruptionBudget"): autoscaling.disruption_budget,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): extensions.definition,
    ("apiregistration.k8s.io", "APIService"): extensions.api_service,
    ("", "Namespace"): configuration.namespace,
    ("", "Secret"): configuration.secret,
}

# Groups of Kubernetes itself: a kind of theirs without a rule is Ready when it exists. Any other group is custom.
_BUILT_IN = frozenset(
    {
        "",
        "apps",
        "batch",
        "autoscaling",
        "policy",
        *(
            f"{name}.k8s.io"
            for name in (
                "admissionregistration",
                "apiextensions",
                "apiregistration",
                "certificates",
                "coordination",
                "discovery",
                "events",
                "flowcontrol.apiserver",
                "networking",
                "node",
                "rbac.authorization",
                "resource",
                "scheduling",
                "storage",
            )
        ),
    }
)


def judge(observation: Observation, memory: Memory) -> tuple[Judgement, Memory]:
    """What to think of a node now, and what to remember for the next time.

    Deterministic, and independent of the order of children, related objects and events. Call it when something of
    the node changes, when a dependency becomes Ready or stops being so, when a stream is synced anew, and at
    `wake_at`.
    """
    look = Look(observation, memory)
    reading = gates.missing(look) if observation.live is None else _read(look, observation.live)
    reached = look.reach(f"{look.uid} {reading.revision}", reading.counters)
    is_ready = reading.verdict is Verdict.READY
    wakes = [at for at in look.wakes if at > look.now]
    judgement = Judgement(
        reading.verdict,
        reading.message,
        () if is_ready else tuple(weighed.evidence for weighed in reading.evidence),
        reading.waiting_for,
        reading.held,
        None if is_ready else min(wakes, default=None),
        reached,
        reading.warnings,
        reading.restarts,
    )
    return judgement, look.memory(reached)


def rule_of(live: LiveObject) -> Rule:
    group = group_of(live.api_version)
    default: Rule = configuration.existing if group in _BUILT_IN else extensions.custom_resource
    return RULES.get((group, live.kind), default)


def _read(look: Look, live: LiveObject) -> Reading:
    """The order of checks; the first that answers wins."""
    reading = (
        gates.replaced(look, live)
        or gates.terminating(look, live)
        or gates.unobserved(look, live)
        or _other_version(look, live)
        or by_convention(look, live)
        or rule_of(live)(look, live)
    )
    return gates.superseded(look, live, reading)


def _other_version(look: Look, live: LiveObject) -> Reading | None:
    """Kinds without observedGeneration are bound by our hash: the cache may still show the version before our apply."""
    applied = look.observation.applied
    if isinstance(live, gates.OBSERVED):
        return None
    noted = live.metadata.annotations.get(CONTENT_HASH, "")
    if applied is None or not noted or not applied.content_hash or noted == applied.content_hash:
        return None
    return progressing("shows another version than the one we applied")

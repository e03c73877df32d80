"""`health.*`: gather what the routine checks look at; nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bakery_ops.errors import OperationFailed
from bakery_ops.model.manifest import ObjectRef
from bakery_ops.rules import health
from bakery_ops.rules.acceptance import CheckResult
from bakery_ops.rules.health import Use
from bakery_ops.rules.readiness.observation import ClusterFacts
from bakery_ops.rules.reports import VerifyReport
from bakery_ops.workflows.ports import Clock, Requests

Verify = Callable[[Sequence[str]], VerifyReport]
"""Runs the acceptance checks of these names, all of them for ()."""

_METRICS = ObjectRef("metrics.k8s.io", "PodMetrics", "", "")


def daily(requests: Requests, clock: Clock, namespace: str, verify: Verify) -> VerifyReport:
    """The acceptance checks, memory use, and the warnings of a day."""
    accepted = verify(())
    results = (
        health.memory_use(_uses(requests, namespace)),
        health.warning_events(requests.list("", "Event", namespace), clock.now()),
    )
    return VerifyReport((*accepted.results, *results), accepted.seconds)


def weekly(requests: Requests, clock: Clock, namespace: str) -> VerifyReport:
    """Jobs that ended long ago, what the autoscalers did, and the volumes."""
    began = clock.now()
    results = (
        health.finished_jobs(requests.list("batch", "Job", namespace), began),
        health.autoscaler_activity(requests.list("autoscaling", "HorizontalPodAutoscaler", namespace), began),
        health.volume_use(requests.list("", "PersistentVolumeClaim", namespace)),
    )
    return VerifyReport(results, clock.now() - began)


def monthly(requests: Requests, clock: Clock, namespace: str, facts: ClusterFacts, verify: Verify) -> VerifyReport:
    """Sizes, certificates and secrets, and what this tool does not do."""
    began = clock.now()
    results: tuple[CheckResult, ...] = (
        health.sizing(_uses(requests, namespace), sum(machine.memory for machine in facts.machines)),
        *verify(("credentials-valid",)).results,
        health.secret_age(requests.metadata("", "Secret", namespace), began),
        health.backup_drill(),
    )
    return VerifyReport(results, clock.now() - began)


def _uses(requests: Requests, namespace: str) -> tuple[Use, ...] | None:
    """None where the metrics API is not served, or does not answer."""
    if not requests.served([_METRICS])[_METRICS.group, _METRICS.kind]:
        return None
    try:
        metrics: Sequence[Mapping[str, Any]] = requests.list(_METRICS.group, _METRICS.kind, namespace)
    except OperationFailed:
        return None
    return health.uses(requests.list("", "Pod", namespace), metrics)

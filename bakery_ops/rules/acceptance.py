"""The acceptance contract: what must hold before a deploy may be called a success.

Each check is one function from facts to a result, listed in `CHECKS` under its stable name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from bakery_ops.model.content import content_hash, recorded_hash
from bakery_ops.model.contract import Stage
from bakery_ops.model.graph import Graph
from bakery_ops.model.live import Pod
from bakery_ops.model.manifest import ObjectRef
from bakery_ops.model.recorded import keeps_values
from bakery_ops.model.secrets import SecretRow, SecretState
from bakery_ops.model.words import amount, unknown
from bakery_ops.rules.claims import claims
from bakery_ops.rules.drift import drift
from bakery_ops.rules.verdict import Judgement, Verdict

_UNMEASURED = "not asked over HTTP, because nothing changed: invoke verify asks"
_UNLISTED = "not listed, because nothing changed and the pods that mount them are ready: invoke verify lists them"
HEALTH_LIMIT = 0.2  # seconds; platform contract, "/health/ready under 200 ms"


class CheckState(Enum):
    PASSED = "passed"
    WARNING = "warning"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One line of `verify`: its stable name, how it went, what was seen, and what to do."""

    name: str
    state: CheckState
    message: str
    evidence: tuple[str, ...] = ()
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What a GET through the service proxy brought; status 0: nothing answered. `seconds`: of the best try."""

    status: int
    body: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Facts:
    """All that the checks look at, read once.

    Attributes:
        judgements: Node name -> what readiness says of it now.
        health: Service node name -> answer of its /health/ready.
        edge: Answer of the edge's "/", or None when the platform has no edge.
        simulated: Containers do not really run on this cluster's nodes, so nothing can answer over HTTP.
        measured: Services were asked over HTTP and volume claims listed; if not, nothing was written, and the checks
            of these are skipped.
        pods: The namespace's pods.
        objects: Whole live objects of the kinds the graph has, and volume claims.
        credentials: How each secret and certificate stands; None: not looked at in this run.
    """

    graph: Graph
    judgements: Mapping[str, Judgement]
    pods: Sequence[Pod]
    health: Mapping[str, HttpAnswer]
    edge: HttpAnswer | None
    simulated: bool = False
    objects: Mapping[ObjectRef, Mapping[str, Any]] = field(default_factory=dict)
    credentials: Sequence[SecretRow] | None = None
    measured: bool = True


Check = Callable[[Facts], CheckResult]


def require_known(names: Sequence[str]) -> None:
    """Raises: UsageError: a name is none of `CHECKS`."""
    for name in names:
        if name not in CHECKS:
            raise unknown("check", name, CHECKS)


def evaluate(facts: Facts, only: Sequence[str] = ()) -> tuple[CheckResult, ...]:
    """Every check (or those named in `only`), in the order of `CHECKS`."""
    return tuple(check(facts) for name, check in CHECKS.items() if not only or name in only)


def passed(results: Sequence[CheckResult]) -> bool:
    return all(result.state is not CheckState.FAILED for result in results)


def may_heal(results: Sequence[CheckResult]) -> bool:
    """Whether looking again after a while may find less amiss. What somebody changed or removed stays so."""
    return any(result.state is CheckState.FAILED and result.name != "nothing-drifted" for result in results)


def _workloads_ready(facts: Facts) -> CheckResult:
    names = [node.name for node in facts.graph.workloads() if not node.ref.is_job]
    return _all_ready("workloads-ready", names, facts, "workloads ready")


def _jobs_complete(facts: Facts) -> CheckResult:
    names = [node.name for node in facts.graph.workloads() if node.ref.is_job]
    return _all_ready("jobs-complete", names, facts, "Jobs complete")


def _volumes_bound(facts: Facts) -> CheckResult:
    """The claims of the render, and those that StatefulSets make of their templates: one a template and replica.

    A claim that no pod mounts yet stays unbound where its class waits for the first one; readiness knows.
    """
    wanted = {ref for node in facts.graph.values() for ref in claims(node)}
    phases = {ref: _phase(facts.objects.get(ref)) for ref in sorted(wanted)}
    unbound = [ref for ref, phase in phases.items() if phase != "Bound"]
    waiting = [ref for ref in unbound if phases[ref] == "Pending" and _is_ready(facts, ref)]
    lost = tuple(f"{ref}: {phases[ref]}" for ref in unbound if ref not in waiting)
    if not wanted:
        return CheckResult("volumes-bound", CheckState.SKIPPED, "the render claims no volume")
    if not facts.measured:
        return CheckResult("volumes-bound", CheckState.SKIPPED, f"{len(wanted)} {_UNLISTED}")
    message = f"{len(wanted) - len(unbound)} of {len(wanted)} volume claims bound"
    message += f"; {len(waiting)} wait for their first pod" if waiting else ""
    state = CheckState.FAILED if lost else CheckState.PASSED
    return CheckResult("volumes-bound", state, message, lost, "invoke deploy.status" if lost else "")


def _is_ready(facts: Facts, ref: ObjectRef) -> bool:
    node = facts.graph.by_ref(ref)
    return node is not None and facts.judgements[node.name].verdict is Verdict.READY


def _phase(claim: Mapping[str, Any] | None) -> str:
    return "missing" if claim is None else str((claim.get("status") or {}).get("phase", "unknown"))


def _all_ready(check: str, names: Sequence[str], facts: Facts, what: str) -> CheckResult:
    lacking = [name for name in names if facts.judgements[name].verdict is not Verdict.READY]
    if not lacking:
        return CheckResult(check, CheckState.PASSED, f"{len(names)} of {len(names)} {what}")
    return CheckResult(
        check,
        CheckState.FAILED,
        f"{len(names) - len(lacking)} of {len(names)} {what}",
        tuple(f"{name}: {_told(facts.judgements[name])}" for name in lacking),
        "invoke deploy",
    )


def _told(judgement: Judgement) -> str:
    if judgement.evidence:
        return f"{judgement.evidence[0].reason}: {judgement.evidence[0].message}"
    return judgement.message or judgement.verdict.value


def _no_restarts(facts: Facts) -> CheckResult:
    killed, restarted = [], []
    evicted = tuple(_told_evicted(pod) for pod in facts.pods if pod.status.reason == "Evicted")
    for pod in facts.pods:
        for container in pod.status.container_statuses or ():
            where = f"pod/{pod.metadata.name} container {container.name}"
            last = container.last_state.terminated if container.last_state else None
            if last is not None and last.reason == "OOMKilled":
                killed.append(f"{where}: OOMKilled at {last.finished_at}")
            elif container.restart_count:
                restarted.append(f"{where}: {amount(container.restart_count, 'restart')}")
    if killed:
        remedy = "raise the memory limit, or find the leak: invoke capacity shows the headroom"
        return CheckResult("no-oom-kills", CheckState.FAILED, f"{len(killed)} OOMKilled", tuple(killed), remedy)
    if restarted or evicted:
        found = [f"restarted since their pod started: {amount(len(restarted), 'container')}"] if restarted else []
        found += [f"evicted: {amount(len(evicted), 'pod')}"] if evicted else []
        return CheckResult("no-oom-kills", CheckState.WARNING, "; ".join(found), (*restarted, *evicted))
    return CheckResult("no-oom-kills", CheckState.PASSED, "no container was OOMKilled or restarted, no pod evicted")


def _told_evicted(pod: Pod) -> str:
    return f"pod/{pod.metadata.name}: Evicted: {_short(pod.status.message)}"


def _health(facts: Facts) -> CheckResult:
    if facts.simulated:
        return CheckResult("health", CheckState.SKIPPED, "nodes are simulated: nothing can answer")
    if not facts.measured:
        return CheckResult("health", CheckState.SKIPPED, f"{_UNMEASURED}; the kubelets' own probes of it succeed")
    wanted = [
        node.name for node in facts.graph.workloads() if node.stage is Stage.MICROSERVICE and node.name in facts.health
    ]
    bad = [f"{name}: {_answered(facts.health[name])}" for name in wanted if not is_healthy(facts.health[name])]
    if bad:
        message = f"{len(wanted) - len(bad)} of {len(wanted)} services answer /health/ready within 200 ms"
        return CheckResult("health", CheckState.FAILED, message, tuple(bad), "kubectl logs the service named above")
    if not wanted:
        return CheckResult("health", CheckState.SKIPPED, "no service with a /health/ready probe")
    slowest = max(facts.health[name].seconds for name in wanted)
    message = f"{len(wanted)} of {len(wanted)} services answer /health/ready (slowest {slowest * 1000:.0f} ms)"
    return CheckResult("health", CheckState.PASSED, message)


def is_healthy(answer: HttpAnswer) -> bool:
    """Answered as the platform contract asks: 200 in time."""
    return answer.status == 200 and answer.seconds <= HEALTH_LIMIT


def _frontend(facts: Facts) -> CheckResult:
    if facts.simulated:
        return CheckResult("frontend", CheckState.SKIPPED, "nodes are simulated: nothing can answer")
    if not facts.measured:
        return CheckResult("frontend", CheckState.SKIPPED, _UNMEASURED)
    if facts.edge is None:
        return CheckResult("frontend", CheckState.SKIPPED, "the render has no gateway")
    if facts.edge.status == 200 and "<html" in facts.edge.body.lower():
        return CheckResult("frontend", CheckState.PASSED, "the frontend answers through the gateway")
    return CheckResult(
        "frontend", CheckState.FAILED, "the frontend does not answer through the gateway", (_answered(facts.edge),)
    )


def _autoscalers(facts: Facts) -> CheckResult:
    names = [node.name for node in facts.graph.values() if node.ref.kind == "HorizontalPodAutoscaler"]
    if not names:
        return CheckResult("autoscalers-active", CheckState.SKIPPED, "the render has no autoscaler")
    blind = [
        f"{name.partition('/')[2]}: {_short('; '.join(judgement.warnings) or _told(judgement))}"
        for name, judgement in ((name, facts.judgements[name]) for name in names)
        if judgement.verdict is not Verdict.READY or judgement.warnings
    ]
    if blind:
        message = f"{len(names) - len(blind)} of {len(names)} autoscalers see their metrics"
        state = CheckState.WARNING
        return CheckResult(
            "autoscalers-active", state, message, tuple(blind), "metrics may take 3 minutes; verify again"
        )
    return CheckResult("autoscalers-active", CheckState.PASSED, f"{len(names)} of {len(names)} autoscalers active")


def _nothing_drifted(facts: Facts) -> CheckResult:
    """Of what we applied: a field somebody took, or an object somebody removed, is a failure. Manifests that are newer
    than what was applied are not: they only wait for a deploy."""
    drifted, newer, foreign = [], [], 0
    for node in facts.graph.values():
        live = facts.objects.get(node.ref)
        if live is None:
            drifted += [] if node.ref.is_job else [f"{node.ref}: is missing"]  # a TTL removes finished Jobs
        elif not (applied := recorded_hash(live)):
            foreign += 1
        elif keeps_values(node.manifest):
            continue  # a rollback leaves the Secret as it is: its values were not recorded
        elif applied != content_hash(node.manifest):
            newer.append(f"{node.ref}: the manifest has changed since it was applied")
        else:
            drifted += [f"{node.ref}: {lost}" for lost in drift(node.manifest, live)[:1]]
    remedy = "invoke deploy.plan shows each field; invoke deploy puts them right"
    if drifted:
        message = f"{len(drifted)} of {len(facts.graph)} objects are not as they were applied"
        return CheckResult("nothing-drifted", CheckState.FAILED, message, (*drifted, *newer), remedy)
    if newer:
        message = f"{len(newer)} manifests are newer than what was applied"
        return CheckResult("nothing-drifted", CheckState.WARNING, message, tuple(newer), remedy)
    if foreign == len(facts.graph):
        return CheckResult("nothing-drifted", CheckState.SKIPPED, "another tool applied these objects")
    return CheckResult("nothing-drifted", CheckState.PASSED, f"{len(facts.graph)} objects are as they were applied")


def _credentials_valid(facts: Facts) -> CheckResult:
    if facts.credentials is None:
        return CheckResult("credentials-valid", CheckState.SKIPPED, "made sure of before; invoke verify looks again")
    rows = facts.credentials
    bad = tuple(_of(row) for row in rows if row.state in (SecretState.MISSING, SecretState.WRONG))
    doubtful = tuple(_of(row) for row in rows if row.state is SecretState.WARNING)
    message = f"{len(rows) - len(bad) - len(doubtful)} of {len(rows)} secrets and certificates valid"
    if not rows:
        return CheckResult("credentials-valid", CheckState.SKIPPED, "the render refers to no secret of the platform")
    state = CheckState.FAILED if bad else CheckState.WARNING if doubtful else CheckState.PASSED
    return CheckResult("credentials-valid", state, message, (*bad, *doubtful), "invoke tls.check" if bad else "")


def _of(row: SecretRow) -> str:
    return f"{row.name}: {'; '.join(row.notes) or row.state.value}"


def _short(text: str, limit: int = 160) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _answered(answer: HttpAnswer) -> str:
    if not answer.status:
        return f"no answer ({answer.body[:200]})"
    return f"{answer.status} in {answer.seconds * 1000:.0f} ms: {answer.body[:200]}"


CHECKS: Mapping[str, Check] = {
    "workloads-ready": _workloads_ready,
    "jobs-complete": _jobs_complete,
    "volumes-bound": _volumes_bound,
    "no-oom-kills": _no_restarts,
    "health": _health,
    "frontend": _frontend,
    "autoscalers-active": _autoscalers,
    "nothing-drifted": _nothing_drifted,
    "credentials-valid": _credentials_valid,
}

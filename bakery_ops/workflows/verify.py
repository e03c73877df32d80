"""`verify`: gather the facts, let the acceptance rules judge them, return the results."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeGuard

from bakery_ops.errors import ClusterUnreachable
from bakery_ops.model.contract import Stage
from bakery_ops.model.graph import Graph, Node
from bakery_ops.model.live import Pod
from bakery_ops.model.manifest import ObjectRef
from bakery_ops.model.secrets import SecretRow
from bakery_ops.rules import acceptance
from bakery_ops.rules.acceptance import Facts, HttpAnswer
from bakery_ops.rules.readiness.observation import ClusterFacts
from bakery_ops.rules.reports import VerifyReport
from bakery_ops.workflows.observe import Done, judge_now
from bakery_ops.workflows.ports import Clock, Requests

READY_PATH = "/health/ready"
_TRIES = 3  # the best of them: the first answer of a cold connection measures the proxy, not the service
_PARALLEL = 4
PATIENCE = 45.0  # seconds: ten failed probes a second apart, and as long again to come back
_PAUSE = 3.0


def verify_settled(
    requests: Requests,
    graph: Graph,
    clock: Clock,
    facts: ClusterFacts,
    *,
    simulated: bool,
    done: Done,
    patience: float = PATIENCE,
) -> VerifyReport:
    """As `verify`, repeated while it finds failures that may heal and `patience` (seconds) lasts; the last one counts.

    Right after a change, endpoints and probes trail behind what the controllers report; a failure that lasts is one.
    """
    until = clock.now() + patience
    while True:
        report = verify(requests, graph, clock, facts, simulated=simulated, done=done)
        if not acceptance.may_heal(report.results) or clock.now() + _PAUSE > until:
            return report
        clock.sleep(_PAUSE)


def verify(
    requests: Requests,
    graph: Graph,
    clock: Clock,
    facts: ClusterFacts,
    *,
    simulated: bool,
    only: Sequence[str] = (),
    credentials: Callable[[], Sequence[SecretRow]] | None = None,
    done: Done,
) -> VerifyReport:
    """Run the acceptance checks (all, or those named in `only`) against the cluster. Writes nothing.

    `credentials` looks at every secret and certificate; None leaves them out of this run, and the report says so.
    `done`: Jobs known to have completed; a TTL may have removed them.
    """
    began = clock.now()
    standing = judge_now(requests, graph, clock, facts, done=done)
    probes = {} if simulated else dict(_probed(graph))
    with ThreadPoolExecutor(_PARALLEL) as pool:
        answers = dict(zip(probes, pool.map(lambda service: _ask(requests, service), probes.values()), strict=True))
    gateway = _gateway(graph)
    results = acceptance.evaluate(
        Facts(
            graph=graph,
            judgements=standing.judgements,
            pods=[pod for pod in standing.snapshot.structs(["Pod"]) if isinstance(pod, Pod)],
            health=answers,
            edge=None if gateway is None or simulated else _get(requests, gateway, "/"),
            simulated=simulated,
            objects=standing.snapshot.objects,
            credentials=credentials() if credentials and (not only or "credentials-valid" in only) else None,
        ),
        only,
    )
    return VerifyReport(results, clock.now() - began)


def _probed(graph: Graph) -> Iterable[tuple[str, Node]]:
    """(workload, its Service) for every microservice that the kubelet too asks for /health/ready."""
    for workload in graph.workloads():
        service = graph.by_ref(ObjectRef("", "Service", workload.ref.namespace, workload.ref.name))
        if workload.stage is Stage.MICROSERVICE and _can_be_asked(service) and _has_ready_path(workload):
            yield workload.name, service


def _can_be_asked(service: Node | None) -> TypeGuard[Node]:
    """A headless Service may have no ports, and one that is a name elsewhere (ExternalName) has none."""
    return service is not None and bool(service.manifest.spec.get("ports"))


def _has_ready_path(workload: Node) -> bool:
    containers = (workload.manifest.pod_spec or {}).get("containers") or []
    return any(
        ((container.get("readinessProbe") or {}).get("httpGet") or {}).get("path") == READY_PATH
        for container in containers
    )


def _gateway(graph: Graph) -> Node | None:
    services = (node for node in graph.values() if node.ref.kind == "Service" and node.ref.name == "gateway")
    return next((node for node in services if _can_be_asked(node)), None)


def _ask(requests: Requests, service: Node) -> HttpAnswer:
    """One good answer is enough; a slow or failed one is asked for again before it counts."""
    answers = []
    for _ in range(_TRIES):
        answers.append(_get(requests, service, READY_PATH))
        if acceptance.is_healthy(answers[-1]):
            break
    good = [answer for answer in answers if answer.status == 200]
    return min(good or answers, key=lambda answer: answer.seconds)


def _get(requests: Requests, service: Node, path: str) -> HttpAnswer:
    port = service.manifest.spec["ports"][0]
    try:
        status, body, seconds = requests.proxy_get(
            service.ref.namespace, service.ref.name, str(port.get("name") or port["port"]), path
        )
    except ClusterUnreachable as error:
        return HttpAnswer(0, str(error), 0.0)
    return HttpAnswer(status, body.decode("utf-8", "replace"), seconds)

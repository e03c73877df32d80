"""Service and Ingress: is there anybody behind them?"""

from __future__ import annotations

from bakery_ops.model.live import (
    SERVICE_NAME,
    DaemonSet,
    Deployment,
    EndpointSlice,
    Ingress,
    Pod,
    ReplicaSet,
    Secret,
    Service,
    StatefulSet,
)
from bakery_ops.rules.readiness.look import Look, subject_of
from bakery_ops.rules.readiness.reading import Reading, progressing, ready
from bakery_ops.rules.readiness.workloads import desired_of


def service(look: Look, live: Service) -> Reading:
    """Ready when it has its address and, once the workload behind it should run, an endpoint that is ready."""
    spec = live.spec
    if spec.type == "ExternalName":
        return ready("external name")
    if not spec.cluster_ip:
        return progressing("has no cluster IP yet")
    warnings: tuple[str, ...] = ()
    if spec.type == "LoadBalancer" and not live.status.load_balancer.ingress and not spec.external_ips:
        if not look.cluster.is_local:
            return progressing("waits for the load balancer's address")
        warnings = (f"{subject_of(live)} has no load balancer address",)
    if not spec.selector:
        return ready("has its address", warnings=warnings)
    count = ready_endpoints(look, live.metadata.namespace, live.metadata.name)
    if count:
        return ready(f"{count} endpoint{'' if count == 1 else 's'} ready", warnings=warnings)
    wanted = _wanted_pods(look)
    if wanted is None and look.observation.node.relies:
        return ready("has its address", warnings=warnings)  # its workload is not there, which is that one's to tell
    if wanted is None:
        nobody = f"{subject_of(live)} has no endpoint, and no workload of this deploy is behind it"
        return ready("has its address", warnings=(*warnings, nobody))
    if wanted == 0:
        return ready("nobody should run behind it", warnings=warnings)
    return progressing("no endpoint is ready", warnings=warnings, counters=(0,))


def ready_endpoints(look: Look, namespace: str, name: str) -> int:
    """Ready endpoints in the Service's slices. The API says: an endpoint that does not say is ready."""
    return sum(
        endpoint.conditions.ready is not False
        for other in look.observation.related
        if isinstance(other, EndpointSlice)
        and other.metadata.namespace == namespace
        and other.metadata.labels.get(SERVICE_NAME) == name
        for endpoint in other.endpoints or ()
    )


def _wanted_pods(look: Look) -> int | None:
    """How many pods the workloads behind the Service should have; None when none is known."""
    counts: list[int] = []
    for other in look.observation.related:
        if isinstance(other, Deployment | StatefulSet | ReplicaSet):
            counts.append(desired_of(other.spec.replicas))
        elif isinstance(other, DaemonSet):
            counts.append(other.status.desired_number_scheduled or 0)
        elif isinstance(other, Pod):
            counts.append(1)
    return sum(counts) if counts else None


def ingress(look: Look, live: Ingress) -> Reading:
    """Ready when its class, its backends and its certificate are there. Many controllers never fill in an address."""
    classes, wanted = look.cluster.ingress_classes, live.spec.ingress_class_name
    if classes is not None and wanted and wanted not in classes:
        return progressing(f'IngressClass "{wanted}" does not exist')
    missing = [f"secret/{tls.secret_name}" for tls in live.spec.tls if _is_known_missing(look, tls.secret_name)]
    if missing:
        return progressing(f"waits for {missing[0]}")
    namespace = live.metadata.namespace
    known = {other.metadata.name: other for other in look.observation.related if isinstance(other, Service)}
    for name in _backends(live):
        backend = known.get(name)
        if backend is not None and backend.spec.selector and not ready_endpoints(look, namespace, name):
            return progressing(f"service/{name} has no ready endpoint")
    if live.status.load_balancer.ingress:
        return ready("has its address")
    return ready("its backends are ready", warnings=(f"{subject_of(live)} has no address yet",))


def _backends(live: Ingress) -> list[str]:
    paths = [path for rule in live.spec.rules if rule.http is not None for path in rule.http.paths]
    backends = [path.backend for path in paths] + ([live.spec.default_backend] if live.spec.default_backend else [])
    return sorted({backend.service.name for backend in backends if backend.service is not None})


def _is_known_missing(look: Look, name: str) -> bool:
    """Secrets were looked at, and this one is not among them."""
    secrets = {other.metadata.name for other in look.observation.related if isinstance(other, Secret)}
    return bool(secrets) and bool(name) and name not in secrets

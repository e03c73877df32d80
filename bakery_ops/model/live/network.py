"""Volume claims, autoscalers, Services, Ingresses and disruption budgets."""

from __future__ import annotations

from typing import Any

import msgspec

from bakery_ops.model.live.base import Condition, Live, Shape


class ClaimSpec(Shape, frozen=True):
    storage_class_name: str | None = None
    volume_name: str = ""


class ClaimStatus(Shape, frozen=True):
    phase: str = ""
    conditions: tuple[Condition, ...] = ()


class PersistentVolumeClaim(Live, frozen=True):
    spec: ClaimSpec = ClaimSpec()
    status: ClaimStatus = ClaimStatus()


class AutoscalerStatus(Shape, frozen=True):
    observed_generation: int | None = None
    conditions: tuple[Condition, ...] | None = None


class HorizontalPodAutoscaler(Live, frozen=True):
    status: AutoscalerStatus = AutoscalerStatus()


class ServiceSpec(Shape, frozen=True):
    type: str = "ClusterIP"
    cluster_ip: str = msgspec.field(default="", name="clusterIP")
    selector: dict[str, str] = msgspec.field(default_factory=dict)
    external_ips: tuple[str, ...] = msgspec.field(default=(), name="externalIPs")


class LoadBalancerStatus(Shape, frozen=True):
    ingress: tuple[dict[str, Any], ...] = ()


class BalancedStatus(Shape, frozen=True):
    """Of Service and Ingress."""

    load_balancer: LoadBalancerStatus = LoadBalancerStatus()
    conditions: tuple[Condition, ...] = ()


class Service(Live, frozen=True):
    spec: ServiceSpec = ServiceSpec()
    status: BalancedStatus = BalancedStatus()


class EndpointConditions(Shape, frozen=True):
    ready: bool | None = None


class Endpoint(Shape, frozen=True):
    conditions: EndpointConditions = EndpointConditions()


SERVICE_NAME = "kubernetes.io/service-name"
"""Label of an EndpointSlice: whose endpoints these are."""


class EndpointSlice(Live, frozen=True):
    endpoints: tuple[Endpoint, ...] | None = None


class BackendService(Shape, frozen=True):
    name: str = ""


class IngressBackend(Shape, frozen=True):
    service: BackendService | None = None


class IngressPath(Shape, frozen=True):
    backend: IngressBackend = IngressBackend()


class IngressHttp(Shape, frozen=True):
    paths: tuple[IngressPath, ...] = ()


class IngressRule(Shape, frozen=True):
    http: IngressHttp | None = None


class IngressTls(Shape, frozen=True):
    secret_name: str = ""


class IngressSpec(Shape, frozen=True):
    ingress_class_name: str | None = None
    default_backend: IngressBackend | None = None
    rules: tuple[IngressRule, ...] = ()
    tls: tuple[IngressTls, ...] = ()


class Ingress(Live, frozen=True):
    spec: IngressSpec = IngressSpec()
    status: BalancedStatus = BalancedStatus()


class BudgetStatus(Shape, frozen=True):
    observed_generation: int | None = None
    disruptions_allowed: int = 0
    current_healthy: int = 0
    expected_pods: int = 0
    conditions: tuple[Condition, ...] = ()


class PodDisruptionBudget(Live, frozen=True):
    status: BudgetStatus = BudgetStatus()

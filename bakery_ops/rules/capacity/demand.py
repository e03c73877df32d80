"""What a pod asks the scheduler for (Kubernetes documentation: "Resource sharing within containers", "LimitRange")."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bakery_ops.errors import UsageError
from bakery_ops.model.manifest import Manifest
from bakery_ops.model.quantities import milli_cpu, whole
from bakery_ops.model.references import listed

Amounts = Mapping[str, int]
"""Resource -> amount: "cpu" in thousandths of a core, everything else in bytes or pieces."""

CPU, MEMORY, PODS, EPHEMERAL = "cpu", "memory", "pods", "ephemeral-storage"


@dataclass(frozen=True, slots=True)
class Demand:
    """One pod as the scheduler sees it.

    Attributes:
        name: Of the graph's node that starts it; several pods may share it.
        request: What must be free on a node. `limit`: what it may use; a missing key is unlimited.
        priority: Higher ones are placed first, and may push lower ones out.
        labels: Of the pod, for the affinity of others. `spec`: the pod spec, for selectors and tolerations.
        pinned: The only cluster node it may run on (a DaemonSet's pod), or "".
    """

    name: str
    namespace: str
    request: Amounts
    limit: Amounts = field(default_factory=dict)
    priority: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)
    spec: Mapping[str, Any] = field(default_factory=dict)
    pinned: str = ""


@dataclass(frozen=True, slots=True)
class Defaults:
    """What LimitRanges of a namespace fill in and demand, per container."""

    request: Mapping[str, Any] = field(default_factory=dict)
    limit: Mapping[str, Any] = field(default_factory=dict)


def defaults(limit_ranges: Iterable[Manifest]) -> Mapping[str, Defaults]:
    """Namespace -> what its LimitRanges fill into containers. A default limit is also the default request."""
    found: dict[str, Defaults] = {}
    for manifest in limit_ranges:
        for item in listed(manifest.spec, "limits"):
            if item.get("type") == "Container":
                limit = item.get("default") or {}
                request = {**limit, **(item.get("defaultRequest") or {})}
                known = found.get(manifest.ref.namespace, Defaults())
                found[manifest.ref.namespace] = Defaults({**request, **known.request}, {**limit, **known.limit})
    return found


def pod_request(spec: Mapping[str, Any], fill: Defaults | None = None) -> Amounts:
    """overhead + max(all that run together, each init container with the sidecars started before it).

    A sidecar is an init container with `restartPolicy: Always`. Where the pod itself states requests, they win.
    """
    fill = fill or Defaults()
    running = _sum(_request(container, fill) for container in listed(spec, "containers"))
    sidecars: Amounts = {}
    peak: Amounts = {}
    for container in listed(spec, "initContainers"):
        own = _request(container, fill)
        if container.get("restartPolicy") == "Always":
            sidecars = _sum((sidecars, own))
            peak = _greater(peak, sidecars)
        else:
            peak = _greater(peak, _sum((sidecars, own)))
    total = dict(_greater(_sum((running, sidecars)), peak))
    stated = (spec.get("resources") or {}).get("requests") or (spec.get("resources") or {}).get("limits") or {}
    total.update(amounts(stated))
    return _sum((total, amounts(spec.get("overhead") or {})))


def pod_limit(spec: Mapping[str, Any], fill: Defaults | None = None) -> Amounts:
    """The sum of limits of what runs together; a resource that one container leaves open is left out."""
    fill = fill or Defaults()
    together = [*listed(spec, "containers")]
    together += [each for each in listed(spec, "initContainers") if each.get("restartPolicy") == "Always"]
    each = [_limit(container, fill) for container in together]
    bounded = set.intersection(*(set(limit) for limit in each)) if each else set()
    return {resource: sum(limit[resource] for limit in each) for resource in bounded}


def amounts(resources: Mapping[str, Any]) -> Amounts:
    """Quantities as whole numbers; what is no quantity counts 0 here and is reported by the rule on quantities."""
    found: dict[str, int] = {}
    for resource, value in resources.items():
        try:
            found[resource] = milli_cpu(value) if resource == CPU else whole(value)
        except UsageError:
            found[resource] = 0
    return found


def add(left: Amounts, right: Amounts) -> dict[str, int]:
    """left + right, per resource."""
    total = dict(left)
    for resource, amount in right.items():
        total[resource] = total.get(resource, 0) + amount
    return total


def _request(container: Mapping[str, Any], fill: Defaults) -> Amounts:
    resources = container.get("resources") or {}
    own_limits = resources.get("limits") or {}
    # In the order of the API server: a limit of one's own is the request, then a LimitRange fills what is left.
    return amounts({**fill.request, **own_limits, **(resources.get("requests") or {})})


def _limit(container: Mapping[str, Any], fill: Defaults) -> Amounts:
    return amounts({**fill.limit, **((container.get("resources") or {}).get("limits") or {})})


def _sum(parts: Iterable[Amounts]) -> Amounts:
    total: dict[str, int] = {}
    for part in parts:
        total = add(total, part)
    return total


def _greater(left: Amounts, right: Amounts) -> Amounts:
    return {resource: max(left.get(resource, 0), right.get(resource, 0)) for resource in {*left, *right}}

"""What a pod asks of its cluster node, as the scheduler counts it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from bakery_ops.errors import UsageError
from bakery_ops.model.live import Container, PodSpec
from bakery_ops.model.quantities import cpu_text, memory_text, milli_cpu, whole


class Request(NamedTuple):
    """CPU in thousandths of a core, memory in bytes."""

    cpu: int
    memory: int

    def __str__(self) -> str:
        return f"{cpu_text(self.cpu)} of CPU and {memory_text(self.memory)} of memory"


def request_of(spec: PodSpec) -> Request:
    """Containers and native sidecars together, or the largest init container beside the sidecars before it."""
    running = [_of(container) for container in spec.containers]
    sidecars: list[Request] = []
    peak = Request(0, 0)
    for container in spec.init_containers:
        request = _of(container)
        if container.restart_policy == "Always":
            sidecars.append(request)
            request = Request(0, 0)
        peak = _larger(peak, _sum([*sidecars, request]))
    return _sum([_larger(_sum([*running, *sidecars]), peak), _read(spec.overhead)])


def _of(container: Container) -> Request:
    # The API server fills requests in from limits, so there is nothing to default here.
    return _read(container.resources.requests)


def _read(quantities: Mapping[str, str]) -> Request:
    return Request(_amount(milli_cpu, quantities.get("cpu", "0")), _amount(whole, quantities.get("memory", "0")))


def _amount(read: Callable[[str], int], text: str) -> int:
    try:
        return read(text)
    except UsageError:
        return 0  # an API server writes no such thing; a pod is not blamed for one that does


def _sum(requests: list[Request]) -> Request:
    return Request(sum(request.cpu for request in requests), sum(request.memory for request in requests))


def _larger(one: Request, other: Request) -> Request:
    return Request(max(one.cpu, other.cpu), max(one.memory, other.memory))

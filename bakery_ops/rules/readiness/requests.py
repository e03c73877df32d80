"""What a pod asks of its cluster node, as the scheduler counts it."""

from __future__ import annotations

from typing import NamedTuple

from bakery_ops.model.live import Container, PodSpec

_SUFFIXES = {
    "Ki": 2.0**10,
    "Mi": 2.0**20,
    "Gi": 2.0**30,
    "Ti": 2.0**40,
    "Pi": 2.0**50,
    "Ei": 2.0**60,
    "n": 1e-9,
    "u": 1e-6,
    "m": 1e-3,
    "k": 1e3,
    "M": 1e6,
    "G": 1e9,
    "T": 1e12,
    "P": 1e15,
    "E": 1e18,
}


class Request(NamedTuple):
    """CPU in thousandths of a core, memory in bytes."""

    cpu: int
    memory: int

    def __str__(self) -> str:
        return f"{self.cpu}m of CPU and {format_memory(self.memory)} of memory"


def amount(text: str) -> float:
    """A quantity as the API server writes it ("250m", "512Mi", "1e3"), in whole units; 0 for what is none."""
    for suffix, factor in _SUFFIXES.items():
        if text.endswith(suffix):
            text, scale = text[: -len(suffix)], factor
            break
    else:
        scale = 1.0
    try:
        return float(text) * scale
    except ValueError:
        return 0.0


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
    overhead = Request(_milli(spec.overhead), _bytes(spec.overhead))
    return _sum([_larger(_sum([*running, *sidecars]), peak), overhead])


def _of(container: Container) -> Request:
    # The API server fills requests in from limits, so there is nothing to default here.
    return Request(_milli(container.resources.requests), _bytes(container.resources.requests))


def _milli(quantities: dict[str, str]) -> int:
    return round(amount(quantities.get("cpu", "0")) * 1000)


def _bytes(quantities: dict[str, str]) -> int:
    return round(amount(quantities.get("memory", "0")))


def _sum(requests: list[Request]) -> Request:
    return Request(sum(request.cpu for request in requests), sum(request.memory for request in requests))


def _larger(one: Request, other: Request) -> Request:
    return Request(max(one.cpu, other.cpu), max(one.memory, other.memory))


def format_memory(size: int) -> str:
    """Bytes in the largest binary unit that keeps three digits: "512Mi", "1.5Gi"."""
    for suffix in ("Gi", "Mi", "Ki"):
        if size >= _SUFFIXES[suffix]:
            return f"{size / _SUFFIXES[suffix]:.4g}{suffix}"
    return str(size)

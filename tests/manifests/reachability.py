"""Who may reach whom, solved from NetworkPolicies as their API reference defines them.

A pod that no policy selects for a direction is open in it; one that is selected may do what any of its policies allows.
A connection needs the sender's egress and the receiver's ingress.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from tests.manifests.rendered import Rendered

Labels = Mapping[str, str]


class Endpoint(NamedTuple):
    """A pod, by its workload's name, with what policies look at. `address` is set for what is outside the cluster."""

    name: str
    labels: Labels
    namespace: Labels
    ports: frozenset[int] = frozenset()
    address: str = ""


class Policies:
    """The policies of one namespace."""

    def __init__(self, rendered: Rendered) -> None:
        self._specs = [policy.spec for policy in rendered.of("NetworkPolicy")]

    def allow(self, source: Endpoint, target: Endpoint, port: int, protocol: str = "TCP") -> bool:
        leaves = self._passes(source, "Egress", "to", target, port, protocol)
        return leaves and self._passes(target, "Ingress", "from", source, port, protocol)

    def _passes(self, pod: Endpoint, direction: str, key: str, peer: Endpoint, port: int, protocol: str) -> bool:
        if not pod.namespace.get("ours"):
            return True
        selecting = [s for s in self._specs if direction in s["policyTypes"] and matches(s["podSelector"], pod.labels)]
        if not selecting:
            return True
        rules = (rule for spec in selecting for rule in spec.get(direction.lower(), ()))
        return any(_covers(rule, port, protocol) and _includes(rule.get(key, ()), peer) for rule in rules)


def matches(selector: Mapping[str, Any], labels: Labels) -> bool:
    """A label selector; an empty one matches everything."""
    if any(labels.get(key) != value for key, value in selector.get("matchLabels", {}).items()):
        return False
    for expression in selector.get("matchExpressions", ()):
        inside = labels.get(expression["key"]) in expression["values"]
        if inside is not (expression["operator"] == "In"):
            return False
    return True


def _covers(rule: Mapping[str, Any], port: int, protocol: str) -> bool:
    ports = rule.get("ports")
    return not ports or any(each["port"] == port and each.get("protocol", "TCP") == protocol for each in ports)


def _includes(peers: Iterable[Mapping[str, Any]], peer: Endpoint) -> bool:
    return any(_is(each, peer) for each in peers)


def _is(selector: Mapping[str, Any], peer: Endpoint) -> bool:
    if "ipBlock" in selector:
        return bool(peer.address) and not peer.address.startswith("private")
    if peer.address:
        return False
    if "namespaceSelector" in selector:
        if not matches(selector["namespaceSelector"], peer.namespace):
            return False
    elif not peer.namespace.get("ours"):
        return False
    return matches(selector.get("podSelector", {}), peer.labels)


def endpoints(rendered: Rendered) -> Iterator[Endpoint]:
    """One endpoint for each workload, listening on its containers' declared ports."""
    ours = {"kubernetes.io/metadata.name": "bakery-ia", "ours": "yes"}
    for workload in rendered.workloads:
        ports = frozenset(p["containerPort"] for c in workload.pod_spec["containers"] for p in c.get("ports", ()))
        yield Endpoint(workload.ref.name, workload.pod_template["metadata"]["labels"], ours, ports)


def in_namespace(name: str, namespace: str, labels: Labels, *ports: int) -> Endpoint:
    """A pod of another namespace."""
    return Endpoint(name, labels, {"kubernetes.io/metadata.name": namespace}, frozenset(ports))


def reached(rendered: Rendered) -> set[tuple[str, str, int]]:
    """(sender, receiver, port) of every connection that passes between the workloads."""
    policies, pods = Policies(rendered), list(endpoints(rendered))
    return {
        (source.name, target.name, port)
        for source in pods
        for target in pods
        for port in target.ports
        if source is not target and policies.allow(source, target, port)
    }

"""The platform as its manifests tell it: one row per service, with its database, Jobs, image and dependencies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from bakery_ops.model.contract import NAME, Stage
from bakery_ops.model.graph import Graph, Node
from bakery_ops.model.manifest import ObjectRef
from bakery_ops.model.quantities import milli_cpu, whole
from bakery_ops.model.references import listed
from bakery_ops.model.selection import pod_labels


class Member(NamedTuple):
    """A workload of the platform.

    Attributes:
        name: Of the node.
        owner: Its `app.kubernetes.io/name`, or the node's name.
        stage: Where in the start order it stands.
        kind: "Deployment", "Job", ...
        image: Of its first container.
        replicas: As written; 1 where nothing is written.
        scaled: (minimum, maximum) where an autoscaler decides, else None.
        cpu, memory: Requests of the containers that keep running, in thousandths of a CPU and bytes; for one pod.
        waits: Nodes it waits for, sorted by the order they start in.
    """

    name: str
    owner: str
    stage: Stage
    kind: str
    image: str
    replicas: int
    scaled: tuple[int, int] | None
    cpu: int
    memory: int
    waits: tuple[str, ...]

    @property
    def scale(self) -> str:
        """ "2", or "1-3" where an autoscaler decides."""
        return f"{self.scaled[0]}-{self.scaled[1]}" if self.scaled else str(self.replicas)


class Service(NamedTuple):
    """A microservice and what belongs to it; names of nodes, "" or () where there is none."""

    name: str
    workload: Member
    database: str
    migration: str
    seeds: tuple[str, ...]


class Platform(NamedTuple):
    """Everything that runs. `services` by name; `others` in start order, without services, their databases and Jobs."""

    services: tuple[Service, ...]
    others: tuple[Member, ...]
    members: Mapping[str, Member]


def platform(graph: Graph) -> Platform:
    """Derive the platform from the graph. Counted, never typed: a new service appears by its manifests alone."""
    scaled = _autoscalers(graph)
    members = {node.name: _member(node, graph, scaled) for node in graph.workloads()}
    services = []
    owned: set[str] = set()
    for name, member in members.items():
        if member.stage is not Stage.MICROSERVICE or member.kind == "CronJob":
            continue
        service = Service(
            member.owner,
            member,
            _one_of(graph, graph[name], Stage.DATABASE, members),
            _one_of(graph, graph[name], Stage.MIGRATION, members),
            tuple(sorted(job for job in members if graph[job].stage is Stage.SEED and name in graph[job].needs)),
        )
        services.append(service)
        owned |= {name, service.database, service.migration, *service.seeds}
    others = tuple(member for name, member in members.items() if name not in owned)
    return Platform(tuple(sorted(services, key=lambda service: service.name)), others, members)


def _one_of(graph: Graph, node: Node, stage: Stage, members: Mapping[str, Member]) -> str:
    """The node of `stage` that `node` needs: its own by name label where there is one, else the only one."""
    found = sorted(name for name in node.needs if graph[name].stage is stage and name in members)
    own = [name for name in found if members[name].owner == members[node.name].owner]
    return own[0] if own else found[0] if len(found) == 1 else ""


def _member(node: Node, graph: Graph, scaled: Mapping[ObjectRef, tuple[int, int]]) -> Member:
    spec = node.manifest.pod_spec or {}
    containers = list(listed(spec, "containers"))
    requests = [_requests(container) for container in containers]
    replicas = node.manifest.spec.get("replicas")
    needed = sorted(
        (graph[name] for name in node.needs if graph[name].is_workload), key=lambda each: (each.stage.order, each.name)
    )
    return Member(
        node.name,
        pod_labels(node.manifest).get(NAME) or node.manifest.labels.get(NAME) or node.name,
        node.stage,
        node.ref.kind,
        str(containers[0].get("image") or "") if containers else "",
        1 if replicas is None else replicas,
        scaled.get(node.ref),
        sum(milli_cpu(request.get("cpu", 0)) for request in requests),
        sum(whole(request.get("memory", 0)) for request in requests),
        tuple(each.name for each in needed),
    )


def _requests(container: Mapping[str, Any]) -> Mapping[str, Any]:
    resources = container.get("resources") or {}
    return {**(resources.get("limits") or {}), **(resources.get("requests") or {})}


def _autoscalers(graph: Graph) -> dict[ObjectRef, tuple[int, int]]:
    found: dict[ObjectRef, tuple[int, int]] = {}
    for node in graph.values():
        if node.ref.kind == "HorizontalPodAutoscaler":
            spec = node.manifest.spec
            for name in node.after:
                if graph[name].is_workload:
                    least = spec.get("minReplicas")
                    found[graph[name].ref] = (1 if least is None else least, spec.get("maxReplicas") or 1)
    return found

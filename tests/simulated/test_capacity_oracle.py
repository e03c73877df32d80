"""The capacity model against the real scheduler: generated pods on nodes of our own making, the same pods left over."""

import json
import random
from uuid import uuid4

import pytest

from bakery_ops.rules.capacity.demand import Demand, pod_limit, pod_request
from bakery_ops.rules.capacity.machines import Machine
from bakery_ops.rules.capacity.packing import in_order
from bakery_ops.tools import process
from bakery_ops.tools.kustomize import _bundled

SETS = 8
PODS = 14
ALLOCATABLE = {"cpu": "4", "memory": "8Gi", "pods": "10", "ephemeral-storage": "20Gi"}
TAINTS = [{"key": "oracle", "value": "yes", "effect": "NoSchedule"}, {"key": "soft", "effect": "PreferNoSchedule"}]
# A Node without a kubelet is tainted by the cluster; only our own taint is to decide.
TOLERATED = [
    {"key": key, "operator": "Exists"} for key in ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
]


@pytest.fixture(scope="module")
def kubectl(simulated_cluster):
    program = _bundled() or process.find("kubectl")

    def run(*arguments, body=None, check=True):
        argv = [program, "--kubeconfig", simulated_cluster.kubeconfig, *arguments]
        text = b"" if body is None else json.dumps(body).encode()
        return process.run(argv, stdin=text, check=check, timeout=100).stdout

    return run


def container(dice, name, *, sidecar=False):
    requests = {"cpu": f"{dice.choice([0, 50, 150, 300, 700])}m", "memory": f"{dice.choice([0, 64, 256, 600, 1500])}Mi"}
    limits = {}
    match dice.randrange(4):
        case 0:
            requests, limits = {}, {key: value for key, value in requests.items() if not value.startswith("0")}
        case 1:
            requests["ephemeral-storage"] = f"{dice.choice([1, 3, 8])}Gi"
        case 2:
            requests = {}
    body = {"name": name, "image": "bakery/web:1", "resources": {"requests": requests, "limits": limits}}
    return {**body, "restartPolicy": "Always"} if sidecar else body


def pod_spec(dice, node):
    spec = {
        "nodeSelector": {"oracle": node},
        "containers": [container(dice, f"c{n}") for n in range(dice.randint(1, 3))],
        "initContainers": [container(dice, f"i{n}", sidecar=dice.random() < 0.4) for n in range(dice.randint(0, 3))],
        "tolerations": list(TOLERATED),
    }
    if dice.random() < 0.85:
        spec["tolerations"].append({"key": "oracle", "operator": "Equal", "value": "yes", "effect": "NoSchedule"})
    if dice.random() < 0.2:
        spec["containers"][0]["ports"] = [{"containerPort": 80, "hostPort": dice.choice([8080, 8081])}]
    if dice.random() < 0.15:
        term = {"labelSelector": {"matchLabels": {"kind": "single"}}, "topologyKey": "kubernetes.io/hostname"}
        spec["affinity"] = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    return spec


def predicted(node, pods):
    amounts = pod_request({"containers": [{"name": "n", "resources": {"requests": ALLOCATABLE}}]})
    machine = Machine(node, amounts, {"oracle": node, "kubernetes.io/hostname": node}, tuple(TAINTS))
    demands = [
        Demand(pod["metadata"]["name"], "x", pod_request(pod["spec"]), pod_limit(pod["spec"]), 0,
               pod["metadata"]["labels"], pod["spec"])
        for pod in pods
    ]  # fmt: skip
    return {each.demand.name for each in in_order(demands, [machine]).unplaced}


def observed(kubectl, namespace, count):
    """The pods the scheduler found no place for, once it has judged every one."""
    condition = '{.status.conditions[?(@.type=="PodScheduled")].status}'
    kubectl("wait", "pods", "--all", "-n", namespace, f"--for=jsonpath={condition}", "--timeout=60s")
    judged = {
        pod["metadata"]["name"]: condition["status"]
        for pod in json.loads(kubectl("get", "pods", "-n", namespace, "-o", "json"))["items"]
        for condition in pod["status"].get("conditions", ())
        if condition["type"] == "PodScheduled"
    }
    assert len(judged) == count
    return {name for name, status in judged.items() if status == "False"}


def test_the_scheduler_leaves_over_exactly_the_pods_we_predict(kubectl):
    run = uuid4().hex[:6]
    namespace = f"oracle-{run}"
    dice = random.Random(20)
    nodes = [f"oracle-{run}-{number}" for number in range(SETS)]
    sets = {node: [] for node in nodes}
    for node in nodes:
        for number in range(PODS):
            labels = {"kind": dice.choice(["single", "many"])}
            metadata = {"name": f"{node}-{number:02}", "namespace": namespace, "labels": labels}
            sets[node].append({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod_spec(dice, node)})
    kubectl("create", "namespace", namespace)
    try:
        for node in nodes:
            labels = {"oracle": node, "kubernetes.io/hostname": node}
            status = {"allocatable": ALLOCATABLE, "capacity": ALLOCATABLE}
            body = {"metadata": {"name": node, "labels": labels}, "spec": {"taints": TAINTS}, "status": status}
            kubectl("create", "-f", "-", body={"apiVersion": "v1", "kind": "Node", **body})
        pods = [pod for node in nodes for pod in sets[node]]
        kubectl("create", "-f", "-", body={"apiVersion": "v1", "kind": "List", "items": pods})
        left_over = observed(kubectl, namespace, len(pods))
        expected = set().union(*(predicted(node, sets[node]) for node in nodes))
        assert left_over == expected
        assert 0 < len(expected) < len(pods)
    finally:
        kubectl("delete", "pods", "--all", "-n", namespace, "--force", "--grace-period=0", check=False)
        kubectl("delete", "node", *nodes, check=False)
        kubectl("delete", "namespace", namespace, "--wait=false", check=False)

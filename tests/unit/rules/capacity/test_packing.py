"""The scheduler's filters, and the arithmetic of packing on generated sets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bakery_ops.model.quantities import GIBI, NodeSize
from bakery_ops.rules.capacity.demand import Demand
from bakery_ops.rules.capacity.machines import MAX_PODS, Machine, live_machines, machines
from bakery_ops.rules.capacity.packing import in_order, pack


def machine(name="n", cpu=4000, memory=8 * GIBI, *, labels=None, taints=(), pods=()):
    allocatable = {"cpu": cpu, "memory": memory, "pods": MAX_PODS}
    return Machine(name, allocatable, {"kubernetes.io/hostname": name, **(labels or {})}, taints, pods)


def demand(name="p", cpu=100, memory=GIBI, labels=None, priority=0, pinned="", **spec):
    return Demand(name, "shop", {"cpu": cpu, "memory": memory}, {}, priority, labels or {}, spec, pinned)


def outcome(demands, nodes):
    placement = pack(demands, nodes)
    return [name for _, name in placement.placed], [each.reason for each in placement.unplaced]


def test_requests_decide_and_the_lacking_resource_is_named():
    assert outcome([demand(memory=9 * GIBI)], [machine()]) == ([], ["insufficient memory"])
    assert outcome([demand(cpu=5000, memory=9 * GIBI)], [machine()]) == ([], ["insufficient cpu and memory"])
    assert outcome([demand(memory=8 * GIBI)], [machine()]) == (["n"], [])


def test_pods_are_placed_on_one_node_or_not_at_all():
    """Totals would fit: 2 x 6 GiB on 2 x 8 GiB leaves 4 GiB, but no node has them in one piece."""
    small = [machine("a"), machine("b")]
    assert outcome([demand(memory=6 * GIBI)] * 2 + [demand(memory=4 * GIBI)], small)[1] == ["insufficient memory"]


def test_what_is_there_already_counts():
    taken = machine(pods=(demand(memory=6 * GIBI),))
    assert outcome([demand(memory=3 * GIBI)], [taken]) == ([], ["insufficient memory"])


def test_a_node_runs_so_many_pods_and_no_more():
    assert outcome([demand(memory=1)] * (MAX_PODS + 1), [machine(cpu=10**6)])[1] == ["too many pods"]


def test_the_important_pod_gets_the_place():
    placement = pack([demand("batch", memory=8 * GIBI), demand("db", memory=GIBI, priority=10)], [machine()])
    assert [each.demand.name for each in placement.unplaced] == ["batch"]


TAINT = {"key": "gpu", "value": "yes", "effect": "NoSchedule"}


@pytest.mark.parametrize(
    ("tolerations", "fits"),
    [
        ([], False),
        ([{"key": "gpu", "operator": "Exists"}], True),
        ([{"operator": "Exists"}], True),
        ([{"key": "gpu", "value": "yes"}], True),
        ([{"key": "gpu", "value": "no"}], False),
        ([{"key": "gpu", "operator": "Exists", "effect": "NoExecute"}], False),
    ],
)
def test_taints_need_a_toleration(tolerations, fits):
    placed, _ = outcome([demand(tolerations=tolerations)], [machine(taints=(TAINT,))])
    assert bool(placed) is fits


def test_a_preference_taint_keeps_nobody_away():
    assert outcome([demand()], [machine(taints=({"key": "x", "effect": "PreferNoSchedule"},))])[0] == ["n"]


def required(*terms):
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": list(terms)}}}


def expression(key, operator, *values):
    return {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}


@pytest.mark.parametrize(
    ("spec", "fits"),
    [
        ({"nodeSelector": {"disk": "ssd"}}, True),
        ({"nodeSelector": {"disk": "hdd"}}, False),
        ({"affinity": required(expression("disk", "In", "ssd", "nvme"))}, True),
        ({"affinity": required(expression("disk", "NotIn", "ssd"))}, False),
        ({"affinity": required(expression("disk", "DoesNotExist"), expression("cores", "Gt", "7"))}, True),
        ({"affinity": required(expression("cores", "Lt", "8"))}, False),
        ({"affinity": required({})}, False),
        ({"nodeName": "n"}, True),
        ({"nodeName": "other"}, False),
    ],
)
def test_selectors_and_affinity_choose_the_node(spec, fits):
    placed, _ = outcome([demand(**spec)], [machine(labels={"disk": "ssd", "cores": "8"})])
    assert bool(placed) is fits


def test_two_pods_cannot_hold_one_host_port():
    port = {"containers": [{"name": "c", "ports": [{"containerPort": 80, "hostPort": 80}]}]}
    placed, reasons = outcome([demand(**port), demand(**port)], [machine()])
    assert (placed, reasons) == (["n"], ["a host port is taken"])


def keep_apart(key="kubernetes.io/hostname", kind="podAntiAffinity"):
    term = {"topologyKey": key, "labelSelector": {"matchLabels": {"app": "db"}}}
    return {"affinity": {kind: {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}}


def test_pods_that_must_not_meet_need_a_node_each():
    apart = [demand(labels={"app": "db"}, **keep_apart())] * 3
    assert outcome(apart, [machine("a"), machine("b")]) == (["a", "b"], ["anti-affinity to a pod that is there"])


def test_a_pod_that_tolerates_nobody_keeps_others_away_too():
    nodes = [machine(pods=(demand(**keep_apart()),))]
    assert outcome([demand(labels={"app": "db"})], nodes)[1] == ["anti-affinity of a pod that is there"]


def test_pods_that_want_to_be_together_follow_the_first():
    together = [demand(memory=GIBI, labels={"app": "db"}, **keep_apart(kind="podAffinity"))] * 9
    placed, reasons = outcome(together, [machine("a"), machine("b")])
    assert set(placed) == {"a"}
    assert len(reasons) == 1


def test_a_live_cluster_is_read_with_foreign_pods_and_without_ended_ones():
    allocatable = {"cpu": "3800m", "memory": "8Gi", "pods": "110"}
    node = {"metadata": {"name": "n"}, "status": {"allocatable": allocatable}, "spec": {"unschedulable": True}}
    spec = {"nodeName": "n", "containers": [{"name": "c", "resources": {"requests": {"cpu": "1"}}}]}
    pods = [
        {"metadata": {"name": str(n), "namespace": "x", "uid": str(n)}, "spec": spec, "status": {"phase": phase}}
        for n, phase in enumerate(["Running", "Pending", "Succeeded", "Failed", "Running"])
    ]
    (read,) = live_machines([node], pods, ours=frozenset({"4"}))
    assert [pod.name for pod in read.pods] == ["0", "1"]
    assert read.allocatable["cpu"] == 3800
    assert read.taints[0]["key"] == "node.kubernetes.io/unschedulable"


AMOUNT = st.tuples(st.integers(0, 3000), st.integers(0, 6))
DEMANDS = st.lists(AMOUNT, max_size=40).map(
    lambda amounts: [demand(f"p{n}", cpu, memory * GIBI) for n, (cpu, memory) in enumerate(amounts)]
)
NODES = st.lists(st.tuples(st.integers(1, 8), st.integers(1, 16)), min_size=1, max_size=4).map(
    lambda sizes: [machine(f"n{n}", cpu * 1000, memory * GIBI) for n, (cpu, memory) in enumerate(sizes)]
)


@given(DEMANDS, NODES, st.booleans())
def test_no_node_is_filled_beyond_what_it_has_and_no_pod_is_lost(demands, nodes, spread):
    placement = pack(demands, nodes, spread=spread)
    assert len(placement.placed) + len(placement.unplaced) == len(demands)
    for node in nodes:
        for resource, used in placement.used[node.name].items():
            assert used <= node.allocatable[resource]


@given(DEMANDS, NODES)
def test_a_pod_without_a_place_fits_on_no_node_as_they_are(demands, nodes):
    placement = pack(demands, nodes)
    for unplaced in placement.unplaced:
        for node in nodes:
            used = placement.used[node.name]
            request = unplaced.demand.request
            assert any(used.get(r, 0) + request[r] > node.allocatable[r] for r in ("cpu", "memory"))


@given(DEMANDS, NODES)
def test_on_one_node_a_pod_more_never_helps_another(demands, nodes):
    if demands:
        before = {each.demand.name for each in in_order(demands[:-1], nodes[:1]).unplaced}
        after = {each.demand.name for each in in_order(demands, nodes[:1]).unplaced}
        assert before <= after


@given(DEMANDS, st.integers(1, 8), st.integers(1, 16))
def test_a_larger_node_takes_all_that_a_smaller_one_took_whole(demands, cpu, memory):
    sizes = [NodeSize(cpu * 1000, memory * GIBI), NodeSize(cpu * 1000 + 500, (memory + 1) * GIBI)]
    small, large = (pack(demands, machines([size])).unplaced for size in sizes)
    if not small:
        assert not large

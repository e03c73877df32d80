import json
from dataclasses import replace

import pytest

from bakery_ops.model.builder import build_graph
from bakery_ops.model.documents import load
from bakery_ops.model.quantities import GIBI, MEBI, NodeSize, node_size
from bakery_ops.rules.capacity.growth import PATH, grown, path
from bakery_ops.rules.capacity.machines import RESERVED, SYSTEM_PODS, machines
from bakery_ops.rules.capacity.proof import Verdict, fits, prove, smallest_machine


def workload(kind, name, *, cpu="1", memory="1Gi", limit=None, spec=None, pod=None, api="apps/v1"):
    resources = {"requests": {"cpu": cpu, "memory": memory}, "limits": {"memory": limit or memory}}
    template = {
        "metadata": {"labels": {"app": name}},
        "spec": {"containers": [{"name": "c", "image": "i", "resources": resources}], **(pod or {})},
    }
    body = {"selector": {"matchLabels": {"app": name}}, "template": template, **(spec or {})}
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name}, "spec": body}


def job(name, **more):
    return workload("Job", name, api="batch/v1", **more)


def other(kind, name, api, spec=None, **more):
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name}, "spec": spec or {}, **more}


def autoscaler(name, least, most):
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    spec = {"scaleTargetRef": target, "minReplicas": least, "maxReplicas": most}
    return other("HorizontalPodAutoscaler", name, "autoscaling/v2", spec)


def graph(*bodies):
    return build_graph(load("\n---\n".join(map(json.dumps, bodies)), "render", namespace="shop"))


def report(*bodies, nodes=("8cpu,20Gi",)):
    return prove(graph(*bodies), machines([node_size(node) for node in nodes]))


SYSTEM_CPU = sum(pod.request["cpu"] for pod in SYSTEM_PODS)


def cpu(found, phase):
    """CPUs of the platform in a phase, without the system's own pods."""
    row = next(row for row in found.phases if row.name == phase)
    return (row.requested["cpu"] - SYSTEM_CPU) / 1000


def test_each_phase_counts_the_pods_that_exist_then():
    found = report(
        workload("Deployment", "web", spec={"replicas": 2}),
        workload("Deployment", "scaled"),
        autoscaler("scaled", 1, 3),
        workload("StatefulSet", "db", spec={"replicas": 1}),
        job("migrate"),
        job("held", spec={"suspend": True}),
        job("wide", spec={"parallelism": 3, "completions": 2}),
        other(
            "CronJob",
            "nightly",
            "batch/v1",
            {"schedule": "@daily", "jobTemplate": {"spec": workload("Job", "x")["spec"]}},
        ),
    )
    assert [row.name for row in found.phases] == [
        "steady state",
        "autoscalers at maximum",
        "migrations",
        "scheduled jobs",
        "rolling update of everything",
    ]
    assert cpu(found, "steady state") == 4
    assert cpu(found, "autoscalers at maximum") == 6
    assert cpu(found, "migrations") == 4 + 3
    assert cpu(found, "scheduled jobs") == 5
    assert cpu(found, "rolling update of everything") == 4 + 2


@pytest.mark.parametrize(
    ("strategy", "replicas", "surge"),
    [
        (None, 1, 1),
        (None, 4, 1),
        (None, 5, 2),
        ({"type": "Recreate"}, 4, 0),
        ({"rollingUpdate": {"maxSurge": 0}}, 4, 0),
        ({"rollingUpdate": {"maxSurge": 3}}, 4, 3),
        ({"rollingUpdate": {"maxSurge": 3}}, 1, 1),
        ({"rollingUpdate": {"maxSurge": "50%"}}, 3, 2),
        (None, 0, 0),
    ],
)
def test_a_rolling_update_adds_as_many_pods_as_its_strategy_says(strategy, replicas, surge):
    spec = {"replicas": replicas, **({"strategy": strategy} if strategy else {})}
    found = report(workload("Deployment", "web", cpu="100m", spec=spec))
    row = found.phases[-1]
    added = row.pods - found.steady.pods if row.name.startswith("rolling") else 0
    assert added == surge


def test_a_daemon_set_runs_once_on_every_node():
    found = report(workload("DaemonSet", "agent"), nodes=("4cpu,8Gi", "4cpu,8Gi", "4cpu,8Gi"))
    assert cpu(found, "steady state") == 3
    assert found.steady.fits


def test_a_daemon_set_has_no_pod_on_a_node_that_it_does_not_mean():
    """Its controller looks at selector and taints itself: nothing stays Pending."""
    found = report(workload("DaemonSet", "gpu", pod={"nodeSelector": {"gpu": "yes"}}), nodes=("4cpu,8Gi", "4cpu,8Gi"))
    assert (cpu(found, "steady state"), found.verdict) == (0, Verdict.FITS)


def test_a_daemon_set_runs_on_a_cordoned_node_too():
    nodes = machines([node_size("4cpu,8Gi")])
    cordoned = replace(nodes[0], taints=({"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"},))
    found = prove(graph(workload("DaemonSet", "agent")), [cordoned])
    assert (cpu(found, "steady state"), found.verdict) == (1, Verdict.FITS)


def test_what_does_not_fit_is_told_with_the_shortage_and_the_node_that_would_do():
    found = report(workload("Deployment", "web", spec={"replicas": 10}), nodes=("8cpu,8Gi",))
    assert found.verdict is Verdict.TOO_SMALL
    assert found.steady.unplaced == (("web", 4, "insufficient memory"),)
    assert found.advice[0] == "steady state: 2.5 CPU short and 3.8Gi memory short"
    assert found.advice[-1] == "one node of 14cpu,15Gi would fit, with 10% to spare"


def test_a_peak_that_does_not_fit_keeps_the_running_pods_and_names_the_new_ones():
    found = report(
        workload("Deployment", "web", spec={"replicas": 5, "strategy": {"type": "Recreate"}}),
        job("heavy", memory="16Gi"),
    )
    assert found.verdict is Verdict.TOO_SMALL
    assert next(row for row in found.phases if not row.fits).unplaced == (("heavy", 1, "insufficient memory"),)


def test_the_steady_state_may_be_tight():
    found = report(workload("StatefulSet", "db", memory="16Gi"))
    assert found.verdict is Verdict.TIGHT
    assert "is tight" in found.warnings[0]


def test_limits_beyond_the_memory_and_missing_limits_are_told():
    found = report(workload("StatefulSet", "a", limit="40Gi"), workload("StatefulSet", "b", limit=""))
    assert any("memory limits add up to 2.2 times" in warning for warning in found.warnings)
    unlimited = workload("StatefulSet", "b")
    del unlimited["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]
    assert "no memory limit: b" in report(unlimited).warnings


def test_two_nodes_are_judged_by_what_happens_when_one_goes():
    bodies = [workload("StatefulSet", f"db{n}", cpu="500m") for n in range(10)]
    found = report(*bodies, nodes=("4cpu,10Gi", "4cpu,10Gi"))
    assert found.verdict is Verdict.FITS
    assert "while node-1 is drained, there is no place on the others for 3 pods" in found.warnings


def test_a_quota_that_a_phase_would_exceed_is_a_problem_with_its_arithmetic():
    hard = {"requests.memory": "3Gi", "limits.memory": "8Gi", "pods": "3", "requests.cpu": "10"}
    found = report(
        workload("Deployment", "web", spec={"replicas": 3}), other("ResourceQuota", "all", "v1", {"hard": hard})
    )
    assert found.verdict is Verdict.TOO_SMALL
    assert found.problems == (
        "quota all: requests.memory 3Gi; rolling update of everything asks for 4Gi",
        "quota all: pods 3; rolling update of everything asks for 4",
    )


@pytest.mark.parametrize(
    "scope",
    [
        {"scopes": ["Terminating"]},
        {"scopeSelector": {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "In", "values": ["high"]}]}},
    ],
)
def test_a_quota_for_some_pods_is_not_one_for_all(scope):
    """B52"""
    quota = other("ResourceQuota", "some", "v1", {"hard": {"pods": "1"}, **scope})
    found = report(workload("Deployment", "web", spec={"replicas": 3}), quota)
    assert (found.verdict, found.problems) == (Verdict.FITS, ())
    unscoped = other("ResourceQuota", "some", "v1", {"hard": {"pods": "1"}})
    assert report(workload("Deployment", "web", spec={"replicas": 3}), unscoped).problems


def test_a_quota_of_a_resource_with_dots_in_its_name_is_looked_at():
    """B52"""
    cards = {"requests": {"nvidia.com/gpu": "1"}, "limits": {"nvidia.com/gpu": "1"}}
    train = job("train")
    train["spec"]["template"]["spec"]["containers"][0]["resources"] = cards
    problems = {
        amount: report(train, other("ResourceQuota", "q", "v1", {"hard": {"requests.nvidia.com/gpu": amount}})).problems
        for amount in ("0", "1")
    }
    assert "quota q: requests.nvidia.com/gpu 0; migrations asks for 1" in problems["0"]
    assert not [problem for problem in problems["1"] if problem.startswith("quota")]


def test_volumes_add_up_with_those_each_replica_makes():
    claim = {"metadata": {"name": "d"}, "spec": {"resources": {"requests": {"storage": "4Gi"}}}}
    stateful = workload("StatefulSet", "db", spec={"replicas": 3, "volumeClaimTemplates": [claim]})
    single = other("PersistentVolumeClaim", "x", "v1", {"resources": {"requests": {"storage": "1Gi"}}})
    assert report(stateful, single).storage == 13 * GIBI


def test_our_machines_hold_back_what_the_system_needs():
    (machine,) = machines([NodeSize(8000, 20 * GIBI)])
    assert machine.allocatable["memory"] == 20 * GIBI - RESERVED["memory"] == int(18.5 * GIBI)
    assert machine.allocatable["cpu"] == 7800


def test_a_machine_smaller_than_its_own_system_does_not_fit():
    assert report(workload("Deployment", "web", cpu="0", memory="0"), nodes=("100m,64Mi",)).verdict is Verdict.TOO_SMALL


def test_the_smallest_machine_fits_and_a_smaller_one_does_not():
    platform = graph(*(workload("StatefulSet", f"db{n}", cpu="700m", memory="900Mi") for n in range(12)))
    size = smallest_machine(platform)
    assert fits(platform, machines([size]))
    assert not fits(platform, machines([NodeSize(size.cpu_milli - 1000, size.memory)]))
    assert not fits(platform, machines([NodeSize(size.cpu_milli, size.memory - GIBI)]))


def test_a_pod_no_machine_can_carry_has_no_smallest_one():
    assert smallest_machine(graph(workload("StatefulSet", "db", cpu="5000"))) is None


def test_the_numbers_of_the_brief_do_not_fit_the_node_of_the_brief():
    """About 21 GB and 8.5 CPUs of requests on 20 GB and 8 CPUs (docs/brief-corrections.md)."""
    pods = [workload("StatefulSet", f"s{n}", cpu="250m", memory=f"{21_000 // 34}M") for n in range(34)]
    assert report(*pods, nodes=("8cpu,20G",)).verdict is Verdict.TOO_SMALL
    assert report(*pods, nodes=("8cpu,20Gi",)).verdict is Verdict.TOO_SMALL
    assert report(*pods, nodes=("12cpu,32Gi",)).verdict is Verdict.FITS


def test_growth_adds_whole_pieces_of_what_is_no_memory():
    database = workload("StatefulSet", "db")
    cards = {"nvidia.com/gpu": "1", "memory": "1Gi"}
    database["spec"]["template"]["spec"]["containers"][0]["resources"] = {"requests": cards, "limits": cards}
    larger = grown(graph(database), next(step for step in PATH if step.data == 1.5))
    (container,) = larger["db"].manifest.pod_spec["containers"]
    assert container["resources"]["limits"] == {"nvidia.com/gpu": "2", "memory": "1536Mi"}


def test_growth_multiplies_replicas_of_services_and_memory_of_databases():
    platform = graph(
        workload("Deployment", "web", cpu="100m", memory="256Mi"),
        workload("StatefulSet", "db", cpu="100m", memory="256Mi"),
        autoscaler("web", 1, 3),
    )
    larger = grown(platform, PATH[-1])
    assert larger["horizontalpodautoscaler/web"].manifest.spec["minReplicas"] == 3
    resources = larger["db"].manifest.pod_spec["containers"][0]["resources"]
    assert resources == {"requests": {"cpu": "400m", "memory": "1024Mi"}, "limits": {"memory": "1024Mi"}}
    assert platform["db"].manifest.pod_spec["containers"][0]["resources"]["requests"]["memory"] == "256Mi"
    sizes = [row.node for row in path(platform)]
    assert sizes == sorted(sizes)
    assert all(row.report.verdict is not Verdict.TOO_SMALL for row in path(platform))
    assert sizes[0].memory < 8192 * MEBI

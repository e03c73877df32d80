"""prod fits its node in every phase, the sandbox its two cores, dev a Colima machine (platform.md section 5).

This is the arithmetic of k8s/README.md in sums; the proof by bin-packing on real nodes is `invoke capacity`.
"""

import re

import pytest

from tests.manifests.rendered import K8S, component, number, request_of

MIB = 2**20
SYSTEM = {"cpu": 0.2, "memory": 1024 * MIB}
"""CoreDNS, metrics-server, ingress controller and what the node keeps for itself."""

VPS = {"cpu": 8.0, "memory": 20480 * MIB}
COLIMA = {"cpu": 6.0, "memory": 12288 * MIB}
PODS_OF_A_NODE = 110
SYSTEM_PODS = 6


def usable(node, resource):
    return node[resource] - SYSTEM[resource]


def phases(rendered, resource):
    """Phase -> the sum of requests while it lasts. `resource` "pods" counts pods."""

    def cost(workload):
        return 1 if resource == "pods" else request_of(workload.pod_spec, resource)

    def jobs(*components):
        return sum(cost(job) for job in rendered.of("Job") if component(job) in components)

    deployments = rendered.of("Deployment")
    steady = sum(cost(each) * each.spec.get("replicas", 1) for each in rendered.of("Deployment", "StatefulSet"))
    scaled = {
        hpa.spec["scaleTargetRef"]["name"]: hpa.spec["maxReplicas"] for hpa in rendered.of("HorizontalPodAutoscaler")
    }
    growth = sum(cost(rendered.get("Deployment", name)) * (maximum - 1) for name, maximum in scaled.items())
    surge = sum(cost(each) * each.spec["strategy"]["rollingUpdate"]["maxSurge"] for each in deployments)
    return {
        "steady": steady,
        "autoscalers at maximum": steady + growth,
        "migrations, autoscalers at maximum": steady + growth + jobs("migration"),
        "rollout, autoscalers at maximum": steady + growth + surge,
        "seeds, autoscalers at maximum": steady + growth + jobs("seed-job"),
        "first start, everything at once": steady + jobs("migration", "seed-job", "infrastructure"),
    }


@pytest.mark.parametrize("resource", ["cpu", "memory"])
def test_prod_leaves_a_tenth_of_its_node_free_and_no_phase_is_too_big(prod, resource):
    room = usable(VPS, resource)
    sums = phases(prod, resource)
    assert sums["steady"] <= 0.9 * room
    assert {phase: total for phase, total in sums.items() if total > room} == {}


@pytest.mark.parametrize("resource", ["cpu", "memory"])
def test_prod_fits_with_monitoring_on_too(monitoring, resource):
    room = usable(VPS, resource)
    sums = phases(monitoring, resource)
    assert sums["steady"] <= 0.9 * room
    assert {phase: total for phase, total in sums.items() if total > room} == {}


@pytest.mark.parametrize("resource", ["cpu", "memory"])
def test_dev_fits_a_colima_machine(dev, resource):
    room = usable(COLIMA, resource)
    assert {phase: total for phase, total in phases(dev, resource).items() if total > room} == {}


def test_no_phase_has_more_pods_than_a_node_takes(every):
    assert max(phases(every, "pods").values()) + SYSTEM_PODS <= PODS_OF_A_NODE


def test_the_sandbox_asks_for_less_than_two_cores_give(sandbox):
    assert phases(sandbox, "cpu")["first start, everything at once"] < 1.6
    assert phases(sandbox, "memory")["first start, everything at once"] < 12 * 1024 * MIB


def test_no_wait_makes_its_pod_more_expensive(every):
    for workload in every.workloads:
        running = sum(number(each["resources"]["requests"]["memory"]) for each in workload.pod_spec["containers"])
        assert request_of(workload.pod_spec, "memory") == running, workload.ref


def test_the_volumes_of_prod_fit_its_disk_beside_the_images(prod):
    claims = [*prod.of("PersistentVolumeClaim")]
    sizes = [claim.spec["resources"]["requests"]["storage"] for claim in claims]
    for stateful in prod.of("StatefulSet"):
        sizes += [
            each["spec"]["resources"]["requests"]["storage"] for each in stateful.spec.get("volumeClaimTemplates", ())
        ]
    assert sum(map(number, sizes)) <= 120 * 2**30


@pytest.mark.parametrize("profile", ["prod", "monitoring"])
def test_the_readme_carries_the_sums_that_are_true(overlay, profile):
    rendered = overlay(profile)
    title = {"prod": "monitoring off", "monitoring": "monitoring on"}[profile]
    section = (K8S / "README.md").read_text().partition(f"| phase, {title} |")[2]
    rows = dict(re.findall(r"^\| ([a-z ,]+?) \| (.+?) \|$", section.partition("\n\n")[0], re.MULTILINE))
    cpu, memory, pods = (phases(rendered, resource) for resource in ("cpu", "memory", "pods"))
    expected = {
        phase: f"{cpu[phase]:.2f} | {100 * cpu[phase] / usable(VPS, 'cpu'):.0f} % | {memory[phase] / MIB:.0f} "
        f"| {100 * memory[phase] / usable(VPS, 'memory'):.0f} % | {pods[phase]}"
        for phase in cpu
    }
    assert rows == expected

import pytest

from bakery_ops.model.documents import load
from bakery_ops.model.quantities import MEBI
from bakery_ops.rules.capacity.demand import Defaults, defaults, pod_limit, pod_request


def container(cpu=None, memory=None, *, limit=None, always=False):
    requests = {key: value for key, value in (("cpu", cpu), ("memory", memory)) if value}
    body = {"name": "c", "resources": {"requests": requests, "limits": limit or {}}}
    return {**body, "restartPolicy": "Always"} if always else body


CASES = {
    "containers add up": ({"containers": [container("100m"), container("0.2")]}, {"cpu": 300}),
    "the largest init container counts once": (
        {"containers": [container("100m")], "initContainers": [container("500m"), container("300m")]},
        {"cpu": 500},
    ),
    "small init containers cost nothing": (
        {"containers": [container("100m")], "initContainers": [container("10m")] * 4},
        {"cpu": 100},
    ),
    "a sidecar runs beside the containers": (
        {"containers": [container("100m")], "initContainers": [container("50m", always=True)]},
        {"cpu": 150},
    ),
    "an init container runs beside the sidecars before it": (
        {
            "containers": [container("100m")],
            "initContainers": [
                container("50m", always=True),
                container("200m"),
                container("70m", always=True),
                container("90m"),
            ],
        },
        {"cpu": 250},
    ),
    "overhead is on top": (
        {"containers": [container("100m")], "overhead": {"cpu": "25m", "memory": "1Mi"}},
        {"cpu": 125, "memory": MEBI},
    ),
    "a limit is the request where there is none": (
        {"containers": [container(limit={"cpu": "1", "memory": "10Mi"})]},
        {"cpu": 1000, "memory": 10 * MEBI},
    ),
    "the pod's own request wins": (
        {"containers": [container("100m", "5Mi")], "resources": {"requests": {"cpu": "2"}}},
        {"cpu": 2000, "memory": 5 * MEBI},
    ),
    "nothing asked is nothing": ({"containers": [{"name": "c"}]}, {}),
    "an unreadable quantity counts nothing": (
        {"containers": [container("lots", "5Mi")]},
        {"cpu": 0, "memory": 5 * MEBI},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_pod_asks_for(name):
    spec, expected = CASES[name]
    assert pod_request(spec) == expected


def test_a_limit_range_fills_what_containers_leave_open():
    text = """
apiVersion: v1
kind: LimitRange
metadata: {name: l}
spec:
  limits:
  - {type: Container, default: {cpu: 500m, memory: 64Mi}, defaultRequest: {cpu: 50m}}
  - {type: Pod, max: {cpu: "4"}}
"""
    fill = defaults(load(text, "render", namespace="shop"))["shop"]
    assert pod_request({"containers": [{"name": "c"}]}, fill) == {"cpu": 50, "memory": 64 * MEBI}
    assert pod_request({"containers": [container(limit={"cpu": "1"})]}, fill)["cpu"] == 1000
    assert pod_limit({"containers": [{"name": "c"}]}, fill) == {"cpu": 500, "memory": 64 * MEBI}


def test_one_container_without_a_limit_makes_the_pod_unlimited():
    limited = container(limit={"cpu": "1", "memory": "10Mi"})
    assert pod_limit({"containers": [limited, limited]}, Defaults()) == {"cpu": 2000, "memory": 20 * MEBI}
    assert pod_limit({"containers": [limited, container(limit={"cpu": "1"})]}) == {"cpu": 2000}

"""Values of the wrong kind in real manifests: refused with words or judged, never a crash."""

import copy
import json
import random
from contextlib import suppress

import pytest

from bakery_ops.errors import BakeryError
from bakery_ops.model.builder import build
from bakery_ops.model.documents import load
from bakery_ops.model.platform import platform
from bakery_ops.model.quantities import node_size
from bakery_ops.model.secrets import wanted
from bakery_ops.workflows.capacity import capacity
from bakery_ops.workflows.check import check
from tests.manifests.rendered import REPOSITORY

WRONG = [
    None,
    "",
    0,
    -1,
    True,
    1.5,
    "x",
    [],
    {},
    [None],
    [{}],
    ["a"],
    {"a": 1},
    {"a": None},
    [[]],
    10**12,
    "../x",
    "100%",
]
SIZES = [node_size("8cpu,20Gi")]


def paths(value, path=()):
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from paths(inner, (*path, key))


def spoil(body, dice):
    path = dice.choice([path for path in paths(body) if len(path) > 1])
    target = body
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = copy.deepcopy(dice.choice(WRONG))


def one_of_each_kind(prod):
    stranger = (REPOSITORY / "tests" / "strangers" / "operator" / "everything.yaml").read_text()
    manifests = [*prod.manifests, *load(stranger, "operator", namespace="bakery-ia")]
    return list({manifest.ref.kind: manifest.body for manifest in manifests}.values())


@pytest.mark.parametrize("seed", range(6))
def test_wrong_values_never_crash_what_judges_manifests(prod, seed):
    dice = random.Random(seed)
    originals = one_of_each_kind(prod)
    judged = 0
    for _ in range(10):
        bodies = copy.deepcopy(originals)
        for _ in range(dice.randint(1, 3)):
            spoil(dice.choice(bodies), dice)
        with suppress(BakeryError):
            manifests = load("\n---\n".join(map(json.dumps, bodies)), "spoiled", namespace="bakery-ia")
            judged += 1
            check(manifests, namespace="bakery-ia", strict=True)
            wanted(manifests)
            platform(build(manifests).graph)
            capacity(manifests, SIZES)
    assert judged

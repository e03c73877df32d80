"""The start order of dev and prod as tables in golden/: a review sees every change of a stage, name or dependency.

`BAKERY_UPDATE_GOLDEN=1 pytest tests/manifests/test_order.py` writes the tables anew.
"""

import os
from pathlib import Path

import pytest

from bakery_ops.model.builder import build_graph

GOLDEN = Path(__file__).parent / "golden"


def table(rendered):
    graph = build_graph(rendered.manifests)
    rows = [
        (node.stage.value, node.name, node.ref.kind, ", ".join(sorted(each for each in node.needs if "/" not in each)))
        for node in graph.workloads()
    ]
    return "".join(f"{stage:<15} {name:<28} {kind:<12} {needs}".rstrip() + "\n" for stage, name, kind, needs in rows)


@pytest.mark.parametrize("name", ["dev", "prod"])
def test_the_start_order_is_the_one_on_record(overlay, name):
    found, record = table(overlay(name)), GOLDEN / f"{name}.txt"
    if os.environ.get("BAKERY_UPDATE_GOLDEN"):
        record.write_text(found)
    assert found == record.read_text()


def test_the_sandbox_starts_in_the_order_of_dev(dev, sandbox):
    assert table(sandbox) == table(dev)

"""The sizing documents say what the manifests say; BAKERY_UPDATE_GOLDEN=1 writes their tables anew."""

import os

import pytest
import yaml

from bakery_ops.model.builder import build_graph
from bakery_ops.model.documents import load
from bakery_ops.model.quantities import GIBI, NodeSize, node_size
from bakery_ops.rules.capacity.machines import machines
from bakery_ops.rules.capacity.proof import HEADROOM, Verdict, prove
from bakery_ops.workflows.sizing import local_table, refreshed, server_tables
from tests.manifests.rendered import K8S, NAMESPACE, REPOSITORY

SERVER = node_size("8cpu,20Gi")
COLIMA = {"minimal": node_size("4cpu,8Gi"), "standard": node_size("6cpu,12Gi"), "rich": node_size("8cpu,16Gi")}


def monitoring():
    component = K8S / "components" / "monitoring"
    files = yaml.safe_load((component / "kustomization.yaml").read_text())["resources"]
    text = "".join(f"---\n# Source: {name}\n{(component / name).read_text()}\n" for name in files)
    return load(text, "monitoring", namespace=NAMESPACE)


def tables(prod, dev):
    found = server_tables(prod.manifests, monitoring(), build_graph(prod.manifests), SERVER)
    return {**found, "colima-sizing": local_table(build_graph(dev.manifests), COLIMA)}


@pytest.mark.parametrize("name", ["VPS-SIZING-PRODUCTION.md", "COLIMA-SETUP.md"])
def test_the_document_carries_the_tables_of_these_manifests(name, prod, dev):
    document = REPOSITORY / "docs" / name
    text = document.read_text()
    fresh = refreshed(text, tables(prod, dev))
    if os.environ.get("BAKERY_UPDATE_GOLDEN"):
        document.write_text(fresh)
        text = fresh
    assert text == fresh, "stale: BAKERY_UPDATE_GOLDEN=1 pytest tests/manifests/test_sizing.py"


def test_prod_fits_its_server_with_a_tenth_to_spare_and_no_phase_above_all_of_it(prod):
    report = prove(build_graph(prod.manifests), machines([SERVER]))
    assert report.verdict is Verdict.FITS
    assert min(report.headroom) >= HEADROOM
    assert max(phase.share for phase in report.phases) <= 1
    assert report.unlimited == ()


def test_prod_with_monitoring_still_fits(prod):
    graph = build_graph([*prod.manifests, *monitoring()])
    assert prove(graph, machines([SERVER])).verdict is Verdict.FITS


def test_prod_does_not_fit_half_the_server(prod):
    report = prove(build_graph(prod.manifests), machines([NodeSize(4000, 10 * GIBI)]))
    assert report.verdict is Verdict.TOO_SMALL
    assert report.advice[-1].startswith("one node of ")


def test_the_sandbox_fits_a_small_machine(sandbox):
    assert prove(build_graph(sandbox.manifests), machines([node_size("2cpu,12Gi")])).verdict is not Verdict.TOO_SMALL

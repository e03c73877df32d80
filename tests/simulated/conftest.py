"""One cluster of simulated nodes for the whole session, under a name of its own: the user's sandbox is left alone.

And what tests in several files need of it: a connection, an empty namespace, a small platform.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bakery_ops.cluster.connection import Connection, connect
from bakery_ops.sandbox import lifecycle
from bakery_ops.sandbox.lifecycle import SandboxStatus
from bakery_ops.sandbox.sizes import NodeSize
from tests.clusters import REPOSITORY, started
from tests.simulated.api import own_namespace
from tests.simulated.small_site import Site, deployed

NODES = (NodeSize(8000, 20 * 2**30), NodeSize(8000, 20 * 2**30))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build the cluster's program before the first test: a cold build takes longer than any test may."""
    if any("simulated_cluster" in getattr(item, "fixturenames", ()) for item in session.items):
        lifecycle.prepare(say=print, repository=REPOSITORY)


@pytest.fixture(scope="session")
def simulated_cluster() -> Iterator[SandboxStatus]:
    """Two simulated nodes of 8 CPU and 20 GiB; tests share it, so each uses namespaces of its own."""
    with started("simulated", NODES, "sim") as cluster:
        yield cluster


@pytest.fixture(scope="module")
def connection(simulated_cluster: SandboxStatus) -> Iterator[Connection]:
    """Straight to the cluster; a module shares it."""
    made = connect(simulated_cluster.kubeconfig)
    yield made
    made.close()


@pytest.fixture
def namespace(connection: Connection) -> Iterator[str]:
    """Empty, and of one test."""
    with own_namespace(connection) as name:
        yield name


@pytest.fixture
def site(simulated_cluster: SandboxStatus, tmp_path: Path) -> Iterator[Site]:
    """A small platform that stands, of one test."""
    with deployed(simulated_cluster, tmp_path) as made:
        yield made

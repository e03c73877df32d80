"""One real node for the whole session, under a name of its own: the user's sandbox is left alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bakery_ops.sandbox import lifecycle
from bakery_ops.sandbox.lifecycle import SandboxStatus
from tests.clusters import REPOSITORY, started


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build the cluster's programs before the first test: a cold build takes longer than any test may."""
    if any("real_cluster" in getattr(item, "fixturenames", ()) for item in session.items):
        if reasons := lifecycle.can_run_real():
            warn = session.config.pluginmanager.get_plugin("terminalreporter")
            if warn is not None:
                warn.write_line(f"END-TO-END TESTS WILL BE SKIPPED: {'; '.join(reasons)}", yellow=True, bold=True)
        else:
            lifecycle.prepare(say=print, repository=REPOSITORY)


@pytest.fixture(scope="session")
def real_node_possible() -> None:
    """Skips where a real node cannot run, with the reason."""
    if reasons := lifecycle.can_run_real():
        pytest.skip("; ".join(reasons))


@pytest.fixture(scope="session")
def real_cluster(real_node_possible: None) -> Iterator[SandboxStatus]:
    """A real node; tests share it, so each uses namespaces of its own."""
    with started("real", (), "real") as cluster:
        yield cluster

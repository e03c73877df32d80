"""One real node for the whole session, under a name of its own: the user's sandbox is left alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bakery_ops.sandbox import lifecycle
from bakery_ops.sandbox.lifecycle import SandboxStatus

REPOSITORY = Path(__file__).resolve().parents[2]


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
    name = f"test-real-{os.getpid()}"
    yield lifecycle.start("real", (), say=print, repository=REPOSITORY, name=name)
    lifecycle.stop(say=print, name=name)

"""The real programs, built from the Go modules under sandbox/tools when the cache does not have them yet."""

from __future__ import annotations

from pathlib import Path

import pytest

from bakery_ops.sandbox.binaries import build_tool

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def repository() -> Path:
    return REPOSITORY


@pytest.fixture(scope="session")
def colima_program() -> Path:
    return build_tool("colima", repository=REPOSITORY, say=print)


@pytest.fixture(scope="session")
def skaffold_program() -> Path:
    return build_tool("skaffold", repository=REPOSITORY, say=print)


@pytest.fixture(scope="session")
def tilt_program() -> Path:
    return build_tool("tilt", repository=REPOSITORY, say=print)

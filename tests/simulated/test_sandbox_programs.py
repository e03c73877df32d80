"""The Go code of kubenode, tested by Go: it needs the modules a build needs, so it belongs to the slower tests."""

from __future__ import annotations

import pytest

from bakery_ops.errors import PreflightRefused
from bakery_ops.sandbox import gotoolchain
from bakery_ops.tools import process
from tests.simulated.conftest import REPOSITORY


@pytest.mark.timeout(900)
def test_the_rules_made_of_network_policies_are_right() -> None:
    try:
        go = gotoolchain.find_go(say=print)
    except PreflightRefused as refused:
        pytest.skip(str(refused))
    environment = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly", "GOWORK": "off"}
    # The same flags as the build, or Go would compile every module a second time.
    argv = [go, "test", "-trimpath", "-buildvcs=false", "-vet=off", "./policy"]
    result = process.run(argv, cwd=REPOSITORY / "sandbox" / "kubenode", env=environment)
    assert result.stdout.startswith("ok")

"""Each overlay is rendered when a test asks for it, and again only after something it reads has changed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bakery_ops.sandbox.instance import cache_directory
from tests.manifests.rendered import K8S, Rendered, render, render_with_monitoring


@pytest.fixture(scope="session")
def overlay(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Rendered]:
    """`overlay("prod")`; the one called "monitoring" is prod with monitoring switched on."""
    known: dict[str, Rendered] = {}
    kept = cache_directory() / "renders"

    def get(name: str) -> Rendered:
        if name not in known:
            if name == "monitoring":
                known[name] = render_with_monitoring(tmp_path_factory.mktemp("monitoring"), cache_dir=kept)
            else:
                known[name] = render(K8S / "overlays" / name, name, cache_dir=kept)
        return known[name]

    return get


@pytest.fixture(params=["dev", "sandbox", "prod", "monitoring"])
def every(request: pytest.FixtureRequest, overlay: Callable[[str], Rendered]) -> Rendered:
    """A test that takes this runs on every overlay."""
    return overlay(request.param)


@pytest.fixture
def dev(overlay: Callable[[str], Rendered]) -> Rendered:
    return overlay("dev")


@pytest.fixture
def sandbox(overlay: Callable[[str], Rendered]) -> Rendered:
    return overlay("sandbox")


@pytest.fixture
def prod(overlay: Callable[[str], Rendered]) -> Rendered:
    return overlay("prod")


@pytest.fixture
def monitoring(overlay: Callable[[str], Rendered]) -> Rendered:
    return overlay("monitoring")

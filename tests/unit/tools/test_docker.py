"""Which way images go to a local cluster."""

from __future__ import annotations

import pytest

from bakery_ops.errors import PreflightRefused, UsageError
from bakery_ops.tools.docker import Route, environment, load_argvs, route_to

IMAGES = ("bakery/auth-service:1", "bakery/gateway:2")


@pytest.mark.parametrize(
    ("context", "route"),
    [
        ("colima", Route("shared", "colima")),
        ("colima-k8s-local", Route("shared", "colima-k8s-local")),
        ("docker-desktop", Route("shared", "docker-desktop")),
        ("rancher-desktop", Route("shared", "rancher-desktop")),
        ("kind-dev-1", Route("kind", "dev-1")),
        ("k3d-dev", Route("k3d", "dev")),
        ("minikube", Route("minikube", "minikube")),
    ],
)
def test_the_name_of_a_context_says_what_it_is(context: str, route: Route) -> None:
    assert route_to(context) == route


@pytest.mark.parametrize("context", ["bakery-prod", "", "kindly", "my-colima-k8s-local", "gke_project_zone_cluster"])
def test_a_cluster_elsewhere_needs_a_registry(context: str) -> None:
    with pytest.raises(PreflightRefused, match="not a local cluster") as caught:
        route_to(context)
    assert "registry" in caught.value.remedy


@pytest.mark.parametrize("context", ["kind-", "kind---help", "k3d-a;b", "colima-$(id)"])
def test_a_hostile_cluster_name_is_refused(context: str) -> None:
    with pytest.raises(UsageError):
        route_to(context)


def test_a_shared_daemon_needs_no_loading() -> None:
    assert load_argvs(Route("shared", "colima"), IMAGES) == ()


@pytest.mark.parametrize(
    ("route", "argv"),
    [
        (Route("kind", "dev"), ("kind", "load", "docker-image", "--name", "dev", *IMAGES)),
        (Route("k3d", "dev"), ("k3d", "image", "import", "--cluster", "dev", *IMAGES)),
        (Route("minikube", "minikube"), ("minikube", "--profile", "minikube", "image", "load", *IMAGES)),
    ],
)
def test_each_other_kind_loads_all_images_with_its_own_tool(route: Route, argv: tuple[str, ...]) -> None:
    assert load_argvs(route, IMAGES) == (argv,)
    assert load_argvs(route, ()) == ()


@pytest.mark.parametrize("image", ["", "--name=x"])
def test_an_image_that_could_be_an_option_is_refused(image: str) -> None:
    with pytest.raises(UsageError):
        load_argvs(Route("kind", "dev"), [image])


def test_docker_clients_are_pointed_at_a_socket_only_when_there_is_one() -> None:
    assert environment("unix:///s") == {"DOCKER_HOST": "unix:///s"}
    assert environment("") == {}

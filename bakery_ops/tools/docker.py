"""How images built on this machine reach the nodes of a local cluster: the context's name says which kind it is.

Nothing here runs anything. Skaffold loads images by itself when it deploys; these commands are for the staged engine,
which lets Skaffold only build.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Literal, NamedTuple

from bakery_ops.errors import PreflightRefused, UsageError
from bakery_ops.tools.programs import safe_name

How = Literal["shared", "kind", "k3d", "minikube"]


class Route(NamedTuple):
    """`how`: "shared" where the nodes use the very Docker daemon that builds. `cluster`: the name its own tool uses."""

    how: How
    cluster: str


_ROUTES: tuple[tuple[str, How], ...] = (
    ("colima", "shared"),
    ("colima-*", "shared"),
    ("docker-desktop", "shared"),
    ("rancher-desktop", "shared"),
    ("kind-*", "kind"),
    ("k3d-*", "k3d"),
    ("minikube", "minikube"),
)


def route_to(context: str) -> Route:
    """How images get to the cluster of a kubeconfig context.

    Raises: PreflightRefused: the name is not one of a local cluster we know; its images have to come from a registry.
    """
    for pattern, how in _ROUTES:
        if fnmatchcase(context, pattern):
            name = context if how in {"shared", "minikube"} else context.partition("-")[2]
            return Route(how, safe_name(name, "cluster name"))
    raise PreflightRefused(
        f"{context} is not a local cluster whose nodes could be given images from this machine",
        remedy='push them to a registry its nodes can reach, and set `images = "present"` in the profile',
    )


def load_argvs(route: Route, images: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """The commands that put `images` on the nodes; none where the daemon is shared, or where there are no images.

    Raises: UsageError: an image reference that could be read as an option.
    """
    for image in images:
        if not image or image.startswith("-"):
            raise UsageError(f"{image!r} is not an image reference")
    if not images or route.how == "shared":
        return ()
    if route.how == "kind":
        return (("kind", "load", "docker-image", "--name", route.cluster, *images),)
    if route.how == "k3d":
        return (("k3d", "image", "import", "--cluster", route.cluster, *images),)
    return (("minikube", "--profile", route.cluster, "image", "load", *images),)


def environment(socket: str) -> dict[str, str]:
    """Makes Docker clients use the daemon at `socket` (unix://…, as `colima status` names it); "" leaves them alone."""
    return {"DOCKER_HOST": socket} if socket else {}

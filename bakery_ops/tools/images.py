"""Skaffold at work: images built and put where the nodes of a local cluster find them, or a whole `skaffold run`."""

from __future__ import annotations

import os
import sysconfig
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from bakery_ops.errors import UsageError
from bakery_ops.tools import colima, docker, skaffold

BUILD_TIMEOUT = 3600.0
"""Seconds. A first build of everything downloads base images and dependencies."""

RUN_TIMEOUT = 3600.0
_LOAD_TIMEOUT = 900.0
_QUERY_TIMEOUT = 30.0


class Result(Protocol):
    @property
    def status(self) -> int: ...
    @property
    def stdout(self) -> str: ...


class Programs(Protocol):
    """The process door, as much of it as is needed here."""

    def run(
        self,
        argv: Sequence[str | Path],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float | None = None,
        check: bool = True,
        on_line: Callable[[str], None] | None = None,
    ) -> Result: ...

    def find(self, program: str) -> Path: ...


def build_images(
    names: Sequence[str],
    profile: str,
    context: str,
    *,
    programs: Programs,
    repository: Path,
    say: Callable[[str], None],
    ours: str = "bakery/",
) -> Mapping[str, str]:
    """Build our images under the tag the manifests name, and give them to the nodes of a local cluster.

    Args:
        names: The image references of the manifests; those that do not begin with `ours` are left to the registries.
        profile: A profile of skaffold.yaml, or "dev".
        context: The kubeconfig context of the cluster; its name decides how images get there.
        programs: `tools.process`, or its like.
        repository: Where skaffold.yaml is.
        say: Gets every line of the build.
    Returns: Image name -> the reference that was built.
    Raises:
        PreflightRefused: the cluster is not a local one.
        UsageError: the manifests name our images with different tags, or a program is missing.
        CommandFailed, TimedOut: the build or the loading.
    """
    tags = {name.rpartition(":")[2] for name in names if name.startswith(ours)}
    if not tags:
        return {}
    if len(tags) > 1:
        raise UsageError(
            f"the manifests name our images with {len(tags)} tags: {', '.join(sorted(tags))}",
            remedy="one build has one tag; set it once, in the overlay's `images`",
        )
    route = docker.route_to(context)
    environment = {**_environment(), **docker.environment(_socket(context, programs))}
    with tempfile.TemporaryDirectory(prefix="bakery-build-") as directory:
        output = Path(directory) / "build.json"
        argv = skaffold.build_argv(programs.find("skaffold"), profile, output, tag=tags.pop())
        programs.run(argv, cwd=repository, env=environment, timeout=BUILD_TIMEOUT, on_line=say)
        built = skaffold.parse_build_output(output.read_text(encoding="utf-8"))
    for argv in docker.load_argvs(route, [reference.partition("@")[0] for reference in built.values()]):
        programs.run(argv, env=environment, timeout=_LOAD_TIMEOUT, on_line=say)
    return built


def run_everything(
    profile: str,
    context: str,
    kubeconfig: Path | None,
    *,
    programs: Programs,
    repository: Path,
    say: Callable[[str], None],
) -> None:
    """`skaffold run`, with its hooks told that secrets and certificates are there already.

    Raises: CommandFailed, TimedOut (an hour), UsageError: Skaffold is not installed.
    """
    environment = _environment()
    if kubeconfig is not None:  # kubectl in a hook reads the variable, not Skaffold's flag
        environment["KUBECONFIG"] = str(kubeconfig)
    argv = skaffold.run_argv(programs.find("skaffold"), profile, context=context, kubeconfig=kubeconfig)
    programs.run(argv, cwd=repository, env=environment, timeout=RUN_TIMEOUT, on_line=say)


def _environment() -> dict[str, str]:
    scripts = Path(sysconfig.get_path("scripts"))
    return skaffold.environment(path=os.environ.get("PATH", os.defpath), bin_directory=scripts)


def _socket(context: str, programs: Programs) -> str:
    """Where the Docker daemon of our Colima machine listens; "" for every other cluster: the default daemon."""
    if context != colima.CONTEXT:
        return ""
    result = programs.run(colima.status_argv(programs.find("colima")), timeout=_QUERY_TIMEOUT)
    return colima.parse_status(result.stdout).docker_socket

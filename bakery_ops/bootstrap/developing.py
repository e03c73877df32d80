"""`invoke dev` and `invoke dev.tilt`: what a cluster must have first, then a program that takes over the terminal."""

from __future__ import annotations

import os
import sysconfig
from collections.abc import Callable, Mapping
from pathlib import Path

from bakery_ops.bootstrap import clusters, credentials, images
from bakery_ops.bootstrap.clusters import Place
from bakery_ops.bootstrap.session import REPOSITORY, render, resolve
from bakery_ops.errors import ExitCode, TargetRefused
from bakery_ops.model.builder import build_graph
from bakery_ops.model.profile import Profile
from bakery_ops.options import Target
from bakery_ops.report.terminal import Terminal
from bakery_ops.tools import process, skaffold, tilt
from bakery_ops.workflows.check import check, require
from bakery_ops.workflows.deploy import images as images_of

Argv = Callable[[Path, Profile, Place], tuple[str, ...]]


def dev(target: Target) -> ExitCode:
    """`skaffold dev`. Raises: UsageError: Skaffold is not installed; nothing was contacted."""
    return _take_over("skaffold", target, _skaffold_argv, _skaffold_environment())


def dev_tilt(target: Target) -> ExitCode:
    """`tilt up`. Raises: UsageError: Tilt is not installed; nothing was contacted."""
    return _take_over(
        "tilt", target, lambda program, _, place: tilt.up_argv(program, context=place.context), tilt.environment()
    )


def _skaffold_argv(program: Path, profile: Profile, place: Place) -> tuple[str, ...]:
    return skaffold.dev_argv(program, profile.name, context=place.context, kubeconfig=place.kubeconfig)


def _skaffold_environment() -> dict[str, str]:
    scripts = Path(sysconfig.get_path("scripts"))
    return skaffold.environment(path=os.environ.get("PATH", os.defpath), bin_directory=scripts)


def _take_over(name: str, target: Target, argv: Argv, environment: Mapping[str, str]) -> ExitCode:
    """Make sure of everything the program's own hooks would, then become the program: its exit code is ours."""
    program = process.find(name)
    terminal = Terminal()
    rendered = render(resolve(target))
    profile = rendered.profile
    if profile.protected:
        raise TargetRefused(f"profile {profile.name!r} is protected; {name} would change it with every saved file")
    require(check(rendered.manifests, namespace=profile.namespace, strict=False))
    with clusters.reached(profile, target, terminal, start=True) as (place, connection):
        credentials.prepare(connection, rendered, place, terminal.say)
    if profile.images != "skaffold":  # where it is, the program builds them itself
        images.provider(profile, place, terminal)(images_of(build_graph(rendered.manifests)))
    words = argv(program, profile, place)
    terminal.say(" ".join(words))
    own = {} if place.kubeconfig is None else {"KUBECONFIG": str(place.kubeconfig)}
    process.become(words, cwd=REPOSITORY, env={**environment, **own})

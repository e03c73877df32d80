"""Where a deploy's container images come from: built for the sandbox's node, built by Skaffold, or there already."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from bakery_ops.bootstrap import clusters
from bakery_ops.bootstrap.clusters import Place
from bakery_ops.bootstrap.session import REPOSITORY, render, resolve
from bakery_ops.errors import ExitCode
from bakery_ops.model.builder import build_graph
from bakery_ops.model.profile import Profile
from bakery_ops.options import Target
from bakery_ops.report.terminal import Terminal
from bakery_ops.sandbox import lifecycle
from bakery_ops.sandbox.images import ensure_images
from bakery_ops.sandbox.instance import cache_directory
from bakery_ops.tools import process
from bakery_ops.tools.images import build_images
from bakery_ops.workflows.deploy import images


def provider(profile: Profile, place: Place, terminal: Terminal) -> Callable[[Sequence[str]], None]:
    """What a deploy calls with the images it needs, once secrets are there and before anything starts."""
    if place.simulated:
        return lambda names: terminal.say(f"images: {len(names)} named, none needed: the nodes are simulated")
    if profile.images == "sandbox" and place.sandbox is not None:
        instance = place.sandbox
        return lambda names: _import(names, instance, terminal)
    if profile.images == "skaffold":
        return lambda names: _build(names, profile, place, terminal)
    return lambda names: None


def sandbox_images(profile: str | None, name: str | None) -> ExitCode:
    """Build and import the images of a profile's overlay into a running real sandbox."""
    terminal = Terminal()
    rendered = render(resolve(Target(profile)))
    target = Target(profile, context=f"bakery-sandbox-{name}" if name else "bakery-sandbox")
    place = clusters.locate(rendered.profile, target, terminal)
    if place.simulated:
        terminal.say("the sandbox's nodes are simulated: they need no images")
    else:
        _import(images(build_graph(rendered.manifests)), place.sandbox or "default", terminal)
    return ExitCode.OK


def _build(names: Sequence[str], profile: Profile, place: Place, terminal: Terminal) -> None:
    build_images(names, profile.name, place.context, programs=process, repository=REPOSITORY, say=terminal.say)


def _import(names: Sequence[str], instance: str, terminal: Terminal) -> None:
    def import_tar(tar: Path) -> None:
        lifecycle.import_archive(tar, say=terminal.say, name=instance)

    present = lifecycle.present_images(instance)
    ensure_images(cache_directory(), names, present, import_tar, terminal.say, REPOSITORY)

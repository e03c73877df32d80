"""`invoke deploy.history` and `invoke deploy.rollback`."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from bakery_ops.bootstrap import clusters, deploying
from bakery_ops.bootstrap.opened import Opened
from bakery_ops.bootstrap.recording import releases_of
from bakery_ops.bootstrap.session import Rendered, resolve
from bakery_ops.cluster.connection import Connection
from bakery_ops.cluster.releases import ApiReleases
from bakery_ops.errors import ExitCode
from bakery_ops.model.builder import build_graph
from bakery_ops.model.profile import Profile
from bakery_ops.options import DeployOptions, RollbackOptions, Target
from bakery_ops.report.releases import history_document, show_history, show_nothing_to_do
from bakery_ops.report.telling import terminal_for
from bakery_ops.report.terminal import Terminal
from bakery_ops.rules.history import rows
from bakery_ops.rules.releases import Known, Release
from bakery_ops.rules.rollback import chosen, require_same_place
from bakery_ops.workflows.check import check, require
from bakery_ops.workflows.releases import parsed
from bakery_ops.workflows.rollback import Rollback


def history(target: Target, output: str | None) -> ExitCode:
    """What was deployed, by whom, what it changed, and which release is live."""
    terminal = Terminal()
    profile = resolve(target)
    with clusters.reached(profile, target, terminal, reads_only=True) as (_, connection):
        releases = releases_of(connection, profile.namespace)
        known = releases.known()
        found = rows(releases.all(), known)
    if output == "json":
        print(json.dumps(history_document(found, known.pending, profile.namespace), indent=1))  # noqa: T201
    else:
        show_history(terminal, found, known.pending, profile.namespace)
    return ExitCode.OK


def rollback(options: RollbackOptions) -> ExitCode:
    """Deploy a recorded release again: the way of any deploy, from the recorded text."""
    terminal = terminal_for(options.output)
    profile = resolve(options.target)
    with clusters.reached(profile, options.target, terminal, reads_only=options.dry_run) as (place, connection):
        releases = releases_of(connection, profile.namespace)
        known = releases.known()
        release = chosen(known, options.to, profile.namespace)
        require_same_place(release, profile.name, profile.namespace)
        if _is_live(known, release):
            show_nothing_to_do(terminal, release, options.output, connection.clock.now())
            return ExitCode.OK
        opened = _opened(releases, release, options, profile, place, connection, terminal)
        terminal.say(f"rolling back to release {release.number}, by {release.facts.get('by', 'unknown')}")
        return deploying.deploy(_as_deploy(options), opening=lambda *_, **__: opened, terminal=terminal)


def _opened(
    releases: ApiReleases,
    release: Release,
    options: RollbackOptions,
    profile: Profile,
    place: clusters.Place,
    connection: Connection,
    terminal: Terminal,
) -> Opened:
    """The recorded text in the place of a render, judged as one. Its images were built when it was deployed."""
    contents = releases.read(release.number)
    manifests = parsed(contents)
    overlay = release.facts.get("overlay", profile.overlay)
    profile = dataclasses.replace(profile, overlay=overlay, images="present", engine="staged", nodes=())
    require(check(manifests, namespace=profile.namespace, strict=profile.protected))
    return Opened(
        Rendered(profile, Path(overlay), contents.text, manifests),
        build_graph(manifests),
        place,
        connection,
        Rollback(contents, releases, options.accept_newer_schema, terminal.say).amend,
        {"rollback": str(release.number)},
    )


def _as_deploy(options: RollbackOptions) -> DeployOptions:
    shared = {key: value for key, value in options._asdict().items() if key in DeployOptions._fields}
    return DeployOptions(**shared)


def _is_live(known: Known, release: Release) -> bool:
    return known.pending is None and known.newest is not None and release.digest == known.newest.digest

"""Wires the record of releases to one deploy."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bakery_ops.bootstrap.session import Rendered
from bakery_ops.cluster.connection import Connection
from bakery_ops.cluster.journal import ApiJournal
from bakery_ops.cluster.lease import this_run
from bakery_ops.cluster.releases import ApiReleases
from bakery_ops.model.graph import Graph
from bakery_ops.model.profile import Profile
from bakery_ops.model.recorded import recorded
from bakery_ops.workflows import releases as workflow
from bakery_ops.workflows.ports import Say


def releases_of(connection: Connection, namespace: str) -> ApiReleases:
    return ApiReleases(connection.transport, connection.retrier, namespace)


def require_resumable(rendered: Rendered, connection: Connection) -> None:
    """Raises PreflightRefused when `rendered` is not what an interrupted deploy was about to bring."""
    manifests, namespace = rendered.manifests, rendered.profile.namespace
    workflow.require_resumable(releases_of(connection, namespace), manifests, recorded(manifests), namespace)


def destruction_of(profile: Profile, connection: Connection, say: Say) -> Callable[[bool], None]:
    """Notes that what `profile` deployed is being destroyed."""
    releases = releases_of(connection, profile.namespace)
    facts = {"profile": profile.name, "namespace": profile.namespace, "by": _by()}
    return lambda volumes: workflow.note_destroyed(releases, facts, say, volumes=volumes)


def _by() -> str:
    holder = this_run()
    return f"{holder.user}@{holder.host}"


def recording_of(
    rendered: Rendered,
    graph: Graph,
    connection: Connection,
    errand: Mapping[str, str],
    say: Say,
    *,
    unplanned: bool = False,
) -> workflow.Recording:
    """The recording of a deploy of `rendered`; `errand` says what it is besides a deploy of everything."""
    profile = rendered.profile
    facts = {
        "profile": profile.name,
        "overlay": profile.overlay,
        "namespace": profile.namespace,
        "by": _by(),
        "objects": str(len(rendered.manifests)),
        **errand,
    }
    return workflow.Recording(
        releases=releases_of(connection, profile.namespace),
        requests=connection.requests,
        journal=ApiJournal(connection.transport, connection.retrier, profile.namespace),
        graph=graph,
        namespace=profile.namespace,
        text=recorded(rendered.manifests),
        facts=facts,
        say=say,
        unplanned=unplanned,
    )

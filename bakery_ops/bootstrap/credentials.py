"""The credentials a deploy makes sure of, and those other engines find there already."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

from bakery_ops.bootstrap import clusters
from bakery_ops.bootstrap.clusters import Place
from bakery_ops.bootstrap.session import Rendered
from bakery_ops.cluster.connection import Connection
from bakery_ops.cluster.inventory import ApiInventory
from bakery_ops.cluster.lease import this_run
from bakery_ops.credentials.mint import Mint
from bakery_ops.model.builder import build_graph
from bakery_ops.model.manifest import Manifest, ObjectRef
from bakery_ops.model.profile import Profile
from bakery_ops.model.secrets import SecretRow, SecretSpec, SecretState, wanted
from bakery_ops.workflows import secrets as secrets_workflow
from bakery_ops.workflows.deploy import make_namespaces
from bakery_ops.workflows.ports import Say


def ensure(connection: Connection, manifests: Sequence[Manifest], namespace: str, say: Say) -> frozenset[ObjectRef]:
    """Create what the platform's manifests refer to and the cluster lacks; returns all that are there now."""
    specs = wanted(manifests)
    done = secrets_workflow.ensure(
        connection.requests,
        Mint(connection.clock.now),
        specs,
        say=lambda line: None,
        announce=announcer(connection, namespace),
    )
    created = sum(row.state is SecretState.CREATED for row in done.rows)
    say(f"secrets and certificates: {created} created, {len(done.rows) - created} there already")
    extended = [row.name for row in done.rows if row.state is SecretState.EXTENDED]
    for name, subject in zip(extended, done.restart, strict=True):
        say(f"secret {name} has new users; restart {subject}")
    return frozenset(spec.ref for spec in specs)


def complete(connection: Connection, manifests: Sequence[Manifest]) -> frozenset[ObjectRef] | None:
    """All that `ensure` makes sure of, when nothing of it is missing; else None. Writes nothing."""
    specs = wanted(manifests)
    is_complete = secrets_workflow.are_complete(connection.requests, Mint(connection.clock.now), specs)
    return frozenset(spec.ref for spec in specs) if is_complete else None


def announcer(connection: Connection, namespace: str) -> Callable[[Sequence[ObjectRef]], None]:
    """Writes what will be created into the inventory first: nothing of ours exists outside it (promise I1)."""
    return ApiInventory(connection.transport, connection.retrier, namespace).add


def standing(connection: Connection, manifests: Sequence[Manifest]) -> tuple[SecretRow, ...]:
    """How each secret and certificate that the platform's manifests refer to stands; nothing is changed."""
    return secrets_workflow.check(connection.requests, Mint(connection.clock.now), wanted(manifests))


def prepare(connection: Connection, rendered: Rendered, place: Place, say: Say) -> None:
    """The namespace, and every secret and certificate in it: what another engine's deploy finds there already."""
    home = rendered.profile.namespace
    make_namespaces(build_graph(rendered.manifests), connection.requests, home, say)
    with alone(connection, rendered.profile, place, wanted(rendered.manifests), say):
        ensure(connection, rendered.manifests, home, say)


def alone(
    connection: Connection, profile: Profile, place: Place, specs: Sequence[SecretSpec], say: Say
) -> AbstractContextManager[object]:
    """The deploy lock, where something has to be made: a value that two runs make at once is not the one that a
    database was started with. Raises: Locked."""
    if secrets_workflow.are_complete(connection.requests, Mint(connection.clock.now), specs):
        return nullcontext()
    lock = clusters.deploy_lock(connection, profile, place, say)
    return lock.acquire(this_run(), phase=f"secrets {profile.name}")

"""`invoke secrets*` and `invoke tls*`, and the credentials a deploy makes sure of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

from bakery_ops.bootstrap import clusters
from bakery_ops.bootstrap.clusters import Place
from bakery_ops.bootstrap.session import Rendered, render, resolve
from bakery_ops.cluster.connection import Connection
from bakery_ops.cluster.inventory import ApiInventory
from bakery_ops.cluster.lease import this_run
from bakery_ops.credentials.mint import Mint
from bakery_ops.errors import ExitCode, PreflightRefused
from bakery_ops.model.builder import build_graph
from bakery_ops.model.manifest import Manifest, ObjectRef
from bakery_ops.model.profile import Profile
from bakery_ops.model.secrets import SecretRow, SecretSpec, SecretState, wanted
from bakery_ops.options import Target
from bakery_ops.report.terminal import Terminal
from bakery_ops.workflows import renewal
from bakery_ops.workflows import secrets as secrets_workflow
from bakery_ops.workflows import tls as tls_workflow
from bakery_ops.workflows.ports import Say


def ensure(connection: Connection, manifests: Sequence[Manifest], namespace: str, say: Say) -> frozenset[ObjectRef]:
    """Create what the platform's manifests refer to and the cluster lacks; returns all that are there now."""
    specs = wanted(manifests)
    done = secrets_workflow.ensure(
        connection.requests,
        Mint(connection.clock.now),
        specs,
        say=lambda line: None,
        announce=_announcer(connection, namespace),
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


def _announcer(connection: Connection, namespace: str) -> Callable[[Sequence[ObjectRef]], None]:
    """Writes what will be created into the inventory first: nothing of ours exists outside it (promise I1)."""
    return ApiInventory(connection.transport, connection.retrier, namespace).add


def standing(connection: Connection, manifests: Sequence[Manifest]) -> tuple[SecretRow, ...]:
    """How each secret and certificate that the platform's manifests refer to stands; nothing is changed."""
    return secrets_workflow.check(connection.requests, Mint(connection.clock.now), wanted(manifests))


def secrets(target: Target) -> ExitCode:
    return _ensure(target, lambda specs: specs)


def tls(target: Target) -> ExitCode:
    return _ensure(target, tls_workflow.certificates)


def secrets_check(target: Target) -> ExitCode:
    return _check(target, lambda specs: specs)


def tls_check(target: Target) -> ExitCode:
    return _check(target, tls_workflow.certificates, also=_held)


def _ensure(target: Target, chosen: Callable[[Sequence[SecretSpec]], Sequence[SecretSpec]]) -> ExitCode:
    terminal = Terminal()
    rendered = render(resolve(target))
    profile, specs = rendered.profile, chosen(wanted(rendered.manifests))
    with clusters.reached(profile, target, terminal) as (place, connection):
        _namespace(connection, rendered)
        with _alone(connection, profile, place, specs, terminal.say):
            done = secrets_workflow.ensure(
                connection.requests,
                Mint(connection.clock.now),
                specs,
                say=terminal.say,
                announce=_announcer(connection, profile.namespace),
            )
    _table(terminal, done.rows)
    return ExitCode.OK


def prepare(connection: Connection, rendered: Rendered, place: Place, say: Say) -> None:
    """The namespace, and every secret and certificate in it: what another engine's deploy finds there already."""
    _namespace(connection, rendered)
    with _alone(connection, rendered.profile, place, wanted(rendered.manifests), say):
        ensure(connection, rendered.manifests, rendered.profile.namespace, say)


def _alone(
    connection: Connection, profile: Profile, place: Place, specs: Sequence[SecretSpec], say: Say
) -> AbstractContextManager[object]:
    """The deploy lock, where something has to be made: a value that two runs make at once is not the one that a
    database was started with. Raises: Locked."""
    if secrets_workflow.are_complete(connection.requests, Mint(connection.clock.now), specs):
        return nullcontext()
    lock = clusters.deploy_lock(connection, profile, place, say)
    return lock.acquire(this_run(), phase=f"secrets {profile.name}")


def _namespace(connection: Connection, rendered: Rendered) -> None:
    namespace = ObjectRef("", "Namespace", "", rendered.profile.namespace)
    if connection.requests.read(namespace).status == 404:
        for manifest in rendered.manifests:
            if manifest.ref == namespace and (answer := connection.requests.apply(manifest)).status >= 300:
                raise PreflightRefused(f"cannot create the namespace {namespace.name}: {answer.message}")


def _check(
    target: Target,
    chosen: Callable[[Sequence[SecretSpec]], Sequence[SecretSpec]],
    also: Callable[[Connection, Rendered, Sequence[SecretRow]], Sequence[str]] = lambda connection, rendered, rows: (),
) -> ExitCode:
    """Exit 3 when a secret is missing or wrong. `also`: lines below the table."""
    terminal = Terminal()
    rendered = render(resolve(target))
    with clusters.reached(rendered.profile, target, terminal, reads_only=True) as (_, connection):
        rows = secrets_workflow.check(
            connection.requests, Mint(connection.clock.now), chosen(wanted(rendered.manifests))
        )
        more = also(connection, rendered, rows)
    _table(terminal, rows)
    terminal.show(*more)
    bad = any(row.state in (SecretState.MISSING, SecretState.WRONG) for row in rows)
    return ExitCode.FAILED if bad else ExitCode.OK


def _held(connection: Connection, rendered: Rendered, rows: Sequence[SecretRow]) -> Sequence[str]:
    """Servers that were not restarted since their certificate was renewed, and what is to be done."""
    stale = renewal.stale(build_graph(rendered.manifests), wanted(rendered.manifests), connection.requests)
    lines = [f"{name} still holds the certificate from before {at}" for name, at in stale.items()]
    is_due = any(row.state in (SecretState.WRONG, SecretState.WARNING) for row in rows)
    return [*lines, "next: invoke tls.rotate renews what is due and restarts its servers"] if lines or is_due else ()


def _table(terminal: Terminal, rows: Sequence[SecretRow]) -> None:
    headings = ("secret", "purpose", "state", "notes")
    terminal.table(headings, [(row.name, row.purpose.value, row.state.value, "; ".join(row.notes)) for row in rows])

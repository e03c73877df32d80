"""`invoke secrets*` and `invoke tls*`, and the credentials a deploy makes sure of."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bakery_ops.bootstrap import clusters
from bakery_ops.bootstrap.session import Rendered, render, resolve
from bakery_ops.cluster.connection import Connection
from bakery_ops.cluster.inventory import ApiInventory
from bakery_ops.credentials.mint import Mint
from bakery_ops.errors import ExitCode, PreflightRefused
from bakery_ops.model.manifest import Manifest, ObjectRef
from bakery_ops.model.secrets import SecretRow, SecretSpec, SecretState, wanted
from bakery_ops.options import Target
from bakery_ops.report.terminal import Terminal
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
    inventory = ApiInventory(connection.transport, connection.retrier, namespace)
    return lambda refs: inventory.write([*inventory.read(), *refs])


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
    return _check(target, tls_workflow.certificates)


def _ensure(target: Target, chosen: Callable[[Sequence[SecretSpec]], Sequence[SecretSpec]]) -> ExitCode:
    terminal = Terminal()
    rendered = render(resolve(target))
    with clusters.reached(rendered.profile, target, terminal) as (_, connection):
        _namespace(connection, rendered)
        done = secrets_workflow.ensure(
            connection.requests,
            Mint(connection.clock.now),
            chosen(wanted(rendered.manifests)),
            say=terminal.say,
            announce=_announcer(connection, rendered.profile.namespace),
        )
    _table(terminal, done.rows)
    return ExitCode.OK


def prepare(connection: Connection, rendered: Rendered, say: Say) -> None:
    """The namespace, and every secret and certificate in it: what another engine's deploy finds there already."""
    _namespace(connection, rendered)
    ensure(connection, rendered.manifests, rendered.profile.namespace, say)


def _namespace(connection: Connection, rendered: Rendered) -> None:
    namespace = ObjectRef("", "Namespace", "", rendered.profile.namespace)
    if connection.requests.read(namespace).status == 404:
        for manifest in rendered.manifests:
            if manifest.ref == namespace and (answer := connection.requests.apply(manifest)).status >= 300:
                raise PreflightRefused(f"cannot create the namespace {namespace.name}: {answer.message}")


def _check(target: Target, chosen: Callable[[Sequence[SecretSpec]], Sequence[SecretSpec]]) -> ExitCode:
    """Exit 3 when a secret is missing or wrong."""
    terminal = Terminal()
    rendered = render(resolve(target))
    with clusters.reached(rendered.profile, target, terminal, reads_only=True) as (_, connection):
        rows = secrets_workflow.check(
            connection.requests, Mint(connection.clock.now), chosen(wanted(rendered.manifests))
        )
    _table(terminal, rows)
    bad = any(row.state in (SecretState.MISSING, SecretState.WRONG) for row in rows)
    return ExitCode.FAILED if bad else ExitCode.OK


def _table(terminal: Terminal, rows: Sequence[SecretRow]) -> None:
    headings = ("secret", "purpose", "state", "notes")
    terminal.table(headings, [(row.name, row.purpose.value, row.state.value, "; ".join(row.notes)) for row in rows])

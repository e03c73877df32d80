"""`invoke secrets*` and `invoke tls*`: what the manifests refer to, made where it is missing, or looked at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing

from bakery_ops.bootstrap import credentials
from bakery_ops.bootstrap.opened import Opened, open_platform
from bakery_ops.credentials.mint import Mint
from bakery_ops.errors import ExitCode
from bakery_ops.model.secrets import SecretRow, SecretSpec, SecretState, wanted
from bakery_ops.options import Target
from bakery_ops.report.terminal import Terminal
from bakery_ops.workflows import renewal
from bakery_ops.workflows import secrets as secrets_workflow
from bakery_ops.workflows import tls as tls_workflow
from bakery_ops.workflows.deploy import make_namespaces

Chosen = Callable[[Sequence[SecretSpec]], Sequence[SecretSpec]]
_BAD = (SecretState.MISSING, SecretState.WRONG)
_STYLE = {SecretState.MISSING: "bold red", SecretState.WRONG: "bold red", SecretState.WARNING: "yellow"}


def secrets(target: Target) -> ExitCode:
    return _ensure(target, lambda specs: specs)


def tls(target: Target) -> ExitCode:
    return _ensure(target, tls_workflow.certificates)


def secrets_check(target: Target) -> ExitCode:
    return _check(target, lambda specs: specs)


def tls_check(target: Target) -> ExitCode:
    return _check(target, tls_workflow.certificates, also=_held)


def _ensure(target: Target, chosen: Chosen) -> ExitCode:
    terminal = Terminal()
    opened = open_platform(target, terminal)
    with closing(opened.connection) as connection:
        specs, profile = _chosen(opened, chosen), opened.rendered.profile
        make_namespaces(opened.graph, connection.requests, profile.namespace, terminal.say)
        with credentials.alone(connection, profile, opened.place, specs, terminal.say):
            done = secrets_workflow.ensure(
                connection.requests,
                Mint(connection.clock.now),
                specs,
                say=terminal.say,
                announce=credentials.announcer(connection, profile.namespace),
            )
    _table(terminal, done.rows)
    return ExitCode.OK


def _check(
    target: Target,
    chosen: Chosen,
    also: Callable[[Opened, Sequence[SecretRow]], Sequence[str]] = lambda opened, rows: (),
) -> ExitCode:
    """Exit 3 when a secret is missing or wrong. `also`: lines below the table."""
    terminal = Terminal()
    opened = open_platform(target, terminal, reads_only=True)
    with closing(opened.connection) as connection:
        rows = secrets_workflow.check(connection.requests, Mint(connection.clock.now), _chosen(opened, chosen))
        more = also(opened, rows)
    _table(terminal, rows)
    terminal.show(*more)
    return ExitCode.FAILED if any(row.state in _BAD for row in rows) else ExitCode.OK


def _held(opened: Opened, rows: Sequence[SecretRow]) -> Sequence[str]:
    """Servers that were not restarted since their certificate was renewed, and what is to be done."""
    stale = renewal.stale(opened.graph, wanted(opened.rendered.manifests), opened.connection.requests)
    lines = [f"{name} still holds the certificate from before {at}" for name, at in stale.items()]
    is_due = any(row.state in (SecretState.WRONG, SecretState.WARNING) for row in rows)
    return [*lines, "next: invoke tls.rotate renews what is due and restarts its servers"] if lines or is_due else ()


def _chosen(opened: Opened, chosen: Chosen) -> Sequence[SecretSpec]:
    return chosen(wanted(opened.rendered.manifests))


def _table(terminal: Terminal, rows: Sequence[SecretRow]) -> None:
    """What is wrong on top, and the count below: nobody reads 63 rows for one."""
    if not rows:
        terminal.show(
            "the manifests refer to nothing that is made here: only secrets of the platform's own objects are"
        )
        return
    states = list(SecretState)
    shown = sorted(rows, key=lambda row: (row.state not in _BAD, row.state is not SecretState.WARNING))
    headings = ("secret", "purpose", "state", "notes")
    terminal.table(headings, [(row.name, row.purpose.value, row.state.value, "; ".join(row.notes)) for row in shown])
    counts = {state: sum(row.state is state for row in rows) for state in states}
    worst = next((_STYLE[state] for state in _STYLE if counts[state]), "green")
    terminal.show(", ".join(f"{count} {state.value}" for state, count in counts.items() if count), style=worst)

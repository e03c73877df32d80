"""`invoke destroy`: which namespace of which cluster, what has to be confirmed, and the adapters of the workflow."""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from bakery_ops.bootstrap import clusters
from bakery_ops.bootstrap.outcomes import EXIT
from bakery_ops.bootstrap.recording import destruction_of
from bakery_ops.bootstrap.session import resolve
from bakery_ops.cluster.connection import Connection
from bakery_ops.cluster.contents import ApiContents
from bakery_ops.cluster.inventory import ApiInventory, elsewhere
from bakery_ops.cluster.journal import ApiJournal
from bakery_ops.cluster.lease import this_run
from bakery_ops.errors import ExitCode, TargetRefused
from bakery_ops.model.profile import Profile
from bakery_ops.options import DestroyOptions
from bakery_ops.report import removals
from bakery_ops.report.terminal import Terminal
from bakery_ops.rules.removal import Removal
from bakery_ops.workflows.destroy import destroy as remove
from bakery_ops.workflows.destroy import survey
from bakery_ops.workflows.removing import Ports
from bakery_ops.workflows.rollout import workers


def destroy(options: DestroyOptions) -> ExitCode:
    """Show what goes and what stays, ask where data would go, remove it, say what became of it."""
    terminal = Terminal()
    profile = resolve(options.target)
    with clusters.reached(profile, options.target, terminal, reads_only=options.dry_run) as (place, connection):
        ports = _ports(connection, profile, place, terminal)
        decided = survey(ports, volumes=options.volumes)
        as_json = options.output == "json"
        if not as_json:
            removals.show_removal(terminal, decided)
        if options.dry_run:
            if as_json:
                print(json.dumps(removals.removal_document(decided, None, profile.name, place.context)))  # noqa: T201
            return ExitCode.OK
        _confirm(decided, profile.namespace, options.yes)
        report = remove(decided, ports, volumes=options.volumes, deadline=profile.deadline)
    if as_json:
        print(json.dumps(removals.removal_document(decided, report, profile.name, place.context)))  # noqa: T201
    else:
        removals.show_result(terminal, report)
    return EXIT[report.outcome]


def _confirm(decided: Removal, namespace: str, given: str | None) -> None:
    """Where data goes, the namespace's name is typed, or given by --yes. Raises: TargetRefused."""
    if given is None and not decided.takes_data:
        return
    if given is None and sys.stdin.isatty():
        print(  # noqa: T201
            f"data, passwords and certificates go with it. Type the namespace {namespace} to go on: ",
            end="",
            file=sys.stderr,
            flush=True,
        )
        given = sys.stdin.readline().strip()
    if given != namespace:
        raise TargetRefused(
            f"{decided.unconfirmed(given)}; nothing was removed", remedy=f"repeat with --yes {namespace}"
        )


def _ports(connection: Connection, profile: Profile, place: clusters.Place, terminal: Terminal) -> Ports:
    transport, retrier, namespace = connection.transport, connection.retrier, profile.namespace
    lease = clusters.deploy_lock(connection, profile, place, terminal.say)
    return Ports(
        namespace=namespace,
        requests=connection.requests,
        clock=connection.clock,
        inventory=ApiInventory(transport, retrier, namespace),
        journal=ApiJournal(transport, retrier, namespace),
        lock=partial(lease.acquire, this_run(), phase=f"destroy {profile.name}"),
        contents=ApiContents(transport, retrier, connection.discovery).of,
        note_destroyed=destruction_of(profile, connection, terminal.say),
        elsewhere=partial(elsewhere, connection.requests, namespace),
        deleters=ThreadPoolExecutor(workers(connection.round_trip), "remove"),
        say=terminal.say,
    )

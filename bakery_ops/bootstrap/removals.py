"""`invoke destroy`: which namespace of which cluster, what has to be confirmed, and the adapters of the workflow."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from functools import partial

from bakery_ops.bootstrap import clusters
from bakery_ops.bootstrap.outcomes import EXIT
from bakery_ops.bootstrap.recording import destruction_of
from bakery_ops.bootstrap.session import REPOSITORY, resolve
from bakery_ops.cluster.connection import Connection
from bakery_ops.cluster.contents import ApiContents
from bakery_ops.cluster.inventory import ApiInventory, elsewhere
from bakery_ops.cluster.journal import ApiJournal
from bakery_ops.cluster.lease import this_run
from bakery_ops.errors import BakeryError, ExitCode, Interrupted, TargetRefused
from bakery_ops.model.profile import Profile
from bakery_ops.options import DestroyOptions
from bakery_ops.report import events, removals, schema
from bakery_ops.report.runs import RunFolder, folder_or_none, new_id
from bakery_ops.report.terminal import Terminal
from bakery_ops.rules.removal import Removal
from bakery_ops.rules.reports import RemovalRun
from bakery_ops.workflows.destroy import destroy as remove
from bakery_ops.workflows.destroy import survey
from bakery_ops.workflows.removing import Ports
from bakery_ops.workflows.rollout import workers


def destroy(options: DestroyOptions) -> ExitCode:
    """Show what goes and what stays, ask where data would go, remove it, say what became of it."""
    terminal = Terminal()
    profile = resolve(options.target)
    as_json = options.output == "json"
    with clusters.reached(profile, options.target, terminal, reads_only=options.dry_run) as (place, connection):
        ports = _ports(connection, profile, place, terminal)
        decided = survey(ports, volumes=options.volumes)
        run = RemovalRun(new_id(), profile.name, profile.namespace, place.context)
        if not as_json:
            removals.show_removal(terminal, decided, run, every=options.list)
        elif options.dry_run:
            terminal.write(json.dumps(removals.plan_document(decided, run), indent=1) + "\n")
        if options.dry_run:
            return ExitCode.OK
        _confirm(decided, profile.namespace, options.yes)
        folder = folder_or_none(REPOSITORY / "runs", run.id, terminal.say)
        with folder or nullcontext(), _kept(folder, run, connection, terminal):
            report = remove(decided, ports, volumes=options.volumes, deadline=profile.deadline)
            told = removals.document(report, run, terminal.elapsed())
            _keep(folder, told, EXIT[report.outcome], connection, terminal)
    if as_json:
        terminal.write(schema.encode(told))
    else:
        removals.show_result(terminal, told, str(folder.path) if folder else "")
    return EXIT[report.outcome]


@contextmanager
def _kept(folder: RunFolder | None, run: RemovalRun, connection: Connection, terminal: Terminal) -> Iterator[None]:
    """What ends the destroy early, an error or a signal, leaves a report all the same, and goes on its way."""
    if folder is not None:
        folder.event(events.Begun(at=connection.clock.now(), run=run.id, profile=run.profile, context=run.context))
    try:
        yield
    except (BakeryError, KeyboardInterrupt) as ended:
        error = ended if isinstance(ended, BakeryError) else Interrupted("interrupted")
        report = removals.stopped(error, run, terminal.elapsed())
        _keep(folder, report, error.exit_code, connection, terminal)
        raise


def _keep(
    folder: RunFolder | None, report: schema.Removal, code: ExitCode, connection: Connection, terminal: Terminal
) -> None:
    if folder is None:
        return
    for problem in folder.keep_removal(report):
        terminal.say(problem)
    folder.event(
        events.Reported(
            at=connection.clock.now(),
            outcome=report.outcome,
            exit_code=int(code),
            headline=report.headline,
            causes=(),
            failed_checks=(),
            report=str(folder.path),
        )
    )


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

"""`invoke deploy` and everything that looks at a deployed platform."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial

from bakery_ops.bootstrap import clusters, images
from bakery_ops.bootstrap import credentials as credentials_commands
from bakery_ops.bootstrap.opened import Opened, open_platform
from bakery_ops.bootstrap.outcomes import EXIT
from bakery_ops.bootstrap.recording import recording_of, require_resumable
from bakery_ops.bootstrap.session import REPOSITORY, lock_seconds, resolve
from bakery_ops.cluster.connection import Connection
from bakery_ops.cluster.inventory import ApiInventory
from bakery_ops.cluster.lease import Lease, this_run
from bakery_ops.cluster.lease_handle import LeaseHandle
from bakery_ops.cluster.permissions import Permission, Permissions, needed, streams
from bakery_ops.errors import ExitCode, Forbidden, UsageError
from bakery_ops.model.graph import Graph
from bakery_ops.model.profile import Profile
from bakery_ops.model.secrets import wanted
from bakery_ops.options import DeployOptions, Target
from bakery_ops.report import plans
from bakery_ops.report.deploys import document, stopped
from bakery_ops.report.events import Begun
from bakery_ops.report.forecast import of_past
from bakery_ops.report.hints import Way, hints
from bakery_ops.report.runs import RunFolder, new_id
from bakery_ops.report.telling import Ending, Teller, destinations, introduce, terminal_for
from bakery_ops.report.terminal import Terminal
from bakery_ops.rules.next_step import Address
from bakery_ops.rules.reports import Run
from bakery_ops.rules.rollout.events import LeaseLost
from bakery_ops.rules.rollout.followed import kinds_followed, namespace_followed
from bakery_ops.rules.rollout.options import FailMode, Options
from bakery_ops.tools import process
from bakery_ops.tools.images import run_everything
from bakery_ops.workflows.capacity import prove_on_cluster
from bakery_ops.workflows.deploy import deploy as deploy_platform
from bakery_ops.workflows.deploy_ports import Ports, Watchers, Wishes
from bakery_ops.workflows.difference import differences
from bakery_ops.workflows.rollout import QueueInbox, workers
from bakery_ops.workflows.unchanged import Quick

_WIDTH = 16


def deploy(
    options: DeployOptions, opening: Callable[..., Opened] | None = None, terminal: Terminal | None = None
) -> ExitCode:
    """Deploy, print the summary, and leave `runs/<id>/` behind. `opening` brings something else than a render.

    `terminal`: the command's own, whose clock goes on, when the deploy is only part of it.
    """
    terminal = terminal or terminal_for(options.output)
    reports = destinations(options.report_file)
    _require_consistent(options)
    if opening is None and not options.dry_run and (options.engine or resolve(options.target).engine) == "skaffold":
        process.find("skaffold")  # said when secrets were made already, it would be exit 64 after a contact
    opened = (opening or open_platform)(
        options.target, terminal, start=not options.dry_run, only=options.only, reads_only=options.dry_run
    )
    with ExitStack() as stack:
        stack.callback(opened.connection.close)
        if options.resume:
            require_resumable(opened.rendered, opened.connection)
        run_id = new_id()
        folder = stack.enter_context(RunFolder(REPOSITORY / "runs", run_id))
        teller = Teller(terminal, folder, options.output, reports)
        profile, clock = opened.rendered.profile, opened.connection.clock
        introduce(terminal, profile.overlay, opened.graph, opened.place.context, opened.connection.version)
        teller.event(Begun(at=clock.now(), run=run_id, profile=profile.name, context=opened.place.context))

        def run() -> Run:
            return _run(run_id, opened, options.target, terminal)

        def ending(code: ExitCode) -> Ending:
            return Ending(code, clock.now(), os.environ.get("GITHUB_STEP_SUMMARY", ""))

        with teller.stopping(lambda error: (stopped(error, run()), ending(error.exit_code))):
            ports = _ports(opened, terminal, options.engine)
            forecast = partial(of_past, REPOSITORY / "runs", profile.name, opened.place.context)
            with teller.progress(forecast) as progress:
                watchers = Watchers(progress, teller.fact, teller.record)
                report = deploy_platform(opened.graph, _wishes(options, opened), ports, watchers)
        code = EXIT[report.outcome]
        report = replace(report, requests=opened.connection.transport.requests)
        shown = hints(_way(opened, options.target), report.outcome, is_dry_run=options.dry_run)
        teller.end(document(report, run()), ending(code), [] if opened.passes else shown)
    return code


def _require_consistent(options: DeployOptions) -> None:
    """Bad words are refused before anything is contacted."""
    lock_seconds(os.environ)
    if options.only and options.resume:
        raise UsageError("--resume goes on with a deploy of everything, so it cannot be joined with --only")
    if options.only and options.engine == "skaffold":
        raise UsageError("--only: skaffold applies everything", remedy="leave out --only, or --engine skaffold")
    if options.only and (options.allow_mass_prune or options.prune_kind):
        raise UsageError("--only never deletes what left the render", remedy="leave out --only, or the pruning flags")


def _run(run_id: str, opened: Opened, target: Target, terminal: Terminal) -> Run:
    profile = opened.rendered.profile
    lag = opened.connection.lag.percentile(0.95)
    makes_secrets = bool(wanted(opened.rendered.manifests))
    where = address(opened.place, target, profile, makes_secrets=makes_secrets)._replace(is_passing=opened.passes)
    return Run(run_id, profile.name, profile.overlay, where, terminal.elapsed(), lag)


def address(place: clusters.Place, target: Target, profile: Profile, *, makes_secrets: bool) -> Address:
    """Where a run went. `makes_secrets`: `invoke secrets` makes any for these manifests, so it is worth naming."""
    ours = target._replace(profile=profile.name, context=place.context).words if makes_secrets else ()
    return Address(place.context, str(place.kubeconfig or ""), ours)


def _way(opened: Opened, target: Target) -> Way:
    file = "" if opened.place.kubeconfig is None else str(opened.place.kubeconfig)
    return Way(opened.rendered.profile.namespace, target.words, opened.place.context, file, "rollback" in opened.errand)


def plan(target: Target, exit_code: bool, output: str | None) -> ExitCode:
    """What a deploy would change, as the API server answers to dry runs. Exit 4 when it would refuse something."""
    terminal = Terminal()
    opened = open_platform(target, terminal, reads_only=True)
    with closing(opened.connection):
        wishes = Wishes(dry_run=True, simulated=opened.place.simulated)
        decided = deploy_platform(opened.graph, wishes, _ports(opened, terminal), Watchers()).plan
        asked = differences(
            opened.connection.requests, opened.graph, decided, workers=workers(opened.connection.round_trip)
        )
        items = [plans.Item(one.step, one.node.manifest, one.changes, one.refusal, one.conflict) for one in asked]
        if output == "json":
            document = plans.plan_document(decided, items, opened.rendered.profile.name, opened.place.context)
            print(json.dumps(document))  # noqa: T201
        else:
            plans.show_plan(terminal, decided, items)
    if any(one.is_refused for one in asked):
        return ExitCode.PREFLIGHT
    return ExitCode.CHANGES if exit_code and not decided.is_empty else ExitCode.OK


def _wishes(options: DeployOptions, opened: Opened) -> Wishes:
    profile = opened.rendered.profile
    rollout = Options(
        stage_deadline=profile.deadline,
        no_progress=profile.no_progress,
        fail_mode=FailMode(options.fail_mode),
        width=_WIDTH,
    )
    return Wishes(
        only=options.only,
        rerun=options.rerun,
        at_most=options.at_most,
        dry_run=options.dry_run,
        force_conflicts=options.force_conflicts,
        recreate=options.recreate,
        prune_kinds=options.prune_kind,
        allow_mass_prune=options.allow_mass_prune,
        simulated=opened.place.simulated,
        workers=workers(opened.connection.round_trip),
        options=rollout,
    )


def lease(opened: Opened, terminal: Terminal) -> Lease:
    return clusters.deploy_lock(opened.connection, opened.rendered.profile, opened.place, terminal.say)


def _prove(connection: Connection, graph: Graph, terminal: Terminal) -> None:
    try:
        report = prove_on_cluster(connection.requests, graph)
    except Forbidden:
        terminal.say("capacity: not proved, since this account may not list nodes")
        return
    peak = max(report.phases, key=lambda phase: max(phase.cpu_share, phase.memory_share))
    terminal.say(f"capacity: fits; peak {peak.cpu_share:.0%} CPU, {peak.memory_share:.0%} memory ({peak.name})")


def _lacking(opened: Opened, graph: Graph) -> Sequence[str]:
    connection, made = opened.connection, wanted(opened.rendered.manifests)
    refs = [*(node.ref for node in graph.values()), *(spec.ref for spec in made)]
    everything = needed(refs, opened.rendered.profile.namespace, connection.discovery.find, _streams(graph))
    return _missing(connection, everything)


def _unfollowed(connection: Connection, graph: Graph) -> Sequence[str]:
    return _missing(connection, _streams(graph))


def _streams(graph: Graph) -> Sequence[Permission]:
    return streams(kinds_followed(graph), namespace_followed(graph))


def _missing(connection: Connection, permissions: Iterable[Permission]) -> Sequence[str]:
    return [str(each) for each in Permissions(connection.transport, connection.retrier).missing(permissions)]


def _ports(opened: Opened, terminal: Terminal, engine: str | None = None) -> Ports:
    connection, profile = opened.connection, opened.rendered.profile
    inbox = QueueInbox(connection.clock)
    rendered = opened.rendered.manifests
    by_skaffold = (engine or profile.engine) == "skaffold"

    def lost(holder: str) -> None:
        taken = f"{holder} has taken it" if holder else "it was freed, or deleted with its namespace"
        terminal.say(f"the deploy lock of {profile.namespace} is lost: {taken}; nothing more is written")
        inbox.put(LeaseLost(connection.clock.now(), holder))

    def lock() -> LeaseHandle:
        return lease(opened, terminal).acquire(this_run(), phase=f"deploy {profile.name}", on_lost=lost)

    return Ports(
        namespace=profile.namespace,
        requests=connection.requests,
        mirror=connection.mirror(notify=terminal.say),
        clock=connection.clock,
        inbox=inbox,
        journal=opened.journal,
        inventory=ApiInventory(connection.transport, connection.retrier, profile.namespace),
        lock=lock,
        ensure_credentials=opened.credentials
        or (lambda graph: credentials_commands.ensure(connection, rendered, profile.namespace, terminal.say)),
        ensure_images=images.provider(profile, opened.place, terminal),
        facts=opened.facts,
        lacking=lambda graph: _lacking(opened, graph),
        unfollowed=lambda graph: _unfollowed(connection, graph),
        prove_capacity=lambda graph: _prove(connection, graph, terminal),
        request_count=lambda: connection.request_count,
        say=terminal.say,
        apply_everything=_skaffold(opened, terminal) if by_skaffold else None,
        quick=_quick(opened, terminal),
        hurry=connection.transport.hurry,
        seal=connection.transport.seal,
        amend=opened.amend,
        recording=recording_of(
            opened.rendered, opened.graph, connection, opened.errand, terminal.say, unplanned=by_skaffold
        ),
    )


def _quick(opened: Opened, terminal: Terminal) -> Quick:
    return Quick(
        namespace=opened.rendered.profile.namespace,
        is_free=lease(opened, terminal).is_free,
        credentials=lambda: credentials_commands.complete(opened.connection, opened.rendered.manifests),
        facts=opened.facts,
        known=opened.known,
    )


def _skaffold(opened: Opened, terminal: Terminal) -> Callable[[], None]:
    place, profile = opened.place, opened.rendered.profile

    def run() -> None:
        run_everything(
            profile.name, place.context, place.kubeconfig, programs=process, repository=REPOSITORY, say=terminal.say
        )

    return run

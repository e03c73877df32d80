"""`invoke deploy` and everything that looks at a deployed platform."""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from typing import NamedTuple

from bakery_ops.bootstrap import DeployOptions, Target, clusters, images
from bakery_ops.bootstrap import credentials as credentials_commands
from bakery_ops.bootstrap.clusters import Place
from bakery_ops.bootstrap.recording import recording_of, releases_of, require_resumable
from bakery_ops.bootstrap.session import REPOSITORY, Rendered, lock_seconds, render, resolve
from bakery_ops.cluster.connection import Connection
from bakery_ops.cluster.inventory import ApiInventory
from bakery_ops.cluster.journal import ApiJournal
from bakery_ops.cluster.lease import Lease, this_run
from bakery_ops.cluster.lease_handle import LeaseHandle
from bakery_ops.cluster.mirror import ApiMirror
from bakery_ops.errors import ExitCode, UsageError
from bakery_ops.model.builder import build_graph
from bakery_ops.model.graph import Graph
from bakery_ops.report import deploys, plans
from bakery_ops.report.live import LiveProgress
from bakery_ops.report.progress import LineProgress
from bakery_ops.report.releases import live_number, live_release
from bakery_ops.report.runs import RunFolder
from bakery_ops.report.terminal import Terminal
from bakery_ops.report.verification import show_checks, verification_document
from bakery_ops.rules.readiness.observation import ClusterFacts
from bakery_ops.rules.rollout.events import LeaseLost, Outcome
from bakery_ops.rules.rollout.options import FailMode, Options
from bakery_ops.rules.rollout.view import RolloutView
from bakery_ops.rules.verdict import Verdict
from bakery_ops.tools import process
from bakery_ops.tools.images import run_everything
from bakery_ops.workflows.capacity import prove_on_cluster
from bakery_ops.workflows.check import check, require
from bakery_ops.workflows.deploy import Amend, Ports, Watchers, Wishes, as_planned, chosen_nodes
from bakery_ops.workflows.deploy import deploy as deploy_platform
from bakery_ops.workflows.difference import differences
from bakery_ops.workflows.facts import read_facts
from bakery_ops.workflows.observe import completed_and_gone, judge_now
from bakery_ops.workflows.rollout import QueueInbox, workers
from bakery_ops.workflows.unchanged import Quick
from bakery_ops.workflows.verify import verify as verify_platform

_EXIT = {
    Outcome.SUCCEEDED: ExitCode.OK,
    Outcome.FAILED: ExitCode.FAILED,
    Outcome.TIMED_OUT: ExitCode.TIMEOUT,
    Outcome.INTERRUPTED: ExitCode.INTERRUPTED,
    Outcome.LOCK_LOST: ExitCode.LOCKED,
    Outcome.UNREACHABLE: ExitCode.TIMEOUT,
}
_WIDTH = 16


class Opened(NamedTuple):
    """A platform, rendered or recorded, and the cluster it is meant for.

    `errand`: what this is besides a deploy of everything, for the record (`rules.releases.Release`).
    """

    rendered: Rendered
    graph: Graph
    place: Place
    connection: Connection
    amend: Amend = as_planned
    errand: Mapping[str, str] = {}

    @property
    def journal(self) -> ApiJournal:
        connection = self.connection
        return ApiJournal(connection.transport, connection.retrier, self.rendered.profile.namespace)

    def facts(self) -> ClusterFacts:
        return read_facts(self.connection.requests, is_local=self.place.sandbox is not None)


def _open(target: Target, terminal: Terminal, *, start: bool = False, only: Sequence[str] = ()) -> Opened:
    """Render first: bad input must be refused before anything is contacted or started."""
    rendered = render(resolve(target))
    profile = rendered.profile
    require(check(rendered.manifests, namespace=profile.namespace, strict=profile.protected))
    graph = build_graph(rendered.manifests)
    chosen_nodes(graph, only)
    place = clusters.locate(rendered.profile, target, terminal, start=start)
    connection = clusters.reach(place, rendered.profile, terminal.say)
    return Opened(rendered, graph, place, connection, errand={"only": ", ".join(only)} if only else {})


def deploy(options: DeployOptions, opening: Callable[..., Opened] | None = None) -> ExitCode:
    """Deploy, print the summary, and leave `runs/<id>/` behind. `opening` brings something else than a render."""
    terminal = Terminal()
    if options.resume and options.only:
        raise UsageError("--resume goes on with a deploy of everything, so it cannot be joined with --only")
    reports = deploys.destinations(options.report_file)
    opened = (opening or _open)(options.target, terminal, start=not options.dry_run, only=options.only)
    with ExitStack() as stack:
        stack.callback(opened.connection.close)
        if options.resume:
            require_resumable(opened.rendered, opened.connection)
        run_id = f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{secrets.token_hex(2)}"
        folder = stack.enter_context(RunFolder(REPOSITORY / "runs", run_id))
        profile = opened.rendered.profile
        deploys.introduce(terminal, profile.overlay, opened.graph, opened.place.context, opened.connection.version)
        ports = _ports(opened, terminal, options.engine)
        with _progress(terminal, options.output) as progress:
            watchers = Watchers(progress, folder.event)
            report = deploy_platform(opened.graph, _wishes(options, opened), ports, watchers)
        report = replace(report, requests=opened.connection.transport.requests)
        summary = deploys.document(report, profile.name, opened.place.context)
        folder.summary(summary)
        deploys.write_reports(reports, summary)
        if options.output == "json":
            print(json.dumps(summary, indent=1, default=str))  # noqa: T201
        else:
            deploys.show(terminal, report, folder.path, _hints(opened))
    return _EXIT[report.outcome]


@contextmanager
def _progress(terminal: Terminal, output: str | None) -> Iterator[Callable[[RolloutView], None]]:
    """A live view where a person looks on, lines everywhere else."""
    if output not in (None, "rich") or not terminal.animated:
        yield LineProgress(terminal)
        return
    live = LiveProgress(terminal)
    with live.drawing():
        yield live


def _hints(opened: Opened) -> list[str]:
    namespace = opened.rendered.profile.namespace
    hints = [f"look: kubectl get pods -n {namespace}   again: invoke verify   state: invoke deploy.status"]
    if opened.place.kubeconfig is not None:
        hints.insert(0, f"export KUBECONFIG={opened.place.kubeconfig}")
    return hints


def plan(target: Target, exit_code: bool, output: str | None) -> ExitCode:
    """What a deploy would change, as the API server answers to dry runs. Exit 4 when it would refuse something."""
    terminal = Terminal()
    opened = _open(target, terminal)
    with closing(opened.connection):
        wishes = Wishes(dry_run=True, simulated=opened.place.simulated)
        decided = deploy_platform(opened.graph, wishes, _ports(opened, terminal), Watchers()).plan
        asked = differences(
            opened.connection.requests, opened.graph, decided, workers=workers(opened.connection.round_trip)
        )
        items = [(one.step, one.node.manifest, one.changes, one.refusal) for one in asked]
        if output == "json":
            document = plans.plan_document(decided, items, opened.rendered.profile.name, opened.place.context)
            print(json.dumps(document))  # noqa: T201
        else:
            plans.show_plan(terminal, decided, items)
    if any(one.refusal for one in asked):
        return ExitCode.PREFLIGHT
    return ExitCode.CHANGES if exit_code and not decided.is_empty else ExitCode.OK


def verify(target: Target, only: Sequence[str], output: str | None) -> ExitCode:
    terminal = Terminal()
    opened = _open(target, terminal)
    with closing(opened.connection):
        report = verify_platform(
            opened.connection.requests,
            opened.graph,
            opened.connection.clock,
            opened.facts(),
            simulated=opened.place.simulated,
            only=only,
            credentials=lambda: credentials_commands.standing(opened.connection, opened.rendered.manifests),
            done=completed_and_gone(opened.graph, opened.journal.read()),
        )
    if output == "json":
        print(json.dumps(verification_document(report), indent=1))  # noqa: T201
    else:
        show_checks(terminal, report)
    return ExitCode.OK if report.passed else ExitCode.FAILED


def deploy_status(target: Target, output: str | None) -> ExitCode:
    """Where every workload stands, and who holds the lock. Exit 3 when something is not ready."""
    terminal = Terminal()
    opened = _open(target, terminal)
    with closing(opened.connection):
        standing = judge_now(
            opened.connection.requests,
            opened.graph,
            opened.connection.clock,
            opened.facts(),
            done=completed_and_gone(opened.graph, opened.journal.read()),
        )
        holder = _lease(opened, terminal).holder()
        known = releases_of(opened.connection, opened.rendered.profile.namespace).known()
    if output == "json":
        print(json.dumps({**deploys.status_document(standing.view), "release": live_number(known)}, indent=1))  # noqa: T201
    else:
        deploys.show_status(terminal, standing.view)
        terminal.show(f"release: {live_release(known)}")
        terminal.show(f"lock: held by {holder.id} since {holder.since} ({holder.phase})" if holder else "lock: free")
    ready = all(node.verdict is Verdict.READY for node in standing.view.nodes.values() if node.is_workload)
    return ExitCode.OK if ready else ExitCode.FAILED


def unlock(target: Target, holder: str) -> ExitCode:
    terminal = Terminal()
    profile = resolve(target)
    connection = clusters.reach(clusters.locate(profile, target, terminal), profile, terminal.say)
    with closing(connection):
        Lease(connection.transport, connection.retrier, profile.namespace).unlock(holder)
    terminal.show(f"the lock of {holder} is removed")
    return ExitCode.OK


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
        dry_run=options.dry_run,
        force_conflicts=options.force_conflicts,
        simulated=opened.place.simulated,
        workers=workers(opened.connection.round_trip),
        options=rollout,
    )


def _lease(opened: Opened, terminal: Terminal) -> Lease:
    connection = opened.connection
    return Lease(
        connection.transport,
        connection.retrier,
        opened.rendered.profile.namespace,
        duration=lock_seconds(os.environ),
        notify=terminal.say,
    )


def _prove(connection: Connection, graph: Graph, terminal: Terminal) -> None:
    report = prove_on_cluster(connection.requests, graph)
    peak = max(report.phases, key=lambda phase: max(phase.cpu_share, phase.memory_share))
    terminal.say(f"capacity: fits; peak {peak.cpu_share:.0%} CPU, {peak.memory_share:.0%} memory ({peak.name})")


def _ports(opened: Opened, terminal: Terminal, engine: str | None = None) -> Ports:
    connection, profile = opened.connection, opened.rendered.profile
    inbox = QueueInbox(connection.clock)
    by_skaffold = (engine or profile.engine) == "skaffold"

    def lock() -> LeaseHandle:
        return _lease(opened, terminal).acquire(
            this_run(),
            phase=f"deploy {profile.name}",
            on_lost=lambda holder: inbox.put(LeaseLost(connection.clock.now(), holder)),
        )

    return Ports(
        namespace=profile.namespace,
        requests=connection.requests,
        mirror=ApiMirror(connection.transport, connection.discovery, connection.lag, notify=terminal.say),
        clock=connection.clock,
        inbox=inbox,
        journal=opened.journal,
        inventory=ApiInventory(connection.transport, connection.retrier, profile.namespace),
        lock=lock,
        ensure_credentials=lambda graph: credentials_commands.ensure(
            connection, opened.rendered.manifests, profile.namespace, terminal.say
        ),
        ensure_images=images.provider(profile, opened.place, terminal),
        facts=opened.facts,
        prove_capacity=lambda graph: _prove(connection, graph, terminal),
        request_count=lambda: connection.request_count,
        say=terminal.say,
        apply_everything=_skaffold(opened, terminal) if by_skaffold else None,
        quick=Quick(
            namespace=profile.namespace,
            is_free=_lease(opened, terminal).is_free,
            credentials=lambda: credentials_commands.complete(connection, opened.rendered.manifests),
            facts=opened.facts,
            is_local=opened.place.sandbox is not None,
        ),
        amend=opened.amend,
        recording=recording_of(
            opened.rendered, opened.graph, connection, opened.errand, terminal.say, unplanned=by_skaffold
        ),
    )


def _skaffold(opened: Opened, terminal: Terminal) -> Callable[[], None]:
    place, profile = opened.place, opened.rendered.profile

    def run() -> None:
        run_everything(
            profile.name, place.context, place.kubeconfig, programs=process, repository=REPOSITORY, say=terminal.say
        )

    return run

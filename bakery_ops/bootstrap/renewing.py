"""`invoke tls.rotate`: a deploy of nothing but restarts, behind certificates that were made anew."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import closing

from bakery_ops.bootstrap import clusters, credentials, deploying
from bakery_ops.bootstrap.opened import Opened, open_platform
from bakery_ops.cluster.lease import this_run
from bakery_ops.credentials.mint import Mint
from bakery_ops.errors import ExitCode, UsageError
from bakery_ops.model.graph import Graph
from bakery_ops.model.manifest import ObjectRef
from bakery_ops.model.secrets import wanted
from bakery_ops.options import DeployOptions, RenewOptions
from bakery_ops.report.telling import terminal_for
from bakery_ops.report.terminal import Terminal
from bakery_ops.rules.restarts import users
from bakery_ops.workflows.renewal import Choice, Due, Renewal


def tls_rotate(options: RenewOptions) -> ExitCode:
    """Exit 0 also when nothing is due; else the exit codes of a deploy."""
    if options.name and options.every:
        raise UsageError("--every renews all of them, so no name can be given with it")
    terminal = terminal_for(options.output)
    opened = open_platform(options.target, terminal, reads_only=options.dry_run)
    renewal = _renewal(opened, Choice(options.name, options.every), terminal)
    due, behind = renewal.due(), renewal.behind()
    holders = users(opened.graph, [one.spec.ref for one in due])
    restarts = [name for name in opened.graph if name in behind or name in holders]
    _show(terminal, due, behind, restarts)
    if restarts and not options.dry_run:
        ready = _ready(opened, renewal, restarts, terminal)
        return deploying.deploy(_as_deploy(options, restarts), opening=lambda *_, **__: ready, terminal=terminal)
    with closing(opened.connection):
        if due and not options.dry_run:
            lock = clusters.deploy_lock(opened.connection, opened.rendered.profile, opened.place, terminal.say)
            with lock.acquire(this_run(), phase=f"tls.rotate {opened.rendered.profile.name}"):
                renewal.renew()
    return ExitCode.OK


def _renewal(opened: Opened, choice: Choice, terminal: Terminal) -> Renewal:
    connection = opened.connection
    specs = wanted(opened.rendered.manifests)
    return Renewal(opened.graph, specs, choice, connection.requests, Mint(connection.clock.now), terminal.say)


def _ready(opened: Opened, renewal: Renewal, restarts: Sequence[str], terminal: Terminal) -> Opened:
    """The platform as a deploy of these restarts opens it: certificates anew under the lock, then the plan."""

    def credentials_anew(graph: Graph) -> Collection[ObjectRef]:
        namespace = opened.rendered.profile.namespace
        there = credentials.ensure(opened.connection, opened.rendered.manifests, namespace, terminal.say)
        renewal.renew()
        return there

    return opened._replace(amend=renewal.amend, credentials=credentials_anew, errand={"only": ", ".join(restarts)})


def _as_deploy(options: RenewOptions, restarts: Sequence[str]) -> DeployOptions:
    """One server at a time, and by our own engine: each is away for as long as it takes to start."""
    return DeployOptions(
        options.target,
        only=tuple(restarts),
        engine="staged",
        fail_mode=options.fail_mode,
        output=options.output,
        report_file=options.report_file,
        at_most=1,
    )


def _show(terminal: Terminal, due: Sequence[Due], behind: Mapping[str, str], restarts: Sequence[str]) -> None:
    for one in due:
        terminal.say(f"certificate {one.spec.ref.name}: {one.why}")
    for name, at in behind.items():
        terminal.say(f"{name} still holds the certificate from before {at}")
    if not due and not restarts:
        terminal.say(
            "no certificate is due, and no server holds an older one than is there; --every renews all of them"
        )
    elif restarts:
        terminal.say(f"to restart, one after the other: {', '.join(restarts)}")

"""`invoke verify`, `deploy.status` and `deploy.unlock`: how a deployed platform stands, and whose turn it is."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager

from bakery_ops.bootstrap import clusters
from bakery_ops.bootstrap.deploying import lease
from bakery_ops.bootstrap.opened import Opened, open_platform
from bakery_ops.bootstrap.recording import releases_of
from bakery_ops.bootstrap.session import resolve
from bakery_ops.cluster.lease import Lease
from bakery_ops.errors import ExitCode, UsageError
from bakery_ops.model.profile import duration
from bakery_ops.options import Target
from bakery_ops.report.formats.github import github_checks
from bakery_ops.report.releases import live_number, live_release
from bakery_ops.report.status import show_status, status_document
from bakery_ops.report.terminal import Terminal
from bakery_ops.report.verification import WatchTeller, check_parts, show_checks, verification_document
from bakery_ops.rules import acceptance
from bakery_ops.rules.rollout.followed import namespace_followed
from bakery_ops.rules.verdict import Verdict
from bakery_ops.workflows import watching
from bakery_ops.workflows.observe import judge_now
from bakery_ops.workflows.rollout import QueueInbox


def verify(target: Target, only: Sequence[str], watch: str | None, output: str | None) -> ExitCode:
    """The acceptance checks, all or those of `only`. Exit 3 when one fails. Raises UsageError before any contact."""
    acceptance.require_known(only)
    seconds = _bound(watch, output)
    terminal = Terminal()
    opened = open_platform(target, terminal, reads_only=True)
    with closing(opened.connection):
        if seconds is not None:
            return _watch(opened, terminal, only, seconds, output)
        report = opened.verify(only)
    if output == "json":
        terminal.write(json.dumps(verification_document(report), indent=1) + "\n")
    elif output == "github":
        terminal.write(github_checks(check_parts(report)))
    else:
        show_checks(terminal, report)
    return ExitCode.OK if report.passed else ExitCode.FAILED


def _bound(watch: str | None, output: str | None) -> float | None:
    """Seconds to watch for, None for one look."""
    if watch is None:
        return None
    if output == "github":
        raise UsageError("--output github shows one verification", remedy="leave out --watch, or --output github")
    try:
        return duration(watch)
    except UsageError as error:
        raise UsageError(f"--watch: {error}") from error


def _watch(opened: Opened, terminal: Terminal, only: Sequence[str], seconds: float, output: str | None) -> ExitCode:
    """Exit as the last look: 0, 3 when a check failed in it, 70 when the API server did not answer it."""
    teller = WatchTeller(terminal, seconds, as_json=output == "json")
    with _followed(opened, terminal) as inbox:
        last = watching.watch(
            lambda: opened.verify(only), inbox, opened.connection.clock, seconds=seconds, tell=teller.tell
        )
    teller.end(last)
    if last.report is None:
        return ExitCode.TIMEOUT
    return ExitCode.OK if last.report.passed else ExitCode.FAILED


@contextmanager
def _followed(opened: Opened, terminal: Terminal) -> Iterator[QueueInbox]:
    connection = opened.connection
    inbox = QueueInbox(connection.clock)
    mirror = connection.mirror(notify=terminal.say)
    mirror.start(watching.FOLLOWED, namespace_followed(opened.graph), inbox.put)
    try:
        yield inbox
    finally:
        mirror.stop()


def deploy_status(target: Target, every: bool, output: str | None) -> ExitCode:
    """What is not ready, and why; who holds the lock. `every`: the rest too. Exit 3 when something is not ready."""
    terminal = Terminal()
    opened = open_platform(target, terminal, reads_only=True)
    with closing(opened.connection):
        standing = judge_now(
            opened.connection.requests,
            opened.graph,
            opened.connection.clock,
            opened.facts(),
            done=opened.completed(),
        )
        holder = lease(opened, terminal).holder()
        known = releases_of(opened.connection, opened.rendered.profile.namespace).known()
    if output == "json":
        document = status_document(
            standing.view,
            cluster=str(opened.connection.identity),
            version=opened.connection.version,
            release=live_number(known),
            lock=holder._asdict() if holder else None,
        )
        terminal.write(json.dumps(document, indent=1) + "\n")
    else:
        show_status(terminal, standing.view, every=every)
        terminal.show(f"cluster: {opened.connection.identity} (Kubernetes {opened.connection.version})")
        terminal.show(f"release: {live_release(known)}")
        terminal.show(f"lock: held by {holder.id} since {holder.since} ({holder.phase})" if holder else "lock: free")
    ready = all(node.verdict is Verdict.READY for node in standing.view.nodes.values() if node.is_workload)
    return ExitCode.OK if ready else ExitCode.FAILED


def unlock(target: Target, holder: str) -> ExitCode:
    terminal = Terminal()
    profile = resolve(target)
    with clusters.reached(profile, target, terminal) as (_, connection):
        Lease(connection.transport, connection.retrier, profile.namespace).unlock(holder)
    terminal.show(f"the lock of {holder} is removed")
    return ExitCode.OK

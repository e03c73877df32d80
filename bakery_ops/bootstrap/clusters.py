"""Which cluster a profile means, and the adapters for it. Refuses every cluster the profile does not name."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bakery_ops.bootstrap import sandboxes
from bakery_ops.bootstrap.session import lock_seconds, retry_seconds
from bakery_ops.cluster import kubeconfig as kubectl_rules
from bakery_ops.cluster.connection import Connection, connect
from bakery_ops.cluster.lease import Lease
from bakery_ops.errors import PreflightRefused, TargetRefused
from bakery_ops.model.profile import Profile
from bakery_ops.options import Target
from bakery_ops.report.terminal import Terminal
from bakery_ops.rules.versions import misfit
from bakery_ops.sandbox import lifecycle


@dataclass(frozen=True, slots=True)
class Place:
    """Where a command goes: the kubeconfig file (None: kubectl's rules), the context, and the sandbox behind it."""

    kubeconfig: Path | None
    context: str
    sandbox: str | None = None
    simulated: bool = False


def locate(
    profile: Profile, target: Target, terminal: Terminal, *, start: bool = False, reads_only: bool = False
) -> Place:
    """The place that profile and command line mean; contacts nothing but a sandbox's own processes.

    `start`: a sandbox that is meant but does not run is started. `reads_only`: nothing will be changed there, so a
    protected profile's context has to be named, but not confirmed: health checks run where nobody types.
    Raises: TargetRefused when the profile does not accept the context, or a confirmation is missing.
    """
    context = target.context or _implied(profile, target, reads_only)
    if not profile.accepts(context):
        raise TargetRefused(
            f"profile {profile.name!r} does not accept the context {context!r}",
            remedy=f"it accepts {', '.join(profile.contexts)}; name one with --context, or another profile",
        )
    name = sandboxes.instance_of(context)
    if name is not None and target.kubeconfig is None:
        # Only the sandbox that is meant when nothing is named is started by itself.
        return _sandbox(name, context, terminal, start=start and target.context is None)
    if profile.protected and not reads_only:
        _confirm(profile, context, target.yes_context)
    return Place(target.kubeconfig, context)


def reach(place: Place, profile: Profile, notify: Callable[[str], None]) -> Connection:
    """Connect, and check that it is the cluster the profile pins; an old one is told. Raises PreflightRefused or
    TargetRefused."""
    budget = retry_seconds(os.environ)
    connection = connect(place.kubeconfig, place.context, namespace=profile.namespace, notify=notify, budget=budget)
    if profile.cluster and str(connection.identity) != profile.cluster:
        connection.close()
        raise TargetRefused(
            f"the context {place.context!r} leads to another cluster than profile {profile.name!r} pins",
            details=[f"pinned: {profile.cluster}", f"found:  {connection.identity} at {connection.server}"],
            remedy="check the kubeconfig; if the cluster was rebuilt, correct `cluster` in bakery.toml",
        )
    if told := misfit(connection.version, connection.minor):
        notify(told)
    return connection


@contextmanager
def reached(
    profile: Profile, target: Target, terminal: Terminal, *, start: bool = False, reads_only: bool = False
) -> Iterator[tuple[Place, Connection]]:
    """`locate`, then `reach`; the connection is closed at the end."""
    place = locate(profile, target, terminal, start=start, reads_only=reads_only)
    with closing(reach(place, profile, terminal.say)) as connection:
        yield place, connection


def deploy_lock(connection: Connection, profile: Profile, place: Place, notify: Callable[[str], None]) -> Lease:
    """The lock of the namespace; whoever meets it held is told how to free it, with the flags that lead there."""
    file = () if place.kubeconfig is None or place.sandbox is not None else ("--kubeconfig", str(place.kubeconfig))
    where = ("--profile", profile.name, "--context", place.context, "--namespace", profile.namespace, *file)
    return Lease(
        connection.transport,
        connection.retrier,
        profile.namespace,
        duration=lock_seconds(os.environ),
        notify=notify,
        unlock=shlex.join(("invoke", "deploy.unlock", *where)),
    )


def _implied(profile: Profile, target: Target, reads_only: bool) -> str:
    if target.kubeconfig is None and profile.contexts[0] == sandboxes.CONTEXT:
        return sandboxes.CONTEXT
    if profile.protected:
        confirmed = "" if reads_only else f" --yes-context {profile.contexts[0]}"
        raise TargetRefused(
            f"profile {profile.name!r} is protected: it never uses the current context by itself",
            remedy=f"name the context: --context {profile.contexts[0]}{confirmed}",
        )
    return kubectl_rules.choose(kubectl_rules.locate(target.kubeconfig, os.environ), None).name


def _sandbox(name: str, context: str, terminal: Terminal, *, start: bool) -> Place:
    status = lifecycle.status(name)
    if status.state != "running":
        if not start:
            named = "" if context == sandboxes.CONTEXT else f" --name {name}"
            raise PreflightRefused(f"the sandbox {name} is not running", remedy=f"invoke sandbox.start{named}")
        status = sandboxes.running(name, terminal)
    return Place(status.kubeconfig, context, name, status.kind == "simulated")


def _confirm(profile: Profile, context: str, given: str | None) -> None:
    if given is None and sys.stdin.isatty():
        print(f"profile {profile.name} is protected. Type the context to go on: ", end="", file=sys.stderr, flush=True)  # noqa: T201
        given = sys.stdin.readline().strip()
    if given != context:
        what = "no confirmation was given" if given is None else "the confirmation is not the context's name"
        raise TargetRefused(
            f"profile {profile.name!r} is protected and {what}", remedy=f"--yes-context {context} confirms it"
        )

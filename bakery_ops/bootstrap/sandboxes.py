"""`invoke sandbox.*`, and the sandbox as the default place to deploy to."""

from __future__ import annotations

from collections.abc import Sequence

from bakery_ops.bootstrap.session import REPOSITORY
from bakery_ops.errors import ExitCode, UsageError
from bakery_ops.report.terminal import Terminal
from bakery_ops.sandbox import lifecycle
from bakery_ops.sandbox.instance import DEFAULT_NAME
from bakery_ops.sandbox.lifecycle import SandboxStatus
from bakery_ops.sandbox.sizes import parse_node_size

CONTEXT = "bakery-sandbox"


def sandbox_start(real: bool, simulated: bool, node: Sequence[str], name: str | None) -> ExitCode:
    if real and simulated:
        raise UsageError(
            "--real and --simulated exclude each other", remedy="name one, or none to let the machine decide"
        )
    terminal = Terminal()
    kind = "real" if real else "simulated" if simulated else None
    status = lifecycle.start(
        kind,  # type: ignore[arg-type] # the Literal is spelled out one line above
        [parse_node_size(size) for size in node],
        say=terminal.say,
        repository=REPOSITORY,
        name=name or DEFAULT_NAME,
    )
    _show(terminal, status)
    return ExitCode.OK


def sandbox_status(name: str | None) -> ExitCode:
    """Exit 0 when it runs, 3 when it is broken or stopped, so that a script can ask."""
    status = lifecycle.status(name or DEFAULT_NAME)
    _show(Terminal(), status)
    return ExitCode.OK if status.state == "running" else ExitCode.FAILED


def sandbox_stop(name: str | None) -> ExitCode:
    terminal = Terminal()
    if not lifecycle.stop(say=terminal.say, name=name or DEFAULT_NAME):
        terminal.say("no sandbox was running")
    return ExitCode.OK


def instance_of(context: str) -> str | None:
    """The sandbox instance that a context name means, or None when it is somebody else's cluster."""
    if context == CONTEXT:
        return DEFAULT_NAME
    return context.removeprefix(f"{CONTEXT}-") if context.startswith(f"{CONTEXT}-") else None


def running(name: str, terminal: Terminal) -> SandboxStatus:
    """The instance called `name`, started first when it does not run."""
    status = lifecycle.status(name)
    if status.state == "running":
        return status
    return lifecycle.start(None, [], say=terminal.say, repository=REPOSITORY, name=name)


def _show(terminal: Terminal, status: SandboxStatus) -> None:
    kind = f" ({status.kind})" if status.kind else ""
    terminal.show(f"sandbox {status.name}: {status.state}{kind}")
    for problem in status.problems:
        terminal.show(f"  {problem}")
    if status.nodes:
        terminal.show(f"  simulated nodes: {', '.join(str(size) for size in status.nodes)}")
    if status.state == "running":
        terminal.show(f"  context: {status.context}", f"  export KUBECONFIG={status.kubeconfig}")
    else:
        named = "" if status.name == DEFAULT_NAME else f" --name {status.name}"
        terminal.show(f"  next: invoke sandbox.start{named}")

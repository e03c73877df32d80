"""`invoke logs`: what a workload's containers say, as text that cannot steer the terminal."""

from __future__ import annotations

from bakery_ops.bootstrap import clusters
from bakery_ops.bootstrap.session import render, resolve
from bakery_ops.cluster.log_stream import follow
from bakery_ops.errors import ExitCode, UsageError
from bakery_ops.model.builder import build_graph
from bakery_ops.model.profile import duration
from bakery_ops.options import LogOptions
from bakery_ops.report.terminal import Terminal
from bakery_ops.rules.logs import meant
from bakery_ops.workflows import logs as workflow

_TAIL = 200
_LONGEST = 2**31 - 1  # seconds; the API server refuses what is no whole number to it, and then there is no line


def _seconds(since: str | None) -> int | None:
    """Whole seconds, at least one: the API server takes no fractions."""
    try:
        return None if since is None else min(max(1, round(duration(since))), _LONGEST)
    except UsageError as error:
        raise UsageError(f"--since: {error}") from error


def logs(options: LogOptions) -> ExitCode:
    """Print the containers' lines with their names before them; remarks go to stderr."""
    if options.follow and options.previous:
        raise UsageError("--follow --previous: what has ended says nothing new", remedy="drop one of them")
    since = _seconds(options.since)
    tail = options.tail if options.tail is not None or since is not None else _TAIL
    terminal, failed = Terminal(), False
    rendered = render(resolve(options.target))
    node = meant(build_graph(rendered.manifests), options.name)
    with clusters.reached(rendered.profile, options.target, terminal, reads_only=True) as (_, connection):
        found = workflow.find(connection.requests, node)
        if options.follow:
            lines = workflow.follow(
                found,
                lambda source: follow(
                    connection.transport,
                    source.namespace,
                    source.pod,
                    source.container,
                    tail_lines=tail,
                    since_seconds=since,
                ),
            )
        else:
            lines = workflow.read(connection.requests, found, previous=options.previous, tail=tail, since=since)
        for line in lines:
            tell = terminal.say if line.is_remark else terminal.show
            tell(f"{line.source.name} | {line.text}")
            failed = failed or line.is_failure
    return ExitCode.FAILED if failed else ExitCode.OK

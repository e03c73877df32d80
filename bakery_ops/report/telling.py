"""All that is told of one deploy: on the terminal, on stdout in the form asked for, in the run's folder, in files."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from bakery_ops.errors import BakeryError, ExitCode, Interrupted, UsageError
from bakery_ops.model.graph import Graph
from bakery_ops.model.words import amount
from bakery_ops.report import events, schema, summary
from bakery_ops.report.forecast import Forecast
from bakery_ops.report.formats import FORMATS
from bakery_ops.report.formats.github import defused, github
from bakery_ops.report.live import LiveProgress
from bakery_ops.report.progress import LineProgress
from bakery_ops.report.runs import RunFolder, tried
from bakery_ops.report.terminal import Terminal
from bakery_ops.rules.rollout.view import RolloutView
from bakery_ops.tools.paths import expanded

Destination = tuple[str, Path]


class Ending(NamedTuple):
    """How a command ends. `at`: the API server's time; `step_summary`: $GITHUB_STEP_SUMMARY, the file that GitHub
    Actions shows as the job's summary, or ""."""

    code: ExitCode
    at: float
    step_summary: str = ""


def destinations(requested: Sequence[str]) -> list[Destination]:
    """`--report-file FORMAT=PATH` read and checked before anything begins. Raises UsageError."""
    found: list[Destination] = []
    for item in requested:
        form, _, path = item.partition("=")
        if form not in FORMATS or not path:
            raise UsageError(f"--report-file: {item!r} is not FORMAT=PATH", remedy=f"formats: {', '.join(FORMATS)}")
        target = expanded(path).absolute()
        if not target.parent.is_dir():
            raise UsageError(f"--report-file: the folder of {path} does not exist")
        if target.is_dir():
            raise UsageError(f"--report-file: {path} is a folder, not a file")
        if any(os.path.realpath(target) == os.path.realpath(other) for _, other in found):
            raise UsageError(f"--report-file: two reports would be written to {path}")
        found.append((form, target))
    return found


def terminal_for(output: str | None) -> Terminal:
    """The terminal of a deploy, which goes on when its reader goes away."""
    if output == "github":
        return Terminal(outlives_reader=True, guard=defused)
    return Terminal(outlives_reader=True)


def introduce(terminal: Terminal, overlay: str, graph: Graph, context: str, version: str) -> None:
    """The first lines of a run: what goes where."""
    workloads = len(graph.workloads())
    terminal.say(
        f"{overlay}: {amount(len(graph), 'object')}, {amount(workloads, 'workload')} -> context {context} "
        f"(Kubernetes {version})"
    )


class Teller:
    """Tells one deploy from its first event to its report.

    Args:
        output: The form of stdout: "rich", "plain", "json", "ndjson", "github", or None for what suits the terminal.
        wanted: Reports to write besides those of the run's folder.
    """

    def __init__(
        self, terminal: Terminal, folder: RunFolder, output: str | None, wanted: Sequence[Destination] = ()
    ) -> None:
        self._terminal, self._folder, self._output, self._wanted = terminal, folder, output, wanted

    def event(self, event: events.Line) -> None:
        self._folder.event(event)
        if self._output == "ndjson":
            self._terminal.write(events.line(event))

    def fact(self, fact: Mapping[str, Any]) -> None:
        """What the driver of the rollout tells, as it happens."""
        self.event(events.told(fact))

    def record(self, line: Mapping[str, Any]) -> None:
        self._folder.record(line)

    @contextmanager
    def progress(
        self, forecast: Callable[[], Forecast | None] = lambda: None
    ) -> Iterator[Callable[[RolloutView], None]]:
        """A live view where a person looks on, lines everywhere else. `forecast`: asked for a live view alone."""
        if self._output not in (None, "rich") or not self._terminal.animated:
            yield LineProgress(self._terminal)
            return
        live = LiveProgress(self._terminal, forecast())
        with live.drawing():
            yield live

    @contextmanager
    def stopping(self, told: Callable[[BakeryError], tuple[schema.Deploy, Ending]]) -> Iterator[None]:
        """What ends the deploy early, an error or a signal, leaves a report all the same, and goes on its way."""
        try:
            yield
        except BakeryError as error:
            self.end(*told(error))
            raise
        except KeyboardInterrupt:
            self.end(*told(Interrupted("interrupted")))
            raise

    def end(self, report: schema.Deploy, ending: Ending, hints: Sequence[str] = ()) -> None:
        """Write every report, then show it. What cannot be written is said and changes nothing else.

        A refusal is shown only to programs: the command line tells it to people, as it does every error.
        """
        problems = self._folder.keep(report)
        problems += [problem for form, path in self._wanted if (problem := tried(path, FORMATS[form], report))]
        self.event(_last(report, ending, self._folder.path))
        if self._output == "github" and ending.step_summary:
            problems += _appended(Path(ending.step_summary), FORMATS["markdown"](report))
        for problem in problems:
            self._terminal.say(problem)
        if self._output in _FOR_PROGRAMS:
            self._terminal.write(_FOR_PROGRAMS[self._output](report))
        elif not report.refusal:
            summary.show(self._terminal, report, (*hints, f"report: {self._folder.path}"))


_FOR_PROGRAMS: Mapping[str | None, Callable[[schema.Deploy], str]] = {
    "json": schema.encode,
    "ndjson": lambda _report: "",  # its last line is out already
    "github": github,
}


def _last(report: schema.Deploy, ending: Ending, folder: Path) -> events.Reported:
    return events.Reported(
        at=ending.at,
        outcome=report.outcome,
        exit_code=int(ending.code),
        headline=report.headline,
        causes=tuple(cause.sentence for cause in report.causes),
        failed_checks=tuple(check.name for check in report.checks if check.state == "failed"),
        report=str(folder),
    )


def _appended(path: Path, text: str) -> list[str]:
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        return [f"the step summary {path} was not written: {error.strerror}"]
    return []

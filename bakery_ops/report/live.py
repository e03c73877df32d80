"""The live view of a deploy on a terminal: the stages, and every workload that is on its way or in trouble.

Drawn only when the driver says that something changed (at most four times a second): no thread of its own, no idle CPU.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from bakery_ops.report.progress import LineProgress
from bakery_ops.report.terminal import Terminal, literal
from bakery_ops.rules.rollout.view import NodeView, RolloutView, StageView
from bakery_ops.rules.verdict import Verdict

_STYLE = {
    Verdict.READY: "green",
    Verdict.PROGRESSING: "cyan",
    Verdict.BLOCKED: "dim",
    Verdict.FAILING: "yellow",
    Verdict.FAILED: "bold red",
}
_CHROME = 6  # lines of the screen kept for stages, headings and the prompt


class LiveProgress:
    """Call it with each new view; `drawing` is the time during which the screen is ours."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._lines = LineProgress(terminal, only_trouble=True)
        self._live: Live | None = None

    def __call__(self, view: RolloutView) -> None:
        self._lines(view)
        if self._live is not None:
            self._live.update(self._drawn(view), refresh=True)

    @contextmanager
    def drawing(self) -> Iterator[None]:
        """Keep the view at the bottom of the terminal; other lines scroll above it. Gone when the context ends."""
        with Live(console=self._terminal.err, auto_refresh=False, transient=True) as live:
            self._live = live
            try:
                yield
            finally:
                self._live = None

    def _drawn(self, view: RolloutView) -> Group:
        shown = [node for node in view.nodes.values() if _is_shown(node)]
        shown.sort(key=lambda node: (-node.verdict.severity, node.stage.order, node.name))
        room = max(3, self._terminal.err.height - _CHROME)
        table = Table(box=None, pad_edge=False, show_edge=False, header_style="bold", expand=False)
        for heading in ("name", "kind", "state", "age", "detail"):
            table.add_column(heading, no_wrap=True, overflow="ellipsis")
        for node in shown[:room]:
            table.add_row(*_row(node, view.at))
        rest = Text(f"… and {len(shown) - room} more on their way", style="dim") if len(shown) > room else Text("")
        return Group(self._stages(view), table, rest)

    def _stages(self, view: RolloutView) -> Text:
        line = Text(f"{self._terminal.elapsed():6.1f}s  ", style="dim")
        for stage in view.stages:
            line.append(f"{stage.stage.title} {stage.ready}/{stage.total}  ", style=_stage_style(stage))
        return line


def _is_shown(node: NodeView) -> bool:
    if node.verdict in (Verdict.FAILED, Verdict.FAILING):
        return True
    return node.is_workload and node.started is not None and node.verdict is not Verdict.READY


def _row(node: NodeView, now: float) -> tuple[Text, ...]:
    age = f"{now - node.started:.0f}s" if node.started is not None else ""
    style = _STYLE[node.verdict]
    return (
        Text(node.name, style=style),
        Text(node.kind, style="dim"),
        Text(node.verdict.value, style=style),
        Text(age, style="dim"),
        Text(literal(node.message)),
    )


def _stage_style(stage: StageView) -> str:
    if stage.failed or stage.failing:
        return "bold red"
    return "green" if stage.ready == stage.total else "cyan" if stage.started_at is not None else "dim"

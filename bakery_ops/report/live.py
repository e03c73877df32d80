"""The live view of a deploy on a terminal: the stages, and every workload that is on its way or in trouble.

Drawn only when the driver says that something changed (at most four times a second): no idle CPU.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Literal, NamedTuple

from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from bakery_ops.report.progress import LineProgress, sign_of_life
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
_NAME = 36  # characters of a name
_CHROME = 6  # lines of the screen kept for stages, headings and the prompt


class LiveProgress:
    """Call it with each new view; `drawing` is the time during which the screen is ours.

    Views are drawn by a thread of its own: a screen takes tens of milliseconds, and no verdict may wait for it. What
    was overtaken by a newer view is not drawn.
    """

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._lines = LineProgress(terminal, only_trouble=True)
        self._views: SimpleQueue[RolloutView | None] = SimpleQueue()

    def __call__(self, view: RolloutView) -> None:
        self._views.put(view)

    @contextmanager
    def drawing(self) -> Iterator[None]:
        """Keep the view at the bottom of the terminal; other lines scroll above it. Gone when the context ends."""
        with (
            Live(console=self._terminal.err, auto_refresh=False, transient=True) as live,
            ThreadPoolExecutor(1, "draw") as pool,
        ):
            drawing = pool.submit(self._draw, live)
            try:
                yield
            finally:
                self._views.put(None)
            drawing.result()

    def _draw(self, live: Live) -> None:
        screen = self._terminal.err
        while (view := self._views.get()) is not None:
            self._lines(view)
            if self._views.empty():
                picture = drawn(view, self._terminal.elapsed(), width=screen.width, height=screen.height)
                live.update(picture, refresh=True)


def drawn(view: RolloutView, elapsed: float, *, width: int, height: int) -> Group:
    """The view on a screen of that many characters and lines: the worst first; what has no room is counted."""
    shown = [node for node in view.nodes.values() if _is_shown(node)]
    shown.sort(key=lambda node: (-node.verdict.severity, node.stage.order, node.name))
    if not shown:
        return Group(_stages(view, elapsed), Text(literal(sign_of_life(view)), style="dim"))
    room = max(3, height - _CHROME)
    columns = [column for column in _COLUMNS if width >= column.from_width]
    table = Table(box=None, pad_edge=False, header_style="bold", expand=any(column.ratio for column in columns))
    for column in columns:
        table.add_column(
            column.heading,
            no_wrap=True,
            overflow="ellipsis",
            justify=column.justify,
            ratio=column.ratio,
            max_width=None if column.ratio else _NAME,
        )
    for node in shown[:room]:
        table.add_row(*(column.cell(node, view) for column in columns))
    rest = Text(f"… and {len(shown) - room} more on their way", style="dim") if len(shown) > room else Text("")
    return Group(_stages(view, elapsed), table, rest)


def _stages(view: RolloutView, elapsed: float) -> Text:
    line = Text(f"{elapsed:6.1f}s  ", style="dim")
    for stage in view.stages:
        line.append(f"{stage.stage.title} {stage.ready}/{stage.total}  ", style=_stage_style(stage))
    return line


class _Column(NamedTuple):
    """`from_width`: the width of a terminal, in characters, from which on there is room for it. `ratio`: its share of
    what the others leave; long messages must not push names off the screen."""

    heading: str
    from_width: int
    cell: Callable[[NodeView, RolloutView], Text]
    justify: Literal["left", "right"] = "left"
    ratio: int | None = None


_COLUMNS = (
    _Column("name", 0, lambda node, _view: Text(node.name, style=_STYLE[node.verdict])),
    _Column("kind", 90, lambda node, _view: Text(node.kind, style="dim")),
    _Column("ready", 50, lambda node, _view: Text(_ready(node)), "right"),
    _Column("state", 36, lambda node, _view: Text(node.verdict.value, style=_STYLE[node.verdict])),
    _Column("age", 40, lambda node, view: Text(_age(node, view.at), style="dim"), "right"),
    _Column("phase", 60, lambda node, _view: Text(literal(_phase(node))), ratio=3),
    _Column("last event", 110, lambda node, _view: Text(literal(node.event), style="dim"), ratio=2),
)


def _ready(node: NodeView) -> str:
    return "" if node.ready is None else f"{node.ready[0]}/{node.ready[1]}"


def _age(node: NodeView, now: float) -> str:
    return "" if node.started is None else f"{max(0.0, now - node.started):.0f}s"


def _phase(node: NodeView) -> str:
    """The message without the count, which has a column; and whom the node waits for, unless it says so itself."""
    count, _, rest = node.message.partition("; ")
    phase = rest if rest and count[:1].isdigit() else node.message
    others = [name for name in node.waiting_for if name not in phase]
    return f"{phase}, for {', '.join(others)}" if others and "waits for" not in phase else phase


def _is_shown(node: NodeView) -> bool:
    if node.verdict in (Verdict.FAILED, Verdict.FAILING):
        return True
    return node.is_workload and node.started is not None and node.verdict is not Verdict.READY


def _stage_style(stage: StageView) -> str:
    if stage.failed or stage.failing:
        return "bold red"
    return "green" if stage.ready == stage.total else "cyan" if stage.started_at is not None else "dim"

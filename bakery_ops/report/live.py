"""The live view of a deploy on a terminal: how far it is, what is on its way or in trouble, and what waits for what.

Drawn only when the driver says that something changed (at most four times a second): no idle CPU.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Literal, NamedTuple

from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from bakery_ops.report.forecast import Forecast, about
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
_LEAST = 16  # characters of a phase or an event that still say something
_CHROME = 5  # lines of the screen kept for headings, what stands below the rows, and the prompt
_ALIKE = 3  # nodes in the same plight that get a row each; more of them share one
_HOLDERS = 3  # named among those that others wait for


class LiveProgress:
    """Call it with each new view; `drawing` is the time during which the screen is ours.

    Views are drawn by a thread of its own: a screen takes tens of milliseconds, and no verdict may wait for it. What
    was overtaken by a newer view is not drawn.
    """

    def __init__(self, terminal: Terminal, forecast: Forecast | None = None) -> None:
        self._terminal, self._forecast = terminal, forecast
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
                left = None if self._forecast is None else self._forecast.left(view)
                picture = drawn(view, self._terminal.elapsed(), width=screen.width, height=screen.height, left=left)
                live.update(picture, refresh=True)


def drawn(view: RolloutView, elapsed: float, *, width: int, height: int, left: float | None = None) -> Group:
    """The view on a screen of that many characters and lines: how far it is, the worst first, what waits for what.

    Rows that say the same share one; what has no room is counted. `left`: a guess of the seconds to go, or None.
    """
    rows = _grouped(sorted(filter(_is_shown, view.nodes.values()), key=_rank))
    head = [_head(view, elapsed, left), *_stages(view, width)]
    if not rows:
        return Group(*head, _line(sign_of_life(view)))
    room = max(3, height - _CHROME - len(head))
    columns = [column for column in _COLUMNS if width >= column.from_width and _is_wanted(column, rows)]
    table = Table(box=None, pad_edge=False, header_style="bold", expand=any(column.ratio for column in columns))
    beside = sum(2 + (_LEAST if column.ratio else _needed(column, rows[:room], view)) for column in columns[1:])
    for column in columns:
        table.add_column(
            column.heading,
            no_wrap=True,
            overflow="ellipsis",
            justify=column.justify,
            ratio=column.ratio,
            # Names are cut before states and ages: half a state or half a number says nothing.
            max_width=max(_LEAST // 2, min(_NAME, width - beside)) if column is columns[0] else None,
        )
    for row in rows[:room]:
        table.add_row(*(column.cell(row, view) for column in columns))
    hidden = sum(row.many for row in rows[room:])
    rest = [_line(f"… and {hidden} more on their way")] if hidden else []
    return Group(*head, table, *rest, *_queue(view))


class _Row(NamedTuple):
    """One node, or `many` of them in the same plight, of which it is the one that was begun first."""

    node: NodeView
    many: int = 1
    ready: tuple[int, int] | None = None

    @property
    def name(self) -> str:
        return self.node.name if self.many == 1 else f"{self.many} like {self.node.name}"


def _rank(node: NodeView) -> tuple[int, int, str]:
    return -node.verdict.severity, node.stage.order, node.name


def _grouped(nodes: Iterable[NodeView]) -> list[_Row]:
    alike: dict[tuple[object, ...], list[NodeView]] = defaultdict(list)
    for node in nodes:
        is_own = node.verdict in (Verdict.FAILED, Verdict.FAILING)
        alike[(node.name,) if is_own else (node.kind, node.verdict, _phase(node))].append(node)
    rows: list[_Row] = []
    for members in alike.values():
        if len(members) <= _ALIKE:
            rows += [_Row(node, ready=node.ready) for node in members]
            continue
        counts = [node.ready for node in members if node.ready is not None]
        ready = (sum(have for have, _ in counts), sum(want for _, want in counts)) if counts else None
        rows.append(_Row(min(members, key=lambda node: node.started or 0.0), len(members), ready))
    return rows


def _head(view: RolloutView, elapsed: float, left: float | None) -> Text:
    """12.0s  14 of 79 ready, about 45 s left by the last run"""
    workloads = [node.verdict for node in view.nodes.values() if node.is_workload]
    line = _line(f"{elapsed:6.1f}s  ")
    line.append(f"{workloads.count(Verdict.READY)} of {len(workloads)} ready", style="bold not dim")
    for verdict in (Verdict.FAILED, Verdict.FAILING):
        if count := workloads.count(verdict):
            line.append(f", {count} {verdict.value}", style=f"{_STYLE[verdict]} not dim")
    if left is not None:
        line.append(f", about {about(left)} left by the last run")
    return line


def _stages(view: RolloutView, width: int) -> list[Text]:
    """Where one line is too narrow for all: without what is done, and then on several lines."""
    late = [stage for stage in view.stages if stage.ready < stage.total]
    texts = [Text(f"{stage.stage.title} {stage.ready}/{stage.total}", _stage_style(stage)) for stage in view.stages]
    whole = _packed(texts, width)
    if len(whole) <= 1:
        return whole
    shown = [text for stage, text in zip(view.stages, texts, strict=True) if stage in late]
    return _packed(shown, width)


def _packed(texts: Iterable[Text], width: int) -> list[Text]:
    """As many side by side as fit in each line; a line never breaks within one."""
    lines: list[Text] = []
    for text in texts:
        if lines and lines[-1].cell_len + 2 + text.cell_len <= width:
            lines[-1] = Text.assemble(lines[-1], "  ", text)
        else:
            lines.append(text)
    for line in lines:
        line.no_wrap, line.overflow = True, "ellipsis"
    return lines


def _queue(view: RolloutView) -> list[Text]:
    """What has not begun, and the nodes on their way that most of it waits for."""
    waiting = [
        node
        for node in view.nodes.values()
        if node.is_workload and node.started is None and node.verdict is not Verdict.READY
    ]
    if not waiting:
        return []
    held = Counter(name for node in waiting for name in node.waiting_for if _is_under_way(view.nodes.get(name)))
    named = ", ".join(f"{count} for {name}" for name, count in held.most_common(_HOLDERS))
    verb = "waits" if len(waiting) == 1 else "wait"
    return [_line(f"{len(waiting)} {verb} to begin{': ' if named else ''}{named}")]


def _is_under_way(node: NodeView | None) -> bool:
    return node is not None and node.is_workload and node.started is not None and node.verdict is not Verdict.READY


def _line(text: str) -> Text:
    return Text(literal(text), style="dim", no_wrap=True, overflow="ellipsis")


class _Column(NamedTuple):
    """`from_width`: the width of a terminal, in characters, from which on there is room for it. `ratio`: its share of
    what the others leave; long messages must not push names off the screen."""

    heading: str
    from_width: int
    cell: Callable[[_Row, RolloutView], Text]
    justify: Literal["left", "right"] = "left"
    ratio: int | None = None


_EVENT = "last event"
_COLUMNS = (
    _Column("name", 0, lambda row, _view: Text(row.name, style=_STYLE[row.node.verdict])),
    _Column("kind", 90, lambda row, _view: Text(row.node.kind, style="dim")),
    _Column("ready", 50, lambda row, _view: Text(_ready(row.ready)), "right"),
    _Column("state", 36, lambda row, _view: Text(row.node.verdict.value, style=_STYLE[row.node.verdict])),
    _Column("age", 40, lambda row, view: Text(_age(row.node, view.at), style="dim"), "right"),
    _Column("phase", 60, lambda row, _view: Text(literal(_phase(row.node))), ratio=3),
    _Column(_EVENT, 110, lambda row, _view: Text(literal(row.node.event), style="dim"), ratio=2),
)


def _needed(column: _Column, rows: Iterable[_Row], view: RolloutView) -> int:
    """The width of its widest cell."""
    return max(len(column.heading), *(column.cell(row, view).cell_len for row in rows))


def _is_wanted(column: _Column, rows: Iterable[_Row]) -> bool:
    """An empty column of events would take the room that phases need."""
    return column.heading != _EVENT or any(row.node.event for row in rows)


def _ready(count: tuple[int, int] | None) -> str:
    return "" if count is None else f"{count[0]}/{count[1]}"


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

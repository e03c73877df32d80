"""The timeline as a picture: a bar per workload, a band per stage, the longest path in a colour of its own."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from bakery_ops.report.formats.text import chain, total, xml
from bakery_ops.report.schema import Deploy, Node, Stage

WIDTH = 1120
_LABELS = 230  # where the axis begins
_END = WIDTH - 90  # room for the last bar's seconds
_TOP = 112
_ROW, _BAR, _HEAD = 17, 10, 26
_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600)
_PARTS = ("wait", "init", "start")
_MEANING = {"wait": "until on a cluster node", "init": "init containers", "start": "until ready"}
_LEGEND = (*_MEANING.items(), ("long", "longest path"), ("bad", "never ready"))

_STYLE = """
.tl{font:11px system-ui,"DejaVu Sans",sans-serif;fill:#24292f}
.tl .paper{fill:#fff}.tl .band{fill:#f5f6f8}.tl .grid{stroke:#dfe3e8;stroke-width:1}
.tl .title{font-size:16px;font-weight:600}.tl .mute{fill:#656d76}.tl .head{font-weight:600}
.tl .wait{fill:#ccd3db}.tl .init{fill:#93b7e0}.tl .start{fill:#3d74b8}
.tl .long .wait{fill:#f3d3b8}.tl .long .init{fill:#f0a868}.tl .long .start,.tl .long.key{fill:#d9590b}
.tl .bad .wait{fill:#efc6c2}.tl .bad .init{fill:#e28f87}.tl .bad .start,.tl .bad.key{fill:#b3261e}
.tl text.long{fill:#b54708;font-weight:600}.tl text.bad{fill:#b3261e;font-weight:600}
.tl .inside{fill:#fff;font-size:9.5px;font-weight:600}
.tl .link{fill:none;stroke:#d9590b;stroke-width:1.5;stroke-dasharray:2 3}
@media (prefers-color-scheme:dark){
.tl{fill:#e6edf3}.tl .paper{fill:#0d1117}.tl .band{fill:#161b22}.tl .grid{stroke:#2b323b}.tl .mute{fill:#9198a1}
.tl .wait{fill:#3d4650}.tl .init{fill:#2f5f96}.tl .start{fill:#5b9bea}
.tl .long .wait{fill:#5c3a1e}.tl .long .init{fill:#a85b1d}.tl .long .start,.tl .long.key{fill:#f58a3c}
.tl .bad .wait{fill:#5b2a27}.tl .bad .init{fill:#9c3a33}.tl .bad .start,.tl .bad.key{fill:#f2665c}
.tl text.long{fill:#f5a663}.tl text.bad{fill:#ff8a80}.tl .link{stroke:#f58a3c}}
"""


class _Bar(NamedTuple):
    """A workload's row. `y`: its middle; `looks`: "" or the class of the longest path or of a failure."""

    node: Node
    begin: float
    end: float
    y: float
    looks: str


def svg(report: Deploy) -> str:
    """A whole SVG document; inside HTML it stands as it is."""
    bands, bars, bottom = _laid_out(report)
    seconds = max([report.seconds or 0.0, *(bar.end for bar in bars), 0.1])
    scale = _Scale(seconds)
    height = bottom + 30
    body = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="tl" role="img" width="{WIDTH}" height="{height:.0f}" '
        f'viewBox="0 0 {WIDTH} {height:.0f}">',
        f"<title>{xml(f'Timeline of {report.run}')}</title><style>{_STYLE}</style>",
        f'<rect class="paper" width="{WIDTH}" height="{height:.0f}"/>',
        *_heading(report, bool(bars)),
        *bands,
        *scale.grid(bottom),
        *_watched(report, bars, scale),
        *(line for bar in bars for line in _row(bar, scale)),
        *_links(report, bars, scale),
        "</svg>",
    ]
    return "\n".join(body) + "\n"


class _Scale:
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def x(self, at: float) -> float:
        return _LABELS + (_END - _LABELS) * min(max(at, 0.0), self._seconds) / self._seconds

    def grid(self, bottom: float) -> Iterator[str]:
        """A line and its time every few seconds; a dozen at most."""
        step = next((step for step in _STEPS if self._seconds / step <= 12), 7200)
        for number in range(int(self._seconds / step) + 1):
            x = self.x(number * step)
            yield f'<line class="grid" x1="{x:.1f}" y1="{_TOP - 6}" x2="{x:.1f}" y2="{bottom:.0f}"/>'
            for y in (_TOP - 12, bottom + 16):
                yield f'<text class="mute" x="{x:.1f}" y="{y:.0f}" text-anchor="middle">{number * step:g} s</text>'


def _laid_out(report: Deploy) -> tuple[list[str], list[_Bar], float]:
    """Bands with their headings, the bars, and where they end."""
    longest = {step.node for step in report.path}
    bands: list[str] = []
    bars: list[_Bar] = []
    y: float = _TOP
    for number, stage in enumerate(report.stages):
        members = sorted(_drawn(report, stage), key=lambda node: (node.sent_at or 0.0, node.name))
        if not members:
            continue
        height = _HEAD + _ROW * len(members) + 6
        if number % 2 == 0:
            bands.append(f'<rect class="band" x="0" y="{y:.0f}" width="{WIDTH}" height="{height}"/>')
        bands.append(_stage_heading(stage, members, y + 17))
        for row, node in enumerate(members):
            bars.append(_bar(node, report, y + _HEAD + _ROW * row + _ROW / 2, longest))
        y += height
    return bands, bars, y


def _drawn(report: Deploy, stage: Stage) -> Iterable[Node]:
    return (node for node in report.nodes if node.workload and node.stage == stage.stage and node.sent_at is not None)


def _stage_heading(stage: Stage, members: list[Node], y: float) -> str:
    ready = sum(node.ready_at is not None for node in members)
    took = "" if stage.seconds is None else f", {stage.seconds:.1f} s"
    told = f'<tspan class="mute" font-weight="400">  {ready} of {len(members)} ready{took}</tspan>'
    return f'<text class="head" x="14" y="{y:.0f}" xml:space="preserve">{xml(stage.title)}{told}</text>'


def _bar(node: Node, report: Deploy, y: float, longest: set[str]) -> _Bar:
    begin = node.sent_at or 0.0
    end = max(begin, (report.seconds or begin) if node.ready_at is None else node.ready_at)
    looks = "bad" if node.ready_at is None else "long" if node.name in longest else ""
    return _Bar(node, begin, end, y, looks)


def _row(bar: _Bar, scale: _Scale) -> Iterator[str]:
    node = bar.node
    name = node.name if len(node.name) <= 34 else node.name[:33] + "…"
    yield f'<g class="{bar.looks}"><title>{xml(_told(bar))}</title>'
    yield f'<text class="{bar.looks}" x="{_LABELS - 10}" y="{bar.y + 4:.1f}" text-anchor="end">{xml(name)}</text>'
    edges = _edges(bar)
    for part, (begin, end) in zip(_PARTS, itertools.pairwise(edges), strict=True):
        width = scale.x(end) - scale.x(begin)
        if width > 0.05:
            box = f'x="{scale.x(begin):.1f}" y="{bar.y - _BAR / 2:.1f}" width="{width:.1f}" height="{_BAR}"'
            yield f'<rect class="{part}" {box}/>'
    yield f"{_seconds(bar, scale)}</g>"


def _seconds(bar: _Bar, scale: _Scale) -> str:
    """How long it took: right of the bar; of one that reaches the edge inside it, or left of it where it is short."""
    took = f"{bar.end - bar.begin:.1f} s"
    if bar.looks == "bad":
        took = f"{'failed' if bar.node.verdict == 'failed' else 'not ready'} after {took}"
    begin, end = scale.x(bar.begin), scale.x(bar.end)
    looks, x, anchor = bar.looks or "mute", end + 6, "start"
    if bar.looks == "bad" and end > _END - 60:
        looks, x, anchor = ("inside", end - 6, "end") if end - begin > 140 else (looks, begin - 6, "end")
    return f'<text class="{looks}" x="{x:.1f}" y="{bar.y + 3.5:.1f}" text-anchor="{anchor}">{took}</text>'


def _edges(bar: _Bar) -> list[float]:
    """Sent, scheduled, initialized, ready: in order, whatever the whole seconds of the conditions say."""
    edges = [bar.begin]
    for moment in (bar.node.scheduled_at, bar.node.initialized_at):
        edges.append(edges[-1] if moment is None else min(max(moment, edges[-1]), bar.end))
    return [*edges, bar.end]


def _told(bar: _Bar) -> str:
    parts = [f"{bar.node.kind} {bar.node.name}: sent at {bar.begin:.1f} s"]
    if bar.node.scheduled_at is not None:
        parts.append(f"on a cluster node at {bar.node.scheduled_at:.0f} s")
    if bar.node.initialized_at is not None:
        parts.append(f"initialized at {bar.node.initialized_at:.0f} s")
    parts.append("never ready" if bar.node.ready_at is None else f"ready at {bar.end:.1f} s")
    return f"{', '.join(parts)}{f' ({bar.node.message})' if bar.node.message else ''}"


def _links(report: Deploy, bars: list[_Bar], scale: _Scale) -> Iterator[str]:
    """From the end of each step of the longest path to the begin of the next."""
    by_name = {bar.node.name: bar for bar in bars}
    steps = [by_name[step.node] for step in report.path if step.node in by_name]
    for one, other in itertools.pairwise(steps):
        x, turn = scale.x(one.end), scale.x(other.begin)
        middle = (one.y + _BAR / 2) if other.y > one.y else (one.y - _BAR / 2)
        target = (other.y - _BAR / 2) if other.y > one.y else (other.y + _BAR / 2)
        yield f'<path class="link" d="M{x:.1f} {middle:.1f} L{turn:.1f} {target:.1f}"/>'


def _watched(report: Deploy, bars: list[_Bar], scale: _Scale) -> Iterator[str]:
    """Why the picture is empty at its end: a stage is done only after nothing restarted for a while."""
    x = scale.x(max((bar.end for bar in bars), default=0.0))
    if report.outcome == "succeeded" and bars and _END - x > 260:
        told = "all ready: watched that it stays so"
        yield f'<text class="mute" x="{_END}" y="{_TOP + 17}" text-anchor="end">{told}</text>'


def _heading(report: Deploy, has_bars: bool) -> Iterator[str]:
    where = f"{report.profile} to {report.context}: {report.outcome}"
    yield f'<text class="title" x="14" y="28">{xml(where)}</text>'
    told = _told_in_words(report) if has_bars else "no workload was written"
    yield f'<text class="mute" x="14" y="48">{xml(told)}</text>'
    x = 14.0
    for part, meaning in _LEGEND if has_bars else ():
        key = f"{part} key" if part in ("long", "bad") else part
        yield f'<rect class="{key}" x="{x:.0f}" y="62" width="14" height="{_BAR}"/>'
        yield f'<text x="{x + 19:.0f}" y="71">{meaning}</text>'
        x += 19 + 5.8 * len(meaning) + 22


def _told_in_words(report: Deploy) -> str:
    path = chain(report.path, " → ")
    shown = path if len(path) <= 130 else path[:129] + "…"
    longest = f"; longest path {total(report.path):.1f} s: {shown}" if report.path else ""
    return f"rollout {report.seconds or 0.0:.1f} s{longest}"

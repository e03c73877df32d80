"""Text of a cluster inside XML, HTML and Markdown: control bytes visible, markup shown and never obeyed."""

from __future__ import annotations

import re
from xml.sax.saxutils import escape

from bakery_ops.report.schema import Step
from bakery_ops.report.terminal import literal

_MARKDOWN = re.compile(r"([\\`*_\[\]<>|#!~$])")
_TICKS = re.compile(r"`+")


def xml(text: str) -> str:
    """For an element's text or a double-quoted attribute."""
    return escape(literal(text), {'"': "&quot;", "'": "&#39;"})


def markdown(text: str) -> str:
    """For running text or a table's cell, on one line."""
    return _MARKDOWN.sub(r"\\\1", literal(text))


def fenced(lines: tuple[str, ...]) -> list[str]:
    """A code block that its content cannot end: its fence is longer than any row of backticks inside."""
    shown = [literal(line) for line in lines]
    longest = max((len(ticks) for line in shown for ticks in _TICKS.findall(line)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}text", *shown, fence]


def chain(path: tuple[Step, ...], arrow: str = " -> ") -> str:
    """auth-db 16.4 -> auth-migration 12.1"""
    return arrow.join(f"{step.node} {step.seconds:.1f}" for step in path)


def total(path: tuple[Step, ...]) -> float:
    return sum(step.seconds for step in path)


def counted(requests: int, watch_lag_p95: float | None) -> str:
    """15 API requests; p95 watch lag 12 ms"""
    lag = "" if watch_lag_p95 is None else f"; p95 watch lag {milliseconds(watch_lag_p95)}"
    return f"{requests} API requests{lag}"


def milliseconds(seconds: float | None) -> str:
    return "not measured" if seconds is None else f"{seconds * 1000:.0f} ms"

"""Results as lines on the terminal and as the tables of docs/benchmarks.md; no number there is typed by hand.

python -m benchmarks.report RESULTS.json PAGE …     replaces what stands between its marks
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import goals, highlights
from benchmarks.contestants import OURS

Row = Mapping[str, Any]
Entry = Mapping[str, Any]
Cell = Callable[[Entry], str]

_BLOCK = "<!-- benchmarks: {} -->"
_END = "<!-- end -->"


class Table(NamedTuple):
    """How a kind of row is shown: the figure that is compared (less is better), and the columns after it."""

    title: Callable[[Row], str]
    figure: str
    columns: Sequence[tuple[str, Cell]]


def _seconds(field: str) -> Cell:
    def cell(entry: Entry) -> str:
        value = entry.get(field)
        if not value:
            return "–"
        low, middle, high = value
        digits = 3 if middle < 1 else 2 if middle < 10 else 1
        alone = low == middle == high
        return f"{middle:.{digits}f}" if alone else f"{middle:.{digits}f} ({low:.{digits}f}–{high:.{digits}f})"

    return cell


def _number(field: str) -> Cell:
    return lambda entry: f"{entry[field][1]:.0f}"


def _outcome(entry: Entry) -> str:
    if not entry.get("failed"):
        return f"{entry['rounds']}"
    return f"{entry['rounds']}, {entry['failed']} failed: {_inline(entry['note'])}"


def _inline(text: str) -> str:
    return " ".join(text.replace("|", "/").split())[-160:]


def _at(row: Row) -> str:
    return f"{row['objects']} objects, {row['round_trip_ms']:g} ms round trip"


_COST = (
    ("requests", _number("requests")),
    ("writes", _number("writes")),
    ("CPU s", _seconds("cpu")),
    ("peak MB", _number("peak_mb")),
    ("runs", _outcome),
)
TABLES: Mapping[str, Table] = {
    "apply": Table(
        lambda row: f"Apply, {_at(row)}",
        "applied",
        (("last object accepted, s", _seconds("applied")), ("whole command, s", _seconds("wall")), *_COST),
    ),
    "unchanged": Table(
        lambda row: f"The same again, {_at(row)}", "wall", (("whole command, s", _seconds("wall")), *_COST)
    ),
    "wait": Table(
        lambda row: f"Apply and wait until all is ready, {_at(row)}",
        "net",
        (("done, s", _seconds("net")), ("whole command, s", _seconds("wall")), *_COST),
    ),
    "notice": Table(
        lambda row: f"Notice that the last Deployment is ready, {_at(row)}",
        "verdict",
        (("verdict, s", _seconds("verdict")), ("end of the command, s", _seconds("notice")), ("runs", _outcome)),
    ),
    "delay": Table(
        lambda row: f"From commit to verdict, {row['deployments']} Deployments, while drawing",
        "p99",
        (
            *((f"{field}, s", _seconds(field)) for field in ("p50", "p95", "p99", "most")),
            ("samples", lambda entry: str(entry["samples"])),
            ("runs", lambda entry: str(entry["rounds"])),
        ),
    ),
    "growth": Table(
        lambda row: f"The platform with {row['services']} services, {row['objects']} objects",
        "net",
        (("done, s", _seconds("net")), ("whole command, s", _seconds("wall")), *_COST),
    ),
    "whole": Table(
        lambda row: f"The whole platform on a real node, {row['objects']} objects",
        "net",
        (("done, s", _seconds("net")), ("whole command, s", _seconds("wall")), *_COST),
    ),
    "offline": Table(
        lambda row: f"{row['name'][0].upper()}{row['name'][1:]} (goal: {row['goal']})",
        "seconds",
        (
            ("s", _seconds("seconds")),
            ("CPU s", _seconds("cpu")),
            ("more MB", _number("grew_mb")),
            ("a second", lambda entry: f"{entry['per_second']:,}" if entry.get("per_second") else "–"),
            ("runs", lambda entry: str(entry["rounds"])),
        ),
    ),
}


def merged(rows: Sequence[Row], row: Row) -> list[Row]:
    """`rows` with `row` in the place of the one that measured the same before."""

    def key(one: Row) -> tuple[Any, ...]:
        return tuple(one.get(field) for field in ("row", "name", "round_trip_ms", "services"))

    return [one for one in rows if key(one) != key(row)] + [row]


def shown(rows: Sequence[Row]) -> list[Row]:
    """The rows with those that are a second view of others: the notice delay comes from the waiting runs."""
    extra = [
        {**row, "row": "notice", "entries": [one for one in row["entries"] if one.get("verdict")]}
        for row in rows
        if row["row"] == "wait"
    ]
    return [*rows, *extra]


def ratios(row: Row) -> list[float | None]:
    """Each entry's figure over ours: 3.0 needs three times as long as ours, below 1 ours has lost."""
    figure = TABLES[row["row"]].figure
    middles = {one["name"]: one[figure][1] for one in row["entries"] if one.get(figure)}
    reference = middles.get(OURS)
    return [
        middles[one["name"]] / reference if reference and one["name"] in middles else None for one in row["entries"]
    ]


def cells(row: Row) -> tuple[list[str], list[list[str]]]:
    """Headings and lines of a row's table, the ratio first."""
    table = TABLES[row["row"]]
    lines = [
        [one["name"], _ratio(ratio), *(cell(one) for _, cell in table.columns)]
        for one, ratio in zip(row["entries"], ratios(row), strict=True)
    ]
    return ["", "× ours", *(heading for heading, _ in table.columns)], lines


def _ratio(ratio: float | None) -> str:
    if ratio is None:
        return "–"
    return f"{ratio:.2f}" + (" (ours loses)" if ratio < 0.995 else "")


def text(row: Row) -> list[str]:
    """The row as aligned lines for a terminal."""
    found: list[str] = []
    for one in shown([row]):
        headings, lines = cells(one)
        widths = [max(len(line[column]) for line in [headings, *lines]) for column in range(len(headings))]
        found += ["", TABLES[one["row"]].title(one)]
        found += [
            "  ".join(f"{cell:{width}}" for cell, width in zip(line, widths, strict=True))
            for line in [headings, *lines]
        ]
    return found


def markdown(row: Row) -> list[str]:
    headings, lines = cells(row)
    return [f"**{TABLES[row['row']].title(row)}**", "", *_table([headings, *lines], align="---:"), ""]


def _table(lines: Sequence[Sequence[str]], align: str = "---") -> list[str]:
    """Lines of cells, the heading first; all columns but the first are aligned as `align` says."""
    ruler = ["---", *[align] * (len(lines[0]) - 1)]
    return ["| " + " | ".join(line) + " |" for line in (lines[0], ruler, *lines[1:])]


def blocks(document: Row) -> dict[str, str]:
    """Name of a block -> what stands in it."""
    found = {"machine": [_machine(document)], "goals": _table(goals.lines(document["rows"]))}
    found["highlights"] = highlights.sentences(document["rows"])
    for row in shown(document["rows"]):
        found.setdefault(row["row"], []).extend(markdown(row))
    return {name: "\n".join(lines).strip() for name, lines in found.items()}


def _machine(document: Row) -> str:
    cores, load = document["cores"], max((row.get("load_before", 0.0) for row in document["rows"]), default=0.0)
    shared = "that the control plane, the simulated nodes and the tool under test shared"
    busy = f" Other programs kept it busy meanwhile: load average up to {load:.0f} before a row began."
    return (
        f"Measured on {document['date']} on a Linux machine with {cores} cores {shared}.{busy if load > cores else ''}"
    )


def filled(page: str, document: Row) -> str:
    """`page` with each block that the results know replaced; the others stay."""
    for name, content in blocks(document).items():
        before, mark, rest = page.partition(f"{_BLOCK.format(name)}\n")
        if mark:
            _, end, after = rest.partition(_END)
            page = f"{before}{mark}{content}\n{end}{after}"
    return page


def main(arguments: Sequence[str]) -> None:
    results, *pages = map(Path, arguments)
    document = json.loads(results.read_text())
    for page in pages:
        page.write_text(filled(page.read_text(), document))


if __name__ == "__main__":
    main(sys.argv[1:])

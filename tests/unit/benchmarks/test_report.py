"""The tables of docs/benchmarks.md are what the results say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks import goals, report

DOCUMENTS = Path(__file__).resolve().parents[3] / "docs"


def entry(name: str, wall: float, **changes: Any) -> dict[str, Any]:
    spread = [wall, wall, wall]
    found = {
        "name": name, "rounds": 3, "failed": 0, "note": "", "wall": spread, "net": spread, "applied": None,
        "notice": None, "verdict": None, "requests": [9, 10, 11], "writes": [0, 0, 0], "cpu": spread,
        "peak_mb": spread,
    }  # fmt: skip
    return {**found, **changes}


def row(*entries: dict[str, Any], kind: str = "unchanged") -> dict[str, Any]:
    return {"row": kind, "round_trip_ms": 20.0, "objects": 250, "entries": list(entries)}


def test_a_ratio_says_how_many_times_as_long_as_ours_another_needs() -> None:
    assert report.ratios(row(entry("bakery_ops", 2.0), entry("kubectl apply", 5.0))) == [1.0, 2.5]


def test_a_row_that_ours_loses_says_so() -> None:
    _, lines = report.cells(row(entry("bakery_ops", 2.0), entry("kubectl apply", 1.0)))
    assert [line[1] for line in lines] == ["1.00", "0.50 (ours loses)"]


def test_a_tool_that_failed_is_shown_with_its_words_which_cannot_break_the_table() -> None:
    failed = entry("kapp", 3.0, failed=3, note="Error: timed out | waiting\nfor deployment")
    _, lines = report.cells(row(entry("bakery_ops", 2.0), failed))
    assert lines[1][-1] == "3, 3 failed: Error: timed out / waiting for deployment"


def test_what_was_not_measured_is_a_dash_and_no_zero() -> None:
    _, lines = report.cells(row(entry("bakery_ops", 2.0), entry("skaffold run", 3.0), kind="apply"))
    assert [line[1:3] for line in lines] == [["–", "–"], ["–", "–"]]


def test_the_notice_delay_is_a_second_view_of_the_runs_that_wait() -> None:
    waited = row(entry("bakery_ops", 2.0, verdict=[0.1, 0.1, 0.1], notice=[0.2, 0.2, 0.2]), kind="wait")
    assert [one["row"] for one in report.shown([waited])] == ["wait", "notice"]


def test_a_page_keeps_its_words_and_gets_new_tables() -> None:
    known, unknown = (f"<!-- benchmarks: {name} -->\n{{}}\n<!-- end -->\n" for name in ("unchanged", "growth"))
    page = f"Before.\n{known.format('old')}After.\n{unknown.format('kept')}"
    document = {"date": "2026-01-01", "cores": 2, "rows": [row(entry("bakery_ops", 2.0))]}
    filled = report.filled(page, document)
    assert "old" not in filled
    assert "| bakery_ops | 1.00 |" in filled
    assert filled.startswith("Before.")
    assert "After." in filled
    assert "kept" in filled
    assert report.filled(filled, document) == filled


def test_a_row_measured_again_takes_the_place_of_the_earlier_one() -> None:
    first, other, again = row(entry("a", 1.0)), row(entry("a", 2.0), kind="wait"), row(entry("a", 3.0))
    assert report.merged([first, other], again) == [other, again]


def test_a_goal_says_what_was_measured_and_whether_it_is_reached() -> None:
    calm = row(entry("bakery_ops", 2.0), entry("kubectl apply", 4.0))
    calm["round_trip_ms"] = 0.0
    found = {(work, goal): (measured, reached) for work, goal, measured, reached in goals.lines([calm])}
    assert found["the same again, requests", "at most 15"] == ("10", "yes")
    assert found["the same again", "3 × faster than `kubectl apply`"] == ("2.0 ×", "**no**")
    assert found["watch intake", "10,000 events/s"] == ("–", "–")


def test_results_of_a_busy_machine_say_so() -> None:
    busy = {**row(entry("bakery_ops", 2.0)), "load_before": 17.3}
    for rows, said in (([busy], True), ([row(entry("bakery_ops", 2.0))], False)):
        machine = report.blocks({"date": "2026-01-01", "cores": 2, "rows": rows})["machine"]
        assert ("load average up to 17" in machine) is said


def test_the_published_tables_are_those_of_the_published_results() -> None:
    results = json.loads((DOCUMENTS / "benchmarks.json").read_text())
    for page in (DOCUMENTS / "benchmarks.md", DOCUMENTS.parent / "README.md"):
        assert report.filled(page.read_text(), results) == page.read_text()

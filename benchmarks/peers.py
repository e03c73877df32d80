"""Ours beside kubectl, kapp, Helm and Skaffold: one command for every table of docs/benchmarks.md.

python -m benchmarks.peers                                        all rows, at 0 and 20 ms of round trip
python -m benchmarks.peers --only unchanged --rounds 5 --round-trip-ms 20
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bakery_ops.report.runs import write_whole
from benchmarks import contest, delay, growth, offline, report, whole
from benchmarks.contest import Match
from benchmarks.contestants import Contestant, Stage, contestants
from benchmarks.ground import Ground, ground
from benchmarks.relay import relayed

CONTESTS = ("apply", "unchanged", "wait")
ROWS = (*CONTESTS, "delay", "growth", "whole", "offline")
LOADED = ("kubectl apply --server-side", "kapp deploy")  # the peers that are shown growing
_BEGAN = time.monotonic()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=ROWS, action="append", help="just this row; repeat for several")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each tool in each row")
    parser.add_argument("--round-trip-ms", type=float, action="append", help="instead of 0 and 20; repeat for several")
    parser.add_argument("--each", type=int, default=50, help="objects of each of the five kinds")
    parser.add_argument("--services", type=int, action="append", help="instead of 18, 54 and 180; repeat for several")
    parser.add_argument("--json", type=Path, help="results; a row replaces the one that measured the same")
    options = parser.parse_args()
    count, load = 0, os.getloadavg()[1]
    try:
        for row in _rows(options):
            count += 1
            row["load_before"] = round(load, 1)
            print("\n".join(report.text(row)), flush=True)
            if options.json:
                _keep(options.json, row)
    except KeyboardInterrupt:
        sys.exit("interrupted; the rows that were finished are kept")
    _say(f"{count} rows measured")


def _keep(path: Path, row: dict[str, Any]) -> None:
    """Put the row into the results, in the place of an earlier one of the same work."""
    before = json.loads(path.read_text())["rows"] if path.exists() else []
    found = {"date": time.strftime("%Y-%m-%d", time.gmtime()), "cores": len(os.sched_getaffinity(0))}
    write_whole(path, json.dumps({**found, "rows": report.merged(before, row)}, indent=1) + "\n")


def _rows(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    chosen = options.only or ROWS
    if "offline" in chosen:
        yield from offline.rows(options.rounds, _say)
    applying, waiting = contestants(_say)
    if set(chosen) & set(CONTESTS):
        yield from _contests(options, applying, waiting)
    if "delay" in chosen:
        with ground(_say) as place:
            home = place.folder / "home"
            home.mkdir()
            yield delay.row(place, Stage(place.kubeconfig, place.context, home), options.rounds, _say)
    if "growth" in chosen:
        peers = [tool for tool in [*applying, *waiting] if tool.name in LOADED]
        yield from growth.rows(peers, options.services or growth.SIZES, _say)
    if "whole" in chosen:
        yield whole.row([tool for tool in waiting if tool.name in ("kapp deploy", "skaffold run")], _say)


def _contests(
    options: argparse.Namespace, applying: list[Contestant], waiting: list[Contestant]
) -> Iterator[dict[str, Any]]:
    with ground(_say) as place:
        for round_trip_ms in options.round_trip_ms or [0.0, 20.0]:
            with relayed(place.kubeconfig, round_trip_ms, place.folder / f"kubeconfig-{round_trip_ms:g}") as kubeconfig:
                yield from _at_distance(options, place, kubeconfig, round_trip_ms, applying, waiting)


def _at_distance(
    options: argparse.Namespace,
    place: Ground,
    kubeconfig: Path,
    round_trip_ms: float,
    applying: list[Contestant],
    waiting: list[Contestant],
) -> Iterator[dict[str, Any]]:
    home = place.folder / f"home-{round_trip_ms:g}"
    home.mkdir()
    stage = Stage(kubeconfig, place.context, home)
    match = Match("", place, stage, round_trip_ms, options.each, options.rounds, _say)
    chosen = options.only or ROWS
    _say(f"warming up at {round_trip_ms:g} ms of round trip")
    contest.warm_up(match, [*applying, *waiting[1:]])
    for name, measure, tools in (
        ("apply", contest.fresh, applying),
        ("unchanged", contest.unchanged, applying),
        ("wait", contest.fresh, waiting),
    ):
        if name in chosen:
            _say(f"row {name}, {options.each * 5} objects, {round_trip_ms:g} ms")
            seen = measure(match._replace(row=name), tools)
            yield {
                "row": name,
                "round_trip_ms": round_trip_ms,
                "objects": options.each * 5,
                "entries": contest.entries(seen),
            }


def _say(line: str) -> None:
    print(f"{time.monotonic() - _BEGAN:7.1f}s  {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()

"""How soon a deploy tool knows that a deploy is doomed, whether it is right, and whether it says why.

    .venv/bin/python -m benchmarks.faults                                     every fault, every tool, one real node
    .venv/bin/python -m benchmarks.faults --only crash-loop --tools ours,kapp

The faults are those of tests/e2e/faults, on a node of its own. For one fault the tools run side by side, each in a
namespace of its own; what counts as naming the cause is the same for all (`cause` in tests/fault_table.py).
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from bakery_ops.sandbox import lifecycle
from benchmarks.deployers import Deployer, Task, deployers
from benchmarks.surroundings import KUBECTL, ROOT, SCRIPTS
from tests.fault_table import FAULTS, Fault, Scene

TOOLS = ("ours", "skaffold", "kapp", "helm", "kubectl")
SOON = 30.0
_SLACK = 60.0
_MARKS = ("<!-- faults: written by benchmarks/faults.py -->", "<!-- end -->")
_BEGAN = time.monotonic()


class Verdict(NamedTuple):
    """What a tool said of a fault.

    Attributes:
        seconds: From its start to its end.
        said: "failed"; "gave up" at the deadline, which is no verdict; "succeeded", which is wrong.
        is_right: Failed before the deadline, or, where nothing but a deadline can tell, at it.
        names_cause: Its output holds what the fault's `cause` asks for.
    """

    fault: str
    tool: str
    seconds: float
    said: str
    is_right: bool
    names_cause: bool
    output: str


def main() -> None:
    options = _options()
    names = [fault.name for fault in FAULTS]
    if unknown := set(options.only) - set(names) or set(options.tools) - set(TOOLS):
        sys.exit(f"unknown: {', '.join(sorted(unknown))}; faults: {', '.join(names)}; tools: {', '.join(TOOLS)}")
    faults = [fault for fault in FAULTS if not options.only or fault.name in options.only]
    tools = deployers(_say, lambda short: short in options.tools)
    found: list[Verdict] = []
    with _scene(options.name) as scene, ThreadPoolExecutor(options.side_by_side) as pool:
        for verdicts in pool.map(lambda fault: _meet(scene, fault, tools, options.deadline), faults):
            found += verdicts
            print("\n".join(_rows(verdicts)), flush=True)
            if options.json:
                options.json.write_text(json.dumps(_document(found, options.deadline), indent=1) + "\n")
    measured = f"Measured on {time.strftime('%Y-%m-%d', time.gmtime())}; every tool was given {options.deadline} s."
    table = "\n".join([measured, "", *_head(tools), *_rows(found), "", *_totals(found, tools)])
    print(f"\n{table}")
    if options.publish:
        _publish(options.publish, table)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", default=[], metavar="FAULT", help="just this one; repeat for more")
    parser.add_argument("--tools", default=",".join(TOOLS), type=lambda text: text.split(","), help="by commas")
    parser.add_argument("--deadline", type=int, default=90, help="seconds each tool is given")
    parser.add_argument("--side-by-side", type=int, default=2, help="faults at one time")
    parser.add_argument("--name", help="a real sandbox that runs already, instead of one of its own")
    parser.add_argument("--json", type=Path, help="where the results are written, outputs included")
    parser.add_argument("--publish", type=Path, help="the document whose table is replaced")
    return parser.parse_args()


@contextmanager
def _scene(name: str | None) -> Iterator[Scene]:
    """A real node with the images and the stage on it."""
    instance = name or f"bench-faults-{os.getpid()}"
    started = name is None
    status = lifecycle.start("real", (), say=_say, repository=ROOT, name=instance) if started else None
    try:
        found = status or lifecycle.status(instance)
        subprocess.run([SCRIPTS / "invoke", "sandbox.images", "--name", instance], cwd=ROOT, check=True)
        scene = Scene(found.kubeconfig, found.context)
        code, output = scene.open()
        if code:
            sys.exit(f"the stage did not come up:\n{output}")
        yield scene
    finally:
        if started:
            lifecycle.stop(say=_say, name=instance)


def _meet(scene: Scene, fault: Fault, tools: Sequence[Deployer], deadline: int) -> list[Verdict]:
    """All tools at one fault, at the same time."""
    _say(f"{fault.name}: begins")
    with tempfile.TemporaryDirectory(prefix="fault-") as folder, ThreadPoolExecutor(len(tools)) as pool:
        return list(pool.map(lambda tool: _try(scene, fault, tool, deadline, Path(folder)), tools))


def _try(scene: Scene, fault: Fault, tool: Deployer, deadline: int, folder: Path) -> Verdict:
    namespace = f"{fault.name}-{tool.short}"
    scene.furnish(namespace)
    home = folder / tool.short
    home.mkdir()
    task = Task(fault.manifests, namespace, deadline, scene.kubeconfig, scene.context, home)
    try:
        seconds, status, output = _run(task, tool.argv(task))
    finally:
        delete = ("delete", "namespace", namespace, "--wait=false")
        subprocess.run([KUBECTL, "--kubeconfig", scene.kubeconfig, *delete], check=False, capture_output=True)
    return judge(fault, tool.name, seconds, status, output, deadline)


def judge(fault: Fault, tool: str, seconds: float, status: int, output: str, deadline: int) -> Verdict:
    """What this ending is worth."""
    waited = seconds >= deadline - 1
    said = "succeeded" if status == 0 else "gave up" if waited else "failed"
    is_right = said == "failed" or (said == "gave up" and fault.only_a_deadline_tells)
    names_cause = all(re.search(pattern, output, re.IGNORECASE) for pattern in fault.cause)
    return Verdict(fault.name, tool, round(seconds, 1), said, is_right, names_cause, output)


def _run(task: Task, argv: Sequence[str]) -> tuple[float, int, str]:
    """Seconds, exit status and all that was said; one that outlives its deadline by far is ended with its children."""
    began = time.monotonic()
    with subprocess.Popen(
        argv,
        cwd=ROOT,
        env={**os.environ, **task.environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            output, _ = process.communicate(timeout=task.deadline + _SLACK)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
    return time.monotonic() - began, process.returncode, output


def _head(tools: Sequence[Deployer]) -> list[str]:
    return [
        f"| fault | {' | '.join(tool.name for tool in tools)} |",
        f"|---|{'---|' * len(tools)}",
    ]


def _rows(verdicts: Sequence[Verdict]) -> list[str]:
    """One row a fault: seconds, what was said (bold when right), and whether the cause was named."""
    by_fault: dict[str, list[str]] = {}
    for each in verdicts:
        said = f"**{each.said}**" if each.is_right else each.said
        cause = "cause named" if each.names_cause else "no cause"
        by_fault.setdefault(each.fault, []).append(f"{each.seconds:.1f} s {said}, {cause}")
    return [f"| {fault} | {' | '.join(cells)} |" for fault, cells in by_fault.items()]


def _totals(verdicts: Sequence[Verdict], tools: Sequence[Deployer]) -> list[str]:
    lines = [f"| of {len({each.fault for each in verdicts})} faults | {' | '.join(tool.name for tool in tools)} |"]
    lines.append(f"|---|{'---|' * len(tools)}")
    mine = [[each for each in verdicts if each.tool == tool.name] for tool in tools]
    counts = {
        "right verdict": lambda each: each.is_right,
        f"right within {SOON:.0f} s": lambda each: each.is_right and each.seconds <= SOON,
        "cause named": lambda each: each.names_cause,
        "right, and the cause named": lambda each: each.is_right and each.names_cause,
        "called a success": lambda each: each.said == "succeeded",
    }
    for title, counted in counts.items():
        lines.append(f"| {title} | {' | '.join(str(sum(map(counted, each))) for each in mine)} |")
    return lines


def _document(verdicts: Sequence[Verdict], deadline: int) -> dict[str, Any]:
    rows = [each._asdict() for each in verdicts]
    return {"date": time.strftime("%Y-%m-%d", time.gmtime()), "deadline": deadline, "rows": rows}


def _publish(document: Path, table: str) -> None:
    text = document.read_text()
    before, rest = text.split(_MARKS[0], 1)
    after = rest.split(_MARKS[1], 1)[1]
    document.write_text(f"{before}{_MARKS[0]}\n{table}\n{_MARKS[1]}{after}")


def _say(line: str) -> None:
    print(f"{time.monotonic() - _BEGAN:7.1f}s  {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()

"""Run the product as its users do: the command line in a process of its own, its output and exit code looked at."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
ARGV = (sys.executable, "-m", "bakery_ops.commandline")


def invoke(
    *words: str, timeout: float = 900.0, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """`invoke WORDS`, to its end."""
    return subprocess.run(
        [*ARGV, *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=timeout,
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        check=False,
    )


def deploy_document(*words: str) -> tuple[int, dict[str, Any]]:
    """`invoke deploy WORDS --output json`: exit code and report. Fails with the output when there is no report."""
    ended = invoke("deploy", *words, "--output", "json")
    assert ended.stdout.startswith("{"), f"exit {ended.returncode}\n{ended.stdout}\n{ended.stderr}"
    report: dict[str, Any] = json.loads(ended.stdout)
    return ended.returncode, report


def interrupted(*words: str, after: str, by: signal.Signals = signal.SIGINT) -> tuple[int, str]:
    """`invoke WORDS`, sent a signal as soon as a progress line contains `after`: exit code and stderr."""
    argv = [*ARGV, *words]
    with subprocess.Popen(
        argv, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stderr is not None
        lines: list[str] = []
        for line in process.stderr:
            lines.append(line)
            if after in line:
                process.send_signal(by)
                break
        lines += process.stderr.readlines()
        return process.wait(timeout=120), "".join(lines)


def kubectl(kubeconfig: Path, *words: str, stdin: str | None = None) -> str:
    """kubectl's stdout; fails with its stderr."""
    program = Path(sys.executable).parent / "kubectl"
    ended = subprocess.run(
        [program, "--kubeconfig", kubeconfig, *words], capture_output=True, text=True, input=stdin, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def objects(kubeconfig: Path, kinds: Sequence[str], namespace: str) -> list[dict[str, Any]]:
    """Every object of these kinds in a namespace."""
    text = kubectl(kubeconfig, "get", ",".join(kinds), "--namespace", namespace, "--output", "json")
    items: list[dict[str, Any]] = json.loads(text)["items"]
    return items

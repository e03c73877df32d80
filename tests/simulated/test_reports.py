"""Reports of real deploys, small ones: told while they run, kept when nobody reads, played again to the same end."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from bakery_ops.sandbox.lifecycle import SandboxStatus
from tests.commands import ARGV, ROOT, invoke, kubectl

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec:
  replicas: 1
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata:
      labels: {{app: {name}}}
      annotations: {{bakery-ia.dev/simulate: {mode}}}
    spec:
      containers: [{{name: app, image: "shop/{name}:1"}}]
"""


def words(cluster: SandboxStatus, folder: Path, namespace: str, mode: str = "none") -> tuple[str, ...]:
    (folder / "basket.yaml").write_text(DEPLOYMENT.format(name="basket", mode=mode))
    return ("deploy", "--overlay", str(folder), "--namespace", namespace, "--context", cluster.context)


@pytest.mark.parametrize("pipe", ["2>/dev/null | head -1", "2>&1 | head -1", "--output ndjson 2>/dev/null | head -1"])
def test_a_deploy_goes_on_when_nobody_reads_its_output_any_more(simulated_cluster, tmp_path, pipe):
    """Faults F47, through a real pipe. The report is written, and the exit code is the deploy's."""
    namespace = f"unread-{zlib.crc32(pipe.encode())}"
    report = tmp_path / "report.json"
    argv = [*ARGV, *words(simulated_cluster, tmp_path, namespace), "--report-file", f"json={report}"]
    code = tmp_path / "code"
    piped = f"{{ {shlex.join(argv)} {pipe.partition('|')[0]}; echo $? > {code}; }} |{pipe.partition('|')[2]}"
    ended = subprocess.run(["/bin/sh", "-c", piped], cwd=ROOT, capture_output=True, text=True, check=False)
    assert len(ended.stdout.splitlines()) == 1, ended
    assert code.read_text() == "0\n"
    assert json.loads(report.read_text())["outcome"] == "succeeded"
    kubectl(simulated_cluster.kubeconfig, "-n", namespace, "get", "deployment", "basket")


def test_a_failure_is_told_in_events_annotated_and_played_again(simulated_cluster, tmp_path):
    namespace = "broken"
    ended = invoke(*words(simulated_cluster, tmp_path, namespace, "image-not-found"), "--output", "ndjson")
    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    assert (ended.returncode, lines[0]["type"], lines[-1]["type"], lines[-1]["exitCode"]) == (3, "begun", "reported", 3)
    assert lines[-1]["causes"][0].startswith("basket is down: ErrImagePull: ")
    run = Path(lines[-1]["report"])
    assert {path.name for path in run.iterdir()} >= {"events.ndjson", "summary.json", "report.html", "timeline.svg"}
    again = invoke("report", run.name, "--replay")
    assert (again.returncode, "same outcome, causes and verdicts" in again.stderr) == (0, True), again.stderr
    cause = json.loads((run / "summary.json").read_text())["causes"][0]
    assert cause["source"].endswith("basket.yaml:2")
    ours = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    shown = subprocess.run(["/bin/sh", "-c", cause["next"]], env=ours, capture_output=True, text=True, check=False)
    assert (shown.returncode, "ErrImagePull" in shown.stdout or "ImagePullBackOff" in shown.stdout) == (0, True), shown

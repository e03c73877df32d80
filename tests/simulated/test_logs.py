"""`invoke logs` against a real API server and the kubelet's stand-in behind it."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

from bakery_ops.sandbox.lifecycle import SandboxStatus
from tests.commands import ARGV, ROOT, invoke
from tests.simulated.small_site import deployed


def test_every_container_is_read_and_followed_until_ctrl_c(simulated_cluster: SandboxStatus, tmp_path: Path) -> None:
    with deployed(simulated_cluster, tmp_path) as site:
        words = ("logs", "web", "--overlay", str(site.overlay), *site.where)
        read = invoke(*words)
        assert read.returncode == 0, read.stderr
        containers = [line.partition(" | ")[0].rpartition("/")[2] for line in read.stdout.splitlines()]
        assert list(dict.fromkeys(containers)) == ["wait-for-migrate", "web"]

        with subprocess.Popen(
            [*ARGV, *words, "--follow"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            assert "/w" in process.stdout.readline()
            process.send_signal(signal.SIGINT)
            assert "Traceback" not in process.stderr.read()
        assert process.returncode == 130

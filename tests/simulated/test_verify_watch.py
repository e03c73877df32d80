"""`verify --watch` on a real API server: what happens is a line soon after, and the end is the last state."""

from __future__ import annotations

import signal
import subprocess

from tests.commands import ARGV, ROOT, invoke
from tests.simulated.small_site import Site

TIMEOUT = 60


def test_a_change_is_told_as_it_happens_and_ctrl_c_ends_with_the_last_state(site: Site) -> None:
    argv = [*ARGV, "verify", "--overlay", str(site.overlay), *site.where, "--watch", "5m", "--only", "workloads-ready"]
    with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("ok    workloads-ready     2 of 2 workloads ready")
        site.kubectl("delete", "deployment", "web", "--wait=false")
        told = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        rest, stderr = process.communicate(timeout=TIMEOUT)
    assert "FAIL  workloads-ready     1 of 2 workloads ready: web: " in told
    assert (process.returncode, rest, "Traceback" in stderr) == (3, "", False), stderr
    assert "the last look: failed" in stderr


def test_the_bound_ends_it_with_the_last_state(site: Site) -> None:
    ended = invoke("verify", "--overlay", str(site.overlay), *site.where, "--watch", "3")
    assert (ended.returncode, "the last look: passed" in ended.stderr) == (0, True), ended.stdout + ended.stderr


def test_what_is_no_time_is_refused_before_any_contact() -> None:
    refused = invoke("verify", "--watch", "soon")
    assert (refused.returncode, "--watch: 'soon' is not a duration like 90s or 10m" in refused.stderr) == (64, True)
    both = invoke("verify", "--watch", "10", "--output", "github")
    assert (both.returncode, "shows one verification" in both.stderr) == (64, True)

"""Whole deploys that meet each other, are stopped, killed or told to end, on a real API server."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from bakery_ops.sandbox.lifecycle import SandboxStatus
from tests.commands import invoke, kubectl
from tests.proxy import FaultProxy, Kill
from tests.proxy_faults import Call, Delay, Outage, Rule, Stall, Tell
from tests.simulated.kill_points import Arrange, Run, Site

DATABASE = "statefulsets/db$"
LATER = ("/statefulsets/db", "/deployments/web", "/jobs/migrate")


@pytest.fixture
def site(simulated_cluster: SandboxStatus, tmp_path: Path) -> Iterator[Site]:
    made = Site(simulated_cluster, f"lock-{uuid4().hex[:8]}", tmp_path)
    made.prepare()
    yield made
    made.remove()


def is_written(call: Call) -> bool:
    return "dryRun" not in call.query


def at(fault: Delay | Tell, path: str) -> Rule:
    return Rule(fault, "PATCH", path, when=is_written)


def told(*rules: Rule) -> Arrange:
    def arrange(proxy: FaultProxy) -> None:
        proxy.rules.add(*rules)

    return arrange


def converges(site: Site) -> Run:
    """The next run ends well and the one after it writes nothing; the next one is returned."""
    rerun, third = site.deploy(), site.deploy()
    assert (rerun.status, third.status) == (0, 0), rerun.output + third.output
    assert third.mutations == []
    assert site.holder() == ""
    assert site.pods_of(site.jobs()) == 1
    return rerun


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=["Ctrl-C", "SIGTERM", "SIGHUP"])
def test_a_signal_stops_the_writing_frees_the_lock_and_leaves_a_report(site: Site, number: signal.Signals) -> None:
    """F19"""
    run = site.deploy(arrange=told(at(Tell(number), DATABASE)))
    assert (run.status, "deploy interrupted after" in run.output) == (130, True), run.output
    assert [call for call in run.mutations if call.endswith(LATER[1:])] == []
    assert (site.holder(), site.outside_inventory()) == ("", [])
    assert "taking over" not in converges(site).output


def test_a_second_signal_ends_the_run_at_once(site: Site) -> None:
    """F19: the first signal waits for the answers of what was sent, here for one that takes a minute."""
    rules = (at(Delay(60), "services/db$"), at(Tell(signal.SIGINT), "settings$"), at(Tell(signal.SIGTERM), "baker$"))
    with site.deploying(arrange=told(*rules)) as (process, _):
        output, _ = process.communicate(timeout=30)
    assert (process.returncode, "interrupted" in output) == (130, True), output
    assert "Traceback" not in output
    converges(site)


@pytest.mark.parametrize("fault", [Outage(600.0), Stall()], ids=["refused", "silent"])
def test_an_api_server_that_is_away_when_the_run_is_told_to_end_is_not_waited_for_long(
    site: Site, fault: Outage | Stall
) -> None:
    """F19: writes, journal and lock had two minutes each."""
    with site.deploying(arrange=told(Rule(fault, "PATCH", DATABASE, when=is_written, times=100))) as (process, proxy):
        proxy.rules.wait_for("PATCH", DATABASE)
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=60)
    assert (process.returncode, "deploy interrupted after" in output) == (130, True), output
    assert "Traceback" not in output
    converges(site)


def test_a_second_deploy_is_refused_with_who_holds_the_lock_and_writes_nothing(site: Site) -> None:
    """F21"""
    with site.deploying(arrange=told(at(Delay(12), DATABASE))) as (first, proxy):
        proxy.rules.wait_for("PATCH", DATABASE)
        second, holder = site.deploy(), site.holder()
        status = invoke("deploy.status", "--overlay", str(site.folder / "overlay"), *site.words())
        output, _ = first.communicate(timeout=120)
    assert (second.status, second.mutations) == (6, []), second.output
    unlock = f"--namespace {site.namespace}"
    for word in ("another run holds the lock", f"--holder {holder}", " on ", "since 20", "phase 'deploy", unlock):
        assert second.output.count(word) == 1, second.output
    assert f"lock: held by {holder}" in status.stdout
    assert first.returncode == 0, output
    converges(site)


def test_a_killed_deploys_lock_is_waited_out_or_removed_by_naming_its_holder(site: Site) -> None:
    """F22"""
    wreck = site.deploy(Kill(8, "A"))
    assert wreck.status == -signal.SIGKILL
    holder = site.holder()
    wrong = invoke("deploy.unlock", "somebody@else-1-abc", *site.words())
    assert (wrong.returncode, f"its holder is {holder}" in wrong.stderr) == (5, True), wrong.stderr
    assert site.holder() == holder
    right = invoke("deploy.unlock", holder, *site.words())
    assert (right.returncode, site.holder()) == (0, ""), right.stderr
    assert "taking over" not in converges(site).output


def test_a_namespace_that_somebody_deletes_is_the_one_cause(site: Site) -> None:
    """F51: it takes the lock and every object with it."""
    with site.deploying(arrange=told(at(Delay(5), "deployments/web$"))) as (first, proxy):
        proxy.rules.wait_for("PATCH", "deployments/web$")
        kubectl(site.cluster.kubeconfig, "delete", "namespace", site.namespace, "--wait=false")
        output, _ = first.communicate(timeout=60)
    told_of = [line for line in output.splitlines() if "; blocks " in line and " cause: " not in line]
    assert first.returncode == 3, output
    assert len(told_of) == 1, output
    assert told_of[0].startswith(f"namespace/{site.namespace} has failed: Terminating: "), output


def test_a_deploy_that_slept_through_a_takeover_writes_nothing_more(site: Site) -> None:
    """F20"""
    with site.deploying(arrange=told(at(Tell(signal.SIGSTOP), DATABASE))) as (first, proxy):
        proxy.rules.wait_for("PATCH", DATABASE)
        second = site.deploy()
        assert (second.status, "taking over the lock" in second.output) == (0, True), second.output
        before = list(proxy.mutations)
        os.kill(first.pid, signal.SIGCONT)
        output, _ = first.communicate(timeout=60)
        assert proxy.mutations == before
    assert first.returncode == 6, output
    assert "lost" in output
    assert converges(site).mutations == []

"""The lock between real processes on a real API server: refused, killed, stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bakery_ops.cluster.connection import Connection
from bakery_ops.cluster.inventory import ApiInventory
from bakery_ops.cluster.journal import ApiJournal
from bakery_ops.cluster.lease import Lease, this_run
from bakery_ops.errors import Locked
from bakery_ops.model.manifest import ObjectRef
from bakery_ops.rules.plan import JournalEntry
from bakery_ops.sandbox.lifecycle import SandboxStatus

# Holds the lock until it is killed, and says on a line of its own what becomes of it.
HOLDER = """
import sys, time
from pathlib import Path
from bakery_ops.cluster.connection import connect
from bakery_ops.cluster.lease import Lease, this_run
from bakery_ops.errors import Locked
connection = connect(Path(sys.argv[1]))
handle = Lease(connection.transport, connection.retrier, sys.argv[2], duration=3).acquire(this_run(), phase="databases")
print("held", handle.holder, flush=True)
sys.stdin.readline()
try:
    handle.require()
    print("still held", flush=True)
except Locked as error:
    print(error, flush=True)
"""


@contextmanager
def holding(kubeconfig: Path, namespace: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Another process that holds the lock, and its holder id."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(kubeconfig), namespace],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        word, holder = process.stdout.readline().split()
        assert word == "held"
        try:
            yield process, holder
        finally:
            process.kill()


def lease(connection: Connection, namespace: str, lines: list[str] | None = None) -> Lease:
    notify = lines.append if lines is not None else lambda line: None
    return Lease(connection.transport, connection.retrier, namespace, duration=3, notify=notify)


def test_a_second_run_is_refused_within_two_seconds(
    connection: Connection, namespace: str, simulated_cluster: SandboxStatus
) -> None:
    """F21"""
    with holding(simulated_cluster.kubeconfig, namespace) as (_, holder):
        began = time.monotonic()
        with pytest.raises(Locked) as caught:
            lease(connection, namespace).acquire(this_run())
        assert time.monotonic() - began < 2.5  # two seconds, and what a busy machine adds
        assert str(caught.value).endswith(", phase 'databases'")
        assert caught.value.remedy.endswith(f"--holder {holder}")


def test_a_killed_holders_lock_is_taken_over_with_a_note(
    connection: Connection, namespace: str, simulated_cluster: SandboxStatus
) -> None:
    """F22"""
    lines: list[str] = []
    with holding(simulated_cluster.kubeconfig, namespace) as (process, holder):
        process.kill()
        process.wait()
        assert (known := lease(connection, namespace).holder()) is not None
        assert known.id == holder
        began = time.monotonic()
        with lease(connection, namespace, lines).acquire(this_run()) as handle:
            assert time.monotonic() - began > 3
            assert handle.transitions == 1
    assert "taking over" in lines[-1]


def test_a_stopped_holder_that_wakes_after_a_takeover_writes_nothing(
    connection: Connection, namespace: str, simulated_cluster: SandboxStatus
) -> None:
    """F20"""
    with holding(simulated_cluster.kubeconfig, namespace) as (process, _):
        os.kill(process.pid, signal.SIGSTOP)
        with lease(connection, namespace).acquire(this_run()) as handle:
            os.kill(process.pid, signal.SIGCONT)
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write("\n")
            process.stdin.flush()
            assert f"was lost to {handle.holder}" in process.stdout.readline()
            assert handle.is_held


def test_of_many_runs_at_once_one_gets_the_lock(connection: Connection, namespace: str) -> None:
    """I8"""
    won, refused = [], []

    def run() -> None:
        try:
            won.append(lease(connection, namespace).acquire(this_run()))
        except Locked as error:
            refused.append(error)

    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert (len(won), len(refused)) == (1, 5)
    won[0].release()


def test_journal_and_inventory_survive_writers_at_the_same_time(connection: Connection, namespace: str) -> None:
    """F10"""
    journal = ApiJournal(connection.transport, connection.retrier, namespace)

    def record(number: int) -> None:
        journal.record({f"node-{number}": JournalEntry(f"h{number}", "u", "ready", 1.0)})

    threads = [threading.Thread(target=record, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert set(journal.read()) == {f"node-{number}" for number in range(4)}
    inventory = ApiInventory(connection.transport, connection.retrier, namespace)
    refs = (ObjectRef("", "Namespace", "", namespace), ObjectRef("apps", "Deployment", namespace, "web"))
    inventory.write(refs)
    assert inventory.read() == refs

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bakery_ops.errors import OperationFailed, PreflightRefused
from bakery_ops.sandbox import processes
from bakery_ops.sandbox.daemons import Daemons

FOREVER = [sys.executable, "-c", "import signal; signal.pause()"]


@pytest.fixture
def daemons(tmp_path: Path) -> Iterator[Daemons]:
    started = Daemons(tmp_path)
    yield started
    started.stop(grace=0)
    started.sweep()


def test_a_running_process_is_known_again_and_an_ended_one_is_not(daemons: Daemons) -> None:
    daemon = daemons.start("waits", FOREVER)
    assert processes.is_running(daemon.pid, daemon.identity)
    processes.end(daemon.pid, daemon.identity, grace=0)
    assert not processes.is_running(daemon.pid, daemon.identity)


def test_a_recycled_process_id_is_left_alone() -> None:
    """This very process stands for the stranger that got the id; it would not survive the test."""
    processes.end(os.getpid(), "another boot/12345", grace=0)
    processes.end_all([(os.getpid(), "another boot/12345")], grace=0)
    assert processes.identity(os.getpid())


def test_nothing_runs_under_an_unused_process_id() -> None:
    assert processes.identity(2**22 + 1) == ""
    assert not processes.is_running(2**22 + 1, "")


def test_another_command_finds_the_daemons_again(daemons: Daemons, tmp_path: Path) -> None:
    started = daemons.start("waits", FOREVER)
    assert list(Daemons(tmp_path)) == [started]


def test_a_lock_of_the_caller_is_not_kept(daemons: Daemons, tmp_path: Path) -> None:
    """`flock FILE invoke sandbox.start` lends its open file to everything it starts."""
    place = tmp_path / "lock"
    with place.open("w") as lent:
        fcntl.flock(lent, fcntl.LOCK_EX)
        os.set_inheritable(lent.fileno(), True)
        assert daemons.start("waits", FOREVER).is_running
    with place.open("w") as anew:
        fcntl.flock(anew, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_daemons_are_stopped_newest_first_and_forgotten(daemons: Daemons, tmp_path: Path) -> None:
    first, second = daemons.start("first", FOREVER), daemons.start("second", FOREVER)
    daemons.stop(lambda name: name == "second")
    assert (first.is_running, second.is_running) == (True, False)
    assert [daemon.name for daemon in Daemons(tmp_path)] == ["first"]


def test_a_process_that_was_never_recorded_is_found_by_its_mark(daemons: Daemons, tmp_path: Path) -> None:
    lost = daemons.start("lost", FOREVER)
    (tmp_path / "daemons.json").unlink()
    Daemons(tmp_path).sweep()
    assert not lost.is_running


def test_a_sweep_leaves_other_instances_alone(daemons: Daemons, tmp_path: Path) -> None:
    other = daemons.start("other", FOREVER)
    (tmp_path / "x").mkdir()
    Daemons(tmp_path / "x").sweep()
    assert other.is_running


def test_a_daemon_that_died_is_named_with_its_last_lines(daemons: Daemons) -> None:
    dies = daemons.start("dies", [sys.executable, "-c", "raise SystemExit('no port left')"])
    os.waitpid(dies.pid, 0)
    with pytest.raises(OperationFailed, match="the sandbox's dies ended unexpectedly") as failed:
        daemons.require_running()
    assert failed.value.details == ("no port left",)


def test_a_half_written_record_is_no_record(tmp_path: Path) -> None:
    (tmp_path / "daemons.json").write_text('[["etcd", 12')
    assert list(Daemons(tmp_path)) == []


@pytest.mark.parametrize(
    ("last_words", "sentence", "remedy"),
    [
        ("etcd: write wal: no space left on device", "the disk that holds the sandbox is full", "BAKERY_STATE_DIR"),
        ("listen tcp 127.0.0.1:1: bind: address already in use", "another program took a port", "start again"),
    ],
)
def test_a_cause_the_user_can_remove_is_named(daemons: Daemons, last_words: str, sentence: str, remedy: str) -> None:
    dies = daemons.start("dies", [sys.executable, "-c", f"raise SystemExit({last_words!r})"])
    os.waitpid(dies.pid, 0)
    with pytest.raises(PreflightRefused, match=sentence) as refused:
        daemons.require_running()
    assert remedy in refused.value.remedy
    assert refused.value.details == (last_words,)

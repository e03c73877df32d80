"""The real Colima command line, with a stub of Lima beneath it: its JSON, its exit codes and its silences are real."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from bakery_ops.errors import PreflightRefused, TargetRefused
from bakery_ops.tools import colima, process, programs
from bakery_ops.tools.host import GIB, Host
from bakery_ops.workflows import colima as workflow

pytestmark = pytest.mark.timeout(900)  # the first test builds colima

STUBS = Path(__file__).parent / "stub_lima"
HOST = Host("Linux", os.uname().machine, cpus=8, memory=32 * GIB, free_disk=500 * GIB, virtualization=True)


class Laptop:
    """A shell whose PATH holds the real colima and the stubs, with every file Colima writes below one directory."""

    def __init__(self, home: Path, colima_program: Path) -> None:
        self.home = home
        self.calls = home / "calls"
        self.machine = home / "lima" / "colima-k8s-local"
        tools = home / "bin"
        for directory in (tools, home / "colima", self.machine.parent):
            directory.mkdir(parents=True)
        (tools / "colima").symlink_to(colima_program)
        self.calls.touch()
        self._path = f"{tools}{os.pathsep}{STUBS}{os.pathsep}/usr/bin{os.pathsep}/bin"
        self.environment = {
            "HOME": str(home),
            "PATH": self._path,
            "LIMA_HOME": str(self.machine.parent),
            "COLIMA_HOME": str(home / "colima"),
            "XDG_CONFIG_HOME": str(home / "config"),
            "XDG_CACHE_HOME": str(home / "cache"),
            "STUB_LIMA_CALLS": str(self.calls),
        }

    def has_machine(self, status: str, size: colima.Size) -> None:
        self.machine.mkdir(exist_ok=True)
        fields = {"status": status, "arch": "x86_64", "cpus": size.cpus, "memory": size.memory * GIB}
        (self.machine / "stub.json").write_text(json.dumps({**fields, "disk": size.disk * GIB}))
        (self.machine / "lima.yaml").touch()  # by this file Colima knows that the machine exists

    def find(self, program: str) -> Path:
        return programs.find(program, path=self._path)

    def run(
        self,
        argv: Sequence[str | Path],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        stdin: bytes | None = None,
        timeout: float | None = None,
        check: bool = True,
        on_line: Callable[[str], None] | None = None,
    ) -> process.Result:
        whole = {**self.environment, **(env or {})}
        return process.run(
            argv, cwd=cwd or self.home, env=whole, stdin=stdin, timeout=timeout, check=check, on_line=on_line
        )

    def lima_calls(self) -> list[str]:
        return [line for line in self.calls.read_text().splitlines() if line.startswith("limactl")]


@pytest.fixture
def laptop(tmp_path: Path, colima_program: Path) -> Laptop:
    return Laptop(tmp_path, colima_program)


def nothing(_line: str) -> None:
    """For what a test does not look at."""


def test_our_flags_are_colimas(laptop: Laptop) -> None:
    text = laptop.run(["colima", "start", "--help"]).stdout
    argv = colima.start_argv(Path("colima"), colima.SIZES["standard"])
    flags = [word for word in argv if word.startswith("--")]
    assert {"--cpus", "--memory", "--disk", "--runtime", "--kubernetes", "--profile"} == set(flags)
    assert all(f"{flag} " in text for flag in flags)


def test_no_machine_is_an_empty_list_and_a_status_that_says_so(laptop: Laptop) -> None:
    report = workflow.status(laptop)
    assert report.instance is None
    assert "colima.start" in report.notes[0]


def test_a_running_machine_is_described(laptop: Laptop) -> None:
    laptop.has_machine("Running", colima.SIZES["standard"])
    report = workflow.status(laptop)
    assert report.instance is not None
    assert (report.instance.cpus, report.instance.memory, report.instance.disk) == (6, 12 * GIB, 120 * GIB)
    assert (report.kubernetes, report.context) == (True, "colima-k8s-local")
    assert report.docker_socket.startswith("unix://")


def test_a_stopped_machine_is_exit_one_and_explained_on_stderr(laptop: Laptop) -> None:
    laptop.has_machine("Stopped", colima.SIZES["standard"])
    result = laptop.run(colima.status_argv(laptop.find("colima")), check=False)
    assert (result.status, result.stdout) == (1, "")
    assert colima.message_of(result.stderr) == "colima [profile=k8s-local] is not running"
    assert workflow.status(laptop).notes == ("the machine is Stopped; `invoke colima.start` starts it",)


def test_colima_itself_ignores_new_flags_of_a_running_machine_and_says_all_is_well(laptop: Laptop) -> None:
    """The reason why we compare before starting."""
    laptop.has_machine("Running", colima.SIZES["minimal"])
    result = laptop.run(colima.start_argv(laptop.find("colima"), colima.SIZES["rich"]))
    assert result.status == 0
    assert "already running, ignoring" in result.stderr
    assert "limactl start colima-k8s-local" not in laptop.lima_calls()


def test_a_running_machine_that_is_too_small_is_refused_with_what_would_change_it(laptop: Laptop) -> None:
    laptop.has_machine("Running", colima.SIZES["minimal"])
    with pytest.raises(PreflightRefused) as caught:
        workflow.start(laptop, HOST, "standard", nothing)
    assert len(caught.value.details) == 3
    assert caught.value.remedy == "invoke colima.stop, then invoke colima.start --size standard"


def test_starting_twice_starts_once(laptop: Laptop) -> None:
    laptop.has_machine("Stopped", colima.SIZES["standard"])
    said: list[str] = []
    first = workflow.start(laptop, HOST, "standard", said.append)
    second = workflow.start(laptop, HOST, "standard", nothing)
    assert (first.action, second.action) == ("started", "already running")
    assert laptop.lima_calls().count("limactl start colima-k8s-local") == 1
    assert any("--kubernetes" in line for line in said)
    assert any("runtime: docker+k3s" in line for line in said)
    assert (second.instance.runtime, second.instance.kubernetes) == ("docker", True)


def test_a_stopped_machine_takes_more_cpus_memory_and_disk(laptop: Laptop) -> None:
    laptop.has_machine("Stopped", colima.SIZES["minimal"])
    report = workflow.start(laptop, HOST, "rich", nothing)
    assert (report.instance.cpus, report.instance.memory, report.instance.disk) == (8, 16 * GIB, 200 * GIB)


def test_a_disk_never_shrinks(laptop: Laptop) -> None:
    laptop.has_machine("Stopped", colima.SIZES["rich"])
    report = workflow.start(laptop, HOST, "minimal", nothing)
    assert (report.instance.cpus, report.instance.disk) == (4, 200 * GIB)
    assert "200 GiB disk; minimal asks for 4, 8 GiB, 60 GiB" in " ".join(report.notes)


def test_stopping_is_done_once_and_keeps_the_machine(laptop: Laptop) -> None:
    laptop.has_machine("Running", colima.SIZES["standard"])
    assert [workflow.stop(laptop, nothing).changed for _ in "ab"] == [True, False]
    assert laptop.lima_calls().count("limactl stop colima-k8s-local") == 1
    assert workflow.status(laptop).instance is not None


def test_deleting_asks_first_and_then_leaves_nothing(laptop: Laptop) -> None:
    laptop.has_machine("Running", colima.SIZES["standard"])
    questions: list[str] = []
    with pytest.raises(TargetRefused):
        workflow.delete(laptop, lambda question: bool(questions.append(question)), nothing)
    assert workflow.status(laptop).instance is not None
    assert "are lost" in questions[0]
    assert workflow.delete(laptop, lambda _question: True, nothing).changed
    assert workflow.status(laptop).instance is None
    assert not workflow.delete(laptop, lambda _question: False, nothing).changed


def test_nothing_is_written_outside_the_directories_of_this_test(laptop: Laptop) -> None:
    """Colima writes into the home directory, an SSH configuration for one: it must not be the user's."""
    laptop.has_machine("Stopped", colima.SIZES["standard"])
    workflow.start(laptop, HOST, "standard", nothing)
    assert (laptop.home / "colima" / "k8s-local" / "colima.yaml").exists()
    assert "colima" in (laptop.home / ".ssh" / "config").read_text()
    assert not (Path.home() / ".colima" / "k8s-local").exists()

"""What `invoke colima.*` decides, with a shell of canned answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from bakery_ops.errors import ExitCode, OperationFailed, PreflightRefused, TargetRefused, UsageError
from bakery_ops.tools.colima import SIZES
from bakery_ops.tools.host import GIB, Host
from bakery_ops.workflows.colima import delete, start, status, stop

HOST = Host("Darwin", "arm64", cpus=10, memory=32 * GIB, free_disk=400 * GIB, virtualization=True)
ALL_PROGRAMS = ("colima", "limactl", "lima", "docker", "kubectl")


class Answer(NamedTuple):
    status: int = 0
    stdout: str = ""
    stderr: str = ""


def machine(size: str = "standard", **changes: Any) -> dict[str, Any]:
    """A running machine as Colima lists it."""
    cpus, memory, disk = SIZES[size][1:]
    described = {"name": "k8s-local", "status": "Running", "arch": "arm64", "runtime": "docker+k3s"}
    return {**described, "cpus": cpus, "memory": memory * GIB, "disk": disk * GIB, **changes}


class CannedShell:
    """Answers `colima list` with the given machines, one list after the other, and each other verb once.

    A verb nobody announced fails the test.
    """

    def __init__(
        self,
        *machines: dict[str, Any] | None,
        programs: Sequence[str] = ALL_PROGRAMS,
        **verbs: Answer,
    ) -> None:
        self._machines = list(machines)
        self._programs = programs
        self._verbs = verbs
        self.ran: list[tuple[str, ...]] = []

    def find(self, program: str) -> Path:
        if program not in self._programs:
            raise UsageError(f"{program} was not found on PATH", remedy=f"install {program}", details=["passed over"])
        return Path("/bin") / program

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
    ) -> Answer:
        assert timeout is not None, "a program without a deadline can hang forever"
        words = tuple(str(word) for word in argv)
        if words[1] == "list":
            assert self._machines, f"one list too many: {words}"
            found = self._machines.pop(0)
            return Answer(stdout="" if found is None else json.dumps(found) + "\n")
        self.ran.append(words[1:])
        if on_line is not None:
            on_line(f"{words[1]}ing")
        return self._verbs.pop(words[1])


def unheard(_line: str) -> None:
    """For what a test does not look at."""


def refused(shell: CannedShell, host: Host = HOST, size: str = "standard") -> PreflightRefused:
    with pytest.raises(PreflightRefused) as caught:
        start(shell, host, size, unheard)
    assert caught.value.exit_code is ExitCode.PREFLIGHT
    assert not shell.ran
    return caught.value


def test_a_first_start_makes_the_machine_and_says_that_kubernetes_is_added() -> None:
    said: list[str] = []
    report = start(CannedShell(None, machine(), start=Answer()), HOST, "standard", said.append)
    assert (report.action, report.context, report.notes) == ("created", "colima-k8s-local", ())
    assert said == ["Colima starts no Kubernetes unless told to: adding --kubernetes", "starting"]


@pytest.mark.parametrize(("size", "cpus"), [("minimal", "4"), ("standard", "6"), ("rich", "8")])
def test_the_size_decides_the_flags(size: str, cpus: str) -> None:
    shell = CannedShell(None, machine(size), start=Answer())
    start(shell, HOST, size, unheard)
    assert shell.ran[0][shell.ran[0].index("--cpus") + 1] == cpus
    assert "--kubernetes" in shell.ran[0]


def test_an_unknown_size_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="no size 'huge'"):
        start(CannedShell(), HOST, "huge", unheard)


def test_every_problem_of_the_host_is_told_at_once() -> None:
    poor = Host("Linux", "x86_64", cpus=2, memory=4 * GIB, free_disk=5 * GIB, virtualization=False)
    error = refused(CannedShell(programs=()), poor)
    text = "\n".join(error.details)
    for word in (*ALL_PROGRAMS, "qemu-system-x86_64", "qemu-img", "/dev/kvm", "6 CPUs", "12 GiB memory", "free disk"):
        assert word in text
    assert "install colima" in text
    assert "passed over" in text


def test_a_host_that_carries_a_smaller_machine_is_told_which() -> None:
    error = refused(CannedShell(None), HOST._replace(cpus=8, memory=15 * GIB), "rich")
    assert error.remedy.endswith("with --size standard, which fits here")
    assert "--size" not in refused(CannedShell(None), HOST._replace(memory=4 * GIB)).remedy


def test_the_host_keeps_memory_for_itself() -> None:
    assert "memory" in refused(CannedShell(None), HOST._replace(memory=13 * GIB)).details[0]
    assert start(CannedShell(None, machine(), start=Answer()), HOST._replace(memory=14 * GIB), "standard", unheard)


def test_another_operating_system_is_one_sentence() -> None:
    error = refused(CannedShell(None), HOST._replace(system="Windows", cpus=1))
    assert error.details == ("Colima runs on macOS and Linux, and this is Windows; use WSL 2 or a remote cluster",)


def test_a_full_disk_matters_only_to_a_machine_that_has_none_yet() -> None:
    full = HOST._replace(free_disk=GIB)
    assert "free disk" in refused(CannedShell(None), full).details[0]
    shell = CannedShell(machine(status="Stopped"), machine(), start=Answer())
    assert start(shell, full, "standard", unheard).action == "started"


def test_a_running_machine_of_the_size_is_left_alone_whatever_the_host_looks_like() -> None:
    shell = CannedShell(machine())
    report = start(shell, HOST._replace(memory=GIB, virtualization=False), "standard", unheard)
    assert (report.action, shell.ran) == ("already running", [])


def test_a_running_machine_larger_than_asked_is_good_enough_and_said() -> None:
    report = start(CannedShell(machine("rich")), HOST, "standard", unheard)
    assert report.action == "already running"
    assert "8 CPUs, 16 GiB, 200 GiB disk; standard asks for 6, 12 GiB, 120 GiB" in report.notes[0]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"cpus": 4}, "4 CPUs, not 6"),
        ({"memory": 8 * GIB}, "8 GiB memory, not 12 GiB"),
        ({"disk": 60 * GIB}, "60 GiB, not 120 GiB"),
        ({"runtime": "docker"}, "without Kubernetes"),
    ],
)
def test_what_a_running_machine_lacks_needs_a_stop_first(changes: dict[str, Any], said: str) -> None:
    error = refused(CannedShell(machine(**changes)))
    assert said in error.details[0]
    assert "running machine ignores" in error.details[0]
    assert error.remedy == "invoke colima.stop, then invoke colima.start --size standard"


@pytest.mark.parametrize("state", ["Running", "Stopped"])
def test_another_runtime_needs_a_new_machine_and_the_loss_is_said(state: str) -> None:
    error = refused(CannedShell(machine(runtime="containerd+k3s", status=state, cpus=4)))
    assert "its runtime is containerd, not docker" in error.details[0]
    assert error.remedy.startswith("invoke colima.delete (its data is lost)")


def test_a_broken_machine_is_not_started() -> None:
    assert "it is Broken" in refused(CannedShell(machine(status="Broken"))).details[0]


def test_a_machine_whose_configuration_is_unknown_is_not_accused() -> None:
    """Colima leaves the runtime out of its list where it finds no configuration file."""
    report = start(CannedShell(machine(runtime="")), HOST, "standard", unheard)
    assert report.action == "already running"
    assert "colima.status" in report.notes[0]


def test_a_stopped_machine_takes_the_new_size_and_keeps_its_larger_disk() -> None:
    shell = CannedShell(machine("rich", status="Stopped"), machine("minimal", disk=200 * GIB), start=Answer())
    start(shell, HOST, "minimal", unheard)
    assert shell.ran[0][-6:] == ("--cpus", "4", "--memory", "8", "--disk", "200")


def test_a_disk_larger_than_the_hosts_free_space_is_said() -> None:
    report = start(CannedShell(None, machine(), start=Answer()), HOST._replace(free_disk=50 * GIB), "standard", unheard)
    assert report.notes == ("its disk grows up to 120 GiB as it fills; the host has 50 GiB free",)


@pytest.mark.parametrize(("after", "state"), [(None, "does not exist"), (machine(status="Stopped"), "is Stopped")])
def test_a_start_that_exits_zero_without_a_running_machine_is_a_failure(
    after: dict[str, Any] | None, state: str
) -> None:
    with pytest.raises(OperationFailed, match=state):
        start(CannedShell(None, after, start=Answer()), HOST, "standard", unheard)


def test_the_status_of_a_running_machine_says_whether_kubernetes_runs_in_it() -> None:
    answer = Answer(stdout='{"kubernetes":true,"docker_socket":"unix:///s"}')
    report = status(CannedShell(machine(), status=answer))
    assert (report.kubernetes, report.docker_socket, report.notes) == (True, "unix:///s", ())
    off = status(CannedShell(machine(), status=Answer(stdout="{}")))
    assert not off.kubernetes
    assert "colima.stop" in off.notes[0]


def test_a_machine_that_stops_while_asked_is_described_by_colimas_own_words() -> None:
    report = status(CannedShell(machine(), status=Answer(1, stderr='level=fatal msg="it is not running"')))
    assert report.notes == ("it is not running",)
    assert status(CannedShell(machine(), status=Answer(2))).notes == ("colima status ended with 2",)


def test_the_status_of_no_machine_or_a_stopped_one_is_a_report_not_an_error() -> None:
    assert status(CannedShell(None)).instance is None
    assert "Stopped" in status(CannedShell(machine(status="Stopped"))).notes[0]


def test_other_peoples_machines_are_not_ours() -> None:
    assert status(CannedShell(machine(name="default"))).instance is None


def test_without_colima_the_other_verbs_say_how_to_get_it() -> None:
    with pytest.raises(UsageError) as caught:
        status(CannedShell(programs=()))
    assert caught.value.remedy == "install colima"


def test_stopping_what_does_not_run_changes_nothing() -> None:
    assert not stop(CannedShell(None), unheard).changed
    assert "nothing to stop" in stop(CannedShell(machine(status="Stopped")), unheard).sentence
    assert stop(CannedShell(machine(), stop=Answer()), unheard).changed


def test_deleting_needs_a_yes_to_a_question_that_names_the_loss() -> None:
    shell = CannedShell(machine())
    with pytest.raises(TargetRefused) as caught:
        delete(shell, lambda question: "databases" not in question, unheard)
    assert "--yes" in caught.value.remedy
    assert not shell.ran
    assert delete(CannedShell(machine(), delete=Answer()), lambda _question: True, unheard).changed


def test_deleting_nothing_asks_nothing() -> None:
    def ask(_question: str) -> bool:
        raise AssertionError("asked for nothing")

    assert not delete(CannedShell(None), ask, unheard).changed

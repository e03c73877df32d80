"""Colima's commands and answers as values. The samples are what v0.10.3 printed."""

from __future__ import annotations

from pathlib import Path

import pytest

from bakery_ops.errors import OperationFailed
from bakery_ops.tools import colima
from bakery_ops.tools.colima import SIZES
from bakery_ops.tools.host import GIB, read_host

PROGRAM = Path("/opt/colima")

LIST = (
    '{"name":"default","status":"Stopped","arch":"aarch64","cpus":2,"memory":2147483648,"disk":107374182400}\n'
    '{"name":"k8s-local","status":"Running","arch":"x86_64","cpus":6,"memory":12884901888,"disk":128849018880,'
    '"address":"192.168.106.2","runtime":"docker+k3s"}\n'
)


def test_the_standard_size_is_the_briefs() -> None:
    assert SIZES["standard"] == colima.Size("standard", cpus=6, memory=12, disk=120)
    assert list(SIZES) == ["minimal", "standard", "rich"]


def test_sizes_grow_in_every_direction() -> None:
    small, standard, rich = SIZES.values()
    assert all(a < b < c for a, b, c in zip(small[1:], standard[1:], rich[1:], strict=True))


def test_starting_always_asks_for_kubernetes_and_docker() -> None:
    assert colima.start_argv(PROGRAM, SIZES["minimal"]) == (
        *("/opt/colima", "start", "--profile", "k8s-local", "--runtime", "docker", "--kubernetes"),
        *("--cpus", "4", "--memory", "8", "--disk", "60"),
    )


def test_deleting_takes_the_data_along_and_asks_nothing() -> None:
    assert colima.delete_argv(PROGRAM)[-2:] == ("--force", "--data")


def test_listing_asks_for_all_because_asking_for_one_fails_when_it_is_not_there() -> None:
    assert "--profile" not in colima.list_argv(PROGRAM)


def test_machines_are_read_line_by_line() -> None:
    default, ours = colima.parse_list(LIST)
    assert (default.name, default.is_running, default.runtime, default.kubernetes) == ("default", False, "", False)
    assert ours == colima.Instance(
        *("k8s-local", "Running", "x86_64", 6, 12 * GIB, 120 * GIB, "docker", True, "192.168.106.2")
    )


def test_no_machines_are_no_lines() -> None:
    assert colima.parse_list("") == ()


@pytest.mark.parametrize(
    "text", ["PROFILE  STATUS", "[]", "null", '{"status":"Running"}', '{"name":"x","cpus":"many"}', '{"name":"x"']
)
def test_a_list_in_unknown_words_is_an_error(text: str) -> None:
    with pytest.raises(OperationFailed):
        colima.parse_list(text)


def test_the_status_of_a_running_machine_is_one_object() -> None:
    text = (
        '{"driver":"macOS Virtualization.Framework","runtime":"docker","docker_socket":"unix:///s","kubernetes":true}'
    )
    assert colima.parse_status(text) == colima.Status("macOS Virtualization.Framework", "docker", True, "unix:///s")
    assert not colima.parse_status("{}").kubernetes


@pytest.mark.parametrize("text", ["", "[]", "running"])
def test_a_status_that_is_no_object_is_an_error(text: str) -> None:
    with pytest.raises(OperationFailed):
        colima.parse_status(text)


@pytest.mark.parametrize(
    ("stderr", "message"),
    [
        ('time="…" level=info msg="first"\ntime="…" level=fatal msg="it said \\"no\\""\n', 'it said "no"'),
        ("time=x level=info msg=done", "time=x level=info msg=done"),
        ("\n \n", ""),
    ],
)
def test_the_last_message_is_taken_out_of_the_log(stderr: str, message: str) -> None:
    assert colima.message_of(stderr) == message


@pytest.mark.parametrize(("count", "text"), [(12 * GIB, "12 GiB"), (int(11.5 * GIB), "11.5 GiB"), (0, "0 GiB")])
def test_sizes_are_said_as_people_say_them(count: int, text: str) -> None:
    assert colima.in_gib(count) == text


def test_the_host_is_read_even_when_the_directory_is_not_there_yet(tmp_path: Path) -> None:
    host = read_host(tmp_path / "not" / "yet")
    assert host.cpus >= 1
    assert host.memory > GIB // 4
    assert host.free_disk > 0
    assert host.system
    assert read_host().machine == host.machine

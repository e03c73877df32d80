from __future__ import annotations

from pathlib import Path

import pytest

from bakery_ops.errors import PreflightRefused, UsageError
from bakery_ops.sandbox import network, traces
from bakery_ops.sandbox.instance import cache_directory, instance, state_directory

MOUNTINFO = """\
21 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 21 0:26 / /sys/fs/cgroup/cpu rw,relatime shared:9 - cgroup cgroup rw,cpu
31 21 0:27 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
40 21 0:40 / /state/with\\040space/pod/tmp rw - tmpfs tmpfs rw,size=1k
"""


def test_mounts_are_read_with_and_without_optional_fields() -> None:
    assert [(mount.point, mount.filesystem) for mount in traces.parse_mounts(MOUNTINFO)] == [
        ("/", "ext4"),
        ("/sys/fs/cgroup/cpu", "cgroup"),
        ("/sys/fs/cgroup/unified", "cgroup2"),
        ("/state/with space/pod/tmp", "tmpfs"),
    ]


def test_only_log_links_into_the_instance_are_removed(tmp_path: Path) -> None:
    logs = tmp_path / "containers"
    logs.mkdir()
    (logs / "ours.log").symlink_to("/state/ours/pod.log")
    (logs / "theirs.log").symlink_to("/var/log/pods/theirs.log")
    traces.remove_links_into(Path("/state/ours"), place=logs)
    assert [path.name for path in logs.iterdir()] == ["theirs.log"]


def test_network_results_of_other_instances_stay(tmp_path: Path) -> None:
    for name in ("bakery-a-0f-eth0", "cni-loopback-0f-lo", "bakery-b-1e-eth0", "cni-loopback-1e-lo"):
        (tmp_path / name).touch()
    traces.remove_network_results("bakery-a", place=tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bakery-b-1e-eth0", "cni-loopback-1e-lo"]


def test_directories_that_hold_something_else_stay(tmp_path: Path) -> None:
    kept, made = tmp_path / "kept", tmp_path / "made"
    kept.mkdir()
    (kept / "someone's").touch()
    made.mkdir()
    (made / "kubelet_internal_checkpoint").touch()
    traces.remove_made([str(kept), str(made)])
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_a_network_number_in_use_is_passed_over() -> None:
    assert network.choose_number([], []) == 0
    assert network.choose_number([0, 2], ["10.231.1.1", "192.0.2.7"]) == 3


def test_running_out_of_networks_is_said() -> None:
    with pytest.raises(PreflightRefused, match="all private networks"):
        network.choose_number(range(64), [])


def test_an_interface_name_fits_the_kernels_fifteen_characters() -> None:
    assert len(network.Link(63).outside) <= 15


@pytest.mark.parametrize("name", ["", "Upper", "-a", "a-", "a" * 21, "a/b", "..", "a b"])
def test_an_instance_name_that_could_leave_its_directory_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="cannot name a sandbox"):
        instance(name, environment={})


def test_directories_follow_the_environment() -> None:
    assert state_directory({"BAKERY_STATE_DIR": "/s"}) == Path("/s")
    assert state_directory({"XDG_STATE_HOME": "/x"}) == Path("/x/bakery-ops")
    assert cache_directory({"BAKERY_CACHE_DIR": "", "XDG_CACHE_HOME": ""}) == Path.home() / ".cache" / "bakery-ops"


def test_only_the_default_instance_has_the_plain_context_name() -> None:
    environment = {"BAKERY_STATE_DIR": "/s"}
    assert instance(environment=environment).context == "bakery-sandbox"
    assert instance("trial", environment=environment).context == "bakery-sandbox-trial"
    assert instance("trial", environment=environment).directory == Path("/s/sandbox/trial")

"""`invoke destroy` on a real API server: garbage collection, finalizers and namespaces as they really are."""

from __future__ import annotations

import json
import re
import signal
import subprocess

from tests.commands import ARGV, ROOT, interrupted, invoke
from tests.simulated.small_site import Site

OURS = {
    "PersistentVolumeClaim/data-auth-db-0",
    "Secret/auth-db-credentials",
}


def test_data_stays_and_a_later_deploy_finds_it_again(site: Site) -> None:
    password = site.password()
    shown = invoke("destroy", *site.where, "--dry-run")
    assert (shown.returncode, "to remove" in shown.stdout) == (0, True), shown.stderr
    assert "Deployment/web" in site.left()

    ended = invoke("destroy", *site.where)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert site.left() == OURS
    assert site.inventory() == {*OURS, f"Namespace/{site.namespace}"}
    assert len(ended.stdout.splitlines()) < 10, ended.stdout
    named = re.search(r"invoke report (\S+)", ended.stdout)
    assert named is not None, ended.stdout
    again = invoke("report", named[1])
    assert f"removed          deployment/web in {site.namespace}" in again.stdout

    site.deploy()
    assert site.password() == password
    assert "Job/migrate" in site.left()


def test_volumes_need_the_namespaces_name_and_then_everything_goes(site: Site) -> None:
    for words in ((), ("--yes", "something-else")):
        refused = invoke("destroy", *site.where, "--volumes", *words)
        assert (refused.returncode, f"--yes {site.namespace}" in refused.stderr) == (5, True), refused.stderr
    assert "Deployment/web" in site.left()

    ended = invoke("destroy", *site.where, "--volumes", "--yes", site.namespace, "--output", "json")
    report = json.loads(ended.stdout)
    assert (ended.returncode, report["outcome"]) == (0, "succeeded"), ended.stderr
    assert not site.exists()
    again = invoke("destroy", *site.where, "--volumes", "--yes", site.namespace)
    assert (again.returncode, "0 to remove" in again.stdout) == (0, True), again.stderr


def test_a_strangers_object_keeps_the_namespace(site: Site) -> None:
    site.kubectl("create", "configmap", "theirs", "--from-literal=a=b")
    site.kubectl("create", "role", "theirs", "--verb=get", "--resource=pods")
    ended = invoke("destroy", *site.where, "--volumes", "--yes", site.namespace)
    assert ended.returncode == 0, ended.stderr
    assert "not ours: configmap/theirs, role/theirs" in ended.stdout
    assert site.left() == {"ConfigMap/theirs"}
    assert site.inventory() == {f"Namespace/{site.namespace}"}


def test_killed_in_the_middle_the_same_command_completes(site: Site) -> None:
    with subprocess.Popen(
        [*ARGV, "destroy", *site.where], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "job/migrate" in line:
                process.kill()
                break
    assert process.returncode == -signal.SIGKILL
    assert site.inventory() > OURS
    ended = invoke("destroy", *site.where)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert site.left() == OURS
    assert site.inventory() == {*OURS, f"Namespace/{site.namespace}"}


def test_what_hangs_is_named_ctrl_c_ends_in_130_and_a_rerun_completes(site: Site) -> None:
    finalizer = '{"metadata":{"finalizers":["example.com/never"]}}'
    site.kubectl("patch", "configmap", "settings", "--patch", finalizer, "--type=merge")
    code, stderr = interrupted("destroy", *site.where, after="configmap/settings")
    assert (code, "Traceback" in stderr) == (130, False), stderr
    late = invoke("destroy", *site.where, env={"BAKERY_DEADLINE": "2s"})
    assert (late.returncode, "example.com/never" in late.stdout) == (70, True), late.stdout + late.stderr
    assert "ConfigMap/settings" in site.inventory()
    site.kubectl("patch", "configmap", "settings", "--patch", '{"metadata":{"finalizers":null}}', "--type=merge")
    ended = invoke("destroy", *site.where)
    assert ended.returncode == 0, ended.stderr
    assert site.left() == OURS


def test_a_protected_profile_needs_its_context() -> None:
    refused = invoke("destroy", "--profile", "prod")
    assert (refused.returncode, "never uses the current context" in refused.stderr) == (5, True), refused.stderr

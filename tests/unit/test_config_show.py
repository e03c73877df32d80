"""`config.show`: what is in force, and who said so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def told(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "bakery_ops.commandline", "config.show", *words]
    known = {name: value for name, value in os.environ.items() if not name.startswith(("BAKERY_", "KUBECONFIG"))}
    return subprocess.run(
        argv, cwd=ROOT, capture_output=True, text=True, env={**known, **environment}, check=False, timeout=60
    )


def origins(*words: str, **environment: str) -> dict[str, tuple[str, str]]:
    ended = told(*words, "--output", "json", **environment)
    assert ended.returncode == 0, ended.stderr
    return {row["key"]: (row["value"], row["from"]) for row in json.loads(ended.stdout)["settings"]}


def test_each_value_says_which_flag_variable_line_or_default_it_is() -> None:
    found = origins("--profile", "prod", "--namespace", "shop", BAKERY_DEADLINE="20m", BAKERY_LOCK_SECONDS="30")
    assert found["profile"] == ("prod", "--profile")
    assert found["namespace"] == ("shop", "--namespace")
    assert found["deadline"] == ("20m", "environment BAKERY_DEADLINE")
    assert found["lock-seconds"] == ("30", "environment BAKERY_LOCK_SECONDS")
    assert found["engine"] == ("staged", "default")
    assert found["context"] == ("", "must be given: the profile is protected")
    line = int(found["overlay"][1].removeprefix("bakery.toml:"))
    text = (ROOT / "bakery.toml").read_text().splitlines()
    assert text[line - 1] == 'overlay = "k8s/overlays/prod"'


def test_another_overlay_also_says_what_it_changes_besides(tmp_path: Path) -> None:
    found = origins("--profile", "prod", "--overlay", str(tmp_path))
    assert found["overlay"] == (str(tmp_path), "--overlay")
    assert (found["images"], found["nodes"]) == (("present", "--overlay"), ("", "--overlay"))


def test_the_profile_may_come_from_the_environment_and_the_context_from_a_kubeconfig(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text(
        "{clusters: [{name: c, cluster: {server: https://x}}], users: [{name: u, user: {}}], current-context: kind-a,"
        " contexts: [{name: kind-a, context: {cluster: c, user: u}}]}"
    )
    found = origins(BAKERY_PROFILE="dev", KUBECONFIG=str(file))
    assert found["profile"] == ("dev", "environment BAKERY_PROFILE")
    assert found["context"] == ("kind-a", "the kubeconfig's current-context")
    assert found["kubeconfig"] == (str(file), "environment KUBECONFIG")


def test_the_plain_table_has_values_and_the_other_profiles() -> None:
    plain, with_origin = told("--profile", "dev").stdout, told("--profile", "dev", "--origin").stdout
    assert "other profiles: prod, sandbox" in plain
    assert ("default" in plain, "default" in with_origin) == (False, True)


def test_a_machine_without_a_kubeconfig_is_no_error(tmp_path: Path) -> None:
    found = origins("--profile", "dev", HOME=str(tmp_path))
    assert (found["context"][0], found["kubeconfig"][0]) == ("", "")


def test_a_sandbox_brings_its_own_kubeconfig(tmp_path: Path) -> None:
    found = origins(BAKERY_STATE_DIR=str(tmp_path))
    assert found["kubeconfig"] == (str(tmp_path / "sandbox" / "default" / "kubeconfig"), "the sandbox's own")

"""`invoke dev`: what the cluster has before the program begins, and what that is given. The programs are stubs."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from bakery_ops.sandbox.lifecycle import SandboxStatus
from tests.commands import invoke, kubectl

STUB = """#!{python}
import json, os, subprocess, sys
found = subprocess.run([{kubectl!r}, "-n", "bakery-ia", "get", "secrets", "-o", "name"], capture_output=True, text=True)
names = ("BAKERY_DEPLOY", "KUBECONFIG", "SKAFFOLD_UPDATE_CHECK", "TILT_DISABLE_ANALYTICS")
seen = {{"argv": sys.argv[1:], "secrets": found.stdout.split(), "cwd": os.getcwd()}}
print("STUB " + json.dumps(seen | {{name: os.environ.get(name) for name in names}}))
sys.exit(7)
"""


@pytest.mark.parametrize(
    ("command", "program", "argv", "variable"),
    [
        ("dev", "skaffold", ["dev", "--profile", "sandbox"], "SKAFFOLD_UPDATE_CHECK"),
        ("dev.tilt", "tilt", ["up"], "TILT_DISABLE_ANALYTICS"),
    ],
)
def test_secrets_are_there_before_the_program_begins_and_its_exit_code_is_ours(
    simulated_cluster: SandboxStatus, tmp_path: Path, command: str, program: str, argv: list[str], variable: str
) -> None:
    stub = tmp_path / program
    stub.write_text(STUB.format(python=sys.executable, kubectl=str(Path(sys.executable).with_name("kubectl"))))
    stub.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    context = simulated_cluster.context
    ended = invoke(command, "--profile", "sandbox", "--context", context, env={"PATH": path})
    assert ended.returncode == 7, ended.stdout + ended.stderr
    (line,) = [line for line in ended.stdout.splitlines() if line.startswith("STUB ")]
    seen = json.loads(line.removeprefix("STUB "))
    assert seen["argv"][: len(argv)] == argv
    assert [word for word in seen["argv"] if context in word], seen["argv"]
    assert {"secret/bakery-ca", "secret/auth-db-credentials", "secret/auth-db-tls"} <= set(seen["secrets"])
    assert seen["KUBECONFIG"] == str(simulated_cluster.kubeconfig)
    assert seen[variable]
    assert seen["BAKERY_DEPLOY"] == ("1" if program == "skaffold" else None)
    kubectl(simulated_cluster.kubeconfig, "get", "namespace", "bakery-ia")

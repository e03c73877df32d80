"""tasks.py stays what it is: words in, one call, an exit code out. Every command has help; every flag of it too."""

import ast
import inspect
import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import tasks

ROOT = Path(__file__).resolve().parents[2]
TREE = ast.parse((ROOT / "tasks.py").read_text())
FUNCTIONS = [node for node in TREE.body if isinstance(node, ast.FunctionDef)]


def invoke(*words: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "bakery_ops.commandline", *words]
    return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)


def test_tasks_import_only_invoke_bootstrap_and_the_command_line():
    modules = {node.module for node in TREE.body if isinstance(node, ast.ImportFrom)}
    modules |= {alias.name for node in TREE.body if isinstance(node, ast.Import) for alias in node.names}
    allowed = {
        "sys",
        "typing",
        "invoke.collection",
        "bakery_ops",
        "bakery_ops.errors",
        "bakery_ops.options",
        "bakery_ops.parameters",
    }
    assert modules <= allowed


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.name)
def test_a_task_is_a_docstring_and_one_call(function):
    assert ast.get_docstring(function)
    statements = function.body[1:]
    assert len(statements) == 1
    assert isinstance(statements[0], ast.Return)
    assert isinstance(statements[0].value, ast.Call)


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.name)
def test_a_task_calls_something_that_bootstrap_has(function):
    from bakery_ops import bootstrap

    call = function.body[-1].value
    assert callable(getattr(bootstrap, call.func.attr))


def test_a_command_that_may_meet_a_protected_profile_takes_the_confirmation_that_its_refusal_names():
    commands = tasks.namespace
    flags = {name: set(inspect.signature(commands[name].body).parameters) for name in commands.task_names}
    without = {name for name, known in flags.items() if "context" in known and "yes_context" not in known}
    # dev refuses such a profile altogether, doctor only looks, and config.show contacts nothing
    assert without == {"dev.skaffold", "dev.tilt", "doctor", "config.show"}


def test_the_list_names_every_command_the_users_type():
    listed = invoke("--list")
    assert listed.returncode == 0
    for command in (
        "deploy",
        "verify",
        "check",
        "capacity",
        "doctor",
        "colima.start",
        "sandbox.start",
        "platform.show",
    ):
        assert command in listed.stdout


def test_invoke_alone_says_where_to_begin_with_commands_that_exist():
    alone, listed = invoke(), invoke("--list")
    named = {line.split()[1] for line in alone.stdout.splitlines() if line.startswith("  invoke ")}
    commands = named - {"--list", "--help", "NAME"}
    assert alone.returncode == 0
    assert len(commands) > 3
    assert all(f" {command}" in listed.stdout or f"({command})" in listed.stdout for command in commands)


def test_help_of_a_command_names_the_words_a_flag_takes_and_its_default():
    shown = " ".join(invoke("deploy", "--help").stdout.split())
    assert "when to end after a failure (fast|settle|never; default settle)" in shown


def test_an_unknown_name_to_deploy_is_refused_before_a_cluster_is_started(tmp_path):
    ended = subprocess.run(
        [sys.executable, "-m", "bakery_ops.commandline", "deploy", "--only", "redsi"],
        cwd=ROOT,
        env={**os.environ, "BAKERY_STATE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, "did you mean 'redis'" in ended.stderr) == (64, True), ended.stderr
    assert list(tmp_path.iterdir()) == []


def test_help_ends_with_the_exit_codes():
    assert "70   timed out" in invoke("--help").stdout


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("deploy", "--profile", "prdo"), "did you mean 'prod'"),
        (("verify", "--profile", "prod;id"), "unknown profile"),
        (("verify", "--only", "helth"), "did you mean 'health'"),
        (("deploy", "--namespace", "../x"), "is not a namespace name"),
        (("deploy", "--overlay", "k8s/overlays/nowhere"), "nowhere"),
        (("platform.show", "auht"), "did you mean 'auth'"),
        (("deploy", "--report-file", "xml=x"), "formats: json, junit"),
        (("deploy", "--resume", "--only", "web"), "cannot be joined with --only"),
        (("deploy", "--engine", "skaffold", "--only", "web"), "skaffold applies everything"),
        (("deploy.rollback", "--to", "-1"), "is negative"),
        (("deploy.rollback", "--to", "one"), "is not a whole number"),
        (("colima.start", "--size", "huge"), "known: minimal, rich, standard"),
        (("logs", "auth-servise"), "did you mean 'auth-service'"),
        (("logs", "auth-service", "--since", "5x"), "--since: '5x' is not a duration"),
        (("logs", "auth-service", "--tail", "-1"), "negative"),
        (("logs", "auth-service", "--follow", "--previous"), "drop one of them"),
        (("seed", "uesrs"), "did you mean 'users'"),
        (("migrate", "auth", "nowhere-at-all"), "known: "),
        (("sandbox.start", "--node", "8"), "8cpu,20Gi"),
    ],
)
def test_bad_input_ends_in_64_and_says_what_would_be_right(words, hint):
    ended = invoke(*words)
    assert (ended.returncode, hint in ended.stderr) == (64, True), ended.stderr


@pytest.mark.parametrize("command", ["dev", "dev.tilt"])
def test_a_program_that_is_missing_is_said_before_anything_is_contacted(command, tmp_path):
    argv = [sys.executable, "-m", "bakery_ops.commandline", command, "--kubeconfig", str(tmp_path / "none")]
    environment = {**os.environ, "PATH": str(tmp_path)}
    ended = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, env=environment, check=False)
    assert (ended.returncode, "next: to get" in ended.stderr) == (64, True), ended.stderr


def test_an_engine_that_is_missing_is_said_before_anything_is_contacted(tmp_path):
    """It was said when secrets had been made under the lock, with the code that means that nothing was contacted."""
    argv = [sys.executable, "-m", "bakery_ops.commandline", "deploy", "--engine", "skaffold"]
    environment = {**os.environ, "PATH": str(tmp_path), "BAKERY_STATE_DIR": str(tmp_path)}
    ended = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, env=environment, check=False)
    assert (ended.returncode, ended.stderr) == (
        64,
        "error: skaffold was not found on PATH\n  next: to get skaffold: see the installation page of Skaffold\n",
    )


def test_doctor_says_where_the_profile_leads_and_what_starts_it():
    told = invoke("doctor", "--context", "bakery-sandbox-nowhere").stdout
    assert "the cluster: the sandbox nowhere is not running\n         next: invoke sandbox.start --name nowhere" in told


def test_from_the_folder_of_another_project_it_is_still_ours(tmp_path):
    (tmp_path / "tasks.py").write_text("raise SystemExit('theirs')\n")
    argv = [sys.executable, "-m", "bakery_ops.commandline", "--list"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, env=environment, check=False)
    assert (ended.returncode, "deploy.rollback" in ended.stdout) == (0, True), ended.stderr


def test_a_sandbox_that_is_stopped_says_what_starts_that_one():
    told = invoke("sandbox.status", "--name", "nowhere")
    assert (told.returncode, told.stdout) == (
        3,
        "sandbox nowhere: stopped\n  next: invoke sandbox.start --name nowhere\n",
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is always full")
def test_a_full_disk_under_our_output_is_no_bug():
    with Path("/dev/full").open("w") as full:
        argv = [sys.executable, "-m", "bakery_ops.commandline", "config.show"]
        ended = subprocess.run(argv, cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (
        141,
        "error: the output could not be written: No space left on device\n",
    )


def test_a_stream_that_was_closed_before_we_began_stops_nothing():
    command = f"exec {shlex.quote(sys.executable)} -m bakery_ops.commandline config.show <&- >&- 2>&-"
    assert subprocess.run(["/bin/sh", "-c", command], cwd=ROOT, check=False).returncode == 0


def test_a_closed_pipe_ends_quietly_in_141():
    ended = subprocess.run(
        ["/bin/sh", "-c", f"{sys.executable} -m bakery_ops.commandline --list | true; exit 0"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in ended.stderr


INTERRUPTED_WHILE_LOADING = """
import os, signal, sys
from bakery_ops import commandline
class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == "bakery_ops.bootstrap":  # what tasks.py imports first
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupting())
sys.argv = ["invoke", "--list"]
commandline.main()
"""


def test_ctrl_c_before_a_command_has_begun_is_an_interrupt_and_no_bug():
    """Invoke itself would end with 1, which means that a traceback was saved."""
    ended = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_WHILE_LOADING],
        cwd=ROOT,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell may ignore it in the background
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "interrupted\n")


def test_a_rendered_secret_is_shown_without_its_values(tmp_path):
    """Promise I6."""
    secret = {
        "apiVersion": "v1", "kind": "Secret", "data": {"password": "Y2FuYXJ5"}, "stringData": {"other": "canary"},
        "metadata": {"name": "login", "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "canary"}},
    }  # fmt: skip
    (tmp_path / "secret.yaml").write_text(json.dumps(secret))
    shown = invoke("platform.show", "login", "--overlay", str(tmp_path))
    assert shown.returncode == 0, shown.stderr
    assert yaml.safe_load(shown.stdout)["data"] == {"password": "***"}
    assert yaml.safe_load(shown.stdout)["stringData"] == {"other": "***"}
    assert not [said for said in ("Y2FuYXJ5", "canary") if said in shown.stdout + shown.stderr]


def test_capacity_writes_nothing_into_the_clone():
    """It may be read-only."""
    before = (ROOT / "k8s").stat().st_mtime_ns
    shown = invoke("capacity")
    assert shown.returncode == 0, shown.stderr
    assert "with monitoring on: fits" in shown.stdout
    assert (ROOT / "k8s").stat().st_mtime_ns == before

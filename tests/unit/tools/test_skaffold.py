"""Skaffold's commands and its description of a build."""

from __future__ import annotations

from pathlib import Path

import pytest

from bakery_ops.errors import OperationFailed, UsageError
from bakery_ops.tools import skaffold, tilt

PROGRAM = Path("/opt/skaffold")


def test_the_dev_profile_is_skaffolds_default() -> None:
    assert skaffold.build_argv(PROGRAM, "dev", Path("/t/out.json")) == (
        *("/opt/skaffold", "build", "--file-output", "/t/out.json"),
    )


@pytest.mark.parametrize("profile", ["prod", "sandbox"])
def test_every_other_profile_is_named(profile: str) -> None:
    assert skaffold.build_argv(PROGRAM, profile, Path("/t/out.json")) == (
        *("/opt/skaffold", "build", "--profile", profile),
        *("--file-output", "/t/out.json"),
    )


@pytest.mark.parametrize("profile", ["--help", "a;b", "../x", ""])
def test_a_hostile_profile_name_is_refused(profile: str) -> None:
    with pytest.raises(UsageError):
        skaffold.build_argv(PROGRAM, profile, Path("out.json"))


def test_running_always_names_the_context() -> None:
    argv = skaffold.run_argv(PROGRAM, "sandbox", context="bakery-sandbox", kubeconfig=Path("/k"))
    assert argv[1:] == ("run", "--profile", "sandbox", "--kube-context=bakery-sandbox", "--kubeconfig=/k")


def test_a_context_that_looks_like_an_option_stays_a_value() -> None:
    assert skaffold.dev_argv(PROGRAM, "dev", context="--help")[-1] == "--kube-context=--help"
    assert tilt.up_argv(Path("tilt"), context="--help")[-1] == "--context=--help"


def test_the_environment_keeps_skaffold_from_asking_and_from_doing_our_work_twice() -> None:
    given = skaffold.environment(path="/usr/bin", bin_directory=Path("/venv/bin"))
    assert given == {
        "SKAFFOLD_UPDATE_CHECK": "false",
        "SKAFFOLD_INTERACTIVE": "false",
        "BAKERY_DEPLOY": "1",
        "PATH": "/venv/bin:/usr/bin",
    }
    assert skaffold.environment(path="/usr/bin")["PATH"] == "/usr/bin"


def test_tilt_sends_no_usage_data() -> None:
    assert tilt.environment()["TILT_DISABLE_ANALYTICS"] == "1"


def test_a_build_is_read_as_image_to_reference() -> None:
    text = (
        '{"builds":[{"imageName":"bakery/auth-service","tag":"bakery/auth-service:4f0d@sha256:9a1c"},'
        '{"imageName":"bakery/gateway","tag":"bakery/gateway:77"}]}'
    )
    assert skaffold.parse_build_output(text) == {
        "bakery/auth-service": "bakery/auth-service:4f0d@sha256:9a1c",
        "bakery/gateway": "bakery/gateway:77",
    }


def test_a_build_of_nothing_is_empty() -> None:
    assert skaffold.parse_build_output('{"builds":[]}') == {}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{}",
        '{"builds":null}',
        '{"builds":[{"imageName":"a"}]}',
        '{"builds":[{"imageName":"a","tag":null}]}',
        '{"builds":[{"imageName":"a","tag":"a:1"},{"imageName":"a","tag":"a:2"}]}',
    ],
)
def test_anything_else_is_an_error_not_a_guess(text: str) -> None:
    with pytest.raises(OperationFailed):
        skaffold.parse_build_output(text)

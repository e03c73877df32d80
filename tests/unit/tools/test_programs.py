"""Finding programs and refusing hostile names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bakery_ops.errors import UsageError
from bakery_ops.tools.programs import INSTALL, find, install_hint, program_at, safe_name


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return make_program(tmp_path / "bin" / "tool").parent


def make_program(path: Path, mode: int = 0o755) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(mode)
    return path


def test_the_first_on_path_wins(tmp_path: Path, directory: Path) -> None:
    make_program(tmp_path / "later" / "tool")
    assert find("tool", path=f"{directory}:{tmp_path / 'later'}") == directory / "tool"


@pytest.mark.parametrize("entry", ["", ".", "bin"])
def test_a_program_seen_from_the_current_directory_is_passed_over_and_shown(
    entry: str, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Relative entries of PATH mean whatever directory the caller happens to stand in."""
    monkeypatch.chdir(directory if entry != "bin" else directory.parent)
    with pytest.raises(UsageError) as caught:
        find("tool", path=entry)
    assert "not trusted" in caught.value.details[0]
    assert str(directory / "tool") in caught.value.details[0]


def test_the_current_directory_by_its_full_name_is_passed_over_too(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(directory)
    with pytest.raises(UsageError) as caught:
        find("tool", path=str(directory))
    assert "not trusted" in caught.value.details[0]


def test_a_file_that_is_not_executable_is_shown_and_a_later_program_taken(tmp_path: Path, directory: Path) -> None:
    plain = make_program(tmp_path / "plain" / "tool", mode=0o644)
    assert find("tool", path=f"{plain.parent}:{directory}") == directory / "tool"
    with pytest.raises(UsageError) as caught:
        find("tool", path=str(plain.parent))
    assert caught.value.details == (f"{plain} was passed over: it is not executable",)


@pytest.mark.parametrize("name", ["a/b", "../x", "$(id)", "a;b", "-x", "", ".", "..", "a b", "a\nb"])
def test_only_bare_names_are_searched(name: str) -> None:
    with pytest.raises(UsageError, match="not a program name"):
        find(name, path="/usr/bin:/bin")


@pytest.mark.parametrize("program", [*INSTALL, "unheard-of"])
def test_every_program_has_a_hint(program: str) -> None:
    assert program in install_hint(program)


def test_a_path_is_seen_from_the_directory_it_runs_in(directory: Path) -> None:
    assert program_at("./tool", directory) == directory / "tool"
    assert program_at(str(directory / "tool"), None) == directory / "tool"


def test_a_path_that_leads_nowhere_or_to_a_plain_file_is_refused(tmp_path: Path) -> None:
    plain = make_program(tmp_path / "plain" / "tool", mode=0o644)
    with pytest.raises(UsageError, match="does not exist"):
        program_at(f".{os.sep}nothing", tmp_path)
    with pytest.raises(UsageError, match="not executable") as caught:
        program_at(str(plain), None)
    assert caught.value.remedy == f"chmod +x {plain}"


@pytest.mark.parametrize("name", ["k8s-local", "auth", "orders-db.2", "A_b", "x" * 253])
def test_ordinary_names_pass(name: str) -> None:
    assert safe_name(name, "service") == name


@pytest.mark.parametrize(
    "name",
    ["prod;id", "$(id)", "../x", "a..b", "--kubeconfig=/x", "a\nb", "a\n", "", "-", ".x", "x.", "a/b", "x" * 254],
)
def test_hostile_names_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="is not a valid service") as caught:
        safe_name(name, "service")
    assert "\n" not in str(caught.value)

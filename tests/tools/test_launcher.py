"""`./invoke` on its own: environments that are prepared, replaced and shared, with a stand-in for our program."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.commands import ROOT

# What the launcher becomes. `later` imports something of its environment only when it is told to go on.
PROGRAM = """
import sys
def main():
    if sys.argv[1:] == ["later"]:
        print("began", flush=True)
        sys.stdin.readline()
        import pip
    print(sys.prefix)
"""


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A folder with a space in its name, the launcher, a program, and nothing to install."""
    folder = tmp_path / "a house"
    (folder / "bakery_ops").mkdir(parents=True)
    shutil.copy(ROOT / "invoke", folder)
    (folder / "requirements.txt").write_text("")
    (folder / "bakery_ops/__init__.py").touch()
    (folder / "bakery_ops/commandline.py").write_text(PROGRAM)
    return folder


def start(house: Path, *words: str) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen([house / "invoke", *words], stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def ended(process: subprocess.Popen[str], said: str = "") -> tuple[str, str]:
    out, err = process.communicate(said, timeout=100)
    assert process.returncode == 0, err
    return out.splitlines()[-1], err


def environments(house: Path) -> list[Path]:
    return sorted((house / ".venvs").iterdir())


def test_a_command_that_runs_keeps_its_environment_when_another_is_prepared(house: Path) -> None:
    first, said = ended(start(house))
    assert "preparing" in said
    assert Path(first).resolve() == (house / ".venv").resolve()
    with start(house, "later") as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "began\n"
        (house / "requirements.txt").write_text("# something else\n")
        second, said = ended(start(house))
        assert "preparing" in said
        assert second != first
        assert ended(running, "go on\n")[0] == first
    assert ended(start(house)) == (second, "")
    assert subprocess.check_output([house / ".venv/bin/invoke"], text=True).strip() == second  # plain `invoke`


def test_two_that_begin_at_once_both_work(house: Path) -> None:
    processes = [start(house), start(house)]
    used = [ended(process)[0] for process in processes]
    assert ended(start(house))[0] in used


def test_a_folder_that_cannot_be_written_is_what_is_said_and_not_a_missing_package(house: Path) -> None:
    (house / ".venvs").write_text("in the way, as a folder of somebody else is")
    process = start(house)
    _, err = process.communicate(timeout=100)
    assert (process.returncode, "cannot write" in err, "apt-get" in err) == (4, True, False), err


def test_what_could_not_be_prepared_is_removed_and_tried_again(house: Path) -> None:
    (house / "requirements.txt").write_text("no-such-package-of-ours==1.0\n")  # has no hash either
    failed = start(house)
    _, err = failed.communicate(timeout=100)
    assert failed.returncode == 4
    assert "run again to retry" in err
    assert environments(house) == []
    assert not os.path.lexists(house / ".venv")


def test_a_directory_that_an_earlier_version_made_gives_way(house: Path) -> None:
    (house / ".venv/bin").mkdir(parents=True)
    ended(start(house))
    assert (house / ".venv").is_symlink()


def test_a_tree_that_was_moved_gets_an_environment_of_its_own(house: Path) -> None:
    ended(start(house))
    moved = house.rename(house.with_name("moved"))
    prefix, said = ended(start(moved))
    assert "preparing" in said
    assert Path(prefix).is_relative_to(moved)

from __future__ import annotations

import fcntl
import threading
from pathlib import Path

import pytest

from bakery_ops.errors import BakeryError, OperationFailed, PreflightRefused, UsageError
from bakery_ops.sandbox import binaries, gotoolchain
from bakery_ops.sandbox.binaries import Module

GO = """\
#!/bin/sh
if [ "$1" = env ]; then echo go1.26.8; exit 0; fi
echo "$@" >> "$0.calls"
if [ -f "$0.fails" ]; then cat "$0.fails" >&2; exit 1; fi
echo one/package >&2
while [ "$1" != -o ]; do shift; done
echo program > "$2"
"""


@pytest.fixture
def module(tmp_path: Path) -> Module:
    directory = tmp_path / "source"
    directory.mkdir()
    (directory / "go.mod").write_text("module trial\n")
    (directory / "go.sum").write_text("")
    (directory / "main.go").write_text("package main\n")
    return Module("trial", directory)


@pytest.fixture
def go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stub `go` on PATH: it logs its calls, and fails with what `go.fails` says when that exists."""
    program = tmp_path / "bin" / "go"
    program.parent.mkdir()
    program.write_text(GO)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    return program


def fails(go: Path, text: str) -> None:
    go.with_name("go.fails").write_text(text)


def built(module: Module, tmp_path: Path, said: list[str] | None = None) -> Path:
    return binaries.build(module, say=(said if said is not None else []).append, cache=tmp_path / "cache")


def test_a_program_is_built_once(module: Module, go: Path, tmp_path: Path) -> None:
    said: list[str] = []
    first = built(module, tmp_path, said)
    assert built(module, tmp_path) == first
    assert first.read_text() == "program\n"
    assert len(go.with_name("go.calls").read_text().splitlines()) == 1
    assert said[0].startswith("building trial")
    assert said[-1].startswith("built trial in")


@pytest.mark.parametrize("name", ["main.go", "go.mod", "go.sum", "added.go"])
def test_a_changed_source_is_another_program(module: Module, name: str) -> None:
    before = binaries.key_of(module)
    (module.directory / name).write_text("// changed\n")
    assert binaries.key_of(module) != before


def test_flags_count_and_tests_and_other_files_do_not(module: Module) -> None:
    before = binaries.key_of(module)
    (module.directory / "main_test.go").write_text("package main\n")
    (module.directory / "README.md").write_text("words")
    assert binaries.key_of(module) == before
    assert binaries.key_of(module._replace(flags=("-race",))) != before


def test_a_failed_build_shows_the_compilers_words_and_leaves_nothing(module: Module, go: Path, tmp_path: Path) -> None:
    fails(go, "one/package\n./main.go:3:1: syntax error\n")
    with pytest.raises(OperationFailed, match="Go could not build trial") as failed:
        built(module, tmp_path)
    assert failed.value.details == ("./main.go:3:1: syntax error",)
    assert [path.name for path in (tmp_path / "cache" / "programs").iterdir()] == ["trial.lock"]


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("write /tmp/x: no space left on device", "the disk became full"),
        ("dial tcp: lookup proxy: no such host", "could not download"),
    ],
)
def test_a_full_disk_and_a_missing_network_are_told_apart(
    module: Module, go: Path, tmp_path: Path, said: str, sentence: str
) -> None:
    fails(go, said)
    with pytest.raises(PreflightRefused, match=sentence) as refused:
        built(module, tmp_path)
    assert refused.value.remedy


def test_a_second_builder_waits_for_the_first_and_takes_its_program(module: Module, go: Path, tmp_path: Path) -> None:
    place = tmp_path / "cache" / "programs"
    place.mkdir(parents=True)
    wanted = place / f"trial-{binaries.key_of(module)}"
    waits = threading.Event()
    results: list[Path] = []

    def second() -> None:
        results.append(binaries.build(module, say=lambda _line: waits.set(), cache=tmp_path / "cache"))

    with (place / "trial.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        thread = threading.Thread(target=second)
        thread.start()
        assert waits.wait(10)
        wanted.write_text("the first one's")
    thread.join(10)
    assert results == [wanted]
    assert wanted.read_text() == "the first one's"
    assert not go.with_name("go.calls").exists()


def test_an_unknown_tool_is_a_usage_error_that_lists_the_known_ones(tmp_path: Path) -> None:
    known = tmp_path / "sandbox" / "tools" / "tilt"
    known.mkdir(parents=True)
    (known / "go.mod").write_text(
        "module t\n\ntool example.com/tilt/cmd/tilt\n//bakery:cgo\n//bakery:ldflags -X a.b=c\n"
    )
    with pytest.raises(UsageError, match="no tool called 'tlit'") as refused:
        binaries.tool(tmp_path, "tlit")
    assert refused.value.details == ("known: tilt",)
    tool = binaries.tool(tmp_path, "tilt")
    assert (tool.package, tool.cgo, tool.flags[1]) == ("example.com/tilt/cmd/tilt", True, "-s -w -X a.b=c")


@pytest.mark.parametrize(
    ("said", "version"),
    [("go1.26.8\n", (1, 26, 8)), ("go1.27rc1", (1, 27, 0)), ("go2.0", (2, 0, 0)), ("", (0, 0, 0)), ("gone", (0, 0, 0))],
)
def test_a_go_version_is_read(said: str, version: gotoolchain.Version) -> None:
    assert gotoolchain.parse_version(said) == version


def test_without_go_and_without_a_way_to_get_it_one_sentence_says_so(
    module: Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    monkeypatch.setenv("BAKERY_CACHE_DIR", "/dev/null/no-directory")
    with pytest.raises(BakeryError, match="there is no Go on PATH") as refused:
        gotoolchain.find_go(say=lambda _line: None)
    assert "install Go 1.26" in refused.value.remedy

"""The door to programs, tried with small real programs."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bakery_ops.errors import CommandFailed, TimedOut, UsageError
from bakery_ops.tools.process import Result, find, run


class Leftovers:
    """A pipe in the file system that programs under test open for writing: at end of file, none of them lives."""

    def __init__(self, path: Path) -> None:
        self.path = path
        os.mkfifo(path)
        self._descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)

    def none(self) -> bool:
        try:
            return os.read(self._descriptor, 1) == b""
        except BlockingIOError:
            return False

    def close(self) -> None:
        os.close(self._descriptor)


@pytest.fixture
def leftovers(tmp_path: Path) -> Iterator[Leftovers]:
    watched = Leftovers(tmp_path / "alive")
    yield watched
    watched.close()


def test_a_result_holds_the_command_its_status_and_both_streams() -> None:
    assert run(["sh", "-c", "echo out; echo err >&2"]) == Result(
        ("sh", "-c", "echo out; echo err >&2"), 0, "out\n", "err\n"
    )


@pytest.mark.parametrize("word", ["$(id)", "prod;id", "`id`", "a b", "*", "--flag=x", "two\nlines", "", "é'\"\\"])
def test_arguments_arrive_as_they_are_because_no_shell_reads_them(word: str) -> None:
    assert run(["printf", "%s", word]).stdout == word


def test_a_status_other_than_zero_is_an_error_that_shows_command_status_and_output() -> None:
    with pytest.raises(CommandFailed, match="sh ended with 3") as caught:
        run(["sh", "-c", "echo why >&2; exit 3"])
    assert (caught.value.status, caught.value.details, caught.value.argv[0]) == (3, ("why",), "sh")


def test_a_status_other_than_zero_is_a_result_when_the_caller_decides() -> None:
    assert run(["sh", "-c", "exit 7"], check=False).status == 7


def test_death_by_signal_is_a_negative_status() -> None:
    assert run(["sh", "-c", "kill -9 $$"], check=False).status == -9
    with pytest.raises(CommandFailed, match="ended with -9"):
        run(["sh", "-c", "kill -9 $$"])


def test_a_timeout_stops_the_program_and_the_children_it_started(leftovers: Leftovers) -> None:
    with pytest.raises(TimedOut, match=r"did not end within 0\.3 s") as caught:
        run(["sh", "-c", f"exec 9>{leftovers.path}; echo half; sleep 60 & sleep 60"], timeout=0.3)
    assert leftovers.none()
    assert caught.value.details == ("half",)


def test_a_group_that_ignores_the_request_to_end_is_made_to(leftovers: Leftovers) -> None:
    script = f"exec 9>{leftovers.path}; trap '' TERM; sleep 60 & sleep 60"
    with pytest.raises(TimedOut):
        run(["sh", "-c", script], timeout=0.2, grace=0.2)
    assert leftovers.none()


def test_children_left_behind_by_a_program_that_ended_in_time_are_not_waited_for() -> None:
    assert run(["sh", "-c", "sleep 60 >/dev/null 2>&1 & echo $!"]).stdout.strip().isdigit()


@pytest.mark.parametrize("raised", [KeyboardInterrupt, ZeroDivisionError])
def test_an_interrupt_or_a_failing_reader_stops_the_whole_group(
    leftovers: Leftovers, raised: type[BaseException]
) -> None:
    def read(_line: str) -> None:
        raise raised

    with pytest.raises(raised):
        run(["sh", "-c", f"exec 9>{leftovers.path}; echo go; sleep 60 & sleep 60"], on_line=read)
    assert leftovers.none()


def test_ctrl_c_while_nothing_is_printed_ends_the_group_and_reaches_the_caller(leftovers: Leftovers) -> None:
    """A real SIGINT to a real caller that sits waiting for a silent program."""
    caller = (
        "import os, signal\n"
        "from bakery_ops.tools.process import run\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "try:\n"
        f"    run(['sh', '-c', 'exec 9>{leftovers.path}; echo go; sleep 60 & sleep 60'],\n"
        "        on_line=lambda line: print(os.getpid(), flush=True))\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted', flush=True)\n"
    )
    seen: list[str] = []

    def interrupt(line: str) -> None:
        seen.append(line)
        if line.isdigit():
            os.kill(int(line), signal.SIGINT)

    run([sys.executable, "-c", caller], cwd=Path(__file__).parents[3], timeout=60, on_line=interrupt)
    assert seen[1:] == ["interrupted"]
    assert leftovers.none()


def test_lines_come_as_they_are_written_in_the_callers_thread() -> None:
    seen: list[tuple[str, threading.Thread]] = []
    program = "echo one; echo two >&2; printf 'three\\r\\n\\nlast'"
    run(["sh", "-c", program], on_line=lambda line: seen.append((line, threading.current_thread())))
    assert sorted(line for line, _thread in seen) == ["", "last", "one", "three", "two"]
    assert {thread for _line, thread in seen} == {threading.current_thread()}


def test_a_line_is_seen_before_the_program_ends(tmp_path: Path) -> None:
    """The program waits for a file that only the reader of its first line makes."""
    proof = tmp_path / "proof"
    program = f"echo first; until [ -e {proof} ]; do sleep 0.01; done"
    assert run(["sh", "-c", program], on_line=lambda _line: proof.touch(), timeout=20).status == 0


@pytest.mark.parametrize("by_line", [False, True])
def test_large_output_arrives_whole(by_line: bool) -> None:
    program = "import sys; sys.stdout.write('line of text\\n' * 200_000)"
    result = run([sys.executable, "-c", program], on_line=(lambda _line: None) if by_line else None)
    assert result.stdout == "line of text\n" * 200_000


def test_output_that_is_not_text_is_shown_with_replacement_characters() -> None:
    assert run(["printf", r"a\377b"]).stdout == "a\ufffdb"


def test_standard_input_is_what_was_given() -> None:
    assert run(["cat"], stdin=b"x" * 300_000).stdout == "x" * 300_000


def test_a_program_that_does_not_read_its_input_is_no_error() -> None:
    assert run(["true"], stdin=b"x" * 300_000).status == 0


def test_a_program_that_asks_a_question_gets_end_of_file() -> None:
    assert run(["cat"], timeout=20).stdout == ""


def test_the_environment_is_merged_and_never_shown() -> None:
    with pytest.raises(CommandFailed) as caught:
        run(["sh", "-c", 'test -n "$HOME" && exit ${#TOKEN}'], env={"TOKEN": "hunter2"})
    assert caught.value.status == len("hunter2")
    assert "hunter2" not in str(caught.value) + repr(caught.value) + " ".join(caught.value.details)


def test_it_runs_where_it_is_told(tmp_path: Path) -> None:
    assert run(["pwd", "-P"], cwd=tmp_path).stdout.strip() == str(tmp_path.resolve())


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nowhere is not a directory"):
        run(["true"], cwd=tmp_path / "nowhere")


def test_a_missing_program_says_how_to_get_it() -> None:
    with pytest.raises(UsageError, match="skaffold was not found") as caught:
        run(["skaffold"], env={"PATH": "/nonexistent"})
    assert "skaffold" in caught.value.remedy


def test_the_path_given_with_the_environment_is_the_one_searched(tmp_path: Path) -> None:
    program = _program(tmp_path / "bin" / "greet", "#!/bin/sh\necho hello\n")
    assert run(["greet"], env={"PATH": str(program.parent)}).stdout == "hello\n"


def test_a_program_for_another_machine_is_told_from_a_missing_one(tmp_path: Path) -> None:
    alien = _program(tmp_path / "alien", "\x7fELF alien")
    with pytest.raises(UsageError, match="alien is not a program for this machine"):
        run([alien])


@pytest.mark.parametrize("argv", [[], [""], ["--kubeconfig=/x"], ["true", "a\0b"], ["../true;id"], ["$(id)"]])
def test_words_that_cannot_be_a_program_are_refused(argv: list[str]) -> None:
    with pytest.raises(UsageError):
        run(argv)


def test_many_programs_at_once_keep_their_outputs_apart() -> None:
    results: dict[int, str] = {}

    def one(number: int) -> None:
        results[number] = run(["printf", "%s", str(number)]).stdout

    threads = [threading.Thread(target=one, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {number: str(number) for number in range(12)}


def test_becoming_a_program_replaces_this_one() -> None:
    script = (
        "from bakery_ops.tools.process import become\n"
        "become(['sh', '-c', 'echo $GREETING; exit 5'], env={'GREETING': 'hello'})\n"
    )
    result = run([sys.executable, "-c", script], cwd=Path(__file__).parents[3], check=False)
    assert (result.status, result.stdout) == (5, "hello\n")


def test_find_is_offered_beside_run() -> None:
    assert find("sh").is_absolute()


def _program(path: Path, text: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path

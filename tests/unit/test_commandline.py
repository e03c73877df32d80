"""Words become typed values; every way to be wrong has its exit code and the nearest match."""

import sys
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import pytest
from invoke import Collection

from bakery_ops.commandline import CommandLine
from bakery_ops.endings import guarded
from bakery_ops.errors import BakeryError, ExitCode, Locked, UsageError
from bakery_ops.model.words import amount, hint, nearest, printable
from bakery_ops.options import Positional, Without
from bakery_ops.parameters import command

seen: list[object] = []


@command(name="take")
def take(
    count: Annotated[int, "how many"] = 1,
    mode: Literal["fast", "slow"] = "fast",
    path: Path | None = None,
    item: tuple[int, ...] = (),
    force: bool = False,
) -> None:
    """Takes one of each."""
    seen.append((count, mode, path, item, force))


@command(name="name")
def name(word: Annotated[str, Positional, "a word"]) -> ExitCode:
    """Takes a word."""
    seen.append(word)
    return ExitCode.CHANGES


@command(name="several")
def several(words: Annotated[tuple[str, ...], Positional, "some words"] = (), force: bool = False) -> None:
    """Takes any number of words."""
    seen.append((words, force))


class Place(NamedTuple):
    city: Annotated[str | None, "which city"] = None
    street: Annotated[str | None, "which street"] = None


class Parcel(NamedTuple):
    label: Annotated[str, Positional, "what is written on it"]
    place: Annotated[Place, Without("street")] = Place()
    weight: int = 1


@command(name="send")
def send(parcel: Parcel, fast: bool = False) -> None:
    """Sends a parcel."""
    seen.append((parcel, fast))


def run(*words: str) -> int:
    seen.clear()
    program = CommandLine(namespace=Collection(take, name, several, send), name="invoke", version="0")
    try:
        program.run(["invoke", *words])
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def test_defaults_are_the_functions_own():
    assert run("take") == 0
    assert seen == [(1, "fast", None, (), False)]


def test_a_named_tuple_stands_for_its_fields_those_of_a_nested_one_too():
    assert run("send", "books", "--city", "Riga", "--weight", "3", "--fast") == 0
    assert seen == [(Parcel("books", Place("Riga"), 3), True)]
    assert run("send", "books") == 0
    assert seen == [(Parcel("books"), False)]


def test_a_field_that_is_left_out_has_no_flag(capsys):
    assert run("send", "books", "--street", "Brivibas") == ExitCode.USAGE
    assert "unknown option '--street'" in capsys.readouterr().err


def test_words_become_the_annotated_types():
    assert run("take", "--count", "3", "--mode", "slow", "--path", "/x", "--item", "1", "--item", "2", "--force") == 0
    assert seen == [(3, "slow", Path("/x"), (1, 2), True)]


@pytest.mark.parametrize(
    ("typed", "taken"),
    [
        ((), ((), False)),
        (("a",), (("a",), False)),
        (("a", "b", "--force"), (("a", "b"), True)),
        (("--words", "a", "--force"), (("a",), True)),
    ],
)
def test_any_number_of_bare_words_may_follow_a_command_that_takes_several(typed, taken):
    assert run("several", *typed) == 0
    assert seen == [taken]


def test_a_bare_word_after_a_command_that_takes_several_is_never_another_command():
    assert run("several", "several", "take") == 0
    assert seen == [(("several", "take"), False)]


def test_another_command_may_follow_after_a_flag():
    assert run("several", "a", "--force", "name", "x") == ExitCode.CHANGES
    assert seen == [(("a",), True), "x"]


def test_the_result_of_the_function_is_the_exit_code():
    assert run("name", "x") == ExitCode.CHANGES


@pytest.mark.parametrize(
    ("words", "fragment"),
    [
        (("take", "--count", "three"), "--count: 'three' is not a whole number"),
        (("take", "--count", "-3"), "--count"),
        (("take", "--count", "9" * 20), f"--count: '{'9' * 20}' is too large"),
        (("take", "--path", "~nobody-here/x"), "--path: ~nobody-here has no home folder here"),
        (("take", "--mode", "fst"), "did you mean 'fast'"),
        (("take", "--item", "x"), "--item: 'x' is not a whole number"),
        (("take", "--item"), "--item needs a value"),
        (("take", "--cuont", "3"), "did you mean '--count'"),
        (("tkae",), "did you mean 'take'"),
        (("name", "a\x1b[31mb"), "<word>"),
        (("name",), "error: name needs <word>\n  next: invoke name <word>"),
        (("take", "--count"), "error: --count needs a value"),
        (("take", "--count", "1", "--mode", "slow", "--count", "2"), "error: --count was given twice"),
        (("take", "--count=1", "--count=2"), "error: --count was given twice"),
        (("take", "--", "--force"), "error: '--force' comes after '--' and would be ignored"),
        (("--", "take"), "error: 'take' comes after '--' and would be ignored"),
    ],
)
def test_bad_words_end_in_64_with_a_hint_and_call_nothing(words, fragment, capsys):
    assert run(*words) == ExitCode.USAGE
    assert fragment in capsys.readouterr().err
    assert seen == []


@pytest.mark.parametrize("words", [("name", "--help"), ("name", "-h"), ("--help", "name"), ("take", "--help")])
def test_help_is_help_also_where_a_name_is_expected(words, capsys):
    assert run(*words) == 0
    assert "Takes" in capsys.readouterr().out
    assert seen == []


def test_a_flag_may_come_again_where_it_is_repeatable_and_with_another_command():
    assert run("take", "--item", "1", "--item", "2") == 0
    assert run("take", "--count", "1", "take", "--count", "2") == 0
    assert seen == [(1, "fast", None, (), False), (2, "fast", None, (), False)]


def test_control_characters_of_a_bad_word_never_reach_the_terminal(capsys):
    run("take", "--mode", "\x1b[2Jgone")
    assert "\x1b" not in capsys.readouterr().err


def test_each_error_of_our_tree_ends_in_its_exit_code(capsys):
    def locked() -> ExitCode:
        raise Locked("locked by ann", remedy="wait", details=["since 12:00"])

    assert guarded(locked) == ExitCode.LOCKED
    assert capsys.readouterr().err == "error: locked by ann\n  since 12:00\n  next: wait\n"


def test_a_bug_is_saved_with_its_traceback_but_without_values(capsys):
    def bug() -> ExitCode:
        password = "hunter2-canary"
        raise KeyError(len(password))

    assert guarded(bug) == ExitCode.BUG
    saved = Path(capsys.readouterr().err.split("traceback is in ")[1].split("\n")[0])
    try:
        assert "KeyError" in saved.read_text()
        assert "hunter2-canary" not in saved.read_text().replace('password = "hunter2-canary"', "")
    finally:
        saved.unlink()


def test_ctrl_c_ends_in_130():
    def interrupted() -> ExitCode:
        raise KeyboardInterrupt

    assert guarded(interrupted) == ExitCode.INTERRUPTED


def test_usage_errors_of_a_command_keep_their_remedy(capsys):
    def wrong() -> ExitCode:
        raise UsageError("no", remedy="yes")

    assert guarded(wrong) == 64
    assert "next: yes" in capsys.readouterr().err


def test_nearest_is_silent_when_nothing_is_near():
    assert nearest("zzz", ["deploy", "verify"]) == ""
    assert nearest("verfy", ["deploy", "verify"]) == "verify"


def test_many_known_words_do_not_push_the_nearest_one_off_the_screen():
    many = [f"service-{number}" for number in range(80)]
    assert hint("servise-7", many) == "did you mean 'service-7'?"
    assert hint("zzz", many).endswith("and 50 more")
    assert hint("depoy", ["deploy", "verify"]) == "did you mean 'deploy'? known: deploy, verify"


def test_a_number_takes_its_noun_along():
    assert [amount(count, "object") for count in (0, 1, 2)] == ["0 objects", "1 object", "2 objects"]


def test_printable_cuts_what_is_long():
    assert len(printable("x" * 1000)) < 100


def test_this_module_of_the_edge_imports_nothing_heavy():
    heavy = {"kubernetes", "rich", "cryptography", "msgspec", "sh", "tenacity"}  # yaml comes with Invoke itself
    import subprocess

    code = "import sys, tasks; print(sorted(m.split('.')[0] for m in sys.modules))"
    root = Path(__file__).resolve().parents[2]
    loaded = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True).stdout
    assert not [module for module in heavy if f"'{module}'" in loaded]


def test_what_a_server_says_cannot_steer_the_terminal(capsys):
    """B55, B58"""
    hostile = "\x1b]0;title\x07\x9b31m\rfine [/bold]"

    def refuse():
        raise BakeryError(f"refused: {hostile}", details=[hostile, "x" * 9000], remedy=hostile)

    guarded(refuse)
    shown = capsys.readouterr().err
    assert not set(shown) & {"\x1b", "\x07", "\x9b", "\r"}
    assert shown.count("[/bold]") == 3
    assert max(map(len, shown.splitlines())) < 4200

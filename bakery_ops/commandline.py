"""The edge between words on a command line and Python values: typed task parameters, nearest matches, exit codes.

Invoke ignores type hints, ends a bad integer in a traceback and every parse error with exit 1. `command` converts and
checks annotated parameters; `Program` gives parse errors exit 64 and the nearest match. Imported by `tasks.py` at
start-up, so nothing heavy is imported here.
"""

import inspect
import os
import signal
import sys
import types
import typing
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, overload

from invoke.exceptions import Exit, ParseError
from invoke.program import Program
from invoke.tasks import Task, task

from bakery_ops import __version__
from bakery_ops.errors import BakeryError, ExitCode, UsageError
from bakery_ops.model.words import printable, unknown

_LONGEST_LINE = 4096

Converter = Callable[[str], Any]
Command = Callable[..., ExitCode | None]


@overload
def command(function: Command) -> Task[Any]: ...
@overload
def command(*, name: str | None = None, default: bool = False) -> Callable[[Command], Task[Any]]: ...
def command(
    function: Command | None = None, *, name: str | None = None, default: bool = False
) -> Task[Any] | Callable[[Command], Task[Any]]:
    """Make an Invoke task of a function whose parameters are annotated and defaulted.

    `Annotated[type, "help"]` gives a parameter its help. Types: bool (a flag), str, int, float, Path, Literal, a tuple
    of any of these (the flag may be repeated), a union with None, or a callable that takes the word and returns the
    value or raises UsageError. A parameter named like in `positional` style has no default.
    The function returns an ExitCode, or None for ok. Errors of our own tree end in their exit code, with message,
    details and remedy on stderr; anything else ends in 1 with the traceback saved.
    """
    if function is None:
        return lambda inner: _made(inner, name, default)
    return _made(function, name, default)


def _made(function: Command, name: str | None, default: bool) -> Task[Any]:
    parameters = {key: _Parameter(item) for key, item in inspect.signature(function).parameters.items()}

    @wraps(function)
    def body(invoke_context: Any, **given: Any) -> None:
        del invoke_context  # programs are run through tools.process, never through Invoke's runner

        def call() -> ExitCode | None:
            converted = {key: parameters[key].convert(key, value) for key, value in given.items()}
            result: ExitCode | None = function(**converted)
            return result

        code = guarded(call)
        if code:
            raise Exit(code=int(code))

    body.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter("invoke_context", inspect.Parameter.POSITIONAL_OR_KEYWORD)]
        + [parameter.declared() for parameter in parameters.values()]
    )
    body.optional_positional = next(  # type: ignore[attr-defined]
        (f"--{key.replace('_', '-')}" for key, parameter in parameters.items() if parameter.is_optional_positional), ""
    )
    body.repeats_positional = any(  # type: ignore[attr-defined]
        parameter.is_optional_positional and parameter.is_repeatable for parameter in parameters.values()
    )
    made = task(
        body,
        name=name,
        default=default,
        auto_shortflags=False,
        positional=[key for key, parameter in parameters.items() if parameter.is_positional],
        iterable=[key for key, parameter in parameters.items() if parameter.is_repeatable],
        help={key.replace("_", "-"): parameter.help for key, parameter in parameters.items() if parameter.help},
    )
    return typing.cast("Task[Any]", made)


class Positional:
    """Marks, inside Annotated, a parameter that is given without its flag."""


class _Parameter:
    def __init__(self, parameter: inspect.Parameter) -> None:
        annotation = parameter.annotation
        self._parameter = parameter
        self.help = ""
        self.is_positional = self.is_optional_positional = False
        if get_origin(annotation) is Annotated:
            annotation, *notes = get_args(annotation)
            self.help = next((note for note in notes if isinstance(note, str)), "")
            given_bare = any(note is Positional for note in notes)
            self.is_positional = given_bare and parameter.default is inspect.Parameter.empty
            self.is_optional_positional = given_bare and not self.is_positional
        self.help = f"{self.help}{_told(annotation, parameter.default)}"
        self.is_repeatable = get_origin(annotation) is tuple
        self._is_flag = annotation is bool
        self._converter = _converter(annotation)

    def declared(self) -> inspect.Parameter:
        """As Invoke shall see it: everything but a flag is text, so that we do the converting."""
        default = self._parameter.default
        if self.is_repeatable or not self._is_flag:
            default = None
        return inspect.Parameter(self._parameter.name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=default)

    def convert(self, name: str, value: Any) -> Any:
        if value is None or (self.is_repeatable and not value):
            return self._parameter.default
        if self._is_flag:
            return value
        try:
            if self.is_repeatable:
                return tuple(self._converter(str(item)) for item in value)
            return self._converter(str(value))
        except UsageError as error:
            flag = f"<{name}>" if self.is_positional else f"--{name.replace('_', '-')}"
            raise UsageError(f"{flag}: {error}", remedy=error.remedy, details=error.details) from error


def _choices(annotation: Any) -> tuple[str, ...]:
    """The words a parameter may take, () when any."""
    if get_origin(annotation) is Literal:
        return tuple(str(choice) for choice in get_args(annotation))
    return next((found for part in get_args(annotation) if (found := _choices(part))), ())


def _told(annotation: Any, default: Any) -> str:
    """What `--help` adds by itself: " (fast|settle|never; default settle)"."""
    told = ["|".join(_choices(annotation))] if _choices(annotation) else []
    if isinstance(default, str | int) and not isinstance(default, bool):
        told.append(f"default {default}")
    return f" ({'; '.join(told)})" if told else ""


def _converter(annotation: Any) -> Converter:
    origin = get_origin(annotation)
    if origin is Literal:
        return _one_of([str(choice) for choice in get_args(annotation)])
    if origin in (Union, types.UnionType):
        return _converter(next(part for part in get_args(annotation) if part is not type(None)))
    if origin is tuple:
        return _converter(get_args(annotation)[0])
    if annotation in _CONVERTERS:
        return _CONVERTERS[annotation]
    if callable(annotation):
        return typing.cast(Converter, annotation)
    raise TypeError(f"no way to read a {annotation!r} from a word")


def _one_of(choices: Sequence[str]) -> Converter:
    def convert(word: str) -> str:
        if word not in choices:
            raise unknown("value", word, choices)
        return word

    return convert


def _number(kind: Callable[[str], Any], called: str) -> Converter:
    def convert(word: str) -> Any:
        try:
            value = kind(word)
        except ValueError:
            raise UsageError(f"{printable(word)!r} is not {called}") from None
        if value < 0:
            raise UsageError(f"{printable(word)!r} is negative")
        return value

    return convert


def _text(word: str) -> str:
    if not word or not word.isprintable():
        raise UsageError(f"{printable(word)!r} is empty or has control characters")
    return word


_CONVERTERS: dict[Any, Converter] = {
    str: _text,
    int: _number(int, "a whole number"),
    float: _number(float, "a number"),
    Path: lambda word: Path(_text(word)).expanduser(),
}


def guarded(call: Callable[[], ExitCode | None]) -> ExitCode:
    """Run one command; turn every way it can end into an exit code, and every error into readable lines on stderr."""
    try:
        return call() or ExitCode.OK
    except BakeryError as error:
        _tell(error)
        return ExitCode(error.exit_code)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)  # noqa: T201
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        return _closed_pipe()
    except Exception as error:  # noqa: BLE001 - the last door: whatever escaped is a bug, saved with its traceback
        _tell_bug(error)
        return ExitCode.BUG


def _closed_pipe() -> ExitCode:
    # Python would complain once more when it flushes at exit; point stdout at nothing.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return ExitCode.CLOSED_PIPE


def _tell(error: BakeryError) -> None:
    lines = [f"error: {error}", *(f"  {line}" for line in error.details)]
    if error.remedy:
        lines.append(f"  next: {error.remedy}")
    # A server's refusal or a file's name may hold bytes that would steer the terminal (docs/faults.md, B55, B58).
    print("\n".join(printable(line, _LONGEST_LINE) for line in lines), file=sys.stderr)  # noqa: T201


def _tell_bug(error: Exception) -> None:
    import tempfile
    import traceback

    with tempfile.NamedTemporaryFile("w", prefix="bakery-ops-", suffix=".traceback", delete=False) as file:
        # Lines only, no local variables: those may hold secret values.
        file.writelines(traceback.format_exception(error))
    print(  # noqa: T201
        f"error: unexpected {type(error).__name__}; this is a bug in bakery_ops\n"
        f"  the traceback is in {file.name}\n  next: report it with that file",
        file=sys.stderr,
    )


_START = """\
bakery_ops deploys a platform of many services to Kubernetes, proves first that it fits, and explains what went wrong.

  invoke deploy                        bring the platform up and verify it; on the embedded cluster, if none is named
  invoke deploy --profile prod --help  the same for production, and every option
  invoke verify                        does what runs hold its contract?
  invoke deploy.status                 how everything stands, and who is deploying
  invoke deploy.plan                   what a deploy would change
  invoke doctor                        what this machine and the cluster lack

  invoke --list       all commands
  invoke NAME --help  one command
  invoke --help       exit codes, and options of invoke itself"""


class CommandLine(Program):
    """Invoke's program, with parse errors as `UsageError` (exit 64) and the exit codes in `--help`."""

    def parse_tasks(self) -> None:
        self.core.unparsed = self._with_flags(self.core.unparsed)
        try:
            super().parse_tasks()
        except ParseError as error:
            raise _parse_failure(error, self) from error
        for context in self.tasks:
            for name, argument in context.args.items():
                # Invoke notices a missing value for every kind of flag but the repeatable ones.
                if argument.kind is list and not argument.value and f"--{name.replace('_', '-')}" in self.argv:
                    _tell(UsageError(f"--{name.replace('_', '-')} needs a value"))
                    raise Exit(code=int(ExitCode.USAGE))

    def _with_flags(self, words: Sequence[str]) -> list[str]:
        """Name the flag of an optional positional argument: Invoke takes a positional one for required, and knows no
        repeated ones.

        Bare words after a command that takes several are its own, whatever they are: `migrate check` must not migrate
        everything and then check.
        """
        commands = set(_task_names(self))
        named: list[str] = []
        flag, repeats = "", False
        for word in words:
            is_value = bool(flag) and not word.startswith("-") and (repeats or word not in commands)
            if is_value:
                named.append(flag)
            named.append(word)
            if not (is_value and repeats):
                flag, repeats = _optional_positional(self, word) if word in commands and not is_value else ("", False)
        return named

    def parse_cleanup(self) -> None:
        try:
            super().parse_cleanup()
        except ParseError as error:
            raise _parse_failure(error, self) from error

    def no_tasks_given(self) -> None:
        """Nothing but `invoke`: where to begin, instead of Invoke's own options."""
        print(_START)  # noqa: T201
        raise Exit(code=0)

    def print_help(self) -> None:
        super().print_help()
        print("Exit codes:")  # noqa: T201
        for code in ExitCode:
            print(f"  {code.value:<5}{code.meaning}")  # noqa: T201


def _parse_failure(error: ParseError, program: CommandLine) -> Exit:
    """Invoke says "No idea what '…' is!"; say what it could have been."""
    text = str(error)
    words = [part for index, part in enumerate(text.split("'")) if index % 2]
    word = words[0] if words else ""
    if word.startswith("-"):
        context = error.context
        known = list(context.flags) if context is not None and context.name else []
        owner = f" of '{context.name}'" if context is not None and known else ""
        failure = unknown(f"option{owner}", word, known or ["--help"])
    elif "No idea" in text:
        failure = unknown("command", word, _task_names(program))
    else:
        failure = UsageError(text)
    _tell(failure)
    return Exit(code=int(ExitCode.USAGE))


def _optional_positional(program: CommandLine, command: str) -> tuple[str, bool]:
    """The flag that a bare word after `command` stands for, "" for none; whether several words may follow."""
    body = program.collection[command].body
    return getattr(body, "optional_positional", ""), getattr(body, "repeats_positional", False)


def _task_names(program: CommandLine) -> list[str]:
    names: list[str] = []
    for name, aliases in program.collection.task_names.items():
        names += [name, *aliases]
    return names


program = CommandLine(name="invoke", binary="inv[oke]", binary_names=["invoke", "inv"], version=__version__)


def _terminated(_number: int, _frame: object) -> None:
    """A polite kill, as CI sends it, ends like Ctrl-C: locks are released, reports written."""
    raise KeyboardInterrupt


def main() -> None:
    """The `invoke` of this project: the project's own tasks, found from wherever it is typed."""
    argv = list(sys.argv)
    here = Path(__file__).resolve().parent.parent
    if not any((folder / "tasks.py").exists() for folder in (Path.cwd(), *Path.cwd().parents)):
        argv[1:1] = ["--search-root", str(here)]
    signal.signal(signal.SIGTERM, _terminated)
    try:
        program.run(argv)
        sys.stdout.flush()
    except BrokenPipeError:
        sys.exit(_closed_pipe())
    except SystemExit as ended:
        if ended.code == ExitCode.INTERRUPTED:
            _leave_now()
        raise


def _leave_now() -> None:
    # Python would wait for every thread, and one may wait a minute for an answer that nobody wants any more.
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            stream.flush()
    os._exit(int(ExitCode.INTERRUPTED))


if __name__ == "__main__":
    main()

"""The program behind `invoke`: Invoke's own, with parse errors that end in 64 and name the nearest match."""

import os
import re
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

from invoke.exceptions import Exit, ParseError
from invoke.program import Program

from bakery_ops import __version__
from bakery_ops.endings import closed_pipe, tell
from bakery_ops.errors import ExitCode, UsageError
from bakery_ops.model.words import hint, printable, unknown

_START = """\
bakery_ops deploys a platform of many services to Kubernetes, proves first that it fits, and explains what went wrong.

  invoke deploy                        bring the platform up and verify it; on the embedded cluster, if none is named
  invoke deploy --profile prod --help  the same for production, and every option
  invoke verify                        does what runs hold its contract?
  invoke deploy.status                 how everything stands, and who is deploying
  invoke deploy.plan                   what a deploy would change
  invoke doctor                        what this machine lacks

  invoke --list       all commands
  invoke NAME --help  one command
  invoke --help       exit codes, and options of invoke itself"""


class CommandLine(Program):
    """Invoke's program, with parse errors as `UsageError` (exit 64) and the exit codes in `--help`."""

    def parse_tasks(self) -> None:
        self._refuse_what_invoke_would_ignore()
        wanted = self._help_wanted(self.core.unparsed)
        self.core.unparsed = [] if wanted else self._with_flags(self.core.unparsed)
        try:
            super().parse_tasks()
        except ParseError as error:
            raise _parse_failure(error, self) from error
        if wanted:
            self.args["help"].value = wanted
        for context in self.tasks:
            for name, argument in context.args.items():
                # Invoke notices a missing value for every kind of flag but the repeatable ones.
                if argument.kind is list and not argument.value and _flag(name) in self.argv:
                    raise _refused(f"{_flag(name)} needs a value")

    def _refuse_what_invoke_would_ignore(self) -> None:
        """Invoke keeps what follows `--` for programs that ask for it. None of ours does: `deploy -- --dry-run` must
        not deploy. And it takes the second value of a flag for a command."""
        rest = str(self.core.remainder or "")
        if rest and not self.args.complete.value:
            raise _refused(f"{printable(rest)!r} comes after '--' and would be ignored", remedy="leave the '--' out")
        commands = set(_task_names(self))
        once: set[str] = set()
        given: set[str] = set()
        for before, word in pairwise(["", *self.core.unparsed]):
            flag = word.partition("=")[0]
            if word in commands and before not in once:
                # Not Invoke's get_arguments(): it takes the help away with it.
                once, given = set(getattr(self.collection[word].body, "single_valued", ())), set()
            elif flag in once & given:
                raise _refused(f"{flag} was given twice", remedy="name it once")
            else:
                given.add(flag)

    def _help_wanted(self, words: Sequence[str]) -> str:
        """The command whose help is asked for, "" for none. Invoke takes `--help` for the name in `logs --help`."""
        asked = next((position for position, word in enumerate(words) if word in ("--help", "-h")), 0)
        commands = set(_task_names(self))
        return next((word for word in reversed(words[:asked]) if word in commands), "")

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


def _refused(message: str, *, remedy: str = "") -> Exit:
    tell(UsageError(message, remedy=remedy))
    return Exit(code=int(ExitCode.USAGE))


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


_FLAG = re.compile(r"<Argument: ([\w-]+)")


def _parse_failure(error: ParseError, program: CommandLine) -> Exit:
    """Invoke says "No idea what '…' is!"; say what it could have been."""
    text = str(error)
    words = [part for index, part in enumerate(text.split("'")) if index % 2]
    word = words[0] if words else ""
    if word.startswith("-"):
        context = error.context
        flags = list(context.flags) if context is not None and context.name else []
        # An alias is what people type: `deploy`, not `deploy.run`.
        owner = f" of {min((str(context.name), *context.aliases), key=len)}" if context is not None and flags else ""
        known = flags or ["--help"]
        failure = UsageError(f"unknown option {printable(word)!r}{owner}", remedy=hint(word, known))
    elif "No idea" in text:
        failure = unknown("command", word, _task_names(program))
    elif error.context is not None and (missing := error.context.missing_positional_args):
        named = " ".join(f"<{argument.name}>" for argument in missing)
        remedy = f"invoke {error.context.name} {named}; invoke {error.context.name} --help says what it is"
        failure = UsageError(f"{error.context.name} needs {named}", remedy=remedy)
    elif "needed value" in text and (flag := _FLAG.search(text)):
        failure = UsageError(f"{_flag(flag[1])} needs a value")
    else:
        failure = UsageError(text)
    tell(failure)
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


_SWITCH = 0.0005  # seconds

program = CommandLine(name="invoke", binary="inv[oke]", binary_names=["invoke", "inv"], version=__version__)


def _terminated(_number: int, _frame: object) -> None:
    """A polite kill, as CI sends it, or a closed terminal ends like Ctrl-C: locks are released, reports written."""
    raise KeyboardInterrupt


def main() -> None:
    """The `invoke` of this project: the project's own tasks, found from wherever it is typed."""
    _open_streams()
    # A verdict must not wait for other threads to draw or to send: Python lets each go on for 5 ms otherwise.
    sys.setswitchinterval(_SWITCH)
    # Invoke looks for a tasks.py around the working directory, and would run another project's.
    argv = [*sys.argv[:1], "--search-root", str(Path(__file__).resolve().parent.parent), *sys.argv[1:]]
    signal.signal(signal.SIGTERM, _terminated)
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:  # the launcher's, while Python loaded us
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # under nohup a run outlives its terminal
        signal.signal(signal.SIGHUP, _terminated)
    try:
        program.run(argv)
        sys.stdout.flush()
    except OSError as error:
        sys.exit(closed_pipe(error))
    except KeyboardInterrupt:
        _say_interrupted()
    except SystemExit as ended:
        if isinstance(ended.__context__, KeyboardInterrupt):  # before a command had begun: Invoke makes that a plain 1
            _say_interrupted()
        if ended.code == ExitCode.INTERRUPTED:
            _leave_now()
        raise


def _open_streams() -> None:
    """A stream that was closed before we began (`>&-`) is None to Python; what is told then goes nowhere.

    In this order, so that each takes the number of its own that is free.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115 - as long as the program


def _say_interrupted() -> None:
    with suppress(OSError):
        print("interrupted", file=sys.stderr)  # noqa: T201
    _leave_now()


def _leave_now() -> None:
    # Python would wait for every thread, and one may wait a minute for an answer that nobody wants any more.
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            stream.flush()
    os._exit(int(ExitCode.INTERRUPTED))


if __name__ == "__main__":
    main()

"""The edge between words on a command line and Python values: tasks whose parameters are typed and checked.

Invoke ignores type hints and ends a bad integer in a traceback. `command` converts and checks annotated parameters.
Imported by `tasks.py` at start-up, so nothing heavy is imported here.
"""

import inspect
import types
import typing
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, overload

from invoke.exceptions import Exit
from invoke.tasks import Task, task

from bakery_ops.endings import guarded
from bakery_ops.errors import ExitCode, UsageError
from bakery_ops.model.words import printable, unknown

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
    value or raises UsageError. `Annotated[type, Positional, "help"]` is given without its flag.
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
    body.single_valued = frozenset(  # type: ignore[attr-defined]
        f"--{key.replace('_', '-')}" for key, parameter in parameters.items() if parameter.is_single_valued
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
        self.is_single_valued = not (self._is_flag or self.is_repeatable)
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


_LARGEST = 2**31 - 1  # of Kubernetes' own counts


def _number(kind: Callable[[str], Any], called: str) -> Converter:
    def convert(word: str) -> Any:
        try:
            value = kind(word)
        except ValueError:
            raise UsageError(f"{printable(word)!r} is not {called}") from None
        if value < 0:
            raise UsageError(f"{printable(word)!r} is negative")
        if value > _LARGEST:
            raise UsageError(f"{printable(word)!r} is too large")
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

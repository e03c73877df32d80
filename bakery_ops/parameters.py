"""The edge between words on a command line and Python values: tasks whose parameters are typed and checked.

Invoke ignores type hints and ends a bad integer in a traceback. `command` converts and checks annotated parameters.
Imported by `tasks.py` at start-up, so nothing heavy is imported here.
"""

import inspect
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, overload

from invoke.exceptions import Exit
from invoke.tasks import Task, task

from bakery_ops.endings import guarded
from bakery_ops.errors import ExitCode, UsageError
from bakery_ops.model.words import printable, unknown
from bakery_ops.options import Positional, Without
from bakery_ops.tools.paths import expanded

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
    value or raises UsageError. `Annotated[type, Positional, "help"]` is given without its flag. A NamedTuple stands for
    its fields, each with a flag; `Annotated[that, Without("field")]` leaves some out.
    The function returns an ExitCode, or None for ok. Errors of our own tree end in their exit code, with message,
    details and remedy on stderr; anything else ends in 1 with the traceback saved.
    """
    if function is None:
        return lambda inner: _made(inner, name, default)
    return _made(function, name, default)


def _made(function: Command, name: str | None, default: bool) -> Task[Any]:
    members = [_member(item) for item in inspect.signature(function).parameters.values()]
    flags = {flag.name: flag for member in members for flag in member.flags}

    @wraps(function)
    def body(invoke_context: Any, **given: Any) -> None:
        del invoke_context  # programs are run through tools.process, never through Invoke's runner

        def call() -> ExitCode | None:
            result: ExitCode | None = function(**{member.name: member.value(given) for member in members})
            return result

        code = guarded(call)
        if code:
            raise Exit(code=int(code))

    body.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter("invoke_context", inspect.Parameter.POSITIONAL_OR_KEYWORD)]
        + [flag.declared() for flag in flags.values()]
    )
    body.optional_positional = next(  # type: ignore[attr-defined]
        (flag.spelled for flag in flags.values() if flag.is_optional_positional), ""
    )
    body.repeats_positional = any(  # type: ignore[attr-defined]
        flag.is_optional_positional and flag.is_repeatable for flag in flags.values()
    )
    body.single_valued = frozenset(  # type: ignore[attr-defined]
        flag.spelled for flag in flags.values() if flag.is_single_valued
    )
    made = task(
        body,
        name=name,
        default=default,
        auto_shortflags=False,
        positional=[key for key, flag in flags.items() if flag.is_positional],
        iterable=[key for key, flag in flags.items() if flag.is_repeatable],
        help={key.replace("_", "-"): flag.help for key, flag in flags.items() if flag.help},
    )
    return typing.cast("Task[Any]", made)


def _member(parameter: inspect.Parameter) -> "_Flag | _Group":
    annotation, notes = _unpacked(parameter.annotation)
    if isinstance(annotation, type) and issubclass(annotation, tuple) and hasattr(annotation, "_fields"):
        left_out = [note.fields for note in notes if isinstance(note, Without)]
        return _Group(parameter.name, annotation, frozenset().union(*left_out))
    return _Flag(parameter)


def _unpacked(annotation: Any) -> tuple[Any, tuple[Any, ...]]:
    """The type and the notes of an Annotated type; any other has no notes."""
    if get_origin(annotation) is not Annotated:
        return annotation, ()
    kind, *notes = get_args(annotation)
    return kind, tuple(notes)


class _Group:
    """A parameter that is a NamedTuple: a flag for each of its fields, none for itself."""

    def __init__(self, name: str, kind: Any, left_out: frozenset[str]) -> None:
        hints = typing.get_type_hints(kind, include_extras=True)
        self.name, self._kind = name, kind
        self._members = [
            _member(
                inspect.Parameter(
                    field,
                    inspect.Parameter.KEYWORD_ONLY,
                    annotation=hints[field],
                    default=kind._field_defaults.get(field, inspect.Parameter.empty),
                )
            )
            for field in kind._fields
            if field not in left_out
        ]

    @property
    def flags(self) -> "list[_Flag]":
        return [flag for member in self._members for flag in member.flags]

    def value(self, given: Mapping[str, Any]) -> Any:
        return self._kind(**{member.name: member.value(given) for member in self._members})


class _Flag:
    """A parameter with a flag, or, where it is marked so, one that is given bare."""

    def __init__(self, parameter: inspect.Parameter) -> None:
        annotation, notes = _unpacked(parameter.annotation)
        self.name, self._default = parameter.name, parameter.default
        given_bare = any(note is Positional for note in notes)
        self.is_positional = given_bare and parameter.default is inspect.Parameter.empty
        self.is_optional_positional = given_bare and not self.is_positional
        told = next((note for note in notes if isinstance(note, str)), "")
        self.help = f"{told}{_told(annotation, parameter.default)}"
        self.is_repeatable = get_origin(annotation) is tuple
        self._is_switch = annotation is bool
        self.is_single_valued = not (self._is_switch or self.is_repeatable)
        self._converter = _converter(annotation)

    @property
    def flags(self) -> "list[_Flag]":
        return [self]

    @property
    def spelled(self) -> str:
        return f"--{self.name.replace('_', '-')}"

    def declared(self) -> inspect.Parameter:
        """As Invoke shall see it: everything but a switch is text, so that we do the converting."""
        default = self._default if self._is_switch else None
        return inspect.Parameter(self.name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=default)

    def value(self, given: Mapping[str, Any]) -> Any:
        value = given[self.name]
        if value is None or (self.is_repeatable and not value):
            return self._default
        if self._is_switch:
            return value
        try:
            if self.is_repeatable:
                return tuple(self._converter(str(item)) for item in value)
            return self._converter(str(value))
        except UsageError as error:
            place = f"<{self.name}>" if self.is_positional else self.spelled
            raise UsageError(f"{place}: {error}", remedy=error.remedy, details=error.details) from error


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
    Path: lambda word: expanded(_text(word)),
}

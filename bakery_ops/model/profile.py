"""A profile says what is deployed where. Profiles are read from bakery.toml, the environment and flags."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import partial
from typing import Any, NamedTuple

from bakery_ops.errors import UsageError
from bakery_ops.model.words import amount, hint, nearest, printable, unknown

# Settings from the environment that are no key of a profile.
_OTHER_VARIABLES = (
    "BAKERY_PROFILE",
    "BAKERY_CACHE_DIR",
    "BAKERY_STATE_DIR",
    "BAKERY_LOCK_SECONDS",
    "BAKERY_RETRY_SECONDS",
)
_GUARDS = ("contexts", "protected", "cluster")

IMAGE_SOURCES = ("sandbox", "skaffold", "present")
ENGINES = ("staged", "skaffold")

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_DURATION = re.compile(r"(?:([0-9]{1,9})h)?(?:([0-9]{1,9})m)?(?:([0-9]{1,9})s)?|([0-9]{1,9})")


@dataclass(frozen=True, slots=True)
class Profile:
    """One target of deploys.

    Attributes:
        overlay: Folder of the kustomize overlay, relative to the repository, or absolute.
        contexts: Patterns (fnmatch) of kubeconfig contexts this profile may touch.
        cluster: Identity of the one cluster it may touch ("<kube-system UID>/<CA hash>"), or "" for any that matches.
        namespace: Where namespaced objects go.
        images: "sandbox" (built from Debian packages, imported), "skaffold" (built by Skaffold) or "present".
        engine: "staged" (ours) or "skaffold".
        nodes: Sizes the platform must fit ("8cpu,20Gi"); () means the target's own nodes.
        deadline: Seconds one stage may take.
        no_progress: Seconds a workload may stand still, with nothing but itself in its way, before it has failed.
        protected: Never uses the current context silently; the context has to be named.
    """

    name: str
    overlay: str
    contexts: tuple[str, ...] = ("*",)
    cluster: str = ""
    namespace: str = "bakery-ia"
    images: str = "present"
    engine: str = "staged"
    nodes: tuple[str, ...] = ()
    deadline: float = 600.0
    no_progress: float = 240.0
    protected: bool = False

    def accepts(self, context: str) -> bool:
        return any(fnmatch.fnmatchcase(context, pattern) for pattern in self.contexts)


class Origin(NamedTuple):
    """One setting and where it came from, for `config.show`."""

    profile: str
    key: str
    value: str
    origin: str


class Configuration(NamedTuple):
    profiles: Mapping[str, Profile]
    default_profile: str
    origins: tuple[Origin, ...]
    default_origin: str = "default"

    def profile(self, name: str | None) -> Profile:
        """The profile called `name`, or the default one. Raises UsageError with the nearest match."""
        wanted = name or self.default_profile
        if wanted not in self.profiles:
            raise unknown("profile", wanted, self.profiles)
        return self.profiles[wanted]


def configuration(
    table: Mapping[str, Any],
    environment: Mapping[str, str],
    *,
    source: str,
    lines: Mapping[tuple[str, str], int] | None = None,
) -> Configuration:
    """Read the parsed TOML `table` (from `source`, for errors) and BAKERY_* variables into profiles.

    `lines`: (table, key) -> where it stands in `source`, as far as that is known (`model.toml_lines`).

    Raises: UsageError that lists every unknown key, wrong type, missing overlay and misspelled variable at once.
    """
    known = {"default-profile", "profiles"}
    problems = [f"unknown key {key!r}; {hint(key, known)}" for key in sorted(table.keys() - known)]

    def at(section: str, key: str) -> str:
        line = (lines or {}).get((section, key))
        return source if line is None else f"{source}:{line}"

    variables = _bad_variables(environment)
    profiles: dict[str, Profile] = {}
    origins: list[Origin] = []
    if not isinstance(sections := table.get("profiles", {}), Mapping):
        problems.append("profiles: these are tables with a name, like [profiles.prod]")
        sections = {}
    for name, entries in sections.items():
        if not isinstance(entries, Mapping) or not _NAME.fullmatch(name):
            problems.append(f"profiles.{name}: a profile is a table with a name like 'prod'")
            continue
        values, found = _merge(name, entries, environment, problems, partial(at, f"profiles.{name}"))
        origins += found
        if "overlay" in values:
            profiles[name] = Profile(name=name, **values)
        else:
            problems.append(f"profiles.{name}: 'overlay' is missing")
    default, origin = _default(table, environment, profiles, at("", "default-profile"))
    if problems or variables:
        where = " and ".join([source] * bool(problems) + ["the environment"] * bool(variables))
        count = len(problems) + len(variables)
        raise UsageError(f"{amount(count, 'problem')} in {where}", details=[*problems, *variables])
    return Configuration(profiles, default, tuple(origins), origin)


def _default(
    table: Mapping[str, Any], environment: Mapping[str, str], profiles: Mapping[str, Profile], where: str
) -> tuple[str, str]:
    """The profile that is meant when none is named, and where that comes from."""
    if chosen := environment.get("BAKERY_PROFILE"):
        return chosen, "environment BAKERY_PROFILE"
    if chosen := table.get("default-profile"):
        return str(chosen), where
    return next(iter(profiles), ""), "the first one"


def _merge(
    name: str,
    entries: Mapping[str, Any],
    environment: Mapping[str, str],
    problems: list[str],
    at: Callable[[str], str],
) -> tuple[dict[str, Any], list[Origin]]:
    known = [field.name.replace("_", "-") for field in fields(Profile) if field.name != "name"]
    problems += [f"profiles.{name}: unknown key {key!r}; {hint(key, known)}" for key in entries if key not in known]
    values: dict[str, Any] = {}
    origins: list[Origin] = []
    for field in fields(Profile):
        key = field.name.replace("_", "-")
        variable = _variable(field.name)
        if field.name == "name":
            continue
        if variable in environment and key not in _GUARDS:
            raw, origin = environment[variable], f"environment {variable}"
        elif key in entries:
            raw, origin = entries[key], at(key)
        else:
            if key != "overlay":
                origins.append(Origin(name, key, shown(field.default), "default"))
            continue
        try:
            values[field.name] = _typed(field.name, raw)
            origins.append(Origin(name, key, shown(values[field.name]), origin))
        except UsageError as error:
            # What the environment says wrongly is said once, for all profiles.
            if key in entries and raw is entries[key]:
                problems.append(f"profiles.{name}.{key} ({origin}): {error}")
    return values, origins


def _variable(name: str) -> str:
    return f"BAKERY_{name.upper()}"


def _bad_variables(environment: Mapping[str, str]) -> list[str]:
    """Variables that look like ours and are none, or say what cannot be; the rest is somebody else's."""
    settings = {_variable(field.name): field.name for field in fields(Profile) if field.name != "name"}
    known = [*settings, *_OTHER_VARIABLES]
    problems = []
    for variable in sorted(environment):
        if settings.get(variable) in _GUARDS:
            problems.append(f"environment {variable}: guards a target, so it is read from the file alone")
        elif variable in settings:
            problems += _wrong(variable, settings[variable], environment[variable])
        elif variable.startswith("BAKERY_") and variable not in known and (close := nearest(variable, known, 0.85)):
            problems.append(f"environment {variable}: unknown; did you mean {close}?")
    return problems


def _wrong(variable: str, name: str, value: str) -> list[str]:
    try:
        _typed(name, value)
    except UsageError as error:
        return [f"environment {variable}: {error}"]
    return []


def shown(value: Any) -> str:
    """As it would be written: a list, `true`, `10m`, or a text."""
    if isinstance(value, tuple):
        return ", ".join(value)
    if isinstance(value, float):
        return f"{value / 60:g}m" if value % 60 == 0 else f"{value:g}s"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _typed(key: str, raw: Any) -> Any:
    if key in ("contexts", "nodes"):
        items = raw.split() if isinstance(raw, str) else raw
        if not isinstance(items, list) or not items or not all(isinstance(item, str) and item for item in items):
            raise UsageError("expected a list of words")
        return tuple(items)
    if key == "protected":
        if not isinstance(raw, bool):
            raise UsageError("expected true or false")
        return raw
    if key in ("deadline", "no_progress"):
        return duration(str(raw))
    if not isinstance(raw, str):
        raise UsageError("expected a text")
    if key == "namespace":
        return namespace(raw)
    choices = {"images": IMAGE_SOURCES, "engine": ENGINES}.get(key)
    if choices and raw not in choices:
        raise UsageError(f"{raw!r} is not one of {', '.join(choices)}")
    return raw


def duration(text: str) -> float:
    """Seconds of "90", "90s", "10m" or "1h30m". Raises UsageError for anything else and for zero."""
    match = _DURATION.fullmatch(text)
    hours, minutes, rest, bare = (int(part or 0) for part in match.groups()) if match else (0, 0, 0, 0)
    seconds = hours * 3600.0 + minutes * 60 + rest + bare
    if seconds <= 0:
        raise UsageError(f"{printable(text)!r} is not a duration like 90s or 10m")
    return seconds


def namespace(text: str) -> str:
    """A name Kubernetes takes for a namespace (RFC 1123 label). Raises UsageError."""
    if not _NAME.fullmatch(text):
        raise UsageError(f"{text!r} is not a namespace name (lower-case letters, digits and '-', at most 63)")
    return text

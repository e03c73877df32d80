"""Which files a kustomize render reads, found without rendering, so that a cached render is known to be current.

Kustomize's default load restrictor keeps every file a kustomization names below the kustomization's own directory; only
other kustomizations may lie elsewhere. So the files of all directories reached are all the files that can matter.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from bakery_ops.errors import UsageError

_LISTED = 10  # folders in a message
FILE_NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
"""In kustomize's own order of preference."""

_MAY_NAME_DIRECTORIES = ("resources", "components", "bases", "generators", "transformers", "validators")

_CHARTS = ("helmCharts", "helmChartInflationGenerator")

_Loader: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Closure(NamedTuple):
    """Everything a render reads.

    `directories`: each kustomization reached, the overlay first. `files`: all files below them, sorted.
    `reads_environment`: a generator takes values from environment variables, so equal files may render differently.
    """

    directories: tuple[Path, ...]
    files: tuple[Path, ...]
    reads_environment: bool


def file_of(directory: Path) -> Path | None:
    """The kustomization file of `directory`, or None when it has none."""
    return next((path for name in FILE_NAMES if (path := directory / name).is_file()), None)


def closure(overlay: Path) -> Closure:
    """What rendering `overlay` would read.

    Raises: UsageError: a kustomization is not readable YAML, or names what does not exist, a remote base or a Helm
        chart: rendering uses no network. Everything of this kind is told at once.
    """
    waiting = [overlay.resolve()]
    problems: list[UsageError] = []
    directories: list[Path] = []
    reads_environment = False
    while waiting:
        directory = waiting.pop(0)
        if directory in directories:
            continue
        directories.append(directory)
        kustomization = file_of(directory)
        if kustomization is None:
            raise UsageError(f"{directory} has no kustomization.yaml, but another kustomization names it")
        content = _read(kustomization)
        waiting += _directories_named(kustomization, content)
        problems += _unreachable(kustomization, content)
        reads_environment |= _reads_environment(directory, content)
    _raise_all(overlay, problems)
    files = sorted({file for directory in directories for file in _files_below(directory)})
    return Closure(tuple(directories), tuple(files), reads_environment)


def _read(kustomization: Path) -> Mapping[str, Any]:
    try:
        content = yaml.load(kustomization.read_bytes(), _Loader)  # noqa: S506 - both candidates are safe loaders
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UsageError(f"{kustomization}:{line}: {error.problem}") from error
    except (yaml.YAMLError, OSError) as error:
        raise UsageError(f"{kustomization} cannot be read: {error}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise UsageError(f"{kustomization} holds a {type(content).__name__}, not a kustomization")
    return content


def _directories_named(kustomization: Path, content: Mapping[str, Any]) -> Iterator[Path]:
    for field in _MAY_NAME_DIRECTORIES:
        for entry in _list(content.get(field)):
            if not isinstance(entry, str) or "\n" in entry:  # an inline transformer or generator
                continue
            target = kustomization.parent / entry
            if target.is_dir():
                yield target.resolve()


def _unreachable(kustomization: Path, content: Mapping[str, Any]) -> Iterator[UsageError]:
    """A mistake for each thing that is named and cannot be read."""
    for field in _MAY_NAME_DIRECTORIES:
        for entry in _list(content.get(field)):
            if isinstance(entry, str) and "\n" not in entry and not _is_there(kustomization.parent / entry):
                yield _names_nothing(kustomization, field, entry)
    for field in _CHARTS:
        if content.get(field):
            yield UsageError(
                f"{kustomization}: {field} names Helm charts, and rendering starts no Helm",
                remedy="keep what helm template prints as a file, and name that file in resources",
            )


def _is_there(path: Path) -> bool:
    return path.is_dir() or path.is_file()


def _raise_all(overlay: Path, problems: Sequence[UsageError]) -> None:
    if len(problems) == 1:
        raise problems[0]
    if problems:
        remedy = next((problem.remedy for problem in problems if problem.remedy), "correct them and run again")
        details = [str(problem) for problem in problems]
        raise UsageError(f"{overlay} names {len(problems)} things that cannot be read", details=details, remedy=remedy)


def _names_nothing(kustomization: Path, field: str, entry: str) -> UsageError:
    if "://" in entry or "?ref=" in entry or entry.startswith(("git@", "github.com")):
        return UsageError(
            f"{kustomization}: {field} names the remote base {entry!r}, and rendering uses no network",
            remedy="copy the base into the repository and name its directory",
        )
    wanted = kustomization.parent / entry
    if os.path.lexists(wanted):
        return UsageError(f"{kustomization}: {field} names {entry!r}, which is neither a file nor a folder")
    return UsageError(f"{kustomization}: {field} names {entry!r}, which does not exist", remedy=nearest(wanted))


def nearest(path: Path) -> str:
    """ "did you mean …?" for a path that does not exist, from what lies beside it; "" when nothing is close."""
    parent = path.parent
    names = sorted(entry.name for entry in parent.iterdir()) if parent.is_dir() else []
    close = difflib.get_close_matches(path.name, names, n=1, cutoff=0.5)
    if close:
        return f"did you mean {parent / close[0]}?"
    directories = [name for name in names if (parent / name).is_dir()]
    more = f" and {len(directories) - _LISTED} more" if len(directories) > _LISTED else ""
    return f"{parent} holds: {', '.join(directories[:_LISTED])}{more}" if directories else ""


def _reads_environment(directory: Path, content: Mapping[str, Any]) -> bool:
    """A line of an env file without `=` takes its value from the environment (kustomize, `envs` of a generator)."""
    generators = [*_list(content.get("configMapGenerator")), *_list(content.get("secretGenerator"))]
    for generator in generators:
        if not isinstance(generator, dict):
            continue
        for name in [*_list(generator.get("envs")), *_list(generator.get("env"))]:
            file = directory / str(name)
            lines = file.read_text(errors="replace").splitlines() if file.is_file() else []
            if any(line.strip() and not line.lstrip().startswith("#") and "=" not in line for line in lines):
                return True
    return False


def _list(value: object) -> Sequence[Any]:
    if value is None:
        return ()
    return value if isinstance(value, list) else (value,)


def _files_below(directory: Path) -> Iterator[Path]:
    for parent, directories, names in os.walk(directory):
        directories[:] = [name for name in directories if name != ".git"]
        yield from (Path(parent, name) for name in names)

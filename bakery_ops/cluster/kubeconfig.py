"""kubectl's rules for finding, merging and reading kubeconfig files. Reads files, contacts nothing, writes nothing.

The merge is our own because the `kubernetes` package lets the last file decide `current-context`, where kubectl lets
the first one decide, and skips files it cannot read without a word.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from bakery_ops.errors import UsageError
from bakery_ops.tools.paths import expanded

_SECTIONS = ("clusters", "contexts", "users")
_ITEM = {"clusters": "cluster", "contexts": "context", "users": "user"}
# Paths inside a kubeconfig are relative to the file that holds them.
_PATHS = {"clusters": ("certificate-authority",), "users": ("client-certificate", "client-key", "tokenFile")}


@dataclass(frozen=True, slots=True)
class Context:
    """One chosen context, with file paths made absolute.

    Attributes:
        name: The context's name.
        namespace: Its default namespace, "default" where it names none.
        cluster: The `cluster` map as written: server, certificate-authority(-data), tls-server-name, proxy-url, …
        user: The `user` map as written, {} for an anonymous context. Holds secrets: never printed.
        source: The file that defines the user's credentials (exec plugins run in its directory).
    """

    name: str
    namespace: str
    cluster: Mapping[str, Any] = field(repr=False)
    user: Mapping[str, Any] = field(repr=False)
    source: Path

    @property
    def server(self) -> str:
        return str(self.cluster.get("server", "")).rstrip("/")


def locate(kubeconfig: Path | None, environment: Mapping[str, str]) -> tuple[Path, ...]:
    """The files kubectl would read: `--kubeconfig`, else every existing file of $KUBECONFIG, else ~/.kube/config.

    Raises: UsageError: none of them exists.
    """
    if kubeconfig is not None:
        if not _is_there(kubeconfig):
            raise UsageError(f"There is no kubeconfig file at {kubeconfig}.", remedy="Check --kubeconfig.")
        return (kubeconfig,)
    listed = [part for part in environment.get("KUBECONFIG", "").split(os.pathsep) if part]
    wanted = listed or [str(Path(environment.get("HOME", "~")) / ".kube" / "config")]
    found = tuple(dict.fromkeys(path for path in map(expanded, wanted) if _is_there(path)))
    if not found:
        where = "$KUBECONFIG names" if listed else "it would be"
        raise UsageError(
            f"No kubeconfig was found; {where} {', '.join(wanted)}.",
            remedy="Start a cluster (`invoke sandbox.start` or your own), or name its file with --kubeconfig.",
        )
    return found


def _is_there(path: Path) -> bool:
    """Raises: UsageError: nobody may look."""
    try:
        return path.is_file()
    except OSError as error:
        raise UsageError(f"The kubeconfig {path} cannot be read: {error.strerror}.") from error


def choose(files: tuple[Path, ...], context: str | None) -> Context:
    """Merge `files` (the first to define a name wins) and pick `context`, or the current one.

    Raises: UsageError: a file is malformed, or the context, its cluster or its user is not defined.
    """
    merged: dict[str, dict[str, tuple[Mapping[str, Any], Path]]] = {section: {} for section in _SECTIONS}
    current = ""
    for path in files:
        document = _load(path)
        current = current or str(document.get("current-context") or "")
        for section in _SECTIONS:
            for name, item in _items(document, section, path):
                merged[section].setdefault(name, (_absolute(item, section, path.parent), path))
    name = context or current
    if not name:
        raise UsageError(
            f"No context was chosen and {_names(files)} sets no current-context.",
            remedy=f"Name one with --context: {_listing(merged['contexts'])}.",
        )
    return _resolve(name, merged, files)


def _resolve(
    name: str, merged: Mapping[str, Mapping[str, tuple[Mapping[str, Any], Path]]], files: tuple[Path, ...]
) -> Context:
    if name not in merged["contexts"]:
        close = get_close_matches(name, merged["contexts"], n=1)
        hint = f"Did you mean {close[0]}?" if close else f"There are: {_listing(merged['contexts'])}."
        raise UsageError(f"There is no context {name} in {_names(files)}.", remedy=hint)
    chosen, path = merged["contexts"][name]
    cluster_name, user_name = str(chosen.get("cluster") or ""), str(chosen.get("user") or "")
    if cluster_name not in merged["clusters"]:
        raise UsageError(f"Context {name} in {path} names the cluster {cluster_name!r}, which is not defined.")
    if user_name and user_name not in merged["users"]:
        raise UsageError(f"Context {name} in {path} names the user {user_name!r}, which is not defined.")
    cluster, cluster_file = merged["clusters"][cluster_name]
    user, source = merged["users"].get(user_name, ({}, path))
    if not cluster.get("server"):
        raise UsageError(f"The cluster {cluster_name} in {cluster_file} has no server address.")
    return Context(name, str(chosen.get("namespace") or "default"), cluster, user, source)


def _load(path: Path) -> Mapping[str, Any]:
    try:
        document = yaml.load(path.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 a safe loader
    except OSError as error:
        raise UsageError(f"The kubeconfig {path} cannot be read: {error.strerror}.") from error
    except yaml.YAMLError as error:
        # The error's own text quotes the line, which may hold a token.
        mark = getattr(error, "problem_mark", None)
        place = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise UsageError(f"The kubeconfig {path}{place} is not valid YAML.") from None
    if document is None:
        return {}
    if not isinstance(document, dict) or document.get("kind", "Config") != "Config":
        raise UsageError(f"The file {path} is not a kubeconfig (kind: Config).")
    return document


def _items(document: Mapping[str, Any], section: str, path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    entries = document.get(section) or []
    if not isinstance(entries, list):
        raise UsageError(f"The kubeconfig {path} is malformed: {section} must be a list.")
    for position, entry in enumerate(entries, 1):
        item = entry.get(_ITEM[section]) if isinstance(entry, dict) else None
        if not isinstance(entry, dict) or not entry.get("name") or not isinstance(item or {}, dict):
            raise UsageError(
                f"The kubeconfig {path} is malformed: {section} entry {position} needs a name and a {_ITEM[section]}."
            )
        yield str(entry["name"]), item or {}


def _absolute(item: Mapping[str, Any], section: str, folder: Path) -> Mapping[str, Any]:
    resolved = dict(item)
    for key in _PATHS.get(section, ()):
        if resolved.get(key):
            resolved[key] = str(folder / str(resolved[key]))
    return resolved


def _names(files: tuple[Path, ...]) -> str:
    return ", ".join(str(path) for path in files)


def _listing(contexts: Mapping[str, object]) -> str:
    return ", ".join(sorted(contexts)) or "none is defined"

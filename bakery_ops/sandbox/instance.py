"""Where an instance of the sandbox lives: directories, names and addresses that follow from its name alone."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from bakery_ops.errors import UsageError

DEFAULT_NAME = "default"
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,18}[a-z0-9])?")


def cache_directory(environment: Mapping[str, str] = os.environ) -> Path:
    """Where built programs, images and renders stay between runs, keyed by content; shared by all instances."""
    return _directory(environment, "BAKERY_CACHE_DIR", "XDG_CACHE_HOME", ".cache")


def state_directory(environment: Mapping[str, str] = os.environ) -> Path:
    """Where running instances keep their records, keys, logs and data."""
    return _directory(environment, "BAKERY_STATE_DIR", "XDG_STATE_HOME", ".local/state")


def _directory(environment: Mapping[str, str], own: str, base: str, fallback: str) -> Path:
    if environment.get(own):
        return Path(environment[own]).absolute()
    root = Path(environment[base]) if environment.get(base) else Path.home() / fallback
    return root.absolute() / "bakery-ops"


class Instance(NamedTuple):
    """One sandbox among several: `name`, and `directory`, which holds everything it writes."""

    name: str
    directory: Path

    @property
    def context(self) -> str:
        """Its kubeconfig context: `bakery-sandbox`, or `bakery-sandbox-NAME` for any but the default instance."""
        return "bakery-sandbox" if self.name == DEFAULT_NAME else f"bakery-sandbox-{self.name}"

    @property
    def owner(self) -> str:
        """What its network namespace, cgroups and container network are called on the machine."""
        return f"bakery-{self.name}"

    @property
    def kubeconfig(self) -> Path:
        return self.directory / "kubeconfig"

    @property
    def pki(self) -> Path:
        return self.directory / "pki"

    @property
    def logs(self) -> Path:
        return self.directory / "logs"

    @property
    def audit_log(self) -> Path:
        return self.logs / "audit.log"

    @property
    def volumes(self) -> Path:
        return self.directory / "volumes"


def instance(name: str = DEFAULT_NAME, *, environment: Mapping[str, str] = os.environ) -> Instance:
    """The instance called `name`, running or not.

    Raises: UsageError when `name` is not lower-case letters, digits and dashes, at most 20 of them.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot name a sandbox: it takes at most 20 lower-case letters, digits and dashes",
            remedy="leave the name out to mean the default one",
        )
    return Instance(name, state_directory(environment) / "sandbox" / name)

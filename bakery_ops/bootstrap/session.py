"""What most commands need first: the repository, the profile with its overrides, the rendered platform."""

from __future__ import annotations

import dataclasses
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from bakery_ops.errors import UsageError
from bakery_ops.model.manifest import Manifest
from bakery_ops.model.profile import Configuration, Profile, configuration, namespace
from bakery_ops.model.toml_lines import key_lines
from bakery_ops.options import Target

REPOSITORY = Path(__file__).resolve().parents[2]


def lock_seconds(environment: Mapping[str, str]) -> int:
    """How long a silent holder of the deploy lock counts as alive: BAKERY_LOCK_SECONDS, else 15."""
    return _seconds(environment, "BAKERY_LOCK_SECONDS", 15)


def retry_seconds(environment: Mapping[str, str]) -> int:
    """How long a request is repeated while the API server does not answer it: BAKERY_RETRY_SECONDS, else 120."""
    return _seconds(environment, "BAKERY_RETRY_SECONDS", 120)


def _seconds(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) <= 9) or not 3 <= int(text) <= 3600:
        raise UsageError(f"{name}: {text[:20]!r} is not a whole number of seconds from 3 to 3600")
    return int(text)


def load_configuration() -> Configuration:
    """bakery.toml and BAKERY_* variables. Raises UsageError with file and line when the file is not TOML."""
    path = REPOSITORY / "bakery.toml"
    try:
        text = path.read_text(encoding="utf-8")
        table = tomllib.loads(text)
    except FileNotFoundError:
        raise UsageError(f"{path} is missing") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path.name}: {error}") from error
    return configuration(table, os.environ, source=path.name, lines=key_lines(text))


def resolve(target: Target) -> Profile:
    """The target's profile with the command line's overrides. Raises UsageError for a name that is none."""
    profile = load_configuration().profile(target.profile)
    return dataclasses.replace(profile, **{key: value for key, (_, value) in overrides(target).items()})


def overrides(target: Target) -> Mapping[str, tuple[str, Any]]:
    """Key of a profile -> the flag that sets it on the command line, and its value. Raises UsageError."""
    found: dict[str, tuple[str, Any]] = {}
    if target.namespace is not None:
        found["namespace"] = ("--namespace", namespace(target.namespace))
    if target.overlay is not None:
        # A stranger's manifests: nobody has told us how to build their images or how large their nodes are.
        values = {"overlay": str(target.overlay.absolute()), "images": "present", "nodes": ()}
        found |= {key: ("--overlay", value) for key, value in values.items()}
    return found


class Rendered(NamedTuple):
    """A profile's objects. `notes`: what lies in the overlay and is no part of them, one sentence each."""

    profile: Profile
    overlay: Path
    text: str
    manifests: tuple[Manifest, ...]
    notes: tuple[str, ...] = ()


def render(profile: Profile) -> Rendered:
    """Render the profile's overlay and read it. Raises UsageError for everything that is wrong with it."""
    from bakery_ops.model.documents import read
    from bakery_ops.sandbox.instance import cache_directory
    from bakery_ops.tools.kustomize import left_out, render_overlay

    overlay = REPOSITORY / profile.overlay
    text = render_overlay(overlay, cache_dir=cache_directory() / "renders")
    found = read(text, overlay.name, namespace=profile.namespace)
    return Rendered(profile, overlay, text, found.manifests, (*found.notes, *left_out(overlay)))

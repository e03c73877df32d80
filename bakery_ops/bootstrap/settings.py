"""`config.show`: every setting in force, and where it came from. Contacts nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator

from bakery_ops.bootstrap import sandboxes
from bakery_ops.bootstrap.session import load_configuration, lock_seconds, overrides, retry_seconds
from bakery_ops.cluster import kubeconfig as kubectl_rules
from bakery_ops.errors import ExitCode, UsageError
from bakery_ops.model.profile import Configuration, Origin, Profile, shown
from bakery_ops.options import Target
from bakery_ops.report.schema import API_VERSION
from bakery_ops.report.terminal import Terminal
from bakery_ops.sandbox.instance import cache_directory, instance, state_directory


def config_show(target: Target, origin: bool, output: str | None) -> ExitCode:
    """The profile in force: its settings, the context it would go to, and what holds for every profile."""
    terminal = Terminal()
    known = load_configuration()
    profile = known.profile(target.profile)
    chosen_by = "--profile" if target.profile else known.default_origin
    rows = [Origin(profile.name, "profile", profile.name, chosen_by), *_settings(known, profile, target)]
    if output == "json":
        terminal.write(json.dumps(_document(rows), indent=1) + "\n")
        return ExitCode.OK
    if origin:
        terminal.table(("setting", "value", "from"), [(row.key, row.value or "-", row.origin) for row in rows])
    else:
        terminal.table(("setting", "value"), [(row.key, row.value or "-") for row in rows])
    others = sorted(known.profiles.keys() - {profile.name})
    if others:
        terminal.show(f"other profiles: {', '.join(others)} (--profile NAME shows one)")
    return ExitCode.OK


def _settings(known: Configuration, profile: Profile, target: Target) -> Iterator[Origin]:
    given = overrides(target)
    for row in known.origins:
        if row.profile == profile.name and row.key in given:
            flag, value = given[row.key]
            yield row._replace(value=shown(value), origin=flag)
        elif row.profile == profile.name:
            yield row
    context = _context(profile, target)
    yield Origin(profile.name, "context", *context)
    yield Origin(profile.name, "kubeconfig", *_kubeconfig(target, context[0]))
    for key, variable, value in (
        ("lock-seconds", "BAKERY_LOCK_SECONDS", str(lock_seconds(os.environ))),
        ("retry-seconds", "BAKERY_RETRY_SECONDS", str(retry_seconds(os.environ))),
        ("cache", "BAKERY_CACHE_DIR", str(cache_directory())),
        ("state", "BAKERY_STATE_DIR", str(state_directory())),
    ):
        yield Origin(profile.name, key, value, f"environment {variable}" if os.environ.get(variable) else "default")


def _context(profile: Profile, target: Target) -> tuple[str, str]:
    if target.context is not None:
        return target.context, "--context"
    if target.kubeconfig is None and profile.contexts[0] == sandboxes.CONTEXT:
        return sandboxes.CONTEXT, "the profile's first of contexts"
    if profile.protected:
        return "", "must be given: the profile is protected"
    return _or_none(
        lambda: kubectl_rules.choose(kubectl_rules.locate(target.kubeconfig, os.environ), None).name,
        "the kubeconfig's current-context",
    )


def _kubeconfig(target: Target, context: str) -> tuple[str, str]:
    """Which files, and who named them. A sandbox brings its own."""
    if target.kubeconfig is None and (sandbox := sandboxes.instance_of(context)) is not None:
        return str(instance(sandbox).kubeconfig), "the sandbox's own"
    named = "--kubeconfig" if target.kubeconfig else "environment KUBECONFIG" if os.environ.get("KUBECONFIG") else ""

    def files() -> str:
        return ", ".join(map(str, kubectl_rules.locate(target.kubeconfig, os.environ)))

    return _or_none(files, named or "default")


def _or_none(find: Callable[[], str], origin: str) -> tuple[str, str]:
    """That there is none is no error here: nothing is contacted."""
    try:
        return find(), origin
    except UsageError as error:
        return "", str(error)


def _document(rows: list[Origin]) -> dict[str, object]:
    settings = [{"key": row.key, "value": row.value, "from": row.origin} for row in rows]
    return {"apiVersion": API_VERSION, "kind": "Configuration", "profile": rows[0].value, "settings": settings}

"""The commands that need no cluster: check, capacity, platform.show, config.show."""

from __future__ import annotations

from collections.abc import Sequence

import yaml

from bakery_ops.bootstrap import Target
from bakery_ops.bootstrap.session import load_configuration, render, resolve
from bakery_ops.errors import ExitCode
from bakery_ops.model.builder import build_graph
from bakery_ops.model.manifest import Manifest
from bakery_ops.model.platform import Member, platform
from bakery_ops.model.quantities import cpu_text, memory_text
from bakery_ops.report.terminal import Terminal


def config_show() -> ExitCode:
    terminal = Terminal()
    configuration = load_configuration()
    terminal.show(f"default profile: {configuration.default_profile}")
    terminal.table(("profile", "key", "value", "from"), configuration.origins)
    return ExitCode.OK


def platform_show(target: Target, name: str | None) -> ExitCode:
    """The table of services, or one service's rendered objects as YAML."""
    terminal = Terminal()
    rendered = render(resolve(target))
    graph = build_graph(rendered.manifests)
    if name is not None:
        return _show_one(terminal, name, rendered.manifests)
    shown = platform(graph)
    rows = [
        (
            service.name,
            service.workload.image,
            service.workload.scale,
            f"{cpu_text(service.workload.cpu)} / {memory_text(service.workload.memory)}",
            service.database,
            service.migration,
            ", ".join(wait for wait in service.workload.waits if wait not in (service.database, service.migration)),
            str(len(service.seeds) or ""),
        )
        for service in shown.services
    ]
    headings = ("service", "image", "replicas", "requests", "database", "migration", "also waits for", "seeds")
    terminal.table(headings, rows, right=(7,))
    terminal.show("")
    terminal.table(("other", "stage", "kind", "image", "waits for"), [_other(member) for member in shown.others])
    jobs = len(shown.members) - len(shown.others)
    terminal.show(
        "", f"{len(shown.services)} services; {len(shown.members)} workloads; {jobs} of them belong to services"
    )
    return ExitCode.OK


def _other(member: Member) -> tuple[str, ...]:
    return (member.name, member.stage.title, member.kind, member.image, ", ".join(member.waits))


def _show_one(terminal: Terminal, name: str, manifests: Sequence[Manifest]) -> ExitCode:
    owned = [
        manifest for manifest in manifests if name in (manifest.labels.get("app.kubernetes.io/name"), manifest.ref.name)
    ]
    if not owned:
        known = sorted({manifest.labels.get("app.kubernetes.io/name", manifest.ref.name) for manifest in manifests})
        from bakery_ops.commandline import unknown

        raise unknown("service", name, known)
    for manifest in owned:
        terminal.show("---", *yaml.safe_dump(dict(manifest.body), sort_keys=False).rstrip().split("\n"))
    return ExitCode.OK

"""The commands that need no cluster: check, capacity, platform.show."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from bakery_ops.bootstrap.session import REPOSITORY, render, resolve
from bakery_ops.errors import ExitCode
from bakery_ops.model.builder import build_graph
from bakery_ops.model.documents import load
from bakery_ops.model.manifest import Manifest
from bakery_ops.model.platform import Member, platform
from bakery_ops.model.profile import Profile
from bakery_ops.model.quantities import cpu_text, memory_text, node_size
from bakery_ops.model.recorded import masked
from bakery_ops.model.words import amount, unknown
from bakery_ops.options import Target
from bakery_ops.report.terminal import Terminal
from bakery_ops.tools.kustomize import render_overlay
from bakery_ops.workflows.capacity import GROWTH_HEADINGS, PHASE_HEADINGS, growth_rows, phase_rows
from bakery_ops.workflows.capacity import capacity as prove_capacity
from bakery_ops.workflows.check import HEADINGS as CHECK_HEADINGS
from bakery_ops.workflows.check import check as check_manifests
from bakery_ops.workflows.check import require
from bakery_ops.workflows.check import rows as check_rows

_DEFAULT_NODE = "8cpu,20Gi"


def check(target: Target) -> ExitCode:
    """Exit as a deploy would: 64, 5 or 4 by the worst finding, 0 with warnings only."""
    terminal = Terminal()
    profile = resolve(target)
    rendered = render(profile)
    report = check_manifests(rendered.manifests, namespace=profile.namespace, strict=profile.protected)
    if report.findings:
        terminal.table(CHECK_HEADINGS, check_rows(report))
    for note in (*rendered.notes, *report.notes):
        terminal.show(f"note: {note}")
    blocking = sum(finding.severity.blocks for finding in report.findings)
    terminal.show(
        f"{amount(report.objects, 'object')} judged: {blocking} against a deploy, "
        f"{amount(len(report.findings) - blocking, 'warning')}"
    )
    require(report)
    return ExitCode.OK


def capacity(target: Target, node: Sequence[str], growth: bool) -> ExitCode:
    """Exit 4 when a phase does not fit."""
    terminal = Terminal()
    profile = resolve(target)
    sizes = [node_size(text) for text in node or profile.nodes or (_DEFAULT_NODE,)]
    terminal.say(f"packing {profile.overlay}, phase by phase")  # which takes some seconds
    manifests = render(profile).manifests
    answer = prove_capacity(manifests, sizes, monitoring=_monitoring(profile), growth=growth)
    report = answer.shipped
    terminal.show(f"{profile.overlay} on {', '.join(str(size) for size in sizes)}: {report.verdict.value}")
    terminal.table(PHASE_HEADINGS, phase_rows(report), right=(1, 2, 3, 4, 5))
    for line in (*report.problems, *report.advice):
        terminal.show(f"  {line}")
    if answer.monitored is not None:
        terminal.show("", f"with monitoring on: {answer.monitored.verdict.value}")
        terminal.table(PHASE_HEADINGS, phase_rows(answer.monitored), right=(1, 2, 3, 4, 5))
    if answer.growth:
        terminal.show("", "more tenants, monitoring included:")
        terminal.table(GROWTH_HEADINGS, growth_rows(answer.growth), right=(0, 1, 2, 3, 4, 5))
    return ExitCode.OK if answer.fits else ExitCode.PREFLIGHT


def _monitoring(profile: Profile) -> tuple[Manifest, ...]:
    """The overlay with the monitoring component switched on, for the question what that would cost."""
    overlay = REPOSITORY / profile.overlay
    component = REPOSITORY / "k8s" / "components" / "monitoring"
    if not overlay.is_relative_to(REPOSITORY / "k8s") or not component.is_dir():
        return ()
    with TemporaryDirectory(prefix="bakery-ops-monitoring-") as folder:  # the clone may be read-only
        # kustomize takes folders elsewhere, but no absolute paths.
        resources, components = ([os.path.relpath(path, os.path.realpath(folder))] for path in (overlay, component))
        text = json.dumps({"resources": resources, "components": components})
        (Path(folder) / "kustomization.yaml").write_text(text)
        return load(render_overlay(Path(folder)), "monitoring", namespace=profile.namespace)


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
        raise unknown("service", name, known)
    for manifest in owned:
        terminal.show("---", *yaml.safe_dump(masked(manifest.body, "***"), sort_keys=False).rstrip().split("\n"))
    return ExitCode.OK

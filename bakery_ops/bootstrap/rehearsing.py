"""`invoke rehearse`: the deploy of a profile on simulated nodes that exist for this one run."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace

from bakery_ops.bootstrap import clusters
from bakery_ops.bootstrap.clusters import Place
from bakery_ops.bootstrap.deploying import deploy
from bakery_ops.bootstrap.opened import Opened
from bakery_ops.bootstrap.session import REPOSITORY, Rendered, render, resolve
from bakery_ops.errors import ExitCode, UsageError
from bakery_ops.model.builder import build_graph
from bakery_ops.model.graph import Graph
from bakery_ops.model.words import unknown
from bakery_ops.options import DeployOptions, RehearseOptions, Target
from bakery_ops.report.telling import terminal_for
from bakery_ops.report.terminal import Terminal
from bakery_ops.sandbox import lifecycle
from bakery_ops.sandbox.failures import MODES
from bakery_ops.sandbox.guardian import bound_to_us
from bakery_ops.sandbox.rehearsal import with_faults
from bakery_ops.sandbox.sizes import DEFAULT_NODE, NodeSize, parse_node_size
from bakery_ops.workflows.check import check, require


def rehearse(options: RehearseOptions) -> ExitCode:
    """Start simulated nodes, deploy to them, show how it went, remove them. The exit code is the deploy's.

    Raises: UsageError before anything is started: a fault, a workload or a size that is none; whatever a deploy raises.
    """
    terminal = terminal_for(options.output)  # outlives its reader: the nodes are there to be removed
    faults = _faults(options.fault)
    rendered = render(resolve(options.target))
    profile = rendered.profile
    require(check(rendered.manifests, namespace=profile.namespace, strict=profile.protected))
    _require_workloads(build_graph(rendered.manifests), faults)
    sizes = [parse_node_size(text) for text in options.node or profile.nodes] or [DEFAULT_NODE]
    # Nothing real is behind the nodes: neither Skaffold's images nor the cluster that the profile pins.
    staged = replace(profile, engine="staged", cluster="")
    broken = rendered._replace(profile=staged, manifests=with_faults(rendered.manifests, faults))
    return _on_nodes_of_its_own(options, broken, sizes, terminal)


def _on_nodes_of_its_own(
    options: RehearseOptions, rendered: Rendered, sizes: Sequence[NodeSize], terminal: Terminal
) -> ExitCode:
    name = f"rehearsal-{os.getpid()}"
    with ExitStack() as stack:
        stack.enter_context(bound_to_us(name))
        stack.callback(lifecycle.stop, say=terminal.say, name=name)
        status = lifecycle.start("simulated", sizes, say=terminal.say, repository=REPOSITORY, name=name)
        place = Place(status.kubeconfig, status.context, name, simulated=True)
        connection = clusters.reach(place, rendered.profile, terminal.say)
        # Nobody can look into the nodes afterwards, so no command names a kubeconfig.
        passing = replace(place, kubeconfig=None)
        opened = Opened(rendered, build_graph(rendered.manifests), passing, connection, passes=True)
        wishes = DeployOptions(Target(rendered.profile.name), fail_mode=options.fail_mode, output=options.output)
        code = deploy(wishes, opening=lambda *_, **__: opened, terminal=terminal)
    terminal.say(f"a rehearsal: nothing ran, and the simulated nodes ({'; '.join(map(str, sizes))}) are removed again")
    return code


def _faults(words: Iterable[str]) -> Mapping[str, str]:
    """Workload -> fault. Raises UsageError for a word that is not FAULT=WORKLOAD, or one workload named twice."""
    found: dict[str, str] = {}
    for word in words:
        fault, _, workload = word.partition("=")
        if fault not in MODES:
            raise unknown("fault", fault, MODES)
        if not workload:
            raise UsageError(f"--fault {fault}: which workload?", remedy=f"--fault {fault}=WORKLOAD")
        if workload in found:
            raise UsageError(f"--fault: {workload} has two faults", remedy="one fault for each workload")
        found[workload] = fault
    return found


def _require_workloads(graph: Graph, names: Iterable[str]) -> None:
    known = [node.name for node in graph.workloads()]
    for name in names:
        if name not in known:
            raise unknown("workload", name, known)

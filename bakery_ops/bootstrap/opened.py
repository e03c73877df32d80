"""What most commands stand on: a rendered platform, judged offline, and the cluster it is meant for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

from bakery_ops.bootstrap import clusters
from bakery_ops.bootstrap.clusters import Place
from bakery_ops.bootstrap.credentials import standing
from bakery_ops.bootstrap.session import Rendered, render, resolve
from bakery_ops.cluster.connection import Connection
from bakery_ops.cluster.journal import ApiJournal
from bakery_ops.model.builder import build_graph
from bakery_ops.model.graph import Graph
from bakery_ops.model.manifest import ObjectRef
from bakery_ops.options import Target
from bakery_ops.report.terminal import Terminal
from bakery_ops.rules.readiness.observation import ClusterFacts
from bakery_ops.rules.reports import VerifyReport
from bakery_ops.workflows.check import check, require
from bakery_ops.workflows.deploy import chosen_nodes
from bakery_ops.workflows.deploy_ports import Amend, as_planned
from bakery_ops.workflows.facts import read_facts
from bakery_ops.workflows.observe import Done, completed_and_gone
from bakery_ops.workflows.verify import verify


class Opened(NamedTuple):
    """A platform, rendered or recorded, and the cluster it is meant for.

    `credentials`: what is made sure of before the plan, in place of what a deploy makes sure of.
    `errand`: what this is besides a deploy of everything, for the record (`rules.releases.Release`).
    `passes`: the cluster is gone after the run, so there is nothing to look at.
    """

    rendered: Rendered
    graph: Graph
    place: Place
    connection: Connection
    amend: Amend = as_planned
    errand: Mapping[str, str] = {}
    passes: bool = False
    credentials: Callable[[Graph], Collection[ObjectRef]] | None = None

    @property
    def journal(self) -> ApiJournal:
        connection = self.connection
        return ApiJournal(connection.transport, connection.retrier, self.rendered.profile.namespace)

    def facts(self) -> ClusterFacts:
        return read_facts(self.connection.requests, self.known)

    @property
    def known(self) -> ClusterFacts:
        """What is known of the cluster without asking it."""
        return ClusterFacts(is_local=self.place.sandbox is not None, is_simulated=self.place.simulated)

    def completed(self) -> Done:
        """Jobs that earlier runs saw complete, and that their TTL has removed."""
        return completed_and_gone(self.graph, self.journal.read())

    def verify(self, only: Sequence[str] = ()) -> VerifyReport:
        """The acceptance checks, all or those of these names."""
        return verify(
            self.connection.requests,
            self.graph,
            self.connection.clock,
            self.facts(),
            simulated=self.place.simulated,
            only=only,
            credentials=lambda: standing(self.connection, self.rendered.manifests),
            done=self.completed(),
        )


def open_platform(
    target: Target, terminal: Terminal, *, start: bool = False, only: Sequence[str] = (), reads_only: bool = False
) -> Opened:
    """Render first: bad input must be refused before anything is contacted or started."""
    rendered = render(resolve(target))
    profile = rendered.profile
    for note in rendered.notes:
        terminal.say(f"note: {note}")
    require(check(rendered.manifests, namespace=profile.namespace, strict=profile.protected))
    graph = build_graph(rendered.manifests)
    chosen_nodes(graph, only)
    place = clusters.locate(rendered.profile, target, terminal, start=start, reads_only=reads_only)
    connection = clusters.reach(place, rendered.profile, terminal.say)
    return Opened(rendered, graph, place, connection, errand={"only": ", ".join(only)} if only else {})

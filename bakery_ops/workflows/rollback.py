"""A rollback is a deploy of a recorded text, with a plan of its own: refused or changed before anything is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bakery_ops.model.graph import Graph
from bakery_ops.rules.plan import Plan, Recorded
from bakery_ops.rules.releases import Contents, migrations
from bakery_ops.rules.rollback import newer, refuse, settled
from bakery_ops.workflows.observe import Snapshot
from bakery_ops.workflows.ports import Say
from bakery_ops.workflows.releases import Releases, recorded_migrations


@dataclass(frozen=True, slots=True)
class Rollback:
    """What going back to `target` makes of a plan.

    Attributes:
        accepts_newer: The user knows that the old version works with the newer schema.
    """

    target: Contents
    releases: Releases
    accepts_newer: bool
    say: Say

    def amend(self, decided: Plan, graph: Graph, seen: Snapshot, journal: Mapping[str, Recorded]) -> Plan:
        """Raises: TargetRefused: a database is newer than the release knows. PreflightRefused: a Secret is lost."""
        databases = migrations(graph, seen.objects, recorded_migrations(self.releases), journal)
        found = newer(graph, self.target, databases)
        if not self.accepts_newer:
            refuse(found, self.target.release.number)
        for each in found:
            self.say(f"warning: accepted as it is: {each}")
        return settled(decided, graph, seen.objects)

"""Which release a rollback means, whether it is safe, and what it does otherwise than a deploy.

Schemas only move forward: a rollback runs no Job. Every Job of a release completed before the release was recorded, so
all of them are done; and an old migration on a newer database would fail, or worse, succeed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from bakery_ops.errors import PreflightRefused, TargetRefused, UsageError
from bakery_ops.model.graph import Graph, Node
from bakery_ops.model.manifest import ObjectRef
from bakery_ops.model.recorded import keeps_values
from bakery_ops.model.words import amount
from bakery_ops.rules.plan import Action, Live, Plan, Step
from bakery_ops.rules.releases import Contents, Known, Migration, Release, brought, migration_jobs


class Newer(NamedTuple):
    """A database that may have been migrated past what the release knows."""

    node: str
    database: Migration
    release: Migration

    def __str__(self) -> str:
        done = "was migrated by" if self.database.complete else "has an unfinished migration by"
        same_words = " with another command or template" if str(self.database) == str(self.release) else ""
        return f"{self.node}: the database {done} {self.database}; the release brings {self.release}{same_words}"


def chosen(known: Known, wanted: int | None, namespace: str) -> Release:
    """The release to go back to: the one asked for; else where an unfinished deploy or rollback leads back to; else the
    one before the live one. The live one may itself be a rollback to an older one: then the one before that older one.

    Raises: PreflightRefused: there is none, or the data is gone that its Jobs had prepared. UsageError: there is no
    release of that number.
    """
    if known.newest is None:
        raise PreflightRefused(
            f"no release is recorded in the namespace {namespace}",
            remedy="a release is recorded when a whole deploy succeeds: invoke deploy",
        )
    if known.pending is not None and known.pending.facts.get("destroyed") == "data":
        raise PreflightRefused(
            f"the data of {namespace} was destroyed, and a rollback runs no migration",
            remedy="deploy from the source of the release you want: invoke deploy",
        )
    numbered = {release.number: release for release in known.releases}
    if wanted is None:
        wanted = _default(known, known.newest)
    if wanted not in numbered:
        recorded = ", ".join(str(number) for number in numbered)
        raise UsageError(f"there is no release {wanted} in the namespace {namespace}", remedy=f"recorded: {recorded}")
    return numbered[wanted]


def _default(known: Known, newest: Release) -> int:
    if known.pending is not None:
        return known.pending.rollback_to or newest.number
    live = newest.rollback_to or newest.number
    older = [release.number for release in known.releases if release.number < live]
    if not older:
        raise PreflightRefused(
            f"release {live} is the oldest one recorded; there is none before it", remedy="invoke deploy.history"
        )
    return max(older)


def require_same_place(release: Release, profile: str, namespace: str) -> None:
    """Raises TargetRefused when the release was deployed with another profile, or to another namespace."""
    for what, here in (("profile", profile), ("namespace", namespace)):
        there = release.facts.get(what, here)
        if there != here:
            raise TargetRefused(
                f"release {release.number} was deployed with the {what} {there!r}, not {here!r}",
                remedy=f"repeat with --{what} {there}, or choose another release: invoke deploy.history",
            )


def newer(graph: Graph, contents: Contents, databases: Mapping[str, Migration]) -> tuple[Newer, ...]:
    """The databases that are, or may be, past what the release knows, in graph order.

    Where both sides reported their heads, these decide; else the same Job, or the same command of the same image, is
    the same schema. What differs is newer: releases lie in the past, and a rollback never migrates.
    `databases`: the last migration of each (`releases.migrations`).
    """
    found = []
    for node in migration_jobs(graph):
        knows, seen = _knows(node, contents), databases[node.name]
        if not _same_schema(seen, knows):
            found.append(Newer(node.name, seen, knows))
    return tuple(found)


def _same_schema(seen: Migration, knows: Migration) -> bool:
    if seen.head and knows.head:
        return seen.head == knows.head
    return seen.content == knows.content or seen.runs == knows.runs


def _knows(node: Node, contents: Contents) -> Migration:
    """What the release's own migration brings; its head was recorded with it."""
    own, recorded = brought(node), contents.migrations.get(node.name)
    return recorded if recorded is not None and recorded.content == own.content else own


def refuse(found: tuple[Newer, ...], number: int) -> None:
    """Raises TargetRefused: naming every database that is newer, and what can be done."""
    if found:
        count = "a database is" if len(found) == 1 else f"{len(found)} databases are"
        raise TargetRefused(
            f"{count} newer than release {number} knows; an old image may not start on it, or may damage it",
            details=[str(each) for each in found],
            remedy="deploy forward; or restore a backup from before the migration, or be sure that the old version"
            " works with the newer schema, then repeat with --accept-newer-schema",
        )


def settled(plan: Plan, graph: Graph, live: Mapping[ObjectRef, Live]) -> Plan:
    """The plan of a rollback: no Job runs, and Secrets whose values were not recorded stay as they are.

    Raises: PreflightRefused: such a Secret is gone.
    """
    lost = sorted(str(node.ref) for node in graph.values() if keeps_values(node.manifest) and node.ref not in live)
    if lost:
        raise PreflightRefused(
            f"this release lacks {amount(len(lost), 'Secret')}, whose values were never recorded",
            details=lost,
            remedy="create them again, or deploy from the source of that release",
        )
    return replace(plan, steps={name: _settled(step, graph[name]) for name, step in plan.steps.items()})


def _settled(step: Step, node: Node) -> Step:
    if node.ref.is_job:
        return step._replace(action=Action.DONE, reason="completed before this release was recorded", recorded=True)
    if keeps_values(node.manifest):
        return step._replace(action=Action.SKIP, reason="its values are not recorded; it stays", recorded=True)
    return step

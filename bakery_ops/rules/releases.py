"""Releases of a namespace as values: what was deployed, by whom, and which migration each database has seen.

A release is recorded when a deploy of everything has succeeded and was verified, so all of its Jobs have completed.
While a deploy is on its way its text is kept as pending; a deploy that failed or died, or was of a part only, leaves
that behind, and a destroy leaves a pending one without text. So as long as nothing is pending, the newest release is
what is live.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from bakery_ops.model.content import content_hash, recorded_hash
from bakery_ops.model.contract import RELEASE, Stage
from bakery_ops.model.graph import Graph, Node
from bakery_ops.model.manifest import ObjectRef
from bakery_ops.rules.plan import Live, Recorded

PREFIX = "bakery-ops-release-"
PENDING = f"{PREFIX}pending"  # without the label of releases: whoever lists ConfigMaps without those still sees it

# What a migration says of itself in its termination message (services/README.md): "migration-head: 0002_kinds".
_HEAD = re.compile(r"^migration-head: ([\w.-]{1,64})\s*$", re.MULTILINE)
_CONTAINERS = ("image", "command", "args")


class Release(NamedTuple):
    """One recorded release, or the pending one (number 0).

    Attributes:
        at: Epoch seconds, by the API server's clock.
        facts: "digest" of the text, "profile", "overlay", "namespace", "by", "objects", and "rollback", the number of
            the release that was gone back to, or "only", the nodes that were asked for, or "destroyed", "data" or
            "objects": what a destroy took away; any may be absent.
    """

    number: int
    at: float
    facts: Mapping[str, str]

    @property
    def digest(self) -> str:
        return self.facts.get("digest", "")

    @property
    def rollback_to(self) -> int | None:
        number = self.facts.get("rollback", "")
        return int(number) if number.isdigit() else None


class Migration(NamedTuple):
    """The last migration of one database.

    Attributes:
        runs: Image, command and arguments of its containers; "" when only its `content` is known.
        content: Content hash of the Job.
        head: What the migration said it brought the database to, or "".
        complete: False while its Job has not completed; it may have changed the schema, or not.
    """

    runs: str
    content: str = ""
    head: str = ""
    complete: bool = True

    def __str__(self) -> str:
        image = self.runs.partition(" ")[0] or "an image that is not recorded"
        return f"{image} (head {self.head})" if self.head else image


class Contents(NamedTuple):
    """A release with its text and what its databases had seen when it was recorded."""

    release: Release
    text: str
    migrations: Mapping[str, Migration]


class Known(NamedTuple):
    """The releases of a namespace, newest first, and what was begun since the newest and is no release (yet)."""

    releases: tuple[Release, ...] = ()
    pending: Release | None = None

    @property
    def newest(self) -> Release | None:
        return self.releases[0] if self.releases else None


def release(body: Mapping[str, Any]) -> Release:
    """A ConfigMap of ours as the release it keeps; without facts when somebody has edited them away."""
    metadata = body["metadata"]
    word = str(metadata["name"]).removeprefix(PREFIX)
    number = int(word) if word.isdigit() else 0
    try:
        note = msgspec.json.decode((metadata.get("annotations") or {}).get(RELEASE, "{}"))
        return Release(number, float(note.get("at", 0.0)), dict(note.get("facts") or {}))
    except (msgspec.DecodeError, ValueError, TypeError, AttributeError):
        return Release(number, 0.0, {})


def migration_jobs(graph: Graph) -> Iterator[Node]:
    return (node for node in graph.values() if node.ref.is_job and node.stage is Stage.MIGRATION)


def brought(node: Node) -> Migration:
    """The migration that a render brings."""
    return Migration(_runs(node.manifest.body), content_hash(node.manifest))


def migrations(
    graph: Graph,
    live: Mapping[ObjectRef, Live],
    before: Mapping[str, Migration],
    journal: Mapping[str, Recorded],
) -> dict[str, Migration]:
    """The last migration of each database, by node: of `graph`, and of whatever `before` knew besides.

    The Job in the cluster is what ran last. Where its TTL has removed it, the journal says whether it is still the one
    that was known before.

    Args:
        live: Whole live objects: Jobs, and the Pods that say which head they reached.
        before: As the newest release recorded them.
    """
    found = dict(before)
    heads = _heads(live)
    for node in migration_jobs(graph):
        job, old, entry = live.get(node.ref), before.get(node.name), journal.get(node.name)
        own = brought(node)
        if job is not None:
            found[node.name] = _of(job, heads, old)
        elif entry is not None and (old is None or entry.hash != old.content):
            last = own if entry.hash == own.content else Migration("", entry.hash)
            found[node.name] = last._replace(complete=entry.verdict == "ready")
        elif old is None:
            found[node.name] = own
    return found


def _of(job: Live, heads: Mapping[str, str], old: Migration | None) -> Migration:
    content = recorded_hash(job)
    known_head = old.head if old is not None and old.content == content else ""
    conditions = (job.get("status") or {}).get("conditions") or ()
    complete = any(each.get("type") == "Complete" and each.get("status") == "True" for each in conditions)
    return Migration(_runs(job), content, heads.get(str(job["metadata"].get("uid"))) or known_head, complete)


def _runs(job: Mapping[str, Any]) -> str:
    spec = ((job.get("spec") or {}).get("template") or {}).get("spec") or {}
    words: list[str] = []
    for container in spec.get("containers") or ():
        for key in _CONTAINERS:
            value = container.get(key) or ()
            words += [value] if isinstance(value, str) else [str(word) for word in value]
    return " ".join(words)


def _heads(live: Mapping[ObjectRef, Live]) -> dict[str, str]:
    """UID of a Job -> the head that a pod of it reported when it ended well."""
    found: dict[str, str] = {}
    for ref, pod in live.items():
        if ref.kind != "Pod":
            continue
        head = _reported(pod)
        for owner in pod["metadata"].get("ownerReferences") or ():
            if head and owner.get("kind") == "Job":
                found[str(owner.get("uid"))] = head
    return found


def _reported(pod: Live) -> str:
    for status in (pod.get("status") or {}).get("containerStatuses") or ():
        ended = (status.get("state") or {}).get("terminated") or {}
        if ended.get("exitCode") == 0 and (match := _HEAD.search(str(ended.get("message", "")))):
            return match[1]
    return ""

"""Keep what is deployed: as pending while it is on its way, as a release once it stands and was verified."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from bakery_ops.errors import BakeryError, OperationFailed, PreflightRefused
from bakery_ops.model.graph import Graph
from bakery_ops.model.manifest import Manifest, ObjectRef
from bakery_ops.model.recorded import difference, digest, read
from bakery_ops.rules.plan import Plan
from bakery_ops.rules.releases import PENDING, Contents, Known, Migration, migration_jobs, migrations
from bakery_ops.workflows.observe import Snapshot
from bakery_ops.workflows.ports import Journal, Requests, Say


class Releases(Protocol):
    """The releases of one namespace, in the cluster. Everything raises ClusterUnreachable and OperationFailed."""

    def known(self) -> Known: ...
    def read(self, number: int) -> Contents: ...
    def pending(self) -> Contents | None: ...
    def begin(self, text: str, facts: Mapping[str, str]) -> None: ...
    def finish(self) -> None: ...
    def record(self, text: str, facts: Mapping[str, str], migrations: Mapping[str, Migration]) -> int: ...


@dataclass(frozen=True, slots=True)
class Recording:
    """Records one deploy.

    Attributes:
        namespace: Where releases are kept.
        text: Of the graph's manifests (`model.recorded`).
        facts: See `rules.releases.Release`; with "only" among them this run makes no release.
        unplanned: Another engine applies, so the plan does not say what was changed.
    """

    releases: Releases
    requests: Requests
    journal: Journal
    graph: Graph
    namespace: str
    text: str
    facts: Mapping[str, str]
    say: Say
    unplanned: bool = False

    def begin(self, decided: Plan) -> None:
        """Before the first write: note what is on its way. A deploy that writes nothing is on no way."""
        if decided.is_empty:
            return
        try:
            self.releases.begin(self.text, self.facts)
        except OperationFailed as error:
            self.say(f"warning: this deploy cannot be resumed or recorded: {error}")

    def finish(self, decided: Plan, seen: Snapshot) -> None:
        """After the verification. An unchanged deploy asks and writes nothing: nothing is pending, so it stands."""
        pending = ObjectRef("", "ConfigMap", self.namespace, PENDING)
        if "only" in self.facts or (decided.is_empty and not self.unplanned and pending not in seen.objects):
            return
        try:
            number = self.releases.record(self.text, self.facts, self._migrations())
            self.releases.finish()
        except BakeryError as error:
            # The platform stands and was verified; that is what this run is asked about.
            self.say(f"warning: the release was not recorded: {error}")
            return
        self.say(f"release {number} recorded: invoke deploy.history lists them")

    def _migrations(self) -> Mapping[str, Migration]:
        places = {node.ref.namespace for node in migration_jobs(self.graph)}
        live = {
            ObjectRef(group, kind, place, body["metadata"]["name"]): body
            for group, kind in (("batch", "Job"), ("", "Pod"))
            for place in sorted(places)
            for body in self.requests.list(group, kind, place)
        }
        return migrations(self.graph, live, recorded_migrations(self.releases), self.journal.read())


def note_destroyed(releases: Releases, facts: Mapping[str, str], say: Say, *, volumes: bool) -> None:
    """Before the first deletion: no release is live any more. Where nothing was ever recorded there is nothing to note.

    Raises: ClusterUnreachable. A record that cannot be written is said, and keeps nobody from removing the platform.
    """
    try:
        if releases.known() != Known():
            releases.begin("", {**facts, "destroyed": "data" if volumes else "objects"})
    except OperationFailed as error:
        say(f"warning: deploy.history will still call a release live: {error}")


def recorded_migrations(releases: Releases) -> Mapping[str, Migration]:
    """Each database's last migration as the newest release recorded it; {} where that is damaged or there is none."""
    newest = releases.known().newest
    try:
        return releases.read(newest.number).migrations if newest is not None else {}
    except OperationFailed:
        return {}


def require_resumable(releases: Releases, manifests: Sequence[Manifest], text: str, namespace: str) -> None:
    """`deploy --resume` goes on with what was interrupted, and with nothing else (docs/decisions/0007).

    Raises: PreflightRefused: nothing was interrupted, it was a rollback, or the render has changed since.
    """
    pending = releases.pending()
    if pending is None:
        raise PreflightRefused(
            f"no deploy to {namespace} was interrupted or has failed: there is nothing to resume",
            remedy="invoke deploy starts one",
        )
    if pending.release.facts.get("destroyed"):
        raise PreflightRefused(
            f"what was deployed to {namespace} was destroyed: there is nothing to resume",
            remedy="invoke deploy brings it up again",
        )
    if only := pending.release.facts.get("only"):
        raise PreflightRefused(
            f"the last deploy to {namespace} was of a part only: {only}",
            remedy="invoke deploy --only goes on with a part, invoke deploy deploys everything",
        )
    number = pending.release.rollback_to
    if number is not None:
        raise PreflightRefused(
            f"what was interrupted in {namespace} is a rollback to release {number}",
            remedy=f"invoke deploy.rollback --to {number} goes on with it",
        )
    if pending.release.digest != digest(text):
        raise PreflightRefused(
            f"the render has changed since the deploy to {namespace} was interrupted",
            details=difference(parsed(pending), manifests).lines(),
            remedy="invoke deploy, without --resume, deploys what is rendered now",
        )


def parsed(contents: Contents) -> tuple[Manifest, ...]:
    """The manifests of a recorded text. Raises OperationFailed when it is damaged."""
    number = contents.release.number
    try:
        return read(contents.text, f"release {number}" if number else "the unfinished deploy")
    except ValueError as error:
        raise OperationFailed(f"release {number} is damaged and cannot be read: {error}") from error

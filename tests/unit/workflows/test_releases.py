"""What a deploy leaves in the record, and what going back to it does: from the first write to the last, in memory."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from bakery_ops.errors import OperationFailed, PreflightRefused, TargetRefused
from bakery_ops.model.manifest import ObjectRef
from bakery_ops.model.recorded import recorded
from bakery_ops.rules.rollout.events import Outcome
from bakery_ops.workflows.releases import note_destroyed, parsed, require_resumable
from tests.fakes import Killed
from tests.simulation import CRASH, Behaviour
from tests.sites import MIGRATED, SECRET, SHOP, V1, V2, FakeReleases, Site, deployment, job, shop


@pytest.fixture
def site() -> Site:
    """A shop deployed once."""
    site = Site()
    assert site.deploy(V1).outcome is Outcome.SUCCEEDED
    return site


@pytest.fixture
def second(site: Site) -> Site:
    """Deployed twice: another image and setting, one more Deployment, the migration as it was."""
    assert site.deploy(V2).outcome is Outcome.SUCCEEDED
    return site


def test_a_deploy_that_stands_is_a_release(site: Site) -> None:
    (release,) = site.releases.known().releases
    assert (release.number, site.releases.known().pending) == (1, None)
    migrated = site.releases.read(1).migrations["migrate"]
    assert (migrated.runs, migrated.complete) == ("migrate:1", True)
    assert {ref.name for ref in (each.ref for each in parsed(site.releases.read(1)))} == {each.ref.name for each in V1}


def test_a_job_that_its_ttl_removes_at_once_has_completed_for_the_verification() -> None:
    site, flash = Site(), job("flash", "flash:1").replace("spec:", "spec:\n  ttlSecondsAfterFinished: 0", 1)
    report = site.deploy(shop("web:1", "migrate:1", flash))
    assert report.outcome is Outcome.SUCCEEDED
    assert "flash" not in {ref.name for ref in site.cluster.stored if ref.kind == "Job"}
    assert len(site.releases.known().releases) == 1


def test_a_namespace_that_is_being_deleted_is_not_deployed_to() -> None:
    site = Site()
    going = {"name": SHOP, "deletionTimestamp": "2026-01-01T00:00:00Z"}
    site.cluster.put({"apiVersion": "v1", "kind": "Namespace", "metadata": going})
    with pytest.raises(PreflightRefused, match="is being deleted") as caught:
        site.deploy(V1)
    assert "kubectl describe namespace" in caught.value.remedy


def test_an_unchanged_deploy_neither_writes_nor_asks_for_releases(site: Site) -> None:
    """I4"""
    site.cluster.mutations.clear()
    site.releases.calls.clear()
    assert site.deploy(V1).outcome is Outcome.SUCCEEDED
    assert (site.cluster.mutations, site.releases.calls) == ([], [])


def test_values_of_secrets_are_not_recorded(site: Site) -> None:
    """I6"""
    assert SECRET not in site.releases.read(1).text
    assert '"name":"login"' in site.releases.read(1).text


def test_a_deploy_that_fails_is_no_release_and_stays_pending(site: Site) -> None:
    site.simulation.behaviours["web"] = Behaviour(fault=CRASH)
    assert site.deploy(V2).outcome is Outcome.FAILED
    known = site.releases.known()
    assert ([each.number for each in known.releases], known.pending is not None) == ([1], True)


def test_a_deploy_that_does_not_pass_its_verification_is_no_release(site: Site) -> None:
    killed = {"name": "app", "lastState": {"terminated": {"reason": "OOMKilled"}}}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "worker", "namespace": SHOP}}
    site.cluster.put({**pod, "status": {"containerStatuses": [killed]}})
    report = site.deploy(V2)
    assert report.rollout is not None
    assert (report.rollout.outcome, report.outcome) == (Outcome.SUCCEEDED, Outcome.FAILED)
    assert [each.number for each in site.releases.known().releases] == [1]


def test_a_dry_run_records_nothing(site: Site) -> None:
    site.releases.calls.clear()
    site.deploy(V2, dry_run=True)
    assert site.releases.calls == []


def test_a_deploy_of_a_part_is_no_release_and_the_next_whole_one_is(site: Site) -> None:
    newer = shop("web:2")
    assert site.deploy(newer, only=("web",)).outcome is Outcome.SUCCEEDED
    known = site.releases.known()
    assert known.pending is not None
    assert (len(known.releases), known.pending.facts["only"]) == (1, "web")
    assert site.deploy(newer).plan.is_empty
    assert ([each.number for each in site.releases.known().releases], site.releases.pending()) == ([2, 1], None)


def test_a_rollback_brings_the_objects_back_runs_no_job_and_is_a_release_itself(second: Site) -> None:
    runs = dict(second.simulation.runs)
    report = second.rollback()
    assert report.outcome is Outcome.SUCCEEDED
    assert report.verified is not None
    assert report.verified.passed
    assert second.image("web") == "web:1"
    assert ObjectRef("apps", "Deployment", SHOP, "extra") not in second.cluster.stored
    assert dict(second.simulation.runs) == runs
    newest = second.releases.known().newest
    assert newest is not None
    assert (newest.number, newest.rollback_to) == (3, 1)


def test_a_second_rollback_goes_further_back_and_not_forth(second: Site) -> None:
    second.rollback()
    with pytest.raises(PreflightRefused, match="release 1 is the oldest"):
        second.rollback()
    assert second.rollback(2).outcome is Outcome.SUCCEEDED
    assert second.image("web") == "web:2"


def test_after_a_failed_deploy_a_rollback_goes_back_to_the_last_one_that_stood(second: Site) -> None:
    second.simulation.behaviours["extra"] = Behaviour(fault=CRASH)
    second.deploy(shop("web:3", "migrate:1", deployment("extra", "extra:2")))
    del second.simulation.behaviours["extra"]
    assert second.rollback().outcome is Outcome.SUCCEEDED
    assert (second.image("web"), second.image("extra")) == ("web:2", "extra:1")
    known = second.releases.known()
    assert ([each.number for each in known.releases], known.pending) == ([2, 1], None)


def test_a_rollback_past_a_migration_is_refused_by_name_and_changes_nothing(site: Site) -> None:
    site.deploy(MIGRATED)
    site.cluster.mutations.clear()
    with pytest.raises(TargetRefused, match="a database is newer than release 1 knows") as refused:
        site.rollback()
    assert refused.value.details == ("migrate: the database was migrated by migrate:2; the release brings migrate:1",)
    assert "--accept-newer-schema" in refused.value.remedy
    assert site.cluster.mutations == []


def test_a_dry_run_of_it_is_refused_too(site: Site) -> None:
    site.deploy(MIGRATED)
    with pytest.raises(TargetRefused, match="newer"):
        site.rollback(dry_run=True)


def test_a_user_who_knows_better_goes_back_and_the_old_migration_does_not_run(site: Site) -> None:
    site.deploy(MIGRATED)
    runs = dict(site.simulation.runs)
    assert site.rollback(accept=True).outcome is Outcome.SUCCEEDED
    assert (site.image("web"), site.image("migrate", "Job")) == ("web:1", "migrate:2")
    assert dict(site.simulation.runs) == runs
    assert site.releases.read(3).migrations["migrate"].runs == "migrate:2"
    assert site.deploy(MIGRATED).outcome is Outcome.SUCCEEDED
    assert dict(site.simulation.runs) == runs, "the database is migrated, so the way forward runs nothing either"


def test_a_migration_of_a_deploy_that_failed_counts_as_done(site: Site) -> None:
    site.simulation.behaviours["web"] = Behaviour(fault=CRASH)
    assert site.deploy(MIGRATED).outcome is Outcome.FAILED
    with pytest.raises(TargetRefused, match="newer"):
        site.rollback()


def test_a_migration_that_a_ttl_removed_still_counts(site: Site) -> None:
    site.simulation.behaviours["web"] = Behaviour(fault=CRASH)
    site.deploy(MIGRATED)
    site.cluster.vanish(ObjectRef("batch", "Job", SHOP, "migrate"))
    with pytest.raises(TargetRefused, match="newer") as refused:
        site.rollback()
    assert "an image that is not recorded" in refused.value.details[0]


def test_a_kind_that_the_render_has_lost_altogether_is_pruned_too(second: Site) -> None:
    second.deploy(tuple(each for each in V2 if each.ref.kind != "Job"))
    assert ObjectRef("batch", "Job", SHOP, "migrate") not in second.cluster.stored


def test_a_release_whose_job_was_pruned_since_is_verified_and_its_job_not_run(second: Site) -> None:
    second.deploy(tuple(each for each in V2 if each.ref.kind != "Job"))
    assert second.rollback().outcome is Outcome.SUCCEEDED
    assert second.simulation.runs["migrate"] == 1


def test_a_secret_keeps_its_live_value_and_a_lost_one_refuses_the_rollback(site: Site) -> None:
    login = ObjectRef("", "Secret", SHOP, "login")
    site.deploy(shop("web:2", password="Y2hhbmdlZA=="))
    site.rollback()
    assert site.cluster.body(login)["data"] == {"password": "Y2hhbmdlZA=="}
    site.cluster.vanish(login)
    with pytest.raises(PreflightRefused, match="lacks 1 Secret, whose values were never recorded") as refused:
        site.rollback(2)
    assert refused.value.details == ("secret/login",)


def test_a_rollback_killed_at_any_write_is_finished_by_the_same_command() -> None:
    """F18: not only the objects are the same afterwards, the record is too."""

    def prepared() -> Site:
        site = Site()
        site.deploy(V1)
        site.deploy(V2)
        site.cluster.mutations.clear()
        return site

    undisturbed = prepared()
    undisturbed.rollback()
    count, wanted, record = len(undisturbed.cluster.mutations), undisturbed.dump(), list(undisturbed.releases.kept)
    assert {"begin", "apply", "delete", "record", "finish"} <= set(undisturbed.mutations())
    for cut in ("before", "after"):
        for number in range(1, count + (cut == "before")):
            site = prepared()
            site.cluster.kill_at = (number, cut)
            with pytest.raises(Killed):
                site.rollback()
            site.cluster.kill_at = None
            where = f"{cut} the answer of mutation {number} of {undisturbed.mutations()}"
            if site.releases.pending() is not None or 3 not in site.releases.kept:
                assert site.rollback().outcome is Outcome.SUCCEEDED, where
            assert site.dump() == wanted, where
            assert (list(site.releases.kept), site.releases.pending()) == (record, None), where
            assert site.simulation.runs["migrate"] == 1, where


def test_a_deploy_killed_at_any_write_is_recorded_once_by_the_next_one() -> None:
    undisturbed = Site()
    undisturbed.deploy(V1)
    for number in range(1, len(undisturbed.cluster.mutations)):
        site = Site()
        site.cluster.kill_at = (number, "after")
        with pytest.raises(Killed):
            site.deploy(V1)
        site.cluster.kill_at = None
        assert site.deploy(V1).outcome is Outcome.SUCCEEDED
        assert (list(site.releases.kept), site.releases.pending()) == ([1], None), number
        site.cluster.mutations.clear()
        site.deploy(V1)
        assert site.cluster.mutations == [], f"I4 after a kill at {number}"


def test_resume_needs_something_to_go_on_with(site: Site) -> None:
    with pytest.raises(PreflightRefused, match="nothing to resume"):
        require_resumable(site.releases, V1, recorded(V1), SHOP)


def test_resume_goes_on_with_the_same_render_and_names_what_differs(site: Site) -> None:
    site.simulation.behaviours["web"] = Behaviour(fault=CRASH)
    site.deploy(V2)
    require_resumable(site.releases, V2, recorded(V2), SHOP)
    with pytest.raises(PreflightRefused, match="render has changed") as refused:
        require_resumable(site.releases, MIGRATED, recorded(MIGRATED), SHOP)
    assert refused.value.details == (
        "removed: deployment/extra",
        "changed: configmap/settings",
        "changed: job/migrate",
    )


def test_after_a_destroy_no_release_is_live_and_a_rollback_goes_to_the_newest(second: Site) -> None:
    note_destroyed(second.releases, {}, second.said.append, volumes=False)
    second.cluster.vanish(ObjectRef("apps", "Deployment", SHOP, "web"))
    assert second.releases.known().pending is not None
    with pytest.raises(PreflightRefused, match="was destroyed"):
        require_resumable(second.releases, V2, recorded(V2), SHOP)
    assert second.rollback().outcome is Outcome.SUCCEEDED
    assert (second.image("web"), second.releases.known().pending) == ("web:2", None)


def test_a_rollback_brings_nothing_back_on_data_that_was_destroyed(second: Site) -> None:
    note_destroyed(second.releases, {}, second.said.append, volumes=True)
    with pytest.raises(PreflightRefused, match="runs no migration"):
        second.rollback(1)


def test_a_destroy_of_what_was_never_recorded_notes_nothing() -> None:
    site = Site()
    note_destroyed(site.releases, {}, site.said.append, volumes=True)
    assert site.cluster.mutations == []


class Forbidding(FakeReleases):
    """Releases may be read and not written."""

    def begin(self, text: str, facts: Mapping[str, str]) -> None:
        raise OperationFailed("forbidden")


def test_a_note_that_is_refused_keeps_nobody_from_destroying(site: Site) -> None:
    forbidding, said = Forbidding(site.cluster, SHOP), []
    forbidding.kept = site.releases.kept
    note_destroyed(forbidding, {}, said.append, volumes=False)
    assert said == ["warning: deploy.history will still call a release live: forbidden"]


def test_resume_does_not_turn_a_rollback_or_a_part_into_a_deploy(second: Site) -> None:
    second.simulation.behaviours["web"] = Behaviour(fault=CRASH)
    second.rollback()
    with pytest.raises(PreflightRefused, match="is a rollback to release 1"):
        require_resumable(second.releases, V1, recorded(V1), SHOP)
    second.deploy(shop("web:3"), only=("web",))
    with pytest.raises(PreflightRefused, match="of a part only: web"):
        require_resumable(second.releases, V1, recorded(V1), SHOP)

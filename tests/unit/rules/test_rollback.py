"""Which release is meant, and whether its databases let it."""

from __future__ import annotations

from typing import Any

import pytest

from bakery_ops.errors import PreflightRefused, TargetRefused, UsageError
from bakery_ops.model.contract import Stage
from bakery_ops.model.graph import Graph
from bakery_ops.rules.releases import Contents, Known, Migration, Release, brought
from bakery_ops.rules.rollback import chosen, newer, refuse, require_same_place
from tests.rollouts import node


def known(*rollbacks: int | None, pending: dict[str, str] | None = None) -> Known:
    """Releases 1, 2, …; each says of which number it is a rollback, or None."""
    releases = [
        Release(number, 0.0, {} if back is None else {"rollback": str(back)})
        for number, back in enumerate(rollbacks, 1)
    ]
    return Known(tuple(reversed(releases)), None if pending is None else Release(0, 0.0, pending))


@pytest.mark.parametrize(
    ("recorded", "wanted", "number"),
    [
        (known(None, None, None), None, 2),
        (known(None, None, None), 1, 1),
        (known(None, None, None), 3, 3),
        (known(None, None, None, 2), None, 1),  # the live one is release 2 again: the one before that
        (known(None, None, pending={}), None, 2),  # a deploy failed: back to the last that stood
        (known(None, None, pending={"only": "web"}), None, 2),
        (known(None, None, pending={"rollback": "1"}), None, 1),  # a rollback was interrupted: on with it
    ],
)
def test_the_release_meant(recorded: Known, wanted: int | None, number: int) -> None:
    assert chosen(recorded, wanted, "shop").number == number


@pytest.mark.parametrize(
    ("recorded", "wanted", "error", "sentence"),
    [
        (known(), None, PreflightRefused, "no release is recorded in the namespace shop"),
        (known(), 1, PreflightRefused, "no release is recorded in the namespace shop"),
        (known(None), None, PreflightRefused, "release 1 is the oldest one recorded; there is none before it"),
        (known(None, None, 1), None, PreflightRefused, "release 1 is the oldest"),
        (known(None, None), 7, UsageError, "there is no release 7 in the namespace shop"),
        (known(None, None), 0, UsageError, "there is no release 0 in the namespace shop"),
        (known(None, pending={"rollback": "9"}), None, UsageError, "there is no release 9"),  # forgotten meanwhile
    ],
)
def test_a_release_that_cannot_be_meant(recorded: Known, wanted: int | None, error: type, sentence: str) -> None:
    with pytest.raises(error, match=sentence):
        chosen(recorded, wanted, "shop")


def test_another_profile_or_namespace_is_refused_with_the_right_one() -> None:
    release = Release(2, 0.0, {"profile": "dev", "namespace": "shop"})
    require_same_place(release, "dev", "shop")
    with pytest.raises(TargetRefused, match="profile 'dev', not 'prod'"):
        require_same_place(release, "prod", "shop")
    with pytest.raises(TargetRefused, match="namespace 'shop', not 'other'"):
        require_same_place(release, "dev", "other")


def job(image: str, **more: Any) -> Graph:
    container = {"name": "migrate", "image": image}
    spec = {"template": {"spec": {"containers": [container]}}, **more}
    return Graph([node("auth-migration", "Job", Stage.MIGRATION, spec=spec), node("seed", "Job", Stage.SEED)])


OLD = job("auth:1")
KNOWS = brought(OLD["auth-migration"])


def judged(database: Migration, recorded: Migration | None = KNOWS) -> list[str]:
    """What is newer about this database than a release with OLD's migration."""
    contents = Contents(Release(1, 0.0, {}), "", {} if recorded is None else {"auth-migration": recorded})
    return [str(each) for each in newer(OLD, contents, {"auth-migration": database})]


@pytest.mark.parametrize(
    "database",
    [
        KNOWS,
        KNOWS._replace(content="other", head=""),  # the same command of the same image, with more memory
        KNOWS._replace(runs="", head=""),  # the same Job, though its image was not recorded
    ],
)
def test_the_same_job_or_the_same_command_of_the_same_image_is_the_same_schema(database: Migration) -> None:
    assert judged(database) == []


def test_the_same_head_is_the_same_schema_whatever_the_image_is_called() -> None:
    assert judged(Migration("auth:2", "other", "0002"), KNOWS._replace(head="0002")) == []


def test_another_head_is_newer_even_under_the_same_name() -> None:
    """A tag such as :dev names another image every day."""
    found = judged(KNOWS._replace(head="0003"), KNOWS._replace(head="0002"))
    assert found == [
        "auth-migration: the database was migrated by auth:1 (head 0003); the release brings auth:1 (head 0002)"
    ]


@pytest.mark.parametrize(
    ("database", "says"),
    [
        (Migration("auth:2 migrate", "other"), "was migrated by auth:2;"),
        (Migration("auth:2", "other", "0003"), "was migrated by auth:2 (head 0003);"),
        (Migration("auth:2", "other", complete=False), "has an unfinished migration by auth:2;"),
        (Migration("", "other"), "was migrated by an image that is not recorded;"),
    ],
)
def test_another_migration_without_heads_on_both_sides_may_be_newer(database: Migration, says: str) -> None:
    (found,) = judged(database)
    assert says in found
    assert found.endswith("the release brings auth:1")


def test_two_migrations_of_one_image_are_told_apart() -> None:
    (found,) = judged(Migration("auth:1 migrate --all", "other"))
    assert found.endswith("was migrated by auth:1; the release brings auth:1 with another command or template")


def test_a_head_recorded_for_another_migration_is_not_the_releases_own() -> None:
    """A rollback records what its databases had seen, which is more than its text knows."""
    recorded = Migration("auth:2", "other", "0003")
    assert judged(Migration("auth:2", "other", "0003"), recorded) != []


def test_all_databases_are_named_in_one_refusal_with_what_to_do() -> None:
    (found,) = newer(OLD, Contents(Release(1, 0.0, {}), "", {}), {"auth-migration": Migration("auth:2", "other")})
    with pytest.raises(TargetRefused, match="2 databases are newer than release 1 knows") as refused:
        refuse((found, found._replace(node="tenant-migration")), 1)
    assert [line.partition(":")[0] for line in refused.value.details] == ["auth-migration", "tenant-migration"]
    assert {"deploy forward", "restore a backup", "--accept-newer-schema"} <= {
        word for word in ("deploy forward", "restore a backup", "--accept-newer-schema") if word in refused.value.remedy
    }
    refuse((), 1)

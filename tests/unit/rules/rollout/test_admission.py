"""Who may start, and when."""

from __future__ import annotations

from bakery_ops.model.contract import Stage
from bakery_ops.model.live import Taint
from bakery_ops.rules.plan import Action
from bakery_ops.rules.readiness.observation import Machine
from bakery_ops.rules.rollout import width
from bakery_ops.rules.rollout.events import (
    Apply,
    ApplyAccepted,
    ObjectChanged,
    ObjectDeleted,
    Outcome,
    ReplaceJob,
)
from bakery_ops.rules.rollout.options import FailMode, Options
from bakery_ops.rules.verdict import Applied, Verdict
from bakery_ops.workflows.rollout_requests import live_object
from tests.rollouts import Table, looks, node


def test_a_node_is_applied_only_when_everything_it_needs_is_ready() -> None:
    table = Table(
        node("auth-db", "StatefulSet", Stage.DATABASE),
        node("auth-migration", "Job", Stage.MIGRATION, needs=["auth-db"]),
        node("auth-service", needs=["auth-migration"]),
    )
    assert table.sent == ["auth-db"]
    table.accept("auth-db")
    assert table.sent == ["auth-db"]
    table.see("auth-db", "ready")
    assert table.sent == ["auth-db", "auth-migration"]
    table.start("auth-migration", "progressing")
    assert table.sent == ["auth-db", "auth-migration"]
    table.see("auth-migration", "ready")
    assert table.sent[-1] == "auth-service"


def test_after_waits_for_the_apply_and_not_for_readiness() -> None:
    table = Table(node("configmap/app", "ConfigMap", Stage.FOUNDATION), node("web", after=["configmap/app"]))
    assert table.sent == ["configmap/app"]
    table.accept("configmap/app", verdict="progressing")
    assert table.sent == ["configmap/app", "web"]


def test_objects_that_start_nothing_are_sent_kind_by_kind_in_turn_and_before_workloads() -> None:
    table = Table(
        *(node(f"configmap/{name}", "ConfigMap", Stage.FOUNDATION, after=[]) for name in "abc"),
        *(node(f"service/{name}", "Service", Stage.FOUNDATION) for name in "ab"),
        node("web"),
    )
    assert table.sent == ["configmap/a", "service/a", "configmap/b", "service/b", "configmap/c", "web"]


def test_relies_never_delays_an_apply() -> None:
    table = Table(node("service/web", "Service", relies=["web"]), node("web"))
    assert set(table.sent) == {"service/web", "web"}


def test_no_more_than_width_workloads_are_started_and_not_ready_at_one_time() -> None:
    table = Table(*(node(f"s{index}") for index in range(5)), options=Options(width=2))
    assert len(table.sent) == 2
    table.accept("s0")
    assert len(table.sent) == 2, "a slot is freed when the node is Ready, not when it is applied"
    table.see("s0", "ready")
    assert len(table.sent) == 3


def test_objects_that_start_nothing_do_not_count_against_the_width() -> None:
    table = Table(
        *(node(f"configmap/c{index}", "ConfigMap", Stage.FOUNDATION) for index in range(50)),
        node("web"),
        options=Options(width=1),
    )
    assert len(table.sent) == 51


def test_a_failed_node_gives_its_slot_back() -> None:
    table = Table(node("a"), node("b"), options=Options(width=1, fail_mode=FailMode.NEVER))
    table.start("a", "failed")
    assert table.sent == ["a", "b"]


def test_when_slots_are_short_the_longest_chain_goes_first() -> None:
    table = Table(
        node("a-leaf"),
        node("z-root"),
        node("z-middle", needs=["z-root"]),
        node("z-end", needs=["z-middle"]),
        options=Options(width=1),
    )
    assert table.sent == ["z-root"]


def test_an_unchanged_node_is_not_applied_but_its_dependents_wait_for_it() -> None:
    redis = node("redis", stage=Stage.INFRASTRUCTURE)
    table = Table(
        redis, node("web", needs=["redis"]), actions={"redis": Action.SKIP}, snapshot=[looks(redis, "progressing")]
    )
    assert table.sent == []
    table.see("redis", "ready")
    assert table.sent == ["web"]


def test_a_finished_job_is_replaced_by_the_uid_the_plan_saw() -> None:
    table = Table(node("seed", "Job", Stage.SEED), actions={"seed": Action.REPLACE_JOB})
    assert table.commands[0] == ReplaceJob("seed", "old-seed")


def test_a_job_done_in_an_earlier_run_counts_as_ready_and_is_not_sent() -> None:
    table = Table(
        node("migration", "Job", Stage.MIGRATION), node("web", needs=["migration"]), actions={"migration": Action.DONE}
    )
    assert table.sent == ["web"]
    assert table.verdict("migration") is Verdict.READY


def test_a_node_that_waits_for_many_names_three_and_workloads_first() -> None:
    others = [node(f"configmap/{letter}", "ConfigMap", Stage.FOUNDATION) for letter in "abcd"]
    table = Table(*others, node("redis"), node("web", needs=["redis"], after=[each.name for each in others]))
    assert table.rollout.nodes["web"].message == "waits for redis, configmap/a, configmap/b and 2 more"


def test_dependents_of_a_failed_node_are_never_sent() -> None:
    table = Table(node("db", "StatefulSet", Stage.DATABASE), node("web", needs=["db"]))
    table.start("db", "failed")
    table.wait(60)
    assert table.sent == ["db"]


def test_after_a_failure_its_stage_goes_on_and_no_later_stage_begins() -> None:
    """Siblings may show further causes (faults F23); a later phase must not start (I3)."""
    table = Table(
        node("bad", "StatefulSet", Stage.DATABASE),
        node("slow", "StatefulSet", Stage.DATABASE),
        node("late", "StatefulSet", Stage.DATABASE, needs=["slow"]),
        node("web", needs=["slow"]),
    )
    table.start("bad", "failed")
    table.start("slow", "ready")
    assert "late" in table.sent
    assert "web" not in table.sent


def test_fail_mode_never_starts_everything_that_does_not_depend_on_the_failure() -> None:
    table = Table(
        node("bad", "StatefulSet", Stage.DATABASE),
        node("good", "StatefulSet", Stage.DATABASE),
        node("web", needs=["good"]),
        node("doomed", needs=["bad"]),
        options=Options(fail_mode=FailMode.NEVER),
    )
    table.start("bad", "failed")
    table.start("good", "ready")
    assert "web" in table.sent
    assert "doomed" not in table.sent


def test_a_node_that_lost_a_dependency_again_before_its_turn_waits() -> None:
    table = Table(node("a"), node("b"), node("web", needs=["a", "b"]))
    table.start("a", "ready")
    table.see("a", "progressing")
    table.start("b", "ready")
    assert "web" not in table.sent
    table.see("a", "ready")
    assert "web" in table.sent


def test_an_object_that_is_being_deleted_is_applied_again_when_it_is_gone() -> None:
    """Tilt guards the same race (tilt#6048)."""
    table = Table(node("web"))
    body = {
        **table.graph["web"].manifest.body,
        "metadata": {
            "name": "web",
            "namespace": "bakery-ia",
            "uid": "dying",
            "deletionTimestamp": "2023-11-14T22:13:20Z",
        },
    }
    table.tell(ApplyAccepted(table.now, "web", Applied("dying", 1, "h", table.now, False, False), live_object(body)))
    assert table.sent == ["web"]
    table.tell(ObjectDeleted(table.now, table.graph["web"].ref, "dying"))
    assert table.sent == ["web", "web"]
    table.start("web", "ready", uid="fresh")
    assert table.verdict("web") is Verdict.READY


def test_an_object_whose_end_is_told_before_the_answer_about_it_is_applied_again_at_once() -> None:
    """The stream may be faster than the answer to our own write."""
    table = Table(node("web"))
    web = table.graph["web"]
    dying = looks(web, "progressing", uid="dying")
    metadata = {**web.manifest.body["metadata"], "uid": "dying", "deletionTimestamp": "2023-11-14T22:13:20Z"}
    table.tell(ObjectChanged(table.now, dying), ObjectDeleted(table.now, web.ref, "dying"))
    table.tell(
        ApplyAccepted(
            table.now,
            "web",
            Applied("dying", 1, "h", table.now, False, False),
            live_object({**web.manifest.body, "metadata": metadata}),
        )
    )
    assert table.sent == ["web", "web"]
    table.start("web", "ready", uid="fresh")
    table.wait(10)
    assert table.rollout.outcome is Outcome.SUCCEEDED


def test_an_answer_about_an_object_that_is_gone_by_now_does_not_bring_it_back() -> None:
    table = Table(node("web"))
    web = table.graph["web"]
    table.see("web", "progressing", uid="gone")
    table.tell(ObjectDeleted(table.now, web.ref, "gone"))
    table.accept("web", verdict="ready", uid="gone")
    assert table.verdict("web") is Verdict.PROGRESSING
    assert table.rollout.world.of(web.ref) is None


def test_every_command_names_a_node_once() -> None:
    table = Table(*(node(f"s{index}") for index in range(3)))
    for name in ("s0", "s1", "s2"):
        table.start(name, "ready")
        table.see(name, "ready")
    table.wait(60)
    assert [command for command in table.commands if isinstance(command, Apply)] == [
        Apply("s0"),
        Apply("s1"),
        Apply("s2"),
    ]


def killing(table: Table, count: int = 1, at: str = "2023-11-14T22:13:30Z") -> ObjectChanged:
    """The kubelet kills a container of s0 because its startup probe failed."""
    table.tell(ObjectChanged(table.now, looks(table.graph["s0"], "progressing")))
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "e", "namespace": "bakery-ia", "uid": "e", "resourceVersion": str(count)},
        "involvedObject": {"uid": "uid-s0", "name": "s0-x"},
        "reason": "Killing",
        "message": "Container app failed startup probe, will be restarted",
        "lastTimestamp": at,
        "count": count,
    }
    return ObjectChanged(table.now, live_object(event))


def test_large_nodes_start_more_workloads_at_one_time_and_small_ones_no_fewer() -> None:
    small, large = Machine("small", 2000, 0), Machine("large", 16_000, 0)
    assert width.first((), least=16) == 16
    assert width.first((small,), least=16) == 16
    assert width.first((small, large), least=16) == 72


def test_nodes_on_which_no_pod_may_start_widen_nothing() -> None:
    machines = (
        Machine("down", 16_000, 0, is_ready=False),
        Machine("cordoned", 16_000, 0, unschedulable=True),
        Machine("tainted", 16_000, 0, taints=(Taint("dedicated", "", "NoSchedule"),)),
        Machine("shunned", 8000, 0, taints=(Taint("spot", "", "PreferNoSchedule"),)),
    )
    assert width.first(machines, least=16) == 32


def test_a_kill_by_a_probe_halves_the_width_and_success_widens_it_again() -> None:
    table = Table(*(node(f"s{index}") for index in range(20)), options=Options(width=8))
    assert len(table.sent) == 8
    table.accept("s0")
    table.tell(killing(table))
    assert table.rollout.width == 4
    for name in table.sent[1:5]:
        table.start(name, "ready")
    assert table.rollout.width == 8
    assert len(table.sent) == 12


def test_one_kill_counts_once_and_an_old_one_not_at_all() -> None:
    table = Table(*(node(f"s{index}") for index in range(20)), options=Options(width=8))
    table.accept("s0")
    table.tell(killing(table, at="2023-11-14T22:13:10Z"))
    assert table.rollout.width == 8, "it happened before this deploy"
    table.tell(killing(table, 2), killing(table, 2))
    assert table.rollout.width == 4
    table.tell(killing(table, 3))
    assert table.rollout.width == 2
    table.tell(killing(table, 4))
    assert table.rollout.width == 2, "never narrower than two"


def test_a_width_of_one_stays_one() -> None:
    table = Table(*(node(f"s{index}") for index in range(4)), options=Options(width=1))
    table.accept("s0")
    table.tell(killing(table))
    assert (len(table.rollout.kills), table.rollout.width) == (1, 1)

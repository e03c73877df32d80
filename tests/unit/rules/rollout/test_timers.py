"""Stage deadline, no-progress timer, stability window; all in virtual time."""

from __future__ import annotations

from bakery_ops.model.contract import Stage
from bakery_ops.rules.plan import Action
from bakery_ops.rules.rollout.events import (
    FetchLog,
    LogTailArrived,
    ObjectChanged,
    Outcome,
    StreamLost,
    TimeJumped,
    TimePassed,
)
from bakery_ops.rules.rollout.options import STREAMED_KINDS, FailMode, Options
from bakery_ops.rules.rollout.result import STALE, result
from bakery_ops.rules.rollout.view import causes
from bakery_ops.rules.verdict import Verdict
from bakery_ops.workflows.rollout_requests import live_object
from tests.rollouts import START, Table, looks, node

PATIENT = Options(no_progress=10_000.0)


def test_a_stage_past_its_deadline_ends_the_rollout_timed_out() -> None:
    table = Table(node("web"), options=PATIENT)
    table.start("web", "progressing", message="0/1 ready")
    table.wait(599.9)
    assert table.rollout.outcome is None
    table.wait(0.2)
    assert table.rollout.outcome is Outcome.TIMED_OUT
    assert [cause.sentence for cause in causes(table.rollout)] == ["web is not ready yet: 0/1 ready"]


def test_progress_does_not_move_the_stage_deadline() -> None:
    table = Table(node("web"), options=PATIENT)
    table.start("web", "progressing")
    for step in range(11):
        table.wait(55)
        table.see("web", "progressing", progress=step)
    assert table.rollout.outcome is Outcome.TIMED_OUT


def test_the_deadline_of_a_stage_runs_from_its_own_first_start() -> None:
    table = Table(node("db", "StatefulSet", Stage.DATABASE), node("web", needs=["db"]), options=PATIENT)
    table.wait(500)
    table.start("db", "ready")
    table.start("web", "progressing")
    table.wait(500)
    assert table.rollout.outcome is None
    table.wait(101)
    assert table.rollout.outcome is Outcome.TIMED_OUT


def test_a_node_without_progress_fails_with_its_last_message() -> None:
    table = Table(node("web"))
    table.start("web", "progressing", message="0/1 ready")
    table.wait(239.9)
    assert table.verdict("web") is Verdict.PROGRESSING
    table.wait(0.2)
    assert table.verdict("web") is Verdict.FAILED
    (evidence,) = table.rollout.nodes["web"].evidence
    assert evidence.reason == "NoProgress"
    assert evidence.message.startswith("0/1 ready")


def test_every_sign_of_progress_starts_the_no_progress_timer_anew() -> None:
    table = Table(node("web"))
    table.start("web", "progressing", progress=1)
    table.wait(200)
    table.see("web", "progressing", progress=2)
    table.wait(200)
    assert table.verdict("web") is Verdict.PROGRESSING
    table.wait(41)
    assert table.verdict("web") is Verdict.FAILED


def test_a_status_that_says_the_same_is_no_progress() -> None:
    table = Table(node("web"))
    table.start("web", "progressing", progress=1)
    for _ in range(24):
        table.wait(10)
        table.see("web", "progressing", progress=1)
    assert table.verdict("web") is Verdict.FAILED


def test_the_no_progress_timer_rests_while_another_node_holds_this_one_up() -> None:
    table = Table(node("redis"), node("web", needs=["redis"]), options=Options(stage_deadline=5000))
    table.start("redis", "ready")
    table.start("web", "progressing")
    table.see("redis", "progressing", progress=1)
    for step in range(4):
        table.wait(200)
        table.see("redis", "progressing", progress=step + 2)
    assert table.verdict("web") is Verdict.BLOCKED
    table.see("redis", "ready")
    table.wait(239)
    assert table.verdict("web") is Verdict.PROGRESSING
    table.wait(2)
    assert table.verdict("web") is Verdict.FAILED


def test_a_wait_for_a_ready_node_that_never_ends_is_the_waiting_nodes_own_failure() -> None:
    table = Table(node("redis"), node("web", needs=["redis"], waits={"redis": "redis"}))
    table.start("redis", "ready")
    table.start("web", "blocked", waiting_for=["redis"])
    assert table.verdict("web") is Verdict.PROGRESSING, "an edge to a Ready node is dropped"
    table.wait(241)
    (cause,) = causes(table.rollout)
    assert cause.node == "web"
    assert cause.message == "wait-for-redis still running although redis is Ready"


def test_a_wait_for_something_that_is_no_node_is_own_evidence() -> None:
    table = Table(node("web"))
    table.start("web", "blocked", waiting_for=["mainframe"])
    assert table.verdict("web") is Verdict.FAILING
    table.wait(241)
    (cause,) = causes(table.rollout)
    assert cause.sentence == (
        "web is down: UnknownDependency: wait-for-mainframe is running, but mainframe is not part of this deploy"
    )


def test_without_its_streams_a_node_is_not_failed_for_standing_still() -> None:
    table = Table(node("web"))
    table.start("web", "progressing")
    table.tell(StreamLost(table.now, "Pod"))
    table.wait(300)
    assert table.verdict("web") is Verdict.PROGRESSING
    table.resync("Pod")
    assert table.verdict("web") is Verdict.FAILED


def test_a_running_jobs_new_log_lines_are_progress() -> None:
    table = Table(node("seed", "Job", Stage.SEED), options=Options(stage_deadline=10_000))
    pod = _running_pod(table)
    fetched = 0
    for line in range(6):
        for command in table.wait(121):
            if isinstance(command, FetchLog):
                fetched += 1
                table.tell(LogTailArrived(table.now, "seed", f"pod/{pod}", command.container, False, (f"row {line}",)))
    assert fetched >= 5
    assert table.verdict("seed") is Verdict.PROGRESSING


def test_a_running_job_that_says_nothing_new_fails() -> None:
    table = Table(node("seed", "Job", Stage.SEED), options=Options(stage_deadline=10_000))
    pod = _running_pod(table)
    for _ in range(8):
        for command in table.wait(60):
            if isinstance(command, FetchLog):
                table.tell(LogTailArrived(table.now, "seed", f"pod/{pod}", command.container, False, ("row 1",)))
    assert table.verdict("seed") is Verdict.FAILED


def test_after_everything_is_ready_the_restart_counts_must_stand_still_for_ten_seconds() -> None:
    table = Table(node("web"))
    table.start("web", "ready", restarts=0)
    table.wait(9.9)
    assert table.rollout.outcome is None
    table.wait(0.2)
    assert table.rollout.outcome is Outcome.SUCCEEDED


def test_a_restart_in_the_stability_window_begins_it_anew() -> None:
    table = Table(node("web"))
    table.start("web", "ready", restarts=0)
    table.wait(8)
    table.see("web", "ready", restarts=1)
    table.wait(9)
    assert table.rollout.outcome is None
    table.wait(3.1)
    assert table.rollout.outcome is Outcome.SUCCEEDED
    assert table.rollout.ended == START + 20


def test_a_node_that_falls_back_in_the_stability_window_is_waited_for_again() -> None:
    table = Table(node("web"))
    table.start("web", "ready")
    table.wait(5)
    table.see("web", "progressing")
    table.wait(30)
    assert table.rollout.outcome is None
    table.see("web", "ready")
    table.wait(10.1)
    assert table.rollout.outcome is Outcome.SUCCEEDED


def test_a_lost_pod_stream_keeps_the_stability_window_open() -> None:
    table = Table(node("web"))
    table.start("web", "ready")
    table.tell(StreamLost(table.now, "Pod"))
    table.wait(60)
    assert table.rollout.outcome is None
    table.resync("Pod")
    assert table.rollout.outcome is Outcome.SUCCEEDED


def test_a_stream_that_never_comes_back_ends_the_stability_window_at_the_deadline() -> None:
    """I7: everything was ready and the API server went away; nobody may wait for ever to see that it stays so."""
    table = Table(node("web"), options=PATIENT)
    table.start("web", "ready")
    table.tell(StreamLost(table.now, "Pod"), StreamLost(table.now, "Deployment"))
    table.wait(599)
    assert table.rollout.outcome is None
    table.wait(2)
    assert table.rollout.outcome is Outcome.UNREACHABLE
    ended = result(table.rollout)
    assert ended.causes == ()
    assert STALE in ended.warnings


def test_a_window_that_begins_late_is_given_a_minute_to_be_seen_through() -> None:
    table = Table(node("web"), options=PATIENT)
    table.start("web", "progressing")
    table.wait(595)
    table.see("web", "ready")
    table.tell(StreamLost(table.now, "Pod"))
    table.wait(65)
    assert table.rollout.outcome is None
    table.wait(6)
    assert table.rollout.outcome is Outcome.UNREACHABLE


def test_jobs_and_configuration_need_no_stability_window() -> None:
    table = Table(node("configmap/app", "ConfigMap", Stage.FOUNDATION), node("seed", "Job", Stage.SEED))
    table.start("configmap/app", "ready")
    table.start("seed", "ready")
    assert table.rollout.outcome is Outcome.SUCCEEDED
    assert table.rollout.ended == START


def test_with_nothing_to_do_and_everything_ready_it_ends_with_its_first_commands() -> None:
    web = node("web")
    table = Table(web, actions={"web": Action.SKIP}, snapshot=[looks(web, "ready")])
    assert table.rollout.outcome is Outcome.SUCCEEDED
    assert table.rollout.ended == START


def test_fail_mode_never_follows_the_other_nodes_after_a_stage_deadline() -> None:
    table = Table(
        node("db", "StatefulSet", Stage.DATABASE),
        node("web"),
        node("behind", needs=["db"]),
        options=Options(no_progress=10_000, stage_deadline=100, fail_mode=FailMode.NEVER),
    )
    table.start("db", "progressing")
    table.wait(50)
    table.start("web", "progressing")
    table.wait(60)
    assert table.rollout.outcome is Outcome.TIMED_OUT, "both stages began at once, so both are over"


def slept(table: Table, seconds: float) -> None:
    """Nobody looks for so long; what comes first afterwards is that, beside a stream that has broken meanwhile."""
    table.now += seconds
    table.tell(TimeJumped(table.now, seconds), StreamLost(table.now, "Pod"), TimePassed(table.now))


def relisted(table: Table) -> None:
    for kind in STREAMED_KINDS:
        table.resync(kind)


def test_a_stages_deadline_stands_still_while_nobody_looks() -> None:
    table = Table(node("web"), options=PATIENT)
    table.start("web", "progressing")
    table.wait(500)
    slept(table, 7200)
    relisted(table)
    table.wait(99)
    assert table.rollout.outcome is None
    table.wait(2)
    assert table.rollout.outcome is Outcome.TIMED_OUT


def test_a_stage_gets_a_minute_after_nobody_looked_however_little_was_left() -> None:
    table = Table(node("redis"), node("web", needs=["redis"]), options=PATIENT)
    table.start("redis", "progressing")
    table.wait(599)
    slept(table, 7200)
    table.wait(20)
    relisted(table)
    table.see("redis", "ready")
    table.start("web", "progressing")
    table.wait(39)
    assert table.rollout.outcome is None
    table.wait(2)
    assert table.rollout.outcome is Outcome.TIMED_OUT


def test_an_api_server_that_stays_away_after_a_sleep_still_ends_the_wait() -> None:
    table = Table(node("web"))
    table.start("web", "progressing")
    slept(table, 7200)
    table.wait(601)
    assert table.rollout.outcome is Outcome.UNREACHABLE


def test_what_nobody_saw_is_no_standstill() -> None:
    table = Table(node("web"))
    table.start("web", "progressing")
    table.wait(200)
    slept(table, 7200)
    relisted(table)
    table.wait(239)
    assert table.verdict("web") is Verdict.PROGRESSING
    table.wait(2)
    assert table.verdict("web") is Verdict.FAILED


def test_a_node_that_had_stood_still_for_too_long_before_stays_failed() -> None:
    table = Table(node("web"), node("shop"), options=Options(fail_mode=FailMode.NEVER))
    table.start("web", "progressing")
    table.start("shop", "progressing", progress=1)
    table.wait(239)
    table.see("shop", "progressing", progress=2)
    table.wait(2)
    slept(table, 7200)
    assert table.verdict("web") is Verdict.FAILED


def test_the_stability_window_begins_anew_and_waits_for_the_list() -> None:
    table = Table(node("web"))
    table.start("web", "ready", restarts=0)
    table.wait(9)
    slept(table, 7200)
    table.wait(11)
    assert table.rollout.outcome is None, "not seen since, so not known to be stable"
    relisted(table)
    assert table.rollout.outcome is Outcome.SUCCEEDED


def test_the_other_causes_are_waited_for_anew_and_the_report_says_how_long_nobody_looked() -> None:
    table = Table(node("web"), node("shop"))
    table.start("web", "failed")
    table.start("shop", "progressing")
    table.wait(9)
    slept(table, 7200)
    table.wait(9)
    assert table.rollout.outcome is None
    table.see("shop", "failed")
    table.wait(2)
    assert {cause.node for cause in causes(table.rollout)} == {"web", "shop"}
    (warning,) = result(table.rollout).warnings
    assert warning.startswith("this machine: it slept or was held up, so nobody looked for 7200 s; ")


def test_answers_are_waited_for_anew_where_the_end_had_begun() -> None:
    table = Table(node("web"), node("shop"))
    table.start("web", "failed")
    table.wait(11)
    assert table.rollout.closing is Outcome.FAILED, "the answer about the other is still out"
    slept(table, 7200)
    assert table.rollout.outcome is None
    table.accept("shop")
    assert table.rollout.outcome is Outcome.FAILED
    assert table.rollout.nodes["shop"].phase.value == "applied"


def _running_pod(table: Table) -> str:
    """The Job is applied and has one running pod; returns the pod's name."""
    table.start("seed", "progressing", uid="job-uid")
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "seed-x",
            "namespace": "bakery-ia",
            "uid": "pod-uid",
            "resourceVersion": "1",
            "ownerReferences": [{"kind": "Job", "name": "seed", "uid": "job-uid"}],
        },
        "status": {"containerStatuses": [{"name": "app", "state": {"running": {"startedAt": "2023-11-14T22:13:20Z"}}}]},
    }
    table.tell(ObjectChanged(table.now, live_object(body)))
    return "seed-x"

"""The driver with the real readiness rules, over a cluster in memory, in virtual time."""

from __future__ import annotations

import itertools
import json
import signal
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from bakery_ops.cluster.clock import ServerClock
from bakery_ops.errors import OperationFailed
from bakery_ops.model.answer import Answer
from bakery_ops.model.content import recorded_hash
from bakery_ops.model.contract import CONTENT_HASH, FENCE, Stage
from bakery_ops.model.graph import Graph
from bakery_ops.model.manifest import ObjectRef
from bakery_ops.rules.plan import plan
from bakery_ops.rules.rollout.events import LeaseLost, Outcome
from bakery_ops.rules.rollout.options import Options
from bakery_ops.rules.rollout.recording import replay
from bakery_ops.rules.rollout.result import RolloutResult, Status, result
from bakery_ops.workflows.rollout import QueueInbox, World, drive, workers
from tests import simulation
from tests.fakes import FakeCluster, FakeInbox, FakeJournal, InlineExecutor, unreachable
from tests.rollouts import node
from tests.simulation import Behaviour, Simulation


def service(name: str, *needs: str) -> list[Any]:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "app", "image": "app:1"}]}}
    return [
        node(
            f"{name}-db",
            "StatefulSet",
            Stage.DATABASE,
            spec={"replicas": 1, "template": {"metadata": {"labels": {"db": name}}}},
        ),
        node(f"{name}-migration", "Job", Stage.MIGRATION, needs=[f"{name}-db"], spec={"template": {"spec": {}}}),
        node(f"{name}-service", needs=[f"{name}-migration", *needs], spec={"replicas": 1, "template": template}),
        node(f"service/{name}-service", "Service", relies=[f"{name}-service"], spec={"selector": labels}),
        node(f"seed-{name}", "Job", Stage.SEED, needs=[f"{name}-service"], spec={"template": {"spec": {}}}),
    ]


def platform(*names: str) -> Graph:
    redis = node(
        "redis",
        "StatefulSet",
        Stage.INFRASTRUCTURE,
        spec={"replicas": 1, "template": {"metadata": {"labels": {"app": "redis"}}}},
    )
    return Graph([redis, *(item for name in names for item in service(name, "redis"))])


class Run:
    """A cluster, its controllers and a journal; `go` is one deploy, as often as wanted."""

    def __init__(self, behaviours: Mapping[str, Behaviour] | None = None) -> None:
        self.cluster = FakeCluster()
        self.simulation = Simulation(self.cluster, behaviours)
        self.journal = FakeJournal(self.cluster)
        self.facts: list[Mapping[str, Any]] = []

    def go(self, graph: Graph, options: Options | None = None, **more: Any) -> RolloutResult:
        cluster = self.cluster
        self.inbox = FakeInbox(cluster)
        pool = InlineExecutor()
        world = World(cluster, cluster, cluster.clock, self.inbox, self.journal, pool, pool)
        decided = plan(graph, cluster.bodies(), self.journal.entries, inventory=more.pop("inventory", ()))
        cluster.mutations.clear()
        cluster.calls.clear()
        listed = list(cluster.stored)
        return drive(
            graph,
            decided,
            options or Options(),
            world,
            snapshot=[cluster.live(ref) for ref in listed],
            synced=STREAMS if listed else (),
            on_event=self.facts.append,
            **more,
        )


STREAMS = ("Pod", "Event", "Deployment", "ReplicaSet", "StatefulSet", "Job", "EndpointSlice", "PersistentVolumeClaim")


def test_a_healthy_platform_comes_up_in_order_and_is_all_applied() -> None:
    run = Run()
    ended = run.go(platform("auth", "orders"))
    assert ended.outcome is Outcome.SUCCEEDED
    assert ended.count(Status.APPLIED) == 11
    applied = [ref.name for verb, ref in run.cluster.mutations if verb == "apply"]
    assert applied.index("auth-db") < applied.index("auth-migration") < applied.index("seed-auth")
    assert run.simulation.runs == {"auth-migration": 1, "orders-migration": 1, "seed-auth": 1, "seed-orders": 1}


def test_a_second_run_of_an_unchanged_platform_sends_nothing_and_takes_no_time() -> None:
    """Promise I4."""
    run = Run()
    graph = platform("auth")
    run.go(graph)
    ended = run.go(graph)
    assert ended.outcome is Outcome.SUCCEEDED
    assert run.cluster.mutations == []
    assert run.cluster.calls == []
    assert ended.seconds == 0
    assert ended.count(Status.UNCHANGED) == len(graph)


def test_completed_jobs_that_their_ttl_removed_are_not_run_again() -> None:
    run = Run()
    graph = platform("auth")
    run.go(graph)
    run.cluster.vanish(graph["auth-migration"].ref)
    assert run.go(graph).outcome is Outcome.SUCCEEDED
    assert run.simulation.runs["auth-migration"] == 1


def test_what_somebody_changed_is_applied_again() -> None:
    run = Run()
    graph = platform("auth")
    run.go(graph)
    ref = graph["service/auth-service"].ref
    run.cluster.change(ref, lambda body: body["spec"].update(selector={"app": "other"}), "kubectl-edit")
    ended = run.go(graph)
    assert ended.outcome is Outcome.FAILED
    (cause,) = ended.causes
    assert cause.reason == "FieldConflict"
    assert 'spec.selector.app (conflict with "kubectl-edit")' in cause.message


def test_a_changed_job_is_replaced_once_and_nothing_else_is_touched() -> None:
    run = Run()
    run.go(platform("auth"))
    changed = Graph(
        [
            item
            if item.name != "seed-auth"
            else node("seed-auth", "Job", Stage.SEED, needs=["auth-service"], spec={"template": {"spec": {"v": 2}}})
            for item in platform("auth").values()
        ]
    )
    ended = run.go(changed)
    assert ended.outcome is Outcome.SUCCEEDED
    assert [verb for verb, ref in run.cluster.mutations if ref.name == "seed-auth"] == ["delete", "apply"]
    assert {ref.name for verb, ref in run.cluster.mutations if verb != "journal"} == {"seed-auth"}
    assert run.simulation.runs["seed-auth"] == 2


CASES = [
    (simulation.MISSING_SECRET, 'redis is down: CreateContainerConfigError: secret "app-secrets" not found'),
    (simulation.BAD_IMAGE, "redis is down: ErrImagePull: failed to pull image: manifest unknown"),
    (simulation.CRASH, "redis is down: CrashLoopBackOff: "),
    (simulation.OUT_OF_MEMORY, "redis is down: OOMKilled: "),
    (simulation.UNSCHEDULABLE, "redis is down: Unschedulable: 0/1 nodes are available"),
    (simulation.STUCK, "redis is down: NoProgress: "),
]


@pytest.mark.parametrize(("fault", "sentence"), CASES)
def test_one_broken_node_is_one_sentence_that_counts_what_it_blocks(fault: str, sentence: str) -> None:
    run = Run({"redis": Behaviour(fault=fault)})
    ended = run.go(platform("auth", "orders"))
    assert ended.outcome is Outcome.FAILED
    (cause,) = ended.causes
    assert cause.sentence.startswith(sentence), cause.sentence
    assert cause.sentence.endswith("; blocks 2 services, 2 seed jobs")


def test_a_quota_shows_in_the_events_of_the_cause() -> None:
    run = Run({"auth-service": Behaviour(fault=simulation.QUOTA)})
    ended = run.go(platform("auth"))
    (cause,) = ended.causes
    assert "exceeded quota" in cause.sentence
    assert [(event.reason, event.subject.partition("-")[0]) for event in ended.events_of(cause)] == [
        ("FailedCreate", "replicaset/auth")
    ]


def test_a_failed_migration_names_the_job_and_brings_its_log() -> None:
    run = Run({"auth-migration": Behaviour(fault=simulation.JOB_FAILS)})
    run.cluster.log_lines["auth-migration-7", "app", False] = ["alembic: no"]
    run.cluster.logs = lambda *where, **how: ("alembic: no",)  # type: ignore[method-assign] # whatever the pod is called
    ended = run.go(platform("auth"))
    (cause,) = ended.causes
    assert cause.sentence.startswith("auth-migration has failed: BackoffLimitExceeded: ")
    assert ended.logs_of(cause)[0].lines == ("alembic: no",)


def test_a_job_that_failed_is_run_again_by_the_next_deploy() -> None:
    run = Run({"auth-migration": Behaviour(fault=simulation.JOB_FAILS)})
    graph = platform("auth")
    assert run.go(graph).outcome is Outcome.FAILED
    run.simulation.behaviours.clear()
    assert run.go(graph).outcome is Outcome.SUCCEEDED
    assert run.simulation.runs["auth-migration"] == 2


def test_a_job_whose_image_never_came_is_suspended_and_run_by_the_next_deploy() -> None:
    run = Run({"seed-auth": Behaviour(fault=simulation.BAD_IMAGE)})
    graph = platform("auth")
    ended = run.go(graph)
    assert [cause.node for cause in ended.causes] == ["seed-auth"]
    assert run.cluster.body(graph["seed-auth"].ref)["spec"]["suspend"] is True
    run.simulation.behaviours.clear()
    assert run.go(graph).outcome is Outcome.SUCCEEDED


def test_a_rejected_object_is_told_in_the_servers_words() -> None:
    run = Run()
    graph = platform("auth")
    run.cluster.fail("apply", graph["redis"].ref, Answer(422, {}, "Invalid", "spec.replicas: must be positive"))
    (cause,) = run.go(graph).causes
    assert cause.sentence.startswith("redis is down: Invalid: spec.replicas: must be positive; blocks 1 service")


def test_a_server_error_whose_write_did_land_is_read_back_as_success() -> None:
    run = Run()
    graph = platform("auth")
    ref = graph["redis"].ref
    real = run.cluster.apply

    def lost(manifest: Any, **more: Any) -> Answer:
        answer = real(manifest, **more)
        if manifest.ref == ref:
            return Answer(504, {}, "Timeout", "gateway timeout")
        return answer

    run.cluster.apply = lost  # type: ignore[method-assign] # the one call whose answer gets lost
    ended = run.go(graph)
    assert ended.outcome is Outcome.SUCCEEDED
    assert [verb for verb, written in run.cluster.mutations if written == ref] == ["apply"]


def test_a_server_error_whose_write_did_not_land_is_a_failure_that_is_safe_to_repeat() -> None:
    run = Run()
    graph = platform("auth")
    run.cluster.fail("apply", graph["redis"].ref, Answer(500, {}, "InternalError", "etcd is tired"))
    ended = run.go(graph)
    assert ended.nodes["redis"].status is Status.FAILED
    assert run.go(graph).outcome is Outcome.SUCCEEDED


def test_an_unreachable_server_leaves_the_object_unknown() -> None:
    run = Run()
    graph = platform("auth")
    run.cluster.fail("apply", graph["redis"].ref, unreachable())
    ended = run.go(graph)
    assert ended.outcome is Outcome.UNREACHABLE
    assert ended.nodes["redis"].status is Status.UNKNOWN


def test_a_refusing_client_is_a_failure_of_the_node() -> None:
    run = Run()
    graph = platform("auth")
    run.cluster.fail("apply", graph["redis"].ref, OperationFailed("etcd is out of space"))
    assert run.go(graph).nodes["redis"].evidence[0].message == "etcd is out of space"


def test_every_object_we_write_carries_its_hash_and_the_fence() -> None:
    run = Run()
    graph = platform("auth")
    run.go(graph, fence=7)
    for item in graph.values():
        body = run.cluster.body(item.ref)
        assert recorded_hash(body)
        assert body["metadata"]["annotations"][FENCE] == "7"
        template = (body["spec"].get("template") or {}).get("metadata") or {}
        assert not {FENCE, CONTENT_HASH} & set(template.get("annotations") or {})


def test_a_new_fence_alone_is_no_reason_to_write() -> None:
    run = Run()
    graph = platform("auth")
    run.go(graph, fence=1)
    run.go(graph, fence=2)
    assert run.cluster.mutations == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_first_signal_ends_cleanly_with_a_partial_report(number: signal.Signals) -> None:
    run = Run()
    run.cluster.after(1.5, lambda: signal.raise_signal(number))
    ended = run.go(platform("auth", "orders"))
    assert ended.outcome is Outcome.INTERRUPTED
    assert ended.count(Status.APPLIED) > 0
    assert ended.count(Status.SKIPPED) > 0
    assert ended.count(Status.UNKNOWN) == 0


class Stubborn(InlineExecutor):
    """Its work is never done; whoever waited for its end would wait for ever."""

    def __init__(self, cluster: FakeCluster) -> None:
        super().__init__(cluster, lambda: 1_000_000.0)
        self.waited: list[bool] = []

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self.waited.append(wait)


def test_after_a_signal_everything_is_in_a_hurry_and_an_answer_that_does_not_come_is_left_behind() -> None:
    cluster, told = FakeCluster(), list[Any]()
    writers = Stubborn(cluster)
    world = World(
        cluster, cluster, cluster.clock, FakeInbox(cluster), FakeJournal(), writers, InlineExecutor(),
        told.append, lambda: told.append("sealed"),
    )  # fmt: skip
    cluster.after(1.5, lambda: signal.raise_signal(signal.SIGTERM))
    graph = platform("auth")
    ended = drive(graph, plan(graph, {}), Options(), world)
    assert (ended.outcome, ended.nodes["redis"].status) == (Outcome.INTERRUPTED, Status.UNKNOWN)
    assert ended.seconds <= 12
    assert told == [10.0, "sealed"]
    assert writers.waited == [False]


def test_a_machine_that_slept_lists_anew_what_it_missed_and_goes_on() -> None:
    """F20: two stages became ready meanwhile, and longer than the deadline has passed."""
    run = Run({"auth-db": Behaviour(start=100.0)})
    run.cluster.after(50.0, lambda: run.cluster.nap(3000.0))
    lines: list[Mapping[str, Any]] = []
    ended = run.go(platform("auth"), on_record=lambda line: lines.append(json.loads(json.dumps(line))))
    assert ended.outcome is Outcome.SUCCEEDED
    assert ended.seconds < 3100
    assert [line["event"] for line in lines if line["type"] == "event" and "Jumped" in line["event"]] == ["TimeJumped"]
    assert result(replay(lines)) == ended


def test_a_fault_that_was_seen_before_a_sleep_has_to_stay_for_its_whole_hold_time_after_it() -> None:
    run = Run({"redis": Behaviour(fault=simulation.BAD_IMAGE)})
    run.cluster.after(8.0, lambda: run.cluster.nap(3000.0))
    ended = run.go(platform("auth"))
    assert ended.outcome is Outcome.FAILED
    assert ended.nodes["redis"].evidence[0].reason == "ErrImagePull"
    assert ended.ended - ended.started == 3008.0 + 10.0


def test_a_pause_as_short_as_the_driver_itself_makes_is_no_sleep() -> None:
    run = Run({"auth-db": Behaviour(start=300.0)})
    lines: list[Mapping[str, Any]] = []
    run.go(platform("auth"), on_record=lines.append)
    assert len(lines) > 50
    assert not [line for line in lines if line.get("event") == "TimeJumped"]


def test_a_run_under_nohup_outlives_its_terminal() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    run = Run()
    run.cluster.after(1.5, lambda: signal.raise_signal(signal.SIGHUP))
    try:
        assert run.go(platform("auth")).outcome is Outcome.SUCCEEDED
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_second_signal_ends_at_once() -> None:
    def twice() -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    run = Run()
    run.cluster.after(1.5, twice)
    with pytest.raises(KeyboardInterrupt):
        run.go(platform("auth"))


def test_a_signal_that_comes_while_the_clock_is_being_read_ends_cleanly_too() -> None:
    """The handler runs in the thread that it interrupts: whatever lock that one holds, it would wait for for ever."""
    readings = itertools.count()

    def steady() -> float:
        if next(readings) == 6:
            signal.raise_signal(signal.SIGINT)
        return 1000.0

    cluster, pool, clock = FakeCluster(), InlineExecutor(), ServerClock(steady=steady, local=lambda: 5000.0)
    graph = Graph([node("redis", "StatefulSet", Stage.INFRASTRUCTURE), node("web", needs=["redis"])])
    world = World(cluster, cluster, clock, QueueInbox(clock), None, pool, pool)
    lines: list[Mapping[str, Any]] = []
    ended = drive(graph, plan(graph, {}), Options(), world, on_record=lines.append)
    assert ended.outcome is Outcome.INTERRUPTED
    assert [line["at"] for line in lines if line.get("event") == "InterruptRequested"] == [5000.0]


def test_afterwards_signals_mean_what_they_meant_before() -> None:
    before = signal.getsignal(signal.SIGINT)
    Run().go(platform("auth"))
    assert signal.getsignal(signal.SIGINT) is before


def test_a_journal_that_cannot_be_written_is_a_warning() -> None:
    run = Run()

    def refuse(entries: Any) -> None:
        raise OperationFailed("no room")

    run.journal.record = refuse  # type: ignore[method-assign] # a journal without room
    ended = run.go(platform("auth"))
    assert ended.outcome is Outcome.SUCCEEDED
    assert ended.warnings[-1] == "the journal was not written: no room"


def test_a_lost_lease_stops_writing_even_before_its_event_is_read() -> None:
    run = Run()
    held = [True]

    def lose() -> None:
        held[0] = False
        run.cluster.after(1.0, lambda: run.inbox.put(LeaseLost(run.cluster.clock.now(), "somebody")))

    run.cluster.after(1.2, lose)
    seen: list[int] = []
    run.cluster.after(1.2, lambda: seen.append(len(run.cluster.mutations)))
    ended = run.go(platform("auth", "orders"), may_write=lambda: held[0])
    assert ended.outcome is Outcome.LOCK_LOST
    assert [verb for verb, _ in run.cluster.mutations[seen[0] :]] == []


def test_a_lock_that_only_faltered_costs_no_entry_of_the_journal() -> None:
    run = Run()
    held = [True]
    graph = platform("auth", "orders")
    run.cluster.after(0.1, lambda: held.__setitem__(0, False))
    run.cluster.after(4.0, lambda: held.__setitem__(0, True))
    ended = run.go(graph, may_write=lambda: held[0])
    assert ended.outcome is Outcome.SUCCEEDED
    assert {name: entry.verdict for name, entry in run.journal.entries.items()} == {
        node.name: "ready" for node in graph.workloads()
    }


def test_a_bug_in_a_worker_is_raised_and_not_swallowed() -> None:
    run = Run()
    graph = platform("auth")
    run.cluster.fail("apply", graph["redis"].ref, ZeroDivisionError("a bug"))
    with pytest.raises(ZeroDivisionError):
        run.go(graph)


def test_orphans_of_the_inventory_are_deleted_after_success() -> None:
    run = Run()
    old = node("old", spec={"replicas": 1, "template": {"metadata": {"labels": {"app": "old"}}}})
    run.go(Graph([*platform("auth").values(), old]))
    inventory = [*(item.ref for item in platform("auth").values()), old.ref]
    ended = run.go(platform("auth"), inventory=inventory)
    assert ended.outcome is Outcome.SUCCEEDED
    assert ended.pruned == {old.ref: ""}
    assert old.ref not in run.cluster.stored
    assert not any(ref.kind == "Pod" and ref.name.startswith("old") for ref in run.cluster.stored)


def test_facts_tell_every_verdict_change_and_the_outcome() -> None:
    run = Run()
    run.go(platform("auth"))
    assert run.facts[-1] == {"type": "finished", "at": run.facts[-1]["at"], "outcome": "succeeded"}
    told = [fact for fact in run.facts if fact["type"] == "verdict"]
    assert {fact["node"] for fact in told if fact["to"] == "ready"} == set(platform("auth"))
    assert all(fact["from"] != fact["to"] for fact in told)


def test_the_end_is_the_last_fact_even_when_there_was_nothing_to_do() -> None:
    run = Run()
    run.go(platform("auth"))
    run.facts.clear()
    run.go(platform("auth"))
    assert [fact["type"] for fact in run.facts][-1] == "finished"
    assert len(run.facts) == len(platform("auth")) + 1


def test_the_view_is_shown_at_most_four_times_a_second_and_at_the_end() -> None:
    run = Run()
    shown: list[float] = []
    outcomes: list[Any] = []

    def show(view: Any) -> None:
        shown.append(run.cluster.clock.now())
        outcomes.append(view.outcome)

    run.go(platform("auth", "orders"), on_change=show)
    assert outcomes[-1] is Outcome.SUCCEEDED
    assert all(later - earlier >= 0.25 - 1e-6 for earlier, later in itertools.pairwise(shown[:-1]))


def test_the_view_is_shown_also_while_nothing_changes_so_that_ages_grow_and_a_sign_of_life_can_be_given() -> None:
    run = Run({"auth-migration": Behaviour(start=100.0)})
    shown: list[float] = []
    run.go(platform("auth"), on_change=lambda view: shown.append(view.at))
    assert shown[-1] - shown[0] > 100.0
    assert max(later - earlier for earlier, later in itertools.pairwise(shown)) <= 5.0 + 1e-6


def test_more_connections_pay_the_longer_a_round_trip_takes() -> None:
    assert [workers(seconds) for seconds in (0.001, 0.01, 0.05)] == [8, 16, 32]


def test_nothing_is_read_or_followed_for_a_deploy_without_streams() -> None:
    run = Run()
    config = node("configmap/app", "ConfigMap", Stage.FOUNDATION)
    assert run.go(Graph([config])).outcome is Outcome.SUCCEEDED
    assert [verb for verb, _ in run.cluster.calls] == ["apply"]
    assert ObjectRef("", "ConfigMap", "bakery-ia", "app") in run.cluster.stored


def test_with_real_threads_and_a_real_queue_nothing_gets_lost() -> None:
    """The one test that runs on threads: 40 objects written by 8 workers, answers in any order."""
    run = Run()
    graph = Graph(node(f"configmap/c{index}", "ConfigMap", Stage.FOUNDATION) for index in range(40))
    clock = run.cluster.clock
    world = World(
        run.cluster, run.cluster, clock, QueueInbox(clock), None, ThreadPoolExecutor(8), ThreadPoolExecutor(2)
    )
    ended = drive(graph, plan(graph, {}), Options(), world)
    assert ended.outcome is Outcome.SUCCEEDED
    assert ended.count(Status.APPLIED) == 40
    assert sorted(ref.name for _, ref in run.cluster.mutations) == sorted(item.ref.name for item in graph.values())


@pytest.mark.parametrize("fault", ["", simulation.MISSING_SECRET, simulation.CRASH])
def test_a_recorded_deploy_plays_again_to_the_same_result(fault: str) -> None:
    run = Run({"redis": Behaviour(fault=fault)})
    lines: list[str] = []
    ended = run.go(platform("auth"), on_record=lambda line: lines.append(json.dumps(line)))
    again = result(replay(json.loads(line) for line in lines))
    assert (again.outcome, again.nodes, again.causes, again.stages) == (
        ended.outcome,
        ended.nodes,
        ended.causes,
        ended.stages,
    )

"""One cause, not forty symptoms: the examples of readiness.md section 5, and its properties on generated graphs."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from bakery_ops.model.contract import Stage
from bakery_ops.model.graph import Graph
from bakery_ops.model.manifest import ObjectRef
from bakery_ops.rules.diagnosis import Condition, reported, roots
from bakery_ops.rules.verdict import Evidence, EvidenceClass, Verdict
from tests.rollouts import node, runs


def failed(
    reason: str = "CreateContainerConfigError", message: str = 'secret "redis-tls" not found', *names: str
) -> Condition:
    refs = tuple(ObjectRef("", "Secret", "bakery-ia", name) for name in names)
    evidence = Evidence(EvidenceClass.PERMANENT, reason, message, "pod/x", names=refs)
    return Condition(Verdict.FAILED, "", evidence=(evidence,))


def blocked(*edges: str) -> Condition:
    return Condition(Verdict.BLOCKED, "Init:0/1", frozenset(edges))


READY = Condition(Verdict.READY)


def platform() -> Graph:
    services = [node(f"s{index}-service", needs=["redis"]) for index in range(18)]
    seeds = [node(f"seed-{index}", "Job", Stage.SEED, needs=[f"s{index % 18}-service"]) for index in range(20)]
    return Graph([node("redis", stage=Stage.INFRASTRUCTURE), *services, *seeds])


def test_the_sentence_is_the_one_of_the_specification() -> None:
    graph = platform()
    conditions = {name: blocked(*graph[name].needs) for name in graph} | {"redis": failed()}
    (cause,) = roots(graph, conditions)
    assert cause.sentence == (
        'redis is down: CreateContainerConfigError: secret "redis-tls" not found; blocks 18 services, 20 seed jobs'
    )


def test_one_blocked_node_is_singular_and_none_leaves_the_part_out() -> None:
    graph = Graph([node("redis"), node("web", needs=["redis"])])
    assert roots(graph, {"redis": failed("A", "b"), "web": blocked("redis")})[0].sentence == (
        "redis is down: A: b; blocks 1 service"
    )
    assert roots(graph, {"redis": failed("A", "b"), "web": READY})[0].sentence == "redis is down: A: b"


def test_objects_that_start_no_containers_are_blocked_but_not_counted() -> None:
    graph = Graph([node("web"), node("service/web", "Service", relies=["web"])])
    (cause,) = roots(graph, {"web": failed("A", "b"), "service/web": blocked("web")})
    assert cause.blocked == ("service/web",)
    assert cause.sentence == "web is down: A: b"


def test_states_have_the_words_of_the_specification() -> None:
    graph = Graph([node("web"), node("seed", "Job", Stage.SEED)])
    failing = Condition(Verdict.FAILING, "", evidence=failed("R", "m").evidence)
    assert roots(graph, {"web": failed("R", "m"), "seed": READY})[0].state == "is down"
    assert roots(graph, {"web": READY, "seed": failed("R", "m")})[0].state == "has failed"
    assert roots(graph, {"web": failing, "seed": READY})[0].state == "is failing"
    assert roots(graph, {"web": Condition(Verdict.BLOCKED, "paused", held=True), "seed": READY})[0].state == "is held"
    assert roots(graph, {"web": Condition(Verdict.PROGRESSING, "0/1"), "seed": READY})[0].sentence == (
        "web is not ready yet: 0/1"
    )


def test_a_message_of_many_lines_becomes_one() -> None:
    graph = Graph([node("web")])
    assert roots(graph, {"web": failed("R", "first\n\t second \r\n")})[0].sentence == "web is down: R: first second"


def test_the_walk_stops_at_the_first_node_with_its_own_failed_evidence() -> None:
    graph = Graph([node("a"), node("b"), node("c")])
    conditions = {"a": failed("A", "a"), "b": failed("B", "b")._replace(edges=frozenset({"a"})), "c": blocked("b")}
    found = {cause.node: cause.blocked for cause in roots(graph, conditions)}
    assert found == {"a": (), "b": ("c",)}


def test_a_failing_node_behind_another_one_is_not_a_root() -> None:
    graph = Graph([node("redis"), node("web")])
    shaky = Condition(Verdict.FAILING, "", frozenset({"redis"}), failed("CrashLoopBackOff", "x").evidence)
    (cause,) = roots(graph, {"redis": failed("A", "b"), "web": shaky})
    assert cause.node == "redis"


def test_an_edge_to_a_ready_node_is_dropped() -> None:
    graph = Graph([node("redis"), node("web")])
    (cause,) = roots(graph, {"redis": READY, "web": blocked("redis")})
    assert cause.node == "web"


def test_a_node_with_two_roots_counts_under_both() -> None:
    graph = Graph([node("a"), node("b"), node("web")])
    found = roots(graph, {"a": failed("A", "a"), "b": failed("B", "b"), "web": blocked("a", "b")})
    assert [(cause.node, cause.blocked) for cause in found] == [("a", ("web",)), ("b", ("web",))]


def test_roots_that_name_one_missing_secret_become_that_secret() -> None:
    graph = Graph([node("auth-service"), node("orders-service"), node("seed", "Job", Stage.SEED)])
    missing = failed("CreateContainerConfigError", 'secret "app-secrets" not found', "app-secrets")
    (cause,) = roots(graph, {"auth-service": missing, "orders-service": missing, "seed": blocked("auth-service")})
    assert cause.sentence == (
        'secret/app-secrets is missing: CreateContainerConfigError: secret "app-secrets" not found; '
        "blocks 2 services, 1 seed job"
    )
    assert cause.members == ("auth-service", "orders-service")


def unpulled(image: str, why: str) -> Condition:
    host, _, name = image.partition("/")
    request = f'Head "https://{host}/v2/{name}/manifests/1": {why}'
    message = f'failed to pull and unpack image "{image}:1": failed to resolve reference "{image}:1": {request}'
    evidence = Evidence(EvidenceClass.TRANSIENT, "ErrImagePull", message, "pod/x")
    return Condition(Verdict.FAILING, "", evidence=(evidence,))


UNREACHABLE = "dial tcp: lookup r.example.org on 10.0.0.2:53: dial udp 10.0.0.2:53: connect: network is unreachable"


def test_roots_whose_images_lie_out_of_reach_become_the_registry() -> None:
    graph = Graph([node("api"), node("db", "StatefulSet"), node("web", needs=["api"])])
    stands = {"api": unpulled("r.example.org/api", UNREACHABLE), "db": unpulled("r.example.org/db", UNREACHABLE)}
    (cause,) = roots(graph, stands | {"web": blocked("api")})
    assert cause.sentence == (
        f"image registry r.example.org cannot be reached: ErrImagePull: {UNREACHABLE}; blocks 3 services"
    )
    assert (cause.members, cause.evidence[0].subject, cause.verdict) == (("api", "db"), "pod/x", Verdict.FAILING)
    two = roots(graph, stands | {"db": unpulled("q.example.org/db", "net/http: TLS handshake timeout"), "web": READY})
    assert [each.node for each in two] == ["image registries q.example.org, r.example.org"]


def test_an_image_that_is_not_there_or_a_single_one_out_of_reach_keeps_its_own_cause() -> None:
    graph = Graph([node("api"), node("db")])
    absent = unpulled("r.example.org/db", "not found")
    stands = {"api": unpulled("r.example.org/api", UNREACHABLE), "db": absent}
    assert [each.node for each in roots(graph, stands)] == ["api", "db"]
    assert [each.node for each in roots(graph, stands | {"db": READY})] == ["api"]


def test_one_node_that_misses_a_secret_is_the_root_itself() -> None:
    graph = Graph([node("auth-service"), node("orders-service")])
    found = roots(graph, {"auth-service": failed("R", "m", "one"), "orders-service": failed("R", "m", "other")})
    assert [cause.node for cause in found] == ["auth-service", "orders-service"]


def test_the_root_that_blocks_most_comes_first_then_stage_order() -> None:
    graph = Graph([node("redis", stage=Stage.INFRASTRUCTURE), node("db", stage=Stage.DATABASE), node("a"), node("b")])
    found = roots(graph, {"redis": failed("R", ""), "db": failed("D", ""), "a": blocked("db"), "b": READY})
    assert [cause.node for cause in found] == ["db", "redis"]


def test_beside_a_failure_what_has_only_not_finished_is_not_reported() -> None:
    graph = Graph([node("redis"), node("slow"), node("shaky"), node("held")])
    found = roots(
        graph,
        {
            "redis": failed("R", ""),
            "slow": Condition(Verdict.PROGRESSING, "0/1"),
            "shaky": Condition(Verdict.FAILING, "", evidence=failed("S", "").evidence),
            "held": Condition(Verdict.BLOCKED, "paused", held=True),
        },
    )
    assert {cause.node for cause in reported(found)} == {"redis", "shaky", "held"}


def test_a_cycle_that_slipped_through_still_gives_a_root() -> None:
    graph = Graph([node("a"), node("b"), node("c")])
    found = roots(graph, {"a": blocked("b"), "b": blocked("a"), "c": READY})
    assert {name for cause in found for name in (cause.node, *cause.blocked)} == {"a", "b"}


def situation(seed: int) -> tuple[Graph, dict[str, Condition]]:
    """A graph of up to 14 nodes in random stages, and a condition for each; edges only to nodes that are not Ready.

    From a seed and not drawn piece by piece: a thousand of these cost half a second.
    """
    chance = random.Random(seed)
    kinds, stages = ["Deployment", "Job", "Service"], list(Stage)
    count = chance.randint(1, 14)
    nodes = [node(f"n{index}", chance.choice(kinds), chance.choice(stages)) for index in range(count)]
    conditions: dict[str, Condition] = {}
    for index in range(count):
        verdict = chance.choice(list(Verdict))
        upstream = [f"n{other}" for other in range(index) if conditions[f"n{other}"].verdict is not Verdict.READY]
        edges = frozenset(chance.sample(upstream, min(len(upstream), chance.randint(0, 3))))
        names = tuple(chance.sample(["s1", "s2", "s3"], chance.randint(0, 2)))
        shows = verdict in (Verdict.FAILED, Verdict.FAILING)
        evidence = failed("R", f"message {index}", *names).evidence if shows else ()
        if verdict in (Verdict.BLOCKED, Verdict.PROGRESSING):
            verdict = Verdict.BLOCKED if edges else Verdict.PROGRESSING
        edges = edges if verdict is not Verdict.READY else frozenset()
        conditions[f"n{index}"] = Condition(verdict, "m", edges, evidence)
    return Graph(nodes), conditions


SEEDS = st.integers(0, 2**32)


@runs(500)
@given(SEEDS)
def test_every_node_that_is_not_ready_is_a_root_or_counted_under_one(seed: int) -> None:
    graph, conditions = situation(seed)
    found = roots(graph, conditions)
    covered = {name for cause in found for name in (*cause.members, *cause.blocked)}
    assert covered == {name for name, condition in conditions.items() if condition.verdict is not Verdict.READY}


@runs(500)
@given(SEEDS)
def test_no_ready_node_is_a_root_and_every_failed_root_has_own_evidence(seed: int) -> None:
    graph, conditions = situation(seed)
    for cause in roots(graph, conditions):
        assert all(conditions[member].verdict is not Verdict.READY for member in cause.members)
        if cause.verdict is Verdict.FAILED:
            assert cause.evidence


@runs(250)
@given(SEEDS)
def test_the_order_in_which_conditions_came_about_changes_nothing(seed: int) -> None:
    graph, conditions = situation(seed)
    mixed = list(conditions.items())
    random.Random(seed + 1).shuffle(mixed)
    assert roots(graph, dict(mixed)) == roots(graph, conditions)


@runs(250)
@given(SEEDS)
def test_one_injected_fault_gives_exactly_one_sentence(seed: int) -> None:
    """Whatever depends on the broken node is blocked by what it needs; everything else is Ready."""
    chance = random.Random(seed)
    count = chance.randint(2, 12)
    needs = {index: chance.sample(range(index), min(index, chance.randint(0, 3))) for index in range(count)}
    broken = chance.randrange(count)
    graph = Graph([node(f"n{index}", needs=[f"n{other}" for other in needs[index]]) for index in range(count)])
    behind = {broken}
    for index in range(count):
        if behind & set(needs[index]):
            behind.add(index)
    conditions = {
        f"n{index}": failed("R", "m")
        if index == broken
        else blocked(*(f"n{other}" for other in needs[index] if other in behind))
        if index in behind
        else READY
        for index in range(count)
    }
    (cause,) = roots(graph, conditions)
    assert cause.node == f"n{broken}"
    assert set(cause.blocked) == {f"n{index}" for index in behind - {broken}}


def test_objects_that_are_refused_for_one_webhook_or_in_the_same_words_are_one_cause() -> None:
    """F24: a webhook over everything refuses them, and the renewal of our lock too."""
    graph = Graph([node("a"), node("b"), node("c", needs=["a"]), node("d"), node("e"), node("f")])
    words = 'failed calling webhook "all.example.com": refused'
    conditions = {
        "a": failed("InternalError", f"Internal error occurred: {words}"),
        "b": failed("Refused", f"The lock of shop could not be renewed (Internal error occurred: {words})"),
        "c": blocked("a"),
        "d": failed("Refused", "The certificate of the API server is not trusted."),
        "e": failed("Refused", "The certificate of the API server is not trusted."),
        "f": failed("Forbidden", "no"),
    }
    found = roots(graph, conditions)
    untrusted = "the API server refuses 2 objects: Refused: The certificate of the API server is not trusted."
    assert [cause.sentence for cause in found] == [
        f"the API server refuses 2 objects: InternalError: Internal error occurred: {words}; blocks 3 services",
        f"{untrusted}; blocks 2 services",
        "f is down: Forbidden: no",
    ]
    assert found[0].members == ("a", "b")

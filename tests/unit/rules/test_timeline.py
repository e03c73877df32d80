"""The longest path is the chain of dependencies that took most, whatever else ran beside it."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bakery_ops.model.live import Pod
from bakery_ops.model.live.base import Condition, Metadata
from bakery_ops.model.live.pods import PodStatus
from bakery_ops.model.times import format_time
from bakery_ops.rules.timeline import Milestones, Path, Span, longest_path, milestones, savings
from tests.rollouts import START, runs

PLATFORM = (
    Span("redis", 20.0),
    Span("auth-db", 16.5),
    Span("auth-migration", 12.0, ["auth-db"]),
    Span("auth-service", 9.5, ["auth-migration", "redis"]),
    Span("seed-users", 7.0, ["auth-service"]),
    Span("gateway", 13.5, ["auth-service"]),
)


def names(path: Path) -> list[str]:
    return [step.name for step in path.steps]


def test_the_chain_that_adds_up_to_most_is_found_not_the_slowest_node():
    path = longest_path(PLATFORM)
    assert names(path) == ["auth-db", "auth-migration", "auth-service", "gateway"]
    assert path.seconds == 51.5


def test_steps_that_took_no_time_hold_the_chain_together_but_are_not_named():
    chain = [Span("db", 5.0), Span("migration", 0.0, ["db"]), Span("service", 4.0, ["migration"]), Span("other", 6.0)]
    assert names(longest_path(chain)) == ["db", "service"]


def test_nothing_written_has_no_path():
    assert longest_path([]) == longest_path([Span("a", 0.0), Span("b", 0.0, ["a"])]) == Path()


def test_a_need_that_was_not_looked_at_is_ignored():
    assert names(longest_path([Span("a", 1.0, ["gone"])])) == ["a"]


def test_a_cycle_is_an_error_not_an_endless_loop():
    with pytest.raises(ValueError):
        longest_path([Span("a", 1.0, ["b"]), Span("b", 1.0, ["a"])])


def test_what_a_faster_step_would_save_ends_where_another_chain_becomes_the_longest():
    spans = [Span("slow", 10.0), Span("end", 2.0, ["slow", "quick"]), Span("quick", 7.0)]
    path = longest_path(spans)
    assert savings(spans, path) == {"slow": 3.0, "end": 2.0}


def test_a_chain_of_five_thousand_does_not_exhaust_the_stack():
    chain = [Span(str(number), 1.0, [str(number - 1)]) for number in range(5000)]
    assert longest_path(chain).seconds == 5000


@st.composite
def graphs(draw: st.DrawFn) -> list[Span]:
    """Up to seven nodes, each with needs among those before it; whole seconds, so that sums are exact."""
    count = draw(st.integers(1, 7))
    spans = []
    for number in range(count):
        needs = draw(st.sets(st.integers(0, number - 1))) if number else set()
        spans.append(Span(f"n{number}", float(draw(st.integers(0, 9))), sorted(f"n{need}" for need in needs)))
    return spans


@runs(100)
@given(graphs(), st.randoms())
def test_no_chain_of_any_graph_is_longer_and_order_does_not_matter(spans: list[Span], chance) -> None:
    known = {span.name: span for span in spans}
    chains = [
        chain
        for length in range(1, len(spans) + 1)
        for chain in itertools.combinations(spans, length)
        if all(before.name in after.needs for before, after in itertools.pairwise(chain))
    ]
    found = longest_path(spans)
    assert found.seconds == max(sum(span.seconds for span in chain) for chain in chains)
    shuffled = list(spans)
    chance.shuffle(shuffled)
    assert longest_path(shuffled) == found
    assert all(step == known[step.name] for step in found.steps)


def pod(created: float, **reached: float) -> Pod:
    conditions = tuple(
        Condition(type=name, status="True", last_transition_time=format_time(at)) for name, at in reached.items()
    )
    return Pod(metadata=Metadata(creation_timestamp=format_time(created)), status=PodStatus(conditions=conditions))


def test_milestones_are_those_of_the_last_pod_that_this_deploy_made():
    pods = [
        pod(START - 60, PodScheduled=START - 59, Initialized=START - 50),
        pod(START, PodScheduled=START + 1, Initialized=START + 9),
        pod(START + 2, PodScheduled=START + 4),
    ]
    assert milestones(pods, START + 0.4) == Milestones(START + 4, START + 9)
    assert milestones(pods, None) == Milestones()

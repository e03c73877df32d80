"""The queue before the slots: priority, no name twice, nobody lost, and no search among those that cannot start yet."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bakery_ops.rules.rollout.waiting import Waiting


def filled(*names: str) -> Waiting:
    waiting = Waiting()
    for position, name in enumerate(names):
        waiting.add(name, (0, position), needs_slot=True)
    return waiting


def test_workloads_come_by_priority_and_go_on_waiting_until_they_are_sent() -> None:
    waiting = Waiting()
    for name, priority in (("late", 3), ("early", 1), ("middle", 2)):
        waiting.add(name, (priority, 0), needs_slot=True)
    assert list(waiting.first(2, lambda name: True)) == ["early", "middle"]
    waiting.discard("early")
    assert list(waiting.first(9, lambda name: True)) == ["middle", "late"]


def test_what_needs_no_slot_is_not_in_the_queue() -> None:
    waiting = filled("web")
    waiting.add("configmap/app", (0, 0), needs_slot=False)
    assert list(waiting.free) == ["configmap/app"]
    assert list(waiting.first(9, lambda name: True)) == ["web"]


def test_only_as_many_are_asked_as_are_wanted() -> None:
    asked: list[str] = []
    waiting = filled(*(f"n{number:03}" for number in range(500)))
    found = list(waiting.first(3, lambda name: bool(asked.append(name)) or True))
    assert found == asked == ["n000", "n001", "n002"]
    assert list(waiting.first(0, lambda name: bool(asked.append(name)) or True)) == []
    assert len(asked) == 3


@given(st.lists(st.tuples(st.sampled_from(["add", "discard", "take"]), st.integers(0, 5), st.integers(0, 3))))
def test_it_gives_what_a_sorted_set_would(acts: list[tuple[str, int, int]]) -> None:
    waiting, model = Waiting(), set[int]()
    for act, number, count in acts:
        if act == "add":
            waiting.add(str(number), (number, 0), needs_slot=True)
            model.add(number)
        elif act == "discard":
            waiting.discard(str(number))
            model.discard(number)
        else:
            wanted = [str(each) for each in sorted(model) if each != number][:count]
            assert list(waiting.first(count, lambda name: name != str(number))) == wanted  # noqa: B023 used at once
        assert {name for name in map(str, range(6)) if name in waiting} == {str(each) for each in model}

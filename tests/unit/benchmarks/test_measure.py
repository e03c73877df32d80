"""What is measured of a process, and how delays are ranked."""

from __future__ import annotations

import sys

import pytest

from benchmarks.delay import percentile
from benchmarks.measure import run


@pytest.mark.parametrize("terminal", [True, False])
def test_a_program_draws_on_a_terminal_only_where_it_is_given_one(terminal: bool) -> None:
    program = (
        "import os, sys; print(sys.stdout.isatty(), os.get_terminal_size(1).columns if sys.stdout.isatty() else 0)"
    )
    ended = run([sys.executable, "-c", program], terminal=terminal)
    assert ended.output.split() == (["True", "160"] if terminal else ["False", "0"])
    assert ended.status == 0


@pytest.mark.parametrize(("part", "value"), [(50, 2.0), (75, 3.0), (99, 4.0), (1, 1.0)])
def test_a_percentile_is_a_value_that_was_measured(part: int, value: float) -> None:
    assert percentile([3.0, 1.0, 4.0, 2.0], part) == value

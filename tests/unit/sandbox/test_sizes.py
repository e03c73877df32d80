from __future__ import annotations

import pytest

from bakery_ops.errors import UsageError
from bakery_ops.sandbox.sizes import NodeSize, parse_node_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("8cpu,20Gi", NodeSize(8000, 20 * 2**30)),
        ("8,20Gi", NodeSize(8000, 20 * 2**30)),
        (" 2.5 cpus , 512Mi ", NodeSize(2500, 512 * 2**20)),
        ("500m,1G", NodeSize(500, 10**9)),
        ("4CPU,8gib", NodeSize(4000, 8 * 2**30)),
    ],
)
def test_a_size_is_read_as_a_person_writes_it(text: str, size: NodeSize) -> None:
    assert parse_node_size(text) == size


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "two parts"),
        ("8cpu", "two parts"),
        ("8cpu,20Gi,1", "two parts"),
        ("eight,20Gi", "'eight' is not an amount of CPU"),
        ("-1,20Gi", "'-1' is not an amount of CPU"),
        ("8cpu,20", "with a unit"),
        ("8cpu,nan", "with a unit"),
        ("0,20Gi", "between 100m and 1024"),
        ("8cpu,1Mi", "between 64Mi"),
        ("99999999999999999999,20Gi", "between 100m and 1024"),
        ("8cpu,99999Ti", "between 64Mi and 1024Ti"),
    ],
)
def test_a_bad_size_is_refused_with_what_is_wrong_and_an_example(text: str, why: str) -> None:
    with pytest.raises(UsageError, match=why) as refused:
        parse_node_size(text)
    assert "8cpu,20Gi" in refused.value.remedy


@pytest.mark.parametrize("text", ["8cpu,20Gi", "0.5cpu,512Mi", "2.5cpu,1Gi"])
def test_a_size_prints_as_it_is_read(text: str) -> None:
    assert str(parse_node_size(text)) == text

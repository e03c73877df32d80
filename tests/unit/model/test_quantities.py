from fractions import Fraction

import pytest

from bakery_ops.errors import UsageError
from bakery_ops.model.quantities import (
    GIBI,
    MEBI,
    NodeSize,
    cpu_text,
    memory_text,
    milli_cpu,
    node_size,
    quantity,
    whole,
)


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("100m", Fraction(1, 10)), ("0.5", Fraction(1, 2)), (2, 2),
        (0.1, Fraction(1, 10)), ("1e3", 1000), ("12E-1", Fraction(6, 5)),
        ("1Ki", 1024), ("256Mi", 256 * MEBI), ("1.5Gi", 1.5 * GIBI), ("1k", 1000), ("5M", 5_000_000),
        ("2E", 2 * 10**18),
        ("400m", Fraction(2, 5)), ("100n", Fraction(1, 10**7)), ("-1", -1), (".5", Fraction(1, 2)), ("5.", 5),
    ],
)  # fmt: skip
def test_a_quantity_is_read_exactly(text, amount):
    assert quantity(text) == amount


@pytest.mark.parametrize(
    "text", ["512MB", "1 Gi", "", "Mi", "1Kib", "1mi", "0x10", "1,5", "ten", True, "1e", "K", "1K"]
)
def test_what_the_server_would_refuse_is_refused(text):
    with pytest.raises(UsageError, match="is not a quantity"):
        quantity(text)


def test_parts_are_rounded_up_as_the_scheduler_does():
    assert milli_cpu("0.0001") == 1
    assert milli_cpu("100m") == 100
    assert milli_cpu(8) == 8000
    assert whole("400m") == 1
    assert whole("1.5Gi") == 3 * GIBI // 2


def test_amounts_are_shown_short():
    assert (memory_text(256 * MEBI), memory_text(18.5 * GIBI), memory_text(20 * GIBI)) == ("256Mi", "18.5Gi", "20Gi")
    assert (cpu_text(100), cpu_text(8000), cpu_text(2350)) == ("100m", "8", "2.35")


@pytest.mark.parametrize("text", ["8cpu,20Gi", "8,20Gi", "8 vCPU, 20GiB", "8000m,20480Mi", "8cores,20gi"])
def test_a_node_size_may_be_written_in_several_ways(text):
    assert node_size(text) == NodeSize(8000, 20 * GIBI)


def test_decimal_and_binary_gigabytes_are_told_apart():
    assert str(node_size("8cpu,20G")) == "8cpu,18.6Gi"


@pytest.mark.parametrize(
    "text", ["", "8", "8cpu", "20Gi,8cpu", "8cpu,20", "8cpu,20Gi,1", "-8,20Gi", "0,20Gi", "8,1Mi", "9999,1Gi"]
)
def test_a_bad_node_size_says_how_to_write_it(text):
    with pytest.raises(UsageError) as caught:
        node_size(text)
    assert caught.value.remedy == "write it like 8cpu,20Gi"

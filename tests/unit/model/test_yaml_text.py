import time
import tracemalloc

import pytest

from bakery_ops.errors import UsageError
from bakery_ops.model import yaml_text


def problems(text):
    return [f"{problem.line}:{problem.column}: {problem.text}" for problem in yaml_text.read(text).problems]


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("a:\n\t- b\n", "2:1"),
        ("a: 1\nb: {}: c\n", "2:6"),
        ("a: [1\n", "2:1"),
        ("ok: 1\n---\na: 'open\n", "4:1"),
        ("a: \x01\n", "1:4"),
        ("ä: 1\nö: \x01\n", "2:4"),
    ],
)
def test_a_syntax_error_has_line_and_column(text, where):
    assert problems(text)[0].startswith(f"{where}: ")


def test_every_broken_document_is_reported_in_one_reading():
    text = "a: [\n---\nb: {}: c\n---\nfine: 1\n---\nx: 1\nx: 2\n"
    reading = yaml_text.read(text)
    assert [problem.line for problem in reading.problems] == [2, 3, 8]
    assert [document.value for document in reading.documents] == [{"fine": 1}]


def test_a_duplicate_key_is_a_mistake_and_not_the_last_one_winning():
    assert problems("a:\n  b: 1\n  c: 2\n  b: 3\n") == ["4:3: duplicate key 'b'"]
    assert problems('{1: a, "1": b}') == ["1:8: duplicate key '1'"]


def test_a_merged_key_may_be_set_again():
    assert yaml_text.read("base: &b {x: 1, z: 2}\nv: {<<: *b, x: 3}").documents[0].value["v"] == {"x": 3, "z": 2}


def test_an_alias_bomb_ends_at_once_and_in_little_memory():
    text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]\n" for level in range(1, 60)
    )
    tracemalloc.start()
    started = time.process_time()
    found = problems(text)
    assert time.process_time() - started < 1
    assert tracemalloc.get_traced_memory()[1] < 20_000_000
    tracemalloc.stop()
    assert "aliases unfold to more than 100000 values" in found[0]


def test_a_value_that_holds_itself_is_a_mistake():
    assert problems("a: &a [*a]") == ["1:8: alias *a has no value yet"]


@pytest.mark.parametrize("text", ["[" * 50_000, "a: " + "{b: " * 5000, "- " * 5000 + "x"])
def test_deep_nesting_is_refused_and_never_a_recursion_error(text):
    assert "nested deeper than 200 levels" in problems(text)[0]


def test_windows_line_ends_are_accepted():
    assert yaml_text.read("a: 1\r\n---\r\nb: |\r\n  x\r\n").documents[1].value == {"b": "x\n"}


@pytest.mark.parametrize(
    ("data", "offset"),
    [
        ("a: 1".encode("utf-16"), 0),
        (b"\xef\xbb\xbfa: 1", 0),
        (b"a: 1\nb: \0", 8),
        (b"a: 1\nb: \xff", 8),
    ],
)
def test_what_is_not_plain_utf8_is_refused_with_its_byte_offset(data, offset):
    with pytest.raises(UsageError, match=f"f.yaml: byte {offset}: "):
        yaml_text.decode(data, "f.yaml")


def test_utf8_without_a_mark_is_read():
    assert yaml_text.decode("ä: 1".encode(), "f.yaml") == "ä: 1"

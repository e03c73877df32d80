"""scalars.json holds kubectl's answers: [YAML, value], or [YAML] where it refuses; test_parity.py asks again."""

import json
from pathlib import Path

import pytest

from bakery_ops.model import scalars, yaml_text

CASES = json.loads(Path(__file__).with_name("scalars.json").read_text())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_a_value_is_read_as_kubectl_reads_it(case):
    reading = yaml_text.read(f"value: {case[0]}\n")
    if len(case) == 1:
        assert reading.problems
    else:
        assert not reading.problems
        got = reading.documents[0].value["value"]
        assert got == case[1]
        assert isinstance(got, bool) == isinstance(case[1], bool)


@pytest.mark.parametrize("word", ["no", "012", "22:30", "1_000", "08", "1e3"])
def test_quotes_keep_a_text_a_text(word):
    for quoted in (f"'{word}'", f'"{word}"', f"!!str {word}"):
        assert yaml_text.read(f"value: {quoted}").documents[0].value == {"value": word}


def test_keys_become_texts_as_in_json():
    assert scalars.key(True) == "true"
    assert scalars.key(8080) == "8080"
    assert scalars.key(1.5) == "1.5"
    assert scalars.key(12345678.9) == "12345679"
    assert scalars.key(None) is None


def test_a_number_of_thousands_of_digits_is_a_text_as_in_kubernetes():
    assert scalars.plain("9" * 6000) == "9" * 6000
    assert scalars.plain("9" * 30) == 1e30

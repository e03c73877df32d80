"""JSON as text that our YAML reader takes as it is, so that both have one set of rules: lines, doubled keys, depth."""

from __future__ import annotations

import json
import re

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|\t')
_ESCAPE = re.compile(r"\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|\\.")


def as_yaml(text: str) -> str:
    """`text` with the two things replaced that YAML refuses: tabs between words, and characters escaped as two halves.

    Raises: json.JSONDecodeError: it is no JSON, or nested deeper than any manifest.
    """
    try:
        json.loads(text, parse_int=str, parse_float=str, parse_constant=lambda word: _no_number(text, word))
    except RecursionError:
        raise json.JSONDecodeError("nested too deeply", text, 0) from None
    return _TOKEN.sub(lambda token: " " if token[0] == "\t" else _ESCAPE.sub(_joined, token[0]), text)


def _no_number(text: str, word: str) -> None:
    raise json.JSONDecodeError(f"{word} is no JSON", text, text.index(word))


def _joined(escape: re.Match[str]) -> str:
    high, low = escape[1], escape[2]
    if high is None:
        return escape[0]
    return chr(0x10000 + ((int(high, 16) - 0xD800) << 10) + int(low, 16) - 0xDC00)

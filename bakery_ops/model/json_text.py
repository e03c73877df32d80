"""JSON as text that our YAML reader takes as it is, so that both have one set of rules: lines, doubled keys, depth."""

from __future__ import annotations

import json
import re
from itertools import pairwise

_BLANKS = re.compile(r"[ \t\r\n]*")
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|\t')
_ESCAPE = re.compile(r"\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|\\.")


def as_yaml(text: str) -> str:
    """`text` as documents of YAML: one value, or several one after the other, as kubectl takes them.

    Replaced is what YAML refuses: tabs between words, and characters escaped as two halves.

    Raises: json.JSONDecodeError: it is no JSON, or nested deeper than any manifest.
    """
    parts = [text[start:end] for start, end in pairwise((*_starts(text), len(text)))]
    lines = [part if part.endswith("\n") else f"{part}\n" for part in parts[:-1]]
    return "--- ".join(_TOKEN.sub(_plain, part) for part in (*lines, parts[-1]))


def _starts(text: str) -> list[int]:
    """Where each value begins; the first at 0, with the blanks before it."""
    decoder = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=lambda word: _no_number(text, word))
    starts, end = [0], 0
    try:
        while True:
            _, end = decoder.raw_decode(text, _past_blanks(text, end))
            if (end := _past_blanks(text, end)) == len(text):
                return starts
            starts.append(end)
    except RecursionError:
        raise json.JSONDecodeError("nested too deeply", text, 0) from None


def _past_blanks(text: str, position: int) -> int:
    found = _BLANKS.match(text, position)
    return found.end() if found else position


def _plain(token: re.Match[str]) -> str:
    return " " if token[0] == "\t" else _ESCAPE.sub(_joined, token[0])


def _no_number(text: str, word: str) -> None:
    raise json.JSONDecodeError(f"{word} is no JSON", text, text.index(word))


def _joined(escape: re.Match[str]) -> str:
    high, low = escape[1], escape[2]
    if high is None:
        return escape[0]
    return chr(0x10000 + ((int(high, 16) - 0xD800) << 10) + int(low, 16) - 0xDC00)

"""Where each key of a TOML file stands, which `tomllib` does not tell: for messages, never for values."""

from __future__ import annotations

import re
from collections.abc import Mapping

_TABLE = re.compile(r"\s*\[\s*([\w.\"-]+)\s*\]\s*(?:#.*)?")
_KEY = re.compile(r"\s*([\w-]+|\"[^\"]+\")\s*=")


def key_lines(text: str) -> Mapping[tuple[str, str], int]:
    """(table as written, key) -> its line, from 1. A key of a dotted or an inline table is not found.

    A text of several lines that itself looks like a table may shift what comes after it: the line is a hint.
    """
    found: dict[tuple[str, str], int] = {}
    table = ""
    for number, line in enumerate(text.splitlines(), 1):
        if heading := _TABLE.fullmatch(line):
            table = heading[1].replace('"', "")
        elif key := _KEY.match(line):
            found.setdefault((table, key[1].strip('"')), number)
    return found

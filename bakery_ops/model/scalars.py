"""How Kubernetes reads one YAML scalar: by the rules of the library behind `kubectl apply`, YAML 1.1 with exceptions.

PyYAML's own rules differ (`22:30` would be 1350, `08` a text, `1e3` a text), so they are not used. The cases in
tests/unit/model/scalars.json were answered by kubectl itself.
"""

from __future__ import annotations

import math
import re
import struct
from typing import Final

Scalar = str | int | float | bool | None

_WORDS: Final[dict[str, Scalar]] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}
_DIGITS: Final = 21
_NUMBER_START: Final = frozenset("0123456789+-.")
_INTEGER: Final = re.compile(r"([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|(0|[1-9][0-9]*))")
_NEGATIVE_BINARY: Final = re.compile(r"0b-([01]+)")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


def plain(text: str) -> Scalar:
    """The value of an unquoted scalar without a tag."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMBER_START:
        return text
    return _number(text)


def _number(text: str) -> Scalar:
    digits = text.replace("_", "")
    if match := _INTEGER.fullmatch(digits):
        sign, hexadecimal, binary, octal, decimal = match.groups()
        if hexadecimal:
            value = int(hexadecimal, 16)
        elif binary:
            value = int(binary, 2)
        elif octal:
            value = int(octal, 8)
        else:
            # Longer ones are beyond 64 bits anyway, and Python refuses to read those of thousands of digits.
            value = int(decimal[:_DIGITS])
        value = -value if sign == "-" else value
        if -(2**63) <= value < 2**64:
            return as_json(value)
    if match := _NEGATIVE_BINARY.fullmatch(digits):
        return -int(match[1], 2)
    if _FLOAT.fullmatch(digits):
        number = float(digits)
        return text if math.isinf(number) else as_json(number)
    return text


def as_json(number: int | float) -> int | float:
    """What is left of a number after the trip through JSON that every manifest takes: 1e3 arrives as 1000."""
    if isinstance(number, float) and number.is_integer() and abs(number) < 1e21:
        number = int(number)
    return number if isinstance(number, float) or -(2**63) <= number < 2**63 else float(number)


def key(value: Scalar) -> str | None:
    """The text a mapping key becomes, or None where Kubernetes accepts no such key (null, huge numbers)."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if value is None or 2**63 <= value <= 2**64:
        return None
    if math.isinf(value) or math.isnan(value):
        return f"{'-' if value < 0 else ''}.{'nan' if math.isnan(value) else 'inf'}"
    return _shortest(value)


def _shortest(value: float) -> str:
    """The shortest text that reads back as the same 32-bit number, which is how such keys are written."""
    for precision in range(1, 10):
        text = f"{value:.{precision}g}"
        if struct.pack("f", float(text)) == struct.pack("f", value):
            return text
    return text

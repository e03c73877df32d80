"""Until when a certificate is valid, read from its bytes: the one fact readiness needs, without a crypto library.

X.509 (RFC 5280) in DER: Certificate{tbs{[0] version?, serial, algorithm, issuer, validity{notBefore, notAfter}, ...}}.
"""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, datetime

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", re.DOTALL)
_SEQUENCE, _VERSION, _UTC_TIME, _GENERALIZED_TIME = 0x30, 0xA0, 0x17, 0x18


def expiry(encoded: str) -> float | None:
    """Epoch seconds at which the first certificate in a base64-encoded PEM text ends; None if there is none to read."""
    try:
        found = _PEM.search(base64.b64decode(encoded, validate=True))
        return _not_after(base64.b64decode(found.group(1))) if found else None
    except (binascii.Error, ValueError, IndexError):
        return None


def _not_after(der: bytes) -> float | None:
    body = _open(_open(der, 0), 0)
    position = 0
    if body[0] == _VERSION:
        position = _end(body, position)
    for _ in ("serial", "algorithm", "issuer"):
        position = _end(body, position)
    validity = _open(body, position)
    start = _end(validity, 0)
    tag, text = validity[start], _content(validity, start).decode("ascii")
    if tag == _UTC_TIME:
        # Two digits of a year: 50 and above are of the last century.
        text = f"{'19' if text[:2] >= '50' else '20'}{text}"
    elif tag != _GENERALIZED_TIME:
        return None
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp()


def _open(data: bytes, position: int) -> bytes:
    if data[position] != _SEQUENCE:
        raise ValueError("not a sequence")
    return _content(data, position)


def _content(data: bytes, position: int) -> bytes:
    start, end = _span(data, position)
    return data[start:end]


def _end(data: bytes, position: int) -> int:
    return _span(data, position)[1]


def _span(data: bytes, position: int) -> tuple[int, int]:
    """Where the content of the element at `position` begins and ends."""
    length, start = data[position + 1], position + 2
    if length & 0x80:
        count = length & 0x7F
        length = int.from_bytes(data[start : start + count], "big")
        start += count
    if start + length > len(data):
        raise ValueError("cut short")
    return start, start + length

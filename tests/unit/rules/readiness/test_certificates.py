"""The date on which a certificate ends, and nothing from what is none."""

from __future__ import annotations

import base64

import pytest

from bakery_ops.model.times import parse_time
from bakery_ops.rules.readiness.certificates import expiry
from tests.unit.rules.readiness.stage import certificate


@pytest.mark.parametrize("year", [1999, 2030, 2049, 2050, 2061])
def test_end_is_read_from_both_kinds_of_dates(year: int) -> None:
    assert expiry(certificate(year)) == parse_time(f"{year}-01-01T00:00:00Z")


def _pem(der: bytes) -> str:
    text = b"-----BEGIN CERTIFICATE-----\n" + base64.b64encode(der) + b"\n-----END CERTIFICATE-----\n"
    return base64.b64encode(text).decode()


def _der(of: str) -> bytes:
    body = base64.b64decode(of).split(b"-----")[2]
    return base64.b64decode(body)


def test_an_old_certificate_without_a_version_is_read_too() -> None:
    """Version 1 leaves the field out (RFC 5280): here only the shape up to the validity matters."""
    validity = b"\x30\x1e\x17\x0d300101000000Z\x17\x0d310101000000Z"
    body = b"\x02\x01\x01" + b"\x30\x00" + b"\x30\x00" + validity
    inner = b"\x30" + bytes([len(body)]) + body
    assert expiry(_pem(b"\x30" + bytes([len(inner)]) + inner)) == parse_time("2031-01-01T00:00:00Z")


def test_dates_of_an_unknown_kind_are_none() -> None:
    validity = b"\x30\x06\x05\x00\x05\x00\x05\x00"
    body = b"\x02\x01\x01" + b"\x30\x00" + b"\x30\x00" + validity
    inner = b"\x30" + bytes([len(body)]) + body
    assert expiry(_pem(b"\x30" + bytes([len(inner)]) + inner)) is None


@pytest.mark.parametrize("cut", [1, 5, 40, 100, 200])
def test_a_certificate_cut_short_is_none(cut: int) -> None:
    assert expiry(_pem(_der(certificate(2030))[:cut])) is None


@pytest.mark.parametrize("text", ["", "====", "bm90aGluZw=="])
def test_anything_else_is_none(text: str) -> None:
    assert expiry(text) is None

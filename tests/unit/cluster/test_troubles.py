"""What a failure below HTTP is called, and what of TLS may be shared by threads."""

from __future__ import annotations

import ssl

import pytest
from urllib3.exceptions import SSLError

from bakery_ops.cluster.authentication import SettledTls
from bakery_ops.cluster.troubles import Trouble, translated


def tls_error(reason: str) -> SSLError:
    cause = ssl.SSLError(1, f"[SSL: {reason}]")
    cause.reason = reason
    return SSLError(cause)


@pytest.mark.parametrize(
    ("reason", "trouble"),
    [
        ("TLSV1_ALERT_UNKNOWN_CA", Trouble.TLS),
        ("SSLV3_ALERT_BAD_CERTIFICATE", Trouble.TLS),
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", Trouble.TLS),
        ("TLSV1_ALERT_PROTOCOL_VERSION", Trouble.TLS),
        ("WRONG_VERSION_NUMBER", Trouble.TLS),
        ("TLSV1_ALERT_INTERNAL_ERROR", Trouble.RESET),
        ("TLSV1_ALERT_DECODE_ERROR", Trouble.RESET),
        ("UNEXPECTED_EOF_WHILE_READING", Trouble.RESET),
    ],
)
def test_only_an_alert_that_refuses_us_ends_a_deploy(reason: str, trouble: Trouble) -> None:
    assert translated(tls_error(reason)).trouble is trouble


def test_a_shared_context_says_what_it_was_made_to_say_whatever_urllib3_sets_later() -> None:
    tls = SettledTls(ssl.PROTOCOL_TLS_CLIENT)
    tls.set_alpn_protocols(["changed"])
    received, sent = ssl.MemoryBIO(), ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        tls.wrap_bio(received, sent, server_hostname="localhost").do_handshake()
    hello = sent.read()
    assert b"http/1.1" in hello
    assert b"changed" not in hello

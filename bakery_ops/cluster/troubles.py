"""Failures below HTTP in our own words, and what each means for a write that was under way."""

from __future__ import annotations

import ssl
from enum import Enum

from urllib3.exceptions import (
    ConnectTimeoutError,
    NameResolutionError,
    NewConnectionError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)


class Trouble(Enum):
    """Why an exchange failed below HTTP."""

    REFUSED = "connection refused"
    NAME = "its name does not resolve"
    TLS = "TLS failed"
    PROXY = "the proxy failed"
    TIMEOUT = "no answer in time"
    RESET = "the connection broke"


class TransportError(Exception):
    """No HTTP answer. `sent`: the request may have reached the server, so a write's outcome is unknown."""

    def __init__(self, trouble: Trouble, text: str, *, sent: bool) -> None:
        super().__init__(text)
        self.trouble, self.sent = trouble, sent


def translated(error: Exception) -> TransportError:
    """Our words for an error of urllib3 or of the socket, and whether the request may have arrived."""
    if isinstance(error, ProxyError):
        return TransportError(Trouble.PROXY, f"the proxy failed: {error.original_error}", sent=False)
    if isinstance(error, NameResolutionError):
        return TransportError(Trouble.NAME, "its name does not resolve", sent=False)
    if isinstance(error, NewConnectionError):  # a kind of ConnectTimeoutError to urllib3
        return TransportError(Trouble.REFUSED, _reason(error), sent=False)
    if isinstance(error, ConnectTimeoutError):
        return TransportError(Trouble.TIMEOUT, "no connection in time", sent=False)
    if isinstance(error, SSLError) and (refusal := _tls_refusal(error)):
        return TransportError(Trouble.TLS, f"TLS failed: {refusal}", sent=False)
    if isinstance(error, ReadTimeoutError | TimeoutError):
        return TransportError(Trouble.TIMEOUT, "no answer in time", sent=True)
    return TransportError(Trouble.RESET, "the connection broke", sent=True)


def _reason(error: NewConnectionError) -> str:
    cause = error.__cause__ or error.__context__
    detail = (cause.strerror or "") if isinstance(cause, OSError) else ""
    return detail.lower() or "connection refused"


# What either side says when trying again cannot help; any other alert is a connection that broke.
_REFUSALS = (
    "CERTIFICATE", "UNKNOWN_CA", "ACCESS_DENIED", "HANDSHAKE_FAILURE", "PROTOCOL_VERSION", "INSUFFICIENT_SECURITY",
    "UNRECOGNIZED_NAME", "NO_APPLICATION_PROTOCOL", "WRONG_VERSION", "RECORD_LAYER_FAILURE",
)  # fmt: skip


def _tls_refusal(error: SSLError) -> str:
    """Why one side will not speak to the other: its certificate, or that it does not speak TLS at all; "" otherwise."""
    cause = error.args[0] if error.args else error
    if isinstance(cause, ssl.SSLCertVerificationError):
        return cause.verify_message
    reason = str(getattr(cause, "reason", "") or "")
    return reason.replace("_", " ").lower() if any(word in reason for word in _REFUSALS) else ""

"""Replies as Answers: JSON decoded, Status messages shortened, and no Secret's value in any of them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from bakery_ops.cluster.transport import Reply
from bakery_ops.model.answer import Answer

MESSAGE_LIMIT = 4096
# Of a Status about a Secret. A conflict's details name fields and managers; those of other refusals may quote values.
_SAFE = ("kind", "apiVersion", "status", "reason", "code")
_WITHHELD = "the server could not read it as a Secret (its message may quote the content and is withheld)"


def answer(reply: Reply, *, written: Mapping[str, Any] | None = None) -> Answer:
    """`reply` as an Answer. `written` is the body of the request, so that a Secret's values can be masked."""
    body = decoded(reply.body)
    if reply.status < 300 and (body or not reply.body.strip(b" \n{}")):
        return Answer(reply.status, body, date=reply.date)
    if reply.status < 400:
        return _somebody_else(reply)
    message = str(body.get("message") or "") or reply.body.decode("utf-8", "replace").strip()
    reason = str(body.get("reason") or "")
    if written is not None and written.get("kind") == "Secret":
        message = masked(message, written, reply.status)
        kept = (*_SAFE, "details") if reply.status == 409 else _SAFE
        body = {key: value for key, value in body.items() if key in kept}
    return Answer(reply.status, body, reason, shortened(message), reply.date)


def _somebody_else(reply: Reply) -> Answer:
    """A redirect, or a page: a proxy that wants a login. Never shown: such a page may hold anything."""
    kind = reply.headers.get("Content-Type", "no content type")
    message = f"not the API server answers but something before it, with {reply.status} and {kind}"
    return Answer(502, {}, "NotTheServer", message, reply.date)


def decoded(body: bytes) -> dict[str, Any]:
    """A JSON object, or {} for anything else (an HTML page of a proxy, nothing at all)."""
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def shortened(text: str) -> str:
    raw = text.encode()
    if len(raw) <= MESSAGE_LIMIT:
        return text
    return raw[: MESSAGE_LIMIT - 16].decode("utf-8", "ignore") + " … (shortened)"


def masked(message: str, secret: Mapping[str, Any], status: int) -> str:
    """`message` without any value of `secret`. Decoding errors (400) quote the raw body, so nothing of them is kept."""
    if status == 400:
        return _WITHHELD
    for value in sorted(_values(secret), key=len, reverse=True):
        message = message.replace(value, "***")
    return message


def _values(secret: Mapping[str, Any]) -> Iterator[str]:
    for section in ("data", "stringData"):
        entries = secret.get(section)
        for value in entries.values() if isinstance(entries, Mapping) else ():
            text = str(value)
            if len(text) > 2:  # shorter ones would mask half of every word
                yield text
            try:
                plain = base64.b64decode(text, validate=True).decode()
            except (binascii.Error, ValueError):
                continue
            if len(plain) > 2:
                yield plain

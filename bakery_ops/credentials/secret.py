"""Types that hold a secret and show `***` in every way Python can print, format or serialize them."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from typing import Any, NoReturn

from bakery_ops.model.encoding import from_base64

_SHOWN = "***"


class SecretText:
    """A secret text. Only `reveal` gives it away, so every use can be found by that word."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return _SHOWN

    __str__ = __repr__

    def __format__(self, specification: str) -> str:
        return format(_SHOWN, specification)

    def __len__(self) -> int:
        return len(self._text)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SecretText):
            return NotImplemented
        return hmac.compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return hash((SecretText, self._text))

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a secret is not pickled or copied")


class MaskedMapping(dict[str, Any]):
    """The `data` of a Secret on its way to the API server: encodes as a dictionary, prints as names only."""

    def __repr__(self) -> str:
        return f"{{{', '.join(f'{key!r}: {_SHOWN}' for key in self)}}}"

    __str__ = __repr__


def encoded(values: Mapping[str, SecretText]) -> MaskedMapping:
    """Values as the `data` of a Secret."""
    return MaskedMapping({key: base64.b64encode(value.reveal().encode()).decode() for key, value in values.items()})


def decoded(body: Mapping[str, Any]) -> dict[str, SecretText | None]:
    """The values of a live or rendered Secret; None for what is not base64 of a UTF-8 text."""
    values: dict[str, SecretText | None] = {}
    for key, value in (body.get("data") or {}).items():
        raw = from_base64(value)
        try:
            values[str(key)] = None if raw is None else SecretText(raw.decode())
        except UnicodeDecodeError:
            values[str(key)] = None
    for key, value in (body.get("stringData") or {}).items():
        values[str(key)] = SecretText(value) if isinstance(value, str) else None
    return values

"""Base64 as Kubernetes reads it in a Secret."""

from __future__ import annotations

import base64
import binascii


def from_base64(value: object) -> bytes | None:
    """The bytes of a Secret's `data` value, or None. Line breaks are ignored: kustomize folds long values."""
    if not isinstance(value, str):
        return None
    try:
        return base64.b64decode(value.replace("\n", "").replace("\r", ""), validate=True)
    except (binascii.Error, ValueError):
        return None

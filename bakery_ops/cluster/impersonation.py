"""Who we act as: the headers for `as`, `as-uid`, `as-groups` and `as-user-extra` of a kubeconfig's user."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from bakery_ops.errors import UsageError

_HEADER_NAME = "!#$&'*+^`|"  # may stand in a header's name beside what `quote` never escapes (RFC 7230, token)


def headers_of(user: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Name and value of each header (Kubernetes, "User impersonation"); without them we would be somebody else.

    Raises: UsageError: they are not what kubectl takes.
    """
    groups, extra = user.get("as-groups") or [], user.get("as-user-extra") or {}
    if not isinstance(groups, list) or not isinstance(extra, Mapping):
        raise UsageError("The kubeconfig's as-groups has to be a list, and as-user-extra a map of lists.")
    if not user.get("as"):
        if groups or extra or user.get("as-uid"):
            raise UsageError("The kubeconfig has as-groups, as-uid or as-user-extra, and no `as` with a user's name.")
        return
    yield "Impersonate-User", str(user["as"])
    if user.get("as-uid"):
        yield "Impersonate-Uid", str(user["as-uid"])
    for group in groups:
        yield "Impersonate-Group", str(group)
    for key, values in extra.items():
        for value in values if isinstance(values, list) else [values]:
            yield f"Impersonate-Extra-{quote(str(key), safe=_HEADER_NAME)}", str(value)

"""A container's log as it grows: one request that stays open, cut into lines."""

from __future__ import annotations

from collections.abc import Iterator

from bakery_ops.cluster.answers import decoded
from bakery_ops.cluster.discovery import BUILT_IN
from bakery_ops.cluster.transport import Query, Timeouts, Transport
from bakery_ops.cluster.troubles import TransportError
from bakery_ops.errors import OperationFailed

# A healthy service may say nothing for hours; a broken connection is noticed by its end, or by the user.
_PATIENT = Timeouts(connect=5.0, read=24 * 3600.0)


def follow(
    transport: Transport, namespace: str, pod: str, container: str, *, tail_lines: int | None, since_seconds: int | None
) -> Iterator[str]:
    """Each line, raw, as it is written, until the container or its pod ends. The request is never repeated: no line may
    come twice.

    Raises: OperationFailed: the server refuses, or the connection breaks.
    """
    limits = {"tailLines": tail_lines, "sinceSeconds": since_seconds}
    query: Query = {"container": container, "follow": True, **{key: n for key, n in limits.items() if n is not None}}
    try:
        stream = transport.stream(
            BUILT_IN["", "Pod"].path(namespace, pod) + "/log", query, accept="*/*", timeouts=_PATIENT
        )
        try:
            if stream.status != 200:
                message = decoded(stream.error_body()).get("message")
                raise OperationFailed(f"the API server answers {stream.status}: {message or 'without a reason'}")
            yield from _lines(stream.chunks())
        finally:
            stream.release()  # whoever stops listening lets the server stop sending
    except TransportError as error:
        raise OperationFailed(str(error)) from error


def _lines(chunks: Iterator[bytes]) -> Iterator[str]:
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line.decode("utf-8", "replace")
    if rest:
        yield rest.decode("utf-8", "replace")

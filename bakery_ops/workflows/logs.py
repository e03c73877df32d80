"""`logs`: find the containers behind a name, read or follow each."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from bakery_ops.errors import BakeryError, OperationFailed
from bakery_ops.model.graph import Node
from bakery_ops.rules.logs import BETWEEN, Source, sources
from bakery_ops.workflows.ports import Requests

_PARALLEL = 4
_HELD_BACK = 10_000  # lines that may wait for a slow reader before the streams have to

Follow = Callable[[Source], Iterable[str]]


class Line(NamedTuple):
    """One line of a container, or a remark about it (`is_remark`): that its log cannot be read (`is_failure`)."""

    source: Source
    text: str
    is_remark: bool = False
    is_failure: bool = False


def find(requests: Requests, node: Node) -> tuple[Source, ...]:
    """The containers of the workload's pods as they are now. Raises: OperationFailed: not deployed, or without pods."""
    answer = requests.read(node.ref)
    if answer.status != 200:
        raise OperationFailed(f"{node.ref} is not in the cluster", remedy="invoke deploy.status shows what is")
    between = requests.list(*BETWEEN[node.ref.kind], node.ref.namespace) if node.ref.kind in BETWEEN else ()
    found = sources(answer.body, between, requests.list("", "Pod", node.ref.namespace))
    if not found:
        raise OperationFailed(f"{node.ref} has no pods now", remedy="invoke deploy.status says why")
    return found


def read(
    requests: Requests, found: Sequence[Source], *, previous: bool, tail: int | None, since: int | None
) -> Iterator[Line]:
    """What the containers have said: the last `tail` lines of each (None: all), not older than `since` seconds."""

    def one(source: Source) -> list[Line]:
        if previous and not source.restarts:
            return [Line(source, "has not restarted: no previous log", is_remark=True)]
        if source.state and not previous:
            return [Line(source, source.state, is_remark=True)]
        try:
            lines = requests.logs(
                source.namespace,
                source.pod,
                source.container,
                previous=previous,
                tail_lines=tail,
                since_seconds=since,
                limit_bytes=None,
            )
        except BakeryError as error:
            return [Line(source, str(error), is_remark=True, is_failure=True)]
        return [Line(source, text) for text in lines] or [Line(source, "no lines", is_remark=True)]

    with ThreadPoolExecutor(_PARALLEL) as pool:
        for lines in pool.map(one, found):
            yield from lines


def follow(found: Sequence[Source], open_stream: Follow) -> Iterator[Line]:
    """Lines of all containers as they come, until every stream has ended."""
    inbox: queue.Queue[Line | None] = queue.Queue(_HELD_BACK)

    def one(source: Source) -> None:
        try:
            for text in open_stream(source):
                inbox.put(Line(source, text))
        except BakeryError as error:
            inbox.put(Line(source, f"the stream broke: {error}", is_remark=True, is_failure=True))
        finally:
            inbox.put(None)

    for source in found:
        threading.Thread(target=one, args=(source,), name=f"log of {source.name}", daemon=True).start()
    left = len(found)
    while left:
        line = inbox.get()
        if line is None:
            left -= 1
        else:
            yield line

"""What is written down about an instance before anything of it exists, so that a crash leaves nothing unknown."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from bakery_ops.sandbox.sizes import NodeSize

Kind = Literal["real", "simulated"]


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """An instance as it was asked for, and what it changed on the machine.

    Attributes:
        kind: `real`, or `simulated` only.
        nodes: Sizes of its simulated nodes.
        started_at: Seconds since the epoch.
        server: URL of the API server; "" until it is ready.
        number: Which private network a real instance uses (10.231.NUMBER.0/30).
        sysctls: Kernel settings as they were before, to put back.
        absent: Paths that did not exist before and may have been made by the node's programs.
    """

    kind: Kind
    nodes: tuple[NodeSize, ...]
    started_at: float
    server: str = ""
    number: int = 0
    sysctls: dict[str, str] = {}
    absent: tuple[str, ...] = ()


def read(directory: Path) -> Record | None:
    """The record in `directory`; None when there is none, or only half of one."""
    try:
        return msgspec.json.decode((directory / "instance.json").read_bytes(), type=Record)
    except (OSError, msgspec.DecodeError):
        return None


def write(directory: Path, record: Record) -> None:
    """Write it through a temporary name."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = directory / "instance.json.part"
    temporary.write_bytes(msgspec.json.encode(record))
    temporary.replace(directory / "instance.json")

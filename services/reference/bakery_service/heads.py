"""The migration head of this image, read from the revision files as text: importing Alembic costs half a second."""

from __future__ import annotations

import os
import re

from bakery_service.errors import ServiceError

TERMINATION_LOG = "/dev/termination-log"
MIGRATIONS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "migrations")
_ASSIGNMENT = re.compile(r'^(revision|down_revision)\b[^=\n]*=\s*(?:"([^"]+)"|None)\s*$', re.MULTILINE)


def image_revisions(directory: str = MIGRATIONS) -> tuple[str, ...]:
    """Every revision of the image, oldest first, the head last.

    Raises: ServiceError when the revisions form no single line, for then no one head exists.
    """
    follower: dict[str, str] = {}
    versions = os.path.join(directory, "versions")
    names = sorted(name for name in os.listdir(versions) if name.endswith(".py") and name != "__init__.py")
    for name in names:
        with open(os.path.join(versions, name), encoding="utf-8") as source:
            found = dict(_ASSIGNMENT.findall(source.read()))
        if not found.get("revision") or found.get("down_revision", "") in follower:
            raise ServiceError(f"Migration {name} has no revision of its own, or shares its ancestor with another one.")
        follower[found.get("down_revision", "")] = found["revision"]
    line: list[str] = []
    while (following := follower.get(line[-1] if line else "")) and following not in line:
        line.append(following)
    if not line or len(line) != len(names):
        raise ServiceError("The image's migrations do not form one line from first to last.")
    return tuple(line)


def report_head(head: str, path: str = TERMINATION_LOG) -> None:
    """Leave the head as the container's termination message: who deploys reads it from the pod's status.

    Outside Kubernetes there is no such file; then there is nobody to tell.
    """
    try:
        with open(path, "r+", encoding="utf-8") as message:
            message.write(f"migration-head: {head}\n")
            message.truncate()
    except OSError:
        return


def image_head(directory: str = MIGRATIONS) -> str:
    """The revision the database must be at before this image may serve."""
    return image_revisions(directory)[-1]

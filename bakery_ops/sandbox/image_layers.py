"""What each sandbox image adds to the base layer, and how it starts: the contract of the official image of that name.

Pure but for reading the repository's own files. One recipe serves many names: every microservice is the same image.
"""

from __future__ import annotations

import importlib.util
import marshal
import struct
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bakery_ops.sandbox.archive import Entry

_PATH = (
    "PATH=/usr/lib/postgresql/15/bin:/usr/lib/rabbitmq/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
)
_PACKAGES = "usr/local/lib/python3.11/dist-packages"
_MAGIC_3_11 = b"\xa7\r\r\n"  # the base layer's Python; bytecode of another version would be ignored there


class Recipe(NamedTuple):
    """`entries` reads the repository and returns the layer's members; `config` is the image's configuration."""

    name: str
    entries: Callable[[Path], Sequence[Entry]]
    config: Mapping[str, Any]


def recipe_for(name: str) -> Recipe | None:
    """The recipe that makes image `name` (with tag); None: the sandbox cannot make it.

    Exact tags for the official images, so that a manifest that moves to another version is noticed and not fooled.
    """
    if name in _OFFICIAL:
        return _OFFICIAL[name]
    repository, _, tag = name.rpartition(":")
    owner, _, image = repository.rpartition("/")
    if owner != "bakery" or not tag:
        return None
    if image in _EDGE:
        return _EDGE[image]
    return SERVICE if image.endswith("-service") and image != "-service" else None


def makeable() -> tuple[str, ...]:
    """The names, for an error message; `<name>` stands for any word."""
    return (*sorted(_OFFICIAL), "bakery/<name>-service:<tag>", *(f"bakery/{name}:<tag>" for name in sorted(_EDGE)))


def _accounts(user: str, number: int, home: str) -> list[Entry]:
    """The files that give a user its number: initdb and RabbitMQ refuse a uid that has no name."""
    passwd = (
        "root:x:0:0:root:/root:/bin/bash\n"
        "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
        f"{user}:x:{number}:{number}::{home}:/bin/sh\n"
    )
    group = f"root:x:0:\nnogroup:x:65534:\n{user}:x:{number}:\n"
    return [Entry("etc/group", group.encode()), Entry("etc/passwd", passwd.encode())]


def _postgres(repository: Path) -> list[Entry]:
    return [
        *_accounts("postgres", 999, "/var/lib/postgresql"),
        Entry("docker-entrypoint-initdb.d"),
        _entrypoint(repository, "postgres"),
        *_owned("run/postgresql", "var/lib/postgresql", "var/lib/postgresql/data"),
    ]


def _redis(repository: Path) -> list[Entry]:
    return [*_accounts("redis", 999, "/data"), _entrypoint(repository, "redis"), *_owned("data")]


def _rabbitmq(repository: Path) -> list[Entry]:
    return [
        *_accounts("rabbitmq", 999, "/var/lib/rabbitmq"),
        _entrypoint(repository, "rabbitmq"),
        *_owned("etc/rabbitmq", "etc/rabbitmq/conf.d", "var/lib/rabbitmq", "var/log/rabbitmq"),
    ]


def _frontend(repository: Path) -> list[Entry]:
    source = repository / "services" / "frontend"
    pages = sorted(path for path in (source / "static").iterdir() if path.is_file())
    return [
        *_accounts("bakery", 10001, "/nonexistent"),
        Entry("etc/nginx/nginx.conf", source / "nginx.conf"),
        *(Entry(f"usr/share/nginx/html/{page.name}", page) for page in pages),
    ]


def _service(repository: Path) -> list[Entry]:
    """The reference service, in a place Debian's Python looks at by itself."""
    source = repository / "services" / "reference"
    modules = sorted((source / "bakery_service").rglob("*.py"))
    entries = _accounts("bakery", 10001, "/nonexistent")
    for module in modules:
        place = f"{_PACKAGES}/{module.relative_to(source).as_posix()}"
        entries.append(Entry(place, module))
    for command in sorted((source / "bin").iterdir()):
        entries.append(Entry(f"usr/local/bin/{command.name}", command, mode=0o755))
    return entries


def with_bytecode(entries: Sequence[Entry]) -> list[Entry]:
    """`entries` and the bytecode of their modules: at run time nobody may write it, and each start would compile.

    Migrations are left out: Alembic loads them as text. Nothing is added when this Python is not the image's.
    """
    if importlib.util.MAGIC_NUMBER != _MAGIC_3_11:
        return list(entries)
    added = []
    for entry in entries:
        if isinstance(entry.content, Path) and entry.path.endswith(".py") and "/versions/" not in entry.path:
            parent, _, name = entry.path.rpartition("/")
            place = f"{parent}/__pycache__/{name.removesuffix('.py')}.cpython-311.pyc"
            added.append(Entry(place, _bytecode(entry.content.read_bytes(), f"/{entry.path}")))
    return [*entries, *added]


def _bytecode(source: bytes, place: str) -> bytes:
    """A .pyc that is never checked against its source (PEP 552), for a layer's times mean nothing.

    The marshal version without back references: the later ones depend on reference counts, so bytes would vary.
    """
    code = compile(source, place, "exec", dont_inherit=True)
    return _MAGIC_3_11 + struct.pack("<I", 0b01) + importlib.util.source_hash(source) + marshal.dumps(code, 2)


def _entrypoint(repository: Path, image: str) -> Entry:
    script = repository / "sandbox" / "images" / image / "docker-entrypoint.sh"
    return Entry("usr/local/bin/docker-entrypoint.sh", script, mode=0o755)


def _owned(*places: str) -> list[Entry]:
    """Directories of uid 999, open to any uid: with a read-only root file system only volumes are written anyway."""
    return [Entry(place, mode=0o777, uid=999, gid=999) for place in places]


def _config(environment: Sequence[str] = (), **others: Any) -> dict[str, Any]:
    return {"Env": [_PATH, "LANG=C.UTF-8", *environment], "WorkingDir": "/", **others}


_PYTHON = ("PYTHONDONTWRITEBYTECODE=1", "PYTHONUNBUFFERED=1", "PYTHONNOUSERSITE=1")
_ENTRYPOINT = ["docker-entrypoint.sh"]

SERVICE = Recipe("service", _service, _config(_PYTHON, User="10001:10001", Cmd=["bakery-service", "serve"]))
_EDGE = {
    "gateway": Recipe("gateway", _service, _config(_PYTHON, User="10001:10001", Cmd=["bakery-gateway"])),
    "frontend": Recipe(
        "frontend",
        _frontend,
        _config(User="10001:10001", Cmd=["nginx", "-e", "stderr", "-g", "daemon off;"], StopSignal="SIGQUIT"),
    ),
}
_OFFICIAL = {
    "postgres:15-bookworm": Recipe(
        "postgres",
        _postgres,
        _config(
            ["PGDATA=/var/lib/postgresql/data", "PG_MAJOR=15"],
            Entrypoint=_ENTRYPOINT,
            Cmd=["postgres"],
            StopSignal="SIGINT",
        ),
    ),
    "redis:7.0-bookworm": Recipe(
        "redis", _redis, _config(Entrypoint=_ENTRYPOINT, Cmd=["redis-server"], WorkingDir="/data")
    ),
    "rabbitmq:3.10-management": Recipe(
        "rabbitmq",
        _rabbitmq,
        _config(
            ["RABBITMQ_DATA_DIR=/var/lib/rabbitmq", "RABBITMQ_LOGS=-", "HOME=/var/lib/rabbitmq"],
            Entrypoint=_ENTRYPOINT,
            Cmd=["rabbitmq-server"],
        ),
    ),
}

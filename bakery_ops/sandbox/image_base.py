"""The base layer of every sandbox image: a small Debian with PostgreSQL, Redis, RabbitMQ, nginx and Python.

Built by mmdebstrap as root in about a minute, kept in the cache directory under the hash of everything that shapes it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bakery_ops.errors import CommandFailed, OperationFailed, PreflightRefused
from bakery_ops.tools.process import find, run

Say = Callable[[str], None]

SUITE = "bookworm"
PACKAGES = (
    "ca-certificates",
    "nginx-light",
    "postgresql-15",
    "python3-alembic",
    "python3-fastapi",
    "python3-httptools",
    "python3-httpx",
    "python3-minimal",
    "python3-pika",
    "python3-prometheus-client",
    "python3-psycopg2",
    "python3-redis",
    "python3-sqlalchemy",
    "python3-uvicorn",
    "rabbitmq-server",
    "redis-server",
)
# Never unpacked. Without llvmjit.so PostgreSQL switches its just-in-time compiler off, and 130 MB of LLVM are spared.
EXCLUDED = (
    "/usr/share/doc/*",
    "/usr/share/info/*",
    "/usr/share/lintian/*",
    "/usr/share/locale/*",
    "/usr/share/man/*",
    "/usr/lib/postgresql/15/lib/bitcode/*",
    "/usr/lib/postgresql/15/lib/llvmjit*",
    "/usr/lib/x86_64-linux-gnu/libLLVM*",
    "/usr/lib/x86_64-linux-gnu/libz3*",
)
# Needed while packages configure themselves (maintainer scripts speak Perl and list files), by nobody afterwards.
REMOVED = (
    "usr/share/perl",
    "usr/share/perl5",
    "usr/share/i18n",
    "usr/share/postgresql/15/man",
    "usr/lib/python3/dist-packages/sqlalchemy/testing",
    "usr/lib/x86_64-linux-gnu/perl",
    "usr/lib/x86_64-linux-gnu/gconv",
    "var/cache/apt",
    "var/cache/debconf",
    "var/lib/apt/lists",
    "var/lib/dpkg/info",
    "var/lib/postgresql",
    "var/lib/rabbitmq",
    "var/lib/redis",
    "var/log",
)
# Debian's package would create and start a cluster of its own; the image's entrypoint does that, on the volume.
_NO_CLUSTER = (
    'mkdir -p "$1/etc/postgresql-common"'
    ' && echo "create_main_cluster = false" >"$1/etc/postgresql-common/createcluster.conf"'
)
# What initdb makes of these arguments, kept for the postgres image's entrypoint: eighteen databases that start at once
# copy it in 0.1 s of CPU instead of making it in 0.8 s each. Any other arguments still mean initdb.
TEMPLATE = "/usr/local/share/postgres-template"
TEMPLATE_ARGUMENTS = (
    "--encoding=UTF8 --locale=C.UTF-8 --auth-local=peer --auth-host=scram-sha-256 --no-sync --wal-segsize=1"
)
_PREPARE = (
    f'chroot "$1" install -d -o postgres -m 0700 {TEMPLATE}'
    f' && chroot --userspec=postgres "$1" env LC_ALL=C.UTF-8 /usr/lib/postgresql/15/bin/initdb'
    f" --username=postgres {TEMPLATE_ARGUMENTS} {TEMPLATE}/data"
    f' && echo "{TEMPLATE_ARGUMENTS}" >"$1{TEMPLATE}/arguments" && chown -R 999:999 "$1{TEMPLATE}"'
)
_STRIP = 'cd "$1" && rm -rf ' + " ".join(REMOVED) + " && mkdir -p var/log var/cache/apt var/lib/apt/lists"
_STEPS = (
    ("downloading", "downloading packages"),
    ("extracting", "unpacking the essential packages"),
    ("installing essential", "installing the essential packages"),
    ("installing remaining", "installing PostgreSQL, Redis, RabbitMQ, nginx and Python"),
    ("running --customize-hook", "removing what no container needs"),
    ("creating tarball", "writing the layer"),
)


def base_key() -> str:
    """Sixteen hexadecimal digits that change when the layer would: suite, packages and what is left out.

    Not the packages' versions: a security update in Debian does not invalidate a cache that works.
    """
    shape = json.dumps([SUITE, PACKAGES, EXCLUDED, _NO_CLUSTER, _PREPARE, _STRIP])
    return hashlib.sha256(shape.encode()).hexdigest()[:16]


def base_path(cache: Path) -> Path:
    return cache / "images" / f"base-{base_key()}.tar"


def ensure_base(cache: Path, say: Say) -> Path:
    """The base layer, built now if it is not in the cache; interrupting leaves nothing that a later run would trust.

    Raises: PreflightRefused without root or mmdebstrap; OperationFailed when Debian's archive or a package fails.
    """
    layer = base_path(cache)
    if layer.exists():
        return layer
    if os.geteuid() != 0:
        raise PreflightRefused(
            "Building the sandbox's images needs root.",
            remedy="run as root, or use simulated nodes, which need no images",
        )
    find("mmdebstrap")
    with alone(layer.with_name("base.lock"), say):
        if not layer.exists():
            _build(layer, say)
    return layer


@contextmanager
def alone(lock: Path, say: Say) -> Iterator[None]:
    """Hold the file `lock` while the block runs, waiting for whoever has it. The kernel frees it when a holder dies."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("images: another run is working on them; waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _build(layer: Path, say: Say) -> None:
    partial = layer.with_name(layer.name + ".part")
    say("images: building the base layer from Debian packages; about a minute, once")
    # No SOURCE_DATE_EPOCH: it would change the modules' times, and Python would reject their bytecode.
    try:
        # The grace is mmdebstrap's, to remove its half-made tree when we are interrupted.
        run(_command(partial), env={"LC_ALL": "C.UTF-8"}, on_line=progress(say), grace=60)
    except CommandFailed as error:
        raise OperationFailed(
            "The base layer of the sandbox's images could not be built.",
            remedy="is Debian's package archive reachable, and is there 2 GB of free disk space? Then run again",
            details=complaints(error.stderr),
        ) from error
    else:
        partial.replace(layer)
    finally:
        partial.unlink(missing_ok=True)
    for older in layer.parent.glob("base-*.tar"):
        if older != layer:
            older.unlink(missing_ok=True)
    say(f"images: the base layer is ready, {layer.stat().st_size // 1_000_000} MB")


def _command(out: Path) -> list[str]:
    return [
        "mmdebstrap",
        "--mode=root",
        "--variant=essential",
        "--format=tar",
        f"--include={','.join(PACKAGES)}",
        "--aptopt=APT::Install-Recommends false",
        "--dpkgopt=force-confold",
        *(f"--dpkgopt=path-exclude={pattern}" for pattern in EXCLUDED),
        f"--essential-hook={_NO_CLUSTER}",
        f"--customize-hook={_PREPARE}",
        f"--customize-hook={_STRIP}",
        SUITE,
        str(out),
    ]


def progress(say: Say) -> Callable[[str], None]:
    """mmdebstrap says `I: doing something...` for each step; each of ours is announced once."""
    said: set[str] = set()

    def on_line(line: str) -> None:
        for word, step in _STEPS:
            if line.startswith("I: ") and word in line and step not in said:
                said.add(step)
                say(f"images: {step}")

    return on_line


def complaints(output: str) -> Sequence[str]:
    """Errors first; without any, the last lines."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return [line for line in lines if line.startswith(("E:", "W:", "Err:", "dpkg: error"))][-10:] or lines[-10:]

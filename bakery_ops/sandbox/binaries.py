"""Programs built from the Go modules under `sandbox/`: kept in the cache under a hash of their sources, built once."""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from bakery_ops.errors import CommandFailed, OperationFailed, PreflightRefused, UsageError
from bakery_ops.sandbox import gotoolchain
from bakery_ops.sandbox.instance import cache_directory
from bakery_ops.tools import process

Say = Callable[[str], None]

_KUBERNETES = "v1.36.3"
_HEARTBEAT = 10.0
_FREE_BYTES = 3 * 2**30


class Module(NamedTuple):
    """A Go module to build: what the program is called, its directory, the package in it, and flags of `go build`."""

    name: str
    directory: Path
    package: str = "."
    flags: tuple[str, ...] = ()
    cgo: bool = False


def kubenode(repository: Path) -> Module:
    """The whole cluster in one program; without the linker flags its servers call themselves v0.0.0-master."""
    stamps = []
    for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version"):
        values = {
            "gitVersion": _KUBERNETES,
            "gitMajor": "1",
            "gitMinor": _KUBERNETES.split(".")[1],
            "gitTreeState": "clean",
            "buildDate": "2026-01-01T00:00:00Z",
        }
        stamps += [f"-X {package}.{field}={value}" for field, value in values.items()]
    return Module("kubenode", repository / "sandbox" / "kubenode", flags=("-ldflags", "-s -w " + " ".join(stamps)))


def pause(repository: Path) -> Module:
    """The program that holds a pod's namespaces."""
    return Module("pause", repository / "sandbox" / "kubenode", "./pause", ("-ldflags", "-s -w"))


def tool(repository: Path, name: str) -> Module:
    """A program some tests drive: the package named by the `tool` line of `sandbox/tools/<name>/go.mod`.

    Raises: UsageError when there is no such module.
    """
    directory = repository / "sandbox" / "tools" / name
    try:
        lines = (directory / "go.mod").read_text().splitlines()
    except OSError as error:
        known = sorted(path.parent.name for path in directory.parent.glob("*/go.mod"))
        raise UsageError(
            f"there is no tool called {name!r} to build", details=[f"known: {', '.join(known)}"]
        ) from error
    packages = [line.split()[1] for line in lines if line.startswith("tool ") and "(" not in line]
    if len(packages) != 1:
        raise UsageError(f"{directory}/go.mod must name exactly one tool")
    extra = [line.removeprefix("//bakery:").strip() for line in lines if line.startswith("//bakery:")]
    linker = " ".join(line.removeprefix("ldflags ") for line in extra if line.startswith("ldflags "))
    return Module(name, directory, packages[0], ("-ldflags", f"-s -w {linker}".strip()), cgo="cgo" in extra)


def key_of(module: Module) -> str:
    """Hash of everything that decides the program: sources, module files, flags, platform."""
    digest = hashlib.sha256()
    inside = module.directory / (module.package if module.package.startswith(".") else ".")
    sources = [*inside.rglob("*.go"), module.directory / "go.mod", module.directory / "go.sum"]
    for path in sorted(path for path in sources if path.is_file() and not path.name.endswith("_test.go")):
        digest.update(f"{path.relative_to(module.directory)}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    digest.update(repr((module.package, module.flags, module.cgo, platform.system(), platform.machine())).encode())
    return digest.hexdigest()[:20]


def build(module: Module, *, say: Say, cache: Path | None = None) -> Path:
    """The built program, from the cache or freshly built (minutes, with progress; interrupting and repeating resumes).

    Args:
        say: Gets one line when the build starts, every 10 s, and when it ends; nothing when the cache has it.
        cache: Directory to keep it in; the shared cache by default.
    Raises:
        PreflightRefused: no Go, or no room on the disk.
        OperationFailed: the build failed; carries the compiler's last lines.
    """
    if not (module.directory / "go.mod").is_file():
        raise UsageError(f"{module.directory} holds no Go module, so {module.name} cannot be built")
    place = (cache or cache_directory()) / "programs"
    place.mkdir(parents=True, exist_ok=True)
    wanted = place / f"{module.name}-{key_of(module)}"
    if not wanted.exists():
        with _alone(
            place / f"{module.name}.lock", f"another command is building {module.name}; waiting for it", say=say
        ):
            if not wanted.exists():
                _compile(module, wanted, say=say)
                _forget_older(wanted, module.name)
    return wanted


def build_tool(name: str, *, repository: Path, say: Say) -> Path:
    """`build(tool(…))`: what a test asks for."""
    return build(tool(repository, name), say=say)


def _compile(module: Module, wanted: Path, *, say: Say) -> None:
    _check_room(wanted.parent)
    go = gotoolchain.find_go(say=say)
    temporary = wanted.with_name(f".{wanted.name}.{os.getpid()}")
    environment = {
        "CGO_ENABLED": "1" if module.cgo else "0",
        "GOTOOLCHAIN": "local",
        "GOFLAGS": "-mod=readonly",
        "GOWORK": "off",
    }
    argv: Sequence[str | Path] = [
        go,
        "build",
        "-v",
        "-trimpath",
        "-buildvcs=false",
        *module.flags,
        "-o",
        temporary,
        module.package,
    ]
    began = time.monotonic()
    say(f"building {module.name} (once; minutes when nothing is cached, and an interrupted build resumes)")
    try:
        with _heartbeat(module.name, say=say) as count:
            process.run(argv, cwd=module.directory, env=environment, on_line=count)
        temporary.replace(wanted)
    except CommandFailed as error:
        raise _explained(module, error) from error
    finally:
        temporary.unlink(missing_ok=True)
    say(f"built {module.name} in {time.monotonic() - began:.0f} s")


def _check_room(directory: Path) -> None:
    free = shutil.disk_usage(directory).free
    if free < _FREE_BYTES:
        raise PreflightRefused(
            f"the disk of {directory} has {free / 2**30:.1f} GiB free, and a build needs {_FREE_BYTES / 2**30:.0f} GiB",
            remedy="free some space, or point BAKERY_CACHE_DIR and GOCACHE at a larger disk",
        )


def _explained(module: Module, error: CommandFailed) -> OperationFailed | PreflightRefused:
    said = [line for line in error.stderr.splitlines() if not _is_package_name(line)][-20:]
    text = "\n".join(said)
    if "no space left on device" in text:
        return PreflightRefused(
            f"the disk became full while {module.name} was built",
            remedy="free some space (go clean -cache frees Go's own), then repeat; what is built already is kept",
            details=said,
        )
    if "dial tcp" in text or "no such host" in text or "proxyconnect" in text:
        return PreflightRefused(
            f"Go could not download the modules of {module.name}",
            remedy="check the network or set GOPROXY, then repeat; what is downloaded already is kept",
            details=said,
        )
    return OperationFailed(f"Go could not build {module.name}", remedy=f"see sandbox/{module.name}", details=said)


def _is_package_name(line: str) -> bool:
    return bool(line) and " " not in line and ":" not in line


@contextmanager
def _heartbeat(name: str, *, say: Say) -> Iterator[Callable[[str], None]]:
    """Says every 10 s how far the build is; yields the function that is told each line of the compiler."""
    began, ended, packages = time.monotonic(), threading.Event(), [0]

    def count(line: str) -> None:
        packages[0] += _is_package_name(line)

    def beat() -> None:
        while not ended.wait(_HEARTBEAT):
            say(f"building {name}: {packages[0]} packages compiled, {time.monotonic() - began:.0f} s")

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield count
    finally:
        ended.set()
        thread.join()


@contextmanager
def _alone(lock: Path, waiting: str, *, say: Say) -> Iterator[None]:
    """Hold `lock`; the kernel lets go of it when a builder dies, so it cannot go stale."""
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(waiting)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _forget_older(kept: Path, name: str) -> None:
    """Remove builds of earlier sources, oldest first, all but two: a running sandbox may still be started from one."""
    builds = sorted(kept.parent.glob(f"{name}-*"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in builds[3:]:
        path.unlink(missing_ok=True)

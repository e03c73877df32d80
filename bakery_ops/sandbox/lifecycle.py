"""Start, status and stop of the sandbox: the one door of this room.

Everything is found again through the instance's directory, so any command can finish what another one began.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, NamedTuple

import msgspec

from bakery_ops.errors import Locked, PreflightRefused
from bakery_ops.sandbox import addons, binaries, controlplane, flags, machine, pki, realnode, record, simulated
from bakery_ops.sandbox.api import Api
from bakery_ops.sandbox.controlplane import ControlPlane
from bakery_ops.sandbox.daemons import Daemons
from bakery_ops.sandbox.flags import Endpoints
from bakery_ops.sandbox.instance import DEFAULT_NAME, Instance, instance
from bakery_ops.sandbox.record import Kind, Record
from bakery_ops.sandbox.runtime import ImageStore
from bakery_ops.sandbox.sizes import DEFAULT_NODE, NodeSize

Say = Callable[[str], None]


class SandboxStatus(NamedTuple):
    """A sandbox as it is now. `state`: running, broken (some of it died), or stopped.

    `nodes` are its simulated nodes' sizes, `started_at` seconds since the epoch, `pids` its daemons by name.
    """

    name: str
    state: str
    kind: Kind | None
    kubeconfig: Path
    context: str
    nodes: tuple[NodeSize, ...]
    started_at: float
    pids: dict[str, int]
    problems: tuple[str, ...] = ()


def start(
    kind: Kind | None,
    nodes: Sequence[NodeSize],
    *,
    say: Say,
    repository: Path,
    name: str = DEFAULT_NAME,
    audit_policy: Path | None = None,
) -> SandboxStatus:
    """Start the sandbox, or find it running.

    Args:
        kind: `real` (root, Linux), `simulated`, or None: real where possible, else simulated, said plainly.
        nodes: Sizes of the simulated nodes; none means one of 8 CPU and 20 GiB (simulated), or none (real).
        say: Gets one line per step.
        repository: The clone; `sandbox/kubenode` in it is built when the cache lacks it.
        name: Which instance; several run side by side.
        audit_policy: A file that says which requests its API server notes in `Instance.audit_log`; None notes none.
    Raises:
        PreflightRefused: it cannot run here, or another kind or other nodes run under this name.
        Locked: another command is starting or stopping it.
        OperationFailed, TimedOut: it did not come up; what was started is gone again, its logs are kept.
    """
    place = instance(name)
    with alone(place):
        found = status(name)
        if found.state == "running":
            _require_same(found, kind, tuple(nodes))
            say(f"the sandbox is running already ({found.kind}, context {found.context})")
            return found
        chosen = kind or _possible_kind(say)
        if chosen == "real":
            machine.require_possible()
            machine.ensure_packages(say=say)
        program = binaries.build(binaries.kubenode(repository), say=say)
        if found.state == "broken":
            say("cleaning up after a sandbox that did not end properly")
        _remove(place)
        try:
            return _start(place, chosen, tuple(nodes), program, repository, audit_policy, say=say)
        except OSError as error:
            _remove(place, keep_logs=True)
            raise _explained(error) from error
        except BaseException:
            _remove(place, keep_logs=True)
            raise


def prepare(*, say: Say, repository: Path) -> None:
    """Build what a start would build (minutes when nothing is cached), and start nothing."""
    program = binaries.build(binaries.kubenode(repository), say=say)
    realnode.programs(program, repository, say=say)


def status(name: str = DEFAULT_NAME) -> SandboxStatus:
    """What the instance called `name` is now; asks the processes and the API server, changes nothing."""
    place = instance(name)
    found = record.read(place.directory)
    daemons = Daemons(place.directory)
    pids = {daemon.name: daemon.pid for daemon in daemons}
    if found is None and not pids:
        return SandboxStatus(name, "stopped", None, place.kubeconfig, place.context, (), 0.0, {})
    problems = [f"{daemon.name} (process {daemon.pid}) is gone" for daemon in daemons if not daemon.is_running]
    if found is None or not found.server or not pids:
        problems.append("its start did not finish")
    elif not problems:
        with Api(found.server, place.pki) as api:
            if not api.is_ready():
                problems.append(f"its API server at {found.server} does not answer")
    return SandboxStatus(
        name=name,
        state="broken" if problems else "running",
        kind=found.kind if found else None,
        kubeconfig=place.kubeconfig,
        context=place.context,
        nodes=found.nodes if found else (),
        started_at=found.started_at if found else 0.0,
        pids=pids,
        problems=tuple(problems),
    )


def stop(*, say: Say, name: str = DEFAULT_NAME) -> bool:
    """Stop the instance and remove every trace of it; False when there was none.

    Raises: Locked; OperationFailed naming what could not be removed.
    """
    place = instance(name)
    if not place.directory.exists():
        return False
    with alone(place):
        existed = status(name).state != "stopped"
        began = time.monotonic()
        _remove(place)
        if existed:
            say(f"sandbox {name} stopped and removed in {time.monotonic() - began:.1f} s")
        with suppress(OSError):  # a start that comes between the two goes on in the folder
            (place.directory / "lock").unlink()
            place.directory.rmdir()
    return existed


def import_archive(tar: Path, *, say: Say, name: str = DEFAULT_NAME) -> bool:
    """Import the images of a docker archive into the running real node; False when all of them are there already.

    Raises: PreflightRefused when no real node runs or the disk is full; OperationFailed with containerd's words.
    """
    return _images_of(name).import_archive(tar, say=say)


def present_images(name: str = DEFAULT_NAME) -> dict[str, str]:
    """Name -> image id of the images imported into the running real node. Raises: PreflightRefused when none runs."""
    return _images_of(name).present()


def can_run_real() -> list[str]:
    """Why a real node cannot run here, one sentence each; [] when it can."""
    return machine.obstacles()


def _images_of(name: str) -> ImageStore:
    place = instance(name)
    found = record.read(place.directory)
    if found is None or found.kind != "real" or not found.server:
        raise PreflightRefused(
            "no real node runs here, so there is nothing to import images into", remedy="invoke sandbox.start"
        )
    return ImageStore(place.directory)


def _start(
    place: Instance,
    kind: Kind,
    nodes: tuple[NodeSize, ...],
    program: Path,
    repository: Path,
    audit_policy: Path | None,
    *,
    say: Say,
) -> SandboxStatus:
    began = time.monotonic()
    if kind == "simulated" and not nodes:
        nodes = (DEFAULT_NODE,)
    wanted = Record(kind=kind, nodes=nodes, started_at=time.time())
    daemons = Daemons(place.directory)
    place.volumes.mkdir(exist_ok=True)
    if kind == "real":
        used = realnode.programs(program, repository, say=say)
        wanted = realnode.survey(place, wanted)
        record.write(place.directory, wanted)
        plane = realnode.prepare(place, wanted, used, daemons, say=say)
    else:
        record.write(place.directory, wanted)
        plane = _simulated_plane(place, program)
    plane = plane._replace(audit_policy=audit_policy)
    controlplane.start(plane, daemons, say=say)
    with Api(plane.endpoints.server, place.pki) as api:
        api.apply([addons.storage_class(), *([addons.ingress_class()] if kind == "simulated" else [])])
        if kind == "real":
            realnode.start(plane, wanted, used, daemons, api, say=say)
        if nodes:
            simulated.start(plane, daemons, api, nodes, tainted=kind == "real", say=say)
    record.write(place.directory, msgspec.structs.replace(wanted, server=plane.endpoints.server))
    say(f"sandbox ready after {time.monotonic() - began:.1f} s; export KUBECONFIG={place.kubeconfig}")
    return status(place.name)


def _simulated_plane(place: Instance, program: Path) -> ControlPlane:
    api_port, etcd_port, peer_port = controlplane.free_ports(3)
    server = f"https://127.0.0.1:{api_port}"
    hosts = [
        "localhost",
        "127.0.0.1",
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        flags.API_SERVICE_ADDRESS,
    ]
    pki.write_pki(place.pki, pki.control_plane_leaves(hosts))
    # The API server refuses to advertise a loopback address; nothing is ever sent to the one it gets instead.
    return ControlPlane(place, program, Endpoints("127.0.0.1", "10.231.255.1", server, api_port, etcd_port, peer_port))


def _possible_kind(say: Say) -> Kind:
    reasons = machine.obstacles()
    if not reasons:
        return "real"
    say(f"using simulated nodes, on which containers do not run: {reasons[0]}")
    return "simulated"


def _require_same(found: SandboxStatus, kind: Kind | None, nodes: tuple[NodeSize, ...]) -> None:
    remedy = "invoke sandbox.stop removes the running one; then start again"
    if kind is not None and kind != found.kind:
        raise PreflightRefused(f"a {found.kind} sandbox is running, and a {kind} one was asked for", remedy=remedy)
    if nodes and nodes != found.nodes:
        have, want = ("; ".join(map(str, sizes)) or "none" for sizes in (found.nodes, nodes))
        raise PreflightRefused(
            f"the running sandbox has other simulated nodes than asked for: it has {have}, not {want}", remedy=remedy
        )


def _remove(place: Instance, *, keep_logs: bool = False) -> None:
    """End every process, undo every change on the machine, then remove the directory (but not its lock)."""
    daemons = Daemons(place.directory)
    made = record.read(place.directory)
    # All of its state is thrown away, so nobody needs time to save any.
    daemons.stop(grace=0)
    daemons.sweep()
    if made is not None and made.kind == "real":
        realnode.remove(place, made)
    for path in place.directory.iterdir() if place.directory.exists() else ():
        if path.name == "lock" or (keep_logs and path.name == "logs"):
            continue
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def _explained(error: OSError) -> PreflightRefused | OSError:
    if error.errno == errno.ENOSPC:
        return PreflightRefused(
            "the disk that holds the sandbox is full",
            remedy="free some space, or point BAKERY_STATE_DIR at a larger disk, then start again",
        )
    return error


@contextmanager
def alone(place: Instance) -> Iterator[None]:
    """Hold the instance's lock: one command at a time starts or stops it. Raises: Locked when another one does."""
    with _locked(place):
        yield


def _locked(place: Instance) -> IO[str]:
    """The lock's open file. A stop removes it with all the rest, so what we got may be one that is gone: then again."""
    path = place.directory / "lock"
    while True:
        try:
            place.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = path.open("w")
        except (FileNotFoundError, FileExistsError):  # removed between two steps, in `mkdir` itself too
            if place.directory.is_file():
                raise
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(lock.fileno()), path.stat()):
                return lock
        except FileNotFoundError:
            pass
        except BlockingIOError as error:
            lock.close()
            raise Locked(
                f"another command is starting or stopping the sandbox {place.name!r}",
                remedy="wait for it, or end it with Ctrl-C where it runs",
            ) from error
        lock.close()

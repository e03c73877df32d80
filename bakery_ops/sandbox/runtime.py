"""containerd of a real node: its images, imported from archives since no registry can be reached."""

from __future__ import annotations

import shutil
import socket
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from bakery_ops.errors import CommandFailed, OperationFailed, PreflightRefused, TimedOut
from bakery_ops.sandbox import archive
from bakery_ops.sandbox.archive import Entry, Image
from bakery_ops.sandbox.instance import cache_directory
from bakery_ops.tools import process

Say = Callable[[str], None]

_NAMED = 3
_IMPORT_WITHIN = 600.0


class ImageStore:
    """The images of the node whose containerd listens in `directory`; images.json there says what was imported."""

    def __init__(self, directory: Path) -> None:
        self._record = directory / "images.json"
        self._ctr = ("ctr", f"--address={directory / 'containerd.sock'}", "--namespace=k8s.io")

    def present(self) -> dict[str, str]:
        """Name -> image id (`sha256:…`) of the images that were imported and are still there."""
        try:
            recorded = msgspec.json.decode(self._record.read_bytes(), type=dict[str, str])
        except (OSError, msgspec.DecodeError):
            recorded = {}
        listed = set(process.run([*self._ctr, "images", "list", "--quiet"], timeout=60).stdout.split())
        return {name: identity for name, identity in recorded.items() if full_name(name) in listed}

    def import_archive(self, tar: Path, *, say: Say) -> bool:
        """Import every image of a docker archive, unless all are there with the same id already (then False).

        Raises: PreflightRefused when the disk is full; OperationFailed with containerd's words.
        """
        wanted, present = archive.images_in(tar), self.present()
        if wanted.items() <= present.items():
            return False
        began = time.monotonic()
        try:
            process.run([*self._ctr, "images", "import", tar], timeout=_IMPORT_WITHIN)
        except CommandFailed as error:
            raise _explained(tar, error) from error
        temporary = self._record.with_suffix(".part")
        temporary.write_bytes(msgspec.json.encode({**present, **wanted}))
        temporary.replace(self._record)
        named = ", ".join(sorted(wanted)) if len(wanted) <= _NAMED else f"{len(wanted)} images"
        say(f"imported {named} in {time.monotonic() - began:.1f} s")
        return True


def full_name(name: str) -> str:
    """How containerd stores a name: `bakery/gateway:dev` and `redis:7` belong to the default registry, as in Docker."""
    first, slash, _ = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return name
    return f"docker.io/{name}" if slash else f"docker.io/library/{name}"


def wait_listening(path: Path, alive: Callable[[], None], *, within: float = 30.0) -> None:
    """Return when something accepts connections at the Unix socket `path`; `alive` raises when it never will."""
    deadline = time.monotonic() + within
    while True:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            try:
                probe.connect(str(path))
                return
            except OSError:
                alive()
        if time.monotonic() > deadline:
            raise TimedOut(
                f"nothing listens at {path} after {within:g} s", remedy="read containerd.log in its logs directory"
            )
        time.sleep(0.05)


def node_images(kubenode: Path, pause: Path, *, names: tuple[str, str]) -> Path:
    """The archive of the node's own images, kubenode's and pause's, called `names`; written once into the cache."""
    place = cache_directory() / "images"
    place.mkdir(parents=True, exist_ok=True)
    wanted = place / f"node-{kubenode.name.rpartition('-')[2]}-{pause.name.rpartition('-')[2]}.tar"
    if wanted.exists():
        return wanted
    images, layers = [], []
    for name, program, file in zip(names, (kubenode, pause), ("kubenode", "pause"), strict=True):
        layer = wanted.with_name(f"{wanted.name}.{file}")
        archive.write_layer(layer, [Entry(file, program, mode=0o755), Entry("tmp", mode=0o1777)])
        layers.append(layer)
        images.append(Image(name, [layer], {"Entrypoint": [f"/{file}"], "User": "65534:65534"}))
    archive.write_docker_archives(wanted, images)
    for layer in layers:
        layer.unlink()
    for older in place.glob("node-*.tar"):
        if older != wanted:
            older.unlink(missing_ok=True)
    return wanted


def _explained(tar: Path, error: CommandFailed) -> OperationFailed | PreflightRefused:
    if "no space left on device" in error.stderr:
        free = shutil.disk_usage(tar.parent).free / 2**30
        return PreflightRefused(
            f"the disk became full while {tar.name} was imported ({free:.1f} GiB free)",
            remedy="free some space, or point BAKERY_STATE_DIR at a larger disk, then repeat",
        )
    return OperationFailed(f"containerd could not import {tar.name}", details=error.details)

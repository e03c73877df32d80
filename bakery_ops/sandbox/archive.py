"""Container images written by hand: deterministic layer tars, and the archive format of `docker save`.

The same input gives the same bytes, so an image's identity can be compared instead of trusted: owners, order and
times are fixed, only paths, modes, owners asked for and contents count.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

_BLOCK = 1 << 20
_EPOCH = "1970-01-01T00:00:00Z"


class Entry(NamedTuple):
    """One member of a layer. `path` is its absolute or relative place in the image.

    Exactly one of the next three says what it is: `content` (bytes, or a Path to copy), `link` (symlink target),
    neither (a directory). `mode` 0 means the usual one: 0755 for directories and executables' sources, else 0644.
    """

    path: str
    content: bytes | Path | None = None
    link: str = ""
    mode: int = 0
    uid: int = 0
    gid: int = 0


class Image(NamedTuple):
    """An image to write: `name` with tag, layer tars lowest first, `config` the OCI image's `config` object."""

    name: str
    layers: Sequence[Path]
    config: Mapping[str, Any]


def write_layer(out: Path, entries: Iterable[Entry]) -> None:
    """Write one layer tar at `out` (through a temporary name), members in the order given; missing parents get 0755."""
    temporary = out.with_name(out.name + ".part")
    seen: set[str] = set()
    with tarfile.open(temporary, "w", format=tarfile.PAX_FORMAT) as tar:
        for entry in entries:
            place = entry.path.strip("/")
            for parent in reversed(Path(place).parents[:-1]):
                if parent.as_posix() not in seen:
                    _add(tar, Entry(parent.as_posix()), seen)
            _add(tar, entry._replace(path=place), seen)
    temporary.replace(out)


def _add(tar: tarfile.TarFile, entry: Entry, seen: set[str]) -> None:
    if entry.path in seen and entry.content is None and not entry.link:
        return
    seen.add(entry.path)
    member = tarfile.TarInfo(entry.path)
    member.uid, member.gid = entry.uid, entry.gid
    if entry.link:
        member.type, member.linkname, member.mode = tarfile.SYMTYPE, entry.link, 0o777
        tar.addfile(member)
    elif entry.content is None:
        member.type, member.mode = tarfile.DIRTYPE, entry.mode or 0o755
        tar.addfile(member)
    elif isinstance(entry.content, bytes):
        member.size, member.mode = len(entry.content), entry.mode or 0o644
        tar.addfile(member, io.BytesIO(entry.content))
    else:
        status = entry.content.stat()
        member.size = status.st_size
        member.mode = entry.mode or (0o755 if status.st_mode & 0o100 else 0o644)
        with entry.content.open("rb") as source:
            tar.addfile(member, source)


def write_docker_archives(out: Path, images: Sequence[Image]) -> None:
    """Write images into one archive at `out` (through a temporary name); a shared layer is stored once.

    Raises: OSError when a layer cannot be read or the disk is full; `out` is then untouched.
    """
    temporary = out.with_name(out.name + ".part")
    stored: set[str] = set()
    manifest = []
    with tarfile.open(temporary, "w", format=tarfile.PAX_FORMAT) as tar:
        for image in images:
            document = image_config(image)
            digest = hashlib.sha256(document).hexdigest()
            members = []
            for layer in image.layers:
                place = f"{layer_digest(layer)}/layer.tar"
                members.append(place)
                if place not in stored:
                    stored.add(place)
                    _add(tar, Entry(place, layer, mode=0o644), set())
            _add(tar, Entry(f"{digest}.json", document), set())
            manifest.append({"Config": f"{digest}.json", "RepoTags": [image.name], "Layers": members})
        _add(tar, Entry("manifest.json", json.dumps(manifest).encode()), set())
    temporary.replace(out)


def image_config(image: Image, *, architecture: str = "amd64") -> bytes:
    """The image's configuration document, byte for byte as it is stored; its SHA-256 is the image's id."""
    document = {
        "architecture": architecture,
        "os": "linux",
        "created": _EPOCH,
        "config": dict(image.config),
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer_digest(layer)}" for layer in image.layers]},
    }
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def image_id(image: Image) -> str:
    """`sha256:…` of the configuration document: what `kubectl` shows as imageID and what tells two builds apart."""
    return "sha256:" + hashlib.sha256(image_config(image)).hexdigest()


def images_in(archive: Path) -> dict[str, str]:
    """Name -> image id (`sha256:…`) of every image in a docker archive; {} when it has no manifest."""
    with tarfile.open(archive) as tar:
        try:
            member = tar.extractfile("manifest.json")
        except KeyError:
            member = None
        listed = json.load(member) if member else []
    return {name: "sha256:" + Path(item["Config"]).stem for item in listed for name in item["RepoTags"]}


def layer_digest(layer: Path) -> str:
    """Hexadecimal SHA-256 of a layer tar; remembered while the file keeps its size and modification time."""
    status = layer.stat()
    return _digest(layer, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=256)
def _digest(layer: Path, _size: int, _modified: int) -> str:
    digest = hashlib.sha256()
    with layer.open("rb") as source:
        while block := source.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()

"""The images of the real node, made here under their production names and imported when they are missing.

What was imported last is written down by content, so an unchanged repository builds and imports nothing.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from bakery_ops.errors import PreflightRefused
from bakery_ops.sandbox.archive import Entry, Image, image_id, write_docker_archives, write_layer
from bakery_ops.sandbox.image_base import base_key, ensure_base
from bakery_ops.sandbox.image_layers import Recipe, makeable, recipe_for, with_bytecode

Say = Callable[[str], None]

_HUB = ("docker.io/library/", "docker.io/")


class Imported(NamedTuple):
    """What we last gave the runtime under a name: the hash of its sources, and the id the runtime knows it by."""

    key: str
    id: str


def ensure_images(
    cache_dir: Path,
    needed: Sequence[str],
    present: Collection[str],
    import_tar: Callable[[Path], None],
    say: Say,
    repository: Path,
) -> None:
    """Make every image of `needed` available to the container runtime, as this repository describes it now.

    Args:
        cache_dir: Where layers are kept and imports are written down; about 1 GB while an archive is being imported.
        needed: Image names with tag, as manifests write them.
        present: What the runtime has: names, with or without `docker.io/library/`, and ids (`sha256:…`) if it lists
            them, as `ctr --namespace k8s.io images ls --quiet` does.
        import_tar: Gives one docker archive to the runtime; called once at most, and the file is gone afterwards.
        repository: The root of this repository, for the services' and the entrypoints' source.
    Raises: PreflightRefused for names nobody here can make, before anything is built; what `ensure_base` raises.
    """
    recipes = recipes_for(needed)
    contents = {recipe.name: list(recipe.entries(repository)) for recipe in recipes.values()}
    keys = {name: content_key(recipe, contents[recipe.name]) for name, recipe in recipes.items()}
    record = cache_dir / "images" / "imported.json"
    imported = _read(record)
    missing = outdated(keys, present, imported)
    if not missing:
        return
    base = ensure_base(cache_dir, say)
    layers = {
        recipes[name].name: _layer(cache_dir, recipes[name].name, contents[recipes[name].name]) for name in missing
    }
    images = [Image(name, [base, layers[recipes[name].name]], recipes[name].config) for name in missing]
    _hand_over(cache_dir, images, import_tar, say)
    _write(record, {**imported, **{image.name: Imported(keys[image.name], image_id(image)) for image in images}})


def recipes_for(needed: Sequence[str]) -> dict[str, Recipe]:
    """Canonical name -> recipe, in the order of the names. Raises PreflightRefused for the names that have none."""
    found = {name: recipe_for(name) for name in sorted({canonical(name) for name in needed})}
    unknown = [name for name, recipe in found.items() if recipe is None]
    if unknown:
        raise PreflightRefused(
            f"The sandbox cannot make {_counted(len(unknown))} that the manifests ask for: {', '.join(unknown)}.",
            remedy="leave the workload out of the sandbox overlay, or use a name from the list",
            details=[f"known: {name}" for name in makeable()],
        )
    return {name: recipe for name, recipe in found.items() if recipe is not None}


def outdated(keys: Mapping[str, str], present: Collection[str], imported: Mapping[str, Imported]) -> list[str]:
    """Which names the runtime lacks, or holds with other contents than `keys` says. Pure.

    A name alone proves nothing: it may still hold an earlier build, and a wiped runtime forgets what we wrote down.
    """
    names = {canonical(name) for name in present}
    ids = {name for name in present if name.startswith("sha256:")}
    current = {
        name
        for name, key in keys.items()
        if name in names and name in imported and imported[name].key == key and (not ids or imported[name].id in ids)
    }
    return [name for name in keys if name not in current]


def canonical(name: str) -> str:
    """`docker.io/library/postgres:15-bookworm` and `postgres:15-bookworm` are one image; the short form is returned."""
    for prefix in _HUB:
        if name.startswith(prefix):
            return name.removeprefix(prefix)
    return name


def content_key(recipe: Recipe, entries: Sequence[Entry]) -> str:
    """The hash of all that makes the image: the base layer's key, its own files and its configuration."""
    digest = hashlib.sha256(json.dumps([base_key(), recipe.config], sort_keys=True).encode())
    for entry in entries:
        content = entry.content.read_bytes() if isinstance(entry.content, Path) else entry.content or b""
        described = [entry.path, entry.link, entry.mode, entry.uid, entry.gid, hashlib.sha256(content).hexdigest()]
        digest.update(json.dumps(described).encode())
    return digest.hexdigest()


def _layer(cache: Path, name: str, entries: Sequence[Entry]) -> Path:
    """Written anew each time, for it is small; one file for each recipe, so that nothing piles up."""
    layer = cache / "images" / f"layer-{name}.tar"
    layer.parent.mkdir(parents=True, exist_ok=True)
    write_layer(layer, with_bytecode(entries))
    return layer


def _hand_over(cache: Path, images: Sequence[Image], import_tar: Callable[[Path], None], say: Say) -> None:
    """One archive for all, so that the base layer travels once; too large to keep, and quick to write again."""
    with tempfile.TemporaryDirectory(dir=cache / "images", prefix="import-") as scratch:
        archive = Path(scratch) / "images.tar"
        say(f"images: packing {_counted(len(images))}")
        write_docker_archives(archive, images)
        say(f"images: importing {archive.stat().st_size // 1_000_000} MB into the node")
        import_tar(archive)
    say(f"images: {_counted(len(images))} imported")


def _read(record: Path) -> dict[str, Imported]:
    """Nothing when it is not there or not ours: then everything is imported again, which is only slow."""
    try:
        return {name: Imported(**fields) for name, fields in json.loads(record.read_text()).items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _write(record: Path, imported: Mapping[str, Imported]) -> None:
    temporary = record.with_suffix(".part")
    temporary.write_text(json.dumps({name: one._asdict() for name, one in sorted(imported.items())}, indent=1))
    temporary.replace(record)


def _counted(count: int) -> str:
    return "1 image" if count == 1 else f"{count} images"

"""The images of the real node, made here under their production names and imported when they are missing.

An image's contents have a key, and the key the id it got when it was built: what has not changed is not imported again.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from bakery_ops.errors import PreflightRefused
from bakery_ops.sandbox.archive import Entry, Image, image_id, write_docker_archives, write_layer
from bakery_ops.sandbox.image_base import alone, base_key, ensure_base
from bakery_ops.sandbox.image_layers import Recipe, makeable, recipe_for, with_bytecode

Say = Callable[[str], None]

_HUB = ("docker.io/library/", "docker.io/")


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
        cache_dir: Where the layers are kept; about 1 GB while an archive is being imported.
        needed: Image names with tag, as manifests write them.
        present: What the runtime has, name -> image id (`sha256:…` of the configuration), so that a name that holds
            an earlier build counts as missing. A mere collection of names and ids serves too, less exactly: of a
            name it is only known that some image with the right id is there; without ids the names are believed.
        import_tar: Gives one docker archive to the runtime; called once at most, and the file is gone afterwards.
        repository: The root of this repository, for the services' and the entrypoints' source.
    Raises: PreflightRefused for names nobody here can make, before anything is built; what `ensure_base` raises.
    """
    recipes = recipes_for(needed)
    contents = {recipe.name: list(recipe.entries(repository)) for recipe in recipes.values()}
    keys = {name: content_key(recipe, contents[recipe.name]) for name, recipe in recipes.items()}
    record = cache_dir / "images" / "ids.json"
    ids = _read(record)
    missing = outdated(keys, present, ids)
    if not missing:
        return
    with alone(record.with_name("images.lock"), say):
        base = ensure_base(cache_dir, say)
        used = {recipes[name].name for name in missing}
        layers = {name: _layer(cache_dir, name, entries) for name, entries in contents.items() if name in used}
        images = [Image(name, [base, layers[recipes[name].name]], recipes[name].config) for name in missing]
        _hand_over(cache_dir, images, import_tar, say)
        _write(record, {**_read(record), **{keys[image.name]: image_id(image) for image in images}})


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


def outdated(keys: Mapping[str, str], present: Collection[str], ids: Mapping[str, str]) -> list[str]:
    """Which names the runtime lacks, or holds with other contents than these. Pure.

    Args:
        keys: Name -> content key, as this repository describes the image now.
        present: As in `ensure_images`.
        ids: Content key -> the image id it was given when it was built here; a key that is missing was never built.
    """
    if isinstance(present, Mapping):
        held = {canonical(name): identity for name, identity in present.items()}
        return [name for name, key in keys.items() if key not in ids or held.get(name) != ids[key]]
    names = {canonical(name) for name in present}
    if not any(name.startswith("sha256:") for name in present):
        return [name for name in keys if name not in names]
    return [name for name, key in keys.items() if name not in names or ids.get(key) not in present]


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
    write_layer(layer, with_bytecode(entries))
    return layer


def _hand_over(cache: Path, images: Sequence[Image], import_tar: Callable[[Path], None], say: Say) -> None:
    """One archive for all, so that the base layer travels once; too large to keep, and quick to write again."""
    for leftover in (cache / "images").glob("import-*"):  # of a run that was killed; we hold the lock
        shutil.rmtree(leftover, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=cache / "images", prefix="import-") as scratch:
        archive = Path(scratch) / "images.tar"
        say(f"images: packing {_counted(len(images))}")
        write_docker_archives(archive, images)
        say(f"images: importing {archive.stat().st_size // 1_000_000} MB into the node")
        import_tar(archive)


def _read(record: Path) -> dict[str, str]:
    """Nothing when it is not there or not ours: then everything is imported again, which is only slow."""
    try:
        return {str(key): str(identity) for key, identity in json.loads(record.read_text()).items()}
    except (OSError, ValueError, AttributeError):
        return {}


def _write(record: Path, ids: Mapping[str, str]) -> None:
    temporary = record.with_suffix(".part")
    temporary.write_text(json.dumps(ids, indent=1, sort_keys=True))
    temporary.replace(record)


def _counted(count: int) -> str:
    return "1 image" if count == 1 else f"{count} images"

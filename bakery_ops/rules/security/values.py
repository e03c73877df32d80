"""Secrets where secrets belong, and only real ones in production. Keys are named; values are never shown."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from bakery_ops.model.contract import PART_OF, PLATFORM
from bakery_ops.model.encoding import from_base64
from bakery_ops.model.manifest import Manifest
from bakery_ops.model.references import containers, listed
from bakery_ops.rules.findings import Finding, Severity, finding

_SOUNDS_SECRET = re.compile(
    r"passw(or)?d|passphrase|secret|api_?key|private_?key|(^|_)token$|credentials?$", re.IGNORECASE
)
_ONLY_POINTS = re.compile(
    r"(_|^)(FILE|DIR|PATH|NAME|USER|USERNAME|ENABLED|LENGTH|TTL|SECONDS|ALGORITHM|URL)$", re.IGNORECASE
)
_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")
_WELL_KNOWN = frozenset({"changeme", "guest", "password", "admin", "secret", "postgres", "root", "test", "example"})
_SHORTEST = 24
_BINARY = "\N{REPLACEMENT CHARACTER}"  # what is no text, like a keystore, may end in any byte


def secrets_are_secret(manifests: Sequence[Manifest], *, strict: bool) -> Iterator[Finding]:
    """Rows B27, B28, B30 and B42 of docs/faults.md, as far as the render itself shows them."""
    hard = Severity.PREFLIGHT if strict else Severity.WARNING
    seen: dict[str, Manifest] = {}
    for manifest in manifests:
        if manifest.ref[:2] == ("", "ConfigMap"):
            yield from _config_map(manifest, hard)
        elif manifest.ref[:2] == ("", "Secret"):
            yield from _secret(manifest, hard, seen)
        for container in containers(manifest.pod_spec or {}):
            for variable in listed(container, "env"):
                name, value = variable.get("name") or "", variable.get("value") or ""
                if sounds_secret(name, value):
                    message = f"container {container.get('name')}: env {name} holds its value in the manifest"
                    remedy = "put it into a Secret, best mounted as a file"
                    yield finding("secret-in-environment", hard, manifest, message, remedy)


def sounds_secret(name: str, value: str) -> bool:
    """Whether a variable or key of that name holds a secret itself, rather than pointing to one or setting a switch."""
    if not value or not _SOUNDS_SECRET.search(name) or _ONLY_POINTS.search(name):
        return False
    return not value.startswith(("/", "$(", "file:")) and value.lower() not in ("true", "false", "none")


def _config_map(manifest: Manifest, hard: Severity) -> Iterator[Finding]:
    for key, value in (manifest.body.get("data") or {}).items():
        if _PRIVATE_KEY.search(value or ""):
            message = f"key {key!r} holds a private key, which everybody who reads ConfigMaps can read"
            yield finding("secret-in-config-map", Severity.PREFLIGHT, manifest, message, "put it into a Secret")
        elif "\n" not in (value or "") and sounds_secret(key, value or ""):
            message = f"key {key!r} sounds like a secret"
            yield finding("secret-in-config-map", hard, manifest, message, "put it into a Secret")


def _secret(manifest: Manifest, hard: Severity, seen: dict[str, Manifest]) -> Iterator[Finding]:
    # Charts of others leave keys empty that nobody has to set, and write files of one line.
    ours = manifest.labels.get(PART_OF) == PLATFORM
    meant = Severity.USAGE if ours else Severity.WARNING
    for key, value in _values(manifest):
        if value is None:
            message = f"key {key!r} is not a base64 text"
            yield finding("secret-encoding", Severity.USAGE, manifest, message, "encode it once, or use stringData")
            continue
        if not value.strip():
            yield finding("secret-empty", meant, manifest, f"key {key!r} is empty")
        elif value != value.strip() and "\n" not in value.strip() and _BINARY not in value:
            message = f"key {key!r} begins or ends with a space or a line break, which becomes part of it"
            yield finding("secret-whitespace", meant, manifest, message, "remove it; echo -n when encoding")
        if "password" in key.lower() and value.strip():
            yield from _strength(manifest, key, value, hard, seen)


def _strength(manifest: Manifest, key: str, value: str, hard: Severity, seen: dict[str, Manifest]) -> Iterator[Finding]:
    if value.lower() in _WELL_KNOWN:
        yield finding("secret-weak", hard, manifest, f"key {key!r} is a well-known password", "generate one")
    elif len(value) < _SHORTEST:
        yield finding(
            "secret-weak", hard, manifest, f"key {key!r} is shorter than {_SHORTEST} characters", "generate one"
        )
    other = seen.setdefault(value, manifest)
    if other is not manifest:
        message = f"key {key!r} has the same value as one of {other.ref}"
        yield finding("secret-shared", hard, manifest, message, "use one value per store")


def _values(manifest: Manifest) -> Iterator[tuple[str, str | None]]:
    data: Mapping[str, object] = manifest.body.get("data") or {}
    for key, value in data.items():
        decoded = from_base64(value)
        yield str(key), None if decoded is None else decoded.decode("utf-8", "replace")
    texts: Mapping[str, str | None] = manifest.body.get("stringData") or {}
    for key, text in texts.items():
        yield str(key), text or ""

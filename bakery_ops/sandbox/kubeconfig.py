"""kubeconfig files as values; the user's own file is never touched."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any


def document(*, context: str, server: str, pki: Path, stem: str) -> dict[str, Any]:
    """A kubeconfig with one context, certificates embedded, so that the file works wherever it is copied.

    Args:
        context: Name of the context, and of its cluster and user.
        server: `https://address:port`.
        pki: Directory of `pki.write_pki`; `stem` says which leaf the user is.
    """
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": context, "cluster": {"server": server, "certificate-authority-data": _data(pki / "ca.crt")}}
        ],
        "users": [
            {
                "name": context,
                "user": {
                    "client-certificate-data": _data(pki / f"{stem}.crt"),
                    "client-key-data": _data(pki / f"{stem}.key"),
                },
            }
        ],
        "contexts": [{"name": context, "context": {"cluster": context, "user": context}}],
        "current-context": context,
    }


def write(path: Path, content: dict[str, Any]) -> None:
    """Write `content` readable by its owner only (it holds a private key), through a temporary name. JSON is YAML."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(path.name + ".part")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(content, file, indent=2)
    temporary.replace(path)


def _data(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode("ascii")

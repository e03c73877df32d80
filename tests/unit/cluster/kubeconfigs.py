"""Kubeconfig files for scripted servers, and servers that answer a connection's questions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from bakery_ops.cluster.connection import Connection, connect
from bakery_ops.errors import PreflightRefused
from tests.unit.cluster.scripted import Say, ScriptedServer

VERSION = Say(200, {"major": "1", "minor": "34+", "gitVersion": "v1.34.1"})
KUBE_SYSTEM = "/api/v1/namespaces/kube-system"


def answering(server: ScriptedServer) -> ScriptedServer:
    server.always("GET", "/version", VERSION)
    return server.always("GET", KUBE_SYSTEM, Say(200, {"metadata": {"uid": "kube-system-uid"}}))


def kubeconfig(path: Path, server: str, user: dict[str, Any] | None = None, **cluster: Any) -> Path:
    file = path / "kubeconfig"
    document = {
        "kind": "Config",
        "current-context": "dev",
        "clusters": [{"name": "dev", "cluster": {"server": server, **cluster}}],
        "contexts": [{"name": "dev", "context": {"cluster": "dev", "user": "me"}}],
        "users": [{"name": "me", "user": user or {"token": "canary"}}],
    }
    file.write_text(yaml.safe_dump(document))
    return file


def closing(connection: Connection) -> Connection:
    connection.close()
    return connection


def refusal(path: Path, **more: Any) -> PreflightRefused:
    with pytest.raises(PreflightRefused) as caught:
        connect(path, **more)
    assert "canary" not in repr(caught.value)
    return caught.value

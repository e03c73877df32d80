"""Where the compared tools are found, and the environment that each of them sees: nobody's settings."""

from __future__ import annotations

import os
import sysconfig
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = Path(sysconfig.get_path("scripts"))
KUBECTL = SCRIPTS / "kubectl"


def surroundings(home: Path, kubeconfig: Path) -> Mapping[str, str]:
    """`home`: an empty folder. Our own directories stay where they are although HOME moves."""
    return {
        "HOME": str(home),
        "KUBECONFIG": str(kubeconfig),
        "PATH": f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}",
        "XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache")),
        "XDG_STATE_HOME": os.environ.get("XDG_STATE_HOME", str(Path.home() / ".local" / "state")),
        "SKAFFOLD_UPDATE_CHECK": "false",
        "SKAFFOLD_INTERACTIVE": "false",
    }

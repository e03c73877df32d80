"""Which versions of Kubernetes fit."""

from __future__ import annotations

OLDEST = 30  # minor version; before it a preStop `sleep`, which every server has, is unknown (k8s/README.md)


def misfit(version: str, minor: int) -> str:
    """What a user should know of a server of this version, or "". `minor` 0: it did not say."""
    if not 0 < minor < OLDEST:
        return ""
    return (
        f"the cluster runs Kubernetes {version}, and this is made for 1.{OLDEST} or newer: it may refuse what it lacks"
    )

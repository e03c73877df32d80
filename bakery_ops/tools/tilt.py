"""Tilt's command line: the commands as values."""

from __future__ import annotations

from pathlib import Path


def environment() -> dict[str, str]:
    """What Tilt needs in its environment, to be merged over ours: it sends no usage data and asks nothing."""
    return {"TILT_DISABLE_ANALYTICS": "1", "DO_NOT_TRACK": "1"}


def up_argv(tilt: Path, *, context: str) -> tuple[str, ...]:
    """Deploy the Tiltfile's resources and keep them up to date; wants the terminal (`process.become`)."""
    return (str(tilt), "up", f"--context={context}")

"""A real node."""
from pathlib import Path
from bakery_ops.sandbox.instance import Instance
from bakery_ops.sandbox.controlplane import ControlPlane
def obstacles() -> list[str]:
    return ["not yet"]
def require_possible() -> None: ...
def prepare(place: Instance, program: Path) -> ControlPlane: raise NotImplementedError

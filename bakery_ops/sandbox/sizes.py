"""Node sizes of the sandbox: the model's value and its reader, and the size taken when none is named."""

from __future__ import annotations

from bakery_ops.model.quantities import NodeSize
from bakery_ops.model.quantities import node_size as parse_node_size

__all__ = ["DEFAULT_NODE", "NodeSize", "parse_node_size"]

DEFAULT_NODE = NodeSize(8000, 20 * 2**30)
"""The size of the production server (VPS) the platform is meant for."""

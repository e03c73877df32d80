"""When an object is ready, and what the evidence is when it never will be (docs/readiness.md).

Law: a verdict is a function of one Observation and what the last look remembered. Nothing here fetches, waits, or asks
what time it is; one file per family of kinds, one table from kind to rule, one table of evidence.
"""

from __future__ import annotations

from bakery_ops.rules.readiness.judge import judge
from bakery_ops.rules.readiness.observation import ClusterFacts, Memory, Observation

__all__ = ["ClusterFacts", "Memory", "Observation", "judge"]

"""The numbers and modes of a rollout. Why these defaults: docs/readiness.md, sections 6 and 8."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

# Kinds with one LIST and one WATCH each; all others are read when a rule needs them.
STREAMED_KINDS = (
    "Pod",
    "Event",
    "Deployment",
    "ReplicaSet",
    "StatefulSet",
    "DaemonSet",
    "Job",
    "PersistentVolumeClaim",
    "HorizontalPodAutoscaler",
    "EndpointSlice",
)


class FailMode(Enum):
    FAST = "fast"  # end at the first failed node
    SETTLE = "settle"  # look on for the settle window, so that every independent cause is reported
    NEVER = "never"  # follow every other node to its own end


class Options(NamedTuple):
    """Durations in seconds.

    Attributes:
        stage_deadline: From the first start in a stage; its nodes not Ready by then are timed out.
        no_progress: Per node, without any sign of progress; not counted while it is blocked by another node.
        settle: From the first failed node to the report.
        stability: After all nodes of a stage are Ready: restart counts must not move.
        width: Most workloads admitted and not yet Ready at one time; fewer while the cluster cannot keep up, more on
            large nodes (`width.first`).
            Other objects start nothing, so they do not count.
        streamed: Kinds whose changes arrive as events; others are read again after `reread`, then ever more rarely.
        answer_grace: At the end, how long answers to requests already sent are waited for.
        log_grace: At the end, how long log tails, and an answer about the Namespace, are waited for.
        prune_deadline: How long deletions of orphans may take.
    """

    stage_deadline: float = 600.0
    no_progress: float = 240.0
    settle: float = 10.0
    stability: float = 10.0
    fail_mode: FailMode = FailMode.SETTLE
    width: int = 16
    streamed: frozenset[str] = frozenset(STREAMED_KINDS)
    reread: float = 2.0
    reread_at_most: float = 15.0
    answer_grace: float = 30.0
    log_grace: float = 3.0
    prune_deadline: float = 120.0

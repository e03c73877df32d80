"""Which migrations or seeds a user means by the words they type."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bakery_ops.errors import UsageError
from bakery_ops.model.contract import Stage
from bakery_ops.model.graph import Graph
from bakery_ops.model.platform import platform
from bakery_ops.model.words import unknown

# What a Job of a stage is called beside what it is for (k8s/README.md): auth-migration, demo-seed-users.
_SUFFIX = {Stage.MIGRATION: "-migration"}
_PREFIX = {Stage.SEED: "demo-seed-"}


def chosen_jobs(graph: Graph, stage: Stage, words: Sequence[str]) -> tuple[str, ...]:
    """The Jobs of `stage` that `words` mean, in start order; all of them without words.

    A word is a Job's name, its short one ("auth" for auth-migration, "users" for demo-seed-users), or a service's,
    which means all its Jobs of the stage.

    Raises: UsageError: a word means none of them, or there are none.
    """
    jobs = [node.name for node in graph.workloads() if node.stage is stage and node.ref.is_job]
    if not jobs:
        raise UsageError(f"the manifests have no {stage.title}")
    if not words:
        return tuple(jobs)
    meant = _meanings(graph, stage, jobs)
    for word in words:
        if word not in meant:
            raise unknown(f"{stage.title.removesuffix('s')} or service", word, [*meant])
    wanted = {job for word in words for job in meant[word]}
    return tuple(job for job in jobs if job in wanted)


def _meanings(graph: Graph, stage: Stage, jobs: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Word -> Jobs. The more exact meaning of a word comes later and wins."""
    meanings = {name: found for name, found in _services(graph, stage) if found}
    meanings |= {_short(job, stage): (job,) for job in jobs}
    return meanings | {job: (job,) for job in jobs}


def _services(graph: Graph, stage: Stage) -> Iterator[tuple[str, tuple[str, ...]]]:
    for service in platform(graph).services:
        migrations = (service.migration,) if service.migration else ()
        yield service.name, migrations if stage is Stage.MIGRATION else service.seeds


def _short(job: str, stage: Stage) -> str:
    return job.removesuffix(_SUFFIX.get(stage, "")).removeprefix(_PREFIX.get(stage, ""))

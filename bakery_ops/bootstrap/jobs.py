"""`invoke seed` and `invoke migrate`: a deploy of nothing but the Jobs that were asked for, and what they need."""

from __future__ import annotations

from collections.abc import Sequence

from bakery_ops.bootstrap.deploying import deploy
from bakery_ops.bootstrap.session import render, resolve
from bakery_ops.errors import ExitCode
from bakery_ops.model.builder import build_graph
from bakery_ops.model.contract import Stage
from bakery_ops.options import DeployOptions
from bakery_ops.rules.jobs import chosen_jobs


def seed(names: Sequence[str], options: DeployOptions) -> ExitCode:
    """Run the seed Jobs that the names mean, all without names, whether they ran before or not."""
    return _run(names, options, Stage.SEED)


def migrate(names: Sequence[str], options: DeployOptions) -> ExitCode:
    """Run the migrations that the names mean, all without names, whether they ran before or not."""
    return _run(names, options, Stage.MIGRATION)


def _run(names: Sequence[str], options: DeployOptions, stage: Stage) -> ExitCode:
    """By our own engine: Skaffold applies everything, and never runs a Job twice."""
    jobs = chosen_jobs(build_graph(render(resolve(options.target)).manifests), stage, names)
    return deploy(options._replace(only=jobs, rerun=jobs, engine="staged"))

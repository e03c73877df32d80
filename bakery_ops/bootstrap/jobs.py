"""`invoke seed` and `invoke migrate`: a deploy of nothing but the Jobs that were asked for, and what they need."""

from __future__ import annotations

from bakery_ops.bootstrap import DeployOptions, JobOptions
from bakery_ops.bootstrap.deploying import deploy
from bakery_ops.bootstrap.session import render, resolve
from bakery_ops.errors import ExitCode
from bakery_ops.model.builder import build_graph
from bakery_ops.model.contract import Stage
from bakery_ops.rules.jobs import chosen_jobs


def seed(options: JobOptions) -> ExitCode:
    """Run the seed Jobs that the names mean, all without names, whether they ran before or not."""
    return _run(options, Stage.SEED)


def migrate(options: JobOptions) -> ExitCode:
    """Run the migrations that the names mean, all without names, whether they ran before or not."""
    return _run(options, Stage.MIGRATION)


def _run(options: JobOptions, stage: Stage) -> ExitCode:
    """By our own engine: Skaffold applies everything, and never runs a Job twice."""
    flags = options._asdict()
    names = flags.pop("name")
    whole = DeployOptions(**flags)
    jobs = chosen_jobs(build_graph(render(resolve(whole.target)).manifests), stage, names)
    return deploy(whole._replace(only=jobs, rerun=jobs, engine="staged"))

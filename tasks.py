"""The commands: words in, one call into `bakery_ops.bootstrap`, an exit code out. `invoke --list` shows them all.

No `from __future__ import annotations` here: the annotations are read at start-up to parse the command line.
"""

import sys
from typing import Annotated, Literal

from invoke.collection import Collection

from bakery_ops import bootstrap
from bakery_ops.errors import ExitCode
from bakery_ops.options import (
    CheckOutput,
    DeployOptions,
    DeployOutput,
    DestroyOptions,
    DryRun,
    Instance,
    LogOptions,
    Nodes,
    Output,
    Positional,
    ProfileName,
    Recorded,
    RehearseOptions,
    RenewOptions,
    ReportFiles,
    RollbackOptions,
    SimulatedNodes,
    Target,
    Tier,
    Without,
)
from bakery_ops.parameters import command

sys.dont_write_bytecode = False  # Invoke turns bytecode off, which makes every start compile the package again

# ---- deploy ---------------------------------------------------------------------------------------------------------


@command(default=True)
def run(options: Annotated[DeployOptions, Without("rerun", "at_most")]) -> ExitCode:
    """Bring the platform up: preflight, secrets, images, staged apply, readiness, verify, summary."""
    return bootstrap.deploy(options)


@command
def plan(
    target: Target, exit_code: Annotated[bool, "exit 2 when there are changes"] = False, output: Output = None
) -> ExitCode:
    """Show what a deploy would change, object by object; nothing is written."""
    return bootstrap.plan(target, exit_code, output)


@command
def status(
    target: Target, all: Annotated[bool, "every workload, the ready ones too"] = False, output: Output = None
) -> ExitCode:
    """Show what is not ready and why, how much is, and who holds the lock."""
    return bootstrap.deploy_status(target, all, output)


@command
def history(target: Recorded, output: Output = None) -> ExitCode:
    """List the releases recorded in the cluster: what each changed, by whom, and which one is live."""
    return bootstrap.history(target, output)


@command
def rollback(options: RollbackOptions) -> ExitCode:
    """Deploy a recorded release again; no Job runs, and a database newer than it knows refuses it."""
    return bootstrap.rollback(options)


@command
def unlock(target: Recorded, holder: Annotated[str, Positional, "the holder that deploy named"]) -> ExitCode:
    """Remove the lock of a dead deploy; needs the holder's id, so that a living one is not robbed."""
    return bootstrap.unlock(target, holder)


@command
def rehearse(options: RehearseOptions) -> ExitCode:
    """Deploy to simulated nodes made for this one run, with faults if you like, and show what would happen."""
    return bootstrap.rehearse(options)


@command(name="verify")
def verify_platform(
    target: Target,
    only: Annotated[tuple[str, ...], "run just this check; repeat for several"] = (),
    watch: Annotated[str | None, "go on for so long, like 90 or 10m; a line at each change; Ctrl-C ends it"] = None,
    output: CheckOutput = None,
) -> ExitCode:
    """Check the acceptance contract: all ready, Jobs complete, health and the frontend answer."""
    return bootstrap.verify(target, only, watch, output)


@command
def logs(options: LogOptions) -> ExitCode:
    """Print what a workload's containers say, init containers included, each line with its pod and container."""
    return bootstrap.logs(options)


@command
def seed(
    target: Target,
    name: Annotated[tuple[str, ...], Positional, "a seed Job or a service; several are possible (default: all)"] = (),
    dry_run: DryRun = False,
    output: DeployOutput = None,
) -> ExitCode:
    """Run seed Jobs again, or for the first time, with what they need: all, or those named."""
    return bootstrap.seed(name, DeployOptions(target, dry_run=dry_run, output=output))


@command
def migrate(
    target: Target,
    name: Annotated[tuple[str, ...], Positional, "a migration or a service; several are possible (default: all)"] = (),
    dry_run: DryRun = False,
    output: DeployOutput = None,
) -> ExitCode:
    """Run migrations again, or for the first time, with what they need: all, or those named."""
    return bootstrap.migrate(name, DeployOptions(target, dry_run=dry_run, output=output))


@command
def destroy(options: DestroyOptions) -> ExitCode:
    """Remove what deploys wrote, in reverse order, and wait until it is gone; data only with --volumes."""
    return bootstrap.destroy(options)


# ---- routine -------------------------------------------------------------------------------------------------------


@command(name="daily", default=True)
def health_daily(target: Target, output: Output = None) -> ExitCode:
    """The acceptance checks, memory use against its limits, and the warnings of the last day; read-only."""
    return bootstrap.health_daily(target, output)


@command(name="weekly")
def health_weekly(target: Target, output: Output = None) -> ExitCode:
    """Jobs that ended long ago, what the autoscalers did, volumes; read-only."""
    return bootstrap.health_weekly(target, output)


@command(name="monthly")
def health_monthly(target: Target, output: Output = None) -> ExitCode:
    """Requests against use, certificates, the age of secrets; read-only."""
    return bootstrap.health_monthly(target, output)


@command(name="report")
def past_report(
    run: Annotated[str | None, Positional, "which run (default: the last one)"] = None,
    list: Annotated[bool, "list the runs"] = False,
    replay: Annotated[bool, "play the run's recording through today's rules and compare"] = False,
    output: Output = None,
    report_file: ReportFiles = (),
) -> ExitCode:
    """Show what an earlier deploy came to, in any format; or play it again. Contacts no cluster."""
    return bootstrap.report(run, list, replay, output, report_file)


# ---- offline --------------------------------------------------------------------------------------------------------


Rendering = Annotated[Target, Without("namespace", "context", "kubeconfig", "yes_context")]


@command
def check(target: Annotated[Target, Without("context", "kubeconfig", "yes_context")]) -> ExitCode:
    """Render and judge the manifests without any cluster: schema, references, consistency, security."""
    return bootstrap.check(target)


@command
def capacity(
    target: Rendering,
    node: Nodes = (),
    growth: Annotated[bool, "also show what 25, 50 and 100 tenants need"] = False,
) -> ExitCode:
    """Prove that the rendered platform fits the nodes, phase by phase; exit 4 when it does not."""
    return bootstrap.capacity(target, node, growth)


@command
def doctor(target: Annotated[Target, Without("overlay", "namespace", "yes_context")]) -> ExitCode:
    """Look at this machine and the profile's cluster: what is there, what is missing, what to do."""
    return bootstrap.doctor_report(target)


@command(default=True)
def show(
    target: Rendering,
    name: Annotated[str | None, Positional, "one service: its rendered objects"] = None,
) -> ExitCode:
    """The platform as the manifests say it: every service with its database, image and dependencies."""
    return bootstrap.platform_show(target, name)


@command(name="show")
def config_show(
    target: Annotated[Target, Without("yes_context")],
    origin: Annotated[bool, "also say where each value comes from: flag, environment, file and line, default"] = False,
    output: Output = None,
) -> ExitCode:
    """Every setting in force for a profile and these flags; contacts nothing."""
    return bootstrap.config_show(target, origin, output)


# ---- credentials ----------------------------------------------------------------------------------------------------


@command(name="ensure", default=True)
def secrets_ensure(target: Target) -> ExitCode:
    """Create the secrets that the manifests refer to and the cluster lacks; never overwrite one."""
    return bootstrap.secrets(target)


@command(name="check")
def secrets_check(target: Target) -> ExitCode:
    """Say which secrets are there, missing or incomplete; values are never shown."""
    return bootstrap.secrets_check(target)


@command(name="ensure", default=True)
def tls_ensure(target: Target) -> ExitCode:
    """Create the certificates that the manifests refer to and the cluster lacks; never overwrite one."""
    return bootstrap.tls(target)


@command(name="check")
def tls_check(target: Target) -> ExitCode:
    """Check each certificate in the cluster: names, chain, key, age."""
    return bootstrap.tls_check(target)


@command(name="rotate")
def tls_rotate(options: RenewOptions) -> ExitCode:
    """Renew certificates that are due, all or those named, and restart their servers one by one."""
    return bootstrap.tls_rotate(options)


# ---- machines -------------------------------------------------------------------------------------------------------


@command(name="start")
def colima_start(
    size: Annotated[Literal["minimal", "standard", "rich"], "4, 6 or 8 CPUs; 8, 12 or 16 GB"] = "standard",
) -> ExitCode:
    """Start the local machine with Kubernetes on: Colima, profile k8s-local."""
    return bootstrap.colima_start(size)


@command(name="status")
def colima_status() -> ExitCode:
    """Say whether the local machine runs, and with what."""
    return bootstrap.colima_status()


@command(name="stop")
def colima_stop() -> ExitCode:
    """Stop the local machine; its data stays."""
    return bootstrap.colima_stop()


@command(name="delete")
def colima_delete(yes: Annotated[bool, "do not ask; all its data is lost"] = False) -> ExitCode:
    """Delete the local machine with all its data."""
    return bootstrap.colima_delete(yes)


@command(name="start")
def sandbox_start(
    real: Annotated[bool, "containers run; needs root on Linux"] = False,
    simulated: Annotated[bool, "a real control plane, simulated nodes of any size; no root"] = False,
    node: SimulatedNodes = (),
    name: Instance = None,
) -> ExitCode:
    """Start the embedded cluster: real where root and Linux allow, else simulated."""
    return bootstrap.sandbox_start(real, simulated, node, name)


@command(name="status")
def sandbox_status(name: Instance = None) -> ExitCode:
    """Say whether the embedded cluster runs, and how to reach it."""
    return bootstrap.sandbox_status(name)


@command(name="stop")
def sandbox_stop(name: Instance = None) -> ExitCode:
    """Stop the embedded cluster and remove everything it put on this machine."""
    return bootstrap.sandbox_stop(name)


@command(name="images")
def sandbox_images(profile: ProfileName = None, name: Instance = None) -> ExitCode:
    """Build the platform's images from Debian packages and import those the embedded cluster lacks."""
    return bootstrap.sandbox_images(profile, name)


OnlyContext = Annotated[Target, Without("profile", "overlay", "namespace", "yes_context")]


@command(name="skaffold", default=True)
def dev_skaffold(
    target: OnlyContext,
    profile: Annotated[str, "a profile of bakery.toml that skaffold.yaml has too"] = "dev",
) -> ExitCode:
    """Namespace, secrets and certificates, then `skaffold dev`: build, deploy, watch the sources."""
    return bootstrap.dev(target._replace(profile=profile))


@command(name="tilt")
def dev_tilt(
    target: OnlyContext,
    profile: Annotated[str, "whose contexts and secrets are meant"] = "dev",
) -> ExitCode:
    """Namespace, secrets and certificates, then `tilt up`: live updates of the code in the pods."""
    return bootstrap.dev_tilt(target._replace(profile=profile))


# ---- development ----------------------------------------------------------------------------------------------------


@command
def test(
    tier: Annotated[tuple[Tier, ...], "run only these tiers; repeat for several"] = (),  # noqa: PT028
    match: Annotated[str | None, "pytest's -k expression"] = None,  # noqa: PT028
) -> ExitCode:
    """Run the tests: lint, unit, manifests, tools, simulated cluster, real node."""
    return bootstrap.test(tier, match)


namespace = Collection(
    check,
    capacity,
    rehearse,
    doctor,
    test,
    verify_platform,
    logs,
    past_report,
    seed,
    migrate,
    destroy,
    health=Collection(health_daily, health_weekly, health_monthly),
    dev=Collection(dev_skaffold, dev_tilt),
    deploy=Collection(run, plan, status, history, rollback, unlock),
    platform=Collection(show),
    config=Collection(config_show),
    secrets=Collection(secrets_ensure, secrets_check),
    tls=Collection(tls_ensure, tls_check, tls_rotate),
    colima=Collection(colima_start, colima_status, colima_stop, colima_delete),
    sandbox=Collection(sandbox_start, sandbox_status, sandbox_stop, sandbox_images),
)

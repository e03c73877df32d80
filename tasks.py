"""The commands: words in, one call into `bakery_ops.bootstrap`, an exit code out. `invoke --list` shows them all.

No `from __future__ import annotations` here: the annotations are read at start-up to parse the command line.
"""

import sys
from pathlib import Path
from typing import Annotated, Literal

from invoke.collection import Collection

from bakery_ops import bootstrap
from bakery_ops.errors import ExitCode
from bakery_ops.parameters import Positional, command

sys.dont_write_bytecode = False  # Invoke turns bytecode off, which makes every start compile the package again

ProfileName = Annotated[str | None, "which profile of bakery.toml (default: its default-profile)"]
Context = Annotated[str | None, "kubeconfig context; must be one the profile accepts"]
Kubeconfig = Annotated[Path | None, "kubeconfig file instead of KUBECONFIG or ~/.kube/config"]
Namespace = Annotated[str | None, "namespace instead of the profile's"]
Overlay = Annotated[Path | None, "a kustomize overlay or a directory of YAML instead of the profile's"]
Output = Annotated[Literal["rich", "plain", "json"] | None, "rich on a terminal, plain elsewhere, or json on stdout"]
CheckOutput = Annotated[
    Literal["rich", "plain", "json", "github"] | None,
    "rich on a terminal, plain elsewhere, or json on stdout; github: annotations, when asked",
]
DeployOutput = Annotated[
    Literal["rich", "plain", "json", "ndjson", "github"] | None,
    "rich on a terminal, plain elsewhere; json: the report; ndjson: a line an event; github: annotations, when asked",
]
ReportFiles = Annotated[
    tuple[str, ...], "also write a report: FORMAT=PATH with json, junit, html, svg or markdown; repeatable"
]
Nodes = Annotated[
    tuple[str, ...],
    "a node's size, like 8cpu,20Gi; repeat for several (default: the profile's `nodes`, else one of 8cpu,20Gi)",
]
SimulatedNodes = Annotated[
    tuple[str, ...], "a simulated node's size, like 8cpu,20Gi; repeat for several (with --simulated default: that one)"
]
FailMode = Annotated[Literal["fast", "settle", "never"], "when to end after a failure"]
Tier = Literal["lint", "unit", "manifests", "tools", "simulated", "e2e"]
ProtectedKind = Literal["PersistentVolumeClaim", "PersistentVolume", "Namespace", "Secret"]
Instance = Annotated[str | None, "which sandbox, when several run side by side (default: default)"]
Recreate = Annotated[tuple[str, ...], "delete and create anew what changed in an immutable field; repeatable"]
MassPrune = Annotated[bool, "delete even more than a fifth of what was deployed"]
YesContext = Annotated[str | None, "confirm a protected profile's context without a terminal: its exact name"]


# ---- deploy ---------------------------------------------------------------------------------------------------------


@command(default=True)
def run(
    profile: ProfileName = None,
    only: Annotated[tuple[str, ...], "deploy this node and what it needs; repeat for several"] = (),
    overlay: Overlay = None,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    engine: Annotated[Literal["staged", "skaffold"] | None, "who applies: our staged engine, or skaffold run"] = None,
    fail_mode: FailMode = "settle",
    yes_context: YesContext = None,
    force_conflicts: Annotated[bool, "take over fields that another manager owns"] = False,
    recreate: Recreate = (),
    prune_kind: Annotated[tuple[ProtectedKind, ...], "also delete what left the render of this kind; repeatable"] = (),
    allow_mass_prune: MassPrune = False,
    dry_run: Annotated[bool, "stop after the plan; nothing is written"] = False,
    output: DeployOutput = None,
    report_file: ReportFiles = (),
    resume: Annotated[bool, "go on with the deploy that was interrupted; refused when the render has changed"] = False,
) -> ExitCode:
    """Bring the platform up: preflight, secrets, images, staged apply, readiness, verify, summary."""
    return bootstrap.deploy(bootstrap.DeployOptions(**locals()))


@command
def plan(
    profile: ProfileName = None,
    overlay: Overlay = None,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    yes_context: YesContext = None,
    exit_code: Annotated[bool, "exit 2 when there are changes"] = False,
    output: Output = None,
) -> ExitCode:
    """Show what a deploy would change, object by object; nothing is written."""
    return bootstrap.plan(
        bootstrap.Target(profile, overlay, namespace, context, kubeconfig, yes_context), exit_code, output
    )


@command
def status(
    profile: ProfileName = None,
    overlay: Overlay = None,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    yes_context: YesContext = None,
    output: Output = None,
) -> ExitCode:
    """Show how each node of the platform stands now, and who holds the lock."""
    return bootstrap.deploy_status(
        bootstrap.Target(profile, overlay, namespace, context, kubeconfig, yes_context), output
    )


@command
def history(
    profile: ProfileName = None,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    yes_context: YesContext = None,
    output: Output = None,
) -> ExitCode:
    """List the releases recorded in the cluster: what each changed, by whom, and which one is live."""
    return bootstrap.history(bootstrap.Target(profile, None, namespace, context, kubeconfig, yes_context), output)


@command
def rollback(
    to: Annotated[int | None, "the release to go back to (default: the one before the live one)"] = None,
    profile: ProfileName = None,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    fail_mode: Annotated[Literal["fast", "settle", "never"], "when to end after a failure"] = "settle",
    yes_context: YesContext = None,
    accept_newer_schema: Annotated[bool, "the old version works with databases that are migrated further"] = False,
    force_conflicts: Annotated[bool, "take over fields that another manager owns"] = False,
    recreate: Recreate = (),
    allow_mass_prune: MassPrune = False,
    dry_run: Annotated[bool, "stop after the plan; nothing is written"] = False,
    output: DeployOutput = None,
    report_file: ReportFiles = (),
) -> ExitCode:
    """Deploy a recorded release again; no Job runs, and a database newer than it knows refuses it."""
    return bootstrap.rollback(bootstrap.RollbackOptions(**locals()))


@command
def unlock(
    holder: Annotated[str, Positional, "the holder that deploy named"],
    profile: ProfileName = None,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    yes_context: YesContext = None,
) -> ExitCode:
    """Remove the lock of a dead deploy; needs the holder's id, so that a living one is not robbed."""
    return bootstrap.unlock(bootstrap.Target(profile, None, namespace, context, kubeconfig, yes_context), holder)


@command
def rehearse(
    profile: ProfileName = None,
    overlay: Overlay = None,
    namespace: Namespace = None,
    node: Nodes = (),
    fault: Annotated[tuple[str, ...], "FAULT=WORKLOAD, like crash-loop=auth-service; repeat for several"] = (),
    fail_mode: FailMode = "never",
    output: Output = None,
) -> ExitCode:
    """Deploy to simulated nodes made for this one run, with faults if you like, and show what would happen."""
    return bootstrap.rehearse(bootstrap.RehearseOptions(**locals()))


@command(name="verify")
def verify_platform(
    profile: ProfileName = None,
    overlay: Overlay = None,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    yes_context: YesContext = None,
    only: Annotated[tuple[str, ...], "run just this check; repeat for several"] = (),
    output: CheckOutput = None,
) -> ExitCode:
    """Check the acceptance contract: all ready, Jobs complete, health and the frontend answer."""
    return bootstrap.verify(
        bootstrap.Target(profile, overlay, namespace, context, kubeconfig, yes_context), only, output
    )


@command
def logs(
    name: Annotated[str, Positional, "a workload, a Job or a service"],
    profile: ProfileName = None,
    overlay: Overlay = None,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    yes_context: YesContext = None,
    previous: Annotated[bool, "what the containers said before their last restart"] = False,
    tail: Annotated[int | None, "the last so many lines of each container (default: 200, all with --since)"] = None,
    since: Annotated[str | None, "nothing older than this: 90s, 10m, 1h30m"] = None,
    follow: Annotated[bool, "go on as lines are written; Ctrl-C ends it"] = False,
) -> ExitCode:
    """Print what a workload's containers say, init containers included, each line with its pod and container."""
    return bootstrap.logs(bootstrap.LogOptions(**locals()))


@command
def seed(
    name: Annotated[tuple[str, ...], Positional, "a seed Job or a service; several are possible (default: all)"] = (),
    profile: ProfileName = None,
    overlay: Overlay = None,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    yes_context: YesContext = None,
    dry_run: Annotated[bool, "stop after the plan; nothing is written"] = False,
    output: DeployOutput = None,
) -> ExitCode:
    """Run seed Jobs again, or for the first time, with what they need: all, or those named."""
    return bootstrap.seed(bootstrap.JobOptions(**locals()))


@command
def migrate(
    name: Annotated[tuple[str, ...], Positional, "a migration or a service; several are possible (default: all)"] = (),
    profile: ProfileName = None,
    overlay: Overlay = None,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    yes_context: YesContext = None,
    dry_run: Annotated[bool, "stop after the plan; nothing is written"] = False,
    output: DeployOutput = None,
) -> ExitCode:
    """Run migrations again, or for the first time, with what they need: all, or those named."""
    return bootstrap.migrate(bootstrap.JobOptions(**locals()))


@command
def destroy(
    profile: ProfileName = None,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    volumes: Annotated[bool, "also volumes, generated secrets and the namespace: the data is lost"] = False,
    yes: Annotated[str | None, "confirm --volumes without a terminal: the namespace's exact name"] = None,
    yes_context: YesContext = None,
    dry_run: Annotated[bool, "show what would go and what would stay; nothing is removed"] = False,
    output: Output = None,
) -> ExitCode:
    """Remove what deploys wrote, in reverse order, and wait until it is gone; data only with --volumes."""
    return bootstrap.destroy(bootstrap.DestroyOptions(**locals()))


# ---- routine -------------------------------------------------------------------------------------------------------


@command(name="daily", default=True)
def health_daily(
    profile: ProfileName = None,
    overlay: Overlay = None,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    yes_context: YesContext = None,
    output: Output = None,
) -> ExitCode:
    """The acceptance checks, memory use against its limits, and the warnings of the last day; read-only."""
    return bootstrap.health_daily(
        bootstrap.Target(profile, overlay, namespace, context, kubeconfig, yes_context), output
    )


@command(name="weekly")
def health_weekly(
    profile: ProfileName = None,
    overlay: Overlay = None,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    yes_context: YesContext = None,
    output: Output = None,
) -> ExitCode:
    """Jobs that ended long ago, what the autoscalers did, volumes; read-only."""
    return bootstrap.health_weekly(
        bootstrap.Target(profile, overlay, namespace, context, kubeconfig, yes_context), output
    )


@command(name="monthly")
def health_monthly(
    profile: ProfileName = None,
    overlay: Overlay = None,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    yes_context: YesContext = None,
    output: Output = None,
) -> ExitCode:
    """Requests against use, certificates, the age of secrets; read-only."""
    return bootstrap.health_monthly(
        bootstrap.Target(profile, overlay, namespace, context, kubeconfig, yes_context), output
    )


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


@command
def check(profile: ProfileName = None, overlay: Overlay = None, namespace: Namespace = None) -> ExitCode:
    """Render and judge the manifests without any cluster: schema, references, consistency, security."""
    return bootstrap.check(bootstrap.Target(profile, overlay, namespace))


@command
def capacity(
    profile: ProfileName = None,
    overlay: Overlay = None,
    node: Nodes = (),
    growth: Annotated[bool, "also show what 25, 50 and 100 tenants need"] = False,
) -> ExitCode:
    """Prove that the rendered platform fits the nodes, phase by phase; exit 4 when it does not."""
    return bootstrap.capacity(bootstrap.Target(profile, overlay), node, growth)


@command
def doctor(profile: ProfileName = None, context: Context = None, kubeconfig: Kubeconfig = None) -> ExitCode:
    """Look at this machine and the profile's cluster: what is there, what is missing, what to do."""
    return bootstrap.doctor_report(bootstrap.Target(profile, None, None, context, kubeconfig))


@command(default=True)
def show(
    name: Annotated[str | None, Positional, "one service: its rendered objects"] = None,
    profile: ProfileName = None,
    overlay: Overlay = None,
) -> ExitCode:
    """The platform as the manifests say it: every service with its database, image and dependencies."""
    return bootstrap.platform_show(bootstrap.Target(profile, overlay), name)


@command(name="show")
def config_show() -> ExitCode:
    """Each setting of each profile, and where its value comes from."""
    return bootstrap.config_show()


# ---- credentials ----------------------------------------------------------------------------------------------------


@command(name="ensure", default=True)
def secrets_ensure(
    profile: ProfileName = None, context: Context = None, kubeconfig: Kubeconfig = None, yes_context: YesContext = None
) -> ExitCode:
    """Create the secrets that the manifests refer to and the cluster lacks; never overwrite one."""
    return bootstrap.secrets(bootstrap.Target(profile, None, None, context, kubeconfig, yes_context))


@command(name="check")
def secrets_check(
    profile: ProfileName = None, context: Context = None, kubeconfig: Kubeconfig = None, yes_context: YesContext = None
) -> ExitCode:
    """Say which secrets are there, missing or incomplete; values are never shown."""
    return bootstrap.secrets_check(bootstrap.Target(profile, None, None, context, kubeconfig, yes_context))


@command(name="ensure", default=True)
def tls_ensure(
    profile: ProfileName = None, context: Context = None, kubeconfig: Kubeconfig = None, yes_context: YesContext = None
) -> ExitCode:
    """Create the certificates that the manifests refer to and the cluster lacks; never overwrite one."""
    return bootstrap.tls(bootstrap.Target(profile, None, None, context, kubeconfig, yes_context))


@command(name="check")
def tls_check(
    profile: ProfileName = None, context: Context = None, kubeconfig: Kubeconfig = None, yes_context: YesContext = None
) -> ExitCode:
    """Check each certificate in the cluster: names, chain, key, age."""
    return bootstrap.tls_check(bootstrap.Target(profile, None, None, context, kubeconfig, yes_context))


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


@command(name="skaffold", default=True)
def dev_skaffold(
    profile: Annotated[str, "a profile of bakery.toml that skaffold.yaml has too"] = "dev",
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> ExitCode:
    """Namespace, secrets and certificates, then `skaffold dev`: build, deploy, watch the sources."""
    return bootstrap.dev(bootstrap.Target(profile, None, None, context, kubeconfig))


@command(name="tilt")
def dev_tilt(
    profile: Annotated[str, "whose contexts and secrets are meant"] = "dev",
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> ExitCode:
    """Namespace, secrets and certificates, then `tilt up`: live updates of the code in the pods."""
    return bootstrap.dev_tilt(bootstrap.Target(profile, None, None, context, kubeconfig))


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
    tls=Collection(tls_ensure, tls_check),
    colima=Collection(colima_start, colima_status, colima_stop, colima_delete),
    sandbox=Collection(sandbox_start, sandbox_status, sandbox_stop, sandbox_images),
)

"""What commands take: each flag once, with its help, as the values that `bootstrap` is given.

`parameters.command` gives every field of these a flag of its own, those of a nested one too. Imported by `tasks.py` at
start-up, so nothing heavy is imported here.
"""

from pathlib import Path
from typing import Annotated, Literal, NamedTuple


class Positional:
    """Marks, inside Annotated, a parameter that is given without its flag."""


class Without:
    """Marks, inside Annotated, the fields of a NamedTuple that have no flag with this command."""

    def __init__(self, *fields: str) -> None:
        self.fields = frozenset(fields)


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
DryRun = Annotated[bool, "stop after the plan; nothing is written"]
FailMode = Annotated[Literal["fast", "settle", "never"], "when to end after a failure"]
ForceConflicts = Annotated[bool, "take over fields that another manager owns"]
Instance = Annotated[str | None, "which sandbox, when several run side by side (default: default)"]
MassPrune = Annotated[bool, "delete even more than a fifth of what was deployed"]
Nodes = Annotated[
    tuple[str, ...],
    "a node's size, like 8cpu,20Gi; repeat for several (default: the profile's `nodes`, else one of 8cpu,20Gi)",
]
SimulatedNodes = Annotated[
    tuple[str, ...], "a simulated node's size, like 8cpu,20Gi; repeat for several (with --simulated default: that one)"
]
ProtectedKind = Literal["PersistentVolumeClaim", "PersistentVolume", "Namespace", "Secret"]
Recreate = Annotated[tuple[str, ...], "delete and create anew what changed in an immutable field; repeatable"]
Tier = Literal["lint", "unit", "manifests", "tools", "simulated", "e2e"]


ProfileName = Annotated[str | None, "which profile of bakery.toml (default: its default-profile)"]


class Target(NamedTuple):
    """What a command aims at; None means the profile's own."""

    profile: ProfileName = None
    overlay: Annotated[Path | None, "a kustomize overlay or a directory of YAML instead of the profile's"] = None
    namespace: Annotated[str | None, "namespace instead of the profile's"] = None
    context: Annotated[str | None, "kubeconfig context; must be one the profile accepts"] = None
    kubeconfig: Annotated[Path | None, "kubeconfig file instead of KUBECONFIG or ~/.kube/config"] = None
    yes_context: Annotated[str | None, "confirm a protected profile's context without a terminal: its exact name"] = (
        None
    )

    @property
    def words(self) -> tuple[str, ...]:
        """The flags that lead another command to the same place; a confirmation is never repeated for the user."""
        given = ("profile", "overlay", "namespace", "context", "kubeconfig")
        values = {f"--{name}": getattr(self, name) for name in given}
        return tuple(word for flag, value in values.items() if value is not None for word in (flag, str(value)))


Recorded = Annotated[Target, Without("overlay")]
"""A command that reads in the cluster what is deployed there."""
Platform = Annotated[Target, Without("overlay", "namespace")]
"""A command for what the profile names, and nothing else."""


class DeployOptions(NamedTuple):
    """How `invoke deploy` is to go about it. `rerun`: Jobs to run again, which other commands ask for."""

    target: Target = Target()
    only: Annotated[tuple[str, ...], "deploy this node and what it needs; repeat for several"] = ()
    engine: Annotated[Literal["staged", "skaffold"] | None, "who applies: our staged engine, or skaffold run"] = None
    fail_mode: FailMode = "settle"
    force_conflicts: ForceConflicts = False
    recreate: Recreate = ()
    prune_kind: Annotated[tuple[ProtectedKind, ...], "also delete what left the render of this kind; repeatable"] = ()
    allow_mass_prune: MassPrune = False
    dry_run: DryRun = False
    output: DeployOutput = None
    report_file: ReportFiles = ()
    resume: Annotated[bool, "go on with the deploy that was interrupted; refused when the render has changed"] = False
    rerun: tuple[str, ...] = ()


class RollbackOptions(NamedTuple):
    """How `invoke deploy.rollback` is to go about it."""

    target: Recorded = Target()
    to: Annotated[int | None, "the release to go back to (default: the one before the live one)"] = None
    fail_mode: FailMode = "settle"
    accept_newer_schema: Annotated[bool, "the old version works with databases that are migrated further"] = False
    force_conflicts: ForceConflicts = False
    recreate: Recreate = ()
    allow_mass_prune: MassPrune = False
    dry_run: DryRun = False
    output: DeployOutput = None
    report_file: ReportFiles = ()


class LogOptions(NamedTuple):
    """Whose log, and which part of it."""

    name: Annotated[str, Positional, "a workload, a Job or a service"]
    target: Target = Target()
    previous: Annotated[bool, "what the containers said before their last restart"] = False
    tail: Annotated[int | None, "the last so many lines of each container (default: 200, all with --since)"] = None
    since: Annotated[str | None, "nothing older than this: 90s, 10m, 1h30m"] = None
    follow: Annotated[bool, "go on as lines are written; Ctrl-C ends it"] = False


class DestroyOptions(NamedTuple):
    """What `invoke destroy` may take away."""

    target: Recorded = Target()
    volumes: Annotated[bool, "also volumes, generated secrets and the namespace: the data is lost"] = False
    yes: Annotated[str | None, "confirm --volumes without a terminal: the namespace's exact name"] = None
    dry_run: Annotated[bool, "show what would go and what would stay; nothing is removed"] = False
    output: Output = None


class RehearseOptions(NamedTuple):
    """What is rehearsed, and on which nodes."""

    target: Annotated[Target, Without("context", "kubeconfig", "yes_context")] = Target()
    node: Nodes = ()
    fault: Annotated[tuple[str, ...], "FAULT=WORKLOAD, like crash-loop=auth-service; repeat for several"] = ()
    fail_mode: FailMode = "never"
    output: Output = None

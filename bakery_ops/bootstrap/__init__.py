"""The composition root: picks the adapters, hands them to a workflow, prints its report, returns the exit code.

Each public function lives in the module that `_HOMES` names and is imported when it is first called, so that
`invoke --list` pays for none of them.
"""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from bakery_ops.errors import ExitCode


class Target(NamedTuple):
    """What a command aims at; None means the profile's own."""

    profile: str | None = None
    overlay: Path | None = None
    namespace: str | None = None
    context: str | None = None
    kubeconfig: Path | None = None
    yes_context: str | None = None

    @property
    def words(self) -> tuple[str, ...]:
        """The flags that lead another command to the same place; a confirmation is never repeated for the user."""
        given = ("profile", "overlay", "namespace", "context", "kubeconfig")
        values = {f"--{name}": getattr(self, name) for name in given}
        return tuple(word for flag, value in values.items() if value is not None for word in (flag, str(value)))


class DeployOptions(NamedTuple):
    """The flags of `invoke deploy`, by the names the task gives them."""

    profile: str | None = None
    only: tuple[str, ...] = ()
    overlay: Path | None = None
    namespace: str | None = None
    context: str | None = None
    kubeconfig: Path | None = None
    engine: str | None = None
    fail_mode: str = "settle"
    yes_context: str | None = None
    force_conflicts: bool = False
    recreate: tuple[str, ...] = ()
    prune_kind: tuple[str, ...] = ()
    allow_mass_prune: bool = False
    dry_run: bool = False
    output: str | None = None
    report_file: tuple[str, ...] = ()
    resume: bool = False
    rerun: tuple[str, ...] = ()

    @property
    def target(self) -> Target:
        return Target(self.profile, self.overlay, self.namespace, self.context, self.kubeconfig, self.yes_context)


class RollbackOptions(NamedTuple):
    """The flags of `invoke deploy.rollback`, by the names the task gives them."""

    to: int | None = None
    profile: str | None = None
    namespace: str | None = None
    context: str | None = None
    kubeconfig: Path | None = None
    fail_mode: str = "settle"
    yes_context: str | None = None
    accept_newer_schema: bool = False
    force_conflicts: bool = False
    recreate: tuple[str, ...] = ()
    allow_mass_prune: bool = False
    dry_run: bool = False
    output: str | None = None
    report_file: tuple[str, ...] = ()

    @property
    def target(self) -> Target:
        return Target(self.profile, None, self.namespace, self.context, self.kubeconfig, self.yes_context)


class JobOptions(NamedTuple):
    """The flags of `invoke seed` and `invoke migrate`, by the names the tasks give them."""

    name: tuple[str, ...] = ()
    profile: str | None = None
    overlay: Path | None = None
    namespace: str | None = None
    context: str | None = None
    kubeconfig: Path | None = None
    yes_context: str | None = None
    dry_run: bool = False
    output: str | None = None


class LogOptions(NamedTuple):
    """The flags of `invoke logs`, by the names the task gives them."""

    name: str
    profile: str | None = None
    overlay: Path | None = None
    namespace: str | None = None
    context: str | None = None
    kubeconfig: Path | None = None
    yes_context: str | None = None
    previous: bool = False
    tail: int | None = None
    since: str | None = None
    follow: bool = False

    @property
    def target(self) -> Target:
        return Target(self.profile, self.overlay, self.namespace, self.context, self.kubeconfig, self.yes_context)


class DestroyOptions(NamedTuple):
    """The flags of `invoke destroy`, by the names the task gives them."""

    profile: str | None = None
    namespace: str | None = None
    context: str | None = None
    kubeconfig: Path | None = None
    volumes: bool = False
    yes: str | None = None
    yes_context: str | None = None
    dry_run: bool = False
    output: str | None = None

    @property
    def target(self) -> Target:
        return Target(self.profile, None, self.namespace, self.context, self.kubeconfig, self.yes_context)


class RehearseOptions(NamedTuple):
    """The flags of `invoke rehearse`, by the names the task gives them."""

    profile: str | None = None
    overlay: Path | None = None
    namespace: str | None = None
    node: tuple[str, ...] = ()
    fault: tuple[str, ...] = ()
    fail_mode: str = "never"
    output: str | None = None


_HOMES = {
    "deploy": "deploying",
    "plan": "deploying",
    "deploy_status": "deploying",
    "unlock": "deploying",
    "history": "releases",
    "rollback": "releases",
    "verify": "deploying",
    "destroy": "removals",
    "logs": "logs",
    "health_daily": "routine",
    "health_weekly": "routine",
    "health_monthly": "routine",
    "dev": "developing",
    "dev_tilt": "developing",
    "seed": "jobs",
    "migrate": "jobs",
    "report": "reporting",
    "check": "offline",
    "capacity": "offline",
    "platform_show": "offline",
    "config_show": "offline",
    "doctor_report": "machines",
    "rehearse": "rehearsing",
    "secrets": "credentials",
    "secrets_check": "credentials",
    "tls": "credentials",
    "tls_check": "credentials",
    "colima_start": "machines",
    "colima_status": "machines",
    "colima_stop": "machines",
    "colima_delete": "machines",
    "sandbox_start": "sandboxes",
    "sandbox_status": "sandboxes",
    "sandbox_stop": "sandboxes",
    "sandbox_images": "images",
    "test": "development",
}


def __getattr__(name: str) -> Callable[..., ExitCode]:
    if name not in _HOMES:
        raise AttributeError(name)
    function: Callable[..., ExitCode] = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    return function

"""The composition root: picks the adapters, hands them to a workflow, prints its report, returns the exit code.

Each public function lives in the module that `_HOMES` names and is imported when it is first called, so that
`invoke --list` pays for none of them.
"""

from collections.abc import Callable
from importlib import import_module

from bakery_ops.errors import ExitCode

_HOMES = {
    "deploy": "deploying",
    "plan": "deploying",
    "deploy_status": "standing",
    "unlock": "standing",
    "history": "releases",
    "rollback": "releases",
    "verify": "standing",
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
    "config_show": "settings",
    "doctor_report": "machines",
    "rehearse": "rehearsing",
    "secrets": "minting",
    "secrets_check": "minting",
    "tls": "minting",
    "tls_check": "minting",
    "tls_rotate": "renewing",
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

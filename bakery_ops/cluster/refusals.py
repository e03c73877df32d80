"""Why a cluster cannot be used, in one sentence with a remedy."""

from __future__ import annotations

import re
import ssl
import time
from datetime import UTC, datetime

import urllib3
from urllib3.exceptions import HTTPError, InsecureRequestWarning
from urllib3.util.ssl_ import create_urllib3_context

from bakery_ops.cluster.kubeconfig import Context
from bakery_ops.cluster.transport import Reply, date_of
from bakery_ops.cluster.troubles import TransportError, Trouble
from bakery_ops.errors import PreflightRefused

_REMEDIES = {
    Trouble.TLS: "Check the certificate authority, the tls-server-name and the clock of this machine.",
    Trouble.NAME: "Check the server address in the kubeconfig, and DNS.",
    Trouble.PROXY: "Check HTTPS_PROXY, NO_PROXY and the kubeconfig's proxy-url.",
}
_CERTIFICATE_TIME = re.compile(r"expired|not yet valid")
_NOTICEABLE = 60.0


def silent(context: Context, seconds: float) -> PreflightRefused:
    return _refused(context, f"did not answer within {seconds:.0f} s", None)


def no_answer(context: Context, error: TransportError) -> PreflightRefused:
    """Nothing came back. A certificate rejected for its dates is shown with both clocks (faults.md, F17)."""
    refusal = _refused(context, f"does not answer: {error}", error.trouble)
    if error.trouble is Trouble.TLS and _CERTIFICATE_TIME.search(str(error)):
        refusal.details = clocks(_unverified_date(context.server))
    return refusal


def unauthorized(context: Context, reply: Reply) -> PreflightRefused:
    return PreflightRefused(
        f"The API server {context.server} does not accept the credentials of context {context.name} (401).",
        remedy="Log in again, or choose another context with --context.",
        details=clocks(reply.date),
    )


def not_kubernetes(context: Context, reply: Reply) -> PreflightRefused:
    cause = f"is no Kubernetes API server: it answers {reply.status} to /version with something else"
    return _refused(context, cause, None)


def clocks(server: float | None) -> tuple[str, ...]:
    """Both clocks, when they differ noticeably or `server` (a Date header, epoch seconds) is all there is to go by."""
    local = time.time()
    if server is None or abs(server - local) < _NOTICEABLE:
        return ()
    return (
        f"The server's clock says {_readable(server)}, this machine's {_readable(local)}: "
        "a certificate may look expired or not yet valid.",
    )


def _refused(context: Context, cause: str, trouble: Trouble | None) -> PreflightRefused:
    default = "Is the cluster running? Check the server address in the kubeconfig."
    remedy = _REMEDIES.get(trouble, default) if trouble else default
    return PreflightRefused(f"The API server {context.server} of context {context.name} {cause}.", remedy=remedy)


def _unverified_date(server: str) -> float | None:
    """The Date header of a server whose certificate was just rejected: shown to a person, trusted by nobody.

    No credentials are sent.
    """
    tls = create_urllib3_context()
    tls.check_hostname = False
    tls.verify_mode = ssl.CERT_NONE
    urllib3.disable_warnings(InsecureRequestWarning)
    with urllib3.PoolManager(ssl_context=tls) as pool:
        try:
            return date_of(pool.request("GET", f"{server}/version", timeout=2.0, retries=False).headers.get("Date"))
        except (HTTPError, OSError):
            return None


def _readable(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")

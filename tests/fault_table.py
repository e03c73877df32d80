"""The faults of the real node: a row and a folder of manifests (tests/e2e/faults/<name>) each.

Two read them: tests/e2e/test_faults.py holds our verdicts to them, benchmarks/faults.py those of other tools.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any, NamedTuple

from bakery_ops.credentials import certificates
from bakery_ops.rules import evidence as rows
from bakery_ops.rules.evidence import Row
from tests.commands import invoke, kubectl

MANIFESTS = Path(__file__).parent / "e2e" / "faults"
STAGE = "fault-stage"

Document = dict[str, Any]


class Fault(NamedTuple):
    """One thing that is wrong.

    Attributes:
        sentence: Regular expression of the whole sentence, or, of what is refused before anything is written, of the
            line that says why.
        evidence: What a person needs to see beside it, as a regular expression: the log or the event that tells.
        cause: Regular expressions that say whether an output, of whatever tool, names the cause: each has to match.
        row: The evidence that decides, and with it the hold time. None: refused before, or only a deadline decides.
        exit_code: Ours.
    """

    name: str
    sentence: str
    evidence: str
    cause: tuple[str, ...]
    row: Row | None = None
    exit_code: int = 3

    @property
    def manifests(self) -> Path:
        return MANIFESTS / self.name

    @property
    def only_a_deadline_tells(self) -> bool:
        """Nothing speaks against it: whoever waits longer may see it become ready."""
        return self.exit_code == 70

    @property
    def is_refused(self) -> bool:
        return self.exit_code == 4


_MISSING_KEY = "references non-existent secret key: tls.key"

FAULTS = (
    Fault(
        "image-missing",
        r"web is down: ErrImagePull: .*localhost:5000/shop/web:1\.4\.2.*: not found",
        r"not found",
        (r"shop/web:1\.4\.2", r"not found|can't be pulled"),
        rows.IMAGE_MISSING,
    ),
    Fault(
        "wrong-password",
        r"migrate has failed: BackoffLimitExceeded: container migrate ended with exit code 1 .*; blocks 1 service",
        r'password authentication failed for user "shop"',
        (r"password authentication failed",),
        rows.JOB_FAILED,
    ),
    Fault(
        "redis-down",
        rf"redis is down: FailedMount: .*{_MISSING_KEY}.*; blocks 3 services",
        _MISSING_KEY,
        (r"redis", r"non-existent secret key: tls\.key"),
        rows.MOUNT_MISSING,
    ),
    Fault(
        "secret-by-env",
        r"secret/shop-payments \(for web\)",
        "",
        (r"shop-payments", r"not found|neither in the render"),
        exit_code=4,
    ),
    Fault(
        "secret-by-volume",
        r"secret/shop-certificate \(for web\)",
        "",
        (r"shop-certificate", r"not found|neither in the render"),
        exit_code=4,
    ),
    Fault(
        "key-by-env",
        r"web is down: CreateContainerConfigError: couldn't find key password in Secret \S+/shop-credentials",
        r"couldn't find key password",
        (r"couldn't find key password",),
        rows.CONFIG_MISSING,
    ),
    Fault(
        "crash-loop",
        r"web is down: CrashLoopBackOff: exit code 1, \d restarts?",
        r"cannot open /etc/shop/shop\.conf",
        (r"shop\.conf|CrashLoopBackOff|exit(ed)?( with)?( code)?:? 1\b",),
        rows.CRASH_LOOP,
    ),
    Fault(
        "out-of-memory",
        r"web is down: (OOMKilled|CrashLoopBackOff): .*memory limit (of|is) 32Mi.*",
        r"32Mi",
        (r"OOMKilled|out of memory|memory limit|exit(ed)?( with)?( code)?:? 137\b",),
        rows.CRASH_LOOP,
    ),
    Fault(
        "init-exit",
        r"web is down: CrashLoopBackOff: exit code 3, \d restarts?",
        r"no route to the configuration server",
        (r"fetch-config", r"configuration server|CrashLoopBackOff|exit(ed)?( with)?( code)?:? 3\b"),
        rows.CRASH_LOOP,
    ),
    Fault(
        "migration-raises",
        r"migrate has failed: BackoffLimitExceeded: container migrate ended with exit code 1 .*; blocks 1 service",
        r'relation "prices" does not exist',
        (r'relation "prices" does not exist',),
        rows.JOB_FAILED,
    ),
    Fault(
        "seed-exit",
        r"seed-orders has failed: BackoffLimitExceeded: container seed-orders ended with exit code 1 .*",
        r"Table items does not exist: run the migration first",
        (r"Table items does not exist",),
        rows.JOB_FAILED,
    ),
    Fault(
        "unschedulable",
        r"no place (for \d+ pods? of|at all for) web.*",
        "",
        (r"Insufficient cpu|no place|does not fit",),
        exit_code=4,
    ),
    Fault(
        "never-ready",
        r"web is not ready yet: .*Readiness probe failed: HTTP probe failed with statuscode: 404",
        r"statuscode: 404",
        (r"Readiness probe failed|statuscode: 404",),
        exit_code=70,
    ),
    Fault(
        "volume-full",
        r"db is down: CrashLoopBackOff: exit code 1, \d restarts?",
        r"No space left on device",
        (r"No space left on device",),
        rows.CRASH_LOOP,
    ),
    Fault(
        "account-missing",
        r'web is down: FailedCreate: pods "\S+" is forbidden: .*serviceaccount "shop" not found',
        r'serviceaccount "shop" not found',
        (r'serviceaccount "shop" not found',),
        rows.CREATE_REFUSED,
    ),
    Fault(
        "quota",
        r"quota nothing-runs-here: pods 0; .* asks for \d",
        "",
        (r"exceeded quota|quota nothing-runs-here",),
        exit_code=4,
    ),
)


class Scene:
    """A cluster on which the faults play: a registry that has nothing, a database, and what is in every namespace."""

    def __init__(self, kubeconfig: Path, context: str) -> None:
        self.kubeconfig, self.context = kubeconfig, context
        self._authority = certificates.authority("shop", time.time())

    def open(self) -> tuple[int, str]:
        """Deploy the stage with our own tool: exit code and output. All of it is healthy: not 0 is a false alarm."""
        host = f"shop-db.{STAGE}.svc"
        pair = certificates.leaf(self._authority, [host], time.time())
        files = {"tls.crt": pair.certificate.reveal(), "tls.key": pair.key.reveal()}
        self._apply(_namespace(STAGE), _secret("shop-db-tls", STAGE, files))
        ended = invoke("deploy", "--overlay", str(MANIFESTS / "stage"), "--namespace", STAGE, "--context", self.context)
        return ended.returncode, ended.stdout + ended.stderr

    def furnish(self, namespace: str) -> None:
        """Make a namespace with what its faults find there: logins, the authority, Secrets that lack a key."""
        authority = self._authority.certificate.reveal()
        self._apply(
            _namespace(namespace),
            {**_named("ConfigMap", "shop-db-ca", namespace), "data": {"ca.crt": authority}},
            _secret("shop-db", namespace, {"username": "shop", "password": "only-for-tests"}),
            _secret("shop-credentials", namespace, {"username": "shop"}),
            _secret("redis-tls", namespace, {"ca.crt": authority, "tls.crt": authority}),
        )

    def _apply(self, *documents: Document) -> None:
        body = {"apiVersion": "v1", "kind": "List", "items": list(documents)}
        kubectl(self.kubeconfig, "apply", "--filename", "-", stdin=json.dumps(body))


def _named(kind: str, name: str, namespace: str = "") -> Document:
    metadata = {"name": name, "namespace": namespace} if namespace else {"name": name}
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata}


def _namespace(name: str) -> Document:
    return _named("Namespace", name)


def _secret(name: str, namespace: str, values: dict[str, str]) -> Document:
    return {**_named("Secret", name, namespace), "stringData": values}

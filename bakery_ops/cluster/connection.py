"""From a kubeconfig context to a checked connection. The only importer of the `kubernetes` package.

The package contributes configuration (proxy rules of the environment), exec and auth-provider plugins, and the pool.
Its package `__init__` modules import every API group and schema validators (0.34 s and 46 MB against 0.10 s and 24 MB,
kubernetes 37.0.2), so the few modules we use are imported past them.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec

from bakery_ops.cluster import kubeconfig as kubectl_rules
from bakery_ops.cluster import refusals
from bakery_ops.cluster.answers import answer
from bakery_ops.cluster.authentication import Credentials, Package
from bakery_ops.cluster.clock import ServerClock
from bakery_ops.cluster.discovery import BUILT_IN, Discovery
from bakery_ops.cluster.lag import LagMeter
from bakery_ops.cluster.mirror import ApiMirror
from bakery_ops.cluster.requests import ApiRequests
from bakery_ops.cluster.retry import BUDGET, Retrier
from bakery_ops.cluster.transport import Reply, Timeouts, Transport
from bakery_ops.cluster.troubles import TransportError
from bakery_ops.errors import BakeryError, ClusterUnreachable, OperationFailed, PreflightRefused, UsageError

PREFLIGHT_DEADLINE = 10.0
_PROBE = Timeouts(connect=4.0, read=4.0)


class Identity(msgspec.Struct, frozen=True):
    """Which cluster this is, whatever its address: what a profile pins (docs/configuration.md).

    `uid` is the kube-system Namespace's, "" where we may not read it; `ca` the SHA-256 of the CA certificates trusted.
    """

    uid: str
    ca: str

    def __str__(self) -> str:
        return f"{self.uid or 'unknown'}/{self.ca[:16]}"


@dataclass(frozen=True, slots=True)
class Connection:
    """A cluster that answered, and who it is.

    Attributes:
        server: The URL. `version`: "v1.34.1". `minor`: 34.
        round_trip: Seconds of one small request on a warm connection.
    """

    context: str
    server: str
    namespace: str
    identity: Identity
    version: str
    minor: int
    round_trip: float
    clock: ServerClock
    transport: Transport = field(repr=False)
    retrier: Retrier = field(repr=False)
    discovery: Discovery = field(repr=False)
    requests: ApiRequests = field(repr=False)
    lag: LagMeter = field(repr=False)

    def mirror(self, *, notify: Callable[[str], None] = lambda line: None) -> ApiMirror:
        """New watch caches; nothing is watched before its `start`."""
        return ApiMirror(self.transport, self.discovery, self.lag, notify=notify)

    @property
    def request_count(self) -> int:
        """Requests sent so far, watches and retries included."""
        return sum(self.transport.requests.values())

    def close(self) -> None:
        self.transport.close()


def connect(
    kubeconfig: Path | None = None,
    context: str | None = None,
    *,
    namespace: str | None = None,
    environment: Mapping[str, str] = os.environ,
    notify: Callable[[str], None] = lambda line: None,
    deadline: float = PREFLIGHT_DEADLINE,
    budget: float = BUDGET,
) -> Connection:
    """Connect by kubectl's rules and prove that the server answers us.

    Args:
        kubeconfig, context, namespace: As kubectl's flags; None follows the environment and the files.
        notify: Gets one line when the server stops answering later on.
        deadline: Seconds until a silent server counts as unreachable.
        budget: Seconds for one later request with all its retries.

    Raises:
        UsageError: no or malformed kubeconfig, unknown context, broken credentials plugin.
        PreflightRefused: the server cannot be reached, is not trusted, or does not accept the credentials.
    """
    credentials = Credentials(
        lambda: kubectl_rules.choose(kubectl_rules.locate(kubeconfig, environment), context), _package()
    )
    chosen = credentials.context
    clock = ServerClock()
    transport = Transport(chosen.server, credentials.session, clock)
    try:
        version, uid, round_trip = _within(deadline, chosen, lambda: _probe(transport, chosen, deadline))
    except BaseException:
        transport.close()
        raise
    retrier = Retrier(transport, notify=notify, budget=budget)
    discovery, lag = Discovery(transport, retrier), LagMeter()
    return Connection(
        chosen.name, chosen.server, namespace or chosen.namespace, Identity(uid, credentials.authority()),
        version.git_version, version.minor_number, round_trip, clock,
        transport, retrier, discovery, ApiRequests(transport, retrier, discovery, lag), lag,
    )  # fmt: skip


_Probed = tuple["_Version", str, float]


class _Version(msgspec.Struct, rename="camel"):
    git_version: str = "unknown"
    minor: str = "0"

    @property
    def minor_number(self) -> int:
        digits = "".join(character for character in self.minor if character.isdigit())  # some vendors say "34+"
        return int(digits or 0)


def _probe(transport: Transport, chosen: kubectl_rules.Context, deadline: float) -> tuple[_Version, str, float]:
    first = _ask(transport, "/version", chosen, deadline)
    try:
        version = msgspec.json.decode(first.body, type=_Version)
    except msgspec.DecodeError as error:
        raise refusals.not_kubernetes(chosen, first) from error
    namespace = _ask(transport, BUILT_IN["", "Namespace"].path(None, "kube-system"), chosen, deadline)
    uid = str((answer(namespace).body.get("metadata") or {}).get("uid", "")) if namespace.status == 200 else ""
    return version, uid, namespace.received - namespace.sent


def _ask(transport: Transport, path: str, chosen: kubectl_rules.Context, deadline: float) -> Reply:
    """One GET; a server that is only busy or starting gets the rest of the deadline, a silent one does not.

    Raises: PreflightRefused.
    """
    retrier = Retrier(transport, budget=deadline - 1.0)

    def attempt() -> Reply:
        try:
            return transport.send("get", "GET", path, timeouts=_PROBE)
        except TransportError as error:
            raise refusals.no_answer(chosen, error) from error

    try:
        reply = retrier.call(attempt)
    except (ClusterUnreachable, OperationFailed) as error:
        raise PreflightRefused(str(error), remedy=error.remedy) from error
    if reply.status == 401:
        raise refusals.unauthorized(chosen, reply)
    return reply


def _within(deadline: float, chosen: kubectl_rules.Context, work: Callable[[], _Probed]) -> _Probed:
    """`work` in a thread of its own: name resolution knows no timeout, and a user must not wait for it."""
    results: list[_Probed] = []
    errors: list[BakeryError] = []
    bugs: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BakeryError as error:
            errors.append(error)
        except BaseException as error:  # noqa: BLE001 re-raised below, in the caller's thread
            bugs.append(error)

    thread = threading.Thread(target=run, name="connect", daemon=True)
    thread.start()
    thread.join(deadline)
    for problem in (*errors, *bugs):
        raise problem
    if not results:
        raise refusals.silent(chosen, deadline)
    return results[0]


def _package() -> Package:
    with _past_package_modules("kubernetes", "kubernetes.config", "kubernetes.utils"):
        from kubernetes.client.configuration import Configuration
        from kubernetes.client.rest import RESTClientObject
        from kubernetes.config.exec_provider import ExecProvider
    return Package(Configuration, RESTClientObject, ExecProvider, _load_auth_provider)


def _load_auth_provider(document: Mapping[str, Any]) -> str:
    """The Authorization header from a legacy `auth-provider` (oidc, gcp), refreshed by the package if need be."""
    from kubernetes.client.configuration import Configuration
    from kubernetes.config.kube_config import load_kube_config_from_dict

    configuration = Configuration()
    load_kube_config_from_dict(  # type: ignore[no-untyped-call] # the package ships py.typed without types here
        document, client_configuration=configuration, persist_config=False
    )
    return str(configuration.api_key.get("BearerToken", ""))


@contextmanager
def _past_package_modules(*names: str) -> Iterator[None]:
    """Import submodules of `names` without running the packages' own `__init__`; a later plain import still works."""
    missing = [name for name in names if name not in sys.modules]
    specification = importlib.util.find_spec(names[0])
    if specification is None or not specification.submodule_search_locations:
        raise UsageError("The Python package kubernetes is not installed.", remedy="Start through ./invoke.")
    stand_ins = {name: ModuleType(name) for name in missing}
    for name, stand_in in stand_ins.items():
        below = name.partition(".")[2]
        stand_in.__path__ = [str(Path(place, below)) for place in specification.submodule_search_locations]
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        for name, stand_in in stand_ins.items():
            if sys.modules.get(name) is stand_in:
                del sys.modules[name]

"""etcd, API server, controllers, scheduler and volume provisioner: started in order, ready when `/readyz` says ok."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from bakery_ops.errors import TimedOut
from bakery_ops.sandbox import flags, kubeconfig
from bakery_ops.sandbox.api import Api
from bakery_ops.sandbox.daemons import Daemons
from bakery_ops.sandbox.flags import Endpoints
from bakery_ops.sandbox.instance import Instance

Say = Callable[[str], None]

_READY_WITHIN = 90.0


class ControlPlane(NamedTuple):
    """How to start one: instance, program, addresses, the words that put a program into its network, routing.

    `audit_policy`: a file that says which requests the API server notes in `logs/audit.log`; None notes none.
    """

    instance: Instance
    program: Path
    endpoints: Endpoints
    inside: tuple[str, ...] = ()
    routes_to_endpoints: bool = False
    audit_policy: Path | None = None

    def kubeconfig_of(self, component: str) -> Path:
        return self.instance.directory / "kubeconfigs" / component


def free_ports(count: int) -> list[int]:
    """Ports on 127.0.0.1 nobody listens on at this moment."""
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_STREAM) for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]
    finally:
        for one in sockets:
            one.close()


def write_kubeconfigs(plane: ControlPlane, components: Sequence[str]) -> None:
    """One for each component, and the user's own."""
    instance, server = plane.instance, plane.endpoints.server
    files = {plane.kubeconfig_of(component): component for component in components} | {instance.kubeconfig: "admin"}
    for path, stem in files.items():
        content = kubeconfig.document(context=instance.context, server=server, pki=instance.pki, stem=stem)
        kubeconfig.write(path, content)


def start(plane: ControlPlane, daemons: Daemons, *, say: Say) -> None:
    """Start the control plane and return when its API is ready.

    Raises: OperationFailed when a component dies (with its last lines); TimedOut when the API is not ready in time.
    """
    instance, began = plane.instance, time.monotonic()

    def run(argv: list[str], *, is_urgent: bool = False) -> None:
        daemons.start(argv[0], [*plane.inside, plane.program, *argv], is_urgent=is_urgent)

    write_kubeconfigs(plane, ["controller-manager", "scheduler", "volume-provisioner", "simulator"])
    configuration = instance.directory / "scheduler.json"
    configuration.write_text(json.dumps(flags.scheduler_configuration(plane.kubeconfig_of("scheduler"))))
    run(flags.etcd(plane.endpoints, instance.directory / "etcd"), is_urgent=True)
    server = flags.api_server(plane.endpoints, instance.pki, routes_to_endpoints=plane.routes_to_endpoints)
    noted = flags.audit(plane.audit_policy, instance.audit_log) if plane.audit_policy else []
    run([*server, *noted], is_urgent=True)
    wait_ready(plane, daemons, say=say)
    say(f"API server ready after {time.monotonic() - began:.1f} s at {plane.endpoints.server}")
    trust_after = "10s" if plane.routes_to_endpoints else "1s"
    run(flags.controller_manager(plane.kubeconfig_of("controller-manager"), instance.pki, trust_after=trust_after))
    run(flags.scheduler(configuration))
    run(flags.volume_provisioner(plane.kubeconfig_of("volume-provisioner"), instance.volumes))


def wait_ready(plane: ControlPlane, daemons: Daemons, *, say: Say) -> None:
    """Ask `/readyz` until it answers ok."""
    began, said = time.monotonic(), 0.0
    with closing_api(plane) as api:
        while not api.is_ready():
            daemons.require_running()
            waited = time.monotonic() - began
            if waited > _READY_WITHIN:
                raise TimedOut(
                    f"the sandbox's API server was not ready within {_READY_WITHIN:g} s",
                    remedy=f"read {plane.instance.logs}/kube-apiserver.log, then invoke sandbox.stop and start again",
                )
            if waited - said >= 5:
                said = waited
                say(f"waiting for the API server, {waited:.0f} s")
            time.sleep(0.05)


def closing_api(plane: ControlPlane) -> Api:
    """A connection as administrator."""
    return Api(plane.endpoints.server, plane.instance.pki)

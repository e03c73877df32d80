"""A real node: containerd, kubelet and kube-proxy, with the whole cluster in a network namespace of its own."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from bakery_ops.errors import OperationFailed, TimedOut
from bakery_ops.sandbox import (
    addons,
    binaries,
    flags,
    kubeconfig,
    machine,
    network,
    nodefiles,
    pki,
    record,
    runtime,
    traces,
)
from bakery_ops.sandbox.api import Api
from bakery_ops.sandbox.controlplane import ControlPlane
from bakery_ops.sandbox.daemons import Daemons
from bakery_ops.sandbox.flags import Endpoints
from bakery_ops.sandbox.instance import Instance
from bakery_ops.sandbox.network import Link
from bakery_ops.sandbox.nodefiles import NODE_NAME, NodeFiles
from bakery_ops.sandbox.record import Record
from bakery_ops.sandbox.simulated import wait_nodes_ready
from bakery_ops.tools import process

Say = Callable[[str], None]

_API_PORT = 6443
_NAMES_WITHIN = 60.0


class Programs(NamedTuple):
    """What a real node runs: the cluster, and the program that holds a pod's (and our own) namespaces."""

    kubenode: Path
    pause: Path

    @property
    def images(self) -> tuple[str, str]:
        """Names of the images made of them; the tag follows the contents, so a new build is a new image."""
        return (
            f"bakery/kubenode:{self.kubenode.name.rpartition('-')[2]}",
            f"bakery/pause:{self.pause.name.rpartition('-')[2]}",
        )


def programs(kubenode: Path, repository: Path, *, say: Say) -> Programs:
    """Build what is missing beside `kubenode`."""
    return Programs(kubenode, binaries.build(binaries.pause(repository), say=say))


def survey(place: Instance, wanted: Record) -> Record:
    """`wanted`, with what must be known to put the machine back: taken before anything is changed.

    Where another real instance runs already, its record says how the machine was before both.
    """
    others = _other_real(place)
    first = others[0] if others else None
    return msgspec.structs.replace(
        wanted,
        number=network.free_number(other.number for other in others),
        sysctls=first.sysctls if first else traces.read_sysctls(),
        absent=first.absent if first else traces.absent_paths(),
    )


def _other_real(place: Instance) -> list[Record]:
    """Records of the other real instances, longest running first."""
    found = (record.read(path) for path in place.directory.parent.iterdir() if path != place.directory)
    return sorted((one for one in found if one and one.kind == "real"), key=lambda one: one.started_at)


def prepare(place: Instance, wanted: Record, used: Programs, daemons: Daemons, *, say: Say) -> ControlPlane:
    """Make the namespace and its cable, the keys, and start containerd with the node's own images in it.

    Returns: how to start the control plane inside.
    """
    link = Link(wanted.number)
    holder = daemons.start("network", [process.find("unshare"), "--net", used.pause])
    _wait_own_network(holder.pid)
    network.connect(link, holder.pid)
    inside = network.entering(holder.pid)
    hosts = ["localhost", "127.0.0.1", link.inner_address, flags.API_SERVICE_ADDRESS]
    hosts += ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"]
    leaves = [*pki.control_plane_leaves(hosts), pki.node_leaf(NODE_NAME, link.inner_address), pki.PROXY_LEAF]
    pki.write_pki(place.pki, leaves)
    node = files_of(place, wanted, used)
    _start_containerd(node, daemons, inside)
    runtime.ImageStore(place.directory).import_archive(
        runtime.node_images(used.kubenode, used.pause, names=used.images), say=say
    )
    address = link.inner_address
    everywhere = "0.0.0.0"  # noqa: S104 - everywhere in a namespace that only this machine reaches
    endpoints = Endpoints(everywhere, address, f"https://{address}:{_API_PORT}", _API_PORT, 2379, 2380)
    return ControlPlane(place, used.kubenode, endpoints, inside, routes_to_endpoints=True)


def files_of(place: Instance, wanted: Record, used: Programs) -> NodeFiles:
    """Where this node keeps its things."""
    plugins = machine.cni_directory() or machine.CNI_DIRECTORIES[0]
    address = Link(wanted.number).inner_address
    return NodeFiles(place.directory, place.owner, address, place.pki, used.images[1], plugins)


def start(plane: ControlPlane, wanted: Record, used: Programs, daemons: Daemons, api: Api, *, say: Say) -> None:
    """Start the kubelet and kube-proxy, then names and measurements; return when the node is ready and names resolve.

    Raises: OperationFailed when a program dies; TimedOut.
    """
    place, began = plane.instance, time.monotonic()
    node = files_of(place, wanted, used)
    traces.make_cgroups(place.owner)
    for stem in (f"node-{NODE_NAME}", "proxy", "network-policy"):
        document = kubeconfig.document(context=place.context, server=plane.endpoints.server, pki=place.pki, stem=stem)
        kubeconfig.write(plane.kubeconfig_of(stem), document)
    (place.directory / "resolv.conf").write_text("")
    kubelet_file, proxy_file = place.directory / "kubelet.json", place.directory / "proxy.json"
    kubelet_file.write_text(json.dumps(nodefiles.kubelet(node), indent=1))
    proxy_file.write_text(json.dumps(nodefiles.proxy(plane.kubeconfig_of("proxy")), indent=1))
    argv = nodefiles.kubelet_argv(node, kubelet_file, plane.kubeconfig_of(f"node-{NODE_NAME}"))
    daemons.start("kubelet", [*plane.inside, plane.program, *argv], is_urgent=True)
    daemons.start("kube-proxy", [*plane.inside, plane.program, "kube-proxy", f"--config={proxy_file}", "--v=0"])
    argv = flags.network_policy(plane.kubeconfig_of("network-policy"), process.find("nft"))
    daemons.start("network-policy", [*plane.inside, plane.program, *argv])
    api.apply(addons.names(used.images[0], node=NODE_NAME, address=flags.DNS_ADDRESS))
    api.apply(addons.measurements(used.images[0], node=NODE_NAME))
    wait_nodes_ready(api, daemons, [NODE_NAME], within=60.0)
    _require_pod_subnet(api)
    say(f"real node ready after {time.monotonic() - began:.1f} s")
    _wait_names(api, daemons)


def remove(place: Instance, wanted: Record) -> None:
    """Take away every trace of the node: containers, cable, mounts, cgroups, settings, files. Repeatable."""
    traces.empty_cgroups(place.owner)
    network.remove(Link(wanted.number))
    traces.unmount_below(place.directory)
    traces.remove_links_into(place.directory)
    traces.remove_network_results(place.owner)
    if not _other_real(place):
        traces.restore_sysctls(wanted.sysctls)
        traces.remove_made(wanted.absent)


def _wait_own_network(holder: int) -> None:
    """`unshare` needs a moment; entering before would mean this machine's own namespace."""
    mine = Path("/proc/self/ns/net").readlink()
    deadline = time.monotonic() + 5
    while Path(f"/proc/{holder}/ns/net").readlink() == mine:
        if time.monotonic() > deadline:
            raise TimedOut("the kernel did not make a network namespace within 5 s", remedy="start again")
        time.sleep(0.005)


def _start_containerd(node: NodeFiles, daemons: Daemons, inside: tuple[str, ...]) -> None:
    configuration = node.directory / "containerd.toml"
    configuration.write_text(nodefiles.containerd(node))
    (node.directory / "cni").mkdir(exist_ok=True)
    conflist = node.directory / "cni" / "10-pods.conflist"
    conflist.write_text(json.dumps(nodefiles.pod_network(node), indent=1))
    daemons.start("containerd", [*inside, process.find("containerd"), "--config", configuration])
    runtime.wait_listening(node.containerd_socket, daemons.require_running)


def _require_pod_subnet(api: Api) -> None:
    """The plugins hand out addresses of a fixed subnet; the controllers must believe in the same one."""
    given = ((api.get(f"/api/v1/nodes/{NODE_NAME}") or {}).get("spec") or {}).get("podCIDR", "")
    if given != nodefiles.POD_SUBNET:
        raise OperationFailed(f"the real node was given the pod subnet {given}, not {nodefiles.POD_SUBNET}")


def _wait_names(api: Api, daemons: Daemons) -> None:
    def is_available(found: dict[str, Any]) -> bool:
        return bool(found.get("status", {}).get("availableReplicas"))

    path = "/apis/apps/v1/namespaces/kube-system/deployments/coredns"
    api.until(
        path, is_available, within=_NAMES_WITHIN, waiting_for="CoreDNS to be available", alive=daemons.require_running
    )

"""The node's own network namespace, joined to the machine by one cable; no route leads out of it.

A process holds the namespace, not a mount: when the last of our processes is gone, so is everything in it.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from bakery_ops.errors import CommandFailed, PreflightRefused
from bakery_ops.sandbox import flags
from bakery_ops.tools import process

_NETWORKS = 64


class Link(NamedTuple):
    """The cable number `number`: its name on the machine, and the addresses of its two ends."""

    number: int

    @property
    def outside(self) -> str:
        return f"bk{self.number}"

    @property
    def outer_address(self) -> str:
        return f"10.231.{self.number}.1"

    @property
    def inner_address(self) -> str:
        return f"10.231.{self.number}.2"


def free_number(taken: Iterable[int]) -> int:
    """The lowest network number that neither another instance nor anything on the machine uses.

    Raises: PreflightRefused when all are in use.
    """
    listed = json.loads(process.run(["ip", "-json", "-4", "address", "show"]).stdout or "[]")
    return choose_number(taken, [one["local"] for link in listed for one in link.get("addr_info", [])])


def choose_number(taken: Iterable[int], addresses: Sequence[str]) -> int:
    """`free_number`, given the machine's addresses."""
    used = set(taken)
    for number in range(_NETWORKS):
        network = ipaddress.ip_network(f"10.231.{number}.0/30")
        if number not in used and not any(ipaddress.ip_address(address) in network for address in addresses):
            return number
    raise PreflightRefused("all private networks the sandbox knows are in use", remedy="stop another sandbox first")


def connect(link: Link, holder: int) -> None:
    """Lay the cable into the namespace process `holder` lives in, and let the node route between pods and itself.

    Raises: CommandFailed with what `ip` said.
    """
    inside = entering(holder)
    remove(link)
    process.run(["ip", "link", "add", link.outside, "type", "veth", "peer", "name", "eth0", "netns", str(holder)])
    process.run(["ip", "address", "add", f"{link.outer_address}/30", "dev", link.outside])
    process.run(["ip", "link", "set", link.outside, "up"])
    for words in (
        ["link", "set", "lo", "up"],
        ["address", "add", f"{link.inner_address}/30", "dev", "eth0"],
        ["link", "set", "eth0", "up"],
        # kube-proxy rewrites Service addresses, but only of packets that have a route to begin with.
        ["route", "add", flags.SERVICE_CIDR, "dev", "eth0"],
    ):
        process.run([*inside, "ip", *words])
    process.run([*inside, "sysctl", "--quiet", "--write", "net.ipv4.ip_forward=1"])


def remove(link: Link) -> None:
    """Take the cable away; nothing happens when it is gone already."""
    try:
        process.run(["ip", "link", "delete", link.outside])
    except CommandFailed as error:
        if "Cannot find device" not in error.stderr:
            raise


def entering(holder: int) -> tuple[str, ...]:
    """Words before a command that put it into the namespace.

    Not `ip netns exec`: that mounts a fresh /sys, in which the cgroup mounts are missing.
    """
    return (str(process.find("nsenter")), f"--net=/proc/{holder}/ns/net")

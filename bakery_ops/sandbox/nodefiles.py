"""Configuration files of a real node's programs, as text and values."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from bakery_ops.sandbox import flags

NODE_NAME = "node-1"
POD_SUBNET = "10.244.0.0/24"
"""The first slice of the pod network, which the controller manager gives to the first node: the real one."""

_MOST_PODS = 240


class NodeFiles(NamedTuple):
    """Places of a node: the instance's directory, what it is called on the machine, its address, and the images."""

    directory: Path
    owner: str
    address: str
    pki: Path
    pause_image: str
    cni_programs: Path

    @property
    def containerd_socket(self) -> Path:
        return self.directory / "containerd.sock"


def containerd(node: NodeFiles) -> str:
    """containerd's configuration; everything it keeps goes below the instance's directory.

    Without `restrict_oom_score_adj` runc dies where CAP_SYS_RESOURCE is missing.
    """
    base = node.directory / "containerd"
    cri = 'plugins."io.containerd.grpc.v1.cri"'
    return f"""version = 2
root = "{base}/root"
state = "{base}/state"
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.tracing.processor.v1.otlp",
  "io.containerd.internal.v1.tracing"]
[grpc]
  address = "{node.containerd_socket}"
[debug]
  level = "warn"
[plugins."io.containerd.internal.v1.opt"]
  path = "{base}/opt"
[{cri}]
  sandbox_image = "{node.pause_image}"
  restrict_oom_score_adj = true
  disable_apparmor = true
  netns_mounts_under_state_dir = true
  max_concurrent_downloads = 10
  [{cri}.cni]
    bin_dir = "{node.cni_programs}"
    conf_dir = "{node.directory}/cni"
  [{cri}.containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
  [{cri}.containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [{cri}.containerd.runtimes.runc.options]
      SystemdCgroup = false
      Root = "{base}/runc"
"""


def pod_network(node: NodeFiles) -> dict[str, Any]:
    """A point-to-point link per pod, routed by the node; no address translation, since nothing leaves the namespace."""
    addresses = {
        "type": "host-local",
        "dataDir": str(node.directory / "addresses"),
        "ranges": [[{"subnet": POD_SUBNET}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    return {
        "cniVersion": "0.4.0",
        "name": node.owner,
        "plugins": [
            {"type": "ptp", "ipMasq": False, "ipam": addresses},
            {"type": "portmap", "capabilities": {"portMappings": True}, "snat": True},
        ],
    }


def kubelet(node: NodeFiles) -> dict[str, Any]:
    """The kubelet's configuration: no request limits (the stock ones pace 200 containers to minutes), small reserves.

    `systemCgroups` and `kubeletCgroups` stay unset: the former moves every process of the machine into it.
    """
    base = node.directory / "kubelet"
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "containerRuntimeEndpoint": f"unix://{node.containerd_socket}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{node.owner}",
        "enforceNodeAllocatable": ["pods"],
        "failCgroupV1": False,
        "failSwapOn": False,
        "oomScoreAdj": 0,
        "maxOpenFiles": 20000,
        "resolvConf": str(node.directory / "resolv.conf"),
        "clusterDNS": [flags.DNS_ADDRESS],
        "clusterDomain": flags.CLUSTER_DOMAIN,
        "podLogsDir": str(base / "pod-logs"),
        "volumePluginDir": str(base / "volume-plugins"),
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(node.pki / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(node.pki / f"node-{NODE_NAME}.crt"),
        "tlsPrivateKeyFile": str(node.pki / f"node-{NODE_NAME}.key"),
        "rotateCertificates": False,
        "evictionHard": {
            "memory.available": "100Mi",
            "nodefs.available": "1%",
            "imagefs.available": "1%",
            "nodefs.inodesFree": "1%",
        },
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "nodeStatusUpdateFrequency": "5s",
        "maxPods": _MOST_PODS,
        "podsPerCore": 0,
        "serializeImagePulls": False,
        "maxParallelImagePulls": 10,
        "registryPullQPS": 0,
        "eventRecordQPS": 0,
        "kubeAPIQPS": 300,
        "kubeAPIBurst": 600,
    }


def kubelet_argv(node: NodeFiles, configuration: Path, kubeconfig: Path) -> list[str]:
    """The kubelet's own flags; the rest is in its configuration."""
    return [
        "kubelet",
        f"--config={configuration}",
        f"--kubeconfig={kubeconfig}",
        f"--hostname-override={NODE_NAME}",
        f"--node-ip={node.address}",
        f"--root-dir={node.directory / 'kubelet'}",
        "--v=0",
    ]


def proxy(kubeconfig: Path) -> dict[str, Any]:
    """kube-proxy's configuration: nftables, and connection tracking left as the kernel has it."""
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "nftables": {"minSyncPeriod": "200ms", "syncPeriod": "30s"},
        "clusterCIDR": flags.POD_CIDR,
        "oomScoreAdj": 0,
        "hostnameOverride": NODE_NAME,
        "clientConnection": {"kubeconfig": str(kubeconfig), "qps": 50, "burst": 100},
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
    }

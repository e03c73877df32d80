"""Command lines and configuration files of the cluster's components: values in, argv or documents out."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

SERVICE_CIDR = "10.96.0.0/16"
POD_CIDR = "10.244.0.0/16"
API_SERVICE_ADDRESS = "10.96.0.1"
DNS_ADDRESS = "10.96.0.10"
CLUSTER_DOMAIN = "cluster.local"

# A whole platform arrives at once; the stock limits (5 to 50 requests a second) would be the slowest part of a deploy.
_CLIENT_QPS, _CLIENT_BURST = 300, 600


class Endpoints(NamedTuple):
    """Addresses of the control plane: where it listens, how it calls itself, and its ports."""

    listen: str
    advertise: str
    server: str
    api_port: int
    etcd_port: int
    etcd_peer_port: int


def etcd(endpoints: Endpoints, data: Path) -> list[str]:
    """etcd on loopback; losing the data with the machine is fine, waiting for the disk is not."""
    client, peer = f"http://127.0.0.1:{endpoints.etcd_port}", f"http://127.0.0.1:{endpoints.etcd_peer_port}"
    return [
        "etcd",
        "--name=sandbox",
        f"--data-dir={data}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=sandbox={peer}",
        "--unsafe-no-fsync",
        "--log-level=warn",
        "--snapshot-count=20000",
        "--auto-compaction-mode=periodic",
        "--auto-compaction-retention=10m",
    ]


def audit(policy: Path, log: Path) -> list[str]:
    """Flags of kube-apiserver that make it note in `log`, one JSON object a line, what `policy` (a file) asks for."""
    return [f"--audit-policy-file={policy}", f"--audit-log-path={log}", "--audit-log-maxsize=4096"]


def api_server(endpoints: Endpoints, pki: Path, *, routes_to_endpoints: bool) -> list[str]:
    """kube-apiserver. `routes_to_endpoints`: aggregated APIs are reached at their pods, else by Service name."""
    return [
        "kube-apiserver",
        f"--etcd-servers=http://127.0.0.1:{endpoints.etcd_port}",
        f"--bind-address={endpoints.listen}",
        f"--advertise-address={endpoints.advertise}",
        f"--secure-port={endpoints.api_port}",
        f"--service-cluster-ip-range={SERVICE_CIDR}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        f"--client-ca-file={pki}/ca.crt",
        f"--tls-cert-file={pki}/apiserver.crt",
        f"--tls-private-key-file={pki}/apiserver.key",
        f"--kubelet-client-certificate={pki}/admin.crt",
        f"--kubelet-client-key={pki}/admin.key",
        "--kubelet-preferred-address-types=InternalIP",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={pki}/service-account.pub",
        f"--service-account-signing-key-file={pki}/service-account.key",
        f"--requestheader-client-ca-file={pki}/ca.crt",
        "--requestheader-allowed-names=front-proxy",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--proxy-client-cert-file={pki}/front-proxy.crt",
        f"--proxy-client-key-file={pki}/front-proxy.key",
        f"--enable-aggregator-routing={str(routes_to_endpoints).lower()}",
        # One user at a time: fair queueing between tenants costs start-up time and serves nobody here.
        "--enable-priority-and-fairness=false",
        "--max-requests-inflight=800",
        "--max-mutating-requests-inflight=400",
        "--shutdown-delay-duration=0s",
        "--profiling=false",
        "--v=0",
    ]


def controller_manager(kubeconfig: Path, pki: Path, *, trust_after: str) -> list[str]:
    """kube-controller-manager, with an autoscaler that reacts within seconds and room for a whole platform at once.

    `trust_after`: how long (a Go duration) after a pod's start its measured CPU is ignored unless it is ready.
    """
    return [
        "kube-controller-manager",
        f"--kubeconfig={kubeconfig}",
        f"--cluster-cidr={POD_CIDR}",
        f"--service-cluster-ip-range={SERVICE_CIDR}",
        "--allocate-node-cidrs=true",
        "--use-service-account-credentials",
        f"--service-account-private-key-file={pki}/service-account.key",
        f"--root-ca-file={pki}/ca.crt",
        f"--cluster-signing-cert-file={pki}/ca.crt",
        f"--cluster-signing-key-file={pki}/ca.key",
        "--leader-elect=false",
        "--secure-port=0",
        "--horizontal-pod-autoscaler-sync-period=2s",
        f"--horizontal-pod-autoscaler-initial-readiness-delay={trust_after}",
        f"--horizontal-pod-autoscaler-cpu-initialization-period={trust_after}",
        "--pvclaimbinder-sync-period=5s",
        f"--kube-api-qps={_CLIENT_QPS}",
        f"--kube-api-burst={_CLIENT_BURST}",
        "--concurrent-deployment-syncs=10",
        "--concurrent-replicaset-syncs=10",
        "--concurrent-statefulset-syncs=10",
        "--concurrent-job-syncs=10",
        "--concurrent-service-endpoint-syncs=10",
        "--profiling=false",
        "--v=0",
    ]


def scheduler(configuration: Path) -> list[str]:
    """kube-scheduler; everything it needs is in its configuration file."""
    return ["kube-scheduler", f"--config={configuration}", "--secure-port=0", "--v=0"]


def scheduler_configuration(kubeconfig: Path) -> dict[str, Any]:
    """A pod that did not fit is tried again after a second or two, not after ten: capacity comes back quickly here."""
    return {
        "apiVersion": "kubescheduler.config.k8s.io/v1",
        "kind": "KubeSchedulerConfiguration",
        "leaderElection": {"leaderElect": False},
        "enableProfiling": False,
        "clientConnection": {"kubeconfig": str(kubeconfig), "qps": _CLIENT_QPS, "burst": _CLIENT_BURST},
        "podInitialBackoffSeconds": 1,
        "podMaxBackoffSeconds": 2,
    }


def volume_provisioner(kubeconfig: Path, volumes: Path) -> list[str]:
    """Our own provisioner of `local-path` volumes."""
    return ["volume-provisioner", f"--kubeconfig={kubeconfig}", f"--root={volumes}"]


def network_policy(kubeconfig: Path, nft: Path) -> list[str]:
    """Our own enforcement of NetworkPolicies, in the node's namespace."""
    return ["network-policy", f"--kubeconfig={kubeconfig}", f"--nft={nft}"]


def simulator(kubeconfig: Path, stages: Path, pki: Path, *, port: int) -> list[str]:
    """KWOK for the nodes that carry its annotation; they all answer at 127.0.0.1:`port`, where logs are asked for."""
    return [
        "kwok",
        f"--kubeconfig={kubeconfig}",
        f"--config={stages}",
        "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake",
        "--cidr=10.250.0.0/16",
        "--node-ip=127.0.0.1",
        f"--node-port={port}",
        f"--server-address=127.0.0.1:{port}",
        f"--tls-cert-file={pki}/simulator.crt",
        f"--tls-private-key-file={pki}/simulator.key",
        "--node-lease-duration-seconds=40",
    ]


def simulated_metrics(kubeconfig: Path, pki: Path, *, port: int) -> list[str]:
    """Our own metrics API for simulated nodes; only the API server's aggregator is let in."""
    return [
        "simulated-metrics",
        f"--kubeconfig={kubeconfig}",
        f"--address=127.0.0.1:{port}",
        f"--certificate={pki}/metrics.crt",
        f"--key={pki}/metrics.key",
        f"--client-authority={pki}/ca.crt",
    ]

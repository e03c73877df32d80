"""Manifests that others wrote, without a label of ours: deployed, verified, deployed again, and one object fewer."""

from __future__ import annotations

import base64
import json
import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bakery_ops.sandbox.lifecycle import SandboxStatus
from tests.commands import deploy_document, invoke, kubectl

STRANGERS = Path(__file__).parents[1] / "strangers"


class Stranger(NamedTuple):
    """A set of manifests.

    Attributes:
        namespaces: All it uses; the first is the one it is deployed to.
        before: (one, other): one has to be ready before the other starts, though nobody said so in our words.
        leaves: (file, a text in the object, kind/name): what the second version does not have.
    """

    folder: str
    namespaces: tuple[str, ...]
    before: tuple[tuple[str, str], ...]
    leaves: tuple[str, str, str]


SETS = {
    "blog": Stranger("blog", ("blog",), (("blog-mysql", "blog"),), ("blog.yaml", "kind: Service", "service/blog")),
    "polls": Stranger(
        "polls",
        ("polls",),
        (("pg", "migrate"), ("migrate", "web"), ("redis", "worker"), ("web", "sample-polls")),
        ("base/worker.yaml", "kind: Deployment", "deployment/worker"),
    ),
    "operator": Stranger("operator", ("backups",), (), ("everything.yaml", "kind: CronJob", "cronjob/report")),
    "chart": Stranger(
        "chart",
        ("notes",),
        (("rel-postgresql", "rel-notes"), ("rel-postgresql", "rel-notes-migrate")),
        ("rendered.yaml", "name: rel-postgresql-hl", "service/rel-postgresql-hl"),
    ),
    "bazaar": Stranger(
        "bazaar", ("bazaar-front", "bazaar-back"), (("queue", "api"),), ("all.yaml", "name: unused", "configmap/unused")
    ),
    "signer": Stranger(
        "signer", ("signer",), (("gate-sign", "gate"),), ("gate.yaml", "ingressClassName: signer", "ingress/gate")
    ),
}


class Deployed(NamedTuple):
    stranger: Stranger
    folder: Path
    words: tuple[str, ...]
    code: int
    report: dict[str, Any]
    events: list[dict[str, Any]]


@pytest.fixture(scope="module", params=SETS)
def deployed(
    request: pytest.FixtureRequest, simulated_cluster: SandboxStatus, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployed]:
    stranger = SETS[request.param]
    folder = tmp_path_factory.mktemp("stranger") / stranger.folder
    shutil.copytree(STRANGERS / stranger.folder, folder)
    for file in folder.glob("rendered.yaml"):
        certificate, key = self_signed("notes.example.com")
        file.write_text(file.read_text().replace("THE-CERTIFICATE", certificate).replace("THE-KEY", key))
    overlay = folder / "overlay" if (folder / "overlay").is_dir() else folder
    words = ("--overlay", str(overlay), "--namespace", stranger.namespaces[0], "--context", simulated_cluster.context)
    ended = invoke("deploy", *words)
    left = re.search(r"^  report: (.+)$", ended.stdout, re.MULTILINE)
    assert left is not None, ended.stdout + ended.stderr
    report = json.loads((Path(left[1]) / "summary.json").read_text())
    events = [json.loads(line) for line in (Path(left[1]) / "events.ndjson").read_text().splitlines()]
    yield Deployed(stranger, folder, words, ended.returncode, report, events)
    kubectl(simulated_cluster.kubeconfig, "delete", "namespace", *stranger.namespaces, "--wait=false")


def self_signed(host: str) -> tuple[str, str]:
    """A certificate and its key, each PEM in base64."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=90))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = certificate.public_bytes(serialization.Encoding.PEM)
    return base64.b64encode(public).decode(), base64.b64encode(private).decode()


def uids(cluster: SandboxStatus, namespaces: tuple[str, ...]) -> dict[str, str]:
    """kind/name and UID of everything a set may hold; our own records are not of the set."""
    kinds = "deployments,statefulsets,daemonsets,jobs,cronjobs,services,configmaps,secrets,pvc,ingresses"
    found: dict[str, str] = {}
    for namespace in namespaces:
        text = kubectl(cluster.kubeconfig, "get", kinds, "--namespace", namespace, "--output", "json")
        for item in json.loads(text)["items"]:
            if item["metadata"]["name"].startswith("bakery-ops-"):
                continue
            found[f"{item['kind'].lower()}/{item['metadata']['name']}"] = item["metadata"]["uid"]
    return found


def test_it_becomes_ready_and_is_verified(deployed: Deployed) -> None:
    assert (deployed.code, deployed.report["outcome"]) == (0, "succeeded")
    assert {node["verdict"] for node in deployed.report["nodes"]} == {"ready"}
    verified = invoke("verify", *deployed.words)
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_what_others_need_comes_first(deployed: Deployed) -> None:
    def moment(command: str, **wanted: str) -> int:
        """The number of the first such command; the journal is written the moment a workload is ready."""
        return next(
            number
            for number, event in enumerate(deployed.events)
            if event.get("command") == command and wanted.items() <= event["arguments"].items()
        )

    for one, other in deployed.stranger.before:
        assert moment("WriteJournal", node=one, verdict="ready") < moment("Apply", node=other), (one, other)


def test_a_second_deploy_writes_nothing(deployed: Deployed) -> None:
    code, report = deploy_document(*deployed.words)
    assert (code, report["changes"]) == (0, [])


def test_an_object_that_left_the_set_is_deleted_and_nothing_else(
    deployed: Deployed, simulated_cluster: SandboxStatus
) -> None:
    file, mark, gone = deployed.stranger.leaves
    before = uids(simulated_cluster, deployed.stranger.namespaces)
    without(deployed.folder / file, mark)
    code, report = deploy_document(*deployed.words)
    assert (code, [(each["action"], each["node"]) for each in report["changes"]]) == (0, [("prune", gone)])
    assert set(before) - set(uids(simulated_cluster, deployed.stranger.namespaces)) == {gone}
    assert uids(simulated_cluster, deployed.stranger.namespaces).items() <= before.items()


def without(file: Path, mark: str) -> None:
    """Rewrite a file without its first object that holds `mark`."""
    separator = "\n- " if "kind: List" in file.read_text() else "\n---\n"
    parts = file.read_text().split(separator)
    parts.remove(next(part for part in parts if mark in part))
    file.write_text(separator.join(parts))


def test_a_job_that_its_author_suspended_holds_the_deploy_and_says_so(
    simulated_cluster: SandboxStatus,
) -> None:
    words = ("--overlay", str(STRANGERS / "held"), "--namespace", "held", "--context", simulated_cluster.context)
    ended = invoke("deploy", *words, env={"BAKERY_DEADLINE": "8s"})
    assert (ended.returncode, "reindex is held: suspended" in ended.stdout) == (70, True), ended.stdout + ended.stderr


def test_a_generated_name_is_refused_before_anything_is_contacted(tmp_path: Path) -> None:
    text = (STRANGERS / "held" / "job.yaml").read_text().replace("{name: reindex}", "{generateName: reindex-}")
    (tmp_path / "job.yaml").write_text(text)
    ended = invoke("deploy", "--overlay", str(tmp_path), "--namespace", "held", "--context", "bakery-sandbox-nowhere")
    assert (ended.returncode, "generateName is not supported" in ended.stderr) == (64, True), ended.stderr


def account(cluster: SandboxStatus, role: str, file: Path) -> tuple[str, ...]:
    """The flags that deploy as an account that has `role` in a namespace of its own and nothing elsewhere."""
    kubeconfig, name = cluster.kubeconfig, f"only-{role}"
    kubectl(kubeconfig, "create", "namespace", name)
    kubectl(kubeconfig, "create", "serviceaccount", name, "--namespace", name)
    grant = (f"--clusterrole={role}", f"--serviceaccount={name}:{name}")
    kubectl(kubeconfig, "create", "rolebinding", name, "--namespace", name, *grant)
    settings = json.loads(kubectl(kubeconfig, "config", "view", "--raw", "--output", "json"))
    token = kubectl(kubeconfig, "create", "token", name, "--namespace", name).strip()
    settings["users"] = [{**user, "user": {"token": token}} for user in settings["users"]]
    file.write_text(json.dumps(settings))
    return ("--namespace", name, "--kubeconfig", str(file), "--context", cluster.context)


def test_an_account_of_one_namespace_deploys_there(simulated_cluster: SandboxStatus, tmp_path: Path) -> None:
    words = ("--overlay", str(plain(tmp_path)), *account(simulated_cluster, "admin", tmp_path / "kubeconfig"))
    ended = invoke("deploy", *words)
    assert (ended.returncode, "may not list nodes" in ended.stderr) == (0, True), ended.stdout + ended.stderr
    again = deploy_document(*words)
    assert (again[0], again[1]["changes"]) == (0, [])


def test_an_account_that_only_reads_is_refused_with_all_it_lacks(
    simulated_cluster: SandboxStatus, tmp_path: Path
) -> None:
    """B51"""
    words = ("--overlay", str(plain(tmp_path)), *account(simulated_cluster, "view", tmp_path / "kubeconfig"))
    ended = invoke("deploy", *words)
    assert ended.returncode == 4, ended.stdout + ended.stderr
    for missing in ("create leases.coordination.k8s.io", "patch deployments.apps", "create configmaps"):
        assert f"missing: {missing} in only-view" in ended.stderr
    assert not uids(simulated_cluster, ("only-view",)).keys() - {"configmap/kube-root-ca.crt"}


def plain(folder: Path) -> Path:
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": "web:1"}]}}
    spec = {"selector": {"matchLabels": {"app": "web"}}, "template": template}
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}
    (folder / "set").mkdir()
    (folder / "set" / "web.json").write_text(json.dumps(body))
    return folder / "set"


def test_what_moves_to_another_namespace_leaves_the_old_one(simulated_cluster: SandboxStatus, tmp_path: Path) -> None:
    web = plain(tmp_path) / "web.json"
    body = json.loads(web.read_text())
    for number in range(5):
        settings = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"c{number}"}}
        (web.parent / f"{number}.json").write_text(json.dumps(settings))
    for name in ("old-home", "new-home"):
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        (web.parent / f"{name}.json").write_text(json.dumps(namespace))
    words = ("--overlay", str(web.parent), "--namespace", "old-home", "--context", simulated_cluster.context)
    assert invoke("deploy", *words).returncode == 0
    web.write_text(json.dumps(body | {"metadata": {"name": "web", "namespace": "new-home"}}))
    code, report = deploy_document(*words)
    assert (code, {each["action"] for each in report["changes"]}) == (0, {"apply", "prune"})
    assert "deployment/web" not in uids(simulated_cluster, ("old-home",))
    assert "deployment/web" in uids(simulated_cluster, ("new-home",))

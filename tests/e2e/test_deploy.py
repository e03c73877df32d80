"""The whole platform on a real node: deployed, verified, ordered, unchanged the second time, closed to plaintext."""

from __future__ import annotations

import base64
import json
from datetime import datetime

import pytest

from bakery_ops.sandbox.lifecycle import SandboxStatus
from tests.commands import deploy_document, invoke, kubectl, objects

pytestmark = pytest.mark.timeout(900)

NAMESPACE = "bakery-ia"


@pytest.fixture(scope="module")
def platform(real_cluster: SandboxStatus) -> tuple[int, dict]:
    return deploy_document("--context", real_cluster.context)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def condition_time(item: dict, kind: str) -> datetime:
    return next(moment(c["lastTransitionTime"]) for c in item["status"]["conditions"] if c["type"] == kind)


def ready_times(items: list[dict]) -> dict[str, datetime]:
    """When each pod's owner was ready first: pods by `app.kubernetes.io/name` and component, Jobs by name."""
    found = {}
    for item in items:
        labels = item["metadata"]["labels"]
        if item["kind"] == "Job":
            found[item["metadata"]["name"]] = condition_time(item, "Complete")
        else:
            found[f"{labels['app.kubernetes.io/name']}/{labels['app.kubernetes.io/component']}"] = condition_time(
                item, "Ready"
            )
    return found


def test_everything_is_ready_and_every_check_passes(platform):
    code, report = platform
    assert (code, report["outcome"]) == (0, "succeeded"), json.dumps(report.get("causes"), indent=1)
    assert {node["verdict"] for node in report["nodes"]} == {"ready"}
    states = {check["name"]: check["state"] for check in report["checks"]}
    assert states.pop("credentials-valid") == "skipped"  # a deploy made sure of them a moment ago; verify looks again
    assert states.pop("autoscalers-active") in ("passed", "warning")  # metrics need a minute after a cold start
    assert set(states.values()) == {"passed"}, states


def test_the_release_knows_the_head_that_every_migration_reported(platform, real_cluster):
    """Only a kubelet turns what a container writes to its termination log into the pod's status."""
    maps = {item["metadata"]["name"]: item for item in objects(real_cluster.kubeconfig, ("configmaps",), NAMESPACE)}
    migrations = json.loads(maps["bakery-ops-release-1"]["data"]["migrations"])
    heads = {name: head for name, (_, _, head, complete) in migrations.items() if complete}
    assert len(heads) == 18
    assert set(heads.values()) == {"0002"}


def test_nothing_started_before_what_it_waits_for(platform, real_cluster):
    items = objects(real_cluster.kubeconfig, ("pods", "jobs"), NAMESPACE)
    running = [
        item for item in items if item["kind"] == "Job" or item["metadata"]["ownerReferences"][0]["kind"] != "Job"
    ]
    ready = ready_times(running)
    for job in (item for item in items if item["kind"] == "Job"):
        name, owner = job["metadata"]["name"], job["metadata"]["labels"].get("bakery-ia.dev/data-owner")
        created = moment(job["metadata"]["creationTimestamp"])
        if name.endswith("-migration"):
            assert created >= ready[f"{owner}/database"], name
        elif name.startswith("demo-seed-"):
            assert created >= ready[f"{owner}/microservice"], name
    for deployment in objects(real_cluster.kubeconfig, ("deployments",), NAMESPACE):
        labels = deployment["metadata"]["labels"]
        created = moment(deployment["metadata"]["creationTimestamp"])
        if labels["app.kubernetes.io/component"] == "microservice":
            owner = labels["app.kubernetes.io/name"]
            assert created >= ready[f"{owner}-migration"], owner
            assert created >= ready[f"{owner}/database"], owner
            assert created >= ready["redis/infrastructure"], owner


def test_a_second_deploy_writes_nothing(platform, real_cluster):
    code, report = deploy_document("--context", real_cluster.context)
    assert (code, report["changes"]) == (0, [])


def test_verify_agrees(platform, real_cluster):
    ended = invoke("verify", "--context", real_cluster.context)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "20 of 20 volume claims bound" in ended.stdout
    assert "ok    credentials-valid" in ended.stdout


def test_the_briefs_own_log_command_works(platform, real_cluster):
    selector = "app.kubernetes.io/component=microservice"
    words = ("logs", "-n", NAMESPACE, "-l", selector, "--tail=5", "--max-log-requests=30")
    assert kubectl(real_cluster.kubeconfig, *words).strip()


def test_seeds_really_wrote_rows(platform, real_cluster):
    query = "select count(*) > 0 from items"
    shell = f'psql -U postgres -d inventory -Atc "{query}"'
    words = ("exec", "-n", NAMESPACE, "inventory-db-0", "-c", "postgres", "--", "sh", "-c", shell)
    assert kubectl(real_cluster.kubeconfig, *words).strip() == "t"


def test_postgresql_refuses_plaintext(platform, real_cluster):
    plain = (
        "PGPASSWORD=x psql 'host=auth-db.bakery-ia.svc user=auth dbname=auth sslmode=disable connect_timeout=5'"
        " -c 'select 1' 2>&1; true"
    )
    words = ("exec", "-n", NAMESPACE, "auth-db-0", "-c", "postgres", "--", "bash", "-c", plain)
    said = kubectl(real_cluster.kubeconfig, *words)
    assert "no encryption" in said or "rejects connection" in said, said


# The protocol's own request for TLS (PostgreSQL, "Message Flow", SSL Session Encryption), then the certificate in PEM.
_SERVED = """
import socket, ssl, struct
plain = socket.create_connection(("auth-db", 5432), timeout=10)
plain.sendall(struct.pack("!II", 8, 80877103))
assert plain.recv(1) == b"S"
anyone = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
anyone.check_hostname, anyone.verify_mode = False, ssl.CERT_NONE
print(ssl.DER_cert_to_PEM_cert(anyone.wrap_socket(plain).getpeercert(True)))
"""


def test_a_renewed_certificate_is_what_the_database_serves_and_its_service_trusts(platform, real_cluster):
    kubeconfig, context = real_cluster.kubeconfig, real_cluster.context
    ended = invoke("tls.rotate", "auth-db", "--context", context)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    held = kubectl(kubeconfig, "-n", NAMESPACE, "get", "secret", "auth-db-tls", "-o", r"jsonpath={.data.tls\.crt}")
    served = kubectl(kubeconfig, "-n", NAMESPACE, "exec", "deploy/auth-service", "--", "python3", "-c", _SERVED)
    assert served.split() == base64.b64decode(held).decode().split()
    verified = invoke("verify", "--context", context, "--only", "health", "--only", "credentials-valid")
    assert verified.returncode == 0, verified.stdout


def test_services_find_a_redis_that_was_restarted(platform, real_cluster):
    """F49: init containers do not run again, so the services themselves connect anew, and none needs a restart."""
    kubeconfig = real_cluster.kubeconfig
    before = service_restarts(kubeconfig)
    kubectl(kubeconfig, "-n", NAMESPACE, "delete", "pod", "redis-0", "--wait")
    kubectl(kubeconfig, "-n", NAMESPACE, "rollout", "status", "statefulset/redis", "--timeout=120s")
    # Some notice the loss only now, when their next probe comes: the first looks may still find them without redis.
    looks = (invoke("verify", "--context", real_cluster.context) for _ in range(12))
    ended = next((look for look in looks if look.returncode == 0), None)
    assert ended is not None, invoke("verify", "--context", real_cluster.context).stdout
    assert service_restarts(kubeconfig) == before


def service_restarts(kubeconfig) -> dict[str, int]:
    pods = objects(kubeconfig, ("pods",), NAMESPACE)
    return {
        pod["metadata"]["name"]: pod["status"]["containerStatuses"][0]["restartCount"]
        for pod in pods
        if pod["metadata"]["labels"].get("app.kubernetes.io/component") == "microservice"
    }


def test_a_platform_member_that_fails_is_named_as_the_one_cause(platform, real_cluster):
    """redis loses its certificate Secret and is restarted: one sentence, about redis, and nothing else."""
    kubeconfig = real_cluster.kubeconfig
    saved = kubectl(kubeconfig, "-n", NAMESPACE, "get", "secret", "redis-tls", "-o", "yaml")
    kubectl(kubeconfig, "-n", NAMESPACE, "delete", "secret", "redis-tls")
    kubectl(kubeconfig, "-n", NAMESPACE, "delete", "pod", "redis-0", "--wait=false")
    try:
        status = invoke("deploy.status", "--context", real_cluster.context)
        assert status.returncode == 3
        assert "redis" in status.stdout
    finally:
        kubectl(kubeconfig, "apply", "-f", "-", stdin=saved)
    code, report = deploy_document("--context", real_cluster.context)
    assert (code, report["outcome"]) == (0, "succeeded")

"""Every container of every overlay against hardening.md: Pod Security "restricted", resources, probes, secrets."""

import re

import pytest

from tests.manifests.rendered import K8S, component, number, some, volumes

SECRET = re.compile(r"(?im)^\s*kind:\s*Secret\b|secretGenerator|BEGIN [A-Z ]*PRIVATE KEY")
POD_DEFAULTS = {"automountServiceAccountToken": False, "enableServiceLinks": False}


def asked(probe):
    """What a probe does, without how often it does it."""
    return {key: probe[key] for key in ("exec", "httpGet", "tcpSocket") if key in probe}


def mounted(rendered):
    """(workload, volume) of every volume, of which there is at least one."""
    return some((workload, volume) for workload in rendered.workloads for volume in volumes(workload))


def test_the_namespace_enforces_restricted_at_a_pinned_version(every):
    labels = every.get("Namespace", "bakery-ia").labels
    prefix = "pod-security.kubernetes.io/"
    modes = {key.removeprefix(prefix): value for key, value in labels.items() if key.startswith(prefix)}
    assert {modes["enforce"], modes["audit"], modes["warn"]} == {"restricted"}
    assert re.fullmatch(r"v1\.\d+", modes["enforce-version"])
    assert modes["audit-version"] == modes["warn-version"] == "latest"


def test_every_pod_runs_as_a_known_user_that_is_not_root(every):
    for workload in every.workloads:
        context = workload.pod_spec["securityContext"]
        assert context["runAsNonRoot"] is True, workload.ref
        assert min(context["runAsUser"], context["runAsGroup"], context["fsGroup"]) > 0, workload.ref
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}, workload.ref
        assert context["fsGroupChangePolicy"] == "OnRootMismatch", workload.ref


def test_every_container_is_locked_down(every):
    for container in every.containers():
        assert container.body["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }, str(container)


def test_no_pod_touches_the_node(every):
    allowed = {"configMap", "secret", "projected", "emptyDir", "persistentVolumeClaim"}
    for workload in every.workloads:
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(workload.pod_spec), workload.ref
    for workload, volume in mounted(every):
        assert set(volume) - {"name"} <= allowed, (workload.ref, volume["name"])


def test_every_pod_has_an_account_of_its_own_without_a_token(every):
    accounts = {manifest.ref.name: manifest for manifest in every.of("ServiceAccount")}
    for workload in every.workloads:
        for key, value in POD_DEFAULTS.items():
            assert workload.pod_spec[key] is value, (workload.ref, key)
        account = accounts[workload.pod_spec["serviceAccountName"]]
        assert account.body["automountServiceAccountToken"] is False, account.ref


def test_nobody_is_given_rights_at_the_api_server(every):
    kinds = {manifest.ref.kind for manifest in every.manifests}
    assert not kinds & {"Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"}


def test_every_container_says_what_it_needs_and_where_it_ends(every):
    for container in every.containers():
        resources = container.body["resources"]
        assert set(resources["requests"]) == {"cpu", "memory", "ephemeral-storage"}, str(container)
        # No CPU limit: an idle neighbour's time is free, and a throttled start misses its probes.
        assert set(resources["limits"]) == {"memory", "ephemeral-storage"}, str(container)
        for resource, limit in resources["limits"].items():
            assert number(resources["requests"][resource]) <= number(limit), f"{container}: {resource}"


def test_a_scratch_volume_fits_the_container_s_storage_limit(every):
    for workload in some(each for each in every.workloads if any("emptyDir" in volume for volume in volumes(each))):
        scratch = [volume["emptyDir"] for volume in volumes(workload) if "emptyDir" in volume]
        limits = [each["resources"]["limits"] for each in workload.pod_spec["containers"]]
        limit = max(number(each["ephemeral-storage"]) for each in limits)
        assert sum(number(each["sizeLimit"]) for each in scratch) <= limit, workload.ref


def test_every_image_has_a_version_and_is_pulled_once(every):
    for container in every.containers():
        name, _, tag = container.body["image"].rpartition(":")
        assert name, str(container)
        assert tag not in ("", "latest"), str(container)
        assert container.body["imagePullPolicy"] == "IfNotPresent", str(container)


def test_every_server_has_three_probes_and_readiness_is_not_liveness(every):
    served = []
    for container in every.containers():
        probes = {name: container.body.get(f"{name}Probe") for name in ("startup", "liveness", "readiness")}
        if container.is_init or container.workload.ref.kind == "Job":
            assert not any(probes.values()), str(container)
            continue
        served.append(container.workload.ref)
        assert all(probes.values()), str(container)
        assert asked(probes["readiness"]) != asked(probes["liveness"]), str(container)
        for probe in probes.values():
            assert "host" not in probe.get("httpGet", {}), str(container)
    assert set(served) == {workload.ref for workload in every.of("Deployment", "StatefulSet")}


def test_liveness_is_slower_to_judge_than_readiness(every):
    for container in some(each for each in every.containers() if "livenessProbe" in each.body):
        readiness, liveness = (
            container.body[name]["periodSeconds"] * container.body[name]["failureThreshold"]
            for name in ("readinessProbe", "livenessProbe")
        )
        assert liveness > readiness, str(container)


def test_a_service_s_liveness_never_asks_its_dependencies(every):
    for service in every.services:
        (app,) = every.get("Deployment", f"{service}-service").pod_spec["containers"]
        assert app["livenessProbe"]["httpGet"]["path"] == app["startupProbe"]["httpGet"]["path"] == "/health/live"
        assert app["readinessProbe"]["httpGet"]["path"] == "/health/ready"


def test_a_server_behind_a_service_leaves_it_before_it_ends(every):
    serving = [each for each in every.of("Deployment") if component(each) in ("microservice", "edge")]
    for container in some(each for each in every.containers() if each.workload in serving and not each.is_init):
        pause = container.body["lifecycle"]["preStop"]["sleep"]["seconds"]
        assert 5 <= pause <= 10, str(container)
        assert container.pod["terminationGracePeriodSeconds"] >= pause + 20, str(container)


def test_databases_get_time_for_a_last_checkpoint(every):
    for service in every.services:
        assert every.get("StatefulSet", f"{service}-db").pod_spec["terminationGracePeriodSeconds"] >= 120


def test_no_secret_is_in_the_tree(every):
    assert not every.if_any("Secret")
    for path in some((path for path in K8S.rglob("*") if path.is_file()), "file"):
        assert not SECRET.search(path.read_text()), path


def test_a_secret_in_the_tree_would_be_seen():
    assert SECRET.search("apiVersion: v1\nkind: Secret\n")
    assert SECRET.search("secretGenerator:\n")
    assert SECRET.search("-----BEGIN EC PRIVATE KEY-----")


def test_secrets_reach_containers_as_files_only(every):
    for container in every.containers():
        assert "secretKeyRef" not in str(container.body.get("env", ())), str(container)
        assert "secretRef" not in str(container.body.get("envFrom", ())), str(container)


def test_secret_files_are_for_the_pod_s_group_and_never_for_the_world(every):
    secrets = ((workload, volume.get("secret") or volume.get("projected")) for workload, volume in mounted(every))
    for workload, source in some(each for each in secrets if each[1]):
        assert source["defaultMode"] == 0o440, (workload.ref, source)


def test_secret_volumes_are_read_only_and_whole(every):
    """A subPath mount never sees a renewed certificate."""
    mounts = some((each, mount) for each in every.containers() for mount in each.body.get("volumeMounts", ()))
    for container, mount in mounts:
        assert "subPath" not in mount, str(container)
    for container, mount in some(each for each in mounts if each[1]["mountPath"].startswith("/run/secrets/")):
        assert mount["readOnly"] is True, str(container)


@pytest.mark.parametrize(
    ("file", "lines"),
    [
        ("base/services/postgres/postgresql.conf", ["ssl = on", "password_encryption = 'scram-sha-256'"]),
        ("base/services/postgres/postgresql.conf", ["log_connections = on", "log_statement = 'ddl'"]),
        ("base/infrastructure/redis/redis.conf", ["port 0", "tls-port 6379", "aclfile /run/secrets/acl/users.acl"]),
        ("base/infrastructure/rabbitmq/bakery.conf", ["listeners.tcp = none", "listeners.ssl.default = 5671"]),
    ],
)
def test_the_stores_listen_with_tls_alone(file, lines):
    assert set(lines) <= set((K8S / file).read_text().splitlines())


def test_postgresql_accepts_no_plaintext_over_the_network():
    rules = [line.split() for line in (K8S / "base/services/postgres/pg_hba.conf").read_text().splitlines()]
    network = [rule for rule in rules if rule and rule[0].startswith("host")]
    assert {rule[0]: rule[-1] for rule in network} == {"hostssl": "scram-sha-256", "hostnossl": "reject"}
    assert not [rule for rule in rules if rule and rule[-1] == "trust"]


def test_the_password_of_a_new_database_stays_out_of_argv_and_log():
    script = (K8S / "base/services/postgres/10-owner.sh").read_text()
    assert script.index("SET log_statement = 'none'") < script.index("CREATE ROLE")
    assert "--set password" not in script
    assert "SET log_min_error_statement = 'panic'" in script

"""Each rule of `check` broken once in an otherwise clean render: exactly that finding, with its severity and place."""

import base64
import copy
import json

import pytest

from bakery_ops.errors import PreflightRefused, TargetRefused, UsageError
from bakery_ops.model.documents import load
from bakery_ops.model.recorded import read, recorded
from bakery_ops.rules.findings import Severity
from bakery_ops.workflows.check import check, require, rows

CANARY = "canary-5d1e"
LABELS = {"app.kubernetes.io/name": "web", "app.kubernetes.io/part-of": "bakery-ia"}
POD_CONTEXT = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
CONTEXT = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def clean():
    """name -> body of a small render that breaks no rule."""
    container = {
        "name": "app",
        "image": "bakery/web:1.0.0",
        "ports": [{"name": "http", "containerPort": 8000}],
        "env": [{"name": "MODE", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "MODE"}}}],
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}},
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
        "readinessProbe": {"httpGet": {"path": "/", "port": "http"}},
        "securityContext": CONTEXT,
    }
    pod = {"containers": [container], "volumes": [{"name": "tmp", "emptyDir": {}}], "securityContext": POD_CONTEXT}
    template = {"metadata": {"labels": LABELS}, "spec": pod}
    selector = {"matchLabels": {"app.kubernetes.io/name": "web"}}
    job_pod = {**copy.deepcopy(pod), "restartPolicy": "Never"}
    job = {"activeDeadlineSeconds": 60, "template": {"metadata": {"labels": {}}, "spec": job_pod}}
    bodies = {
        "namespace": body("Namespace", "shop", labels={"pod-security.kubernetes.io/enforce": "restricted"}),
        "settings": body("ConfigMap", "settings", data={"MODE": "fast"}),
        "web": body("Deployment", "web", "apps/v1", spec={"selector": selector, "template": template}),
        "service": body(
            "Service",
            "web",
            spec={"selector": selector["matchLabels"], "ports": [{"port": 80, "targetPort": "http"}]},
        ),
        "job": body("Job", "once", "batch/v1", spec=job),
    }
    return copy.deepcopy(bodies)


def body(kind, name, api="v1", labels=None, **more):
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, "labels": labels or LABELS}, **more}


def app(bodies):
    return bodies["web"]["spec"]["template"]["spec"]["containers"][0]


def judge(bodies, *, strict=False):
    text = "\n---\n".join(json.dumps(each) for each in bodies.values())
    return check(load(text, "render", namespace="shop"), namespace="shop", strict=strict)


def put(path, value):
    """A change of the clean render: `put("web.spec.replicas", 2)`; None removes."""

    def change(bodies):
        *parents, last = path.split(".")
        target = bodies
        for key in parents:
            target = target[int(key) if key.isdigit() else key]
        if value is None:
            del target[last]
        else:
            target[int(last) if last.isdigit() else last] = value

    return change


def add(name, each):
    return put(name, each)


POD = "web.spec.template.spec"
APP = f"{POD}.containers.0"
BASE64 = base64.b64encode(b"changeme").decode()
TARGET = {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}, "maxReplicas": 3}
HPA = body("HorizontalPodAutoscaler", "web", "autoscaling/v2", spec=TARGET)
STRANGE = {"app": "strange"}


def scaled(**spec):
    return add("hpa", {**HPA, "spec": {**TARGET, **spec}})


def both(*changes):
    def change(bodies):
        for each in changes:
            each(bodies)

    return change


def budget(**spec):
    selector = {"matchLabels": {"app.kubernetes.io/name": "web"}}
    return add("pdb", body("PodDisruptionBudget", "web", "policy/v1", spec={"selector": selector, **spec}))


def secret(**data):
    return add("secret", body("Secret", "made", stringData=data))


CASES = [
    # rule, change, severity, subject, part of the message
    (
        "schema",
        put(f"{APP}.resorces", {}),
        "preflight",
        "deployment/web",
        "unknown field 'resorces'; did you mean 'resources'?",
    ),
    ("schema", put("service.spec.ports.0.port", "eighty"), "error", "", ""),
    ("schema", put("web.spec.selector", None), "preflight", "deployment/web", "selector is missing"),
    (
        "schema",
        put("web.spec.minReadySeconds", "5"),
        "preflight",
        "deployment/web",
        "minReadySeconds: is not an integer",
    ),
    (
        "api-version",
        put("job.apiVersion", "batch/v1beta1"),
        "preflight",
        "job/once",
        "does not serve Job of batch/v1beta1",
    ),
    (
        "dangling-reference",
        put(f"{APP}.env.0.valueFrom.configMapKeyRef.name", "x"),
        "error",
        "deployment/web",
        "configmap/x",
    ),
    (
        "dangling-reference",
        put(f"{POD}.serviceAccountName", "robot"),
        "error",
        "deployment/web",
        "serviceaccount/robot",
    ),
    (
        "dangling-reference",
        scaled(scaleTargetRef={"apiVersion": "apps/v1", "kind": "Deployment", "name": "wb"}),
        "error",
        "horizontalpodautoscaler/web",
        "deployment/wb",
    ),
    ("missing-key", put("settings.data", {"mode": "fast"}), "error", "deployment/web", "uses the key 'MODE'"),
    (
        "selector-mismatch",
        put("web.spec.selector", {"matchLabels": STRANGE}),
        "error",
        "deployment/web",
        "does not match",
    ),
    ("service-selects-nothing", put("service.spec.selector", STRANGE), "error", "service/web", "picks no pod"),
    ("service-target-port", put("service.spec.ports.0.targetPort", "htpt"), "error", "service/web", "(it has: http)"),
    (
        "autoscaled-replicas",
        both(
            scaled(),
            put("web.spec.replicas", 2),
            put("web.metadata.labels", {**LABELS, "bakery-ia.dev/autoscaled": "true"}),
        ),
        "error",
        "deployment/web",
        "sets replicas",
    ),
    ("autoscaled-label", scaled(), "error", "deployment/web", "lacks the label"),
    (
        "autoscaled-label",
        put("web.metadata.labels", {**LABELS, "bakery-ia.dev/autoscaled": "true"}),
        "error",
        "deployment/web",
        "has the label",
    ),
    (
        "autoscaler-bounds",
        both(scaled(minReplicas=5), put("web.metadata.labels", {**LABELS, "bakery-ia.dev/autoscaled": "true"})),
        "error",
        "horizontalpodautoscaler/web",
        "above",
    ),
    ("budget-blocks-drain", budget(minAvailable=1), "warning", "poddisruptionbudget/web", "allows no disruption"),
    ("invalid-name", put("settings2", body("ConfigMap", "Upper")), "error", "configmap/Upper", "lower-case"),
    (
        "invalid-name",
        put("s2", body("Service", "1st", spec={"ports": [{"port": 1}]})),
        "error",
        "service/1st",
        "a letter first",
    ),
    (
        "invalid-name",
        put(
            "s2",
            body(
                "StatefulSet",
                "a" * 60,
                "apps/v1",
                spec={
                    "serviceName": "web",
                    "selector": {"matchLabels": LABELS},
                    "template": clean()["web"]["spec"]["template"],
                },
            ),
        ),
        "error",
        f"statefulset/{'a' * 60}",
        "60 characters",
    ),
    ("invalid-label", put("web.metadata.labels", {**LABELS, "x": "a b"}), "error", "deployment/web", "label x"),
    (
        "pod-spec",
        put(f"{APP}.env", [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]),
        "error",
        "deployment/web",
        "set 2 times",
    ),
    (
        "pod-spec",
        put(f"{APP}.env", [{"name": "A=B", "value": "1"}]),
        "error",
        "deployment/web",
        "no name of an environment",
    ),
    ("pod-spec", put(f"{APP}.volumeMounts.0.name", "tpm"), "error", "deployment/web", "mounts the volume 'tpm'"),
    ("pod-spec", put(f"{APP}.readinessProbe.httpGet.port", "htpp"), "error", "deployment/web", "asks port 'htpp'"),
    ("pod-spec", put(f"{APP}.name", "App"), "error", "deployment/web", "container name 'App'"),
    ("quantity", put(f"{APP}.resources.requests.memory", "400m"), "error", "deployment/web", "0.4 bytes"),
    ("quantity", put("web.spec.replicas", 99999999999), "error", "deployment/web", "replicas of 99999999999"),
    ("quantity", put("web.spec.replicas", -1), "error", "deployment/web", "replicas of -1"),
    ("quantity", put("job.spec.parallelism", 150001), "error", "job/once", "parallelism of 150001"),
    ("quantity", put(f"{APP}.resources.requests.cpu", 500), "error", "deployment/web", "500 whole CPUs; 500m"),
    (
        "quantity",
        put(f"{APP}.resources.limits.memory", "512MB"),
        "error",
        "deployment/web",
        "'512MB' is not a quantity",
    ),
    (
        "quantity",
        put(f"{APP}.resources.requests.memory", "1Gi"),
        "error",
        "deployment/web",
        "(1Gi) is above its limit (128Mi)",
    ),
    (
        "waits",
        put("web.spec.template.metadata.annotations", {"bakery-ia.dev/waits-for": "once"}),
        "error",
        "deployment/web",
        "no init container",
    ),
    ("job-deadline", put("job.spec.activeDeadlineSeconds", None), "error", "job/once", "may never end"),
    (
        "protected-namespace",
        put("settings.metadata.namespace", "kube-system"),
        "refused",
        "configmap/settings",
        "kube-system",
    ),
    (
        "foreign-namespace",
        put("extra", {**body("ConfigMap", "x"), "metadata": {"name": "x", "namespace": "other"}}),
        "refused",
        "configmap/x",
        "neither the profile's",
    ),
    (
        "cluster-scoped",
        put("extra", body("ClusterRole", "x", "rbac.authorization.k8s.io/v1", rules=[])),
        "warning",
        "clusterrole/x",
        "whole cluster",
    ),
    (
        "privileged",
        put(f"{APP}.securityContext", {**CONTEXT, "privileged": True}),
        "preflight",
        "deployment/web",
        "privileged",
    ),
    (
        "host-path",
        put(f"{POD}.volumes.0", {"name": "tmp", "hostPath": {"path": "/"}}),
        "preflight",
        "deployment/web",
        "hostPath",
    ),
    ("host-namespaces", put(f"{POD}.hostNetwork", True), "preflight", "deployment/web", "hostNetwork"),
    ("host-port", put(f"{APP}.ports.0.hostPort", 80), "preflight", "deployment/web", "hostPort"),
    (
        "capabilities",
        put(f"{APP}.securityContext", {"allowPrivilegeEscalation": False}),
        "preflight",
        "deployment/web",
        "drop ALL",
    ),
    (
        "privilege-escalation",
        put(f"{APP}.securityContext.allowPrivilegeEscalation", None),
        "preflight",
        "deployment/web",
        "set",
    ),
    ("run-as-root", put(f"{POD}.securityContext.runAsNonRoot", None), "preflight", "deployment/web", "runAsNonRoot"),
    ("seccomp", put(f"{POD}.securityContext.seccompProfile", None), "preflight", "deployment/web", "seccompProfile"),
    ("image-tag", put(f"{APP}.image", "bakery/web:latest"), "warning", "deployment/web", "the tag latest"),
    ("image-tag", put(f"{APP}.image", "registry:5000/web"), "warning", "deployment/web", "neither tag nor digest"),
    ("image-placeholder", put(f"{APP}.image", "${IMAGE}"), "preflight", "deployment/web", "placeholder"),
    (
        "secret-in-config-map",
        put("settings.data", {"MODE": "x", "DB_PASSWORD": CANARY}),
        "warning",
        "configmap/settings",
        "'DB_PASSWORD' sounds like",
    ),
    (
        "secret-in-config-map",
        put("settings.data", {"MODE": "-----BEGIN EC PRIVATE KEY-----\n" + CANARY}),
        "preflight",
        "configmap/settings",
        "private key",
    ),
    (
        "secret-in-environment",
        put(f"{APP}.env", [{"name": "API_KEY", "value": CANARY}]),
        "warning",
        "deployment/web",
        "API_KEY",
    ),
    (
        "secret-encoding",
        add("secret", body("Secret", "made", data={"key": 5})),
        "error",
        "secret/made",
        "'key' is not a base64",
    ),
    ("secret-empty", secret(key=" "), "error", "secret/made", "'key' is empty"),
    ("secret-whitespace", secret(key=f"{CANARY}\n"), "error", "secret/made", "begins or ends"),
    ("secret-weak", secret(password=CANARY), "warning", "secret/made", "shorter than 24"),
    (
        "secret-weak",
        add("secret", body("Secret", "made", data={"password": BASE64})),
        "warning",
        "secret/made",
        "well-known",
    ),
    (
        "dependencies",
        both(
            put("web.spec.template.metadata.annotations", {"bakery-ia.dev/waits-for": "oncee"}),
            put(f"{POD}.initContainers", [{**app(clean()), "name": "wait-for-oncee"}]),
        ),
        "error",
        "graph",
        "did you mean 'once'?",
    ),
]


def test_the_clean_render_has_no_finding_even_for_production():
    assert judge(clean(), strict=True).findings == ()
    assert judge(clean()).passed


@pytest.mark.parametrize(
    ("rule", "change", "severity", "subject", "part"),
    CASES,
    ids=lambda value: "" if callable(value) else str(value)[:40],
)
def test_each_mistake_is_found_and_named(rule, change, severity, subject, part):
    bodies = clean()
    change(bodies)
    if not subject:  # a shape so wrong that loading refuses it already
        with pytest.raises(UsageError):
            judge(bodies)
        return
    report = judge(bodies)
    found = [each for each in report.findings if each.rule == rule and each.subject == subject]
    assert len(found) >= 1, report.findings
    assert part in found[0].message
    assert found[0].severity.value == severity
    assert found[0].source.startswith("render")
    assert CANARY not in repr(report)
    assert CANARY not in repr(rows(report))


@pytest.mark.parametrize(
    "change",
    [
        put(f"{APP}.image", "bakery/web:latest"),
        put("settings.data", {"MODE": "x", "DB_PASSWORD": CANARY}),
        put(f"{APP}.env", [{"name": "API_KEY", "value": CANARY}]),
        secret(password=CANARY),
        put("extra", body("ClusterRole", "x", "rbac.authorization.k8s.io/v1", rules=[])),
    ],
)
def test_production_refuses_what_elsewhere_is_a_warning(change):
    bodies = clean()
    change(bodies)
    assert judge(bodies).passed
    assert not judge(bodies, strict=True).passed


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (put("service.spec.selector", STRANGE), UsageError),
        (put("extra", {**body("ConfigMap", "x"), "metadata": {"name": "x", "namespace": "default"}}), TargetRefused),
        (put(f"{POD}.hostNetwork", True), PreflightRefused),
    ],
)
def test_what_blocks_is_raised_with_the_exit_code_of_its_kind_and_all_of_it(change, error):
    bodies = clean()
    change(bodies)
    with pytest.raises(error) as caught:
        require(judge(bodies))
    assert caught.value.details


@pytest.mark.parametrize(
    ("namespace", "rule", "says"),
    [
        ("staging", "unused-namespace", "no object goes to the namespace staging: each names its own (shop)"),
        ("kube-system", "protected-namespace", "the namespace kube-system belongs to the cluster"),
    ],
)
def test_a_namespace_that_the_render_does_not_use_is_refused(namespace, rule, says):
    """B24: an overlay with a namespace of its own was deployed there, and only our records to the one named."""
    bodies = clean()
    for each in bodies.values():
        if each["kind"] != "Namespace":
            each["metadata"]["namespace"] = "shop"
    manifests = load("\n---\n".join(map(json.dumps, bodies.values())), "render", namespace=namespace)
    (found,) = check(manifests, namespace=namespace, strict=False).findings
    assert (found.rule, found.severity, found.message) == (rule, Severity.REFUSED, says)


@pytest.mark.parametrize(("strict", "severity"), [(False, Severity.WARNING), (True, Severity.PREFLIGHT)])
def test_permissions_in_a_namespace_of_the_clusters_own_are_what_operators_bring(strict, severity):
    """cert-manager elects its leader in kube-system; a ClusterRoleBinding, which gives more, is not refused either."""
    rbac = "rbac.authorization.k8s.io/v1"
    role = body("Role", "leader", rbac, labels={"app": "operator"}, rules=[])
    role["metadata"]["namespace"] = "kube-system"
    (found,) = [
        each for each in judge(clean() | {"role": role}, strict=strict).findings if each.subject == "role/leader"
    ]
    assert (found.rule, found.severity) == ("cluster-scoped", severity)
    assert "permissions in the namespace kube-system" in found.message
    role["metadata"]["labels"] = LABELS
    (found,) = judge(clean() | {"role": role}).findings
    assert (found.rule, found.severity) == ("protected-namespace", Severity.REFUSED)


def test_what_is_no_longer_served_is_to_be_written_in_the_newest_stable_version():
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    scaler = body("HorizontalPodAutoscaler", "x", "autoscaling/v2beta2", spec={"scaleTargetRef": target})
    found = next(each for each in judge(clean() | {"x": scaler}).findings if each.rule == "api-version")
    assert found.remedy == "write apiVersion: autoscaling/v2"


def test_an_object_that_names_the_clusters_namespace_itself_is_not_moved_by_the_flag():
    bodies = clean()
    put("settings.metadata.namespace", "default")(bodies)
    found = next(each for each in judge(bodies).findings if each.rule == "protected-namespace")
    assert "it names that namespace itself" in found.remedy


def test_a_render_of_the_whole_cluster_uses_no_namespace_and_needs_none():
    manifests = load(json.dumps(body("PriorityClass", "high", "scheduling.k8s.io/v1", value=1)), "r", namespace="shop")
    assert check(manifests, namespace="shop", strict=False).findings == ()


def test_a_report_that_passed_raises_nothing():
    require(judge(clean()))


def test_a_strangers_dangling_reference_is_a_warning_because_the_cluster_may_have_it():
    bodies = clean()
    for each in bodies.values():
        each["metadata"]["labels"] = {}
    put(f"{POD}.volumes.0", {"name": "tmp", "configMap": {"name": "theirs"}})(bodies)
    (found,) = judge(bodies).findings
    assert (found.rule, found.severity) == ("dangling-reference", Severity.WARNING)


def test_a_secret_that_is_no_text_may_end_in_any_byte():
    bodies = clean()
    keystore = base64.b64encode(bytes([0xFE, 0xED, 0x00, 0xFF, 0x0A])).decode()
    bodies["keystore"] = body("Secret", "keystore", data={"store.jks": keystore})
    assert judge(bodies).findings == ()


def test_custom_kinds_are_not_judged_by_schemas_nobody_has():
    bodies = clean()
    bodies["custom"] = body("Backup", "x", "example.org/v1", anything={"goes": [1, "two"]})
    assert judge(bodies).findings == ()


def test_everything_is_reported_at_once_worst_first():
    bodies = clean()
    both(put(f"{APP}.image", "bakery/web"), put("service.spec.selector", STRANGE), put(f"{POD}.hostPID", True))(bodies)
    severities = [each.severity for each in judge(bodies).findings]
    assert severities == [Severity.USAGE, Severity.PREFLIGHT, Severity.WARNING]


def test_four_hundred_clean_documents_have_no_finding():
    bodies = {}
    for number in range(80):
        for key, each in clean().items():
            if key != "namespace":
                each["metadata"]["name"] += f"-{number}"
                bodies[f"{key}{number}"] = each
        app({"web": bodies[f"web{number}"]})["env"][0]["valueFrom"]["configMapKeyRef"]["name"] = f"settings-{number}"
        job = bodies[f"job{number}"]["spec"]["template"]["spec"]["containers"][0]
        job["env"][0]["valueFrom"]["configMapKeyRef"]["name"] = f"settings-{number}"
    manifests = load("\n---\n".join(map(json.dumps, bodies.values())), "render", namespace="shop")
    assert check(manifests, namespace="shop", strict=True).findings == ()


def test_a_recorded_secret_is_believed_about_its_keys():
    """A rollback is judged as a render is; of its Secrets only the cluster has the keys."""
    bodies = clean()
    bodies["login"] = body("Secret", "login", stringData={"password": CANARY})
    app(bodies)["env"].append({"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "login", "key": "password"}}})
    text = "\n---\n".join(json.dumps(each) for each in bodies.values())
    kept = read(recorded(load(text, "test", namespace="shop")), "release 1")
    require(check(kept, namespace="shop", strict=True))


def test_a_service_may_stand_before_a_replication_controller():
    """The oldest kind that makes pods: its selector is plain labels."""
    bodies = clean()
    template = bodies["web"]["spec"]["template"]
    bodies["web"] = body("ReplicationController", "web", spec={"selector": LABELS, "template": template})
    assert judge(bodies).findings == ()


def test_a_strangers_secret_may_have_an_empty_key_or_a_line_break_at_its_end():
    """Grafana's chart renders `ldap-toml: ""`, and many a file has one line. Ours are read as passwords."""
    stranger = body("Secret", "made", labels={"app": "x"}, stringData={"ldap-toml": "", "file": "one line\n"})
    report = judge({**clean(), "secret": stranger})
    assert {(one.rule, one.severity) for one in report.findings} == {
        ("secret-empty", Severity.WARNING),
        ("secret-whitespace", Severity.WARNING),
    }

"""The graph from manifests: what waits for what, and which mistakes are named."""

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from bakery_ops.errors import UsageError
from bakery_ops.model.builder import build, build_graph
from bakery_ops.model.contract import Stage
from bakery_ops.model.documents import load
from bakery_ops.model.graph import find_cycle

STRANGERS = Path(__file__).parents[2] / "strangers"


def manifests(*bodies, namespace="shop"):
    return load("\n---\n".join(json.dumps(body) for body in bodies), "render", namespace=namespace)


def body(kind, name, api="v1", labels=None, annotations=None, namespace=None, **more):
    metadata = {"name": name, "labels": labels, "annotations": annotations, "namespace": namespace}
    return {"apiVersion": api, "kind": kind, "metadata": {k: v for k, v in metadata.items() if v}, **more}


def pods(
    kind,
    name,
    *,
    labels=None,
    annotations=None,
    pod_annotations=None,
    spec=None,
    image="image",
    namespace=None,
    **container,
):
    api = {"Job": "batch/v1", "Pod": "v1"}.get(kind, "apps/v1")
    own = {"app": name, **(labels or {})}
    containers = [{"name": "main", "image": image, **container}]
    template = {
        "metadata": {"labels": own, "annotations": pod_annotations or {}},
        "spec": {"containers": containers, **(spec or {})},
    }
    return body(kind, name, api, labels, annotations, namespace, spec={"template": template})


def service(name, selector=None, namespace=None):
    return body("Service", name, namespace=namespace, spec={"selector": selector or {"app": name}})


def ours(kind, name, owner, component, *waits, **more):
    labels = {
        "app.kubernetes.io/name": owner,
        "app.kubernetes.io/component": component,
        "app.kubernetes.io/part-of": "bakery-ia",
    }
    inits = [{"name": f"wait-for-{wait}", "image": "i"} for wait in waits]
    notes = {"bakery-ia.dev/waits-for": ", ".join(waits)} if waits else {}
    return pods(kind, name, labels=labels, pod_annotations=notes, spec={"initContainers": inits}, **more)


def test_waits_mean_the_node_of_that_name_or_the_services_own():
    graph = build_graph(
        manifests(
            ours("StatefulSet", "redis", "redis", "infrastructure"),
            ours("StatefulSet", "auth-db", "auth", "database"),
            ours("StatefulSet", "orders-db", "orders", "database"),
            ours("Job", "auth-migration", "auth", "migration", "db"),
            ours("Deployment", "auth-service", "auth", "microservice", "redis", "db", "migration"),
            ours("Job", "seed-users", "seed-users", "seed-job", "auth-service"),
        )
    )
    assert graph["auth-migration"].needs == {"auth-db"}
    assert graph["auth-service"].waits == {"redis": "redis", "db": "auth-db", "migration": "auth-migration"}
    assert graph["auth-service"].needs == {"redis", "auth-db", "auth-migration"}
    assert graph["seed-users"].needs == {"auth-service"}
    assert [node.stage for node in graph.values()] == [
        Stage.INFRASTRUCTURE, Stage.DATABASE, Stage.DATABASE, Stage.MIGRATION, Stage.MICROSERVICE, Stage.SEED,
    ]  # fmt: skip


def test_all_mistakes_are_reported_at_once_with_the_nearest_match():
    with pytest.raises(UsageError) as caught:
        build_graph(
            manifests(
                ours("StatefulSet", "redis", "redis", "infrastructure"),
                ours("Deployment", "a", "a", "microservice", "rediss"),
                ours("Deployment", "b", "b", "microservice", "b"),
                ours("Deployment", "c", "c", "microservice", "d"),
                ours("Deployment", "d", "d", "microservice", "e"),
                ours("Deployment", "e", "e", "microservice", "c"),
            )
        )
    first, second, third = caught.value.details
    assert (
        first == "deployment/a (render:3) waits for 'rediss', which is no object of this render; did you mean 'redis'?"
    )
    assert second == "deployment/b (render:5) waits for itself"
    assert third == "a cycle: c needs d needs e needs c"
    assert caught.value.exit_code == 64


def test_every_cycle_is_named_once():
    _, problems, _ = build(
        manifests(
            *(ours("Deployment", f"{pair}{n}", "x", "microservice", f"{pair}{1 - n}") for pair in "abc" for n in (0, 1))
        )
    )
    assert len(problems) == 3


def test_a_strangers_wait_for_something_outside_is_only_a_remark():
    built = build(
        manifests(pods("Deployment", "web", spec={"initContainers": [{"name": "wait-for-rds", "image": "i"}]}))
    )
    assert not built.problems
    assert "waits for 'rds'" in built.notes[0]


def test_a_wait_may_name_a_service_and_means_the_workload_behind_it():
    init = {"initContainers": [{"name": "wait-for-database", "image": "i"}]}
    graph = build_graph(
        manifests(pods("StatefulSet", "pg"), service("database", {"app": "pg"}), pods("Deployment", "web", spec=init))
    )
    assert graph["web"].waits == {"database": "pg"}


def test_names_are_short_until_two_objects_claim_one():
    graph = build_graph(
        manifests(
            pods("Deployment", "web"),
            pods("StatefulSet", "web"),
            pods("Deployment", "api", namespace="one"),
            pods("Deployment", "api", namespace="two"),
            service("web"),
            body("Service", "web", "serving.knative.dev/v1"),
            body("ConfigMap", "web"),
        )
    )
    assert set(graph) == {
        "deployment/web",
        "statefulset/web",
        "deployment.apps/one/api",
        "deployment.apps/two/api",
        "service/shop/web",
        "service.serving.knative.dev/web",
        "configmap/web",
    }


def test_what_is_referred_to_is_applied_first():
    spec = {
        "serviceAccountName": "account",
        "priorityClassName": "high",
        "runtimeClassName": "gvisor",
        "imagePullSecrets": [{"name": "registry"}],
        "volumes": [
            {"name": "a", "configMap": {"name": "files"}},
            {"name": "b", "secret": {"secretName": "keys"}},
            {"name": "c", "persistentVolumeClaim": {"claimName": "data"}},
            {"name": "d", "projected": {"sources": [{"configMap": {"name": "more"}}, {"secret": {"name": "token"}}]}},
        ],
    }
    env = [
        {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "a"}}},
        {"name": "B", "valueFrom": {"secretKeyRef": {"name": "password", "key": "b"}}},
    ]
    env_from = [{"configMapRef": {"name": "all"}}, {"secretRef": {"name": "hidden"}}]
    core = [("ConfigMap", name) for name in ("files", "more", "settings", "all")]
    core += [("Secret", name) for name in ("registry", "keys", "token", "password", "hidden")]
    core += [
        ("PersistentVolumeClaim", "data"),
        ("ServiceAccount", "account"),
        ("ResourceQuota", "q"),
        ("LimitRange", "l"),
    ]
    graph = build_graph(
        manifests(
            pods("Deployment", "web", spec=spec, env=env, envFrom=env_from),
            *(body(kind, name) for kind, name in core),
            body("PriorityClass", "high", "scheduling.k8s.io/v1"),
            body("RuntimeClass", "gvisor", "node.k8s.io/v1"),
            body("ConfigMap", "unrelated"),
        )
    )
    expected = {f"{kind.lower()}/{name}" for kind, name in core} | {"priorityclass/high", "runtimeclass/gvisor"}
    assert graph["web"].after == expected
    assert graph["web"].needs == frozenset()
    assert graph["web"].relies == {"persistentvolumeclaim/data"}


def test_services_budgets_autoscalers_and_ingresses_rely_on_what_is_behind_them():
    target = {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}}
    paths = [{"backend": {"service": {"name": "web"}}}]
    graph = build_graph(
        manifests(
            pods("Deployment", "web"),
            service("web"),
            body("HorizontalPodAutoscaler", "web", "autoscaling/v2", spec=target),
            body("PodDisruptionBudget", "web", "policy/v1", spec={"selector": {"matchLabels": {"app": "web"}}}),
            body("Ingress", "web", "networking.k8s.io/v1", spec={"rules": [{"http": {"paths": paths}}]}),
            body("NetworkPolicy", "web", "networking.k8s.io/v1", spec={"podSelector": {}}),
        )
    )
    assert graph["service/web"].relies == {"web"}
    assert graph["poddisruptionbudget/web"].relies == {"web"}
    assert graph["ingress/web"].relies == {"service/web", "web"}
    assert graph["ingress/web"].stage is Stage.EDGE
    assert graph["horizontalpodautoscaler/web"].after == {"web"}
    assert graph["horizontalpodautoscaler/web"].stage is Stage.MICROSERVICE
    assert graph["web"].after == {"networkpolicy/web"}


def stranger(*files, namespace="shop"):
    text = "".join(f"---\n# Source: {file}\n{(STRANGERS / file).read_text()}" for file in files)
    return build_graph(load(text, "stranger", namespace=namespace))


def test_a_blog_waits_for_the_database_its_settings_name():
    graph = stranger("blog/blog.yaml", "blog/mysql.yml")
    assert graph["blog"].needs == {"blog-mysql"}
    assert graph["blog-mysql"].needs == frozenset()
    assert graph["blog"].after == {"secret/mysql-pass", "persistentvolumeclaim/blog-files"}


def polls():
    base = STRANGERS / "polls" / "base"
    kustomization = yaml.safe_load((base / "kustomization.yaml").read_text())
    generated = [
        body(kind, source["name"], **{field: dict(pair.split("=", 1) for pair in source["literals"])})
        for key, kind, field in (
            ("configMapGenerator", "ConfigMap", "data"),
            ("secretGenerator", "Secret", "stringData"),
        )
        for source in kustomization[key]
    ]
    files = [(base / name).read_text() for name in kustomization["resources"]]
    return load("\n---\n".join([*files, *map(json.dumps, generated)]), "polls", namespace="polls")


def test_jobs_find_their_place_by_what_they_name_and_what_they_run():
    graph = build_graph(polls())
    assert graph["migrate"].needs == {"pg"}
    assert graph["web"].needs == {"pg", "redis", "migrate"}
    assert graph["sample-polls"].needs == {"web"}
    assert graph["worker"].needs == {"redis"}
    assert (graph["migrate"].stage, graph["sample-polls"].stage) == (Stage.MIGRATION, Stage.SEED)


def test_secret_values_that_name_a_service_are_used_and_never_kept():
    """What names a service in a circle is told, so a note comes from the same values."""
    addresses = {"PEER": "http://polls:not-a-real-password@a:80/"}
    secret = body("Secret", "peers", stringData=addresses)
    a, b = (pods("Deployment", name, envFrom=[{"secretRef": {"name": "peers"}}]) for name in "ab")
    a["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "OTHER_HOST", "value": "b"}]
    built = build(manifests(secret, service("a"), service("b"), a, b))
    assert built.graph["a"].needs == {"b"}
    assert built.notes == ("b names 'a', but waiting for it would close a cycle",)
    assert built.problems == ()


def test_an_operator_with_its_kind_and_webhook_is_ordered():
    graph = stranger("operator/everything.yaml")
    assert graph["backup/nightly"].needs == {"namespace/backups", "customresourcedefinition/backups.example.org"}
    assert graph["validatingwebhookconfiguration/backups"].needs == {"backup-operator"}
    assert graph["validatingwebhookconfiguration/backups"].stage is Stage.MONITORING
    assert graph["clusterrolebinding/backup-operator"].after == {
        "clusterrole/backup-operator",
        "serviceaccount/backup-operator",
    }
    assert graph["backup-operator"].after >= {
        "clusterrolebinding/backup-operator",
        "serviceaccount/backup-operator",
        "priorityclass/backups",
    }
    assert graph["backup-agent"].needs == {"namespace/backups", "backup-operator"}
    assert graph["report"].needs == {"namespace/backups"}


def test_what_mounts_a_secret_that_a_job_of_the_set_makes_waits_for_that_job():
    """Permissions and words tell which: nothing of the set holds the Secret."""
    graph = stranger("signer/gate.yaml", namespace="signer")
    assert graph["gate"].needs == {"gate-sign"}
    assert not graph["gate-enroll"].needs


def test_a_claim_comes_after_the_volumes_of_its_class():
    graph = stranger("signer/gate.yaml", namespace="signer")
    assert "persistentvolume/signer-audit" in graph["persistentvolumeclaim/audit"].after


def hooked(name, hook, kind="Job", weight="0", tool="helm.sh/hook", **more):
    return pods(kind, name, image=name, annotations={tool: hook, "helm.sh/hook-weight": weight}, **more)


def test_hooks_run_before_all_workloads_or_when_they_are_applied_in_the_order_of_their_weights():
    graph = build_graph(
        manifests(
            hooked("second", "pre-install,pre-upgrade", weight="1"),
            hooked("first", "pre-install", weight="-5"),
            hooked("last", "post-install"),
            hooked("any", "post-install,pre-upgrade"),
            pods("Deployment", "web"),
            pods("StatefulSet", "db"),
        )
    )
    assert graph["second"].needs == {"first"}
    assert graph["web"].needs == graph["db"].needs == {"second"}
    assert (graph["last"].needs, graph["last"].after) == (set(), {"web", "db", "any"})


def test_argo_cds_hooks_wait_until_all_is_ready():
    argo = "argocd.argoproj.io/hook"
    ready, before = hooked("smoke", "PostSync", tool=argo), hooked("migrate", "PreSync", tool=argo)
    graph = build_graph(manifests(ready, before, pods("Deployment", "web")))
    assert (graph["smoke"].needs, graph["web"].needs) == ({"web"}, {"migrate"})
    late = pods("Deployment", "late", annotations={"argocd.argoproj.io/sync-wave": "2"})
    graph = build_graph(manifests(ready, before, pods("Deployment", "web"), late))
    assert (graph["smoke"].needs, graph["late"].needs) == ({"late", "web"}, {"web", "migrate"})


def test_a_hook_that_uses_a_workload_of_the_set_does_not_keep_that_one_waiting():
    job = hooked("prepare", "pre-install", env=[{"name": "DB_HOST", "value": "db"}])
    graph = build_graph(manifests(job, pods("Deployment", "db"), service("db"), pods("Deployment", "web")))
    assert (graph["prepare"].needs, graph["db"].needs, graph["web"].needs) == ({"db"}, set(), {"prepare"})


def claimant(name="web", **more):
    volume = {"name": "v", "secret": {"secretName": "web-tls"}}
    return pods("Deployment", name, spec={"volumes": [volume], **more})


def grant(verbs, *, kind="ClusterRole", role="operator", account="operator"):
    rules = [{"apiGroups": [""], "resources": ["secrets", "pods"], "verbs": verbs}]
    api, ref = "rbac.authorization.k8s.io/v1", {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role}
    subjects = [{"kind": "ServiceAccount", "name": account, "namespace": "shop"}]
    return body(kind, role, api, rules=rules), body(f"{kind}Binding", role, api, roleRef=ref, subjects=subjects)


def operator(kind="Deployment", account="operator", **more):
    return pods(kind, "operator", image="operator", spec={"serviceAccountName": account}, **more)


@pytest.mark.parametrize(
    ("others", "needs"),
    [
        ((body("Certificate", "web", "cert-manager.io/v1", spec={"secretName": "web-tls"}),), {"certificate/web"}),
        ((body("SealedSecret", "web-tls", "bitnami.com/v1alpha1", spec={}),), {"sealedsecret/web-tls"}),
        ((body("Certificate", "web", "cert-manager.io/v1", namespace="far", spec={"secretName": "web-tls"}),), set()),
        ((*grant(["get", "create"]), operator()), {"operator"}),
        ((*grant(["*"], kind="Role"), operator()), {"operator"}),
        ((*grant(["get", "list"]), operator()), set()),
        ((*grant(["create"]), operator(account="somebody")), set()),
        # What mounts it itself cannot start without it.
        ((*grant(["create"]), claimant("twin", serviceAccountName="operator")), set()),
        # What is there needs nobody.
        ((*grant(["create"]), operator("Job"), body("Secret", "web-tls")), set()),
    ],
)  # fmt: skip
def test_a_secret_that_comes_later_is_waited_for_where_it_can_come_from(others, needs):
    graph = build_graph(manifests(claimant(), *others))
    assert graph["web"].needs == needs


def test_a_maker_that_itself_waits_is_not_waited_for():
    waiting = operator(env=[{"name": "WEB_HOST", "value": "web"}])
    graph = build_graph(manifests(claimant(), service("web"), waiting, *grant(["create"])))
    assert (graph["web"].needs, graph["operator"].needs) == (set(), {"web"})


@pytest.mark.parametrize(
    "container",
    [
        {"env": [{"name": "DATABASE_URL", "value": "postgres://u:p@db:5432/x"}]},
        {"env": [{"name": "X", "value": "amqp://db/vhost"}]},
        {"env": [{"name": "KAFKA_BROKERS", "value": "other:9092,db-0.db:9092"}]},
        {"env": [{"name": "DB_HOST", "value": "db"}]},
        {"env": [{"name": "DB_HOST", "value": "db.shop.svc.cluster.local"}]},
        {"env": [{"name": "HOSTS", "value": "cache, db"}]},
        {"args": ["--listen=:80", "--db-host=db"]},
        {"command": ["sh", "-c", "exec app --dsn 'user:pass@tcp(db:3306)/x'"]},
    ],
)
def test_a_host_is_recognized_where_a_host_stands(container):
    graph = build_graph(manifests(pods("StatefulSet", "db"), service("db"), pods("Deployment", "web", **container)))
    assert graph["web"].needs == {"db"}


@pytest.mark.parametrize(
    "container",
    [
        {"env": [{"name": "DB_NAME", "value": "db"}]},
        {"env": [{"name": "DATABASE_USER", "value": "db"}]},
        {"env": [{"name": "MODE", "value": "db"}]},
        {"env": [{"name": "DB_HOST", "value": "db.example.com"}]},
        {"env": [{"name": "DB_HOST", "value": "db.other.svc.cluster.local"}]},
        {"env": [{"name": "DATABASE_URL", "value": "postgres://db:secret@elsewhere:5432/db"}]},
        {"args": ["db", "--verbose"]},
        {"image": "registry/db:1"},
    ],
)
def test_a_word_that_is_no_host_makes_no_dependency(container):
    graph = build_graph(manifests(pods("StatefulSet", "db"), service("db"), pods("Deployment", "web", **container)))
    assert graph["web"].needs == frozenset()


def test_a_guess_never_closes_a_cycle_and_says_so():
    built = build(
        manifests(
            pods("Deployment", "a", env=[{"name": "B_URL", "value": "http://b"}]),
            pods("Deployment", "b", env=[{"name": "A_URL", "value": "http://a"}]),
            service("a"),
            service("b"),
        )
    )
    assert not built.problems
    assert built.graph["a"].needs == {"b"}
    assert built.graph["b"].needs == frozenset()
    assert built.notes == ("b names 'a', but waiting for it would close a cycle",)


def test_a_job_that_calls_the_service_it_shares_an_image_with_runs_after_it():
    graph = build_graph(
        manifests(
            pods("Deployment", "web", image="app:1"),
            service("web"),
            pods("Job", "fill", image="app:1", args=["http://web"]),
        )
    )
    assert graph["fill"].needs == {"web"}
    assert graph["web"].needs == frozenset()


def test_depends_on_of_other_tools_is_honoured_and_checked():
    note = {"config.kubernetes.io/depends-on": "apps/namespaces/shop/StatefulSet/db, /Namespace/shop"}
    graph = build_graph(
        manifests(pods("StatefulSet", "db"), pods("Deployment", "web", annotations=note), body("Namespace", "shop"))
    )
    assert graph["web"].needs == {"db", "namespace/shop"}
    wrong = {"config.kubernetes.io/depends-on": "apps/namespaces/shop/StatefulSet/absent, nonsense"}
    assert len(build(manifests(pods("Deployment", "web", annotations=wrong))).problems) == 2


def test_sync_waves_order_objects():
    waves = [("Deployment", "late", "5"), ("Deployment", "early", "-1"), ("Deployment", "middle", None)]
    graph = build_graph(
        manifests(
            *(
                pods(kind, name, annotations={"argocd.argoproj.io/sync-wave": wave} if wave else None)
                for kind, name, wave in waves
            )
        )
    )
    assert graph["middle"].needs == {"early"}
    assert graph["late"].needs == {"middle"}


def test_nothing_belongs_to_an_earlier_stage_than_what_it_needs():
    graph = build_graph(
        manifests(
            pods("Deployment", "api"),
            service("api"),
            pods("StatefulSet", "late", env=[{"name": "API_URL", "value": "http://api"}]),
        )
    )
    assert graph["late"].stage is Stage.MICROSERVICE


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=25))
def test_guessed_edges_never_make_a_cycle_and_stages_follow_needs(pairs):
    env = [[] for _ in range(8)]
    for source, target in pairs:
        env[source].append({"name": f"X{len(env[source])}", "value": f"http://s{target}:80"})
    kinds = ["Deployment", "StatefulSet", "Job", "DaemonSet"]
    workloads = [pods(kinds[n % 4], f"s{n}", env=env[n]) for n in range(8)]
    graph = build_graph(manifests(*workloads, *(service(f"s{n}") for n in range(8))))
    assert find_cycle({node.name: node.needs | node.after for node in graph.values()}) == ()
    for node in graph.values():
        assert all(graph[name].stage.order <= node.stage.order for name in node.needs)


def test_five_thousand_objects_in_a_chain_are_built():
    chain = [
        pods("Deployment", f"s{n}", env=[{"name": "NEXT_URL", "value": f"http://s{n + 1}"}] if n < 1249 else [])
        for n in range(1250)
    ]
    rest = [body("ConfigMap", f"c{n}") for n in range(2500)]
    graph = build_graph(manifests(*chain, *(service(f"s{n}") for n in range(1250)), *rest))
    assert len(graph) == 5000
    assert graph["s0"].needs == {"s1"}


@pytest.mark.parametrize(("api", "kind"), [("batch.volcano.sh/v1alpha1", "Job"), ("kruise.io/v1", "StatefulSet")])
def test_a_custom_kind_that_goes_by_a_name_of_kubernetes_is_no_workload(api, kind):
    """Its spec has a shape of its own, and it is never deleted to be run again."""
    spec = {"template": ["a"], "replicas": "lots"}
    graph = build_graph(manifests(body(kind, "train", api, spec=spec), pods("Deployment", "train")))
    custom = graph[f"{kind.lower()}/train"]
    assert (custom.is_workload, custom.ref.is_job, custom.stage) == (False, False, Stage.FOUNDATION)
    assert [node.name for node in graph.workloads()] == ["train"]

"""Input that only the cluster can find wrong: everything that is wrong in one report, and nothing changed."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from bakery_ops.sandbox.lifecycle import SandboxStatus
from tests.commands import invoke, kubectl

WEB = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web, tier: front}}
    spec:
      containers:
      - {name: web, image: "example.org/web:1", readinessProbe: {httpGet: {path: /, port: 80}}}
"""
LOGIN = """\
apiVersion: v1
kind: Secret
metadata: {name: login}
stringData: {password: not-a-real-password}
"""


def settings(number: int) -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: settings-{number}}}\ndata: {{a: b}}\n"


class Place:
    """A namespace of its own, and the manifests that are deployed to it."""

    def __init__(self, cluster: SandboxStatus, folder: Path) -> None:
        self.cluster, self.folder, self.namespace = cluster, folder, f"bad-{uuid4().hex[:8]}"

    def deploy(
        self, *objects: str, flags: tuple[str, ...] = (), **environment: str
    ) -> subprocess.CompletedProcess[str]:
        (self.folder / "all.yaml").write_text("---\n".join(objects))
        words = ("--overlay", str(self.folder), "--namespace", self.namespace, "--context", self.cluster.context)
        return invoke("deploy", *words, *flags, env=environment)

    def uids(self) -> dict[str, str]:
        """kind/name and UID of everything that a deploy may write here, its own records apart."""
        kinds = "deployments,services,configmaps,secrets"
        text = kubectl(self.cluster.kubeconfig, "get", kinds, "--namespace", self.namespace, "--output", "json")
        items = [
            item for item in json.loads(text)["items"] if not item["metadata"]["name"].startswith(("kube", "bakery"))
        ]
        return {f"{item['kind']}/{item['metadata']['name']}": item["metadata"]["uid"] for item in items}

    def kubectl(self, *words: str) -> str:
        return kubectl(self.cluster.kubeconfig, "--namespace", self.namespace, *words)

    def version(self, name: str) -> str:
        return self.kubectl("get", "configmap", name, "--output", "jsonpath={.metadata.resourceVersion}")

    def exists(self) -> bool:
        return self.namespace in kubectl(self.cluster.kubeconfig, "get", "namespaces", "--output", "name")


@pytest.fixture
def place(simulated_cluster: SandboxStatus, tmp_path: Path) -> Iterator[Place]:
    made = Place(simulated_cluster, tmp_path)
    yield made
    kubectl(simulated_cluster.kubeconfig, "delete", "namespace", made.namespace, "--ignore-not-found", "--wait=false")


def test_an_immutable_field_is_refused_unless_the_object_is_named_to_be_recreated(place: Place) -> None:
    """B17"""
    assert place.deploy(WEB, settings(1)).returncode == 0
    before = place.uids()
    changed = (WEB.replace("matchLabels: {app: web}", "matchLabels: {tier: front}"), settings(1))
    refused = place.deploy(*changed)
    assert refused.returncode == 4
    assert "deployment/web: Invalid" in refused.stderr
    assert "immutable" in refused.stderr
    assert "--recreate" in refused.stderr
    assert place.uids() == before
    recreated = place.deploy(*changed, flags=("--recreate", "web"))
    assert recreated.returncode == 0, recreated.stdout + recreated.stderr
    after = place.uids()
    assert {name for name in before if after[name] != before[name]} == {"Deployment/web"}


def test_everything_that_the_server_would_refuse_is_in_one_report(place: Place) -> None:
    """F23"""
    assert place.deploy(settings(1)).returncode == 0
    before = place.uids()
    external = "apiVersion: v1\nkind: Service\nmetadata: {name: out}\nspec: {type: ExternalName}\n"
    address = "apiVersion: v1\nkind: Service\nmetadata: {name: low}\nspec: {clusterIP: banana, ports: [{port: 80}]}\n"
    refused = place.deploy(settings(1), settings(2), external, address)
    assert (refused.returncode, "would refuse 2 of 3 objects" in refused.stderr) == (4, True), refused.stderr
    assert "service/out: Invalid" in refused.stderr
    assert "service/low: Invalid" in refused.stderr
    assert place.uids() == before


def test_a_refusal_tells_of_the_namespace_that_it_leaves_behind(place: Place) -> None:
    """F23: without the namespace the server would answer 404 to every dry run, and to the lock."""
    external = "apiVersion: v1\nkind: Service\nmetadata: {name: out}\nspec: {type: ExternalName}\n"
    refused = place.deploy(settings(1), external)
    assert (refused.returncode, place.exists(), place.uids()) == (4, True, {})
    assert f"created on the way and kept: namespace {place.namespace}" in refused.stderr, refused.stderr
    again = place.deploy(settings(1), external)
    assert (again.returncode, "created on the way" in again.stderr) == (4, False), again.stderr
    assert all("nothing was changed" not in each.stderr for each in (refused, again))


DEFINITION = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: ovens.NAME.example}
spec:
  group: NAME.example
  scope: Namespaced
  names: {kind: Oven, plural: ovens}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            x-kubernetes-validations: [{rule: "self.low <= self.high", message: low must not exceed high}]
            properties: {low: {type: integer}, high: {type: integer, maximum: 300}}
"""


def oven(group: str, name: str, *, low: int, high: int, more: str = "") -> str:
    spec = f"{{low: {low}, high: {high}{more}}}"
    return f"apiVersion: {group}.example/v1\nkind: Oven\nmetadata: {{name: {name}}}\nspec: {spec}\n"


def test_what_a_definition_of_the_same_render_forbids_is_refused_before_all_but_the_definition(place: Place) -> None:
    """F23: and the same when a later render changes the definition."""
    group = place.namespace
    kind = DEFINITION.replace("NAME", group)
    refused = place.deploy(
        kind,
        settings(1),
        oven(group, "a", low=1, high=2),
        oven(group, "b", low=9, high=1),
        oven(group, "c", low=1, high=999),
    )
    assert (refused.returncode, place.uids()) == (4, {}), refused.stdout + refused.stderr
    assert "would refuse 2 of 3 custom resources; only their definitions were written" in refused.stderr
    assert "oven/b: Invalid" in refused.stderr
    assert "low must not exceed high" in refused.stderr
    assert "oven/c: Invalid" in refused.stderr
    mended = place.deploy(kind, settings(1), oven(group, "a", low=1, high=2))
    assert (mended.returncode, set(place.uids())) == (0, {"ConfigMap/settings-1"}), mended.stdout + mended.stderr
    wider = kind.replace("high: {type", "fuel: {type: string}, high: {type")
    grown = oven(group, "a", low=1, high=2, more=", fuel: wood")
    assert place.deploy(wider, settings(1), grown).returncode == 0
    text = kubectl(place.cluster.kubeconfig, "get", f"ovens.{group}.example", "a", "-n", place.namespace, "-o", "json")
    assert json.loads(text)["spec"]["fuel"] == "wood"
    kubectl(place.cluster.kubeconfig, "delete", "crd", f"ovens.{group}.example", "--wait=false")


def test_all_missing_kinds_are_named_and_not_even_the_namespace_is_made(place: Place) -> None:
    """B9"""
    strange = [
        f"apiVersion: {name}.example/v1\nkind: {name.title()}\nmetadata: {{name: x}}\n" for name in ("foo", "bar")
    ]
    refused = place.deploy(settings(1), *strange)
    assert (refused.returncode, place.exists()) == (4, False)
    assert "Foo.foo.example" in refused.stderr
    assert "Bar.bar.example" in refused.stderr


def test_a_setting_of_the_environment_that_is_no_number_is_refused_before_anything_is_made(place: Place) -> None:
    for name in ("BAKERY_LOCK_SECONDS", "BAKERY_RETRY_SECONDS"):
        refused = place.deploy(settings(1), **{name: "soon"})
        assert (refused.returncode, name in refused.stderr, place.exists()) == (64, True, False)


def test_a_render_that_lost_more_than_a_fifth_is_refused_until_it_is_allowed(place: Place) -> None:
    """B63"""
    assert place.deploy(*map(settings, range(4))).returncode == 0
    before = place.uids()
    refused = place.deploy(settings(0))
    assert (refused.returncode, "--allow-mass-prune" in refused.stderr) == (5, True), refused.stderr
    assert all(f"configmap/settings-{number}" in refused.stderr for number in (1, 2, 3))
    assert place.uids() == before
    both = place.deploy(settings(0), flags=("--allow-mass-prune", "--only", "configmap/settings-0"))
    assert (both.returncode, place.uids()) == (64, before)
    allowed = place.deploy(settings(0), flags=("--allow-mass-prune",))
    assert (allowed.returncode, set(place.uids())) == (0, {"ConfigMap/settings-0"}), allowed.stderr


def test_data_that_left_the_render_stays_until_its_kind_is_named(place: Place) -> None:
    """I2"""
    other, rest = LOGIN.replace("login", "other"), list(map(settings, range(5)))
    assert place.deploy(LOGIN, other, *rest).returncode == 0
    kept = place.deploy(other, *rest)
    assert (kept.returncode, "--prune-kind Secret" in kept.stdout) == (0, True), kept.stdout
    assert "Secret/login" in place.uids()
    named = place.deploy(other, *rest, flags=("--prune-kind", "Secret"))
    assert named.returncode == 0
    assert ("Secret/login" in place.uids(), "Secret/other" in place.uids()) == (False, True)


def test_what_a_finalizer_holds_is_never_called_gone(place: Place) -> None:
    rest = list(map(settings, range(5)))
    held = settings(9).replace("{name: settings-9}", "{name: settings-9, finalizers: [example.com/never]}")
    assert place.deploy(*rest, held).returncode == 0
    pruned = place.deploy(*rest)
    said = "left the render, and is still being deleted: waits for its finalizers example.com/never"
    assert (pruned.returncode, f"settings-9: {said}" in pruned.stdout) == (0, True), pruned.stdout
    before = place.version("settings-9")
    again = place.deploy(*rest)
    said = "it is being deleted already, and waits for its finalizers example.com/never"
    assert (again.returncode, said in again.stdout) == (0, True), again.stdout
    assert place.version("settings-9") == before
    place.kubectl("patch", "configmap", "settings-9", "--type=merge", "--patch", '{"metadata": {"finalizers": null}}')
    last = place.deploy(*rest)
    assert (last.returncode, "settings-9" in last.stdout) == (0, False), last.stdout


HOOK = """\
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: everything-in-NAME}
webhooks:
- name: all.example.com
  admissionReviewVersions: [v1]
  sideEffects: None
  timeoutSeconds: 2
  clientConfig: {service: {name: nobody, namespace: NAME, path: /}}
  namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: NAME}}
  rules: [{apiGroups: ["*"], apiVersions: ["*"], operations: ["*"], resources: [configmaps, leases]}]
"""


def test_an_owner_that_is_not_there_is_refused_before_the_cluster_deletes_what_it_owned(place: Place) -> None:
    """B65: as copied from another cluster; and an owner that is there is none of our business."""
    assert place.deploy(settings(0)).returncode == 0
    uid = place.uids()["ConfigMap/settings-0"]

    def owned(number: int, *uids: str) -> str:
        owners = [{"apiVersion": "v1", "kind": "ConfigMap", "name": "settings-0", "uid": each} for each in uids]
        return settings(number).replace("{name:", f"{{ownerReferences: {json.dumps(owners)}, name:")

    refused = place.deploy(settings(0), owned(1, str(uuid4())), owned(2, uid))
    assert (refused.returncode, set(place.uids())) == (4, {"ConfigMap/settings-0"}), refused.stdout
    assert "would delete 1 object at once" in refused.stderr
    assert "configmap/settings-1: owned by ConfigMap/settings-0 of UID" in refused.stderr
    assert place.deploy(settings(0), owned(2, uid)).returncode == 0
    assert set(place.uids()) == {"ConfigMap/settings-0", "ConfigMap/settings-2"}


def test_a_webhook_over_everything_that_is_down_is_one_cause(place: Place) -> None:
    """F24: it holds up the objects, the renewal of the lock and the journal, each of which would wait as long again.

    The objects come after a workload, so that the server knows the webhook by then.
    """
    hook, name = HOOK.replace("NAME", place.namespace), f"everything-in-{place.namespace}"
    needs = f"annotations: {{config.kubernetes.io/depends-on: apps/namespaces/{place.namespace}/Deployment/web}}"
    held = [settings(number).replace("{name:", f"{{{needs}, name:") for number in range(3)]
    ended = place.deploy(hook, WEB, *held, BAKERY_RETRY_SECONDS="12", BAKERY_LOCK_SECONDS="6")
    place.kubectl("delete", "validatingwebhookconfiguration", name)
    causes = re.findall(r"^(the API server refuses 3 objects|\S+ is down|\S+ has failed).*", ended.stdout, re.MULTILINE)
    assert (ended.returncode, causes) == (3, ["the API server refuses 3 objects"]), ended.stdout + ended.stderr
    assert 'failed calling webhook "all.example.com"' in ended.stdout

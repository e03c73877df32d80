"""What a destroy takes and what it leaves: the guards of promise I2, and the reverse of the start order."""

import itertools

import pytest
import yaml

from bakery_ops.model.contract import CONTENT_HASH, INVENTORY
from bakery_ops.model.documents import load
from bakery_ops.model.manifest import ObjectRef
from bakery_ops.model.secrets import GENERATED
from bakery_ops.rules.plan import PruneStep
from bakery_ops.rules.removal import Removal, Surroundings, removal

TEXT = """
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
---
apiVersion: v1
kind: Secret
metadata: {name: db-credentials}
---
apiVersion: v1
kind: Service
metadata: {name: db}
spec: {selector: {app: db}, ports: [{port: 5432}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: db, image: "db:1", envFrom: [{secretRef: {name: db-credentials}}]}]}
  volumeClaimTemplates: [{metadata: {name: data}}]
---
apiVersion: batch/v1
kind: Job
metadata: {name: migration}
spec:
  template:
    metadata: {labels: {app: migration}, annotations: {bakery-ia.dev/waits-for: db}}
    spec: {containers: [{name: m, image: "m:1"}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}, annotations: {bakery-ia.dev/waits-for: "db, migration"}}
    spec: {containers: [{name: web, image: "web:1", envFrom: [{configMapRef: {name: settings}}]}]}
"""
CLAIM = """
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data-db-0}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data-of-somebody-else}
"""
_uids = itertools.count(1)


def live_of(text, *, hashed=True):
    found = {}
    for manifest in load(text, "test", namespace="shop"):
        body = yaml.safe_load(yaml.safe_dump(manifest.body))
        annotations = {CONTENT_HASH: "h"} if hashed else {}
        body["metadata"] |= {"uid": f"uid-{next(_uids)}", "annotations": annotations}
        found[manifest.ref] = body
    return found


def around(live=None, inventory=None, **more):
    ours = live_of(TEXT)
    claims = live_of(CLAIM, hashed=False)
    seen = {**ours, **claims, **(live or {})}
    contents = [{"apiVersion": body["apiVersion"], **body} for ref, body in seen.items() if ref.kind != "Namespace"]
    contents = [item for item in contents if item["metadata"]["name"] != "data-of-somebody-else"]
    known = tuple(ours if inventory is None else inventory)
    return Surroundings(**{"inventory": known, "live": seen, "contents": {"shop": contents}} | more)


def going(decided):
    return [str(step.ref) for step in decided.doomed]


def staying(decided):
    return {str(step.ref): step.kept for step in decided.kept}


def ref_of(name, text=TEXT):
    return next(manifest.ref for manifest in load(text, "test", namespace="shop") if str(manifest.ref) == name)


def test_data_passwords_and_the_namespace_stay_without_volumes():
    decided = removal(around(), volumes=False)
    assert staying(decided) == dict.fromkeys(
        ["namespace/shop", "persistentvolumeclaim/data-db-0", "secret/db-credentials"], "goes only with --volumes"
    )
    assert not decided.takes_data


def test_with_volumes_all_of_it_goes_and_the_namespace_last():
    decided = removal(around(), volumes=True)
    assert staying(decided) == {}
    assert going(decided)[-3:] == ["persistentvolumeclaim/data-db-0", "secret/db-credentials", "namespace/shop"]
    assert decided.takes_data


def test_what_others_need_goes_after_them():
    waves = [{str(step.ref) for step in wave} for wave in removal(around(), volumes=False).waves]
    at = {name: position for position, wave in enumerate(waves) for name in wave}
    order = ["deployment/web", "job/migration", "statefulset/db", "service/db"]
    assert [at[name] for name in order] == sorted({at[name] for name in order})
    assert at["configmap/settings"] > at["deployment/web"]
    assert at["service/web"] > at["deployment/web"]


def test_a_route_goes_before_the_pods_it_leads_to():
    route = """
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec: {rules: [{http: {paths: [{backend: {service: {name: web, port: {number: 80}}}}]}}]}
"""
    live = live_of(TEXT + "---" + route)
    decided = removal(around(live=live, inventory=live), volumes=False)
    assert going(decided).index("ingress/web") < going(decided).index("deployment/web")


def test_what_is_not_in_the_inventory_stays_untouched():
    known = around().inventory
    lonely = ref_of("configmap/settings")
    everything = going(removal(around(inventory=known), volumes=True))
    decided = going(removal(around(inventory=[ref for ref in known if ref != lonely]), volumes=True))
    assert set(everything) - set(decided) == {"configmap/settings", "namespace/shop"}, "and what it is in stays with it"


def test_what_carries_no_mark_of_ours_stays_although_the_inventory_names_it():
    web = ref_of("deployment/web")
    stranger = {web: live_of(TEXT, hashed=False)[web]}
    assert staying(removal(around(stranger), volumes=False))["deployment/web"] == "not written by us"


def test_a_generated_secret_is_ours_by_its_own_annotation():
    ref = ref_of("secret/db-credentials")
    body = live_of(TEXT, hashed=False)[ref]
    body["metadata"]["annotations"] = {GENERATED: "true"}
    assert "secret/db-credentials" in going(removal(around({ref: body}), volumes=True))


def test_claims_of_our_sets_are_adopted_and_those_of_nobody_are_left_alone():
    decided = removal(around(), volumes=False)
    assert [step.ref.name for step in decided.claims] == ["data-db-0"]
    assert "data-of-somebody-else" not in str([*going(decided), *staying(decided)])


def test_an_adopted_claim_is_found_again_when_its_set_is_gone():
    claim, database = ref_of("persistentvolumeclaim/data-db-0", CLAIM), ref_of("statefulset/db")
    seen = around()
    live = {ref: body for ref, body in seen.live.items() if ref != database}
    live[claim]["metadata"]["annotations"] = {INVENTORY: "claim"}
    decided = removal(Surroundings(inventory=(claim, database), live=live), volumes=True)
    assert (going(decided), decided.gone) == (["persistentvolumeclaim/data-db-0"], (database,))


def test_a_set_that_would_take_its_volumes_along_stays_without_volumes():
    ref = ref_of("statefulset/db")
    body = live_of(TEXT)[ref]
    body["spec"]["persistentVolumeClaimRetentionPolicy"] = {"whenDeleted": "Delete"}
    assert "whenDeleted" in staying(removal(around({ref: body}), volumes=False))["statefulset/db"]
    assert "statefulset/db" in going(removal(around({ref: body}), volumes=True))


def item(kind, name, uid="foreign", owner="", **metadata):
    owners = {"ownerReferences": [{"uid": owner}]} if owner else {}
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "uid": uid, **owners, **metadata}}


def with_contents(*more):
    seen = around()
    return Surroundings(seen.inventory, seen.live, {"shop": [*seen.contents["shop"], *more]})


def test_a_namespace_with_a_strangers_object_stays():
    decided = removal(with_contents(item("ConfigMap", "theirs")), volumes=True)
    assert staying(decided) == {"namespace/shop": "1 object in it not ours: configmap/theirs"}


@pytest.mark.parametrize(
    "harmless",
    [
        item("ConfigMap", "kube-root-ca.crt"),
        item("ServiceAccount", "default"),
        item("Event", "web.17"),
        item("EndpointSlice", "db-x"),
        item("Lease", "bakery-ops"),
        item("ConfigMap", "bakery-ops-journal", labels={"app.kubernetes.io/managed-by": "bakery-ops"}),
    ],
    ids=lambda each: each["metadata"]["name"],
)
def test_what_is_there_by_itself_does_not_hold_a_namespace(harmless):
    assert "namespace/shop" in going(removal(with_contents(harmless), volumes=True))


def test_what_belongs_to_our_objects_through_several_owners_is_not_a_strangers():
    web = around()
    uid = web.live[ref_of("deployment/web")]["metadata"]["uid"]
    chain = [item("Pod", "web-1-x", "pod", "set"), item("ReplicaSet", "web-1", "set", uid)]
    contents = {"shop": [*web.contents["shop"], *chain]}
    assert "namespace/shop" in going(removal(Surroundings(web.inventory, web.live, contents), volumes=True))


def test_a_namespace_that_cannot_be_looked_through_stays():
    seen = around()
    decided = removal(Surroundings(seen.inventory, seen.live, {"shop": None}), volumes=True)
    assert staying(decided) == {"namespace/shop": "it cannot be told what else is in it"}


def test_a_namespace_stays_with_what_stays_in_it():
    web = ref_of("deployment/web")
    stranger = {web: live_of(TEXT, hashed=False)[web]}
    assert staying(removal(around(stranger), volumes=True))["namespace/shop"] == "what stays is in it: deployment/web"


DEFINITION = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: ovens.bakery.test}
spec: {group: bakery.test, names: {kind: Oven, plural: ovens}, scope: Namespaced}
"""


@pytest.mark.parametrize(
    ("found", "why"),
    [([], None), ([item("Oven", "theirs")], "1 object of its kind not ours: oven/theirs"), (None, "listed")],
)
def test_a_definition_goes_only_when_nobody_else_has_objects_of_its_kind(found, why):
    live = live_of(DEFINITION)
    (ref,) = live
    decided = removal(Surroundings((ref,), live, instances={ref: found}), volumes=True)
    assert (why or "") in staying(decided).get(str(ref), "")
    assert bool(decided.doomed) is (why is None)


def test_what_another_namespaces_inventory_holds_too_stays():
    text = "apiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata: {name: high}\n"
    live = live_of(text)
    (ref,) = live
    decided = removal(Surroundings((ref,), live, shared={ref: "other"}), volumes=True)
    assert staying(decided) == {"priorityclass/high": "in use by the namespace other too"}


def test_a_volume_that_its_claim_leaves_behind_is_named():
    claim = {"namespace": "shop", "name": "data-db-0"}
    volume = {
        "kind": "PersistentVolume",
        "metadata": {"name": "pv-1"},
        "spec": {"claimRef": claim, "persistentVolumeReclaimPolicy": "Retain"},
    }
    seen = around()
    kept = Surroundings(seen.inventory, seen.live, seen.contents, volumes=[volume])
    assert "pv-1" in removal(kept, volumes=True).notes[0]
    assert removal(kept, volumes=False).notes == ()


def test_objects_that_need_each_other_in_a_circle_still_go():
    text = "---".join(
        f"""
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {one}}}
spec:
  selector: {{matchLabels: {{app: {one}}}}}
  template:
    metadata: {{labels: {{app: {one}}}, annotations: {{bakery-ia.dev/waits-for: {other}}}}}
    spec: {{containers: [{{name: c, image: "c:1"}}]}}
"""
        for one, other in (("a", "b"), ("b", "a"))
    )
    live = live_of(text)
    assert sorted(going(removal(Surroundings(tuple(live), live), volumes=False))) == ["deployment/a", "deployment/b"]


def test_a_wrong_confirmation_speaks_of_data_only_where_data_goes():
    step = PruneStep(ObjectRef("", "PersistentVolumeClaim", "shop", "data-db-0"), "u")
    assert Removal().unconfirmed("other") == "the confirmation is not the namespace's name"
    assert Removal(waves=((step,),)).unconfirmed("other").startswith("data would be deleted and the confirmation")
    assert Removal(waves=((step,),)).unconfirmed(None) == "data would be deleted and no confirmation was given"

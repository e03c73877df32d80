"""Traps of kustomize and of Kubernetes that cost others a day each; every one is held shut here."""

import yaml

from bakery_ops.model.contract import COMPONENT, DATA_OWNER, NAME
from tests.manifests.rendered import K8S, some

KUSTOMIZATIONS = {path: yaml.safe_load(path.read_text()) for path in some(K8S.rglob("kustomization.yaml"), "file")}


def test_a_selector_uses_only_labels_that_never_change(every):
    """Selectors are immutable: a label in one is settled for ever."""
    for workload in every.of("Deployment", "StatefulSet"):
        keys = set(workload.spec["selector"]["matchLabels"])
        assert keys in ({COMPONENT, DATA_OWNER}, {NAME}), workload.ref


def test_only_an_instance_has_a_name_prefix():
    """In a component or an overlay it would be put on twice (kustomize#5202)."""
    prefixed = {path.parent for path, content in KUSTOMIZATIONS.items() if {"namePrefix", "nameSuffix"} & set(content)}
    assert prefixed == {path.parent for path in KUSTOMIZATIONS if path.parent.parent == K8S / "base" / "services"}


def test_a_patch_finds_containers_by_name_save_the_one_that_says_why_not():
    positional = [path for path in K8S.rglob("*.yaml") if "ontainers/0" in path.read_text()]
    assert positional == [K8S / "base" / "seeds" / "every-wait.patch.yaml"]
    assert positional[0].read_text().startswith("# By position, because")


def test_a_broker_s_wait_comes_first_because_patches_put_new_entries_first(every):
    """The order is kustomize's, and the waits-for annotation repeats it: a change of kustomize shows here."""
    service = every.get("Deployment", "alert-processor-service")
    waits = [each["name"] for each in service.pod_spec["initContainers"]]
    assert waits == ["wait-for-rabbitmq", "wait-for-redis", "wait-for-db", "wait-for-migration"]


def test_every_configmap_changes_its_name_with_its_content(every):
    """So a changed setting rolls the pods that read it."""
    for config in every.of("ConfigMap"):
        assert config.ref.name.rpartition("-")[2].isalnum()
        assert len(config.ref.name.rpartition("-")[2]) == 10, config.ref


def test_an_overlay_names_images_by_one_pattern():
    """Twenty names would double the time of a render: kustomize walks every object once per entry."""
    patterns = {
        name: len(KUSTOMIZATIONS[K8S / "overlays" / name / "kustomization.yaml"].get("images", ()))
        for name in ("dev", "sandbox", "prod")
    }
    assert patterns == {"dev": 0, "sandbox": 0, "prod": 1}


def test_every_file_of_the_tree_is_used():
    """Except those for the server's host, which kubectl cannot apply."""
    named = "\n".join(path.read_text() for path in KUSTOMIZATIONS)
    for path in some(set(K8S.rglob("*")) - set((K8S / "host").rglob("*")), "file"):
        if path.is_file() and path.name not in ("kustomization.yaml", "README.md"):
            assert path.name in named, path
    for path in KUSTOMIZATIONS:
        if path.parent.parent != K8S / "overlays" and path.parent != K8S / "base":
            assert path.parent.name in named, path


def test_the_render_order_lets_kubectl_apply_it_from_the_top(every):
    """Namespace first, then what pods refer to, then what starts pods."""
    kinds = [manifest.ref.kind for manifest in every.manifests]
    assert kinds[0] == "Namespace"
    starts = min(kinds.index(kind) for kind in ("Deployment", "StatefulSet", "Job"))
    for kind in ("ServiceAccount", "ConfigMap", "Service", "PriorityClass", "PersistentVolumeClaim"):
        if kind in kinds:
            assert len(kinds) - 1 - kinds[::-1].index(kind) < starts, kind

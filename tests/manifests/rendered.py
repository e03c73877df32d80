"""One rendered overlay and the questions the tests ask it. Pure but for the two functions that render."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from bakery_ops.model.contract import COMPONENT, DATA_OWNER, NAME
from bakery_ops.model.documents import load
from bakery_ops.model.manifest import Manifest
from bakery_ops.tools.kustomize import render_overlay

REPOSITORY = Path(__file__).parents[2]
K8S = REPOSITORY / "k8s"
NAMESPACE = "bakery-ia"

_T = TypeVar("_T")
_BINARY = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}


def some(found: Iterable[_T], what: str = "object") -> tuple[_T, ...]:
    """What a test is about to look at, one by one: with nothing to look at it would pass and have tested nothing."""
    looked_at = tuple(found)
    assert looked_at, f"no {what} to look at, so nothing was tested"
    return looked_at


class Container(NamedTuple):
    """A container with where it is: workload, its pod spec, whether it is an init container, and its own body."""

    workload: Manifest
    pod: Mapping[str, Any]
    is_init: bool
    body: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.workload.ref}:{self.body['name']}"

    @property
    def environment(self) -> dict[str, Any]:
        return {entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in self.body.get("env", ())}


@dataclass(frozen=True)
class Rendered:
    """The objects of one overlay. What gives several of them fails when there is none."""

    overlay: str
    text: str

    @cached_property
    def manifests(self) -> tuple[Manifest, ...]:
        return some(load(self.text, self.overlay, namespace=NAMESPACE))

    def of(self, *kinds: str) -> tuple[Manifest, ...]:
        """At least one of each kind."""
        return tuple(each for kind in kinds for each in some(self.if_any(kind), kind))

    def if_any(self, *kinds: str) -> tuple[Manifest, ...]:
        """Also none: for kinds that not every overlay has."""
        return tuple(manifest for manifest in self.manifests if manifest.ref.kind in kinds)

    def get(self, kind: str, name: str) -> Manifest:
        return next(manifest for manifest in self.of(kind) if manifest.ref.name == name)

    def names(self, kind: str, **labels: str) -> set[str]:
        """Names of one kind; keywords `component` and `owner` narrow by label."""
        keys = {"component": COMPONENT, "owner": DATA_OWNER, "name": NAME}
        return {
            manifest.ref.name
            for manifest in self.if_any(kind)
            if all(manifest.labels.get(keys[key]) == value for key, value in labels.items())
        }

    @cached_property
    def workloads(self) -> tuple[Manifest, ...]:
        return some(manifest for manifest in self.manifests if manifest.pod_template is not None)

    def containers(self) -> tuple[Container, ...]:
        return some(self._containers())

    def _containers(self) -> Iterator[Container]:
        for workload in self.workloads:
            pod = workload.pod_spec or {}
            for body in pod.get("initContainers", ()):
                yield Container(workload, pod, True, body)
            for body in pod["containers"]:
                yield Container(workload, pod, False, body)

    @property
    def services(self) -> tuple[str, ...]:
        """Names of the microservices, counted from what is rendered."""
        deployments = (each for each in self.of("Deployment") if component(each) == "microservice")
        return some(sorted(each.labels[NAME] for each in deployments))


def component(manifest: Manifest) -> str:
    return manifest.labels.get(COMPONENT, "")


def pod_labels(workload: Manifest) -> Mapping[str, str]:
    """Of the pods it starts: what selectors look at."""
    labels: Mapping[str, str] = (workload.pod_template or {})["metadata"]["labels"]
    return labels


def volumes(workload: Manifest) -> tuple[Mapping[str, Any], ...]:
    return tuple((workload.pod_spec or {}).get("volumes", ()))


def render(path: Path, overlay: str, *, cache_dir: Path | None = None) -> Rendered:
    """`cache_dir`: keep the render there, by the hash of everything it reads."""
    return Rendered(overlay, render_overlay(path, cache_dir=cache_dir))


def render_with_monitoring(room: Path, *, cache_dir: Path | None = None) -> Rendered:
    """The prod overlay of a copy of k8s/ in which the one line that switches monitoring on is no comment any more."""
    copy = room / "k8s"
    shutil.copytree(K8S, copy)
    kustomization = copy / "overlays" / "prod" / "kustomization.yaml"
    text = kustomization.read_text()
    switched = text.replace("\n# - ../../components/monitoring\n", "\n- ../../components/monitoring\n")
    assert switched != text, "the line that switches monitoring on is gone"
    kustomization.write_text(switched)
    return render(copy / "overlays" / "prod", "prod with monitoring", cache_dir=cache_dir)


def number(quantity: object) -> float:
    """A Kubernetes quantity of the forms used here, in cores or bytes."""
    text = str(quantity)
    if text.endswith("m"):
        return int(text[:-1]) / 1000
    for suffix, factor in _BINARY.items():
        if text.endswith(suffix):
            return float(text.removesuffix(suffix)) * factor
    return float(text)


def request_of(pod: Mapping[str, Any], resource: str) -> float:
    """What the scheduler counts for a pod: the sum of its containers, or its largest init container if that is more."""
    running = sum(number(each["resources"]["requests"].get(resource, 0)) for each in pod["containers"])
    starting = (number(each["resources"]["requests"].get(resource, 0)) for each in pod.get("initContainers", ()))
    return max(running, *starting, 0)

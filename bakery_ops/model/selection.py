"""Which workloads a label selector picks, by the labels of their pod templates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from bakery_ops.model.manifest import Manifest


def pod_labels(manifest: Manifest) -> Mapping[str, str]:
    """The labels of the pods a workload starts."""
    template = manifest.pod_template or {}
    return (template.get("metadata") or {}).get("labels") or {}


def matches(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a LabelSelector ({matchLabels, matchExpressions}) picks `labels`; an empty one picks everything."""
    wanted = selector.get("matchLabels") or {}
    if any(labels.get(key) != value for key, value in wanted.items()):
        return False
    return all(_holds(expression, labels) for expression in selector.get("matchExpressions") or ())


def _holds(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, values = expression.get("key"), expression.get("values") or ()
    match expression.get("operator"):
        case "In":
            return labels.get(str(key)) in values
        case "NotIn":
            return labels.get(str(key)) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
    return False


class Selection:
    """An index of workloads by namespace and label, so that 1,000 Services over 1,000 workloads stay cheap."""

    def __init__(self, workloads: Iterable[Manifest]) -> None:
        self._all: dict[str, list[Manifest]] = {}
        self._index: dict[tuple[str, str, str], list[Manifest]] = {}
        for manifest in workloads:
            namespace = manifest.ref.namespace
            self._all.setdefault(namespace, []).append(manifest)
            for key, value in pod_labels(manifest).items():
                self._index.setdefault((namespace, key, value), []).append(manifest)

    def pick(self, namespace: str, selector: Mapping[str, Any]) -> list[Manifest]:
        """Workloads of `namespace` whose pods a LabelSelector picks, in the order given."""
        pairs = (selector.get("matchLabels") or {}).items()
        candidates = min(
            (self._index.get((namespace, key, value), []) for key, value in pairs),
            key=len,
            default=self._all.get(namespace, []),
        )
        return [manifest for manifest in candidates if matches(selector, pod_labels(manifest))]

    def behind(self, service: Manifest) -> list[Manifest]:
        """The workloads a Service sends traffic to; none for a Service without a selector."""
        selector = service.spec.get("selector")
        return self.pick(service.ref.namespace, {"matchLabels": selector}) if selector else []

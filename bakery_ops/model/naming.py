"""How nodes of the graph are called, and which node a word of a manifest means."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Sequence

from bakery_ops.model.contract import NAME
from bakery_ops.model.manifest import Manifest
from bakery_ops.model.selection import Selection, pod_labels

_HINTS = 20


class Names:
    """Gives every manifest the shortest name that no other one can claim, and finds manifests by name."""

    def __init__(self, manifests: Sequence[Manifest]) -> None:
        claimed = Counter(claim for manifest in manifests for claim in set(_claims(manifest)))
        self.of = {
            manifest.ref: next((claim for claim in _claims(manifest) if claimed[claim] == 1), _claims(manifest)[-1])
            for manifest in manifests
        }
        self._by_name = {self.of[manifest.ref]: manifest for manifest in manifests}
        self._nearest: dict[str, str] = {}
        self._services: dict[tuple[str, str], Manifest] = {}
        self._workloads: dict[tuple[str, str], Manifest] = {}
        for manifest in manifests:
            key = (manifest.ref.namespace, manifest.ref.name)
            if manifest.ref.group == "" and manifest.ref.kind == "Service":
                self._services[key] = manifest
            elif manifest.ref.is_workload:
                self._workloads.setdefault(key, manifest)

    def service(self, namespace: str, name: str) -> Manifest | None:
        return self._services.get((namespace, name))

    def meant(self, word: str, by: Manifest, selection: Selection) -> tuple[str, ...]:
        """The nodes that `word` means in a wait of `by`; () when there is no such node.

        First the workload of that name in the same namespace, then `<name label>-<word>` (a service template says
        "db" and means its own), then whatever stands behind a Service of that name, then a node's full name.
        """
        namespace = by.ref.namespace
        own = pod_labels(by).get(NAME) or by.labels.get(NAME)
        for name in (word, f"{own}-{word}" if own else word):
            if (namespace, name) in self._workloads:
                return (self.of[self._workloads[namespace, name].ref],)
        service = self.service(namespace, word)
        if service is not None:
            behind = selection.behind(service)
            return tuple(self.of[manifest.ref] for manifest in behind) or (self.of[service.ref],)
        return (word,) if word in self._by_name else ()

    def nearest(self, word: str) -> str:
        """ "did you mean 'redis'?" or ""; only for the first words asked for, as each costs a pass over all names."""
        if word not in self._nearest and len(self._nearest) < _HINTS:
            names = [name for name in self._by_name if "/" not in name]
            close = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
            self._nearest[word] = f"; did you mean {close[0]!r}?" if close else ""
        return self._nearest.get(word, "")


def _claims(manifest: Manifest) -> tuple[str, ...]:
    ref = manifest.ref
    kind = ref.kind.lower()
    full = f"{kind}.{ref.group}" if ref.group else kind
    claims = (f"{kind}/{ref.name}", f"{full}/{ref.name}", f"{full}/{ref.namespace}/{ref.name}")
    return (ref.name, *claims) if ref.is_workload else claims

"""Dependencies of a stranger's workloads: the Services that their settings and commands name.

A word counts as a host only where a host stands: in a URL, before a port, as a full cluster name, as the value of a
setting that is called like one, or as a word of an init container's command, whose usual job is to wait.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from bakery_ops.model.contract import COMPONENT, PART_OF, PLATFORM
from bakery_ops.model.declared import DEPENDS_ON, SYNC_WAVE
from bakery_ops.model.encoding import from_base64
from bakery_ops.model.manifest import Manifest, ObjectRef
from bakery_ops.model.naming import Names
from bakery_ops.model.references import listed

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST = rf"{_LABEL}(?:\.{_LABEL})*"
_URL = re.compile(rf"[a-z][a-z0-9+.-]*://(?:[^/@\s]*@)?({_HOST}(?::\d+)?(?:,{_HOST}(?::\d+)?)*)", re.IGNORECASE)
_BEFORE_PORT = re.compile(rf"(?<![\w.@/-])({_HOST}):\d{{1,5}}(?!\w)")
_FULL = re.compile(rf"(?<![\w.-])({_LABEL}(?:\.{_LABEL})*\.svc(?:\.{_LABEL})*)")
_AFTER_AT = re.compile(rf"@({_HOST})(?::\d+|/|$)")
_WORD = re.compile(rf"(?<![\w./-])({_HOST})(?![\w./-])")
_LIKE_A_HOST = re.compile(
    r"HOST|URL|URI|ADDR|SERVER|ENDPOINT|BROKER|UPSTREAM|BOOTSTRAP|DSN|CONNECTION|SERVICE|BACKEND|NODES|DATABASE$|DB$|"
    r"CLUSTER|TARGET|ORIGIN|PROXY",
    re.IGNORECASE,
)
_NOT_A_HOST = re.compile(r"NAME$|USER|PASSWORD|TYPE$|DRIVER$", re.IGNORECASE)
_FLAG = re.compile(rf"^-{{1,2}}([\w.-]+)[= ]({_HOST})$")


def applies(manifest: Manifest) -> bool:
    """Whether dependencies may be guessed: a workload that starts now and declares none by annotation or label."""
    if not manifest.ref.is_workload or manifest.ref.kind == "CronJob":
        return False
    if manifest.labels.get(PART_OF) == PLATFORM:
        return False
    return not {DEPENDS_ON, SYNC_WAVE} & manifest.annotations.keys()


def services_named(
    manifest: Manifest, objects: Mapping[ObjectRef, Manifest], names: Names
) -> Iterator[tuple[str, str]]:
    """(namespace, name) of every Service of the render that the workload's settings name, each once."""
    seen: set[tuple[str, str]] = set()
    for host in _hosts(manifest, objects):
        for found in _as_service(host, manifest.ref.namespace, names):
            if found not in seen:
                seen.add(found)
                yield found


def _as_service(host: str, namespace: str, names: Names) -> Iterator[tuple[str, str]]:
    labels = host.lower().split(".")
    # "db", "db.shop.svc.cluster.local", and "db-0.db" for a pod of a StatefulSet.
    for start in (0, 1):
        rest = labels[start:]
        if not rest:
            return
        place = rest[1] if len(rest) > 1 else namespace
        if names.service(place, rest[0]) is not None and (len(rest) < 3 or rest[2] == "svc"):
            yield place, rest[0]
            return


def _hosts(manifest: Manifest, objects: Mapping[ObjectRef, Manifest]) -> Iterator[str]:
    spec = manifest.pod_spec or {}
    for field in ("initContainers", "containers"):
        for container in listed(spec, field):
            for name, value in _settings(container, manifest.ref.namespace, objects):
                yield from _in_setting(name, value)
            for word in (*(container.get("command") or ()), *(container.get("args") or ())):
                yield from _anywhere(word)
                if field == "initContainers":
                    yield from _WORD.findall(word)
                elif (flag := _FLAG.match(word)) and _LIKE_A_HOST.search(flag[1]):
                    yield flag[2]


def _in_setting(name: str, value: str) -> Iterator[str]:
    yield from _anywhere(value)
    if _LIKE_A_HOST.search(name) and not _NOT_A_HOST.search(name):
        for part in value.split(","):
            if re.fullmatch(_HOST, part.strip()):
                yield part.strip()


def _anywhere(text: str) -> Iterator[str]:
    """Hosts that can be told by how they stand in a text."""
    for authority in _URL.findall(text):
        yield from (part.partition(":")[0] for part in authority.split(","))
    for pattern in (_BEFORE_PORT, _FULL, _AFTER_AT):
        yield from pattern.findall(text)


def _settings(
    container: Mapping[str, object], namespace: str, objects: Mapping[ObjectRef, Manifest]
) -> Iterator[tuple[str, str]]:
    """(name, value) of the container's environment, with ConfigMaps and Secrets of the render looked up."""
    for variable in listed(container, "env"):
        name = variable.get("name") or ""
        if variable.get("value"):
            yield name, variable["value"]
        source = variable.get("valueFrom") or {}
        for field, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
            chosen = source.get(field) or {}
            values = _values(objects.get(ObjectRef("", kind, namespace, chosen.get("name") or "")))
            if chosen.get("key") in values:
                yield name, values[chosen["key"]]
    for source in listed(container, "envFrom"):
        for field, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
            chosen = source.get(field) or {}
            yield from _values(objects.get(ObjectRef("", kind, namespace, chosen.get("name") or ""))).items()


def _values(manifest: Manifest | None) -> dict[str, str]:
    """The values of a ConfigMap or Secret. Only host names are taken from them; they are never shown."""
    if manifest is None:
        return {}
    values = dict(manifest.body.get("data") or {})
    if manifest.ref.kind == "Secret":
        for key, value in values.items():
            values[key] = (from_base64(value) or b"").decode("utf-8", "replace")
        values.update(manifest.body.get("stringData") or {})
    return {key: value for key, value in values.items() if isinstance(value, str)}


def migrations(manifests: Sequence[Manifest]) -> Iterator[tuple[Manifest, Manifest]]:
    """Unlabelled Jobs with each Deployment of their namespace that runs the same image."""
    by_image: dict[tuple[str, str], list[Manifest]] = {}
    for manifest in manifests:
        if manifest.ref.kind == "Deployment" and applies(manifest):
            for image in _images(manifest):
                by_image.setdefault((manifest.ref.namespace, image), []).append(manifest)
    for manifest in manifests:
        if manifest.ref.is_job and applies(manifest) and COMPONENT not in manifest.labels:
            for image in _images(manifest):
                for workload in by_image.get((manifest.ref.namespace, image), ()):
                    yield manifest, workload


def _images(manifest: Manifest) -> set[str]:
    return {container.get("image") or "" for container in listed(manifest.pod_spec or {}, "containers")} - {""}

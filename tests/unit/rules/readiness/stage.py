"""Turns a case (tests/unit/rules/cases/*.yaml) into observations, and plays them to the judge one after the other.

A case:
    claim: what it proves, a sentence
    rule: an id of rules.yaml
    world: where it begins, of worlds.yaml
    applied: {created, changed, generation, uid, hash, at}, or null when the object was found unchanged
    examples: [{text: ...}, ...]     one case for each; "$text" anywhere in the case stands for it
    steps:
      - at: seconds since the apply (10:00:00)
        object, children, related, cluster: patches on what the step before left (see worlds.yaml)
        events: [{about: pod, reason, message, at, count}]   added to those of the steps before; one that
            says the same again takes the place of the earlier one, as an API server counts it up
        dependencies_ready, synced: as they are from this step on
        expect: {verdict, message, reason, says, row-like fields of the evidence; times in seconds since the apply}
"""

from __future__ import annotations

import base64
import copy
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from math import inf
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bakery_ops.model.contract import Stage
from bakery_ops.model.graph import Node
from bakery_ops.model.live import Event, LiveObject, Taint, group_of, struct_for
from bakery_ops.model.manifest import Manifest, ObjectRef
from bakery_ops.model.times import format_time, parse_time
from bakery_ops.rules.readiness import ClusterFacts, Memory, Observation, judge
from bakery_ops.rules.readiness.observation import Machine, StorageClassFacts
from bakery_ops.rules.verdict import Applied, Judgement

CASES = Path(__file__).parents[1] / "cases"
T0 = parse_time("2026-01-01T10:00:00Z")

Tree = dict[str, Any]


class Case(NamedTuple):
    name: str
    body: Tree

    @property
    def rule(self) -> str:
        return str(self.body["rule"])


def load() -> list[Case]:
    """Every case of every file, examples written out."""
    files = sorted(path for path in CASES.glob("*.yaml") if path.name not in ("worlds.yaml", "rules.yaml"))
    return [
        Case(f"{path.stem}: {body['claim']}", body)
        for path in files
        for entry in _read(path.name)
        for body in _examples(entry)
    ]


def rules() -> dict[str, str]:
    loaded: dict[str, str] = _read("rules.yaml")
    return loaded


def _read(name: str) -> Any:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load((CASES / name).read_text(), Loader=loader)  # noqa: S506  # both are safe loaders


def _examples(entry: Tree) -> Iterator[Tree]:
    entry = dict(entry)
    for example in entry.pop("examples", [{}]):
        body = _filled(entry, example)
        label = ", ".join(str(value) for value in example.values())
        yield {**body, "claim": f"{body['claim']} ({label})" if label else body["claim"]}


def _filled(value: Any, words: Mapping[str, Any]) -> Any:
    if isinstance(value, dict):
        return {_filled(key, words): _filled(child, words) for key, child in value.items()}
    if isinstance(value, list):
        return [_filled(child, words) for child in value]
    if not isinstance(value, str):
        return value
    for word, replacement in words.items():
        if value == f"${word}":
            return replacement
        value = value.replace(f"${word}", str(replacement))
    return value


@cache
def _worlds() -> Tree:
    loaded: Tree = _read("worlds.yaml")
    return loaded


def world(name: str) -> Tree:
    entry = _worlds()[name]
    if "like" not in entry:
        return copy.deepcopy(entry)
    return merged(world(entry["like"]), {key: value for key, value in entry.items() if key != "like"})


def merged(base: Any, patch: Any) -> Any:
    """`patch` laid over `base`: maps by key (null removes), lists by `name` or `type` (`gone` removes)."""
    if isinstance(base, dict) and isinstance(patch, dict):
        result = {key: value for key, value in base.items() if not (key in patch and patch[key] is None)}
        for key, value in patch.items():
            if value is not None:
                result[key] = merged(result.get(key), value)
        return result
    key = _list_key(patch)
    if isinstance(base, list) and key and _list_key(base) == key:
        entries = {entry[key]: entry for entry in base}
        for entry in patch:
            entries[entry[key]] = merged(entries.get(entry[key]), entry)
        return [entry for entry in entries.values() if not entry.get("gone")]
    if isinstance(patch, dict):
        return {name: merged(None, value) for name, value in patch.items() if value is not None}
    return patch


def _list_key(value: Any) -> str:
    if not isinstance(value, list) or not value or not all(isinstance(entry, dict) for entry in value):
        return ""
    return next((key for key in ("name", "type") if all(key in entry for entry in value)), "")


class Player:
    """Plays the steps of a case; `observation` shows what the judge gets to see."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.state = world(case.body["world"])
        self.events: dict[tuple[str, ...], Tree] = {}
        self.memory = Memory()
        self.flags: Tree = {"dependencies_ready": True, "synced": True}
        self.ref = _ref(self.state["object"])

    def play(self, step: Tree) -> Judgement:
        judgement, self.memory = judge(self.observe(step), self.memory)
        return judgement

    def observe(self, step: Tree) -> Observation:
        patch = {key: step[key] for key in ("object", "children", "related", "cluster") if key in step}
        if "object" in step and step["object"] is None:
            self.state["object"] = None
            patch.pop("object")
        self.state = merged(self.state, patch) if self.state.get("object") or "object" in patch else self.state
        self.state.setdefault("object", None)
        for event in step.get("events", []):
            self.events[event["about"], event["reason"], event.get("message", ""), event.get("field", "")] = event
        self.flags.update({key: step[key] for key in self.flags if key in step})
        live = self.state["object"]
        manifest = Manifest(self.ref, (live or {}).get("apiVersion", ""), self.case.body.get("manifest", {}), "case")
        return Observation(
            node=Node("node", manifest, Stage.MICROSERVICE, relies=frozenset(self.case.body.get("relies", ()))),
            applied=self._applied(),
            started=T0,
            live=_live(live) if live else None,
            children=[_live(child) for child in (self.state.get("children") or {}).values()],
            related=[_live(child) for child in (self.state.get("related") or {}).values()],
            events=[self._event(number, event) for number, event in enumerate(self.events.values())],
            cluster=_facts(self.state.get("cluster") or {}),
            now=T0 + step["at"],
            logs={("pod-uid", "app"): tuple(self.case.body.get("log", ()))},
            **self.flags,
        )

    def _applied(self) -> Applied | None:
        said = self.case.body.get("applied", {})
        if said is None:
            return None
        metadata = (world(self.case.body["world"])["object"])["metadata"]
        return Applied(
            said.get("uid", metadata["uid"]),
            said.get("generation", metadata.get("generation", 0)),
            said.get("hash", ""),
            T0 + said.get("at", 0),
            said.get("created", True),
            said.get("changed", True),
        )

    def _event(self, number: int, said: Tree) -> Event:
        involved = (
            self.state["object"] if said["about"] == "object" else (self.state.get("children") or {}).get(said["about"])
        )
        involved = involved or {}
        moment = format_time(T0 + said.get("at", 0))
        body = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"event-{number}", "namespace": "bakery-ia", "uid": f"event-{number}"},
            "involvedObject": {
                "kind": involved.get("kind", ""),
                "name": involved.get("metadata", {}).get("name", ""),
                "uid": involved.get("metadata", {}).get("uid", said["about"]),
                "fieldPath": said.get("field", ""),
            },
            "reason": said["reason"],
            "message": said.get("message", ""),
            "type": said.get("type", "Warning"),
        }
        if "series" in said:  # the newer API: the two timestamps stay null
            body |= {"eventTime": moment, "firstTimestamp": None, "lastTimestamp": None}
            body["series"] = {"count": said["series"], "lastObservedTime": moment}
        else:
            body |= {
                "count": said.get("count", 1),
                "firstTimestamp": moment,
                "lastTimestamp": moment,
                "eventTime": None,
            }
        return msgspec.convert(body, Event)


def _ref(body: Tree) -> ObjectRef:
    metadata = body["metadata"]
    return ObjectRef(group_of(body["apiVersion"]), body["kind"], metadata.get("namespace", ""), metadata["name"])


def _live(body: Tree) -> LiveObject:
    return msgspec.convert(_with_certificates(body), struct_for(body["apiVersion"], body["kind"]))


def _facts(said: Tree) -> ClusterFacts:
    classes, ingress = said.get("storage_classes"), said.get("ingress_classes")
    return ClusterFacts(
        None if classes is None else tuple(StorageClassFacts(**entry) for entry in classes),
        None if ingress is None else frozenset(ingress),
        tuple(
            Machine(**{**entry, "taints": tuple(Taint(**taint) for taint in entry.get("taints", ()))})
            for entry in said.get("machines", ())
        ),
        is_local=said.get("is_local", False),
        is_simulated=said.get("is_simulated", False),
    )


def _with_certificates(body: Tree) -> Tree:
    data = body.get("data")
    if not isinstance(data, dict):
        return body
    prefix = "$certificate-until-"
    made = {
        key: certificate(int(value.removeprefix(prefix))) if value.startswith(prefix) else value
        for key, value in data.items()
    }
    return {**body, "data": made}


@cache
def certificate(year: int) -> str:
    """A self-signed certificate that ends with the year's first day, as it stands in a Secret."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "redis")])
    end = datetime(year, 1, 1, tzinfo=UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(end - timedelta(days=400))
        .not_valid_after(end)
        .sign(key, hashes.SHA256())
    )
    return base64.b64encode(certificate.public_bytes(serialization.Encoding.PEM)).decode()


def seconds(moment: float | None) -> float | str | None:
    """A time of a judgement as cases write it: seconds since the apply, "never", or null."""
    if moment is None:
        return None
    return "never" if moment == inf else round(moment - T0, 6)

"""Which secrets the platform needs, read from what its manifests refer to. Names and purposes only; no value is here.

| name | purpose | keys |
|---|---|---|
| bakery-ca-issuer | the authority that signs the platform's certificates; mounted nowhere | tls.crt, tls.key |
| bakery-ca | what clients trust | ca.crt |
| <service>-tls | server certificate of a Service, or of an Ingress that names it | tls.crt, tls.key, ca.crt |
| <service>-db-credentials | owner and superuser of a database | username, password, postgres-password |
| <client>-redis-credentials | a Redis user | username, password |
| redis-acl | all Redis users, as hashes | users.acl, probe-password |
| <client>-rabbitmq-credentials | a RabbitMQ user | username, password |
| rabbitmq-definitions | all RabbitMQ users, as hashes | definitions.json, {admin,monitor}-password, erlang-cookie |
| app-secrets | the key that signs tokens | jwt-signing-key |
| <name>-admin | a first login (Grafana) | username, password |
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import Enum
from typing import NamedTuple

from bakery_ops.model.contract import PART_OF, PLATFORM
from bakery_ops.model.manifest import Manifest, ObjectRef
from bakery_ops.model.references import listed, references

ISSUER = "bakery-ca-issuer"
TRUST = "bakery-ca"
GENERATED = "bakery-ia.dev/generated"
"""Annotation on what we generated: such a Secret is never deleted without a named flag (docs/faults.md, promise I2)."""

RENEWED = "bakery-ia.dev/renewed-at"
"""Annotation on a Secret that was renewed, and on the pod templates that know of it: the time, RFC 3339 in UTC."""


class Purpose(Enum):
    """What a secret is for. The order is the order of creation: each is made from earlier ones at most."""

    AUTHORITY = "authority"
    TRUST = "trust"
    CERTIFICATE = "certificate"
    DATABASE = "database login"
    REDIS_CLIENT = "redis user"
    RABBITMQ_CLIENT = "rabbitmq user"
    REDIS_USERS = "redis users"
    RABBITMQ_USERS = "rabbitmq users"
    APPLICATION = "application key"
    ADMIN = "first login"

    @property
    def is_certificate(self) -> bool:
        return self in (Purpose.AUTHORITY, Purpose.TRUST, Purpose.CERTIFICATE)


_KEYS: Mapping[Purpose, tuple[str, ...]] = {
    Purpose.AUTHORITY: ("tls.crt", "tls.key"),
    Purpose.TRUST: ("ca.crt",),
    Purpose.CERTIFICATE: ("tls.crt", "tls.key", "ca.crt"),
    Purpose.DATABASE: ("username", "password", "postgres-password"),
    Purpose.REDIS_CLIENT: ("username", "password"),
    Purpose.RABBITMQ_CLIENT: ("username", "password"),
    Purpose.REDIS_USERS: ("users.acl", "probe-password"),
    Purpose.RABBITMQ_USERS: ("definitions.json", "admin-password", "monitor-password", "erlang-cookie"),
    Purpose.APPLICATION: ("jwt-signing-key",),
    Purpose.ADMIN: ("username", "password"),
}


class SecretSpec(NamedTuple):
    """One secret to be there before the platform starts.

    Attributes:
        ref: Its identity in the cluster.
        purpose: Decides its keys and how values are made.
        subject: Who it speaks for: "auth", "gateway", the Service's name of a certificate.
        hosts: DNS names of a certificate, else ().
        made_from: Names of the secrets whose values it must agree with.
        volumes: PersistentVolumeClaims whose content already holds the secret's old value once they exist.
    """

    ref: ObjectRef
    purpose: Purpose
    subject: str
    hosts: tuple[str, ...] = ()
    made_from: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        return _KEYS[self.purpose]


class SecretState(Enum):
    """How a secret of the catalogue stands in the cluster."""

    PRESENT = "present"
    CREATED = "created"
    EXTENDED = "extended"
    RENEWED = "renewed"
    MISSING = "missing"
    WRONG = "wrong"
    WARNING = "warning"


class SecretRow(NamedTuple):
    """One line of a report. `notes` never hold a value."""

    name: str
    purpose: Purpose
    state: SecretState
    notes: tuple[str, ...] = ()


def wanted(manifests: Sequence[Manifest]) -> tuple[SecretSpec, ...]:
    """The secrets that the platform's manifests refer to and do not bring, in the order of creation.

    Only objects labelled as part of the platform count: a stranger's secrets are the stranger's to make.
    """
    named = _referenced(manifests)
    hosts = _ingress_hosts(manifests)
    claims = _claims(manifests)
    specs = [
        spec for ref in named if (spec := _spec(ref, named, hosts.get(ref, ()), claims)) is not None
    ]  # fmt: skip
    specs += [
        SecretSpec(ObjectRef("", "Secret", namespace, ISSUER), Purpose.AUTHORITY, "bakery-ia")
        for namespace in {spec.ref.namespace for spec in specs if spec.purpose.is_certificate}
    ]
    order = {purpose: position for position, purpose in enumerate(Purpose)}
    return tuple(sorted(specs, key=lambda spec: (order[spec.purpose], spec.ref)))


def _referenced(manifests: Iterable[Manifest]) -> dict[ObjectRef, None]:
    manifests = list(manifests)
    brought = {manifest.ref for manifest in manifests}
    found: dict[ObjectRef, None] = {}
    for manifest in manifests:
        if manifest.labels.get(PART_OF) != PLATFORM:
            continue
        for reference in references(manifest):
            if reference.target.kind == "Secret" and not reference.optional and reference.target not in brought:
                found.setdefault(reference.target)
    return found


def _spec(
    ref: ObjectRef, named: Iterable[ObjectRef], hosts: tuple[str, ...], claims: Mapping[str, tuple[str, ...]]
) -> SecretSpec | None:
    def all_of(suffix: str) -> tuple[str, ...]:
        return tuple(
            sorted(each.name for each in named if each.name.endswith(suffix) and each.namespace == ref.namespace)
        )

    match ref.name:
        case "bakery-ca":
            return SecretSpec(ref, Purpose.TRUST, "bakery-ia", made_from=(ISSUER,))
        case "redis-acl":
            return SecretSpec(ref, Purpose.REDIS_USERS, "redis", made_from=all_of("-redis-credentials"))
        case "rabbitmq-definitions":
            return SecretSpec(ref, Purpose.RABBITMQ_USERS, "rabbitmq", made_from=all_of("-rabbitmq-credentials"))
        case "app-secrets":
            return SecretSpec(ref, Purpose.APPLICATION, "bakery-ia")
    for suffix, purpose in (
        ("-redis-credentials", Purpose.REDIS_CLIENT),
        ("-rabbitmq-credentials", Purpose.RABBITMQ_CLIENT),
        ("-admin", Purpose.ADMIN),
    ):
        if ref.name.endswith(suffix):
            return SecretSpec(ref, purpose, ref.name.removesuffix(suffix))
    if ref.name.endswith("-db-credentials"):
        subject = ref.name.removesuffix("-db-credentials")
        return SecretSpec(ref, Purpose.DATABASE, subject, volumes=claims.get(f"{subject}-db", ()))
    if ref.name.endswith("-tls"):
        subject = ref.name.removesuffix("-tls")
        names = hosts or tuple(_service_names(subject, ref.namespace))
        return SecretSpec(ref, Purpose.CERTIFICATE, subject, names, (ISSUER,))
    return None


def _service_names(service: str, namespace: str) -> Iterator[str]:
    """The names clients may call a Service by; "localhost" is for the pod's own probes."""
    yield service
    for suffix in (namespace, f"{namespace}.svc", f"{namespace}.svc.cluster.local"):
        yield f"{service}.{suffix}"
    yield "localhost"


def _ingress_hosts(manifests: Iterable[Manifest]) -> dict[ObjectRef, tuple[str, ...]]:
    found: dict[ObjectRef, tuple[str, ...]] = {}
    for manifest in manifests:
        if manifest.ref.kind == "Ingress":
            for tls in listed(manifest.spec, "tls"):
                ref = ObjectRef("", "Secret", manifest.ref.namespace, tls.get("secretName") or "")
                found[ref] = (*found.get(ref, ()), *(tls.get("hosts") or ()))
    return found


def _claims(manifests: Iterable[Manifest]) -> dict[str, tuple[str, ...]]:
    """StatefulSet -> the claims its first pod makes."""
    return {
        manifest.ref.name: tuple(
            f"{(claim.get('metadata') or {}).get('name')}-{manifest.ref.name}-0"
            for claim in listed(manifest.spec, "volumeClaimTemplates")
        )
        for manifest in manifests
        if manifest.ref.kind == "StatefulSet"
    }

"""Decides, for one secret of the catalogue, what has to be written: everything, an addition, or nothing."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, NamedTuple

from bakery_ops.credentials import certificates, inspection, values
from bakery_ops.credentials.certificates import Pair
from bakery_ops.credentials.secret import MaskedMapping, SecretText, decoded, encoded
from bakery_ops.errors import PreflightRefused
from bakery_ops.model.contract import FIELD_MANAGER, MANAGED_BY, PART_OF, PLATFORM
from bakery_ops.model.manifest import Manifest
from bakery_ops.model.secrets import GENERATED, ISSUER, RENEWED, Purpose, SecretSpec

_TYPES = {Purpose.AUTHORITY: "kubernetes.io/tls", Purpose.CERTIFICATE: "kubernetes.io/tls"}

Values = dict[str, SecretText]
Body = Mapping[str, Any]


class Minted(NamedTuple):
    """What to write: `manifest` (None: nothing), and which users were added to a list that was there already."""

    manifest: Manifest | None
    added: tuple[str, ...] = ()


class Mint:
    """Makes secrets. `random` gives that many bytes, `now` epoch seconds in the API server's clock."""

    def __init__(self, now: Callable[[], float], *, random: values.Random = secrets.token_bytes) -> None:
        self._now = now
        self._random = random

    def make(self, spec: SecretSpec, live: Body | None, parts: Mapping[str, Body]) -> Minted:
        """What is missing of `spec`.

        Args:
            live: The Secret as it is in the cluster, or None.
            parts: The Secrets of `spec.made_from`, by name, as they are or as they have just been written.
        Raises: PreflightRefused: a secret that is there lacks keys we do not dare to fill, or a part is unusable.
        """
        if live is None:
            return Minted(self._manifest(spec, self._fresh(spec, parts)))
        if spec.purpose not in (Purpose.REDIS_USERS, Purpose.RABBITMQ_USERS):
            return Minted(None)
        held = _readable(spec, live)
        extended, added = self._users(spec, held, parts)
        return Minted(self._manifest(spec, extended, live) if added else None, added)

    def renew(self, spec: SecretSpec, live: Body, parts: Mapping[str, Body]) -> Manifest:
        """A certificate anew, for the names it has to have now, by the same authority.

        Certificate and key leave in one write, and only while the Secret is as it was read.
        Raises: PreflightRefused: the authority is unusable.
        """
        moment = datetime.fromtimestamp(int(self._now()), UTC)
        return self._manifest(spec, self._fresh(spec, parts), live, {RENEWED: f"{moment:%Y-%m-%dT%H:%M:%SZ}"})

    def inspect(self, spec: SecretSpec, live: Body, authority: Body | None) -> Sequence[inspection.Remark]:
        """What is wrong with a secret that is there; values are never quoted. `authority`: the live `bakery-ca`."""
        return inspection.remarks(spec, decoded(live), decoded(authority or {}), self._now())

    def validity(self, live: Body) -> str:
        """ "valid until 2027-02-23" of a certificate, "" of anything else."""
        ends = inspection.expiry(decoded(live))
        return "" if ends is None else f"valid until {datetime.fromtimestamp(ends, UTC):%Y-%m-%d}"

    def _fresh(self, spec: SecretSpec, parts: Mapping[str, Body]) -> Values:
        match spec.purpose:
            case Purpose.AUTHORITY:
                made = certificates.authority(spec.subject, self._now())
                return {"tls.crt": made.certificate, "tls.key": made.key}
            case Purpose.TRUST:
                return {"ca.crt": _issuer(parts).certificate}
            case Purpose.CERTIFICATE:
                issuer = _issuer(parts)
                made = certificates.leaf(issuer, spec.hosts, self._now())
                return {"tls.crt": made.certificate, "tls.key": made.key, "ca.crt": issuer.certificate}
            case Purpose.DATABASE:
                return {**self._login(spec.subject), "postgres-password": self._password()}
            case Purpose.REDIS_CLIENT | Purpose.RABBITMQ_CLIENT:
                return self._login(spec.subject)
            case Purpose.REDIS_USERS | Purpose.RABBITMQ_USERS:
                return self._users(spec, {}, parts)[0]
            case Purpose.APPLICATION:
                return {"jwt-signing-key": self._password()}
            case Purpose.ADMIN:
                return self._login("admin")

    def _users(self, spec: SecretSpec, held: Values, parts: Mapping[str, Body]) -> tuple[Values, tuple[str, ...]]:
        clients = dict(_login(name, parts[name]) for name in spec.made_from)
        if spec.purpose is Purpose.REDIS_USERS:
            probe = held.get("probe-password") or self._password()
            users, added = values.redis_users(held.get("users.acl"), probe, clients)
            return {**held, "users.acl": users, "probe-password": probe}, added
        admin = held.get("admin-password") or self._password()
        monitor = held.get("monitor-password") or self._password()
        staff = {"admin": (admin, "administrator"), "monitor": (monitor, "monitoring")}
        users, added = values.rabbitmq_users(held.get("definitions.json"), staff, clients, self._random)
        cookie = held.get("erlang-cookie") or self._password()
        made = {"admin-password": admin, "monitor-password": monitor, "erlang-cookie": cookie}
        return {**held, **made, "definitions.json": users}, added

    def _password(self) -> SecretText:
        return values.password(self._random)

    def _login(self, username: str) -> Values:
        return {"username": SecretText(username), "password": self._password()}

    def _manifest(
        self, spec: SecretSpec, made: Values, live: Body | None = None, notes: Mapping[str, str] = MappingProxyType({})
    ) -> Manifest:
        metadata: dict[str, Any] = {
            "name": spec.ref.name,
            "namespace": spec.ref.namespace,
            "labels": {PART_OF: PLATFORM, MANAGED_BY: FIELD_MANAGER},
            "annotations": {GENERATED: "true", **notes},
        }
        if live is not None:
            # Between our read and this write somebody may have added a user: then the server refuses, and a rerun adds.
            metadata["resourceVersion"] = (live.get("metadata") or {}).get("resourceVersion")
        body = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": metadata,
            "type": (live or {}).get("type") or _TYPES.get(spec.purpose, "Opaque"),
            "data": MaskedMapping({**((live or {}).get("data") or {}), **encoded(made)}),
        }
        return Manifest(spec.ref, "v1", body, "generated")


def _issuer(parts: Mapping[str, Body]) -> Pair:
    held = decoded(parts[ISSUER])
    certificate, key = held.get("tls.crt"), held.get("tls.key")
    if certificate is None or key is None:
        raise PreflightRefused(f"the Secret {ISSUER} has no readable tls.crt and tls.key, so nothing can be signed")
    return Pair(certificate, key)


def _login(name: str, body: Body) -> tuple[str, SecretText]:
    held = decoded(body)
    username, password = held.get("username"), held.get("password")
    if username is None or password is None:
        raise PreflightRefused(f"the Secret {name} has no readable username and password")
    return username.reveal(), password


def _readable(spec: SecretSpec, live: Body) -> Values:
    held = {key: value for key, value in decoded(live).items() if value is not None}
    missing = [key for key in spec.keys[:1] if key not in held]
    if missing:
        raise PreflightRefused(f"the Secret {spec.ref.name} has no readable key {missing[0]}")
    return held

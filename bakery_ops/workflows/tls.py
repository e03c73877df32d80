"""`tls`: the certificates among the secrets."""

from __future__ import annotations

from collections.abc import Sequence

from bakery_ops.model.secrets import SecretRow, SecretSpec
from bakery_ops.workflows import secrets
from bakery_ops.workflows.ports import Requests, Say
from bakery_ops.workflows.secrets import Announce, Ensured, Mint


def ensure(
    requests: Requests, mint: Mint, specs: Sequence[SecretSpec], *, say: Say, announce: Announce = lambda refs: None
) -> Ensured:
    """Create the certificates of `specs` that the cluster lacks, as `secrets.ensure`; other secrets are left alone."""
    return secrets.ensure(requests, mint, certificates(specs), say=say, announce=announce)


def check(requests: Requests, mint: Mint, specs: Sequence[SecretSpec]) -> tuple[SecretRow, ...]:
    """Names, key, chain and age of each certificate in the cluster."""
    return secrets.check(requests, mint, certificates(specs))


def certificates(specs: Sequence[SecretSpec]) -> tuple[SecretSpec, ...]:
    return tuple(spec for spec in specs if spec.purpose.is_certificate)

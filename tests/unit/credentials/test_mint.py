"""What people put into our Secrets by hand is used where it can be, and refused in a sentence where it cannot."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

from bakery_ops.credentials import Mint
from bakery_ops.errors import PreflightRefused
from bakery_ops.model.manifest import ObjectRef
from bakery_ops.model.secrets import ISSUER, Purpose, SecretSpec

NOW = 1_800_000_000.0
WEB = SecretSpec(ObjectRef("", "Secret", "shop", "web-tls"), Purpose.CERTIFICATE, "web", ("web",), (ISSUER,))
USERS = SecretSpec(ObjectRef("", "Secret", "shop", "rabbitmq-definitions"), Purpose.RABBITMQ_USERS, "rabbitmq")
EC, OTHER = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))


def body(**data: str) -> dict[str, Any]:
    return {"data": {key.replace("_", "."): base64.b64encode(text.encode()).decode() for key, text in data.items()}}


def pem(key: Any, password: bytes = b"") -> str:
    how = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, how).decode()


def authority_of(key: Any) -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ours")])
    moment = datetime.fromtimestamp(NOW, UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(moment).not_valid_after(moment + timedelta(days=9))
    signed = builder.sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM).decode()


def test_an_authority_with_an_rsa_key_signs() -> None:
    key = rsa.generate_private_key(65537, 2048)
    issuer = body(tls_crt=authority_of(key), tls_key=pem(key))
    made = Mint(lambda: NOW).make(WEB, None, {ISSUER: issuer}).manifest
    assert made is not None
    leaf = x509.load_pem_x509_certificate(base64.b64decode(made.body["data"]["tls.crt"]))
    leaf.verify_directly_issued_by(x509.load_pem_x509_certificate(authority_of(key).encode()))


@pytest.mark.parametrize(
    ("certificate", "key", "why"),
    [
        (authority_of(EC), "canary", "tls.key is no private key"),
        (authority_of(EC), pem(EC, b"canary"), "has a password"),
        (authority_of(EC), pem(OTHER), "do not belong together"),
        ("canary", pem(EC), "tls.crt is no certificate"),
        (authority_of(edwards := ed25519.Ed25519PrivateKey.generate()), pem(edwards), "neither an elliptic curve key"),
    ],
)
def test_an_authority_that_cannot_sign_is_refused_and_not_quoted(certificate: str, key: str, why: str) -> None:
    with pytest.raises(PreflightRefused, match=f"{ISSUER} cannot sign.*{why}") as caught:
        Mint(lambda: NOW).make(WEB, None, {ISSUER: body(tls_crt=certificate, tls_key=key)})
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("text", ["canary: yaml", "[]", '{"users": {"canary": 1}}', '{"permissions": ["canary"]}', "["])
def test_a_users_list_of_rabbitmq_that_is_none_is_refused_and_not_quoted(text: str) -> None:
    with pytest.raises(PreflightRefused, match=r"definitions\.json") as caught:
        Mint(lambda: NOW).make(USERS, body(definitions_json=text), {})
    assert "canary" not in str(caught.value)


def test_what_somebody_added_to_the_users_list_of_rabbitmq_stays() -> None:
    made = Mint(lambda: NOW).make(USERS, body(definitions_json='{"queues": [{"name": "q"}]}'), {}).manifest
    assert made is not None
    kept = json.loads(base64.b64decode(made.body["data"]["definitions.json"]))
    assert kept["queues"] == [{"name": "q"}]

"""The platform's authority and the certificates it signs: EC P-256, servers only, backdated for clocks that differ."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from bakery_ops.credentials.secret import SecretText
from bakery_ops.errors import PreflightRefused
from bakery_ops.model.secrets import ISSUER

AUTHORITY_LIFE = timedelta(days=3650)
LEAF_LIFE = timedelta(days=90)
_BACKDATED = timedelta(minutes=5)
_COMMON_NAME_LIMIT = 64  # characters, RFC 5280


class Pair(NamedTuple):
    """A certificate and its key, both PEM."""

    certificate: SecretText
    key: SecretText


def authority(name: str, now: float) -> Pair:
    """A new self-signed authority, valid for ten years from `now` (epoch seconds)."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name(f"{name} authority")
    certificate = (
        _builder(subject, subject, key.public_key(), now, AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    return _pair(certificate, key)


def leaf(issuer: Pair, hosts: Sequence[str], now: float) -> Pair:
    """A server certificate for `hosts`, signed by `issuer`, valid for 90 days from `now` (epoch seconds).

    Raises: PreflightRefused: that pair cannot sign.
    """
    issuer_certificate, issuer_key = _signing(issuer)
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        _builder(_name(hosts[0]), issuer_certificate.subject, key.public_key(), now, LEAF_LIFE)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        # Servers only: a stolen server key is no client certificate (docs/hardening.md, "Encryption in transit").
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False
        )
        .sign(issuer_key, hashes.SHA256())
    )  # fmt: skip
    return _pair(certificate, key)


def _signing(issuer: Pair) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey]:
    """The authority as somebody may have brought it. What was not understood is not quoted: it may be the key."""
    try:
        certificate = x509.load_pem_x509_certificate(issuer.certificate.reveal().encode())
    except ValueError:
        raise _cannot_sign("its tls.crt is no certificate in PEM") from None
    try:
        key = serialization.load_pem_private_key(issuer.key.reveal().encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):  # a TypeError: the key has a password
        raise _cannot_sign("its tls.key is no private key in PEM, or has a password") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise _cannot_sign("its tls.key is neither an elliptic curve key nor an RSA key")
    if key.public_key() != certificate.public_key():
        raise _cannot_sign("its tls.crt and tls.key do not belong together")
    return certificate, key


def _cannot_sign(why: str) -> PreflightRefused:
    return PreflightRefused(
        f"the Secret {ISSUER} cannot sign certificates: {why}",
        remedy="put a CA's certificate and key there, or delete it so that a new authority is made",
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, public_key: ec.EllipticCurvePublicKey, now: float, life: timedelta
) -> x509.CertificateBuilder:
    moment = datetime.fromtimestamp(int(now), UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment - _BACKDATED)
        .not_valid_after(moment + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:_COMMON_NAME_LIMIT])])


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pair(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Pair:
    encoded_key = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return Pair(
        SecretText(certificate.public_bytes(serialization.Encoding.PEM).decode()), SecretText(encoded_key.decode())
    )

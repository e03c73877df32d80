"""What is wrong with a secret that is there (docs/faults.md, rows B26-B28 and B36-B42). Names keys, never values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID

from bakery_ops.credentials.secret import SecretText
from bakery_ops.model.secrets import Purpose, SecretSpec

_WARN_DAYS = 14
_SHORTEST = 24
_WELL_KNOWN = frozenset({"changeme", "guest", "password", "postgres", "admin", "secret", "redis", "rabbitmq", "root"})
_DAY = 86400


class Remark(NamedTuple):
    """One thing to know about a secret. `serious`: it will not work, or is not safe."""

    text: str
    serious: bool = True


def remarks(
    spec: SecretSpec, held: Mapping[str, SecretText | None], trusted: Mapping[str, SecretText | None], now: float
) -> Sequence[Remark]:
    """All remarks on a secret, worst first. `trusted`: what clients trust (`ca.crt`); `now`: epoch seconds."""
    found = list(_values(spec, held))
    if spec.purpose.is_certificate and not any(remark.serious for remark in found):
        found += _certificate(spec, held, trusted, now)
    return sorted(found, key=lambda remark: not remark.serious)


def _values(spec: SecretSpec, held: Mapping[str, SecretText | None]) -> Iterator[Remark]:
    for key in spec.keys:
        if key not in held:
            yield Remark(f"key {key} is missing")
            continue
        value = held[key]
        if value is None:
            yield Remark(f"{key} is not base64 of a text")
        elif not value.reveal().strip():
            yield Remark(f"{key} is empty")
        elif "password" in key or key == "jwt-signing-key":
            yield from _strength(key, value.reveal())


def _strength(key: str, text: str) -> Iterator[Remark]:
    if text != text.strip():
        yield Remark(f"{key} begins or ends with a space or a line break, which files keep and people do not see")
    elif text.lower() in _WELL_KNOWN:
        yield Remark(f"{key} is a well-known password")
    elif len(text) < _SHORTEST:
        yield Remark(f"{key} is shorter than {_SHORTEST} characters", serious=False)


def _certificate(
    spec: SecretSpec, held: Mapping[str, SecretText | None], trusted: Mapping[str, SecretText | None], now: float
) -> Iterator[Remark]:
    name = "ca.crt" if spec.purpose is Purpose.TRUST else "tls.crt"
    certificate = _loaded(held.get(name))
    if certificate is None:
        yield Remark(f"{name} is not a PEM certificate")
        return
    yield from _age(certificate, now)
    yield from _algorithm(certificate)
    if "tls.key" in spec.keys:
        yield from _key(certificate, held.get("tls.key"))
    if spec.purpose is Purpose.CERTIFICATE:
        yield from _names(certificate, spec.hosts)
        yield from _usage(certificate)
        yield from _chain(certificate, trusted.get("ca.crt") or held.get("ca.crt"), now)
    elif not _is_authority(certificate):
        yield Remark(f"{name} is not a certificate of an authority (CA:FALSE)")


def _loaded(value: SecretText | None) -> x509.Certificate | None:
    try:
        return x509.load_pem_x509_certificate(value.reveal().encode()) if value else None
    except ValueError:
        return None


def _age(certificate: x509.Certificate, now: float) -> Iterator[Remark]:
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    moment = datetime.fromtimestamp(now, UTC)
    if ends <= moment:
        yield Remark(f"expired on {ends:%Y-%m-%d %H:%M} UTC")
    elif begins > moment:
        yield Remark(
            f"is valid only from {begins:%Y-%m-%d %H:%M} UTC; the cluster's clock says {moment:%Y-%m-%d %H:%M}"
        )
    elif (left := (ends - moment).total_seconds() / _DAY) < _WARN_DAYS:
        yield Remark(f"expires in {left:.0f} days, on {ends:%Y-%m-%d}", serious=False)


def _algorithm(certificate: x509.Certificate) -> Iterator[Remark]:
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < 2048:
        yield Remark(f"has an RSA key of {key.key_size} bits; 2048 is the least")
    try:
        algorithm = certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return
    if isinstance(algorithm, hashes.SHA1 | hashes.MD5):
        yield Remark(f"is signed with {algorithm.name.upper()}")


def _key(certificate: x509.Certificate, value: SecretText | None) -> Iterator[Remark]:
    try:
        key = serialization.load_pem_private_key(value.reveal().encode() if value else b"", password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        yield Remark("tls.key is not a private key without a passphrase")
        return
    if _public_bytes(key.public_key()) != _public_bytes(certificate.public_key()):
        yield Remark("tls.key does not belong to tls.crt")


def _public_bytes(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _names(certificate: x509.Certificate, hosts: Sequence[str]) -> Iterator[Remark]:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        yield Remark(f"has no subject alternative names; it needs {', '.join(hosts)}")
        return
    names = set(extension.value.get_values_for_type(x509.DNSName))
    missing = [host for host in hosts if host not in names and f"*.{host.partition('.')[2]}" not in names]
    if missing:
        yield Remark(f"is not for {', '.join(missing)}")


def _usage(certificate: x509.Certificate) -> Iterator[Remark]:
    if _is_authority(certificate):
        yield Remark("is an authority's certificate, not a server's (CA:TRUE)")
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return
    if ExtendedKeyUsageOID.SERVER_AUTH not in usage:
        yield Remark("is not meant for servers (extended key usage)")


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _chain(certificate: x509.Certificate, bundle: SecretText | None, now: float) -> Iterator[Remark]:
    try:
        authorities = x509.load_pem_x509_certificates(bundle.reveal().encode()) if bundle else []
    except ValueError:
        authorities = []
    if not authorities:
        yield Remark("there is no authority to check it against (bakery-ca, key ca.crt)")
        return
    issuers = [authority for authority in authorities if _signed(certificate, authority)]
    if not issuers:
        yield Remark("is not signed by the authority that clients trust (bakery-ca)")
    elif not any(_is_authority(issuer) for issuer in issuers):
        yield Remark("is signed by a certificate that is no authority (CA:FALSE)")
    elif all(issuer.not_valid_after_utc.timestamp() <= now for issuer in issuers):
        yield Remark("is signed by an authority that has expired")


def _signed(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def expiry(held: Mapping[str, SecretText | None]) -> float | None:
    """When a certificate's Secret stops being valid (epoch seconds), or None."""
    certificate = _loaded(held.get("tls.crt") or held.get("ca.crt"))
    return None if certificate is None else certificate.not_valid_after_utc.timestamp()

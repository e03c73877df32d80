"""The cluster's certificates: one authority, a leaf per component, a key pair for service accounts (EC P-256)."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_LIFETIME = timedelta(days=365)
_CLOCK_SKEW = timedelta(hours=1)


class Leaf(NamedTuple):
    """A certificate to issue: file stem, who it speaks for, and the names a server may be called by."""

    stem: str
    common_name: str
    organization: str = ""
    hosts: tuple[str, ...] = ()


PROXY_LEAF = Leaf("proxy", "system:kube-proxy")


def control_plane_leaves(hosts: Sequence[str]) -> list[Leaf]:
    """The leaves every cluster needs; `hosts` are the names and addresses its API server is reached by."""
    return [
        Leaf("apiserver", "kube-apiserver", hosts=tuple(hosts)),
        Leaf("admin", "bakery-sandbox-admin", "system:masters"),
        Leaf("controller-manager", "system:kube-controller-manager"),
        Leaf("scheduler", "system:kube-scheduler"),
        Leaf("front-proxy", "front-proxy"),
        Leaf("volume-provisioner", "bakery-sandbox-volume-provisioner", "system:masters"),
        Leaf("network-policy", "bakery-sandbox-network-policy", "system:masters"),
        Leaf("simulator", "bakery-sandbox-simulator", "system:masters", ("localhost", "127.0.0.1")),
        Leaf("metrics", "bakery-sandbox-metrics", hosts=("metrics-server.kube-system.svc",)),
    ]


def node_leaf(node: str, address: str) -> Leaf:
    """The kubelet's identity (Node authorization asks for exactly this name and group) and serving certificate."""
    return Leaf(f"node-{node}", f"system:node:{node}", "system:nodes", (node, address))


def write_pki(directory: Path, leaves: Sequence[Leaf]) -> None:
    """Write `ca.crt|key`, `<stem>.crt|key` of each leaf and `service-account.pub|key` into `directory` (mode 0700)."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    authority_key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bakery-sandbox")])
    authority = (
        _builder(name, name, authority_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    _write_pair(directory, "ca", authority, authority_key)
    for leaf in leaves:
        key = ec.generate_private_key(ec.SECP256R1())
        _write_pair(directory, leaf.stem, _issue(leaf, key.public_key(), name, authority_key), key)
    account = ec.generate_private_key(ec.SECP256R1())
    _write_key(directory / "service-account.key", account)
    (directory / "service-account.pub").write_bytes(
        account.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )


def _issue(
    leaf: Leaf, key: ec.EllipticCurvePublicKey, issuer: x509.Name, issuer_key: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, leaf.common_name)]
    if leaf.organization:
        attributes.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, leaf.organization))
    builder = (
        _builder(x509.Name(attributes), issuer, key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
        )
    )
    if leaf.hosts:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([_host(host) for host in leaf.hosts]), critical=False
        )
    return builder.sign(issuer_key, hashes.SHA256())


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + _LIFETIME)
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _write_pair(directory: Path, stem: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    (directory / f"{stem}.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    _write_key(directory / f"{stem}.key", key)


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(text)

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import NameOID

from bakery_ops.sandbox import kubeconfig, pki


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("cluster") / "pki"
    pki.write_pki(place, [*pki.control_plane_leaves(["localhost", "10.96.0.1"]), pki.node_leaf("node-1", "10.231.0.2")])
    return place


def certificate(directory: Path, stem: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate((directory / f"{stem}.crt").read_bytes())


def test_every_leaf_is_signed_by_the_authority(directory: Path) -> None:
    authority = certificate(directory, "ca")
    stems = {path.stem for path in directory.glob("*.crt")}
    assert {"apiserver", "admin", "node-node-1"} < stems
    for stem in stems:
        certificate(directory, stem).verify_directly_issued_by(authority)


def test_keys_belong_to_their_certificates_and_only_the_owner_reads_them(directory: Path) -> None:
    keys = list(directory.glob("*.key"))
    assert {path.stem for path in keys} == {path.stem for path in directory.glob("*.crt")} | {"service-account"}
    assert [path.name for path in keys if path.stat().st_mode & 0o077] == []
    for path in keys:
        if path.stem != "service-account":
            key = serialization.load_pem_private_key(path.read_bytes(), None)
            assert key.public_key() == certificate(directory, path.stem).public_key()


def test_the_api_server_may_be_called_by_its_names_and_addresses(directory: Path) -> None:
    names = certificate(directory, "apiserver").extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["10.96.0.1"]


def test_a_kubelet_is_who_node_authorization_expects(directory: Path) -> None:
    subject = certificate(directory, "node-node-1").subject
    assert subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "system:node:node-1"
    assert subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)[0].value == "system:nodes"


def test_a_kubeconfig_carries_its_keys_and_is_private(directory: Path, tmp_path: Path) -> None:
    document = kubeconfig.document(context="bakery-sandbox", server="https://127.0.0.1:1", pki=directory, stem="admin")
    path = tmp_path / "deep" / "kubeconfig"
    kubeconfig.write(path, document)
    assert path.stat().st_mode & 0o077 == 0
    assert document["current-context"] == document["contexts"][0]["name"] == "bakery-sandbox"
    assert "certificate-authority-data" in document["clusters"][0]["cluster"]

"""From a kubeconfig to a checked connection, or to one sentence that says why not."""

from __future__ import annotations

import base64
import ssl
import subprocess
import sys
import time
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bakery_ops.bootstrap.clusters import Place, reach
from bakery_ops.cluster.connection import connect
from bakery_ops.model.profile import Profile
from tests.unit.cluster.kubeconfigs import KUBE_SYSTEM, VERSION, answering, closing, kubeconfig, refusal
from tests.unit.cluster.scripted import Hold, Say, ScriptedServer, status


def test_a_connection_knows_the_cluster_it_reached(server: ScriptedServer, tmp_path: Path) -> None:
    connection = closing(connect(kubeconfig(tmp_path, answering(server).url)))
    assert (connection.context, connection.version, connection.minor) == ("dev", "v1.34.1", 34)
    assert (connection.identity.uid, connection.namespace) == ("kube-system-uid", "default")
    assert connection.request_count == 2
    assert 0 < connection.round_trip < 5


@pytest.mark.parametrize(("minor", "is_told"), [("29", True), ("30", False), ("34+", False), ("", False)])
def test_a_cluster_older_than_we_are_made_for_is_told(
    server: ScriptedServer, tmp_path: Path, minor: str, is_told: bool
) -> None:
    """B50"""
    answering(server).always("GET", "/version", Say(200, {"gitVersion": f"v1.{minor}.2", "minor": minor}))
    said: list[str] = []
    closing(reach(Place(kubeconfig(tmp_path, server.url), "dev"), Profile("dev", overlay="o"), said.append))
    assert [line for line in said if f"Kubernetes v1.{minor}.2, and this is made for 1.30" in line] == said
    assert bool(said) is is_told


def test_the_servers_clock_is_learnt_from_its_date(server: ScriptedServer, tmp_path: Path) -> None:
    connection = closing(connect(kubeconfig(tmp_path, answering(server).url)))
    assert abs(connection.clock.now() - 1704067200) < 30  # the scripted server lives on 1 January 2024
    assert connection.clock.offset()[0] < -86400


def test_the_identity_is_the_same_whatever_the_address(secure: ScriptedServer, pki: Path, tmp_path: Path) -> None:
    """B43"""
    authority = {"certificate-authority": str(pki / "ca.crt")}
    by_file = closing(connect(kubeconfig(tmp_path, answering(secure).url, **authority)))
    data = {"certificate-authority-data": base64.b64encode((pki / "ca.crt").read_bytes()).decode()}
    by_data = closing(
        connect(
            kubeconfig(
                tmp_path, secure.url.replace("127.0.0.1", "localhost"), **data, **{"tls-server-name": "127.0.0.1"}
            )
        )
    )
    assert by_file.identity == by_data.identity
    assert len(by_file.identity.ca) == 64


def test_a_forbidden_kube_system_leaves_the_uid_unknown(server: ScriptedServer, tmp_path: Path) -> None:
    server.always("GET", "/version", VERSION).always("GET", KUBE_SYSTEM, status(403, "Forbidden", "no"))
    assert closing(connect(kubeconfig(tmp_path, server.url))).identity.uid == ""


def test_a_server_that_is_only_starting_is_waited_for(server: ScriptedServer, tmp_path: Path) -> None:
    server.expect("GET", "/version", status(503), status(429, headers={"Retry-After": "0"}))
    assert closing(connect(kubeconfig(tmp_path, answering(server).url))).version == "v1.34.1"


# --- why not ---


def test_nothing_listens(tmp_path: Path) -> None:
    """B46"""
    with ScriptedServer() as gone:
        url = gone.url
    error = refusal(kubeconfig(tmp_path, url))
    assert str(error) == f"The API server {url} of context dev does not answer: connection refused."
    assert error.remedy


def test_the_name_does_not_resolve(tmp_path: Path) -> None:
    assert "its name does not resolve" in str(refusal(kubeconfig(tmp_path, "http://api.nonesuch.invalid:6443")))


def test_a_silent_server_is_given_up_at_the_deadline(server: ScriptedServer, tmp_path: Path) -> None:
    server.expect("GET", "/version", Hold())
    began = time.monotonic()
    assert "did not answer within 1 s" in str(refusal(kubeconfig(tmp_path, server.url), deadline=1.0))
    assert time.monotonic() - began < 3


def test_the_certificate_is_not_trusted(secure: ScriptedServer, tmp_path: Path) -> None:
    error = refusal(kubeconfig(tmp_path, secure.url))
    assert "TLS failed: " in str(error)
    assert "certificate authority" in error.remedy


def test_the_certificate_is_for_another_name(secure: ScriptedServer, pki: Path, tmp_path: Path) -> None:
    path = kubeconfig(
        tmp_path, secure.url, **{"certificate-authority": str(pki / "ca.crt"), "tls-server-name": "api.example"}
    )
    assert "api.example" in str(refusal(path))


def test_an_expired_certificate_is_shown_with_both_clocks(tmp_path: Path) -> None:
    """F17"""
    certificate, key = expired(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    with ScriptedServer(tls) as server:
        server.expect("GET", "/version", status(401))
        error = refusal(kubeconfig(tmp_path, server.url, **{"certificate-authority": str(certificate)}))
        assert "certificate has expired" in str(error)
        assert "server's clock says 2024-01-01" in error.details[0]
        assert "Authorization" not in server.seen[0].headers


def test_something_else_than_an_api_server_is_said_to_be_that(server: ScriptedServer, tmp_path: Path) -> None:
    server.expect("GET", "/version", Say(200, b"<html>welcome to the hotel</html>"))
    assert "is no Kubernetes API server" in str(refusal(kubeconfig(tmp_path, server.url)))


def expired(folder: Path) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1 that ended in 2020."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "old")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2019, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2020, 1, 1, tzinfo=UTC))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "old.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "old.key").write_bytes(key.private_bytes(*form))
    return folder / "old.crt", folder / "old.key"


def test_plain_http_behind_an_https_address_is_a_tls_failure(server: ScriptedServer, tmp_path: Path) -> None:
    path = kubeconfig(tmp_path, server.url.replace("http:", "https:"), **{"insecure-skip-tls-verify": True})
    assert "does not answer" in str(refusal(path))


def test_wrong_credentials_name_the_context_and_both_clocks(server: ScriptedServer, tmp_path: Path) -> None:
    """F16, F17"""
    server.always("GET", "/version", status(401))
    error = refusal(kubeconfig(tmp_path, server.url))
    assert "does not accept the credentials of context dev (401)" in str(error)
    assert "server's clock says 2024-01-01 00:00:00 UTC, this machine's 20" in error.details[0]


def test_a_server_that_stays_broken_is_refused_within_the_deadline(server: ScriptedServer, tmp_path: Path) -> None:
    server.always("GET", "/version", status(503))
    assert "503" in str(refusal(kubeconfig(tmp_path, server.url), deadline=2.0))


def test_connecting_imports_a_fraction_of_the_kubernetes_package_and_leaves_the_rest_usable() -> None:
    program = """
import sys
from bakery_ops.cluster import connection
connection._package()
assert "kubernetes" not in sys.modules and "pydantic" not in sys.modules, sorted(sys.modules)
import kubernetes
kubernetes.client.CoreV1Api, kubernetes.config.load_kube_config
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)

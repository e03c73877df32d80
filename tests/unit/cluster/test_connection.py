"""From a kubeconfig to a checked connection, or to one sentence that says why not."""

from __future__ import annotations

import base64
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from bakery_ops.cluster.connection import Connection, connect
from bakery_ops.errors import PreflightRefused, UsageError
from bakery_ops.model.manifest import ObjectRef
from bakery_ops.sandbox.pki import Leaf, write_pki
from tests.unit.cluster.scripted import Hold, Say, ScriptedServer, status

VERSION = Say(200, {"major": "1", "minor": "34+", "gitVersion": "v1.34.1"})
KUBE_SYSTEM = "/api/v1/namespaces/kube-system"


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("pki")
    write_pki(
        directory,
        [Leaf("server", "server", hosts=("127.0.0.1",)), Leaf("other", "x", hosts=("api.example",)), Leaf("me", "me")],
    )
    return directory


@pytest.fixture
def secure(pki: Path) -> Iterator[ScriptedServer]:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(pki / "server.crt", pki / "server.key")
    tls.load_verify_locations(pki / "ca.crt")
    tls.verify_mode = ssl.CERT_OPTIONAL
    with ScriptedServer(tls) as scripted:
        yield scripted
    assert scripted.unexpected == []


def answering(server: ScriptedServer) -> ScriptedServer:
    server.always("GET", "/version", VERSION)
    return server.always("GET", KUBE_SYSTEM, Say(200, {"metadata": {"uid": "kube-system-uid"}}))


def kubeconfig(path: Path, server: str, user: dict[str, Any] | None = None, **cluster: Any) -> Path:
    file = path / "kubeconfig"
    document = {
        "kind": "Config",
        "current-context": "dev",
        "clusters": [{"name": "dev", "cluster": {"server": server, **cluster}}],
        "contexts": [{"name": "dev", "context": {"cluster": "dev", "user": "me"}}],
        "users": [{"name": "me", "user": user or {"token": "canary"}}],
    }
    file.write_text(yaml.safe_dump(document))
    return file


def closing(connection: Connection) -> Connection:
    connection.close()
    return connection


def test_a_connection_knows_the_cluster_it_reached(server: ScriptedServer, tmp_path: Path) -> None:
    connection = closing(connect(kubeconfig(tmp_path, answering(server).url)))
    assert (connection.context, connection.version, connection.minor) == ("dev", "v1.34.1", 34)
    assert (connection.identity.uid, connection.namespace) == ("kube-system-uid", "default")
    assert connection.request_count == 2
    assert 0 < connection.round_trip < 5


def test_the_servers_clock_is_learnt_from_its_date(server: ScriptedServer, tmp_path: Path) -> None:
    connection = closing(connect(kubeconfig(tmp_path, answering(server).url)))
    assert abs(connection.clock.now() - 1704067200) < 30  # the scripted server lives on 1 January 2024
    assert connection.clock_offset < -86400


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


def refusal(path: Path, **more: Any) -> PreflightRefused:
    with pytest.raises(PreflightRefused) as caught:
        connect(path, **more)
    assert "canary" not in repr(caught.value)
    return caught.value


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


def test_plain_http_behind_an_https_address_is_a_tls_failure(server: ScriptedServer, tmp_path: Path) -> None:
    path = kubeconfig(tmp_path, server.url.replace("http:", "https:"), **{"insecure-skip-tls-verify": True})
    assert "does not answer" in str(refusal(path))


def test_wrong_credentials_name_the_context_and_both_clocks(server: ScriptedServer, tmp_path: Path) -> None:
    """F16, F17"""
    server.always("GET", "/version", status(401))
    error = refusal(kubeconfig(tmp_path, server.url))
    assert "does not accept the credentials of context dev (401)" in str(error)
    assert "behind this machine's" in error.details[0]


def test_a_server_that_stays_broken_is_refused_within_the_deadline(server: ScriptedServer, tmp_path: Path) -> None:
    server.always("GET", "/version", status(503))
    assert "503" in str(refusal(kubeconfig(tmp_path, server.url), deadline=2.0))


# --- who we are ---


def seen_headers(server: ScriptedServer) -> dict[str, str]:
    return dict(server.seen[-1].headers)


def test_an_unverified_server_is_accepted_where_the_file_says_so(secure: ScriptedServer, tmp_path: Path) -> None:
    closing(connect(kubeconfig(tmp_path, answering(secure).url, **{"insecure-skip-tls-verify": True})))


def test_a_client_certificate_is_shown_and_its_key_leaves_no_file(
    secure: ScriptedServer, pki: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    pair = {
        "client-certificate-data": base64.b64encode((pki / "me.crt").read_bytes()).decode(),
        "client-key-data": base64.b64encode((pki / "me.key").read_bytes()).decode(),
    }
    closing(
        connect(kubeconfig(tmp_path, answering(secure).url, pair, **{"certificate-authority": str(pki / "ca.crt")}))
    )
    assert list((tmp_path / "temporary").iterdir()) == []


def test_a_certificate_and_a_key_that_do_not_belong_together(secure: ScriptedServer, pki: Path, tmp_path: Path) -> None:
    user = {"client-certificate": str(pki / "me.crt"), "client-key": str(pki / "other.key")}
    with pytest.raises(UsageError, match="belong together"):
        connect(kubeconfig(tmp_path, secure.url, user, **{"certificate-authority": str(pki / "ca.crt")}))


def test_a_missing_credentials_file_is_named(server: ScriptedServer, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"tokenFile .*none cannot be read"):
        connect(kubeconfig(tmp_path, server.url, {"tokenFile": "none"}))


def test_a_rotated_token_file_is_read_again_after_a_401(server: ScriptedServer, tmp_path: Path) -> None:
    """F16"""
    (tmp_path / "token").write_text("first\n")
    connection = connect(kubeconfig(tmp_path, answering(server).url, {"tokenFile": "token"}))
    (tmp_path / "token").write_text("second\n")
    path = "/api/v1/namespaces/default/pods/x"
    server.expect("GET", path, status(401), Say(200))
    assert connection.requests.read(ObjectRef("", "Pod", "default", "x")).status == 200
    assert seen_headers(server)["Authorization"] == "Bearer second"
    connection.close()


def test_user_and_password_and_impersonation_are_sent(server: ScriptedServer, tmp_path: Path) -> None:
    closing(connect(kubeconfig(tmp_path, answering(server).url, {"username": "u", "password": "p", "as": "deployer"})))
    assert seen_headers(server)["Authorization"] == "Basic " + base64.b64encode(b"u:p").decode()
    assert seen_headers(server)["Impersonate-User"] == "deployer"


def plugin(folder: Path, script: str) -> dict[str, Any]:
    program = folder / "plugin.sh"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": "./plugin.sh",
            "env": [{"name": "WHO", "value": "me"}],
        }
    }


def test_an_exec_plugin_gives_the_token(server: ScriptedServer, tmp_path: Path) -> None:
    credential = (
        '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"of-\'$WHO\'"}}'
    )
    user = plugin(tmp_path, f"echo '{credential}'")
    closing(connect(kubeconfig(tmp_path, answering(server).url, user)))
    assert seen_headers(server)["Authorization"] == "Bearer of-me"


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("echo no login >&2; exit 3", "returned 3. no login"),
        ("echo not json", "failed to decode"),
        (
            'echo \'{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{}}\'',
            "neither token nor",
        ),
    ],
)
def test_a_failing_exec_plugin_is_an_error_and_not_an_anonymous_request(
    server: ScriptedServer, tmp_path: Path, script: str, says: str
) -> None:
    """The kubernetes package logs it and goes on without credentials."""
    with pytest.raises(UsageError, match=says):
        connect(kubeconfig(tmp_path, server.url, plugin(tmp_path, script)))
    assert server.seen == []


def test_a_missing_exec_plugin_shows_the_install_hint(server: ScriptedServer, tmp_path: Path) -> None:
    call = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": "no-such-plugin-anywhere",
        "installHint": "get it there",
    }
    with pytest.raises(UsageError, match="no such program") as caught:
        connect(kubeconfig(tmp_path, server.url, {"exec": call}))
    assert caught.value.remedy == "get it there"


def test_the_environments_proxy_is_used_unless_no_proxy_says_otherwise(
    server: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ScriptedServer() as gone:
        dead_proxy = gone.url
    monkeypatch.setenv("http_proxy", dead_proxy)
    monkeypatch.delenv("no_proxy", raising=False)
    error = refusal(kubeconfig(tmp_path, "http://cluster.example:6443"))
    assert "proxy failed" in str(error)
    assert "NO_PROXY" in error.remedy
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    closing(connect(kubeconfig(tmp_path, answering(server).url)))


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

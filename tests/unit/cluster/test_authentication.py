"""Who we are to the server: certificates, tokens, plugins, and the way there."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from bakery_ops.cluster.connection import connect
from bakery_ops.errors import UsageError
from bakery_ops.model.manifest import ObjectRef
from tests.unit.cluster.kubeconfigs import answering, closing, kubeconfig, refusal
from tests.unit.cluster.scripted import Say, ScriptedServer, status


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


def test_a_kubeconfig_that_was_renewed_is_read_again_after_a_401(server: ScriptedServer, tmp_path: Path) -> None:
    """F16"""
    connection = connect(kubeconfig(tmp_path, answering(server).url, {"token": "first"}))
    kubeconfig(tmp_path, server.url, {"token": "second"})
    server.expect("GET", "/api/v1/namespaces/default/pods/x", status(401), Say(200))
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


def token_of(server: ScriptedServer, tmp_path: Path, user: dict[str, Any]) -> str:
    closing(connect(kubeconfig(tmp_path, answering(server).url, user)))
    return seen_headers(server)["Authorization"]


def printing(folder: Path, token: str) -> dict[str, Any]:
    status = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": token}}
    (folder / "answer.json").write_text(json.dumps(status))
    return plugin(folder, f"cat {folder}/answer.json")


def test_a_line_break_after_a_token_is_no_part_of_it(server: ScriptedServer, tmp_path: Path) -> None:
    """B44: a `token: |` block, and a plugin that ends its token with one."""
    assert token_of(server, tmp_path, {"token": "canary\n"}) == "Bearer canary"
    assert token_of(server, tmp_path, printing(tmp_path, "canary\n")) == "Bearer canary"


@pytest.mark.parametrize("token", ["can\nary", "canary€", " ", "can\x00ary"])
def test_a_token_that_no_header_can_hold_is_refused_and_not_shown(
    server: ScriptedServer, tmp_path: Path, token: str
) -> None:
    (tmp_path / "token").write_text(token)
    for user in ({"token": token}, {"tokenFile": "token"}, printing(tmp_path, token)):
        with pytest.raises(UsageError, match="The token of context dev") as caught:
            connect(kubeconfig(tmp_path, server.url, user))
        assert "ary" not in str(caught.value)
        assert caught.value.__cause__ is None
    assert server.seen == []


def test_a_token_file_that_is_not_text_is_refused(server: ScriptedServer, tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes(b"\xff\xfe\xd0")
    with pytest.raises(UsageError, match="The token of context dev"):
        connect(kubeconfig(tmp_path, server.url, {"tokenFile": "token"}))


@pytest.mark.parametrize("address", ["https://[::1", "https://host:99999", "ftp://x", "https://", "https://a b/"])
def test_an_address_that_is_none_is_refused(tmp_path: Path, address: str) -> None:
    with pytest.raises(UsageError, match="The server address of context dev"):
        connect(kubeconfig(tmp_path, address))


@pytest.mark.parametrize("address", ["nonsense", "http://someone:canary@[", "ftp://someone:canary@x"])
def test_a_proxy_that_cannot_be_used_is_refused(server: ScriptedServer, tmp_path: Path, address: str) -> None:
    with pytest.raises(UsageError, match="The proxy of context dev") as caught:
        connect(kubeconfig(tmp_path, server.url, **{"proxy-url": address}))
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("user", "says"),
    [
        ({"exec": "aws"}, "exec of context dev"),
        ({"auth-provider": {"name": "oidc", "config": {}}}, "auth-provider of context dev failed"),
        ({"client-certificate-data": "ü"}, "not base64"),
    ],
)
def test_credentials_of_a_wrong_shape_are_refused(
    server: ScriptedServer, tmp_path: Path, user: dict[str, Any], says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        connect(kubeconfig(tmp_path, server.url, user))

"""Who we are to the server: certificates, tokens, plugins, and the way there."""

from __future__ import annotations

import base64
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import urllib3

from bakery_ops.cluster.clock import ServerClock
from bakery_ops.cluster.connection import connect
from bakery_ops.cluster.transport import Session, Transport
from bakery_ops.errors import ExitCode, OperationFailed, UsageError
from bakery_ops.model.manifest import ObjectRef
from tests.unit.cluster.kubeconfigs import answering, closing, kubeconfig, refusal
from tests.unit.cluster.scripted import Client, Say, ScriptedServer, status


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


def test_all_of_an_impersonation_is_sent(server: ScriptedServer, tmp_path: Path) -> None:
    """As kubectl does: without the groups we would act as somebody who may do less, or more."""
    user = {
        "token": "canary", "as": "jürgen€", "as-uid": "7", "as-groups": ["bakers", "night, shift"],
        "as-user-extra": {"example.org/scope": ["one", "two"]},
    }  # fmt: skip
    closing(connect(kubeconfig(tmp_path, answering(server).url, user)))
    sent = server.seen[-1].every_header
    assert [value.encode("latin-1").decode() for value in sent["impersonate-user"]] == ["jürgen€"]
    assert sent["impersonate-uid"] == ["7"]
    assert sent["impersonate-group"] == ["bakers", "night, shift"]
    assert sent["impersonate-extra-example.org%2fscope"] == ["one", "two"]


@pytest.mark.parametrize(
    ("user", "says"),
    [
        ({"as-groups": ["bakers"]}, "no `as`"),
        ({"as": "me", "as-groups": "bakers"}, "as-groups has to be a list"),
        ({"as": "me\nX-Other: y"}, "control characters"),
    ],
)
def test_an_impersonation_that_kubectl_would_not_take_is_refused(
    server: ScriptedServer, tmp_path: Path, user: dict[str, Any], says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        connect(kubeconfig(tmp_path, server.url, {"token": "canary", **user}))


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


def test_credentials_that_cannot_be_renewed_are_no_bad_input(server: ScriptedServer, client: Client) -> None:
    """F16: by now something may be written, so it is not 64, "nothing was contacted"."""
    server.expect("GET", "/api/v1/namespaces/default/pods/x", status(401))
    client.unusable = 1
    with pytest.raises(OperationFailed, match=r"cannot be renewed: The token file cannot be read") as caught:
        client.requests.read(ObjectRef("", "Pod", "default", "x"))
    assert caught.value.exit_code == ExitCode.FAILED


def test_credentials_that_fail_while_we_connect_refuse_the_run(server: ScriptedServer, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("first")

    def expired(seen: object) -> Say:
        (tmp_path / "token").unlink()
        return status(401)

    server.expect("GET", "/version", expired)
    assert "cannot be renewed" in str(refusal(kubeconfig(tmp_path, server.url, {"tokenFile": "token"})))


class Plugin:
    """Credentials whose renewal takes until `over` is set, and then ends in `problem`. `asked` counts who wants one."""

    def __init__(self, server: ScriptedServer, problem: UsageError | None = None) -> None:
        self.entered, self.over, self.asked = threading.Event(), threading.Event(), threading.Semaphore(0)
        self.runs, self._problem, self._moments = 0, problem, count(1.0)
        self.transport = Transport(server.url, self._authenticate, ServerClock(), steady=self._steady)
        self.runs = 0

    def _authenticate(self) -> Session:
        self.runs += 1
        if hasattr(self, "transport"):
            self.entered.set()
            assert self.over.wait(10)
            if self._problem is not None:
                raise self._problem
        return Session(urllib3.PoolManager(), {})

    def _steady(self) -> float:
        self.asked.release()
        return next(self._moments)


def test_requests_go_on_while_a_plugin_takes_its_time(server: ScriptedServer) -> None:
    """F16: the renewal of the lock must not wait a minute for the plugin of somebody else's request."""
    plugin = Plugin(server.always("GET", "/x", Say(200)))
    with ThreadPoolExecutor() as pool:
        renewing = pool.submit(plugin.transport.renew, 0)
        assert plugin.entered.wait(10)
        asking = pool.submit(plugin.transport.send, "get", "GET", "/x")
        try:
            assert asking.result(5).status == 200
        finally:
            plugin.over.set()
        renewing.result(5)


def test_all_that_wait_for_a_plugin_that_fails_are_told_by_one_run_of_it(server: ScriptedServer) -> None:
    plugin = Plugin(server, UsageError("no login"))
    with ThreadPoolExecutor() as pool:
        told = [pool.submit(plugin.transport.renew, 0) for _ in range(3)]
        for _ in told:
            assert plugin.asked.acquire(timeout=10)
        plugin.over.set()
        assert {"no login" in str(each.exception(5)) for each in told} == {True}
    assert plugin.runs == 1
    with pytest.raises(OperationFailed):
        plugin.transport.renew(0)
    assert plugin.runs == 2, "whoever asks later gets another attempt"

"""Credentials of a kubeconfig context as a pool of connections: client certificates, tokens, exec plugins, proxies."""

from __future__ import annotations

import base64
import hashlib
import os
import socket
import ssl
import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import urllib3
from urllib3 import HTTPHeaderDict
from urllib3.exceptions import HTTPError

from bakery_ops import __version__
from bakery_ops.cluster.impersonation import headers_of
from bakery_ops.cluster.kubeconfig import Context
from bakery_ops.cluster.transport import Session
from bakery_ops.errors import UsageError
from bakery_ops.model.words import one_line

POOL_SIZE = 64
_PLUGIN_DEADLINE = 60.0
# A peer that vanished without a word is noticed by the kernel after about 25 s (F5); urllib3's own default is no delay.
_SOCKET_OPTIONS = [
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    *(
        (socket.IPPROTO_TCP, getattr(socket, name), value)
        for name, value in (("TCP_KEEPIDLE", 10), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3))
        if hasattr(socket, name)
    ),
]


class Package(NamedTuple):
    """What we use of the `kubernetes` package; connection.py fills it in."""

    configuration: Callable[..., Any]
    rest_client: Callable[[Any], Any]
    exec_provider: Callable[..., Any]
    load_auth_provider: Callable[[Mapping[str, Any]], str]


class Identification(NamedTuple):
    """Who we are to the server: an Authorization header ("" for none), and a client certificate with its key (PEM)."""

    authorization: str = ""
    certificate: bytes = b""
    key: bytes = b""


class Credentials:
    """Builds Sessions for a context; each but the first reads the kubeconfig again, as its token may have expired.

    Args:
        choose: Reads the kubeconfig files and returns the chosen context.
    """

    def __init__(self, choose: Callable[[], Context], package: Package) -> None:
        self._choose, self._package = choose, package
        self.context = choose()
        self._used = False

    def authority(self) -> str:
        """SHA-256 (hex) of the CA certificates the context trusts, "" where it trusts the system's."""
        certificates = _content(self.context.cluster, "certificate-authority")
        return hashlib.sha256(certificates.strip()).hexdigest() if certificates else ""

    def session(self) -> Session:
        """Connections with the credentials as they are now.

        Raises: UsageError: a file is missing or malformed, or the plugin failed.
        """
        if self._used:
            self.context = self._choose()
        self._used = True
        context = self.context
        _require_address(context)
        identification = _identify(context, self._package)
        configuration = self._package.configuration(host=context.server, connection_pool_maxsize=POOL_SIZE)
        configuration.socket_options = _SOCKET_OPTIONS
        if context.cluster.get("proxy-url"):
            configuration.proxy = str(context.cluster["proxy-url"])
        configuration.verify_ssl = not context.cluster.get("insecure-skip-tls-verify", False)
        configuration.tls_server_name = context.cluster.get("tls-server-name")
        pool = _pool(lambda: self._package.rest_client(configuration).pool_manager, context)
        if context.server.startswith("https"):
            # urllib3 would build a context, and read the files again, for every connection.
            pool.connection_pool_kw["ssl_context"] = _tls_context(context, identification)
        return Session(pool, _headers(context, identification))


def _require_address(context: Context) -> None:
    """Raises: UsageError: the server's address is none."""
    try:
        urllib3.PoolManager().connection_from_url(context.server)
    except (HTTPError, ValueError) as error:
        raise UsageError(f"The server address of context {context.name} is not valid: {_said(error)}.") from None


def _pool(build: Callable[[], urllib3.PoolManager], context: Context) -> urllib3.PoolManager:
    try:
        return build()
    except (HTTPError, ValueError, ImportError) as error:  # an import: SOCKS wants another package
        raise UsageError(
            f"The proxy of context {context.name} cannot be used: {_said(error)}.",
            remedy="Check proxy-url in the kubeconfig, and HTTPS_PROXY.",
        ) from None


def _said(error: Exception) -> str:
    return one_line(str(error)).rstrip(".")


def _headers(context: Context, identification: Identification) -> HTTPHeaderDict:
    headers = HTTPHeaderDict({"User-Agent": f"bakery-ops/{__version__}"})
    if identification.authorization:
        headers["Authorization"] = identification.authorization
    for name, value in headers_of(context.user):
        if not value.isprintable():
            raise UsageError(f"The {name} of context {context.name} has control characters.")
        # http.client writes Latin-1; a name of other letters has to arrive as UTF-8, as kubectl sends it.
        headers.add(name, value.encode().decode("latin-1"))
    return headers


class SettledTls(ssl.SSLContext):
    """Says once that we speak HTTP/1.1, and is safe to share between threads from then on.

    urllib3 says it again before every handshake (urllib3/urllib3#3036). OpenSSL frees the old text then, while another
    thread may be copying it: a server answers such a ClientHello with "decode error" (python/cpython#141012).
    """

    def __init__(self, _protocol: int) -> None:
        super().set_alpn_protocols(["http/1.1"])

    def set_alpn_protocols(self, alpn_protocols: Iterable[str]) -> None:
        """Nothing: that was settled at the beginning."""


def _tls_context(context: Context, identification: Identification) -> ssl.SSLContext:
    tls = SettledTls(ssl.PROTOCOL_TLS_CLIENT)
    tls.minimum_version = ssl.TLSVersion.TLSv1_2
    if context.cluster.get("insecure-skip-tls-verify"):
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)  # asked for, as with kubectl
        tls.check_hostname = False
        tls.verify_mode = ssl.CERT_NONE
    else:
        authority = _content(context.cluster, "certificate-authority")
        try:
            tls.load_verify_locations(cadata=authority.decode()) if authority else tls.load_default_certs()
        except (ssl.SSLError, UnicodeDecodeError) as error:
            raise UsageError(
                f"The certificate authority of context {context.name} is not a PEM certificate."
            ) from error
    if identification.certificate:
        _load_pair(tls, identification, context)
    return tls


def _load_pair(tls: ssl.SSLContext, identification: Identification, context: Context) -> None:
    """OpenSSL's Python binding reads keys from files only: a private file that lives for a moment."""
    with tempfile.TemporaryDirectory(prefix="bakery-ops-") as folder:
        path = Path(folder) / "pair.pem"
        path.touch(mode=0o600)
        path.write_bytes(identification.certificate + b"\n" + identification.key)
        try:
            tls.load_cert_chain(path)
        except ssl.SSLError as error:
            raise UsageError(
                f"The client certificate and key of context {context.name} are not valid, or do not belong together."
            ) from error


def _identify(context: Context, package: Package) -> Identification:
    user = context.user
    certificate, key = _content(user, "client-certificate"), _content(user, "client-key")
    if user.get("token") or user.get("tokenFile"):
        # A token file is rotated by whoever wrote it, so it counts more than a copy in the kubeconfig (client-go).
        token = _content(user, "tokenFile", "").decode("utf-8", "replace") if user.get("tokenFile") else user["token"]
        return Identification(_bearer(token, context), certificate, key)
    if user.get("exec"):
        return _run_plugin(context, package)
    if user.get("auth-provider"):
        return Identification(_provided(context, package), certificate, key)
    if user.get("username") and user.get("password"):
        pair = f"{user['username']}:{user['password']}".encode()
        return Identification("Basic " + base64.b64encode(pair).decode(), certificate, key)
    return Identification("", certificate, key)


def _bearer(token: object, context: Context) -> str:
    """The header for a token, which a file or a block of YAML ends with a line break. Raises: UsageError."""
    text = str(token).strip()
    if not text or not text.isascii() or not text.isprintable():
        raise UsageError(f"The token of context {context.name} is empty, or holds what no token can (a line break, …).")
    return f"Bearer {text}"


def _provided(context: Context, package: Package) -> str:
    """The header from a legacy auth-provider, "" where it gives none."""
    try:
        header = package.load_auth_provider(_loader_input(context))
    except Exception as error:  # the package's own error types are not imported here
        raise UsageError(f"The auth-provider of context {context.name} failed: {_said(error)}.") from error
    return _bearer(header.removeprefix("Bearer "), context) if header else ""


def _content(section: Mapping[str, Any], key: str, data_suffix: str = "-data") -> bytes:
    """The bytes of `key`-data (base64), else of the file that `key` names, else b""."""
    if data_suffix and section.get(key + data_suffix):
        try:
            return base64.b64decode(str(section[key + data_suffix]), validate=False)
        except ValueError as error:
            raise UsageError(f"The kubeconfig's {key}{data_suffix} is not base64.") from error
    if not section.get(key):
        return b""
    try:
        return Path(str(section[key])).read_bytes()
    except OSError as error:
        raise UsageError(f"The kubeconfig's {key} {section[key]} cannot be read: {error.strerror}.") from error


class _Node(dict[str, Any]):
    """The part of the package's ConfigNode that its ExecProvider asks for."""

    safe_get = dict.get


def _run_plugin(context: Context, package: Package) -> Identification:
    """Run the exec plugin (client.authentication.k8s.io) like kubectl; a command with a slash is relative to the file.

    Raises: UsageError: it is missing, fails, hangs for a minute, or answers something else.
    """
    if not isinstance(context.user["exec"], Mapping):
        raise UsageError(f"The exec of context {context.name} is not a map with a command.")
    plugin = _Node(context.user["exec"])
    command = str(plugin.get("command", ""))
    if os.sep in command:
        plugin["command"] = str(context.source.parent / command)
    plugin["env"] = plugin.get("env") or []
    cluster = SimpleNamespace(value=dict(context.cluster)) if plugin.get("provideClusterInfo") else None
    hint = str(plugin.get("installHint") or "Run the plugin by hand to see what it wants.")
    results: list[Mapping[str, Any]] = []
    errors: list[Exception] = []

    def run() -> None:
        try:
            results.append(package.exec_provider(plugin, None, cluster).run())
        except Exception as error:  # noqa: BLE001 the package's own error types are not imported here
            errors.append(error)

    thread = threading.Thread(target=run, name="exec-plugin", daemon=True)
    thread.start()
    thread.join(_PLUGIN_DEADLINE)
    if errors or not results:
        reason = _plugin_failure(errors[0]) if errors else f"it did not end within {_PLUGIN_DEADLINE:.0f} s"
        raise UsageError(f"The credentials plugin {command} of context {context.name} failed: {reason}.", remedy=hint)
    status = results[0]
    if status.get("token"):
        return Identification(_bearer(status["token"], context))
    if status.get("clientCertificateData") and status.get("clientKeyData"):
        return Identification("", status["clientCertificateData"].encode(), status["clientKeyData"].encode())
    raise UsageError(
        f"The credentials plugin {command} of context {context.name} gave neither token nor certificate.", remedy=hint
    )


def _plugin_failure(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such program"
    return " ".join(str(error).removeprefix("exec: ").split())[:500]


def _loader_input(context: Context) -> dict[str, Any]:
    name = context.name
    return {
        "current-context": name,
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "clusters": [{"name": name, "cluster": dict(context.cluster)}],
        "users": [{"name": name, "user": dict(context.user)}],
    }

"""The few requests the sandbox itself makes to its API server, on the standard library alone: it must not need a client
library to bring up the cluster that the client library then talks to."""

from __future__ import annotations

import http.client
import json
import ssl
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bakery_ops.errors import ClusterUnreachable, OperationFailed, TimedOut

_PLURALS = {
    "StorageClass": "storageclasses",
    "IngressClass": "ingressclasses",
    "NetworkPolicy": "networkpolicies",
    "PriorityClass": "priorityclasses",
}
_CLUSTER_WIDE = {"Namespace", "Node", "StorageClass", "ClusterRole", "ClusterRoleBinding", "APIService", "IngressClass"}
_FIELD_MANAGER = "bakery-sandbox"
_PAUSE = 0.05


class Api:
    """A connection to one API server as one client certificate. Not for several threads at once."""

    def __init__(self, server: str, pki: Path, *, stem: str = "admin", timeout: float = 10.0) -> None:
        context = ssl.create_default_context(cafile=str(pki / "ca.crt"))
        context.load_cert_chain(pki / f"{stem}.crt", pki / f"{stem}.key")
        address = urlsplit(server)
        self._connection = http.client.HTTPSConnection(
            address.hostname or "", address.port, timeout=timeout, context=context
        )

    def __enter__(self) -> Api:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._connection.close()

    def is_ready(self) -> bool:
        """Whether `/readyz` answers ok; False also while nothing listens yet."""
        try:
            status, body = self._exchange("GET", "/readyz")
        except (OSError, http.client.HTTPException):
            return False
        return status == 200 and body == b"ok"

    def get(self, path: str) -> dict[str, Any] | None:
        """The object at `path`, None when there is none. Raises: OperationFailed, ClusterUnreachable."""
        status, body = self._request("GET", path)
        if status == 404:
            return None
        return _object(status, body, f"GET {path}")

    def until(
        self,
        path: str,
        holds: Callable[[dict[str, Any]], bool],
        *,
        within: float,
        waiting_for: str,
        alive: Callable[[], None] = lambda: None,
    ) -> dict[str, Any]:
        """Read the object at `path` until it exists and `holds`; `alive`, asked in between, raises when it never will.

        Raises: TimedOut after `within` seconds, naming `waiting_for`; what `get` and `alive` raise.
        """
        deadline = time.monotonic() + within
        while True:
            found = self.get(path)
            if found is not None and holds(found):
                return found
            alive()
            if time.monotonic() > deadline:
                raise TimedOut(
                    f"{waiting_for} took longer than {within:g} s",
                    remedy="invoke sandbox.status names the logs; invoke sandbox.stop removes what was started",
                )
            time.sleep(_PAUSE)

    def apply(self, documents: Iterable[Mapping[str, Any]]) -> None:
        """Server-side apply each document in turn. Raises: OperationFailed with the server's words."""
        for document in documents:
            path = f"{path_of(document)}?fieldManager={_FIELD_MANAGER}&force=true"
            status, body = self._request("PATCH", path, document, "application/apply-patch+yaml")
            _object(status, body, f"apply {document['kind']} {document['metadata']['name']}")

    def patch_status(self, document: Mapping[str, Any]) -> None:
        """Merge `document`'s status into the live one."""
        path = f"{path_of(document)}/status"
        status, body = self._request("PATCH", path, {"status": document["status"]}, "application/merge-patch+json")
        _object(status, body, f"set status of {document['kind']} {document['metadata']['name']}")

    def _request(self, method: str, path: str, body: Any = None, content_type: str = "") -> tuple[int, bytes]:
        try:
            return self._exchange(method, path, body, content_type)
        except (OSError, http.client.HTTPException) as error:
            raise ClusterUnreachable(
                f"the sandbox's API server at {self._connection.host}:{self._connection.port} did not answer: {error}",
                remedy="invoke sandbox.stop, then start it again",
            ) from error

    def _exchange(self, method: str, path: str, body: Any = None, content_type: str = "") -> tuple[int, bytes]:
        headers = {"Content-Type": content_type} if content_type else {}
        try:
            self._connection.request(method, path, None if body is None else json.dumps(body), headers)
            response = self._connection.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            raise


def path_of(document: Mapping[str, Any]) -> str:
    """Where the API server keeps this object."""
    version, kind, metadata = str(document["apiVersion"]), str(document["kind"]), document["metadata"]
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    plural = _PLURALS.get(kind, kind.lower() + "s")
    place = "" if kind in _CLUSTER_WIDE else f"/namespaces/{metadata.get('namespace', 'default')}"
    return f"{root}{place}/{plural}/{metadata['name']}"


def _object(status: int, body: bytes, doing: str) -> dict[str, Any]:
    try:
        answer = json.loads(body)
    except ValueError:
        answer = {}
    if status >= 300:
        said = answer.get("message") or body[:300].decode(errors="replace")
        raise OperationFailed(f"the sandbox could not {doing}: {status} {said}")
    return dict(answer)

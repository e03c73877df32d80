"""One object on the scripted server that can be created, read and replaced, with the server's own conflict rule."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

from tests.unit.cluster.scripted import Action, Drop, Say, ScriptedServer, Seen, status


class Stored:
    """Keeps `body` (None: absent) and every version it ever had in `history`.

    Attributes:
        lose: How many coming writes are carried out without being answered.
        silent: While True every request is refused with 503.
        meanwhile: What somebody else does between the next read and its write.
    """

    def __init__(self, server: ScriptedServer, collection: str, name: str) -> None:
        self.body: dict[str, Any] | None = None
        self.history: list[dict[str, Any]] = []
        self.lose = 0
        self.silent = False
        self.meanwhile: Callable[[], None] | None = None
        self.writes = 0
        self._version = 100
        self._lock = threading.RLock()
        server.always("POST", collection, self._create)
        server.always("GET", f"{collection}/{name}", self._read)
        server.always("PUT", f"{collection}/{name}", self._replace)

    def edit(self, **changes: Any) -> None:
        """Someone else changes top-level fields of spec, data or metadata: edit(spec={"holderIdentity": "x"})."""
        with self._lock:
            assert self.body is not None
            body = json.loads(json.dumps(self.body))
            for section, values in changes.items():
                body.setdefault(section, {}).update(values)
            self._keep(body)

    def delete(self) -> None:
        with self._lock:
            self.body = None

    def _create(self, seen: Seen) -> Action:
        with self._lock:
            if self.silent:
                return status(503)
            if self.body is not None:
                return status(409, "AlreadyExists", "already exists")
            return self._write(seen, 201)

    def _read(self, seen: Seen) -> Action:
        with self._lock:
            if self.silent:
                return status(503)
            return Say(200, self.body) if self.body is not None else status(404, "NotFound", "not found")

    def _replace(self, seen: Seen) -> Action:
        with self._lock:
            if self.silent:
                return status(503)
            if self.body is None:
                return status(404, "NotFound", "not found")
            act, self.meanwhile = self.meanwhile, None
            if act is not None:
                act()
            if seen.json["metadata"]["resourceVersion"] != self.body["metadata"]["resourceVersion"]:
                return status(409, "Conflict", "the object has been modified")
            return self._write(seen, 200)

    def _write(self, seen: Seen, code: int) -> Action:
        self.writes += 1
        self._keep(seen.json)
        if self.lose:
            self.lose -= 1
            return Drop()
        return Say(code, self.body)

    def _keep(self, body: dict[str, Any]) -> None:
        self._version += 1
        body["metadata"]["resourceVersion"] = str(self._version)
        self.body = body
        self.history.append(body)

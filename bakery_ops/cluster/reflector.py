"""One kind, listed once and watched for ever: the rules of docs/readiness.md, section 7.2, on raw HTTP.

list (or WatchList) -> Synced -> watch -> … -> quiet or ended: watch on from the last version seen
                                          broken: StreamLost, back off, watch on, Synced
                                          410, or a gap above 30 s: list anew, and report what vanished meanwhile
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable

import msgspec
import tenacity

from bakery_ops.cluster import decode
from bakery_ops.cluster.decode import Codec
from bakery_ops.cluster.delivered import Delivered, Key, key_of
from bakery_ops.cluster.lag import LagMeter
from bakery_ops.cluster.retry import asked_pause
from bakery_ops.cluster.streams import Settings, Target
from bakery_ops.cluster.transport import JSON, Timeouts, Transport, WatchStream
from bakery_ops.cluster.troubles import TransportError, Trouble
from bakery_ops.errors import BakeryError
from bakery_ops.model.live import LiveObject
from bakery_ops.rules.rollout.events import Event, StreamLost, Synced

# Existence is all that is watched of these, and a Secret's bytes stay where they are.
_METADATA_ONLY = frozenset({"Secret", "ConfigMap"})
_NOT_OFFERED = frozenset({400, 403, 422})  # how servers without WatchList answer sendInitialEvents


class _BrokenError(Exception):
    """The stream broke; `pause` is what the server asked for, `cause` what went wrong."""

    def __init__(self, cause: str, pause: float = 0.0) -> None:
        super().__init__(cause)
        self.pause = pause


class _EndedError(_BrokenError):
    """The server ended the watch without an error, but as soon as it had begun. Once, that loses nothing."""


class Reflector:
    """Follows one Target. `run` is the body of a thread; `stop` and `refresh` may be called from any other.

    Args:
        deliver: Gets ObjectChanged, ObjectDeleted, Synced and StreamLost, in order, from the running thread.
        notify: Gets one line when the server refuses the stream (no permission).
    """

    def __init__(
        self,
        transport: Transport,
        target: Target,
        deliver: Callable[[Event], None],
        *,
        lag: LagMeter,
        notify: Callable[[str], None] = lambda line: None,
        settings: Settings = Settings(),  # noqa: B008 an immutable value
    ) -> None:
        self._transport, self._target, self._deliver, self._lag = transport, target, deliver, lag
        self._notify, self._settings = notify, settings
        self._codec = Codec(target.resource.api_version, target.kind)
        self._stopped, self._relist = threading.Event(), threading.Event()
        self._delivered = Delivered(target.resource.group, target.kind, deliver)
        self._version = ""  # where to watch on from; "" asks for a list
        self._offers_watch_list = True
        self._synced = False
        self._refused = False
        self._alive_at = self._listed_at = 0.0
        self._stream: WatchStream | None = None

    def run(self) -> None:
        """Follow the target until `stop`."""
        try:
            self._keep_on()
        finally:
            self._lose_sync()  # ended by a bug: its cache must not count as current

    def _keep_on(self) -> None:
        while not self._stopped.is_set():
            retrying = tenacity.Retrying(
                retry=tenacity.retry_if_exception_type(_BrokenError),
                wait=self._pause,
                stop=tenacity.stop_when_event_set(self._stopped),
                sleep=tenacity.sleep_using_event(self._stopped),
                before_sleep=self._failed,
                retry_error_callback=lambda state: None,
            )
            retrying(self._episode)

    def stop(self) -> None:
        """End soon: a blocked read is woken by closing its socket."""
        self._stopped.set()
        stream = self._stream
        if stream is not None:
            stream.close()

    def refresh(self) -> None:
        """List anew and say Synced again: nobody looked for a while, and the watch may have lost something."""
        self._relist.set()
        stream = self._stream
        if stream is not None:
            stream.close()

    # --- one episode: list if needed, then watch until the stream ends ---

    def _episode(self) -> None:
        now = self._transport.steady()
        too_old = now - self._alive_at > self._settings.gap or now - self._listed_at > self._settings.safety
        if self._relist.is_set():
            self._relist.clear()
            self._version, self._synced = "", False
        elif too_old:
            self._version = ""
        try:
            if self._version:
                self._watch({"resourceVersion": self._version})
            elif self._offers_watch_list:
                self._watch({"sendInitialEvents": True, "resourceVersionMatch": "NotOlderThan"})
            else:
                self._list()
                self._watch({"resourceVersion": self._version})
        except TransportError as error:
            raise _BrokenError(str(error)) from error
        except msgspec.DecodeError as error:
            raise _BrokenError("the server sent something that is not a watch") from error
        except BakeryError as error:  # the credentials could not be loaded anew
            raise _BrokenError(str(error)) from error

    def _list(self) -> None:
        seen: list[LiveObject] = []
        token = ""
        while True:
            query = self._selection() | {"limit": self._settings.page} | ({"continue": token} if token else {})
            reply = self._transport.send("list", "GET", self._path(), query, accept=self._accept("List"))
            if reply.status == 410 and token:
                seen, token = [], ""
                continue
            if reply.status != 200:
                self._refuse(reply.status, reply.body, reply.session, asked_pause(reply.headers))
            page = self._codec.page(reply.body)
            seen.extend(page.items)
            token = page.token
            if not token:
                break
        self._alive_at = self._transport.steady()
        at = self._transport.clock.now()
        for item in seen:
            self._delivered.changed(item, at)
        self._delivered.only(map(key_of, seen), at)
        self._version = page.resource_version
        self._listed()

    def _watch(self, start: dict[str, str | int | bool]) -> None:
        limit = random.randint(*self._settings.served)  # noqa: S311 jitter, so that streams do not end together
        query = self._selection() | {"watch": True, "allowWatchBookmarks": True, "timeoutSeconds": limit} | start
        timeouts = Timeouts(read=self._settings.read)
        began = self._transport.steady()
        stream = self._transport.stream(self._path(), query, accept=self._accept(""), timeouts=timeouts)
        self._stream = stream
        try:
            if self._stopped.is_set() or self._relist.is_set():  # asked while the connection was being opened
                return
            if stream.status != 200:
                self._decline(stream, asked_for_initial="sendInitialEvents" in start)
                return
            self._alive_at = self._transport.steady()
            if "sendInitialEvents" not in start:
                self._sync()
            self._follow(stream, initial=set() if "sendInitialEvents" in start else None)
            self._ended_by_server(self._transport.steady() - began)
        except TransportError as error:
            self._ended(error, self._transport.steady() - began)
        finally:
            self._stream = None
            stream.release()

    def _decline(self, stream: WatchStream, *, asked_for_initial: bool) -> None:
        """The server answered something else than a watch."""
        if asked_for_initial and stream.status in _NOT_OFFERED:
            self._offers_watch_list = False
            return
        self._refuse(stream.status, stream.error_body(), stream.session, asked_pause(stream.headers))

    def _ended_by_server(self, lived: float) -> None:
        """Watched on at once, as it has to be every few minutes, unless it never lived."""
        if lived < self._settings.steady_after and not self._stopped.is_set() and not self._relist.is_set():
            raise _EndedError("the server ended the watch as soon as it had begun")

    def _ended(self, error: TransportError, lived: float) -> None:
        """A quiet stream is watched on at once. A broken one is lost; only if it never lived does the pause grow."""
        if self._stopped.is_set() or self._relist.is_set() or error.trouble is Trouble.TIMEOUT:
            return  # we ended it ourselves, or it was only quiet
        if lived < self._settings.steady_after:
            raise _BrokenError(str(error)) from error
        self._lose_sync()

    def _follow(self, stream: WatchStream, initial: set[Key] | None) -> None:
        """Deliver events until the stream ends; `initial` collects the objects of a WatchList until its end mark."""
        rest = b""
        for chunk in stream.chunks():
            self._alive_at = self._transport.steady()
            at = self._transport.clock.now()
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                if line and self._take(decode.watch_event(line), at, initial):
                    initial = None
            if self._stopped.is_set():
                return

    def _take(self, event: decode.WatchEvent, at: float, initial: set[Key] | None) -> bool:
        """Act on one event; True when it ended the initial events."""
        if event.type == "BOOKMARK":
            version, ends = decode.bookmark(event.object)
            if initial is not None and not ends:
                return False
            self._version = version
            if initial is not None:
                self._delivered.only(initial, at)
                self._listed()
            return initial is not None
        if event.type == "ERROR":
            problem = decode.status(event.object)
            self._gone_or_broken(problem.code, problem.message)
        item = self._codec.object(event.object)
        if initial is None:
            self._version = item.metadata.resource_version
            self._lag.delivered(item.metadata.resource_version, self._alive_at)
        if event.type == "DELETED":
            self._delivered.deleted(key_of(item), item.metadata.uid, at)
        else:
            self._delivered.changed(item, at)
            if initial is not None:
                initial.add(key_of(item))
        return False

    # --- troubles ---

    def _refuse(self, code: int, body: bytes, session: int, pause: float) -> None:
        if code == 401:
            self._transport.renew(session)
        try:
            message = decode.status(body).message
        except msgspec.DecodeError:
            message = ""
        if code == 403 and not self._refused:
            self._refused = True
            self._notify(f"The API server does not let us watch {self._target.resource.plural}: {message}.")
        self._gone_or_broken(code, message, pause)

    def _gone_or_broken(self, code: int, message: str, pause: float = 0.0) -> None:
        if code == 410:
            self._version = ""
        raise _BrokenError(f"{code} {message}", pause)

    def _failed(self, state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if not isinstance(error, _EndedError) or state.attempt_number > 1:
            self._lose_sync()

    def _pause(self, state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.pause if isinstance(error, _BrokenError) else 0.0
        backoff = tenacity.wait_exponential_jitter(multiplier=0.05, max=self._settings.longest_pause, jitter=0.1)
        return max(asked, backoff(state))

    def _listed(self) -> None:
        self._listed_at = self._transport.steady()
        self._sync()

    def _sync(self) -> None:
        if not self._synced:
            self._synced = True
            self._deliver(Synced(self._transport.clock.now(), self._target.kind))

    def _lose_sync(self) -> None:
        if self._synced and not self._stopped.is_set():
            self._synced = False
            self._deliver(StreamLost(self._transport.clock.now(), self._target.kind))

    # --- the request ---

    def _path(self) -> str:
        return self._target.resource.path(self._target.namespace)

    def _selection(self) -> dict[str, str | int | bool]:
        return {"fieldSelector": self._target.field_selector} if self._target.field_selector else {}

    def _accept(self, suffix: str) -> str:
        if self._target.kind not in _METADATA_ONLY:
            return JSON
        return f"{JSON};as=PartialObjectMetadata{suffix};g=meta.k8s.io;v=v1"

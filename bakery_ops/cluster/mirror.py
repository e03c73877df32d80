"""Watch caches for a namespace: a stream and a thread per kind. Implements the Protocol `workflows.ports.Mirror`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial

from bakery_ops.cluster.discovery import Discovery, Resource, built_in
from bakery_ops.cluster.lag import LagMeter
from bakery_ops.cluster.reflector import Reflector
from bakery_ops.cluster.streams import Settings, Target
from bakery_ops.cluster.transport import Transport
from bakery_ops.rules.rollout.events import Event, Synced

_STOP_WITHIN = 3.0

# Events cannot be selected by label, and a field selector knows no "or". Leaving out the chatter of every healthy start
# instead keeps all warnings and the normal reasons we need (Pulled, TriggeredScaleUp, …) in one stream.
_CHATTER = (
    "Scheduled", "Pulling", "Created", "Started", "SuccessfulCreate", "SuccessfulDelete", "ScalingReplicaSet",
    "LeaderElection", "SuccessfulAttachVolume", "NoPods", "CreatedPod",
)  # fmt: skip
EVENT_SELECTOR = ",".join(f"reason!={reason}" for reason in _CHATTER)


class ApiMirror:
    """Streams that deliver rollout events from their own threads, each kind's in order.

    Args:
        notify: Gets one line when the server refuses a stream.
    """

    def __init__(
        self,
        transport: Transport,
        discovery: Discovery,
        lag: LagMeter,
        *,
        notify: Callable[[str], None] = lambda line: None,
        settings: Settings = Settings(),  # noqa: B008 an immutable value
    ) -> None:
        self._transport, self._discovery, self._lag = transport, discovery, lag
        self._notify, self._settings = notify, settings
        self._streams: dict[str, Reflector] = {}
        self._unserved: list[Callable[[], None]] = []
        self._threads: list[threading.Thread] = []

    def start(self, kinds: Sequence[str], namespace: str, deliver: Callable[[Event], None]) -> None:
        """Begin to follow `kinds` of `namespace` ("" is all of them). A custom kind is written "Kind.group".

        A kind that the server does not serve is Synced at once, empty. Streams start side by side; Synced tells when
        each is complete.
        """
        for kind in kinds:
            resource = self._resource(kind)
            if resource is None:
                tell = partial(self._tell_synced, kind, deliver)
                self._unserved.append(tell)
                tell()
                continue
            target = Target(
                resource, kind.partition(".")[0], namespace or None, EVENT_SELECTOR if kind == "Event" else ""
            )
            reflector = Reflector(
                self._transport, target, deliver, lag=self._lag, notify=self._notify, settings=self._settings
            )
            thread = threading.Thread(target=reflector.run, name=f"watch-{resource.plural}", daemon=True)
            self._streams[kind] = reflector
            self._threads.append(thread)
            thread.start()

    def refresh(self) -> None:
        """List every kind anew, each with a Synced of its own: what was delivered so far may be old."""
        for reflector in self._streams.values():
            reflector.refresh()
        for tell in self._unserved:
            tell()

    def stop(self) -> None:
        """End all streams; returns when their threads have ended, 3 s at most."""
        for reflector in self._streams.values():
            reflector.stop()
        for thread in self._threads:
            thread.join(_STOP_WITHIN / max(1, len(self._threads)) + 0.2)
        self._streams.clear()
        self._unserved.clear()
        self._threads.clear()

    def _tell_synced(self, kind: str, deliver: Callable[[Event], None]) -> None:
        deliver(Synced(self._transport.clock.now(), kind))

    def _resource(self, kind: str) -> Resource | None:
        name, _, group = kind.partition(".")
        if group:
            return self._discovery.find(group, name)
        return built_in(name)

"""Containers that end badly and are started again: KWOK stages for the crashing modes of `failures.py`.

A run lasts 1 s (3 s where the pod becomes ready first), a back-off 2 s (a kubelet takes longer). The pod annotations
`bakery-ia.dev/simulate-run-time` and `-back-off` change that.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from bakery_ops.sandbox.kwok import (
    ALIVE,
    LAST_END,
    READY,
    RESTARTS,
    RUNNING,
    RUNNING_SINCE,
    UNREADY_CONDITIONS,
    WAITING_REASON,
    Expression,
    annotation,
    containers,
    event,
    stage,
    where,
)
from bakery_ops.sandbox.stages import STILL_CRASHING

_AGAIN = "{{ add1 ( index $.status.containerStatuses $i ).restartCount }}"
_INIT_WAITING = ".status.initContainerStatuses.[]? | .state.waiting.reason"
_INIT_RUNNING = ".status.initContainerStatuses.[]? | .state.running.startedAt"
_BACKING_OFF = (
    '( printf "back-off 10s restarting failed container=%s pod=%s_%s(%s)" '
    "( index $.spec.{containers} 0 ).name $.metadata.name $.metadata.namespace $.metadata.uid )"
)
_TOLD = (
    '( printf "Back-off restarting failed container %s in pod %s_%s(%s)" '
    "( index $.spec.{containers} 0 ).name $.metadata.name $.metadata.namespace $.metadata.uid )"
)


class _End(NamedTuple):
    """How a container's run ends: mode, the reason and exit code a kubelet reports, and what else must hold."""

    mode: str
    reason: str
    code: int
    when: tuple[Expression, ...] = ()
    milliseconds: int = 1000


def _chosen(mode: str) -> Expression:
    return where(annotation("simulate"), "In", mode)


_IS_READY = (where(READY, "In", "True"),)
_ENDS = (
    _End("crash-loop", "Error", 1),
    _End("oom-killed", "OOMKilled", 137),
    _End("crash-after-ready", "Error", 1, _IS_READY, 3000),
    _End("oom-after-ready", "OOMKilled", 137, _IS_READY, 3000),
    _End("crashes-first", "Error", 1, (where(STILL_CRASHING, "In", "true"),)),
    _End("job-failed", "Error", 1),
)


def crash_stages() -> list[dict[str, Any]]:
    """The ends of runs by mode, the kills by a liveness probe, and the restart that follows every back-off."""
    return [*(_exits(end) for end in _ENDS), _killed_by_probe(), _restarts(), _init_exits(), _init_restarts()]


def _ended(code: int, reason: str, since: str = "$.status.startTime") -> str:
    return (
        f"terminated: {{exitCode: {code}, reason: {reason}, startedAt: {{{{ {since} | Quote }}}}, "
        "finishedAt: {{ $now | Quote }}}"
    )


def _backing_off(field: str) -> str:
    message = _BACKING_OFF.replace("{containers}", field)
    return f"waiting: {{reason: CrashLoopBackOff, message: {{{{ {message} | Quote }}}}}}"


def _exits(end: _End) -> dict[str, Any]:
    """A run of the container ends, and the kubelet waits before it starts the next one."""
    return stage(
        f"{end.mode}-exits",
        "Pod",
        [
            ALIVE,
            _chosen(end.mode),
            where(".status.phase", "In", "Running"),
            where(RUNNING_SINCE, "Exists"),
            where(".spec.restartPolicy", "NotIn", "Never"),
            *end.when,
        ],
        status=UNREADY_CONDITIONS
        + containers(_backing_off("containers"), restarts=RESTARTS, last=_ended(end.code, end.reason)),
        milliseconds=end.milliseconds,
        delay="simulate-run-time",
        events=[event("Warning", "BackOff", _TOLD.replace("{containers}", "containers"))],
    )


def _restarts() -> dict[str, Any]:
    return stage(
        "container-restarts",
        "Pod",
        [ALIVE, where(".status.phase", "In", "Running"), where(WAITING_REASON, "In", "CrashLoopBackOff")],
        status=containers(RUNNING, started="true", restarts=_AGAIN, last=LAST_END),
        milliseconds=2000,
        delay="simulate-back-off",
    )


def _killed_by_probe() -> dict[str, Any]:
    """The kubelet kills the container because its liveness probe failed, and starts it again at once."""
    told = '( printf "Container %s failed liveness probe, will be restarted" ( index $.spec.containers 0 ).name )'
    return stage(
        "liveness-killed",
        "Pod",
        [
            ALIVE,
            _chosen("liveness-killed"),
            where(".status.phase", "In", "Running"),
            where(RUNNING_SINCE, "Exists"),
        ],
        status=containers(RUNNING, started="true", restarts=_AGAIN, last=_ended(137, "Error")),
        milliseconds=2000,
        delay="simulate-run-time",
        events=[event("Normal", "Killing", told)],
    )


def _init_exits() -> dict[str, Any]:
    """The first init container ends with 3, again and again; the others never run."""
    status = (
        "initContainerStatuses:\n{{ range $i, $c := .status.initContainerStatuses }}\n"
        "- {name: {{ $c.name | Quote }}, image: {{ $c.image | Quote }}, imageID: '', ready: false, started: false, "
        "restartCount: {{ $c.restartCount }}, {{ if $i }}state: {waiting: {reason: PodInitializing}}{{ else }}"
        f"lastState: {{{_ended(3, 'Error', '$c.state.running.startedAt')}}}, "
        f"state: {{{_backing_off('initContainers')}}}{{{{ end }}}}}}\n{{{{ end }}}}\n"
    )
    return stage(
        "init-exits",
        "Pod",
        [
            ALIVE,
            _chosen("init-fails"),
            where(_INIT_RUNNING, "Exists"),
            where(".spec.restartPolicy", "NotIn", "Never"),
        ],
        status=status,
        milliseconds=500,
        delay="simulate-run-time",
        events=[event("Warning", "BackOff", _TOLD.replace("{containers}", "initContainers"), field="initContainers")],
    )


def _init_restarts() -> dict[str, Any]:
    status = (
        "initContainerStatuses:\n{{ range $i, $c := .status.initContainerStatuses }}\n"
        "- {name: {{ $c.name | Quote }}, image: {{ $c.image | Quote }}, imageID: '', ready: false, "
        "{{ if $i }}started: false, restartCount: 0, state: {waiting: {reason: PodInitializing}}{{ else }}"
        "started: true, restartCount: {{ add1 $c.restartCount }}, lastState: {{ $c.lastState | toJson }}, "
        f"state: {{{RUNNING}}}{{{{ end }}}}}}\n{{{{ end }}}}\n"
    )
    return stage(
        "init-restarts",
        "Pod",
        [ALIVE, where(_INIT_WAITING, "In", "CrashLoopBackOff")],
        status=status,
        milliseconds=2000,
        delay="simulate-back-off",
    )

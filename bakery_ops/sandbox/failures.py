"""Failures to rehearse on simulated nodes: the pod annotation `bakery-ia.dev/simulate` chooses one.

Statuses, reasons and messages are those of a kubelet with containerd, Events included, so that what is tried here
is what a real cluster would have shown:

    image-not-found   ErrImagePull, then ImagePullBackOff: the registry has no such tag
    registry-5xx      the same, because the registry answers 503
    crash-loop        runs 1 s, exits with 1, CrashLoopBackOff, runs again after 2 s (a kubelet takes longer)
    oom-killed        the same, killed by the kernel (exit code 137)
    init-stuck        the first init container never ends
    job-failed        a Job's pod exits with 1: Failed where restartPolicy is Never, else restarted like a crash loop
    never-ready       runs, but its readiness probe keeps failing
"""

from __future__ import annotations

from typing import Any

from bakery_ops.sandbox.stages import (
    ALIVE,
    OF_A_JOB,
    RUNNING,
    UNREADY,
    WAITING_REASON,
    annotation,
    condition,
    containers,
    stage,
    where,
)

MODES = ("image-not-found", "registry-5xx", "crash-loop", "oom-killed", "init-stuck", "job-failed", "never-ready")

_SIMULATED = annotation("simulate")
_INITIALIZED = where('.status.conditions.[]? | select( .type == "Initialized" ) | .status', "In", "True")
_STATE = ".status.containerStatuses.[]? | .state"
_UNREADY_CONDITIONS = (
    "conditions:\n"
    + condition("Ready", "False", "ContainersNotReady", UNREADY)
    + condition("ContainersReady", "False", "ContainersNotReady", UNREADY)
)
_FIRST_IMAGE = "( index .spec.containers 0 ).image"
_FIRST_NAME = "( index .spec.containers 0 ).name"
_RESTARTS = "{{ ( index $.status.containerStatuses 0 ).restartCount }}"


def failure_stages() -> list[dict[str, Any]]:
    """One or more stages for each mode; `init-stuck` and `never-ready` are mostly the absence of a next stage."""
    missing = _pull_error("NotFound", 'failed to resolve reference "{image}": {image}: not found')
    refused = _pull_error(
        "Unknown", 'failed to resolve reference "{image}": unexpected status: 503 Service Unavailable'
    )
    return [
        *_image_stages("image-not-found", missing),
        *_image_stages("registry-5xx", refused),
        *_crash_stages("crash-loop", "crash-loop", "Error", 1),
        *_crash_stages("oom-killed", "oom-killed", "OOMKilled", 137),
        *_crash_stages("job-restarts", "job-failed", "Error", 1, [where(".spec.restartPolicy", "NotIn", "Never")]),
        _job_fails(),
        _probe_fails(),
    ]


def event(kind: str, reason: str, message: str, *, field: str = "spec.containers") -> str:
    """Go template of an Event about the pod's first container, as the kubelet writes it.

    Its name follows from pod and reason, so a repetition counts up instead of filling the list.
    """
    suffix = f'( substr 0 16 ( sha256sum ( printf "%s{reason}" .metadata.uid ) ) )'
    return (
        "apiVersion: v1\nkind: Event\nmetadata:\n"
        f'  name: {{{{ printf "%s.%s" .metadata.name {suffix} | Quote }}}}\n'
        "  namespace: {{ .metadata.namespace | Quote }}\n"
        "involvedObject: {apiVersion: v1, kind: Pod, name: {{ .metadata.name | Quote }}, "
        "namespace: {{ .metadata.namespace | Quote }}, uid: {{ .metadata.uid | Quote }}, "
        f'fieldPath: {{{{ printf "{field}{{%s}}" {_FIRST_NAME} | Quote }}}}}}\n'
        f"type: {kind}\nreason: {reason}\nmessage: {{{{ {message} | Quote }}}}\n"
        "count: {{ add1 ( ( index .status.containerStatuses 0 ).restartCount ) }}\n"
        "firstTimestamp: {{ .status.startTime | Quote }}\nlastTimestamp: {{ Now | Quote }}\n"
        "source: {component: kubelet, host: {{ .spec.nodeName | Quote }}}\n"
        "reportingComponent: kubelet\nreportingInstance: {{ .spec.nodeName | Quote }}\n"
    )


def _pull_error(code: str, why: str) -> str:
    """Template expression: the runtime's error for the first container's image."""
    text = f'rpc error: code = {code} desc = failed to pull and unpack image "{{image}}": {why}'
    holes = text.count("{image}")
    escaped = text.replace("{image}", "%s").replace('"', '\\"')
    return f'( printf "{escaped}" {" ".join([_FIRST_IMAGE] * holes)} )'


def _image_stages(mode: str, error: str) -> list[dict[str, Any]]:
    waiting = "waiting: {{reason: {reason}, message: {{{{ {message} | Quote }}}}}}"
    backing_off = f'( printf "Back-off pulling image \\"%s\\": ErrImagePull: %s" {_FIRST_IMAGE} {error} )'
    bound = [ALIVE, where(_SIMULATED, "In", mode), _INITIALIZED]
    pulling = f'( printf "Pulling image \\"%s\\"" {_FIRST_IMAGE} )'
    return [
        stage(
            f"{mode}-pull-fails",
            "Pod",
            [*bound, where(WAITING_REASON, "In", "ContainerCreating", "PodInitializing")],
            status=_statuses(waiting.format(reason="ErrImagePull", message=error)),
            milliseconds=300,
            events=[
                event("Normal", "Pulling", pulling),
                event("Warning", "Failed", f'( printf "Failed to pull image \\"%s\\": %s" {_FIRST_IMAGE} {error} )'),
            ],
        ),
        stage(
            f"{mode}-backs-off",
            "Pod",
            [*bound, where(WAITING_REASON, "In", "ErrImagePull")],
            status=_statuses(waiting.format(reason="ImagePullBackOff", message=backing_off)),
            milliseconds=1000,
            events=[event("Normal", "BackOff", f'( printf "Back-off pulling image \\"%s\\"" {_FIRST_IMAGE} )')],
        ),
    ]


def _statuses(state: str) -> str:
    """Only the first container fails; the messages in `state` are about it, and the dot must stay the pod."""
    return (
        "{{ $pod := . }}\ncontainerStatuses:\n{{ range $i, $c := .spec.containers }}\n"
        "- name: {{ $c.name | Quote }}\n  image: {{ $c.image | Quote }}\n  imageID: ''\n"
        "  ready: false\n  started: false\n  restartCount: 0\n  lastState: {}\n  state:\n"
        "{{ if $i }}\n    waiting: {reason: ContainerCreating}\n{{ else }}{{ with $pod }}\n"
        f"    {state}\n{{{{ end }}}}{{{{ end }}}}\n{{{{ end }}}}\n"
    )


def _crash_stages(
    name: str, mode: str, reason: str, code: int, extra: list[dict[str, Any]] | None = None
) -> list[dict[str, Any]]:
    bound = [ALIVE, where(_SIMULATED, "In", mode), where(".status.phase", "In", "Running"), *(extra or [])]
    ended = (
        f"terminated: {{exitCode: {code}, reason: {reason}, startedAt: {{{{ $since | Quote }}}}, "
        "finishedAt: {{ $now | Quote }}}"
    )
    message = (
        '( printf "back-off 10s restarting failed container=%s pod=%s_%s(%s)" '
        "( index $pod.spec.containers 0 ).name $pod.metadata.name $pod.metadata.namespace $pod.metadata.uid )"
    )
    prologue = "{{ $pod := . }}{{ $since := .status.startTime }}\n"
    waiting = f"waiting: {{reason: CrashLoopBackOff, message: {{{{ {message} | Quote }}}}}}"
    last = "terminated: {{ ( index $.status.containerStatuses 0 ).lastState.terminated | toJson }}"
    restarted = "{{ add1 ( index $.status.containerStatuses 0 ).restartCount }}"
    backing_off = (
        message.replace("$pod", "").replace("back-off 10s", "Back-off").replace("( index .spec", "( index .spec")
    )
    return [
        stage(
            f"{name}-exits",
            "Pod",
            [*bound, where(f"{_STATE}.running.startedAt", "Exists")],
            status=prologue + _UNREADY_CONDITIONS + containers(waiting, restarts=_RESTARTS, last=ended),
            milliseconds=1000,
            delay="simulate-run-time",
            events=[event("Warning", "BackOff", backing_off)],
        ),
        stage(
            f"{name}-restarts",
            "Pod",
            [*bound, where(WAITING_REASON, "In", "CrashLoopBackOff")],
            status=containers(RUNNING, started="true", restarts=restarted, last=last),
            milliseconds=2000,
            delay="simulate-back-off",
        ),
    ]


def _job_fails() -> dict[str, Any]:
    ended = (
        "terminated: {exitCode: 1, reason: Error, startedAt: {{ $.status.startTime | Quote }}, "
        "finishedAt: {{ $now | Quote }}}"
    )
    return stage(
        "job-pod-fails",
        "Pod",
        [
            ALIVE,
            where(_SIMULATED, "In", "job-failed"),
            where(".spec.restartPolicy", "In", "Never"),
            where(OF_A_JOB, "In", "Job"),
            where(".status.phase", "In", "Running"),
        ],
        status="phase: Failed\n" + _UNREADY_CONDITIONS.replace("ContainersNotReady", "PodFailed") + containers(ended),
        milliseconds=300,
        delay="simulate-run-time",
    )


def _probe_fails() -> dict[str, Any]:
    """Says once that the probe fails; the mark on the pod's condition keeps the stage from matching again."""
    return stage(
        "never-ready-probe-fails",
        "Pod",
        [
            ALIVE,
            where(_SIMULATED, "In", "never-ready"),
            where(".status.phase", "In", "Running"),
            where(f"{_STATE}.running.startedAt", "Exists"),
            where(".status.observedGeneration", "DoesNotExist"),
        ],
        status="observedGeneration: {{ .metadata.generation }}\n",
        milliseconds=500,
        events=[event("Warning", "Unhealthy", '"Readiness probe failed: HTTP probe failed with statuscode: 503"')],
    )

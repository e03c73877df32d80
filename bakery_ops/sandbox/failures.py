"""Failures to rehearse on simulated nodes: the pod annotation `bakery-ia.dev/simulate` chooses one (`MODES`).

Statuses, reasons and messages are those of a kubelet with containerd, Events included, so that what is tried here
is what a real cluster would have shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bakery_ops.sandbox.crash_stages import crash_stages
from bakery_ops.sandbox.kwok import (
    ALIVE,
    INITIALIZED,
    LAST_END,
    OF_A_JOB,
    PREFIX,
    READY,
    RESTARTS,
    RUNNING_SINCE,
    STILL_RUNNING,
    UNREADY_CONDITIONS,
    WAITING_REASON,
    annotation,
    condition,
    containers,
    event,
    stage,
    where,
)
from bakery_ops.sandbox.stages import RUNS, accepted

MODES: Mapping[str, str] = {
    "image-not-found": "the registry has no such tag: ErrImagePull, then ImagePullBackOff",
    "registry-5xx": "the same, because the registry answers 503",
    "registry-heals": "the registry answers 503 at first, then has the image (healthy)",
    "missing-secret": "a Secret that the environment names is gone: CreateContainerConfigError",
    "missing-volume": "a Secret that a volume names is gone: FailedMount",
    "crash-loop": "exits with 1 before it is ready, again and again",
    "crash-after-ready": "becomes ready, then exits with 1, again and again",
    "crashes-first": "crashes twice, then becomes ready (healthy)",
    "oom-killed": "killed by the kernel for its memory before it is ready, again and again",
    "oom-after-ready": "becomes ready, then is killed for its memory, again and again",
    "liveness-killed": "killed by the kubelet because its liveness probe fails, again and again",
    "init-stuck": "its first init container never ends",
    "init-fails": "its first init container exits with 3, again and again",
    "job-failed": "a Job's pod exits with 1",
    "never-ready": "runs, but its readiness probe keeps failing",
    "evicted": "runs, and is evicted by the kubelet; so is every pod that follows",
}
"""What each value of the annotation does. `simulate-missing` names the lost Secret, `simulate-crashes` a number."""

_SIMULATED = annotation("simulate")
_INITIALIZED = where(INITIALIZED, "In", "True")
_FIRST_IMAGE = "( index .spec.containers 0 ).image"
_MISSING = f'( index .metadata.annotations "{PREFIX}simulate-missing" | default "missing" )'


def failure_stages() -> list[dict[str, Any]]:
    """One or more stages for each mode; `init-stuck` and `never-ready` are mostly the absence of a next stage."""
    missing = _pull_error("NotFound", 'failed to resolve reference "{image}": {image}: not found')
    refused = _pull_error(
        "Unknown", 'failed to resolve reference "{image}": unexpected status: 503 Service Unavailable'
    )
    return [
        *_image_stages("image-not-found", missing),
        *_image_stages("registry-5xx", refused),
        *_image_stages("registry-heals", refused),
        _image_arrives(),
        _secret_missing(),
        _volume_missing(),
        *crash_stages(),
        _job_fails(),
        _probe_fails(),
        _probe_fails_again(),
        _evicts(),
    ]


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
        status="phase: Failed\n" + UNREADY_CONDITIONS.replace("ContainersNotReady", "PodFailed") + containers(ended),
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
            where(RUNNING_SINCE, "Exists"),
            where(".status.observedGeneration", "DoesNotExist"),
        ],
        status="observedGeneration: {{ .metadata.generation }}\n",
        milliseconds=500,
        events=[event("Warning", "Unhealthy", '"Readiness probe failed: HTTP probe failed with statuscode: 503"')],
    )


def _probe_fails_again() -> dict[str, Any]:
    """The mark put on a pod that is ready: it serves no longer, and goes on running."""
    return stage(
        "never-ready-any-more",
        "Pod",
        [ALIVE, where(_SIMULATED, "In", "never-ready"), where(READY, "In", "True")],
        status=UNREADY_CONDITIONS + containers(STILL_RUNNING, started="true", restarts=RESTARTS, last=LAST_END),
    )


def _image_arrives() -> dict[str, Any]:
    """The registry has healed: the next try gets the image."""
    return stage(
        "registry-heals-pulled",
        "Pod",
        [ALIVE, where(_SIMULATED, "In", "registry-heals"), where(WAITING_REASON, "In", "ImagePullBackOff")],
        status=RUNS,
        milliseconds=2000,
        delay="simulate-back-off",
    )


def _secret_missing() -> dict[str, Any]:
    message = f'( printf "secret \\"%s\\" not found" {_MISSING} )'
    return stage(
        "missing-secret",
        "Pod",
        [
            ALIVE,
            where(_SIMULATED, "In", "missing-secret"),
            _INITIALIZED,
            where(WAITING_REASON, "In", "ContainerCreating", "PodInitializing"),
        ],
        status=_statuses(f"waiting: {{reason: CreateContainerConfigError, message: {{{{ {message} | Quote }}}}}}"),
        milliseconds=100,
        events=[event("Warning", "Failed", f'( printf "Error: secret \\"%s\\" not found" {_MISSING} )')],
    )


def _volume_missing() -> dict[str, Any]:
    """No volume, so no sandbox and no container: the pod's status says nothing, only the event does."""
    told = f'( printf "MountVolume.SetUp failed for volume \\"credentials\\" : secret \\"%s\\" not found" {_MISSING} )'
    return stage(
        "missing-volume",
        "Pod",
        [ALIVE, where(".status.startTime", "DoesNotExist"), where(_SIMULATED, "In", "missing-volume")],
        status=accepted("started: false, state: {waiting: {reason: PodInitializing}}", sandbox="False"),
        events=[event("Warning", "FailedMount", told)],
    )


def _evicts() -> dict[str, Any]:
    message = "The node was low on resource: memory. Threshold quantity: 100Mi, available: 52Mi."
    ended = (
        "terminated: {exitCode: 137, reason: Error, startedAt: {{ $.status.startTime | Quote }}, "
        "finishedAt: {{ $now | Quote }}}"
    )
    return stage(
        "evicted",
        "Pod",
        [ALIVE, where(_SIMULATED, "In", "evicted"), where(".status.phase", "In", "Running")],
        status=f"phase: Failed\nreason: Evicted\nmessage: '{message}'\n"
        + UNREADY_CONDITIONS.replace("ContainersNotReady", "PodFailed")
        + condition("DisruptionTarget", "True", "TerminationByKubelet", message)
        + containers(ended),
        milliseconds=500,
        delay="simulate-run-time",
        events=[event("Warning", "Evicted", f'"{message}"')],
    )

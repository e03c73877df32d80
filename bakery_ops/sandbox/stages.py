"""How simulated nodes and pods live: KWOK Stage documents, written the way a kubelet reports the same moments.

An annotation on the pod changes its life (`bakery-ia.dev/…`, values are Go durations such as `1500ms`):

    simulate-init-delay    how long each init container runs, default 50ms
    simulate-pull-delay    how long the images are pulled, default 0s
    simulate-ready-delay   from running to ready, default 200ms
    simulate-run-time      how long a pod runs that has an end (a Job's, or one that is not restarted), default 300ms
    simulate               a failure to rehearse, see `failures.py`; taken off again, the pod lives on and becomes ready
"""

from __future__ import annotations

from typing import Any

from bakery_ops.sandbox.kwok import (
    ALIVE,
    INITIALIZED,
    LAST_END,
    PREFIX,
    READY,
    RESTART_POLICY,
    RESTARTS,
    RUNNING,
    RUNNING_INIT,
    RUNNING_SINCE,
    STILL_RUNNING,
    UNREADY,
    WAITING_REASON,
    annotation,
    condition,
    containers,
    stage,
    where,
)

NODE_ANNOTATION = "kwok.x-k8s.io/node"
NODE_TAINT = f"{PREFIX}simulated"

# Which failures keep a pod from which step of the ordinary life.
_STUCK_IN_INIT = ("init-stuck", "init-fails")
_MENDABLE = ("ErrImagePull", "ImagePullBackOff", "CreateContainerConfigError")
_NEVER_STARTED = ("image-not-found", "registry-5xx", "registry-heals", "missing-secret", "missing-volume")
_NEVER_READY = ("never-ready", "crash-loop", "oom-killed", "liveness-killed", "evicted")
_NEVER_DONE = ("job-failed", *_NEVER_READY)
# Whether a pod that crashes a few times at first is not through with it yet.
STILL_CRASHING = (
    f'({annotation("simulate")} == "crashes-first") and ((.status.containerStatuses[0].restartCount // 0) '
    f'< (({annotation("simulate-crashes")} // "2") | tonumber))'
)


_UNINITIALIZED = (
    "containers with incomplete status: "
    "[{{ range $i, $c := .spec.initContainers }}{{ if $i }} {{ end }}{{ $c.name }}{{ end }}]"
)
_POD_ADDRESS = (
    '{{ $ip := PodIPWith .spec.nodeName ( or .spec.hostNetwork false ) ( or .metadata.uid "" ) '
    '( or .metadata.name "" ) ( or .metadata.namespace "" ) }}\n'
    "podIP: {{ $ip | Quote }}\npodIPs: [{ip: {{ $ip | Quote }}}]\n"
)
_HOST_ADDRESS = (
    "hostIP: {{ NodeIPWith .spec.nodeName | Quote }}\nhostIPs: [{ip: {{ NodeIPWith .spec.nodeName | Quote }}}]\n"
)


WITH_IMAGE = '{{ $imageID = printf "sha256:%s" ( sha256sum .metadata.name ) }}\n'


def node_stages() -> list[dict[str, Any]]:
    """A node becomes ready at once and keeps saying so; its lease is renewed by KWOK itself."""
    status = (
        "conditions:\n{{ range NodeConditions }}\n"
        "- {type: {{ .type | Quote }}, status: {{ .status | Quote }}, reason: {{ .reason | Quote }}, "
        "message: {{ .message | Quote }}, lastHeartbeatTime: {{ $now | Quote }}, lastTransitionTime: TRANSITION}\n"
        "{{ end }}\naddresses:\n- {type: InternalIP, address: {{ NodeIP | Quote }}}\n"
        "- {type: Hostname, address: {{ NodeName | Quote }}}\n"
        "{{ with NodePort }}daemonEndpoints: {kubeletEndpoint: {Port: {{ . }}}}{{ end }}\n"
        "nodeInfo: {architecture: amd64, operatingSystem: linux, osImage: Simulated, kernelVersion: simulated, "
        "kubeletVersion: v1.36.3, kubeProxyVersion: v1.36.3, containerRuntimeVersion: 'kwok://0.8.0', "
        'bootID: "", machineID: "", systemUUID: ""}\n'
    )
    created = "{{ .metadata.creationTimestamp | Quote }}"
    return [
        stage(
            "node-ready",
            "Node",
            [where(READY, "NotIn", "True")],
            status=status.replace("TRANSITION", "{{ $now | Quote }}"),
        ),
        stage(
            "node-heartbeat",
            "Node",
            [where(READY, "In", "True")],
            status=status.replace("TRANSITION", created),
            milliseconds=240_000,
        ),
    ]


def pod_stages() -> list[dict[str, Any]]:
    """The ordinary life: accepted, init containers one by one, running, ready or finished, deleted."""
    return [
        stage(
            "pod-accepted",
            "Pod",
            [
                ALIVE,
                where(".status.startTime", "DoesNotExist"),
                where(annotation("simulate"), "NotIn", "missing-volume"),
            ],
            status=_ACCEPTED,
        ),
        stage(
            "pod-init-advances",
            "Pod",
            [ALIVE, where(RUNNING_INIT, "Exists"), where(annotation("simulate"), "NotIn", *_STUCK_IN_INIT)],
            status=_INIT_ADVANCES,
            milliseconds=50,
            delay="simulate-init-delay",
        ),
        stage(
            "pod-runs",
            "Pod",
            [
                ALIVE,
                where(INITIALIZED, "In", "True"),
                where(WAITING_REASON, "In", "ContainerCreating", "PodInitializing", *_MENDABLE),
                where(annotation("simulate"), "NotIn", *_NEVER_STARTED),
            ],
            status=RUNS,
            delay="simulate-pull-delay",
        ),
        stage(
            "pod-ready",
            "Pod",
            [
                ALIVE,
                where(".status.phase", "In", "Running"),
                where(RUNNING_SINCE, "Exists"),
                where(READY, "NotIn", "True"),
                where(RESTART_POLICY, "In", "Always"),
                where(annotation("simulate"), "NotIn", *_NEVER_READY),
                where(STILL_CRASHING, "NotIn", "true"),
            ],
            status=_BECOMES_READY,
            milliseconds=200,
            delay="simulate-ready-delay",
        ),
        stage(
            "pod-succeeds",
            "Pod",
            [
                ALIVE,
                where(".status.phase", "In", "Running"),
                where(RESTART_POLICY, "NotIn", "Always"),
                where(RUNNING_SINCE, "Exists"),
                where(annotation("simulate"), "NotIn", *_NEVER_DONE),
                where(STILL_CRASHING, "NotIn", "true"),
            ],
            status=_SUCCEEDS,
            milliseconds=300,
            delay="simulate-run-time",
        ),
        stage("pod-deleted", "Pod", [where(".metadata.deletionTimestamp", "Exists")], delete=True),
    ]


def accepted(first: str, *, sandbox: str = "True") -> str:
    """The status of a pod the kubelet has just seen; `first`: state and `started` of its first init container."""
    return (
        "phase: Pending\nstartTime: {{ $now | Quote }}\n"
        + _HOST_ADDRESS
        + "conditions:\n"
        + condition("PodReadyToStartContainers", sandbox)
        + condition("Ready", "False", "ContainersNotReady", UNREADY)
        + condition("ContainersReady", "False", "ContainersNotReady", UNREADY)
        + "{{ if .spec.initContainers }}\n"
        + condition("Initialized", "False", "ContainersNotInitialized", _UNINITIALIZED)
        + "initContainerStatuses:\n{{ range $i, $c := .spec.initContainers }}\n"
        + "- {name: {{ $c.name | Quote }}, image: {{ $c.image | Quote }}, imageID: '', ready: false, restartCount: 0, "
        + "{{ if $i }}started: false, state: {waiting: {reason: PodInitializing}}"
        + f"{{{{ else }}}}{first}{{{{ end }}}}}}\n{{{{ end }}}}\n"
        + containers("waiting: {reason: PodInitializing}")
        + "{{ else }}\n"
        + condition("Initialized", "True")
        + containers("waiting: {reason: ContainerCreating}")
        + "{{ end }}\n"
    )


_ACCEPTED = accepted("started: true, state: {running: {startedAt: {{ $now | Quote }}}}")

_INIT_ADVANCES = (
    "{{ $next := false }}{{ $left := 0 }}\ninitContainerStatuses:\n{{ range .status.initContainerStatuses }}\n"
    "- {name: {{ .name | Quote }}, image: {{ .image | Quote }}, imageID: '', restartCount: {{ .restartCount }}, "
    "lastState: {{ .lastState | toJson }}, "
    "{{ if .state.running }}{{ $next = true }}ready: true, started: false, "
    "state: {terminated: {exitCode: 0, reason: Completed, "
    "startedAt: {{ .state.running.startedAt | Quote }}, finishedAt: {{ $now | Quote }}}}"
    "{{ else if .state.terminated }}ready: true, started: false, state: {{ .state | toJson }}"
    "{{ else if $next }}{{ $next = false }}{{ $left = add1 $left }}ready: false, started: true, "
    "state: {running: {startedAt: {{ $now | Quote }}}}"
    "{{ else }}{{ $left = add1 $left }}ready: false, started: false, "
    "state: {waiting: {reason: PodInitializing}}{{ end }}}\n"
    "{{ end }}\n{{ if eq ( int $left ) 0 }}\nconditions:\n" + condition("Initialized", "True") + "{{ end }}\n"
)

RUNS = WITH_IMAGE + "phase: Running\n" + _POD_ADDRESS + containers(RUNNING, started="true")

_BECOMES_READY = (
    WITH_IMAGE
    + "conditions:\n"
    + condition("Ready", "True")
    + condition("ContainersReady", "True")
    + containers(STILL_RUNNING, ready="true", started="true", restarts=RESTARTS, last=LAST_END)
)

_SUCCEEDS = (
    WITH_IMAGE
    + "phase: Succeeded\nconditions:\n"
    + condition("Initialized", "True", "PodCompleted")
    + condition("Ready", "False", "PodCompleted")
    + condition("ContainersReady", "False", "PodCompleted")
    + containers(
        "terminated: {exitCode: 0, reason: Completed, startedAt: {{ $.status.startTime | Quote }}, "
        "finishedAt: {{ $now | Quote }}}",
        restarts=RESTARTS,
    )
)

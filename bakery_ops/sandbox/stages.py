"""How simulated nodes and pods live: KWOK Stage documents, written the way a kubelet reports the same moments.

An annotation on the pod changes its life (`bakery-ia.dev/…`, values are Go durations such as `1500ms`):

    simulate-init-delay    how long each init container runs, default 50ms
    simulate-ready-delay   from running to ready, default 200ms
    simulate-run-time      how long a Job's pod runs, default 300ms
    simulate               a failure to rehearse, see `failures.py`
"""

from __future__ import annotations

from typing import Any

PREFIX = "bakery-ia.dev/"
SIMULATE = f"{PREFIX}simulate"

NODE_ANNOTATION = "kwok.x-k8s.io/node"
NODE_TAINT = f"{PREFIX}simulated"

Expression = dict[str, Any]


def annotation(name: str) -> str:
    """The jq path of an annotation of ours."""
    return f'.metadata.annotations["{PREFIX}{name}"]'


def where(key: str, operator: str, *values: str) -> Expression:
    """One condition of a stage: `operator` is In, NotIn, Exists or DoesNotExist; `key` a jq expression."""
    return {"key": key, "operator": operator, **({"values": list(values)} if values else {})}


ALIVE = where(".metadata.deletionTimestamp", "DoesNotExist")
_READY = '.status.conditions.[]? | select( .type == "Ready" ) | .status'
_INITIALIZED = '.status.conditions.[]? | select( .type == "Initialized" ) | .status'
_RUNNING_INIT = ".status.initContainerStatuses.[]? | select( .state.running ) | .name"
OF_A_JOB = ".metadata.ownerReferences.[]? | .kind"
WAITING_REASON = ".status.containerStatuses.[]? | .state.waiting.reason"


def condition(kind: str, status: str, reason: str = "", message: str = "") -> str:
    """One line of `conditions:` in a status template that has defined `$now`; `message` may hold template code."""
    parts = [f"type: {kind}", f'status: "{status}"', "lastProbeTime: null", "lastTransitionTime: {{ $now | Quote }}"]
    # A strategic merge keeps what is not mentioned: without the nulls an old reason would stay on a condition now true.
    parts.append(f"reason: {reason or 'null'}")
    parts.append(f'message: "{message}"' if message else "message: null")
    return "- {" + ", ".join(parts) + "}\n"


UNREADY = (
    "containers with unready status: "
    "[{{ range $i, $c := .spec.containers }}{{ if $i }} {{ end }}{{ $c.name }}{{ end }}]"
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


def containers(state: str, *, ready: str = "false", started: str = "false", restarts: str = "0", last: str = "") -> str:
    """`containerStatuses:` with every container in `state` (flow YAML, template code allowed)."""
    line = (
        "- {name: {{ .name | Quote }}, image: {{ .image | Quote }}, imageID: {{ $imageID | Quote }}, "
        f"ready: {ready}, started: {started}, restartCount: {restarts}, lastState: {{{last}}}, state: {{{state}}}}}\n"
    )
    return "containerStatuses:\n{{ range .spec.containers }}\n" + line + "{{ end }}\n"


def stage(
    name: str,
    kind: str,
    conditions: list[Expression],
    *,
    status: str = "",
    milliseconds: int = 0,
    delay: str = "",
    events: list[str] | None = None,
    delete: bool = False,
) -> dict[str, Any]:
    """One Stage: objects of `kind` that meet all `conditions` get `status` after a delay.

    Args:
        status: Go template of the status; it may use `$now` and `$imageID`.
        milliseconds: The delay, unless the object carries the annotation called `delay`.
        events: Go templates of Event objects to write (see `event`).
        delete: Remove the object instead.
    """
    steps: list[dict[str, Any]] = [{"apply": {"template": template}} for template in events or []]
    if status:
        steps.insert(0, {"patch": {"subresource": "status", "root": "status", "template": _PROLOGUE + status}})
    if delete:
        steps.append({"delete": True})
    specification: dict[str, Any] = {
        "resourceRef": {"apiGroup": "v1", "kind": kind},
        "selector": {"matchExpressions": conditions},
        "steps": steps,
    }
    if milliseconds or delay:
        specification["delay"] = {"durationMilliseconds": milliseconds}
        if delay:
            specification["delay"]["durationFrom"] = {"expressionFrom": annotation(delay)}
    return {"apiVersion": "kwok.x-k8s.io/v1alpha1", "kind": "Stage", "metadata": {"name": name}, "spec": specification}


_PROLOGUE = '{{ $now := Now }}{{ $imageID := "" }}\n'
_WITH_IMAGE = '{{ $imageID = printf "sha256:%s" ( sha256sum .metadata.name ) }}\n'
RUNNING = "running: {startedAt: {{ $now | Quote }}}"


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
            [where(_READY, "NotIn", "True")],
            status=status.replace("TRANSITION", "{{ $now | Quote }}"),
        ),
        stage(
            "node-heartbeat",
            "Node",
            [where(_READY, "In", "True")],
            status=status.replace("TRANSITION", created),
            milliseconds=240_000,
        ),
    ]


def pod_stages() -> list[dict[str, Any]]:
    """The ordinary life: accepted, init containers one by one, running, ready or finished, deleted."""
    return [
        stage("pod-accepted", "Pod", [ALIVE, where(".status.startTime", "DoesNotExist")], status=_ACCEPTED),
        stage(
            "pod-init-advances",
            "Pod",
            [ALIVE, where(_RUNNING_INIT, "Exists"), where(annotation("simulate"), "NotIn", "init-stuck")],
            status=_INIT_ADVANCES,
            milliseconds=50,
            delay="simulate-init-delay",
        ),
        stage(
            "pod-runs",
            "Pod",
            [
                ALIVE,
                where(_INITIALIZED, "In", "True"),
                where(WAITING_REASON, "In", "ContainerCreating", "PodInitializing"),
                where(annotation("simulate"), "NotIn", "image-not-found", "registry-5xx"),
            ],
            status=_RUNS,
        ),
        stage(
            "pod-ready",
            "Pod",
            [
                ALIVE,
                where(".status.phase", "In", "Running"),
                where(_READY, "NotIn", "True"),
                where(OF_A_JOB, "NotIn", "Job"),
                where(annotation("simulate"), "NotIn", "never-ready", "crash-loop", "oom-killed"),
            ],
            status=_BECOMES_READY,
            milliseconds=200,
            delay="simulate-ready-delay",
        ),
        stage(
            "job-pod-succeeds",
            "Pod",
            [
                ALIVE,
                where(".status.phase", "In", "Running"),
                where(OF_A_JOB, "In", "Job"),
                where(annotation("simulate"), "NotIn", "job-failed", "crash-loop", "oom-killed", "never-ready"),
            ],
            status=_SUCCEEDS,
            milliseconds=300,
            delay="simulate-run-time",
        ),
        stage("pod-deleted", "Pod", [where(".metadata.deletionTimestamp", "Exists")], delete=True),
    ]


_ACCEPTED = (
    "phase: Pending\nstartTime: {{ $now | Quote }}\n"
    + _HOST_ADDRESS
    + "conditions:\n"
    + condition("PodReadyToStartContainers", "True")
    + condition("Ready", "False", "ContainersNotReady", UNREADY)
    + condition("ContainersReady", "False", "ContainersNotReady", UNREADY)
    + "{{ if .spec.initContainers }}\n"
    + condition("Initialized", "False", "ContainersNotInitialized", _UNINITIALIZED)
    + "initContainerStatuses:\n{{ range $i, $c := .spec.initContainers }}\n"
    + "- {name: {{ $c.name | Quote }}, image: {{ $c.image | Quote }}, imageID: '', ready: false, restartCount: 0, "
    + "{{ if $i }}started: false, state: {waiting: {reason: PodInitializing}}"
    + "{{ else }}started: true, state: {running: {startedAt: {{ $now | Quote }}}}{{ end }}}\n{{ end }}\n"
    + containers("waiting: {reason: PodInitializing}")
    + "{{ else }}\n"
    + condition("Initialized", "True")
    + containers("waiting: {reason: ContainerCreating}")
    + "{{ end }}\n"
)

_INIT_ADVANCES = (
    "{{ $next := false }}{{ $left := 0 }}\ninitContainerStatuses:\n{{ range .status.initContainerStatuses }}\n"
    "- {name: {{ .name | Quote }}, image: {{ .image | Quote }}, imageID: '', restartCount: 0, "
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

_RUNS = _WITH_IMAGE + "phase: Running\n" + _POD_ADDRESS + containers(RUNNING, started="true")

_BECOMES_READY = (
    _WITH_IMAGE
    + "conditions:\n"
    + condition("Ready", "True")
    + condition("ContainersReady", "True")
    + containers(RUNNING, ready="true", started="true")
)

_SUCCEEDS = (
    _WITH_IMAGE
    + "phase: Succeeded\nconditions:\n"
    + condition("Initialized", "True", "PodCompleted")
    + condition("Ready", "False", "PodCompleted")
    + condition("ContainersReady", "False", "PodCompleted")
    + containers(
        "terminated: {exitCode: 0, reason: Completed, startedAt: {{ $.status.startTime | Quote }}, "
        "finishedAt: {{ $now | Quote }}}"
    )
)

"""How a KWOK Stage is written: its conditions in jq, and the templates of statuses and Events in the kubelet's words.

In a status template `$now` is the time, `$i` the number of the container being written, `$` the pod.
"""

from __future__ import annotations

from typing import Any

PREFIX = "bakery-ia.dev/"
SIMULATE = f"{PREFIX}simulate"

Expression = dict[str, Any]


def annotation(name: str) -> str:
    """The jq path of an annotation of ours."""
    return f'.metadata.annotations["{PREFIX}{name}"]'


def where(key: str, operator: str, *values: str) -> Expression:
    """One condition of a stage: `operator` is In, NotIn, Exists or DoesNotExist; `key` a jq expression."""
    return {"key": key, "operator": operator, **({"values": list(values)} if values else {})}


ALIVE = where(".metadata.deletionTimestamp", "DoesNotExist")
READY = '.status.conditions.[]? | select( .type == "Ready" ) | .status'
INITIALIZED = '.status.conditions.[]? | select( .type == "Initialized" ) | .status'
RUNNING_INIT = ".status.initContainerStatuses.[]? | select( .state.running ) | .name"
OF_A_JOB = ".metadata.ownerReferences.[]? | .kind"
RESTART_POLICY = ".spec.restartPolicy"
WAITING_REASON = ".status.containerStatuses.[]? | .state.waiting.reason"
RUNNING_SINCE = ".status.containerStatuses.[]? | .state.running.startedAt"


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
UNREADY_CONDITIONS = (
    "conditions:\n"
    + condition("Ready", "False", "ContainersNotReady", UNREADY)
    + condition("ContainersReady", "False", "ContainersNotReady", UNREADY)
)
RUNNING = "running: {startedAt: {{ $now | Quote }}}"
STILL_RUNNING = "running: {{ ( index $.status.containerStatuses $i ).state.running | toJson }}"

RESTARTS = "{{ ( index $.status.containerStatuses $i ).restartCount }}"
LAST_END = (
    "{{ with ( index $.status.containerStatuses $i ).lastState.terminated }}terminated: {{ . | toJson }}{{ end }}"
)


def containers(state: str, *, ready: str = "false", started: str = "false", restarts: str = "0", last: str = "") -> str:
    """`containerStatuses:` with every container in `state` (flow YAML, template code allowed; `$i` is its number)."""
    line = (
        "- {name: {{ .name | Quote }}, image: {{ .image | Quote }}, imageID: {{ $imageID | Quote }}, "
        f"ready: {ready}, started: {started}, restartCount: {restarts}, "
        f"lastState: {{ {last} }}, state: {{ {state} }}}}\n"
    )
    return "containerStatuses:\n{{ range $i, $container := .spec.containers }}\n" + line + "{{ end }}\n"


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


def event(kind: str, reason: str, message: str, *, field: str = "containers") -> str:
    """Go template of an Event about the first of the pod's `field`, as the kubelet writes it.

    Its name follows from pod and reason, so a repetition counts up instead of filling the list.
    """
    suffix = f'( substr 0 16 ( sha256sum ( printf "%s{reason}" .metadata.uid ) ) )'
    statuses = "initContainerStatuses" if field == "initContainers" else "containerStatuses"
    return (
        "apiVersion: v1\nkind: Event\nmetadata:\n"
        f'  name: {{{{ printf "%s.%s" .metadata.name {suffix} | Quote }}}}\n'
        "  namespace: {{ .metadata.namespace | Quote }}\n"
        "involvedObject: {apiVersion: v1, kind: Pod, name: {{ .metadata.name | Quote }}, "
        "namespace: {{ .metadata.namespace | Quote }}, uid: {{ .metadata.uid | Quote }}, "
        f'fieldPath: {{{{ printf "spec.{field}{{%s}}" ( index .spec.{field} 0 ).name | Quote }}}}}}\n'
        f"type: {kind}\nreason: {reason}\nmessage: {{{{ {message} | Quote }}}}\n"
        f"count: {{{{ with .status.{statuses} }}}}{{{{ add1 ( ( index . 0 ).restartCount ) }}}}"
        "{{ else }}1{{ end }}\n"
        "firstTimestamp: {{ or .status.startTime Now | Quote }}\nlastTimestamp: {{ Now | Quote }}\n"
        "source: {component: kubelet, host: {{ .spec.nodeName | Quote }}}\n"
        "reportingComponent: kubelet\nreportingInstance: {{ .spec.nodeName | Quote }}\n"
    )


_PROLOGUE = '{{ $now := Now }}{{ $imageID := "" }}\n'

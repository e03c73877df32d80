"""The table of evidence: what counts against a node, of which class it is, and when it turns Failing into Failed.

`docs/readiness.md` shows this table to the user; a test holds the two together, and another demands a case for every
row. Hold times and counts follow the best of the peers; where a peer cries wolf, the symptom is split by its text.
"""

from __future__ import annotations

from typing import NamedTuple

from bakery_ops.rules.verdict import EvidenceClass


class Row(NamedTuple):
    """One row of the table.

    Attributes:
        id: Stable name; cases and documentation cite it.
        symptom: What is seen, in the API's words.
        hold: Seconds the symptom must last, seen at both ends; 0 is "at once"; None: only the count decides.
        budget: The occurrence that uses up the budget; 0: not counted.
    """

    id: str
    symptom: str
    evidence_class: EvidenceClass
    hold: float | None
    budget: int = 0

    @property
    def failed_after(self) -> str:
        """The last column, in words: "10 s", "2nd occurrence", "3 restarts, or 60 s"."""
        counted = {0: "", 1: "1st occurrence", 2: "2nd occurrence", 3: "3rd occurrence"}[self.budget]
        held = "" if self.hold is None else "at once" if self.hold == 0 else f"{self.hold:g} s"
        return ", or ".join(part for part in (counted, held) if part) or "never by itself"


_PERMANENT, _TRANSIENT, _BUDGET = EvidenceClass.PERMANENT, EvidenceClass.TRANSIENT, EvidenceClass.BUDGET

TRANSIENT_HOLD = 120.0

# Containers
IMAGE_UNUSABLE = Row("image-unusable", "waiting: InvalidImageName, ErrImageNeverPull", _PERMANENT, 0)
IMAGE_MISSING = Row(
    "image-missing",
    "ErrImagePull or ImagePullBackOff whose first message says not found, manifest unknown, denied, unauthorized or no "
    "matching platform",
    _PERMANENT,
    10,
)
IMAGE_TROUBLE = Row("image-trouble", "the same with other text (timeout, 429, TLS, DNS)", _TRANSIENT, TRANSIENT_HOLD)
CONFIG_MISSING = Row("config-missing", "waiting: CreateContainerConfigError", _PERMANENT, 10)
CONFIG_CACHE = Row(
    "config-cache",
    "the same, but the kubelet's cache lags (failed to sync … cache, not registered, services not yet read)",
    _TRANSIENT,
    TRANSIENT_HOLD,
)
CREATE_ERROR = Row(
    "create-error",
    "CreateContainerError, RunContainerError, StartError, ContainerCannotRun",
    _PERMANENT,
    30,
    budget=2,
)
CREATE_TROUBLE = Row(
    "create-trouble",
    "the same with exit code 128 or a timeout of the runtime, unless the message blames the command",
    _TRANSIENT,
    TRANSIENT_HOLD,
)
COMMAND_UNUSABLE = Row(
    "command-unusable", "exit code 126 or 127; “exec format error” in the logs", _PERMANENT, None, budget=1
)
CRASH_LOOP = Row(
    "crash-loop",
    "CrashLoopBackOff, or terminated non-zero with restartPolicy Always: restarts of this pod since the apply, or "
    "back-off held",
    _BUDGET,
    60,
    budget=3,
)
PROBE_KILLS = Row(
    "probe-kills",
    "event “failed liveness/startup probe, will be restarted”: counts as one crash",
    _BUDGET,
    60,
    budget=3,
)
OUT_OF_MEMORY = Row("out-of-memory", "OOMKilled", _BUDGET, None, budget=2)
JOB_ATTEMPT = Row("job-attempt", "a Job's container ended non-zero: the Job's backoffLimit decides", _BUDGET, None)

# Pods
UNSCHEDULABLE_EVER = Row(
    "unschedulable-for-good",
    "Unschedulable: request above every cluster node's allocatable; selector, node affinity or an untolerated custom "
    "taint",
    _PERMANENT,
    15,
)
UNSCHEDULABLE_NOW = Row(
    "unschedulable-now",
    "Unschedulable with other text: no room now, cluster node not ready, unbound volume claim",
    _TRANSIENT,
    TRANSIENT_HOLD,
)
MOUNT_MISSING = Row(
    "mount-missing",
    "events FailedMount, FailedAttachVolume while ContainerCreating: secret or configmap not found, non-existent key",
    _PERMANENT,
    20,
)
MOUNT_TROUBLE = Row(
    "mount-trouble",
    "the same with other text; FailedCreatePodSandBox; NetworkNotReady",
    _TRANSIENT,
    TRANSIENT_HOLD,
)
EVICTED = Row(
    "evicted",
    "phase Failed with reason Evicted or Preempting (or turned away by the kubelet); DisruptionTarget",
    _TRANSIENT,
    None,
    budget=3,
)
EVICTED_OVER_LIMIT = Row(
    "evicted-over-limit",
    "Evicted since the pod used more than a limit of its own (emptyDir sizeLimit, ephemeral-storage)",
    _BUDGET,
    None,
    budget=2,
)
MACHINE_LOST = Row(
    "cluster-node-lost", "event NodeNotReady: the pod's cluster node is not ready", _TRANSIENT, TRANSIENT_HOLD
)
CREATE_REFUSED = Row(
    "create-refused",
    "ReplicaFailure, or event FailedCreate on a ReplicaSet, StatefulSet, DaemonSet or Job (quota, admission)",
    _PERMANENT,
    20,
)
CREATE_STALLED = Row(
    "create-stalled",
    "the same with a text that says try again (webhook call failed, timeout, conflict)",
    _TRANSIENT,
    TRANSIENT_HOLD,
)

# Objects
GONE = Row("disappeared", "the object was there and is gone", _PERMANENT, 5)
NEVER_SEEN = Row("never-seen", "the object was applied and never seen since, on a synced stream", _PERMANENT, 60)
OUTCOME_UNKNOWN = Row("outcome-unknown", "a Job vanished before its end was seen", _PERMANENT, 5)
REPLACED = Row("replaced", "another object of the same name took the place of ours", _PERMANENT, 5)
FINALIZERS = Row("held-by-finalizers", "terminating for longer than the grace period + 60 s", _TRANSIENT, None)
STALLED = Row("stalled", "condition Stalled=True", _PERMANENT, 0)
DEADLINE_EXCEEDED = Row(
    "progress-deadline", "Deployment: ProgressDeadlineExceeded, not from an earlier deploy", _PERMANENT, 0
)
JOB_FAILED = Row("job-failed", "Job: FailureTarget=True or Failed=True", _PERMANENT, 0)
POD_FAILED = Row("pod-failed", "bare Pod: phase Failed", _PERMANENT, 0)
CLAIM_LOST = Row("claim-lost", "PersistentVolumeClaim: phase Lost", _PERMANENT, 0)
CLASS_MISSING = Row(
    "storage-class-missing",
    "PersistentVolumeClaim: its StorageClass is missing; or it names none and there is not exactly one default",
    _PERMANENT,
    10,
)
PROVISIONING = Row(
    "provisioning-failed", "PersistentVolumeClaim: event ProvisioningFailed or FailedBinding", _TRANSIENT, 60
)
SCALER_BROKEN = Row(
    "autoscaler-broken",
    "HorizontalPodAutoscaler: FailedGetScale, FailedUpdateScale, InvalidSelector, AmbiguousSelector",
    _PERMANENT,
    20,
)
BUDGET_BROKEN = Row("budget-broken", "PodDisruptionBudget: DisruptionAllowed with reason SyncFailed", _PERMANENT, 20)
DEFINITION_REFUSED = Row(
    "definition-refused",
    "CustomResourceDefinition: NamesAccepted=False, NonStructuralSchema=True, Established=False beyond installing",
    _PERMANENT,
    5,
)
NAMESPACE_ENDING = Row("namespace-terminating", "Namespace: phase Terminating", _PERMANENT, 0)
SECRET_UNUSABLE = Row(
    "secret-unusable",
    "Secret: a key its type requires is empty, or its certificate is unreadable or expired",
    _PERMANENT,
    5,
)
FIELD_FAILED = Row(
    "field-says-failed", "custom resource: its status field has a value that means failure", _PERMANENT, 5
)
RESOURCE_FAILED = Row(
    "resource-failed",
    "custom resource: condition Ready=False whose reason says failure, or without that condition a status.phase Failed "
    "or Error; the same reason and message",
    _TRANSIENT,
    TRANSIENT_HOLD,
)
API_UNAVAILABLE = Row(
    "api-unavailable",
    "APIService: Available=False for the same reason, while what is behind it is ready",
    _TRANSIENT,
    TRANSIENT_HOLD,
)

EVIDENCE: tuple[Row, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Row))
"""All rows, in the order of this file."""

"""Controllers for the FakeCluster: Deployments, StatefulSets and Jobs get pods that start, fail and restart.

Statuses have the shape a real control plane writes, so the real readiness rules judge them. How a workload behaves is a
`Behaviour` by its name; without one it becomes ready after a second. All in virtual time.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from bakery_ops.model.content import canonical
from bakery_ops.model.manifest import ObjectRef
from bakery_ops.model.times import format_time
from tests.fakes import FakeCluster
from tests.pod_life import (
    BAD_IMAGE,
    CRASH,
    FAULTS,
    JOB_FAILS,
    MISSING_SECRET,
    OUT_OF_MEMORY,
    QUOTA,
    STUCK,
    UNSCHEDULABLE,
    Behaviour,
    PodLife,
    condition,
)

__all__ = [
    "BAD_IMAGE", "CRASH", "FAULTS", "JOB_FAILS", "MISSING_SECRET", "OUT_OF_MEMORY", "QUOTA", "STUCK", "UNSCHEDULABLE",
    "Behaviour", "Simulation",
]  # fmt: skip

Body = Mapping[str, Any]


class Simulation:
    """Controllers on `cluster`. `runs` counts how often each Job was started, by name."""

    def __init__(self, cluster: FakeCluster, behaviours: Mapping[str, Behaviour] | None = None) -> None:
        self.cluster = cluster
        self.behaviours = dict(behaviours or {})
        self.runs: Counter[str] = Counter()
        self.lives: dict[ObjectRef, PodLife] = {}
        self._events = 0
        cluster.on_write.append(self._written)

    def behaviour(self, name: str) -> Behaviour:
        return self.behaviours.get(name, Behaviour())

    def _written(self, ref: ObjectRef, body: Body, created: bool) -> None:
        act = {
            "Deployment": self._deployment,
            "StatefulSet": self._stateful,
            "Job": self._job,
            "Service": self._service,
        }
        if ref.kind in act:
            generation = body["metadata"]["generation"]
            if created or (body.get("status") or {}).get("observedGeneration") != generation:
                act[ref.kind](ref, body)

    # Deployments ------------------------------------------------------------------------------------------------

    def _deployment(self, ref: ObjectRef, body: Body) -> None:
        generation, replicas = body["metadata"]["generation"], body["spec"].get("replicas", 1)
        self.cluster.after(0.01, lambda: self._roll(ref, generation, replicas))

    def _roll(self, ref: ObjectRef, generation: int, replicas: int) -> None:
        if ref not in self.cluster.stored or self.cluster.stored[ref].body["metadata"]["generation"] != generation:
            return
        body = self.cluster.stored[ref].body
        hashed = f"{zlib.crc32(canonical(body['spec'].get('template') or {})):08x}"
        revision = str(generation)
        old = [other for other in self.cluster.stored if other.kind == "ReplicaSet" and self._belongs(other, ref)]
        labels = self._labels(body) | {"pod-template-hash": hashed}
        replica_set = ObjectRef("apps", "ReplicaSet", ref.namespace, f"{ref.name}-{hashed}")
        self.cluster.change(ref, lambda it: it["metadata"].setdefault("annotations", {}).update({_REVISION: revision}))
        fault = self.behaviour(ref.name).fault
        if replica_set not in self.cluster.stored:
            self._put(replica_set, ref, labels, {"replicas": replicas}, annotations={_REVISION: revision})
        conditions = [condition("Progressing", "True", "NewReplicaSetCreated", self.now)]
        if fault == QUOTA:
            message = "pods is forbidden: exceeded quota"
            conditions.append(condition("ReplicaFailure", "True", "FailedCreate", self.now, message))
            self._event(replica_set, "FailedCreate", f"Error creating: {message}")
        self.cluster.set_status(
            ref, observedGeneration=generation, replicas=0, updatedReplicas=0, readyReplicas=0,
            availableReplicas=0, conditions=conditions,
        )  # fmt: skip
        if fault == QUOTA:
            return
        pods = []
        for index in range(replicas):
            pod = ObjectRef("", "Pod", ref.namespace, f"{replica_set.name}-{index}")
            pods.append(pod)
            self._pod(pod, replica_set, labels, ref, lambda: self._deployment_status(ref, generation, pods, old))
        self._deployment_status(ref, generation, pods, old)

    def _deployment_status(self, ref: ObjectRef, generation: int, pods: list[ObjectRef], old: list[ObjectRef]) -> None:
        if ref not in self.cluster.stored or self.cluster.stored[ref].body["metadata"]["generation"] != generation:
            return
        ready = sum(self._is_ready(pod) for pod in pods)
        done = ready == len(pods)
        if done:
            for replica_set in old:
                self.cluster.vanish(replica_set)
        reason = "NewReplicaSetAvailable" if done else "ReplicaSetUpdated"
        self.cluster.set_status(
            ref, observedGeneration=generation, replicas=len(pods), updatedReplicas=len(pods), readyReplicas=ready,
            availableReplicas=ready,
            conditions=[
                condition("Progressing", "True", reason, self.now),
                condition("Available", "True" if done else "False", "MinimumReplicas", self.now),
            ],
        )  # fmt: skip

    # StatefulSets -----------------------------------------------------------------------------------------------

    def _stateful(self, ref: ObjectRef, body: Body) -> None:
        generation, replicas = body["metadata"]["generation"], body["spec"].get("replicas", 1)
        revision = f"{ref.name}-{generation}"
        labels = self._labels(body) | {"controller-revision-hash": revision}

        def begin() -> None:
            if ref not in self.cluster.stored:
                return
            for template in body["spec"].get("volumeClaimTemplates") or ():
                for index in range(replicas):
                    claim = ObjectRef(
                        "", "PersistentVolumeClaim", ref.namespace, f"{template['metadata']['name']}-{ref.name}-{index}"
                    )
                    if claim not in self.cluster.stored:
                        self._put(claim, None, labels, {"storageClassName": "local"})
                        self.cluster.set_status(claim, phase="Bound")
            pods = [ObjectRef("", "Pod", ref.namespace, f"{ref.name}-{index}") for index in range(replicas)]
            for pod in pods:
                self.cluster.vanish(pod)
                self._pod(pod, ref, labels, ref, lambda: self._stateful_status(ref, generation, revision, pods))
            self._stateful_status(ref, generation, revision, pods)

        self.cluster.after(0.01, begin)

    def _stateful_status(self, ref: ObjectRef, generation: int, revision: str, pods: list[ObjectRef]) -> None:
        if ref not in self.cluster.stored:
            return
        ready = sum(self._is_ready(pod) for pod in pods)
        self.cluster.set_status(
            ref, observedGeneration=generation, replicas=len(pods), readyReplicas=ready, availableReplicas=ready,
            updatedReplicas=len(pods), currentRevision=revision, updateRevision=revision,
        )  # fmt: skip

    # Jobs -------------------------------------------------------------------------------------------------------

    def _job(self, ref: ObjectRef, body: Body) -> None:
        uid = body["metadata"]["uid"]
        if body["spec"].get("suspend") or (body.get("status") or {}):
            return
        self.runs[ref.name] += 1
        labels = self._labels(body) | {"batch.kubernetes.io/job-name": ref.name}
        pod = ObjectRef("", "Pod", ref.namespace, f"{ref.name}-{uid.rpartition('-')[2]}")

        def begin() -> None:
            if self._lives(ref, uid):
                self.cluster.set_status(ref, active=1, startTime=format_time(self.now))
                self._pod(pod, ref, labels, ref, lambda: None, once=True)
                if self.behaviour(ref.name).fault not in FAULTS:
                    self.cluster.after(self.behaviour(ref.name).start, end)

        def end() -> None:
            if not self._lives(ref, uid):
                return
            failed = self.behaviour(ref.name).fault == JOB_FAILS
            reason, ended = ("Error", "Failed") if failed else ("Completed", "Succeeded")
            self.lives[pod].show({"terminated": {"exitCode": int(failed), "reason": reason}}, phase=ended)
            kind, reason = ("Failed", "BackoffLimitExceeded") if failed else ("Complete", "CompletionsReached")
            message = "Job has reached the specified backoff limit" if failed else ""
            self.cluster.set_status(
                ref, active=0, succeeded=int(not failed), failed=int(failed),
                conditions=[condition(kind, "True", reason, self.now, message)],
            )  # fmt: skip
            if (kept := body["spec"].get("ttlSecondsAfterFinished")) is not None:
                self.cluster.after(max(kept, 0.01), lambda: self.cluster.vanish(ref) if self._lives(ref, uid) else None)

        self.cluster.after(0.01, begin)

    def _lives(self, ref: ObjectRef, uid: str) -> bool:
        stored = self.cluster.stored.get(ref)
        return stored is not None and stored.body["metadata"]["uid"] == uid

    # Services ---------------------------------------------------------------------------------------------------

    def _service(self, ref: ObjectRef, body: Body) -> None:
        if not body["spec"].get("clusterIP"):
            self.cluster.change(ref, lambda it: it["spec"].update(clusterIP="10.0.0.1"), "apiserver")
        self._slices(ref.namespace)

    def _slices(self, namespace: str) -> None:
        """EndpointSlices of every Service whose selector some ready pod matches."""
        for ref in [ref for ref in self.cluster.stored if ref.kind == "Service" and ref.namespace == namespace]:
            selector = self.cluster.stored[ref].body["spec"].get("selector") or {}
            if not selector:
                continue
            pods = [
                pod
                for pod in self.cluster.stored
                if pod.kind == "Pod"
                and selector.items() <= (self.cluster.stored[pod].body["metadata"].get("labels") or {}).items()
            ]
            endpoints = [{"addresses": ["10.1.0.1"], "conditions": {"ready": self._is_ready(pod)}} for pod in pods]
            name = ObjectRef("discovery.k8s.io", "EndpointSlice", namespace, f"{ref.name}-abcde")
            before = self.cluster.stored.get(name)
            if before is None or before.body.get("endpoints") != endpoints:
                self._put(name, ref, {"kubernetes.io/service-name": ref.name}, None, endpoints=endpoints)

    # Pods -------------------------------------------------------------------------------------------------------

    def _pod(
        self,
        pod: ObjectRef,
        owner: ObjectRef,
        labels: Mapping[str, str],
        workload: ObjectRef,
        changed: Callable[[], None],
        *,
        once: bool = False,
    ) -> PodLife:
        spec = {"containers": [{"name": "app", "image": "app:1"}], "restartPolicy": "Never" if once else "Always"}
        self._put(pod, owner, labels, spec)
        life = PodLife(self, pod, workload.name, self.behaviour(workload.name), changed, once=once)
        self.lives[pod] = life
        life.begin()
        return life

    def is_up(self, workload: str) -> bool:
        """Whether a pod of the workload is ready."""
        return any(life.workload == workload and life.is_ready and life.is_alive for life in self.lives.values())

    def went_down(self, workload: str) -> None:
        for life in list(self.lives.values()):
            if life.is_alive:
                life.lost(workload)

    def readiness_changed(self, namespace: str) -> None:
        self._slices(namespace)

    def _is_ready(self, pod: ObjectRef) -> bool:
        stored = self.cluster.stored.get(pod)
        conditions = ((stored.body.get("status") or {}).get("conditions") or []) if stored else []
        return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)

    # Helpers ----------------------------------------------------------------------------------------------------

    @property
    def now(self) -> float:
        return self.cluster.clock.now()

    def _labels(self, body: Body) -> dict[str, str]:
        template = body["spec"].get("template") or {}
        return dict((template.get("metadata") or {}).get("labels") or {})

    def _belongs(self, ref: ObjectRef, owner: ObjectRef) -> bool:
        uid = self.cluster.stored[owner].body["metadata"]["uid"]
        owners = self.cluster.stored[ref].body["metadata"].get("ownerReferences") or []
        return any(reference["uid"] == uid for reference in owners)

    def _put(
        self,
        ref: ObjectRef,
        owner: ObjectRef | None,
        labels: Mapping[str, str],
        spec: Mapping[str, Any] | None,
        *,
        annotations: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        metadata: dict[str, Any] = {"name": ref.name, "namespace": ref.namespace, "labels": dict(labels)}
        if annotations:
            metadata["annotations"] = dict(annotations)
        if owner is not None:
            uid = self.cluster.stored[owner].body["metadata"]["uid"]
            metadata["ownerReferences"] = [{"kind": owner.kind, "name": owner.name, "uid": uid, "controller": True}]
        api_version = f"{ref.group}/v1" if ref.group else "v1"
        body = {"apiVersion": api_version, "kind": ref.kind, "metadata": metadata, **more}
        self.cluster.put(body if spec is None else {**body, "spec": dict(spec)}, "kube-controller-manager")

    def _event(self, about: ObjectRef, reason: str, message: str) -> None:
        self._events += 1
        uid = self.cluster.stored[about].body["metadata"]["uid"]
        involved = {"kind": about.kind, "name": about.name, "namespace": about.namespace, "uid": uid}
        name = ObjectRef("", "Event", about.namespace, f"{about.name}.{self._events}")
        self._put(
            name, None, {}, None, involvedObject=involved, reason=reason, message=message, type="Warning", count=1,
            firstTimestamp=format_time(self.now), lastTimestamp=format_time(self.now),
        )  # fmt: skip


_REVISION = "deployment.kubernetes.io/revision"

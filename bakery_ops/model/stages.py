"""Which step of the start order an object belongs to: its component label, else its kind.

| object | stage |
|---|---|
| a workload whose component label is a stage | that stage |
| StatefulSet, DaemonSet | infrastructure |
| Job | migration; seed when it needs something that starts later (`lifted`) |
| Deployment, ReplicaSet, ReplicationController, Pod, CronJob | services |
| HorizontalPodAutoscaler | that of its target |
| Ingress | edge |
| webhook configuration, APIService | last, because the server calls what is behind them from then on |
| everything else | configuration, before all workloads |
"""

from __future__ import annotations

from bakery_ops.model.contract import COMPONENT, Stage
from bakery_ops.model.manifest import Manifest

_BY_KIND = {
    "StatefulSet": Stage.INFRASTRUCTURE,
    "DaemonSet": Stage.INFRASTRUCTURE,
    "Job": Stage.MIGRATION,
    "Deployment": Stage.MICROSERVICE,
    "ReplicaSet": Stage.MICROSERVICE,
    "ReplicationController": Stage.MICROSERVICE,
    "Pod": Stage.MICROSERVICE,
    "CronJob": Stage.MICROSERVICE,
    "Ingress": Stage.EDGE,
    "ValidatingWebhookConfiguration": Stage.MONITORING,
    "MutatingWebhookConfiguration": Stage.MONITORING,
    "APIService": Stage.MONITORING,
}

_STAGES = {stage.value: stage for stage in Stage}


def labelled(manifest: Manifest) -> Stage | None:
    """The stage a workload's component label names, on the object or on its pods."""
    if not manifest.ref.is_workload:
        return None
    template = manifest.pod_template or {}
    labels = (template.get("metadata") or {}).get("labels") or {}
    return _STAGES.get(manifest.labels.get(COMPONENT) or labels.get(COMPONENT) or "")


def of(manifest: Manifest) -> Stage:
    """The stage by label or kind, before dependencies are looked at."""
    if manifest.ref.is_custom:
        return Stage.FOUNDATION
    return labelled(manifest) or _BY_KIND.get(manifest.ref.kind, Stage.FOUNDATION)


def lifted(manifest: Manifest, stage: Stage, upstream: Stage) -> Stage:
    """The stage of an object that belongs to `stage` by itself and needs one of `upstream`: never before it."""
    if upstream.order <= stage.order:
        return stage
    if manifest.ref.is_job and upstream.order >= Stage.MICROSERVICE.order and labelled(manifest) is None:
        return max(Stage.SEED, upstream, key=lambda each: each.order)
    return upstream

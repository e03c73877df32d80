"""A small platform that is slow, clumsy and healthy: what a deploy must never call a failure. A seed decides it all.

Images that arrive late or at the second try, init containers that take their time, containers that crash twice before
they stay up, Jobs that run for a while, readiness that comes late or has no probe to tell it.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from typing import Any

from bakery_ops.model.contract import COMPONENT, NAME, WAITS_FOR

Body = dict[str, Any]

SERVICES: Mapping[str, tuple[str, ...]] = {
    "web": ("redis", "web-db", "web-migration"),
    "api": ("redis", "api-db", "api-migration"),
    "front": ("redis", "web", "api"),
}
"""The services, and what each waits for."""


def small_platform(dice: random.Random, namespace: str) -> list[Body]:
    """redis; two databases with a migration each; three services; two seeds."""
    objects = [_stateful(dice, "redis", "infrastructure")]
    for name in ("web", "api"):
        objects.append(_stateful(dice, f"{name}-db", "database"))
        objects.append(_job(dice, f"{name}-migration", "migration", [f"{name}-db"]))
    for name, waits in SERVICES.items():
        objects.append(_service(dice, name, waits))
    objects.append(_job(dice, "seed-web", "seed-job", ["web"]))
    objects.append(_job(dice, "seed-front", "seed-job", ["front"]))
    for body in objects:
        body["metadata"]["namespace"] = namespace
    return objects


def _seconds(dice: random.Random, most: float) -> str:
    return f"{int(1000 * most * dice.random() ** 2)}ms"


def life(dice: random.Random, *, may_crash: bool) -> dict[str, str]:
    """Annotations of a pod that becomes ready in the end; mostly it does so quickly."""
    life = {
        "simulate-init-delay": _seconds(dice, 2),
        "simulate-pull-delay": _seconds(dice, 5),
        "simulate-ready-delay": _seconds(dice, 5),
        "simulate-run-time": _seconds(dice, 3),
        "simulate-back-off": _seconds(dice, 6),
    }
    trouble = dice.choices(["", "registry-heals", "crashes-first"], [6, 2, 2 if may_crash else 0])[0]
    if trouble:
        life["simulate"] = trouble
        life["simulate-crashes"] = str(dice.randint(1, 2))
    return {f"bakery-ia.dev/{key}": value for key, value in life.items()}


def _template(dice: random.Random, name: str, component: str, waits: Iterable[str], *, is_job: bool = False) -> Body:
    waits = list(waits)
    container: Body = {
        "name": "app",
        "image": f"bakery/{name}:1",
        "resources": {
            "requests": {"cpu": "5m", "memory": "16Mi"},
            "limits": {"memory": "64Mi"},
        },
    }
    annotations = life(dice, may_crash=not is_job) | ({WAITS_FOR: ", ".join(waits)} if waits else {})
    spec: Body = {
        "terminationGracePeriodSeconds": 1,
        "initContainers": [{**container, "name": f"wait-for-{wait}"} for wait in waits],
        "containers": [{**container, **_probe(dice)} if not is_job else container],
    }
    if is_job:
        spec["restartPolicy"] = "Never"
    return {"metadata": {"labels": {NAME: name, COMPONENT: component}, "annotations": annotations}, "spec": spec}


def _probe(dice: random.Random) -> Body:
    return {"readinessProbe": {"tcpSocket": {"port": 80}}} if dice.random() < 0.6 else {}


def _workload(api: str, kind: str, name: str, component: str, spec: Body) -> Body:
    labels = {NAME: name, COMPONENT: component}
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, "labels": labels}, "spec": spec}


def _stateful(dice: random.Random, name: str, component: str) -> Body:
    template = _template(dice, name, component, ())
    spec = {"serviceName": name, "selector": {"matchLabels": {NAME: name}}, "template": template}
    return _workload("apps/v1", "StatefulSet", name, component, spec)


def _service(dice: random.Random, name: str, waits: Iterable[str]) -> Body:
    template = _template(dice, name, "microservice", waits)
    spec = {"replicas": dice.randint(1, 2), "selector": {"matchLabels": {NAME: name}}, "template": template}
    return _workload("apps/v1", "Deployment", name, "microservice", spec)


def _job(dice: random.Random, name: str, component: str, waits: Iterable[str]) -> Body:
    template = _template(dice, name, component, waits, is_job=True)
    return _workload("batch/v1", "Job", name, component, {"backoffLimit": 2, "template": template})

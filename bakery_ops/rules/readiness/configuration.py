"""Objects that are there or not: namespaces, configuration, secrets, permissions."""

from __future__ import annotations

from bakery_ops.model.live import Generic, LiveObject, Secret
from bakery_ops.model.words import one_line
from bakery_ops.rules import evidence as rows
from bakery_ops.rules.readiness import certificates
from bakery_ops.rules.readiness.conditions import conditions_of, status_of
from bakery_ops.rules.readiness.look import Look, Symptom, subject_of
from bakery_ops.rules.readiness.reading import Reading, against, progressing, ready

_REQUIRED_KEYS = {
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
}


def existing(look: Look, live: LiveObject) -> Reading:
    """ConfigMap, ServiceAccount, RBAC, NetworkPolicy, quotas and the like: it exists with our hash (checked before)."""
    return ready("exists")


def namespace(look: Look, live: Generic) -> Reading:
    """Active is Ready. One that is going away takes everything with it, so waiting for it makes no sense."""
    if live.metadata.deletion_timestamp is not None or status_of(live).get("phase") == "Terminating":
        told = [f"{one.reason}: {one_line(one.message)}" for one in conditions_of(live) if one.status == "True"]
        message = "; ".join(told) or "the namespace is being deleted"
        symptom = Symptom(rows.NAMESPACE_ENDING, "Terminating", message, subject_of(live), live.metadata.uid)
        return against(look, [symptom], progressing("terminating"))
    return ready("active")


def secret(look: Look, live: Secret) -> Reading:
    """Its type's keys hold something, and a certificate can be read and has not run out. Values are never shown."""
    problem = _problem(look, live)
    if problem:
        symptom = Symptom(rows.SECRET_UNUSABLE, "SecretUnusable", problem, subject_of(live), live.metadata.uid)
        return against(look, [symptom], progressing(problem))
    return ready("exists")


def _problem(look: Look, live: Secret) -> str:
    data = live.data or {}
    empty = [key for key in _REQUIRED_KEYS.get(live.type, ()) if not data.get(key)]
    if empty:
        return f"{', '.join(empty)} is empty"
    if live.type != "kubernetes.io/tls":
        return ""
    expiry = certificates.expiry(data["tls.crt"])
    if expiry is None:
        return "tls.crt is no certificate"
    return "the certificate in tls.crt has expired" if expiry <= look.now else ""

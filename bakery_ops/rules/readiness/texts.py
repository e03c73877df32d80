"""Telling symptoms apart by what the cluster says: the one place where messages of Kubernetes are read.

Words in quotation marks and addresses are left out first: an image may be called "not-found" or tagged 429.
"""

from __future__ import annotations

import re

from bakery_ops.model.manifest import ObjectRef

_QUOTED = re.compile(r'\\?"[^"]*"|https?://\S+')

_PULL_WILL_PASS = re.compile(
    r"\b429\b|too ?many ?requests|rate limit|time[d ]?-?out|deadline exceeded|no such host|server misbehaving"
    r"|connection re(fused|set)|no route to host|network is unreachable|\btls\b|x509|certificate|\bEOF\b|\b50[0234]\b"
    r"|temporary failure|try again",
    re.IGNORECASE,
)
_PULL_IN_VAIN = re.compile(
    r"not ?found|manifest unknown|\bdenied\b|unauthorized|no match(ing)? (for )?(platform|manifest)"
    r"|does not exist|name unknown|no such (image|manifest)",
    re.IGNORECASE,
)
_BACK_OFF = re.compile(r'^Back-off pulling image "[^"]*"(: (ErrImagePull: )?)?')
_CACHE_LAGS = re.compile(
    r"failed to sync \S+ cache|not registered|have not yet been read|timed out|timeout", re.IGNORECASE
)
_RUNTIME_TROUBLE = re.compile(
    r"deadline exceeded|timed out|timeout|is reserved for|already in use|connection refused|unavailable", re.IGNORECASE
)
_COMMAND_AT_FAULT = re.compile(
    r"executable file not found|no such file or directory|exec format error|permission denied|is a directory"
    r"|not a directory|chdir to cwd",
    re.IGNORECASE,
)
_EXEC_FORMAT = re.compile(r"exec format error", re.IGNORECASE)
_MOUNT_IN_VAIN = re.compile(r'(secret|configmap) "[^"]*" not found|references non-existent \S+ ?key', re.IGNORECASE)
_TRY_AGAIN = re.compile(
    r"failed calling webhook|timed out|timeout|deadline exceeded|has been modified|connection refused|connection reset"
    r"|internal error|etcdserver|too many requests|is being terminated|try again|EOF",
    re.IGNORECASE,
)
_MISSING = re.compile(r'\b(secret|configmap)s? "([^"]+)" (?:is forbidden: )?not found', re.IGNORECASE)
_KEY_MISSING = re.compile(r"couldn't find key \S+ in (Secret|ConfigMap) ([^/\s]+)/([^\s,]+)")
_PROBE_KILL = re.compile(r"^Container (\S+) failed (liveness|startup) probe, will be restarted")
_KINDS = {"secret": "Secret", "configmap": "ConfigMap"}


def _bare(text: str) -> str:
    return _QUOTED.sub(" ", text)


def pull_cause(waiting_message: str) -> str:
    """Why the pull failed, or "" when the message says only that the kubelet waits before it tries again."""
    return _BACK_OFF.sub("", waiting_message).strip()


def pull_is_in_vain(cause: str) -> bool:
    """Waiting will not bring this image. Rate limits, time-outs and the like win, whatever else the text says."""
    bare = _bare(cause)
    return _PULL_WILL_PASS.search(bare) is None and _PULL_IN_VAIN.search(bare) is not None


def cache_lags(message: str) -> bool:
    return _CACHE_LAGS.search(_bare(message)) is not None


def runtime_is_in_trouble(message: str) -> bool:
    return _RUNTIME_TROUBLE.search(_bare(message)) is not None


def command_is_at_fault(message: str) -> bool:
    return _COMMAND_AT_FAULT.search(message) is not None


def says_exec_format(text: str) -> bool:
    return _EXEC_FORMAT.search(text) is not None


def mount_is_in_vain(message: str) -> bool:
    return _MOUNT_IN_VAIN.search(message) is not None and not cache_lags(message)


def may_try_again(message: str) -> bool:
    return _TRY_AGAIN.search(_bare(message)) is not None


def killed_by_probe(message: str) -> tuple[str, str] | None:
    """Container and probe ("liveness" or "startup") when the kubelet says that it killed the one for the other."""
    found = _PROBE_KILL.search(message)
    return (found.group(1), found.group(2)) if found else None


def missing_objects(message: str, namespace: str) -> tuple[ObjectRef, ...]:
    """The Secrets and ConfigMaps that a message of the kubelet says are missing or lack a key."""
    named = [(kind.lower(), namespace, name) for kind, name in _MISSING.findall(message)]
    named += [(kind.lower(), where, name) for kind, where, name in _KEY_MISSING.findall(message)]
    refs = {ObjectRef("", _KINDS[kind], where, name.rpartition("/")[2]) for kind, where, name in named}
    return tuple(sorted(refs))

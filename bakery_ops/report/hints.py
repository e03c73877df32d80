"""The last lines of a deploy: what to type next, complete with the flags that lead to the same place."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import NamedTuple

from bakery_ops.rules.rollout.events import Outcome


class Way(NamedTuple):
    """How a run was reached. `flags`: those of its command that say where it goes; `kubeconfig`: a sandbox's own, or
    ""; `is_rollback`: what it deployed is not what the working copy renders, so `verify` would not mean it."""

    namespace: str
    flags: Sequence[str] = ()
    context: str = ""
    kubeconfig: str = ""
    is_rollback: bool = False


def hints(way: Way, outcome: Outcome, *, is_dry_run: bool) -> list[str]:
    """On one line where nothing but the command itself is to be typed, else a line for each."""
    if is_dry_run:
        return ["to do it: the same command without --dry-run"]
    place = ["--context", way.context] if way.context and not way.kubeconfig else []
    words = {"look": shlex.join(["kubectl", *place, "get", "pods", "-n", way.namespace])}
    if outcome is not Outcome.SUCCEEDED:
        mended = ", when what is named above is mended" if outcome is Outcome.FAILED else ""
        words["go on"] = f"the same command again{mended}"
    elif way.is_rollback:
        words["releases"] = _ours(way, "deploy.history", without=("--overlay",))
    else:
        words["again"] = _ours(way, "verify")
    if not way.is_rollback:
        words["state"] = _ours(way, "deploy.status")
    lines = [f"{label}: {text}" for label, text in words.items()]
    export = [f"export KUBECONFIG={shlex.quote(way.kubeconfig)}"] if way.kubeconfig else []
    return [*export, *(lines if way.flags else ["   ".join(lines)])]


def _ours(way: Way, command: str, without: Sequence[str] = ()) -> str:
    pairs = zip(way.flags[::2], way.flags[1::2], strict=True)
    return shlex.join(["invoke", command, *(word for pair in pairs if pair[0] not in without for word in pair)])

"""Which container logs are worth a request: those of failing nodes, once each; and running Jobs, as a sign of life."""

from __future__ import annotations

from collections.abc import Iterator

from bakery_ops.model.live import ContainerStatus, LiveObject, Pod
from bakery_ops.rules.rollout.events import FetchLog
from bakery_ops.rules.rollout.state import NodeState, Rollout

MOST_PER_NODE = 4


def want_logs(rollout: Rollout, state: NodeState) -> None:
    """Ask for the tails of the containers that show why the node is failing; never twice for the same one."""
    if len(state.logs_wanted) >= MOST_PER_NODE:
        return
    live = rollout.world.of(state.node.ref)
    if live is None:
        return
    pods = {pod.metadata.name: pod for pod in _pods(rollout, state, live)}
    blamed = {evidence.subject.partition("/")[2] for evidence in state.evidence if evidence.subject.startswith("pod/")}
    names = [name for name in pods if name in blamed] or (sorted(pods)[-1:] if state.is_failed else [])
    for name in sorted(names):
        for container, previous in _failed_containers(pods[name]):
            _fetch(rollout, state, pods[name], container, previous)


def _pods(rollout: Rollout, state: NodeState, live: LiveObject) -> Iterator[Pod]:
    for child in (live, *rollout.world.children(live, state.claim_templates)):
        if isinstance(child, Pod):
            yield child


def _failed_containers(pod: Pod) -> Iterator[tuple[str, bool]]:
    """(container, previous) of what ran and did not do well; a container that never started has no log."""
    for status in (*pod.status.init_container_statuses, *pod.status.container_statuses):
        if _went_wrong(status):
            if status.state.terminated is None and status.last_state.terminated is not None:
                yield status.name, True
            if status.state.waiting is None:
                yield status.name, False


def _went_wrong(status: ContainerStatus) -> bool:
    terminated = status.state.terminated
    if terminated is not None:
        return terminated.exit_code != 0
    if status.last_state.terminated is not None:
        return True
    return status.state.running is not None and not status.ready


def poll_job_log(rollout: Rollout, state: NodeState, *, quiet_since: float) -> None:
    """A running Job shows no progress in its status, so after half of the no-progress time its log is looked at."""
    if not state.node.ref.is_job:
        return
    half = rollout.options.no_progress / 2
    first, second = quiet_since + half, quiet_since + 1.5 * half
    for time in (first, second):
        if rollout.now < time:
            rollout.timers.at(time, state.name)
    due = second if rollout.now >= second else first
    live = rollout.world.of(state.node.ref)
    if rollout.now < due or state.polled_at >= due or live is None:
        return
    for pod in _pods(rollout, state, live):
        for status in (*pod.status.init_container_statuses, *pod.status.container_statuses):
            if status.state.running is not None and pod.metadata.deletion_timestamp is None:
                state.polled_at = rollout.now
                _fetch(rollout, state, pod, status.name, previous=False, again=True)
                return


def _fetch(
    rollout: Rollout, state: NodeState, pod: Pod, container: str, previous: bool, *, again: bool = False
) -> None:
    name, namespace = pod.metadata.name, pod.metadata.namespace
    wanted = (name, container, previous)
    if wanted in state.logs_wanted and not again:
        return
    if not again:
        state.logs_wanted.add(wanted)
    rollout.logs_pending.add((state.name, *wanted))
    rollout.commands.append(FetchLog(state.name, namespace, name, container, previous))

"""What the user sees while a deploy runs: a line per change of a workload, a sign of life when nothing changes."""

from __future__ import annotations

from bakery_ops.report.terminal import Terminal
from bakery_ops.rules.rollout.view import NodeView, RolloutView
from bakery_ops.rules.verdict import Verdict

HEARTBEAT = 30.0  # seconds without a line


class LineProgress:
    """Prints to the terminal's stderr. Only workloads and what goes wrong are shown; configuration is counted.

    `only_trouble`: leave what goes well, and the heartbeat, to a live view beside it.
    """

    def __init__(self, terminal: Terminal, *, only_trouble: bool = False) -> None:
        self._terminal = terminal
        self._only_trouble = only_trouble
        self._shown: dict[str, Verdict] = {}
        self._spoke_at: float | None = None
        self._tells_rest = not only_trouble
        self._causes: set[tuple[str, str]] = set()

    def __call__(self, view: RolloutView) -> None:
        news = [node for node in view.nodes.values() if self._is_news(node)]
        workloads = [node.verdict is Verdict.READY for node in view.nodes.values() if node.is_workload]
        ready = sum(workloads) - sum(node.verdict is Verdict.READY for node in news)
        for node in news:
            self._shown[node.name] = node.verdict
            ready += node.verdict is Verdict.READY
            self._say(_line(node, f"[{ready}/{len(workloads)}] "))
        # What is merely late is in the heartbeat; a cause is printed once it has failed.
        for cause in view.causes:
            # Its message counts restarts: told anew at each, it would push everything else off the screen.
            key = (cause.node, cause.reason)
            if cause.verdict is Verdict.FAILED and key not in self._causes:
                self._causes.add(key)
                self._say(f"cause: {cause.sentence}")
        if not self._only_trouble:
            self._sign_of_life(view)

    def _sign_of_life(self, view: RolloutView) -> None:
        """When nothing was said for a while since the first view; and once when the last workload is ready, for what
        comes then, if anything, changes no workload."""
        if self._spoke_at is None:
            self._spoke_at = self._terminal.elapsed()
        ends = self._tells_rest and bool(self._shown) and view.outcome is None and _workloads_ready(view)
        if ends or self._terminal.elapsed() - self._spoke_at > HEARTBEAT:
            self._tells_rest = self._tells_rest and not ends
            self._say(sign_of_life(view))

    def _is_news(self, node: NodeView) -> bool:
        if self._shown.get(node.name) is node.verdict:
            return False
        if node.verdict in (Verdict.FAILED, Verdict.FAILING):
            return True
        return (
            not self._only_trouble and node.is_workload and node.started is not None and node.verdict is Verdict.READY
        )

    def _say(self, line: str) -> None:
        self._spoke_at = self._terminal.elapsed()
        self._terminal.say(line)


def _workloads_ready(view: RolloutView) -> bool:
    return all(node.verdict is Verdict.READY for node in view.nodes.values() if node.is_workload)


def _line(node: NodeView, count: str) -> str:
    took = (
        f" in {node.since - node.started:.1f} s" if node.started is not None and node.verdict is Verdict.READY else ""
    )
    detail = f": {node.message}" if node.verdict is not Verdict.READY and node.message else ""
    counted = count if node.verdict is Verdict.READY else ""
    return f"{counted}{node.stage.title}: {node.name} {node.verdict.value}{took}{detail}"


def sign_of_life(view: RolloutView) -> str:
    """What a deploy waits for while nothing changes."""
    late = [node for node in view.nodes.values() if node.verdict is not Verdict.READY]
    # What is on its way says more than what waits for it.
    waiting = sorted([node for node in late if node.is_workload] or late, key=lambda node: node.started is None)
    named = ", ".join(f"{node.name} ({node.message})" if node.message else node.name for node in waiting[:3])
    more = f" and {len(waiting) - 3} more" if len(waiting) > 3 else ""
    return f"still waiting for {named}{more}" if waiting else "all ready; watching that it stays so"

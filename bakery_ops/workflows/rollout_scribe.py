"""What a rollout tells while it runs: the live view, the stream of facts, the journal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from dataclasses import fields
from typing import Any

from bakery_ops.errors import BakeryError
from bakery_ops.rules.plan import JournalEntry
from bakery_ops.rules.rollout.events import Command, Finish, WakeAt, WriteJournal
from bakery_ops.rules.rollout.state import Rollout
from bakery_ops.rules.rollout.view import RolloutView, view
from bakery_ops.rules.verdict import Verdict
from bakery_ops.workflows.ports import Clock, Journal

VIEW_EVERY = 0.25
STILL_EVERY = 5.0  # while nothing changes: ages grow, and a sign of life may be due
JOURNAL_EVERY = 1.0

OnChange = Callable[[RolloutView], None]
OnEvent = Callable[[Mapping[str, Any]], None]


class Scribe:
    """Keeps the listeners and the journal up to date. Used by the driver's thread only.

    Args:
        on_change: Gets the view, at most every `VIEW_EVERY` seconds, at least every `STILL_EVERY`, and at the end.
        on_event: Gets one flat dictionary per fact, at once.
        background: Carries journal writes, one at a time, so that no verdict waits for a round trip.
    """

    def __init__(
        self,
        clock: Clock,
        journal: Journal | None,
        on_change: OnChange,
        on_event: OnEvent,
        background: Executor,
        may_write: Callable[[], bool] = lambda: True,
    ) -> None:
        self._clock, self._journal, self._on_change, self._on_event = clock, journal, on_change, on_event
        self._background, self._may_write = background, may_write
        self._writing: Future[None] | None = None
        self._entries: dict[str, JournalEntry] = {}
        self._journalled_at = float("-inf")
        self._shown_at = float("-inf")
        self._stale = True
        self._verdicts: dict[str, Verdict] = {}
        self.journal_error = ""

    def due(self) -> float:
        """Server time at which something wants out: what was held back, or that all stands still."""
        times = [self._shown_at + (VIEW_EVERY if self._stale else STILL_EVERY)]
        if self._entries:
            times.append(self._journalled_at + JOURNAL_EVERY)
        return min(times)

    def show(self, rollout: Rollout) -> None:
        """Pass on what changed since the last time."""
        self._tell_verdicts(rollout)
        now = self._clock.now()
        if now >= self._shown_at + (VIEW_EVERY if self._stale else STILL_EVERY):
            self._shown_at, self._stale = now, False
            self._on_change(view(rollout)._replace(at=now))
        if self._entries and now >= self._journalled_at + JOURNAL_EVERY:
            self._write_journal()

    def finish(self, rollout: Rollout, *, journal: bool) -> None:
        """The last view; the rest of the journal, unless the lock is lost and with it the right to write."""
        self._tell_verdicts(rollout)
        if self._writing is not None:
            self._writing.result()
        if journal and self._entries and self._journal is not None:
            self._record(self._journal, self._entries)
        outcome = rollout.outcome.value if rollout.outcome else ""
        self._on_event({"type": "finished", "at": rollout.ended, "outcome": outcome})
        self._on_change(view(rollout))

    def _tell_verdicts(self, rollout: Rollout) -> None:
        touched, rollout.touched = rollout.touched, set()
        self._stale = self._stale or bool(touched)
        at = self._clock.now()  # when it was decided; `rollout.now` is when the last event came
        for name in sorted(touched):
            state = rollout.nodes[name]
            before = self._verdicts.get(name)
            if before is not state.verdict:
                self._verdicts[name] = state.verdict
                self._on_event(
                    {
                        "type": "verdict",
                        "at": at,
                        "node": name,
                        "kind": state.node.ref.kind,
                        "stage": state.node.stage.value,
                        "from": before.value if before else None,
                        "to": state.verdict.value,
                        "message": state.message,
                    }
                )

    def tell(self, command: Command, at: float) -> None:
        """A command that is being carried out; the end is told by `finish`, after the last verdicts."""
        if isinstance(command, WakeAt | Finish):
            return
        values = {item.name: getattr(command, item.name) for item in fields(command)}
        plain = {key: value if isinstance(value, str | bool) else str(value) for key, value in values.items()}
        self._on_event({"type": "command", "at": at, "command": type(command).__name__, **plain})

    def note(self, command: WriteJournal, at: float) -> None:
        """Keep an entry for the next write of the journal."""
        self._entries[command.node] = JournalEntry(command.content_hash, command.uid, command.verdict, at)

    def _write_journal(self) -> None:
        """Send what has been noted; while the last write is on its way, go on collecting."""
        self._journalled_at = self._clock.now()
        is_busy = self._writing is not None and not self._writing.done()
        if is_busy or not self._may_write():  # the lock may only have faltered: what was noted is kept
            return
        entries, self._entries = self._entries, {}
        if self._journal is not None:
            self._writing = self._background.submit(self._record, self._journal, entries)

    def _record(self, journal: Journal, entries: Mapping[str, JournalEntry]) -> None:
        try:
            journal.record(entries)
        except BakeryError as error:
            # Without the journal a rerun still converges: live Jobs are found by their hash.
            self.journal_error = str(error)

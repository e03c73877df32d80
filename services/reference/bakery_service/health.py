"""Readiness: every dependency really asked, all at once, within a bound shorter than a probe's patience."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from bakery_service.errors import NotYet, ServiceError, one_line

Check = Callable[[], None]

ANSWER_WITHIN = 2.0


class Health(NamedTuple):
    """The outcome per dependency: "ok" or the reason why not; and how long the asking took, in milliseconds."""

    outcomes: Mapping[str, str]
    milliseconds: float

    @property
    def failing(self) -> list[str]:
        return [name for name, outcome in self.outcomes.items() if outcome != "ok"]

    def document(self) -> dict[str, Any]:
        """What `/health/ready` answers; `failing` comes first, for a kubelet's event shows only the beginning."""
        state = "not ready" if self.failing else "ready"
        return {
            "status": state,
            "failing": {name: self.outcomes[name] for name in self.failing},
            "checks": dict(self.outcomes),
            "milliseconds": round(self.milliseconds, 1),
        }


class Readiness:
    """Asks all checks side by side. A check that hangs is reported as such and asked again the next time."""

    def __init__(self, checks: Mapping[str, Check], *, within: float = ANSWER_WITHIN) -> None:
        self._checks = dict(checks)
        self._within = within
        # Two rounds of hanging checks fit; a third is reported as unanswered without piling up threads.
        self._threads = ThreadPoolExecutor(max_workers=2 * max(1, len(checks)), thread_name_prefix="readiness")

    async def ask(self) -> Health:
        started = time.monotonic()
        loop = asyncio.get_running_loop()
        futures = {name: loop.run_in_executor(self._threads, _outcome, check) for name, check in self._checks.items()}
        if futures:
            await asyncio.wait(futures.values(), timeout=self._within)
        late = f"no answer within {self._within:g} s"
        outcomes = {name: future.result() if future.done() else late for name, future in futures.items()}
        return Health(outcomes, (time.monotonic() - started) * 1000)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def _outcome(check: Check) -> str:
    try:
        check()
    except (NotYet, ServiceError) as error:
        return one_line(error)
    except Exception as error:  # noqa: BLE001 - a probe must answer, whatever a driver raises
        return f"{type(error).__name__}: {one_line(error)}"
    return "ok"

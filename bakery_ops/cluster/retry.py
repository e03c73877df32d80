"""Which failures are worth another try, how long to pause, and when to stop (docs/faults.md, section 1).

All requests of a run share one brake: a `Retry-After` that one worker receives holds back every worker, each for no
longer than its own budget.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from enum import Enum

import tenacity

from bakery_ops.cluster.transport import Reply, Transport
from bakery_ops.cluster.troubles import TransportError, Trouble
from bakery_ops.errors import BakeryError, ClusterUnreachable, OperationFailed

BUDGET = 120.0
WEBHOOK_BUDGET = 60.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 3.0
_SAME_OUTAGE = 20.0  # seconds: a webhook that nobody found down for so long was up meanwhile
_QUIET = 2.0  # an outage shorter than this is not worth a line
_SLOW = 5.0  # an answer later than this is

_TRANSIENT_STATUS = frozenset({429, 502, 503, 504})
_NO_SPACE = re.compile(rb"database space exceeded|NOSPACE", re.IGNORECASE)
# Server-side apply answers 500, not 422, to a value of the wrong type (seen with 1.36).
_WRONG_TYPE = re.compile(rb"failed to create typed patch object")
_WEBHOOK = re.compile(rb'failed calling webhook(?: \\*"([^"\\]*))?')
_QUOTA_RACE = re.compile(rb"Operation cannot be fulfilled on resourcequotas")
_NEVER_HELPS = frozenset({Trouble.TLS, Trouble.PROXY})

Outcome = Reply | TransportError


class Class(Enum):
    """How an outcome is treated."""

    ANSWER = "an answer, good or bad"
    TRANSIENT = "try again"
    WEBHOOK = "try again, for a shorter time"
    CREDENTIALS = "load the credentials anew, once"
    HOPELESS = "end at once"


def classify(outcome: Outcome) -> Class:
    """The retry class of one outcome."""
    if isinstance(outcome, TransportError):
        return Class.HOPELESS if outcome.trouble in _NEVER_HELPS else Class.TRANSIENT
    if outcome.status == 401:
        return Class.CREDENTIALS
    if outcome.status >= 500 and _NO_SPACE.search(outcome.body):
        return Class.HOPELESS
    if outcome.status == 500 and _WRONG_TYPE.search(outcome.body):
        return Class.ANSWER
    if outcome.status == 500:
        return Class.WEBHOOK if _WEBHOOK.search(outcome.body) else Class.TRANSIENT
    if outcome.status in _TRANSIENT_STATUS or (outcome.status == 409 and _QUOTA_RACE.search(outcome.body)):
        return Class.TRANSIENT
    return Class.ANSWER


def retry_after(outcome: Outcome | None) -> float:
    """Seconds the server asked us to wait; 0 when it did not ask."""
    return asked_pause(outcome.headers) if isinstance(outcome, Reply) else 0.0


def asked_pause(headers: Mapping[str, str]) -> float:
    """Seconds of a Retry-After header; 0 without one (the API server never sends its date form)."""
    text = headers.get("Retry-After", "")
    return float(text) if text.isdigit() else 0.0


class _Webhooks:
    """Since when which admission webhook is down. What one call has waited for no other waits for again: a webhook
    over everything would make each write of a run wait as long, its lock's and its records' too.
    """

    def __init__(self, budget: float) -> None:
        self._budget = budget
        self._seen: dict[str, tuple[float, float]] = {}  # first and last time it was found down
        self._lock = threading.Lock()

    def found_down(self, name: str, now: float) -> float:
        """Seconds for which it is still worth trying."""
        with self._lock:
            first, last = self._seen.get(name, (now, now))
            first = first if now - last < _SAME_OUTAGE else now
            self._seen[name] = first, now
        return first + self._budget - now


class Retrier:
    """Runs exchanges until they are answered or a budget is used up. Safe to use from many threads.

    Args:
        notify: Called with one line when an outage begins to matter.
        budget: Seconds for one call with all its retries.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        notify: Callable[[str], None] = lambda line: None,
        budget: float = BUDGET,
        sleep: Callable[[float], object] | None = None,
        webhooks: _Webhooks | None = None,
    ) -> None:
        self.webhooks = webhooks or _Webhooks(min(budget, WEBHOOK_BUDGET))
        self._transport, self._notify, self.budget = transport, notify, budget
        self._sleep = sleep or transport.rest
        self._lock = threading.Lock()
        self._held_until = 0.0
        self._reported = self._slow = False
        self._waiting = 0  # calls that are being tried again
        self._wait = tenacity.wait_exponential_jitter(multiplier=_FIRST_PAUSE, max=_LONGEST_PAUSE, jitter=_FIRST_PAUSE)

    def with_budget(self, seconds: float) -> Retrier:
        """The same patience with another end."""
        return Retrier(self._transport, notify=self._notify, budget=seconds, sleep=self._sleep, webhooks=self.webhooks)

    def call(self, attempt: Callable[[], Reply], *, budget: float | None = None) -> Reply:
        """`attempt` until it is answered. A refusal (4xx) is an answer, and so is a 500 that outlives the budget.

        Raises:
            ClusterUnreachable: the budget was used up without an answer.
            OperationFailed: trying again cannot help (TLS, etcd out of space).
        """
        started = self._transport.steady()
        total = self.budget if budget is None else budget
        call = _Call(self, attempt, started, total)
        first = call.once()
        if not call.again(first):  # nearly always: a third of a millisecond of tenacity saved
            return self._settle(first, started)
        call.outcome = first
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_result(call.again),
            wait=call.pause,
            stop=call.spent,
            sleep=self.pause,
            retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
        )
        with self._lock:
            self._waiting += 1
        try:
            outcome: Outcome = retrying(call.resume)
        finally:
            with self._lock:
                self._waiting -= 1
        return self._settle(outcome, started)

    def _answered(self) -> None:
        """An outage ends with an answer, unless somebody still waits: what was answered needs nothing that is down."""
        with self._lock:
            self._reported = self._reported and self._waiting > 0

    def _settle(self, outcome: Outcome, started: float) -> Reply:
        waited = self._transport.steady() - started
        treatment = classify(outcome)
        if isinstance(outcome, Reply):
            if treatment is Class.HOPELESS:
                raise no_space(self._transport.server)
            if treatment is Class.ANSWER:
                self._answered()
            if treatment in (Class.ANSWER, Class.CREDENTIALS, Class.WEBHOOK) or outcome.status == 500:
                return outcome
        raise unreachable(self._transport.server, outcome, waited)

    def hold(self, seconds: float) -> None:
        """Keep every worker from sending for so long: the server said when it will listen again."""
        with self._lock:
            self._held_until = max(self._held_until, self._transport.steady() + seconds)

    def held(self) -> float:
        with self._lock:
            return max(0.0, self._held_until - self._transport.steady())

    def report(self, outcome: Outcome, waited: float) -> None:
        if waited < _QUIET or self._transport.stopped.is_set():
            return
        with self._lock:
            first, self._reported = not self._reported, True
        if first:
            budget = min(self.budget, WEBHOOK_BUDGET) if classify(outcome) is Class.WEBHOOK else self.budget
            self._notify(f"{cause_of(outcome, self._transport.server)} Trying on for up to {budget:.0f} s.")

    def note_latency(self, seconds: float) -> None:
        """Say once that the server is slow: a silent wait looks like a hang (F13)."""
        if seconds < _SLOW:
            return
        with self._lock:
            first, self._slow = not self._slow, True
        if first:
            self._notify(f"The API server {self._transport.server} is slow: it took {seconds:.0f} s to answer.")

    def pause(self, seconds: float) -> None:
        """Wait; ends early as `Transport.rest` does."""
        self._sleep(seconds)

    @property
    def transport(self) -> Transport:
        return self._transport

    def jittered(self, state: tenacity.RetryCallState) -> float:
        return self._wait(state)


class _Call:
    """The state of one call: the outcome so far, when it began, whether the credentials were renewed."""

    def __init__(self, retrier: Retrier, attempt: Callable[[], Reply], started: float, budget: float) -> None:
        self._retrier, self._attempt, self._started, self._budget = retrier, attempt, started, budget
        self._renewed = False
        self.outcome: Outcome | None = None  # of the first attempt, made before tenacity was called

    def resume(self) -> Outcome:
        outcome, self.outcome = self.outcome, None
        return self.once() if outcome is None else outcome

    def once(self) -> Outcome:
        held = min(self._retrier.held(), self._left())
        if held > 0:
            self._retrier.pause(held)
        try:
            outcome = self._attempt()
        except TransportError as error:
            return error
        self._retrier.note_latency(outcome.received - outcome.sent)
        if outcome.status == 401 and not self._renewed:
            self._renewed = True
            self._retrier.transport.renew(outcome.session)
            return self.once()
        return outcome

    def again(self, outcome: Outcome) -> bool:
        treatment = classify(outcome)
        if treatment is Class.WEBHOOK and isinstance(outcome, Reply):
            now = self._retrier.transport.steady()
            left = self._retrier.webhooks.found_down(_webhook_of(outcome), now)
            self._budget = min(self._budget, now - self._started + left)
            return left > 0
        return treatment is Class.TRANSIENT

    def pause(self, state: tenacity.RetryCallState) -> float:
        outcome = state.outcome.result() if state.outcome else None
        asked = retry_after(outcome)
        if 0 < asked <= self._left():  # nobody is to wait for what this call will not wait for
            self._retrier.hold(asked)
        return max(asked, self._retrier.jittered(state))

    def spent(self, state: tenacity.RetryCallState) -> bool:
        transport = self._retrier.transport
        if state.outcome:
            self._retrier.report(state.outcome.result(), transport.steady() - self._started)
        return transport.stopped.is_set() or state.upcoming_sleep > self._left()

    def _left(self) -> float:
        """Seconds of the budget, or of the hurry that somebody is in."""
        transport = self._retrier.transport
        return min(self._budget - (transport.steady() - self._started), transport.left)


def cause_of(outcome: Outcome, server: str) -> str:
    """One sentence: what is wrong with the API server."""
    if isinstance(outcome, TransportError):
        return f"The API server {server} does not answer: {outcome}."
    if outcome.status == 429:
        return f"The API server {server} is throttling us (429 Too Many Requests)."
    if classify(outcome) is Class.WEBHOOK:
        return f"The API server {server} cannot call its admission webhook {_webhook_of(outcome)}".rstrip() + "."
    return f"The API server {server} answers {outcome.status}."


def _webhook_of(outcome: Reply) -> str:
    found = _WEBHOOK.search(outcome.body)
    return (found[1] or b"").decode("utf-8", "replace") if found else ""


def unreachable(server: str, outcome: Outcome, waited: float) -> BakeryError:
    sentence = cause_of(outcome, server)
    if isinstance(outcome, TransportError) and outcome.trouble in _NEVER_HELPS:
        return OperationFailed(sentence)
    return ClusterUnreachable(f"{sentence[:-1]}; tried for {waited:.0f} s.", remedy="Run the same command again.")


def no_space(server: str) -> OperationFailed:
    return OperationFailed(
        f"The API server {server} cannot store anything: its etcd is out of space (NOSPACE alarm).",
        remedy="Compact and defragment etcd, disarm the alarm, then run again.",
    )

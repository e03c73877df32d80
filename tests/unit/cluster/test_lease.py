"""The deploy lock: never held twice, never for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from bakery_ops.cluster.lease import Lease, this_run
from bakery_ops.cluster.lease_handle import LeaseHandle
from bakery_ops.cluster.lease_record import Holder, holder_of
from bakery_ops.errors import ClusterUnreachable, Locked, OperationFailed, TargetRefused
from bakery_ops.model.manifest import ObjectRef
from tests.unit.cluster.scripted import Action, Client, Say, ScriptedServer, Seen, status
from tests.unit.cluster.stored import Stored

LEASES = "/apis/coordination.k8s.io/v1/namespaces/shop/leases"
ANNA = Holder("anna-1", "anna", "laptop")
BERT = Holder("bert-1", "bert", "ci")


@pytest.fixture
def stored(server: ScriptedServer) -> Stored:
    return Stored(server, LEASES, "bakery-ops")


class Contender:
    """A Lease in virtual time: `meanwhile` runs at every pause of its observation."""

    def __init__(self, client: Client, *, meanwhile: Callable[[int], None] = lambda pause: None) -> None:
        self._client, self._meanwhile, self.pauses = client, meanwhile, 0
        self.lines: list[str] = []
        self.lease = Lease(
            client.transport, client.retrier, "shop", renew_every=30.0, notify=self.lines.append, sleep=self._sleep
        )

    def _sleep(self, seconds: float) -> None:
        self._client.steady.sleep(seconds)
        self.pauses += 1
        self._meanwhile(self.pauses)


def hold(stored: Stored, holder: str = "anna-1", renewed: str = "r1", duration: int = 15) -> None:
    """A Lease as a run that is not in this process left it."""
    notes = {
        "bakery-ia.dev/lock-host": "laptop",
        "bakery-ia.dev/lock-user": "anna",
        "bakery-ia.dev/lock-phase": "databases",
    }
    specification = {
        "holderIdentity": holder,
        "acquireTime": "2024-01-01T10:00:00.000000Z",
        "renewTime": renewed,
        "leaseDurationSeconds": duration,
        "leaseTransitions": 4,
    }
    stored._keep({"metadata": {"name": "bakery-ops", "namespace": "shop", "annotations": notes}, "spec": specification})


def test_a_free_lock_is_taken_and_given_back(stored: Stored, client: Client) -> None:
    contender = Contender(client)
    with contender.lease.acquire(ANNA, phase="plan") as handle:
        assert (handle.is_held, handle.transitions) == (True, 0)
        assert contender.lease.holder() == holder_of(stored.body or {})
        assert holder_of(stored.body or {})[:3] == ("anna-1", "anna", "laptop")
    assert contender.lease.holder() is None


def test_each_new_holder_raises_the_fencing_number(stored: Stored, client: Client) -> None:
    lease = Contender(client).lease
    lease.acquire(ANNA).release()
    with lease.acquire(BERT) as handle:
        assert handle.transitions == 1


def test_a_living_holder_is_recognised_by_its_renewal_within_two_seconds(stored: Stored, client: Client) -> None:
    """F21"""
    hold(stored)

    def renew(pause: int) -> None:
        if pause == 4:
            stored.edit(spec={"renewTime": "r2"})

    contender, began = Contender(client, meanwhile=renew), client.steady.now
    with pytest.raises(Locked) as caught:
        contender.lease.acquire(BERT)
    assert client.steady.now - began < 2
    assert str(caught.value) == (
        "another run holds the lock of shop: anna on laptop, since 2024-01-01 10:00:00 UTC, phase 'databases'"
    )
    assert caught.value.remedy == (
        "wait until it ends; if it is dead for certain: invoke deploy.unlock --holder anna-1"
    )
    assert caught.value.details == (), "each fact is said once"
    assert contender.lines == []
    assert stored.writes == 0


def test_a_dead_holder_is_taken_over_after_its_own_lease_duration_with_a_note(stored: Stored, client: Client) -> None:
    """F22"""
    hold(stored, duration=15)
    contender, began = Contender(client), client.steady.now
    with contender.lease.acquire(BERT) as handle:
        assert handle.transitions == 5
    assert 15 < client.steady.now - began < 18
    assert contender.lines == [
        "another run holds the lock of shop: anna on laptop, since 2024-01-01 10:00:00 UTC, phase 'databases'; "
        "it is not renewed, so it may be dead: waiting 16 s for it to expire",
        "taking over the lock of shop: anna on laptop has stopped renewing it",
    ]


def test_no_lease_is_believed_to_last_for_ever(stored: Stored, client: Client) -> None:
    """I8: the duration in a Lease is whatever somebody wrote there."""
    hold(stored, duration=2**31 - 1)
    contender, began = Contender(client), client.steady.now
    with contender.lease.acquire(BERT):
        assert 3600 < client.steady.now - began < 3700


def test_a_renew_time_in_the_far_past_proves_nothing(stored: Stored, client: Client) -> None:
    """F17: clocks are not compared."""
    hold(stored, renewed="1999-01-01T00:00:00.000000Z")

    def renew(pause: int) -> None:
        stored.edit(spec={"renewTime": "1999-01-01T00:00:01.000000Z"})

    with pytest.raises(Locked):
        Contender(client, meanwhile=renew).lease.acquire(BERT)


def test_a_lock_freed_while_waiting_is_taken(stored: Stored, client: Client) -> None:
    hold(stored)
    contender = Contender(client, meanwhile=lambda pause: stored.edit(spec={"holderIdentity": ""}))
    contender.lease.acquire(BERT).release()
    assert contender.pauses == 1


def test_a_silence_of_our_own_does_not_count_as_the_holders(stored: Stored, client: Client) -> None:
    """F20: after a sleep of the contender the observation begins anew."""
    hold(stored)

    def sleep_through(pause: int) -> None:
        if pause == 2:
            client.steady.sleep(3600)
        if pause == 4:
            stored.edit(spec={"renewTime": "r2"})

    with pytest.raises(Locked):
        Contender(client, meanwhile=sleep_through).lease.acquire(BERT)


def test_two_contenders_for_a_dead_holders_lock_do_not_both_get_it(stored: Stored, client: Client) -> None:
    hold(stored)

    def other_takes_over(pause: int) -> None:
        if client.steady.now > 1000 + 15.8 and holder_of(stored.body or {}).id == "anna-1":
            stored.edit(spec={"holderIdentity": "carl-1", "renewTime": "r1"})
        elif holder_of(stored.body or {}).id == "carl-1":
            stored.edit(spec={"renewTime": f"r{pause}"})

    with pytest.raises(Locked):
        Contender(client, meanwhile=other_takes_over).lease.acquire(BERT)
    assert holder_of(stored.body or {}).id == "carl-1"


@pytest.mark.parametrize("exists", [False, True])
def test_a_lost_answer_to_the_acquisition_is_recognised_as_our_own(
    stored: Stored, client: Client, exists: bool
) -> None:
    """F9, F10"""
    if exists:
        hold(stored, holder="")
    stored.lose = 1
    with Contender(client).lease.acquire(BERT) as handle:
        assert handle.is_held
    assert sum(1 for body in stored.history if holder_of(body).id == "bert-1") == 1


def test_no_such_namespace_is_an_error_and_no_endless_loop(server: ScriptedServer, client: Client) -> None:
    server.expect("GET", f"{LEASES}/bakery-ops", status(404))
    server.expect("POST", LEASES, status(404, "NotFound", 'namespaces "shop" not found'))
    with pytest.raises(OperationFailed, match='namespaces "shop" not found'):
        Contender(client).lease.acquire(BERT)


def test_unlock_needs_the_holders_id(stored: Stored, client: Client) -> None:
    hold(stored)
    lease = Contender(client).lease
    with pytest.raises(TargetRefused, match="its holder is anna-1"):
        lease.unlock("bert-1")
    with pytest.raises(TargetRefused):
        lease.unlock("")
    lease.unlock("anna-1")
    assert lease.holder() is None
    with pytest.raises(TargetRefused, match="nobody holds it"):
        lease.unlock("anna-1")


# --- the holder's side, in real time with a thread that renews quickly ---


class Holding:
    """A lock held in real time, renewed every 20 ms."""

    def __init__(self, client: Client, **more: float) -> None:
        self.lost = threading.Event()
        self.lost_to: list[str] = []
        lease = Lease(client.transport, client.retrier, "shop", renew_every=0.02, **more)  # type: ignore[arg-type]
        self.handle = lease.acquire(ANNA, phase="deploy dev", on_lost=self._lose)

    def _lose(self, holder: str) -> None:
        self.lost_to.append(holder)
        self.lost.set()


def test_a_held_lock_is_renewed_with_the_phase(stored: Stored, server: ScriptedServer, live_client: Client) -> None:
    holding = Holding(live_client)
    for phase in ("rollout", "verification"):
        holding.handle.enter(phase)
        server.wait_for(len(server.seen) + 3, "PUT")
    holding.handle.release()
    assert len({body["spec"]["renewTime"] for body in stored.history}) > 3
    phases = [holder_of(body).phase for body in stored.history]
    assert sorted(set(phases), key=phases.index) == [
        "deploy dev",
        "deploy dev, rollout",
        "deploy dev, verification",
    ]


def test_a_taken_lock_is_lost_at_once_and_stops_writes(stored: Stored, live_client: Client) -> None:
    """F20"""
    holding = Holding(live_client)
    stored.edit(spec={"holderIdentity": "bert-1"})
    assert holding.lost.wait(5)
    with pytest.raises(Locked, match="lost to bert-1"):
        holding.handle.require()
    holding.handle.release()
    assert holding.lost_to == ["bert-1"]
    assert holder_of(stored.body or {}).id == "bert-1"


def test_a_deleted_lease_is_a_lost_lock(stored: Stored, live_client: Client) -> None:
    holding = Holding(live_client)
    stored.delete()
    assert holding.lost.wait(5)
    assert holding.lost_to == [""]
    assert not holding.handle.is_held
    holding.handle.release()


def test_a_lease_touched_by_someone_is_still_ours(stored: Stored, server: ScriptedServer, live_client: Client) -> None:
    """F10"""
    holding = Holding(live_client)
    for touch in range(5):
        stored.edit(metadata={"labels": {"touched": str(touch)}})
        server.wait_for(len(server.requests("PUT")) + 2, "PUT")
    holding.handle.require()
    assert holding.handle.is_held
    holding.handle.release()
    assert holder_of(stored.body or {}).id == ""


def test_an_outage_of_the_server_does_not_lose_the_lock(
    stored: Stored, server: ScriptedServer, live_client: Client
) -> None:
    """F1: a server that is down gives the lock to nobody."""
    holding = Holding(live_client)
    stored.silent = True
    server.wait_for(len(server.requests("PUT")) + 3, "PUT")
    stored.silent = False
    server.wait_for(len(server.requests("PUT")) + 3, "PUT")
    assert holding.handle.is_held
    assert not holding.lost.is_set()
    holding.handle.release()


def slept(client: Client) -> LeaseHandle:
    """A lock that was taken two hours ago, and not renewed since."""
    handle = Contender(client).lease.acquire(ANNA)
    client.steady.sleep(7200)
    return handle


def test_a_holder_that_slept_asks_the_server_before_it_writes(stored: Stored, client: Client) -> None:
    """F20: two virtual hours; nobody took the lock, so it is still ours, but only after asking."""
    handle = slept(client)
    assert not handle.is_held
    handle.require()
    assert handle.is_held
    handle.release()


def test_a_holder_that_slept_while_another_took_over_writes_nothing(stored: Stored, client: Client) -> None:
    handle = Contender(client).lease.acquire(ANNA)
    stored.edit(spec={"holderIdentity": "bert-1"})
    client.steady.sleep(7200)
    with pytest.raises(Locked):
        handle.require()
    handle.release()


def test_a_holder_that_slept_and_finds_no_server_does_not_write(stored: Stored, client: Client) -> None:
    handle = slept(client)
    stored.silent = True
    with pytest.raises(ClusterUnreachable):
        handle.require()
    stored.silent = False
    handle.release()


def test_a_renewal_that_is_refused_allows_no_write(stored: Stored, server: ScriptedServer, client: Client) -> None:
    """Permissions may change while a run sleeps."""
    handle = slept(client)
    server.expect("PUT", f"{LEASES}/bakery-ops", status(403), status(403))
    with pytest.raises(Locked, match="could not be renewed"):
        handle.require()
    handle.require()  # the next renewal is accepted again
    handle.release()


def test_a_refused_renewal_says_why(stored: Stored, server: ScriptedServer, client: Client) -> None:
    """F24: a webhook that also covers Leases; the lock is the symptom."""
    handle = slept(client)
    down = 'Internal error occurred: failed calling webhook "check.example.com"'
    server.always("PUT", f"{LEASES}/bakery-ops", status(500, "InternalError", down))
    with pytest.raises(Locked, match=r'could not be renewed \(.*failed calling webhook "check.example.com"'):
        handle.require()
    handle.release()


def test_a_server_that_was_silent_for_a_whole_budget_is_asked_only_once_by_later_writes(
    stored: Stored, client: Client
) -> None:
    """F1: else the journal, the release and the lock each wait as long again, and a dead server holds a run."""
    handle = slept(client)
    stored.silent = True
    with pytest.raises(ClusterUnreachable):
        handle.require()
    waited = client.steady.now
    for _ in range(3):
        with pytest.raises(ClusterUnreachable):
            handle.require()
    handle.release()
    assert client.steady.now == waited


def test_after_an_outage_the_next_write_is_patient_again(stored: Stored, client: Client) -> None:
    handle = slept(client)
    stored.silent = True
    with pytest.raises(ClusterUnreachable):
        handle.require()
    stored.silent = False
    handle.require()
    client.steady.sleep(7200)
    stored.silent = True
    before = client.steady.now
    with pytest.raises(ClusterUnreachable):
        handle.require()
    assert client.steady.now > before + 100
    handle.release()


def test_a_slow_server_does_not_cost_the_lock(stored: Stored, server: ScriptedServer, client: Client) -> None:
    """F13: an accepted renewal counts, however long its answer took."""
    handle = slept(client)

    def slowly(seen: Seen) -> Action:
        client.steady.sleep(20.0)
        return stored._replace(seen)

    server.expect("PUT", f"{LEASES}/bakery-ops", slowly)
    handle.require()
    handle.release()


def test_while_a_lock_is_held_every_write_of_the_connection_needs_it(
    stored: Stored, server: ScriptedServer, client: Client
) -> None:
    """Nobody has to remember to ask."""
    handle = Contender(client).lease.acquire(ANNA)
    stored.edit(spec={"holderIdentity": "bert-1"})
    client.steady.sleep(7200)
    with pytest.raises(Locked):
        client.requests.delete(ObjectRef("", "Pod", "shop", "p"))
    handle.release()
    server.expect("DELETE", "/api/v1/namespaces/shop/pods/p", Say(200))
    assert client.requests.delete(ObjectRef("", "Pod", "shop", "p")).status == 200


def test_a_second_ctrl_c_does_not_wait_long_for_a_server_that_is_silent(stored: Stored, client: Client) -> None:
    """F19: the Lease expires by itself."""
    began = 0.0

    def interrupted() -> None:
        nonlocal began
        with Contender(client).lease.acquire(ANNA):
            stored.silent, began = True, client.steady.now
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert client.steady.now - began < 10


def test_a_lock_under_which_a_write_may_still_arrive_is_not_freed_but_expires(stored: Stored, client: Client) -> None:
    handle = Contender(client).lease.acquire(ANNA)
    client.transport.seal()
    handle.release()
    assert stored.body is not None
    assert stored.body["spec"]["holderIdentity"] == ANNA.id
    with pytest.raises(OperationFailed, match="nothing more is written"):
        client.requests.delete(ObjectRef("", "Pod", "shop", "p"))


def test_releasing_twice_is_harmless(stored: Stored, client: Client) -> None:
    handle = Contender(client).lease.acquire(ANNA)
    handle.release()
    handle.release()
    assert not handle.is_held


def test_every_run_has_an_identity_of_its_own() -> None:
    first, second = this_run(), this_run()
    assert first.id != second.id
    assert first.host in first.id


def test_a_lock_is_free_when_runs_have_been_here_and_nobody_holds_it(stored: Stored, client: Client) -> None:
    lease = Contender(client).lease
    assert not lease.is_free(), "nobody was ever here"
    hold(stored)
    assert not lease.is_free()
    hold(stored, holder="")
    assert lease.is_free()
    assert stored.writes == 0

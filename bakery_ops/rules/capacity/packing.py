"""Who finds a place: the scheduler's filters, applied to the biggest pod first (docs/hardening.md, Capacity).

Not modelled, and said so in the report where it matters: volume topology, spread constraints that forbid scheduling,
extended affinity to namespaces by label.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from bakery_ops.model.references import listed
from bakery_ops.model.selection import matches
from bakery_ops.rules.capacity.demand import CPU, MEMORY, PODS, Amounts, Demand, add
from bakery_ops.rules.capacity.machines import Machine

_HOSTNAME = "kubernetes.io/hostname"


class Unplaced(NamedTuple):
    """A pod without a place, and why: "insufficient memory" or the filter that kept it from every node."""

    demand: Demand
    reason: str


class Placement(NamedTuple):
    """The outcome. `used`: node -> what its pods ask for, those that were there before included."""

    placed: tuple[tuple[Demand, str], ...]
    unplaced: tuple[Unplaced, ...]
    used: Mapping[str, Amounts]


def pack(
    demands: Iterable[Demand], machines: Sequence[Machine], *, added: Iterable[Demand] = (), spread: bool = False
) -> Placement:
    """Place every pod, the most important first, then the biggest; each on the first node that takes it.

    `added`: pods that come when all `demands` have their place. `spread`: each on the emptiest node that takes it
    instead, as the scheduler's default scoring would.
    """
    total = _total(machines)

    def importance(demand: Demand) -> tuple[int, float, str]:
        return -demand.priority, -_share(demand.request, total), demand.name

    ordered = [*sorted(demands, key=importance), *sorted(added, key=importance)]
    return _place(ordered, machines, (lambda fitting: min(fitting, key=_State.load)) if spread else _first)


def in_order(demands: Sequence[Demand], machines: Sequence[Machine]) -> Placement:
    """Place pods one by one in the order given, as they would arrive at a scheduler with nothing else to do."""
    return _place(demands, machines, lambda fitting: min(fitting, key=_State.load))


def without_place(lasting: Iterable[Demand], machines: Sequence[Machine], single: Iterable[Demand]) -> list[Demand]:
    """Those of `single` that find no place beside `lasting`, each tried alone."""
    states = {machine.name: _State(machine) for machine in machines}
    for demand, place in pack(lasting, machines).placed:
        states[place].take(demand)
    found = list(states.values())
    return [demand for demand in single if all(state.refuses(demand, found) for state in found)]


def _first(fitting: Sequence[_State]) -> _State:
    return fitting[0]


def _place(
    demands: Iterable[Demand], machines: Sequence[Machine], choose: Callable[[Sequence[_State]], _State]
) -> Placement:
    states = [_State(machine) for machine in machines]
    placed: list[tuple[Demand, str]] = []
    unplaced: list[Unplaced] = []
    for demand in demands:
        refusals = [(state, state.refuses(demand, states)) for state in states]
        fitting = [state for state, reason in refusals if not reason]
        if fitting:
            chosen = choose(fitting)
            chosen.take(demand)
            placed.append((demand, chosen.machine.name))
        else:
            reasons = sorted({reason for _, reason in refusals}) or ["there is no node"]
            unplaced.append(Unplaced(demand, "; ".join(reasons)))
    return Placement(tuple(placed), tuple(unplaced), {state.machine.name: state.used for state in states})


def _total(machines: Iterable[Machine]) -> Amounts:
    total: Amounts = {}
    for machine in machines:
        total = add(total, machine.allocatable)
    return total


def _share(request: Amounts, total: Amounts) -> float:
    return max((request.get(each, 0) / max(1, total.get(each, 0)) for each in (CPU, MEMORY)), default=0.0)


class _State:
    """A machine while pods are placed on it."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.used: Amounts = {}
        self.pods: list[Demand] = []
        self.exclusive: list[Demand] = []
        self._ports: set[tuple[int, str]] = set()
        for demand in machine.pods:
            self.take(demand)

    def take(self, demand: Demand) -> None:
        self.used = add(add(self.used, demand.request), {PODS: 1})
        self.pods.append(demand)
        if any(_terms(demand, "podAntiAffinity")):
            self.exclusive.append(demand)
        self._ports |= _host_ports(demand)

    def load(self) -> float:
        """The mean share in use of CPU and memory, the measure of the scheduler's LeastAllocated scoring."""
        shares = [self.used.get(each, 0) / max(1, self.machine.allocatable.get(each, 0)) for each in (CPU, MEMORY)]
        return sum(shares) / len(shares)

    def refuses(self, demand: Demand, states: Sequence[_State]) -> str:
        """Why the pod cannot run here, or "". The filters of kube-scheduler, the plain ones first."""
        for filter_ in _FILTERS:
            if reason := filter_(self, demand):
                return reason
        return _affinity(self, demand, states)


def _resources(state: _State, demand: Demand) -> str:
    lacking = [
        resource
        for resource, amount in {**demand.request, PODS: 1}.items()
        if amount > 0 and state.machine.allocatable.get(resource, 0) - state.used.get(resource, 0) < amount
    ]
    if PODS in lacking:
        return "too many pods"
    return f"insufficient {' and '.join(sorted(lacking))}" if lacking else ""


def _pinned(state: _State, demand: Demand) -> str:
    wanted = demand.pinned or demand.spec.get("nodeName") or ""
    return "" if wanted in ("", state.machine.name) else "bound to another node"


def admits(machine: Machine, demand: Demand) -> bool:
    """Whether the machine is one for this pod at all: taints, selector and affinity, not what is free there."""
    return not (_untolerated(machine, demand) or _unselected(machine, demand))


def _taints(state: _State, demand: Demand) -> str:
    return _untolerated(state.machine, demand)


def _untolerated(machine: Machine, demand: Demand) -> str:
    tolerations = list(listed(demand.spec, "tolerations"))
    for taint in machine.taints:
        if taint.get("effect") in ("NoSchedule", "NoExecute") and not any(_bears(each, taint) for each in tolerations):
            return f"untolerated taint {taint.get('key')}"
    return ""


def _bears(toleration: Mapping[str, Any], taint: Mapping[str, Any]) -> bool:
    if toleration.get("effect") not in (None, "", taint.get("effect")):
        return False
    if toleration.get("operator") == "Exists":
        return toleration.get("key") in (None, "", taint.get("key"))
    return toleration.get("key") == taint.get("key") and (toleration.get("value") or "") == (taint.get("value") or "")


def _selector(state: _State, demand: Demand) -> str:
    return _unselected(state.machine, demand)


def _unselected(machine: Machine, demand: Demand) -> str:
    labels = machine.labels
    wanted = demand.spec.get("nodeSelector") or {}
    affinity = (demand.spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    terms = required.get("nodeSelectorTerms")
    fits = all(labels.get(key) == value for key, value in wanted.items())
    fits = fits and (terms is None or any(_term(term, machine) for term in terms))
    return "" if fits else "node selector or affinity does not match"


def _term(term: Mapping[str, Any], machine: Machine) -> bool:
    expressions = [*listed(term, "matchExpressions")]
    fields = [*listed(term, "matchFields")]
    if not expressions and not fields:
        return False
    compared = [each for each in expressions if each.get("operator") in ("Gt", "Lt")]
    plain = [each for each in expressions if each not in compared]
    return (
        matches({"matchExpressions": plain}, machine.labels)
        and all(_compares(each, machine.labels) for each in compared)
        and matches({"matchExpressions": fields}, {"metadata.name": machine.name})
    )


def _compares(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    try:
        here, there = int(labels[str(expression.get("key"))]), int((expression.get("values") or [""])[0])
    except (KeyError, ValueError):
        return False
    return here > there if expression.get("operator") == "Gt" else here < there


def _ports(state: _State, demand: Demand) -> str:
    return "a host port is taken" if state._ports & _host_ports(demand) else ""


def _host_ports(demand: Demand) -> set[tuple[int, str]]:
    host_network = demand.spec.get("hostNetwork")
    return {
        (number, port.get("protocol") or "TCP")
        for container in listed(demand.spec, "containers")
        for port in listed(container, "ports")
        for number in (port.get("hostPort") or (port.get("containerPort") if host_network else None),)
        if number
    }


def _affinity(state: _State, demand: Demand, states: Sequence[_State]) -> str:
    for term in _terms(demand, "podAntiAffinity"):
        if any(_meant(term, demand, other) for other in _same_domain(state, states, term)):
            return "anti-affinity to a pod that is there"
    for near in states:
        for other in near.exclusive:
            for term in _terms(other, "podAntiAffinity"):
                if _meant(term, other, demand) and _domain(near, term) == _domain(state, term):
                    return "anti-affinity of a pod that is there"
    for term in _terms(demand, "podAffinity"):
        # The first of a group that wants to be together may start anywhere.
        wanted_at_all = any(_meant(term, demand, other) for each in states for other in each.pods)
        if not wanted_at_all and _meant(term, demand, demand):
            continue
        if not any(_meant(term, demand, other) for other in _same_domain(state, states, term)):
            return "affinity to a pod that is not there"
    return ""


def _terms(demand: Demand, kind: str) -> Iterable[Mapping[str, Any]]:
    affinity = (demand.spec.get("affinity") or {}).get(kind) or {}
    return listed(affinity, "requiredDuringSchedulingIgnoredDuringExecution")


def _meant(term: Mapping[str, Any], owner: Demand, other: Demand) -> bool:
    namespaces = term.get("namespaces") or [owner.namespace]
    selector = term.get("labelSelector")
    return selector is not None and other.namespace in namespaces and matches(selector, other.labels)


def _same_domain(state: _State, states: Sequence[_State], term: Mapping[str, Any]) -> Iterable[Demand]:
    domain = _domain(state, term)
    return (other for each in states if _domain(each, term) == domain for other in each.pods)


def _domain(state: _State, term: Mapping[str, Any]) -> str | None:
    key = str(term.get("topologyKey"))
    return state.machine.name if key == _HOSTNAME else state.machine.labels.get(key)


_FILTERS: tuple[Callable[[_State, Demand], str], ...] = (_pinned, _taints, _selector, _ports, _resources)

"""`tls.rotate`: certificates anew by the same authority, and a restart, one by one, of the servers that hold the old.

Safe to kill anywhere. Certificate and key change in one write; what is renewed already is not due any more, and which
pods are older than their certificate is read from the cluster (`rules.restarts`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from bakery_ops.errors import PreflightRefused
from bakery_ops.model.graph import Graph
from bakery_ops.model.manifest import Manifest, ObjectRef
from bakery_ops.model.secrets import GENERATED, TRUST, Purpose, SecretSpec
from bakery_ops.model.words import amount, unknown
from bakery_ops.rules.plan import Plan, Recorded
from bakery_ops.rules.restarts import behind, only_restarts, renewals
from bakery_ops.workflows.observe import Snapshot
from bakery_ops.workflows.ports import Requests, Say
from bakery_ops.workflows.secrets import Body, Mint, read_all, require_written


class Due(NamedTuple):
    """A certificate that is to be renewed. `why`: "expires in 12 days, on 2027-01-03", "asked for"."""

    spec: SecretSpec
    why: str


class Choice(NamedTuple):
    """Which certificates: those of these names (of the Secret, or of what it is for), `every` one, else what is due."""

    names: tuple[str, ...] = ()
    every: bool = False


@dataclass(frozen=True, slots=True)
class Renewal:
    """What one `tls.rotate` may renew and restart.

    Attributes:
        specs: All secrets of the platform (`model.secrets.wanted`).
    """

    graph: Graph
    specs: Sequence[SecretSpec]
    choice: Choice
    requests: Requests
    mint: Mint
    say: Say

    def due(self) -> tuple[Due, ...]:
        """What is to be renewed now; nothing is written.

        Raises: UsageError: a name is none. PreflightRefused: one that was asked for by name is missing, or not ours.
        """
        return self._due(self._live())

    def _due(self, live: Mapping[ObjectRef, Body | None]) -> tuple[Due, ...]:
        chosen = _named(self._servers(), self.choice.names)
        found = [due for spec in chosen if (due := self._judged(spec, live)) is not None]
        if self.choice.names:
            lost = [f"{spec.ref.name} {why}" for spec in chosen if (why := _not_ours(live[spec.ref]))]
            if lost:
                raise PreflightRefused(
                    f"{amount(len(lost), 'certificate')} cannot be renewed",
                    details=lost,
                    remedy="invoke tls creates what is missing; what came from elsewhere is renewed there",
                )
        return tuple(found)

    def renew(self) -> None:
        """Make what is due anew. All of it is made and judged before the first write.

        Raises: PreflightRefused: clients would not trust what this authority signs. OperationFailed: a write is
        refused, for instance because somebody changed the Secret at this moment.
        """
        live = self._live()
        made = [(each.spec, self._anew(each.spec, live)) for each in self._due(live)]
        wrong = [
            f"{spec.ref.name}: {remark.text}"
            for spec, manifest in made
            for remark in self.mint.inspect(spec, manifest.body, live.get(spec.ref._replace(name=TRUST)))
            if remark.serious
        ]
        if wrong:
            raise PreflightRefused(
                "the certificates would be no better than those that are there; nothing was renewed",
                details=wrong,
                remedy="invoke tls.check shows how the authority stands; docs/hardening.md says how it is replaced",
            )
        for spec, manifest in made:
            require_written(spec, self.requests.apply(manifest))
            self.say(f"certificate {spec.ref.name} renewed, {self.mint.validity(manifest.body)}")

    def behind(self) -> Mapping[str, str]:
        """Workload -> the renewal that its pods are older than."""
        return stale(self.graph, self.specs, self.requests)

    def amend(self, decided: Plan, graph: Graph, seen: Snapshot, journal: Mapping[str, Recorded]) -> Plan:
        """The restarts that are due, and nothing else."""
        return only_restarts(decided, graph, self.behind())

    def _servers(self) -> list[SecretSpec]:
        return [spec for spec in self.specs if spec.purpose is Purpose.CERTIFICATE]

    def _live(self) -> Mapping[ObjectRef, Body | None]:
        return _certificates(self.specs, self.requests)

    def _judged(self, spec: SecretSpec, live: Mapping[ObjectRef, Body | None]) -> Due | None:
        body = live[spec.ref]
        if body is None or _not_ours(body):
            return None
        remarks = [remark.text for remark in self.mint.inspect(spec, body, live.get(spec.ref._replace(name=TRUST)))]
        if remarks:
            return Due(spec, "; ".join(remarks))
        return Due(spec, "asked for") if self.choice.names or self.choice.every else None

    def _anew(self, spec: SecretSpec, live: Mapping[ObjectRef, Body | None]) -> Manifest:
        parts: dict[str, Body] = {}
        for name in spec.made_from:
            body = live[spec.ref._replace(name=name)]
            if body is None:
                raise PreflightRefused(f"the Secret {name} is gone, and with it the key to sign {spec.ref.name} with")
            parts[name] = body
        held = live[spec.ref]
        return self.mint.renew(spec, held or {}, parts)


def stale(graph: Graph, specs: Sequence[SecretSpec], requests: Requests) -> Mapping[str, str]:
    """Workload -> the renewal of a certificate of `specs` that its pods are older than."""
    renewed = renewals(body for body in _certificates(specs, requests).values() if body is not None)
    places = sorted({ref.namespace for ref in renewed})
    return behind(graph, [pod for place in places for pod in requests.list("", "Pod", place)], renewed)


def _certificates(specs: Sequence[SecretSpec], requests: Requests) -> Mapping[ObjectRef, Body | None]:
    return read_all(requests, [spec.ref for spec in specs if spec.purpose.is_certificate])


def _named(specs: Iterable[SecretSpec], names: Sequence[str]) -> tuple[SecretSpec, ...]:
    known = {word: spec for spec in specs for word in (spec.subject, spec.ref.name)}
    for name in names:
        if name not in known:
            raise unknown("certificate", name, [spec.ref.name for spec in known.values()])
    chosen = [known[name] for name in names] if names else [*known.values()]
    return tuple(dict.fromkeys(chosen))


def _not_ours(body: Body | None) -> str:
    if body is None:
        return "is missing"
    annotations = (body.get("metadata") or {}).get("annotations") or {}
    return "" if GENERATED in annotations else "was not made by us"

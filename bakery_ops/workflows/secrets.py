"""`secrets` and `tls`: create what the manifests refer to and the cluster lacks; look at what is there.

Safe to kill anywhere: a user list is written after the passwords it is made of, nothing that exists is overwritten, and
a rerun reads what the dead run left and goes on from there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from typing import Any, NamedTuple, Protocol

from bakery_ops.errors import Forbidden, OperationFailed, PreflightRefused
from bakery_ops.model.answer import Answer
from bakery_ops.model.manifest import Manifest, ObjectRef
from bakery_ops.model.secrets import TRUST, SecretRow, SecretSpec, SecretState
from bakery_ops.model.words import amount
from bakery_ops.workflows.ports import Requests, Say

_PARALLEL = 8

Body = Mapping[str, Any]
Announce = Callable[[Sequence[ObjectRef]], None]


class Minted(Protocol):
    @property
    def manifest(self) -> Manifest | None: ...
    @property
    def added(self) -> tuple[str, ...]: ...


class Remark(Protocol):
    @property
    def text(self) -> str: ...
    @property
    def serious(self) -> bool: ...


class Mint(Protocol):
    """Makes and judges values; the only one who sees them."""

    def make(self, spec: SecretSpec, live: Body | None, parts: Mapping[str, Body]) -> Minted: ...
    def renew(self, spec: SecretSpec, live: Body, parts: Mapping[str, Body]) -> Manifest: ...
    def inspect(self, spec: SecretSpec, live: Body, authority: Body | None) -> Sequence[Remark]: ...
    def validity(self, live: Body) -> str: ...


class Ensured(NamedTuple):
    """What `ensure` did. `restart`: workloads that read an extended user list only when they start."""

    rows: tuple[SecretRow, ...]
    restart: tuple[str, ...]

    @property
    def changed(self) -> tuple[SecretRow, ...]:
        return tuple(row for row in self.rows if row.state is not SecretState.PRESENT)


def ensure(
    requests: Requests,
    mint: Mint,
    specs: Sequence[SecretSpec],
    *,
    say: Say,
    announce: Announce = lambda refs: None,
) -> Ensured:
    """Create every secret of `specs` that the cluster lacks; extend user lists by users they lack.

    Args:
        specs: In the order of creation (`model.secrets.wanted`).
        announce: Told what will be created before the first write, for the inventory.
    Raises:
        PreflightRefused: a database's password is gone while its volume still has it, or a part is unusable.
        OperationFailed: the server refuses a write.
    """
    live = read_all(requests, [spec.ref for spec in specs])
    missing = [spec for spec in specs if live[spec.ref] is None]
    _refuse_lost_passwords(requests, missing)
    _refuse_foreign_authority(specs, live)
    if missing:
        announce([spec.ref for spec in missing])
    known = {spec.ref: body for spec in specs if (body := live[spec.ref]) is not None}
    rows: list[SecretRow] = []
    restart: list[str] = []
    for _, group in groupby(specs, key=lambda spec: spec.purpose):
        same = list(group)
        with ThreadPoolExecutor(_PARALLEL) as pool:
            for spec, (row, body) in zip(
                same, pool.map(lambda s: _ensure_one(requests, mint, s, known), same), strict=True
            ):
                rows.append(row)
                known[spec.ref] = body
                if row.state is SecretState.EXTENDED:
                    restart.append(spec.subject)
    done = Ensured(tuple(rows), tuple(restart))
    for row in done.changed:
        say(f"secret {row.name}: {row.state.value}{''.join(f', {note}' for note in row.notes)}")
    return done


def are_complete(requests: Requests, mint: Mint, specs: Sequence[SecretSpec]) -> bool:
    """Whether `ensure` would find nothing to write. Raises as `ensure` does, and writes nothing."""
    live = read_all(requests, [spec.ref for spec in specs])
    known = {ref: body for ref, body in live.items() if body is not None}
    if len(known) < len(live):
        return False
    return all(mint.make(spec, known[spec.ref], _parts(spec, known)).manifest is None for spec in specs)


def _parts(spec: SecretSpec, known: Mapping[ObjectRef, Body]) -> dict[str, Body]:
    return {name: known[spec.ref._replace(name=name)] for name in spec.made_from}


def _ensure_one(
    requests: Requests, mint: Mint, spec: SecretSpec, known: Mapping[ObjectRef, Body]
) -> tuple[SecretRow, Body]:
    live = known.get(spec.ref)
    minted = mint.make(spec, live, _parts(spec, known))
    if minted.manifest is None:
        return SecretRow(spec.ref.name, spec.purpose, SecretState.PRESENT), live or {}
    require_written(spec, requests.apply(minted.manifest))
    if live is None:
        return SecretRow(spec.ref.name, spec.purpose, SecretState.CREATED), minted.manifest.body
    note = f"added {', '.join(minted.added)}"
    return SecretRow(spec.ref.name, spec.purpose, SecretState.EXTENDED, (note,)), minted.manifest.body


def require_written(spec: SecretSpec, answer: Answer) -> None:
    """Raises: Forbidden, OperationFailed: the server refused it; no value is quoted."""
    if answer.status < 300:
        return
    remedy = ""
    if answer.status == 409:
        remedy = "somebody else changed it at this moment, or owns it; run again, or look with invoke secrets.check"
    elif answer.status == 404:
        remedy = f"create the namespace {spec.ref.namespace} first: invoke deploy does"
    elif answer.status == 403:
        remedy = "this account needs the verbs get, list, create and patch on secrets"
    error = Forbidden if answer.status == 403 else OperationFailed
    # The server's own message may repeat what was sent.
    raise error(
        f"the API server refused the secret {spec.ref.name} ({answer.status} {answer.reason})".rstrip(), remedy=remedy
    )


def read_all(requests: Requests, refs: Sequence[ObjectRef]) -> dict[ObjectRef, Body | None]:
    """The live objects by ref; None where there is none. One LIST per kind and namespace.

    An account that may get and not list is asked for each. Raises OperationFailed when reading is refused.
    """
    live: dict[ObjectRef, Body | None] = {}
    alike: dict[tuple[str, str, str], list[ObjectRef]] = {}
    for ref in refs:
        alike.setdefault(ref[:3], []).append(ref)
    for (group, kind, namespace), members in alike.items():
        try:
            listed = requests.list(group, kind, namespace) if len(members) > 1 else None
        except OperationFailed:
            listed = None
        if listed is None:
            live.update(_read_each(requests, members))
        else:
            bodies = {body["metadata"]["name"]: body for body in listed}
            live.update((ref, bodies.get(ref.name)) for ref in members)
    return live


def _read_each(requests: Requests, refs: Sequence[ObjectRef]) -> dict[ObjectRef, Body | None]:
    with ThreadPoolExecutor(_PARALLEL) as pool:
        answers = list(pool.map(requests.read, refs))
    for ref, answer in zip(refs, answers, strict=True):
        if answer.status >= 300 and answer.status != 404:
            raise OperationFailed(
                f"the API server refuses to read {ref} ({answer.status} {answer.reason})",
                remedy="this account needs the verbs get and list on secrets and persistentvolumeclaims",
            )
    return {ref: answer.body if answer.status < 300 else None for ref, answer in zip(refs, answers, strict=True)}


def _refuse_lost_passwords(requests: Requests, missing: Iterable[SecretSpec]) -> None:
    """A database keeps the password of its first start; a new one would lock every service out of its own data."""
    claims = {
        ObjectRef("", "PersistentVolumeClaim", spec.ref.namespace, claim): spec
        for spec in missing
        for claim in spec.volumes
    }
    present = read_all(requests, list(claims))
    lost = [
        f"{claims[ref].ref.name}: volume {ref.name} was initialised with its value" for ref in claims if present[ref]
    ]
    if lost:
        raise PreflightRefused(
            f"their data is still there, but {amount(len(lost), 'database password')} gone",
            details=lost,
            remedy="restore the Secret from its backup; or, when the data may go, delete the volume claim",
        )


def _refuse_foreign_authority(specs: Sequence[SecretSpec], live: Mapping[ObjectRef, Body | None]) -> None:
    """Clients trust an authority whose key we do not have: what we sign, they would refuse."""
    for spec in specs:
        if spec.ref.name != TRUST or live[spec.ref] is None:
            continue
        issuer = spec.ref._replace(name=spec.made_from[0])
        unsigned = [each.ref.name for each in specs if issuer.name in each.made_from and live[each.ref] is None]
        if live.get(issuer) is None and unsigned:
            raise PreflightRefused(
                f"the Secret {TRUST} is there without {issuer.name}, the key to sign with",
                details=[f"{name} is missing and cannot be signed" for name in unsigned],
                remedy=f"create them with your own authority, or delete {TRUST} to start with a new one",
            )


def check(requests: Requests, mint: Mint, specs: Sequence[SecretSpec]) -> tuple[SecretRow, ...]:
    """How each secret stands in the cluster; nothing is changed, no value is shown."""
    live = read_all(requests, [spec.ref for spec in specs])
    rows = []
    for spec in specs:
        body = live[spec.ref]
        if body is None:
            rows.append(SecretRow(spec.ref.name, spec.purpose, SecretState.MISSING))
            continue
        remarks = mint.inspect(spec, body, live.get(spec.ref._replace(name=TRUST)))
        state = SecretState.PRESENT
        if remarks:
            state = SecretState.WRONG if any(remark.serious for remark in remarks) else SecretState.WARNING
        notes = [remark.text for remark in remarks] or [mint.validity(body)]
        rows.append(SecretRow(spec.ref.name, spec.purpose, state, tuple(filter(None, notes))))
    return tuple(rows)

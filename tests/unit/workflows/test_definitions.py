"""Custom resources whose definition comes with them (docs/decisions/0008): tried before the rest, safe to kill."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from bakery_ops.errors import PreflightRefused
from bakery_ops.model.manifest import ObjectRef
from bakery_ops.rules.rollout.events import Outcome
from bakery_ops.workflows.ports import Answer
from tests.fakes import Killed
from tests.sites import SHOP, Site, shop

DEFINITION = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: ovens.example.com}
spec: {group: example.com, scope: Namespaced, names: {kind: Oven, plural: ovens}, conversion: {strategy: STRATEGY}}
"""
OVEN = "{apiVersion: example.com/v1, kind: Oven, metadata: {name: big}, spec: {high: 300}}"
CONDITIONS = [{"type": "Established", "status": "True", "reason": "InitialNamesAccepted", "message": ""}]
CRD = ObjectRef("apiextensions.k8s.io", "CustomResourceDefinition", "", "ovens.example.com")
BIG = ObjectRef("example.com", "Oven", SHOP, "big")
BEFORE = {CRD, ObjectRef("", "Namespace", "", SHOP)}


def bakery(strategy: str = "None") -> Any:
    return shop("web:1", "migrate:1", DEFINITION.replace("STRATEGY", strategy), OVEN)


def site() -> Site:
    """One whose API server establishes definitions."""
    made = Site()

    def established(ref: ObjectRef, body: Mapping[str, Any], created: bool) -> None:
        if ref == CRD:
            made.cluster.after(0.1, lambda: made.cluster.set_status(CRD, conditions=CONDITIONS))

    made.cluster.on_write.append(established)
    return made


def refuses(made: Site, status: int, times: int) -> None:
    """The server's next answers about the custom resource."""
    reason = "NotFound" if status == 404 else "Invalid"
    made.cluster.fail("apply", BIG, *[Answer(status, {}, reason, "spec.high: Invalid value")] * times)


def test_the_definitions_are_written_first_and_what_they_define_is_tried_before_the_rest() -> None:
    made = site()
    assert made.deploy(bakery()).outcome is Outcome.SUCCEEDED
    calls = [call for call in made.cluster.calls if call[0] in ("apply", "dry-run")]
    rest = [number for number, (verb, ref) in enumerate(calls) if verb == "apply" and ref not in BEFORE]
    assert calls.index(("apply", CRD)) < calls.index(("dry-run", BIG)) < min(rest)


def test_a_refusal_names_what_was_written_and_the_next_deploy_goes_on_from_there() -> None:
    made = site()
    refuses(made, 422, 40)
    with pytest.raises(PreflightRefused, match="would refuse 1 of 1 custom resource; only their") as refused:
        made.deploy(bakery())
    assert refused.value.details[:2] == (
        "oven/big: Invalid: spec.high: Invalid value",
        "written: customresourcedefinition/ovens.example.com",
    )
    assert {ref for verb, ref in made.cluster.mutations if verb == "apply"} == BEFORE
    assert CRD in made.refs
    made.cluster.faults.clear()
    assert made.deploy(bakery()).outcome is Outcome.SUCCEEDED


def test_a_definition_takes_a_moment_to_be_served_and_to_count() -> None:
    for status, times in ((404, 20), (422, 5)):
        made = site()
        refuses(made, status, times)
        assert made.deploy(bakery()).outcome is Outcome.SUCCEEDED


def test_what_goes_through_a_webhook_of_its_own_is_left_to_the_rollout() -> None:
    made = site()
    assert made.deploy(bakery("Webhook")).outcome is Outcome.SUCCEEDED
    assert ("dry-run", BIG) not in made.cluster.calls


@pytest.mark.parametrize("cut", ["before", "after"])
def test_killed_at_any_write_the_next_deploy_converges_and_the_third_writes_nothing(cut: str) -> None:
    """F18, I1, I4"""
    whole = site()
    whole.deploy(bakery())
    for number in range(1, len(whole.mutations())):
        made = site()
        made.cluster.kill_at = (number, cut)
        with pytest.raises(Killed):
            made.deploy(bakery())
        made.cluster.kill_at = None
        ours = {ref for verb, ref in made.cluster.mutations if verb == "apply" and ref.kind != "Namespace"}
        assert ours <= set(made.refs), f"{cut} {number}"
        assert made.deploy(bakery()).outcome is Outcome.SUCCEEDED
        assert made.dump() == whole.dump()
        before = len(made.mutations())
        assert made.deploy(bakery()).outcome is Outcome.SUCCEEDED
        assert made.mutations()[before:] == []

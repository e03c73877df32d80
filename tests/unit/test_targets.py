"""Which cluster a command may go to: a protected one has to be named, and confirmed before anything changes there."""

from __future__ import annotations

from pathlib import Path

import pytest

from bakery_ops.bootstrap.clusters import locate
from bakery_ops.errors import TargetRefused
from bakery_ops.model.profile import Profile
from bakery_ops.options import Target
from bakery_ops.report.terminal import Terminal

PROD = Profile(name="prod", overlay="k8s/overlays/prod", contexts=("bakery-prod",), protected=True)
NAMED = Target(context="bakery-prod", kubeconfig=Path("/nowhere"))


def test_a_change_of_a_protected_cluster_has_to_be_confirmed_by_its_exact_name():
    for given in (None, "bakery"):
        with pytest.raises(TargetRefused, match="protected") as caught:
            locate(PROD, NAMED._replace(yes_context=given), Terminal({}))
        assert caught.value.remedy == "--yes-context bakery-prod confirms it"
    assert locate(PROD, NAMED._replace(yes_context="bakery-prod"), Terminal({})).context == "bakery-prod"


def test_a_look_at_a_protected_cluster_need_not_be_confirmed():
    assert locate(PROD, NAMED, Terminal({}), reads_only=True).context == "bakery-prod"


@pytest.mark.parametrize("reads_only", [True, False])
def test_a_protected_cluster_is_never_met_by_chance(reads_only):
    with pytest.raises(TargetRefused, match="current context") as caught:
        locate(PROD, Target(kubeconfig=Path("/nowhere")), Terminal({}), reads_only=reads_only)
    # doctor has no --yes-context, and no look needs it.
    confirmed = "" if reads_only else " --yes-context bakery-prod"
    assert caught.value.remedy == f"name the context: --context bakery-prod{confirmed}"
    with pytest.raises(TargetRefused, match="does not accept"):
        locate(PROD, NAMED._replace(context="minikube"), Terminal({}), reads_only=reads_only)

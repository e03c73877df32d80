"""The commands that a deploy ends with lead to the place it went to."""

from __future__ import annotations

from pathlib import Path

from bakery_ops.bootstrap.clusters import Place
from bakery_ops.bootstrap.deploying import address
from bakery_ops.model.profile import configuration
from bakery_ops.options import Target

PROFILE = configuration({"profiles": {"dev": {"overlay": "k8s"}}}, {}, source="test").profile("dev")
PLACE = Place(Path("/kube/config"), "kind-shop")


def test_a_bare_deploy_needs_no_flags_to_be_looked_at():
    assert Target().words == ()


def test_every_flag_that_leads_somewhere_is_repeated_and_a_confirmation_is_not():
    target = Target("prod", Path("over lay"), "shop", "vps", Path("/k"), "vps")
    assert target.words == (
        *("--profile", "prod", "--overlay", "over lay", "--namespace", "shop", "--context", "vps"),
        *("--kubeconfig", "/k"),
    )


def test_our_own_commands_follow_a_deploy_of_the_profile():
    found = address(PLACE, Target(kubeconfig=Path("/k")), PROFILE, makes_secrets=True)
    assert found.invoke == ("--profile", "dev", "--context", "kind-shop", "--kubeconfig", "/k")
    assert (found.context, found.kubeconfig) == ("kind-shop", "/kube/config")


def test_another_overlay_and_namespace_go_with_them():
    target = Target(overlay=Path("theirs"), namespace="shop")
    assert address(PLACE, target, PROFILE, makes_secrets=True).invoke == (
        *("--profile", "dev", "--overlay", "theirs", "--namespace", "shop", "--context", "kind-shop"),
    )


def test_where_the_secrets_are_somebody_elses_kubectl_is_named_instead():
    assert address(PLACE, Target(overlay=Path("theirs")), PROFILE, makes_secrets=False).invoke == ()

"""What others see of a deploy: the inventory that it leaves behind (docs/faults.md, I1), and what it does right now."""

from __future__ import annotations

from bakery_ops.rules.rollout.events import Outcome
from tests.sites import V1, V2, Site


def test_an_inventory_that_somebody_deleted_during_a_deploy_is_there_again_after_it() -> None:
    """Else a destroy right after finds nothing to remove."""
    site = Site()
    site.deploy(V1)
    known = set(site.refs)
    site.cluster.after(1.0, lambda: site.write(()))
    assert site.deploy(V2).outcome is Outcome.SUCCEEDED
    assert known < set(site.refs)


def test_what_another_engine_applies_is_in_the_inventory_before() -> None:
    """I1: a Skaffold that is killed halfway leaves nothing that nobody knows of."""
    site, known = Site(), []
    assert site.deploy(V1).outcome is Outcome.SUCCEEDED

    def engine() -> None:
        known.extend(site.refs)
        for manifest in V2:
            site.cluster.apply(manifest)

    assert site.deploy_by(engine, V2).outcome is Outcome.SUCCEEDED
    assert {manifest.ref for manifest in (*V1, *V2)} <= set(known)


def test_the_lock_says_how_far_its_holder_is() -> None:
    """Who is refused by it decides by that whether to wait (F21)."""
    site = Site()
    site.deploy(V1)
    assert site.phases == ["preparation", "rollout", "verification"]

"""The routine looks: what is worth a warning, and that what cannot be known is said."""

import pytest

from bakery_ops.model.secrets import GENERATED
from bakery_ops.model.times import format_time
from bakery_ops.rules import health
from bakery_ops.rules.acceptance import CheckState
from bakery_ops.rules.health import DAY, Use

NOW = 1_800_000_000.0
MI = 2**20


def ago(seconds):
    return format_time(NOW - seconds)


def pod(name, **resources):
    return {"metadata": {"name": name}, "spec": {"containers": [{"name": "app", "resources": resources}]}}


def metrics(name, memory):
    return {"metadata": {"name": name}, "containers": [{"name": "app", "usage": {"cpu": "3m", "memory": memory}}]}


def test_use_is_what_both_the_pod_and_its_metrics_know():
    pods = [pod("a", limits={"memory": "100Mi"}), pod("b", requests={"memory": "10Mi"}), pod("new")]
    found = health.uses(pods, [metrics("a", "50Mi"), metrics("b", "5033164800m"), metrics("gone", "1Gi")])
    assert found == (Use("a", "app", 50 * MI, 100 * MI, 100 * MI), Use("b", "app", 5033165, 10 * MI, 0))


def use(name, used, request=0, limit=0):
    return Use(name, "app", used * MI, request * MI, limit * MI)


def test_the_container_nearest_to_its_limit_comes_first_and_warns():
    calm, close, free = use("calm", 10, limit=100), use("close", 95, limit=100), use("free", 500)
    result = health.memory_use([calm, free, close])
    assert result.state is CheckState.WARNING
    assert result.evidence == (
        "close/app: 95Mi, 95% of 100Mi",
        "calm/app: 10Mi, 10% of 100Mi",
        "free/app: 500Mi, no limit",
    )
    assert health.memory_use([calm, free]).state is CheckState.PASSED


@pytest.mark.parametrize("check", [health.memory_use, lambda found: health.sizing(found, 0)])
def test_without_a_metrics_api_nothing_is_said_about_use(check):
    result = check(None)
    assert (result.state, "cannot be told" in result.message) == (CheckState.SKIPPED, True)


def event(reason, name, *, age=60.0, kind="Warning", **more):
    body = {"type": kind, "reason": reason, "message": f"{reason} of {name}", "lastTimestamp": ago(age)}
    return {**body, "involvedObject": {"kind": "Pod", "name": name}, **more}


def test_warnings_of_a_day_are_grouped_and_counted_the_most_frequent_first():
    result = health.warning_events(
        [
            event("BackOff", "a", count=3),
            event("Unhealthy", "a", count=2),
            event("BackOff", "b", age=10.0, series={"count": 4, "lastObservedTime": ago(5.0)}),
            event("Pulled", "a", kind="Normal", count=50),
            event("Old", "a", age=DAY + 60),
        ],
        NOW,
    )
    assert result.state is CheckState.WARNING
    assert result.evidence == ("BackOff x7, pod/b and 1 more: BackOff of b", "Unhealthy x2, pod/a: Unhealthy of a")
    assert result.message.startswith("9 warnings; ")


def test_a_warning_is_told_without_the_credentials_in_it():
    """Promise I6."""
    told = "Failed to pull:\nGet https://someone:hunter2@registry.example/v2/"
    result = health.warning_events([event("Failed", "a") | {"message": told}], NOW)
    assert result.evidence == ("Failed x1, pod/a: Failed to pull: Get https://***@registry.example/v2/",)


def test_no_warning_is_no_proof_and_says_how_long_events_are_kept():
    result = health.warning_events([], NOW)
    assert (result.state, "keeps events for an hour" in result.message) == (CheckState.PASSED, True)


def job(name, how, age):
    conditions = [{"type": how, "status": "True", "lastTransitionTime": ago(age)}]
    return {"metadata": {"name": name}, "status": {"conditions": conditions}}


def test_jobs_that_ended_more_than_a_week_ago_are_listed_and_a_failed_one_warns():
    old, young = job("old", "Complete", 10 * DAY), job("young", "Complete", DAY)
    result = health.finished_jobs([old, young, {"metadata": {"name": "running"}}], NOW)
    assert (result.state, result.evidence) == (CheckState.PASSED, ("old: complete 10 days ago",))
    assert health.finished_jobs([old, job("bad", "Failed", 8 * DAY)], NOW).state is CheckState.WARNING


def scaler(*conditions, **status):
    whole = {"currentReplicas": 2, "desiredReplicas": 2, "conditions": list(conditions), **status}
    return {"metadata": {"name": "web"}, "spec": {"minReplicas": 1, "maxReplicas": 3}, "status": whole}


@pytest.mark.parametrize(
    ("kind", "status", "reason", "state"),
    [
        ("ScalingLimited", "True", "TooManyReplicas", CheckState.WARNING),
        ("ScalingActive", "False", "FailedGetResourceMetric", CheckState.WARNING),
        ("AbleToScale", "False", "FailedGetScale", CheckState.WARNING),
        ("ScalingLimited", "True", "TooFewReplicas", CheckState.PASSED),
        ("ScalingActive", "False", "ScalingDisabled", CheckState.PASSED),
        ("ScalingActive", "True", "ValidMetricFound", CheckState.PASSED),
    ],
)
def test_an_autoscaler_that_cannot_do_what_it_would_warns(kind, status, reason, state):
    condition = {"type": kind, "status": status, "reason": reason}
    assert health.autoscaler_activity([scaler(condition)], NOW).state is state


def test_an_autoscalers_line_says_what_it_wants_and_when_it_last_scaled():
    limited = {"type": "ScalingLimited", "status": "True", "reason": "TooManyReplicas"}
    quiet, busy = scaler(), scaler(limited, lastScaleTime=ago(7200))
    assert health.autoscaler_activity([quiet, busy], NOW).evidence == (
        "web: 2 of 2 wanted (1-3), never scaled",
        "web: 2 of 2 wanted (1-3), scaled 2 hours ago; TooManyReplicas",
    )


def test_claims_are_summed_and_one_that_is_not_bound_warns():
    bound = {"metadata": {"name": "a"}, "status": {"phase": "Bound", "capacity": {"storage": "1Gi"}}}
    lost = {"metadata": {"name": "b"}, "status": {"phase": "Pending"}}
    result = health.volume_use([bound, bound])
    assert (result.state, result.message) == (CheckState.PASSED, "2 claims, 2Gi; how full they are only the nodes know")
    assert health.volume_use([bound, lost]).state is CheckState.WARNING


def test_a_request_below_use_warns_with_a_suggestion_and_a_generous_one_is_named():
    tight, fine, wide = use("tight", 120, 100), use("fine", 80, 100), use("wide", 10, 100)
    result = health.sizing([wide, fine, tight], 1024 * MI)
    assert result.state is CheckState.WARNING
    assert "300Mi requested of 1Gi on the nodes, 210Mi used now; 1 requests too small, 1 generous" in result.message
    assert result.evidence[0] == "tight/app: uses 120Mi of 100Mi requested; 150Mi would do"
    assert health.sizing([fine, wide], 0).state is CheckState.PASSED


def secret(name, age, *, ours=True):
    annotations = {GENERATED: "true"} if ours else {}
    return {"metadata": {"name": name, "creationTimestamp": ago(age), "annotations": annotations}}


def test_generated_secrets_older_than_a_year_warn_oldest_first_and_those_of_others_are_not_counted():
    secrets = [secret("young", 3 * DAY), secret("old", 400 * DAY), secret("theirs", 900 * DAY, ours=False)]
    result = health.secret_age(secrets, NOW)
    assert (result.state, result.evidence) == (CheckState.WARNING, ("old: 400 days", "young: 3 days"))
    assert health.secret_age(secrets[:1], NOW).state is CheckState.PASSED
    assert health.secret_age([], NOW).state is CheckState.SKIPPED

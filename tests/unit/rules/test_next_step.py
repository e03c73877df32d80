"""The command under a cause is the one a person would type, complete with where."""

from __future__ import annotations

import shlex
from dataclasses import replace

import pytest

from bakery_ops.model.contract import Stage
from bakery_ops.model.manifest import ObjectRef
from bakery_ops.rules.diagnosis import RootCause
from bakery_ops.rules.next_step import Address, next_step
from bakery_ops.rules.verdict import Evidence, EvidenceClass, Verdict

SANDBOX = Address("bakery-sandbox", "/home/a b/kubeconfig", ("--profile", "dev", "--context", "bakery-sandbox"))
WEB = ObjectRef("apps", "Deployment", "shop", "web")
PREFIX = "kubectl --kubeconfig '/home/a b/kubeconfig' --context bakery-sandbox"


def cause(reason: str = "", container: str = "", *, subject: str = "pod/web-1", state: str = "is down", **more):
    evidence = (Evidence(EvidenceClass.BUDGET, reason, "why", subject, container, **more),) if reason else ()
    return RootCause("web", Verdict.FAILED, state, reason, "why", evidence, (), (), ("web",), Stage.MICROSERVICE)


@pytest.mark.parametrize(
    ("found", "ref", "command"),
    [
        (cause("CrashLoopBackOff", "app"), WEB, "-n shop logs pod/web-1 --container app --previous"),
        (cause("OOMKilled", "app"), WEB, "-n shop logs pod/web-1 --container app --previous"),
        (cause("Error", "app"), WEB, "-n shop logs pod/web-1 --container app"),
        (cause("ErrImagePull", "app"), WEB, "-n shop describe pod/web-1"),
        (cause("Unschedulable"), WEB, "describe nodes"),
        (cause("StorageClassMissing", subject="persistentvolumeclaim/data"), WEB, "get storageclasses"),
        (cause("Conflict"), WEB, "-n shop get deployment/web --output yaml --show-managed-fields"),
        (cause("FieldConflict"), WEB, "-n shop get deployment/web --output yaml --show-managed-fields"),
        (cause("OutcomeUnknown"), ObjectRef("batch", "Job", "shop", "mig"), "-n shop events --for job/mig"),
        (cause("FailedCreate", subject="replicaset/web-5"), WEB, "-n shop describe replicaset/web-5"),
        (cause(), WEB, "-n shop describe deployment/web"),
        (cause(state="is held"), WEB, "-n shop rollout resume deployment/web"),
        (
            cause("BackoffLimitExceeded", subject="job/web"),
            WEB,
            "-n shop logs deployment/web --all-containers --tail 50",
        ),
        (
            cause("Terminating", subject="namespace/shop"),
            ObjectRef("", "Namespace", "", "shop"),
            "describe namespace/shop",
        ),
    ],
)
def test_each_reason_has_its_command(found, ref, command):
    assert next_step(found, ref, SANDBOX) == f"{PREFIX} {command}"


def test_a_missing_secret_is_created_by_our_own_command():
    missing = ObjectRef("", "Secret", "shop", "redis-tls")
    told = next_step(cause("CreateContainerConfigError", names=(missing,)), WEB, SANDBOX)
    assert told == "./invoke secrets --profile dev --context bakery-sandbox"


def test_a_suspended_job_is_resumed_with_a_patch_that_a_shell_reads_as_one_word():
    job = ObjectRef("batch", "Job", "shop", "seed")
    words = shlex.split(next_step(cause(state="is held"), job, Address("minikube")))
    assert words == [
        "kubectl", "--context", "minikube", "-n", "shop", "patch", "--patch", '{"spec":{"suspend":false}}', "job/seed",
    ]  # fmt: skip


def test_nobody_is_sent_to_nodes_that_are_gone():
    told = next_step(cause("CrashLoopBackOff", "app"), WEB, SANDBOX._replace(is_passing=True))
    assert "kubectl" not in told
    assert "docs/rehearse.md" in told


def test_a_hostile_name_cannot_leave_its_word():
    told = next_step(cause("ErrImagePull", subject="pod/x; rm -rf /"), WEB, Address("a$(b)"))
    assert shlex.split(told)[2:] == ["a$(b)", "-n", "shop", "describe", "pod/x; rm -rf /"]


def test_a_webhook_that_cannot_be_called_is_looked_for_among_the_configurations():
    found = replace(cause("InternalError"), message='failed calling webhook "all.example.com": refused')
    command = "get validatingwebhookconfigurations,mutatingwebhookconfigurations"
    assert next_step(found, WEB, SANDBOX) == f"{PREFIX} {command}"

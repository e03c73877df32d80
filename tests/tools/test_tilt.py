"""The real Tilt evaluates the Tiltfile against a kubeconfig that leads nowhere, and says what it would do."""

from __future__ import annotations

import json
import os
import shutil
import sysconfig
from pathlib import Path
from typing import Any

import pytest
import yaml

from bakery_ops.tools import process, tilt
from bakery_ops.tools.kustomize import render_overlay

pytestmark = pytest.mark.timeout(1800)  # the first test builds Tilt

WORKLOADS = {"Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob"}
LOCAL_CONTEXT = "colima-k8s-local"
FAILED_TILTFILE = 5


def evaluate(program: Path, directory: Path, home: Path, context: str) -> process.Result:
    kubeconfig = home / "kubeconfig"
    kubeconfig.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": context,
                "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
                "users": [{"name": "u", "user": {}}],
                "contexts": [{"name": context, "context": {"cluster": "c", "user": "u"}}],
            }
        )
    )
    environment = {
        **tilt.environment(),
        "HOME": str(home),
        "KUBECONFIG": str(kubeconfig),
        "PATH": f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ['PATH']}",
        "DOCKER_HOST": f"unix://{home}/no-docker-here.sock",
    }
    argv = (program, "alpha", "tiltfile-result", f"--context={context}")
    return process.run(argv, cwd=directory, env=environment, timeout=300, check=False)


@pytest.fixture(scope="module")
def declared(tilt_program: Path, repository: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    result = evaluate(tilt_program, repository, tmp_path_factory.mktemp("home"), LOCAL_CONTEXT)
    assert result.status == 0, result.stderr
    content: dict[str, Any] = json.loads(result.stdout)
    return content


@pytest.fixture(scope="module")
def resources(declared: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {manifest["Name"]: manifest for manifest in declared["Manifests"]}


@pytest.fixture(scope="module")
def workloads(repository: Path) -> dict[str, dict[str, Any]]:
    documents = yaml.load_all(render_overlay(repository / "k8s/overlays/dev"), yaml.CSafeLoader)
    return {each["metadata"]["name"]: each for each in documents if each["kind"] in WORKLOADS}


def test_every_workload_of_the_overlay_is_a_resource_beside_the_three_of_security(
    resources: dict[str, Any], workloads: dict[str, Any]
) -> None:
    assert set(resources) == {*workloads, "platform", "secrets", "tls"}


def test_labels_are_the_stages_of_the_manifests(resources: dict[str, Any], workloads: dict[str, Any]) -> None:
    for name, workload in workloads.items():
        stage = workload["metadata"]["labels"]["app.kubernetes.io/component"]
        assert list(resources[name]["Labels"]) == [stage]


def test_dependencies_are_what_the_pods_wait_for(resources: dict[str, Any], workloads: dict[str, Any]) -> None:
    for name, workload in workloads.items():
        annotations = workload["spec"]["template"]["metadata"].get("annotations", {})
        words = [word.strip() for word in annotations.get("bakery-ia.dev/waits-for", "").split(",") if word.strip()]
        service = workload["metadata"]["labels"]["app.kubernetes.io/name"]
        waited = [word if word in workloads else f"{service}-{word}" for word in words]
        assert resources[name]["ResourceDependencies"] == ["tls", *waited]


def test_the_platforms_own_words_come_out_right(resources: dict[str, Any]) -> None:
    """A few by hand, so that a shared misreading of the contract cannot pass."""
    assert resources["auth-service"]["ResourceDependencies"] == ["tls", "redis", "auth-db", "auth-migration"]
    assert "rabbitmq" in resources["alert-processor-service"]["ResourceDependencies"]
    assert resources["demo-seed-users"]["ResourceDependencies"] == ["tls", "auth-service"]
    assert resources["frontend"]["ResourceDependencies"] == ["tls", "gateway"]


def test_secrets_and_certificates_come_first_and_through_our_tasks(resources: dict[str, Any]) -> None:
    assert resources["secrets"]["ResourceDependencies"] == ["platform"]
    assert resources["tls"]["ResourceDependencies"] == ["secrets"]
    for task in ("secrets", "tls"):
        argv = resources[task]["DeployTarget"]["UpdateCmdSpec"]["args"]
        assert argv == ["./invoke", task, "--profile", "dev", "--context", LOCAL_CONTEXT]


def test_at_most_three_updates_run_at_once(repository: Path) -> None:
    """Tilt's answer leaves the number out, so this reads what it was given."""
    assert "update_settings(max_parallel_updates=3," in (repository / "Tiltfile").read_text()


def test_every_artifact_of_skaffold_is_built_from_the_same_context_and_target(
    resources: dict[str, Any], repository: Path
) -> None:
    artifacts = yaml.safe_load((repository / "skaffold.yaml").read_text())["build"]["artifacts"]
    built = {
        target["selector"]: (target["BuildDetails"]["context"], target["BuildDetails"].get("target"))
        for manifest in resources.values()
        for target in manifest["ImageTargets"] or []
    }
    assert built == {
        artifact["image"]: (str(repository / artifact["context"]), artifact.get("docker", {}).get("target"))
        for artifact in artifacts
    }


def test_code_is_synced_and_dependencies_build_anew(resources: dict[str, Any]) -> None:
    targets = {target["selector"]: target for name in resources for target in resources[name]["ImageTargets"] or []}
    spec = targets["bakery/auth-service"]["LiveUpdateSpec"]
    package = {"localPath": "services/reference/bakery_service", "containerPath": "/live/bakery_service"}
    assert spec["syncs"] == [package]
    assert "services/reference/pyproject.toml" in spec["stopPaths"]
    assert targets["bakery/frontend"]["LiveUpdateSpec"].get("syncs") is None


class EnoughError(Exception):
    """Ends a program that would run forever."""


def test_a_live_update_restarts_the_service_with_the_new_code(resources: dict[str, Any], tmp_path: Path) -> None:
    """The container's command, run here with a small package: killed as Tilt does it, it comes back changed."""
    deployment = next(
        document
        for document in yaml.safe_load_all(resources["auth-service"]["DeployTarget"]["yaml"])
        if document["kind"] == "Deployment"
    )
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    assert {"name": "live", "mountPath": "/live"} in container["volumeMounts"]
    shell, flag, script, name, *command = container["command"]
    assert command == ["bakery-service", "serve"]

    live, image = tmp_path / "live", tmp_path / "image"
    for directory in (live, image / "bakery_service"):
        directory.mkdir(parents=True)
    (image / "bakery_service" / "__init__.py").write_text("VERSION = 'from the image'\n")
    serve = "import bakery_service, signal; print(bakery_service.VERSION, flush=True); signal.pause()"
    seen: list[str] = []

    def update(line: str) -> None:
        if not line.startswith("from"):  # the shell's own "Terminated"
            return
        seen.append(line)
        if len(seen) == 2:
            raise EnoughError
        (live / "bakery_service" / "__init__.py").write_text("VERSION = 'from the developer'\n")
        process.run(["sh", "-c", f'kill -TERM "$(cat {live}/.child)"'])

    with pytest.raises(EnoughError):
        process.run(
            [shell, flag, script.replace("/live", str(live)), name, "python3", "-B", "-c", serve],
            env={"PYTHONPATH": str(image)},
            timeout=60,
            on_line=update,
        )
    assert seen == ["from the image", "from the developer"]


def test_a_changed_file_does_not_migrate_or_seed_again(resources: dict[str, Any], workloads: dict[str, Any]) -> None:
    manual = {name for name, manifest in resources.items() if manifest["TriggerMode"] == 1}
    assert manual == {name for name, workload in workloads.items() if workload["kind"] == "Job"}


def test_a_context_that_is_not_local_is_refused(tilt_program: Path, repository: Path, tmp_path: Path) -> None:
    result = evaluate(tilt_program, repository, tmp_path, "bakery-prod")
    assert result.status == FAILED_TILTFILE
    assert "bakery-prod" in result.stderr


def test_a_wait_for_something_that_is_not_there_fails_by_name(
    tilt_program: Path, repository: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "clone"
    for name in ("k8s", "services"):
        shutil.copytree(repository / name, copy / name)
    for name in ("Tiltfile", "skaffold.yaml"):
        shutil.copy(repository / name, copy / name)
    app = copy / "k8s/templates/service/app.yaml"
    app.write_text(app.read_text().replace("waits-for: redis, db", "waits-for: redis, dbb"))
    result = evaluate(tilt_program, copy, tmp_path, LOCAL_CONTEXT)
    assert result.status == FAILED_TILTFILE
    assert "waits for dbb, which is not among the manifests" in result.stderr

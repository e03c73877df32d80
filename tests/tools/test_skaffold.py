"""The real Skaffold reads skaffold.yaml and renders what kustomize renders; no cluster and no Docker are asked."""

from __future__ import annotations

import os
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from bakery_ops.tools import process, skaffold
from bakery_ops.tools.kustomize import render_overlay

pytestmark = pytest.mark.timeout(1800)  # the first test builds Skaffold

PROFILES = ["dev", "prod", "sandbox"]
OURS = "bakery/"

Run = Callable[..., process.Result]


@pytest.fixture
def run(tmp_path: Path, repository: Path) -> Run:
    """Skaffold with a home of its own and a kubeconfig that names nothing real."""
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text("apiVersion: v1\nkind: Config\n")
    environment = {
        **skaffold.environment(path=os.environ["PATH"], bin_directory=Path(sysconfig.get_path("scripts"))),
        "HOME": str(tmp_path),
        "KUBECONFIG": str(kubeconfig),
        "DOCKER_HOST": f"unix://{tmp_path}/no-docker-here.sock",
    }
    return lambda *argv, **options: process.run(*argv, cwd=repository, env=environment, timeout=300, **options)


def documents(text: str) -> list[Any]:
    return [document for document in yaml.load_all(text, yaml.CSafeLoader) if document]


def images(value: object) -> set[str]:
    """Every `image:` of a manifest, wherever it stands."""
    if isinstance(value, dict):
        own = {value["image"]} if isinstance(value.get("image"), str) else set()
        return own.union(*(images(inner) for inner in value.values()))
    if isinstance(value, list):
        return set().union(*(images(inner) for inner in value))
    return set()


def identity(document: dict[str, Any]) -> tuple[str, str]:
    return document["kind"], document["metadata"]["name"]


def config(repository: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((repository / "skaffold.yaml").read_text())
    return content


@pytest.mark.parametrize("profile", PROFILES)
def test_it_renders_exactly_the_objects_of_the_overlay(
    run: Run, skaffold_program: Path, repository: Path, tmp_path: Path, profile: str
) -> None:
    named = () if profile == skaffold.DEFAULT_PROFILE else ("--profile", profile)
    # On stdout Skaffold would mix a remark of its own into the YAML.
    output = tmp_path / "rendered.yaml"
    run((skaffold_program, "render", *named, "--digest-source=none", "--output", output))
    rendered = documents(output.read_text())
    ours = documents(render_overlay(repository / "k8s" / "overlays" / profile))
    assert sorted(map(identity, rendered)) == sorted(map(identity, ours))
    assert set().union(*map(images, rendered)) == set().union(*map(images, ours))


@pytest.mark.parametrize("profile", ["dev", "prod"])
def test_it_builds_every_image_of_ours_that_the_overlay_runs_and_no_other(repository: Path, profile: str) -> None:
    wanted = set().union(*map(images, documents(render_overlay(repository / "k8s" / "overlays" / profile))))
    names = {image.rsplit(":", 1)[0] for image in wanted if image.startswith(OURS)}
    built = [artifact["image"] for artifact in config(repository)["build"]["artifacts"]]
    assert sorted(built) == sorted(names)


def test_our_flags_are_skaffolds(run: Run, skaffold_program: Path, tmp_path: Path) -> None:
    commands = [
        skaffold.build_argv(skaffold_program, "prod", tmp_path / "out.json", tag="dev"),
        skaffold.run_argv(skaffold_program, "prod", context="c", kubeconfig=tmp_path / "k"),
        skaffold.dev_argv(skaffold_program, "sandbox", context="c", kubeconfig=tmp_path / "k"),
    ]
    for _program, command, *words in commands:
        known = run([skaffold_program, command, "--help"]).stdout
        for flag in [word.partition("=")[0] for word in words if word.startswith("--")]:
            assert f"{flag}=" in known, f"skaffold {command} has no {flag}"


@pytest.mark.parametrize("profile", PROFILES)
def test_diagnose_accepts_the_file_and_every_profile(run: Run, skaffold_program: Path, profile: str) -> None:
    """Without --yaml-only it would ask a registry about the base images."""
    named = () if profile == "dev" else ("--profile", profile)
    resolved = yaml.safe_load(run([skaffold_program, "diagnose", "--yaml-only", *named]).stdout)
    assert [Path(path).name for path in resolved["manifests"]["kustomize"]["paths"]] == [profile]
    assert bool(resolved["build"].get("artifacts")) is (profile != "sandbox")


def test_every_context_and_dockerfile_exists_and_has_the_target(repository: Path) -> None:
    for artifact in config(repository)["build"]["artifacts"]:
        docker = artifact.get("docker", {})
        dockerfile = repository / artifact["context"] / docker.get("dockerfile", "Dockerfile")
        text = dockerfile.read_text()
        target = docker.get("target")
        assert target is None or any(line.split()[-2:] == ["AS", target] for line in text.splitlines() if line.strip())


def hooks(section: dict[str, Any]) -> list[str]:
    found = section["deploy"]["kubectl"]["hooks"]
    return [entry["host"]["command"][2] for when in ("before", "after") for entry in found[when]]


def test_each_profile_calls_the_tasks_for_its_own_name_and_the_context_skaffold_uses(repository: Path) -> None:
    content = config(repository)
    sections = {"dev": content, **{profile["name"]: profile for profile in content["profiles"]}}
    assert sorted(sections) == sorted(PROFILES)
    for name, section in sections.items():
        commands = hooks(section)
        tasks = [command for command in commands if "./invoke" in command]
        assert all(f"--profile {name}" in command for command in tasks)
        assert all("$SKAFFOLD_KUBE_CONTEXT" in command or "SKAFFOLD_KUBE_CONTEXT#" in command for command in commands)
        assert [word for word in ("secrets", "tls", "deploy.status") if any(f" {word} " in each for each in tasks)] == [
            *("secrets", "tls", "deploy.status")
        ]


def test_hooks_do_nothing_under_invoke_deploy(repository: Path) -> None:
    """It has made secrets and certificates itself, and holds the lock they would ask for."""
    content = config(repository)
    for section in [content, *content["profiles"]]:
        for command in hooks(section):
            if "./invoke" in command:
                assert process.run(["sh", "-c", command], env={"BAKERY_DEPLOY": "1"}).stdout == ""


def test_prod_never_takes_the_current_context(repository: Path) -> None:
    prod = next(profile for profile in config(repository)["profiles"] if profile["name"] == "prod")
    assert prod["deploy"]["kubeContext"] == "bakery-prod"


def test_nothing_is_pushed_and_every_deploy_has_ten_minutes(repository: Path) -> None:
    content = config(repository)
    assert content["build"]["local"]["push"] is False
    deadlines = [section["deploy"]["statusCheckDeadlineSeconds"] for section in [content, *content["profiles"]]]
    assert deadlines == [600] * len(deadlines)

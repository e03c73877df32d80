"""Building and loading, with stub programs on a PATH of their own that write down how they were called."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from bakery_ops.errors import CommandFailed, PreflightRefused, UsageError
from bakery_ops.tools import process, programs
from bakery_ops.tools.images import build_images, run_everything

NAMES = ["bakery/auth-service:dev", "bakery/gateway:dev", "redis:7.0-bookworm"]

SKAFFOLD = """#!/bin/sh
echo "skaffold $* DOCKER_HOST=$DOCKER_HOST BAKERY_DEPLOY=$BAKERY_DEPLOY KUBECONFIG=$KUBECONFIG" >>"$CALLS"
echo "Building [bakery/auth-service]..."
for word; do
  [ "$previous" != --file-output ] || echo '{"builds":[
    {"imageName":"bakery/auth-service","tag":"bakery/auth-service:dev@sha256:1"},
    {"imageName":"bakery/gateway","tag":"bakery/gateway:dev"}]}' >"$word"
  previous=$word
done
exit "${SKAFFOLD_EXIT:-0}"
"""
RECORD = '#!/bin/sh\necho "$(basename "$0") $*" >>"$CALLS"\n'
COLIMA = RECORD + """echo '{"docker_socket":"unix:///colima.sock","kubernetes":true}'\n"""


class StubPrograms:
    """The real process door with stub programs."""

    def __init__(self, directory: Path, **environment: str) -> None:
        self.directory = directory
        self.calls_file = directory / "calls"
        self.calls_file.touch()
        self._environment = {"CALLS": str(self.calls_file), **environment}
        for name, text in {"skaffold": SKAFFOLD, "colima": COLIMA, "kind": RECORD, "k3d": RECORD}.items():
            (directory / name).write_text(text)
            (directory / name).chmod(0o755)

    def find(self, program: str) -> Path:
        return programs.find(program, path=str(self.directory))

    def run(
        self,
        argv: Sequence[str | Path],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float | None = None,
        check: bool = True,
        on_line: Callable[[str], None] | None = None,
    ) -> process.Result:
        given = dict(env or {})
        path = f"{self.directory}{os.pathsep}{given.get('PATH', os.environ['PATH'])}"
        whole = {"KUBECONFIG": "", **given, **self._environment, "PATH": path}
        return process.run(argv, cwd=cwd, env=whole, timeout=timeout, check=check, on_line=on_line)

    def calls(self) -> list[str]:
        return self.calls_file.read_text().splitlines()


def build(stubs: StubPrograms, context: str, names: Sequence[str] = NAMES) -> Mapping[str, str]:
    return build_images(names, "dev", context, programs=stubs, repository=stubs.directory, say=lambda _line: None)


def test_our_images_are_built_under_the_tag_of_the_manifests(tmp_path: Path) -> None:
    stubs = StubPrograms(tmp_path)
    built = build(stubs, "docker-desktop")
    assert built == {"bakery/auth-service": "bakery/auth-service:dev@sha256:1", "bakery/gateway": "bakery/gateway:dev"}
    (call,) = stubs.calls()
    assert " --tag=dev " in call
    assert "BAKERY_DEPLOY=1" in call


def test_the_builds_lines_are_heard(tmp_path: Path) -> None:
    said: list[str] = []
    stubs = StubPrograms(tmp_path)
    build_images(NAMES, "dev", "colima", programs=stubs, repository=tmp_path, say=said.append)
    assert said == ["Building [bakery/auth-service]..."]


def test_our_colima_machines_own_docker_builds(tmp_path: Path) -> None:
    stubs = StubPrograms(tmp_path)
    build(stubs, "colima-k8s-local")
    status, call = stubs.calls()
    assert status == "colima status --profile k8s-local --json"
    assert "DOCKER_HOST=unix:///colima.sock" in call


@pytest.mark.parametrize(
    ("context", "call"),
    [
        ("kind-dev", "kind load docker-image --name dev bakery/auth-service:dev bakery/gateway:dev"),
        ("k3d-dev", "k3d image import --cluster dev bakery/auth-service:dev bakery/gateway:dev"),
    ],
)
def test_clusters_in_containers_are_given_the_images(tmp_path: Path, context: str, call: str) -> None:
    stubs = StubPrograms(tmp_path)
    build(stubs, context)
    assert stubs.calls()[1] == call


def test_a_cluster_elsewhere_is_refused_before_anything_is_built(tmp_path: Path) -> None:
    stubs = StubPrograms(tmp_path)
    with pytest.raises(PreflightRefused):
        build(stubs, "bakery-prod")
    assert stubs.calls() == []


def test_manifests_without_images_of_ours_build_nothing(tmp_path: Path) -> None:
    stubs = StubPrograms(tmp_path)
    assert build(stubs, "bakery-prod", ["redis:7.0-bookworm"]) == {}


def test_two_tags_for_our_images_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"2 tags: 1\.0\.0, dev"):
        build(StubPrograms(tmp_path), "colima", [*NAMES, "bakery/frontend:1.0.0"])


def test_a_failing_build_loads_nothing(tmp_path: Path) -> None:
    stubs = StubPrograms(tmp_path, SKAFFOLD_EXIT="1")
    with pytest.raises(CommandFailed, match="skaffold"):
        build(stubs, "kind-dev")
    assert len(stubs.calls()) == 1


def test_running_everything_names_the_cluster_to_skaffold_and_to_its_hooks(tmp_path: Path) -> None:
    stubs = StubPrograms(tmp_path)
    run_everything("sandbox", "bakery-sandbox", Path("/k"), programs=stubs, repository=tmp_path, say=lambda _line: None)
    (call,) = stubs.calls()
    assert call.startswith("skaffold run --profile sandbox --kube-context=bakery-sandbox --kubeconfig=/k ")
    assert call.endswith("BAKERY_DEPLOY=1 KUBECONFIG=/k")

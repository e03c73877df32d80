"""What a render reads, found without rendering."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bakery_ops.errors import UsageError
from bakery_ops.tools.kustomization import closure, nearest


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


TREE = {
    "overlays/dev/kustomization.yaml": "resources: [../../base]\ncomponents: [../../components/hpa]\n",
    "overlays/prod/kustomization.yaml": "resources: [../../base]\n",
    "base/kustomization.yml": "resources: [deployment.yaml, auth]\ntransformers: [../labels]\n",
    "base/deployment.yaml": "",
    "base/auth/Kustomization": "configMapGenerator:\n- name: x\n  files: [settings.ini]\n",
    "base/auth/settings.ini": "",
    "components/hpa/kustomization.yaml": "kind: Component\n",
    "labels/kustomization.yaml": "resources: [transformer.yaml]\n",
    "labels/transformer.yaml": "",
}


def test_every_directory_reached_is_found_and_no_other(tmp_path: Path) -> None:
    reads = closure(write(tmp_path, TREE) / "overlays/dev")
    assert [str(directory.relative_to(tmp_path.resolve())) for directory in reads.directories] == [
        "overlays/dev",
        "base",
        "components/hpa",
        "base/auth",
        "labels",
    ]


def test_files_of_generators_and_patches_belong_to_it_and_foreign_overlays_do_not(tmp_path: Path) -> None:
    names = {file.name for file in closure(write(tmp_path, TREE) / "overlays/dev").files}
    assert {"settings.ini", "deployment.yaml", "transformer.yaml"} < names
    assert not any("prod" in str(file) for file in closure(tmp_path / "overlays/dev").files)


def test_the_version_store_is_not_read(tmp_path: Path) -> None:
    write(tmp_path, {"kustomization.yaml": "resources: []\n", ".git/objects/ab": "x"})
    assert [file.name for file in closure(tmp_path).files] == ["kustomization.yaml"]


def test_two_kustomizations_that_name_each_other_end(tmp_path: Path) -> None:
    """Kustomize says what is wrong with that; finding the files must not loop."""
    write(tmp_path, {"a/kustomization.yaml": "resources: [../b]", "b/kustomization.yaml": "resources: [../a]"})
    assert len(closure(tmp_path / "a").directories) == 2


@pytest.mark.parametrize(
    "entry",
    [
        "https://example.invalid/base.yaml",
        "github.com/owner/repository/base?ref=v1",
        "git@example.invalid:owner/repository.git",
        "example.invalid/owner/repository?ref=main",
        "ssh://git@example.invalid/owner/repository",
    ],
)
@pytest.mark.parametrize("field", ["resources", "components", "bases", "transformers"])
def test_a_remote_base_is_refused_by_name(tmp_path: Path, entry: str, field: str) -> None:
    write(tmp_path, {"kustomization.yaml": f"{field}: ['{entry}']\n"})
    with pytest.raises(UsageError, match="names the remote base") as caught:
        closure(tmp_path)
    assert entry in str(caught.value)


def test_an_address_elsewhere_in_a_kustomization_is_no_base(tmp_path: Path) -> None:
    text = "commonAnnotations: {home: 'https://example.invalid/x?ref=y'}\nimages: [{name: github.com/x}]\n"
    assert closure(write(tmp_path, {"kustomization.yaml": text})).files


def test_a_name_that_leads_nowhere_gets_the_nearest_one(tmp_path: Path) -> None:
    write(tmp_path, {"kustomization.yaml": "resources: [deploymnt.yaml]\n", "deployment.yaml": ""})
    with pytest.raises(UsageError, match=r"resources names 'deploymnt\.yaml', which does not exist") as caught:
        closure(tmp_path)
    assert caught.value.remedy.endswith("deployment.yaml?")


def test_a_named_directory_without_a_kustomization_is_told(tmp_path: Path) -> None:
    write(tmp_path, {"kustomization.yaml": "resources: [auth]\n", "auth/deployment.yaml": ""})
    with pytest.raises(UsageError, match=r"auth has no kustomization\.yaml"):
        closure(tmp_path)


def test_an_inline_transformer_is_not_a_path(tmp_path: Path) -> None:
    text = "transformers:\n- |-\n  apiVersion: builtin\n  kind: LabelTransformer\n"
    assert len(closure(write(tmp_path, {"kustomization.yaml": text})).directories) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("resources: [a\n", r"kustomization\.yaml:2"),
        ("a: b: c\n", r"kustomization\.yaml:1"),
        ("- a\n", "holds a list"),
        ("just words", "holds a str"),
        ("a: \x01", "cannot be read"),
    ],
)
def test_a_kustomization_that_is_not_one_is_named_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        closure(write(tmp_path, {"kustomization.yaml": text}))


def test_an_empty_kustomization_reads_itself(tmp_path: Path) -> None:
    assert len(closure(write(tmp_path, {"kustomization.yaml": ""})).files) == 1


@pytest.mark.parametrize(("lines", "reads"), [("A=1\n# B\n\nC=\n", False), ("A=1\nHOME\n", True), ("", False)])
@pytest.mark.parametrize("generator", ["configMapGenerator", "secretGenerator"])
def test_an_env_file_with_bare_names_depends_on_the_environment(
    tmp_path: Path, lines: str, reads: bool, generator: str
) -> None:
    write(tmp_path, {"kustomization.yaml": f"{generator}: [{{name: x, envs: [x.env]}}]", "x.env": lines})
    assert closure(tmp_path).reads_environment is reads


def test_nothing_close_lists_the_directories_there_are(tmp_path: Path) -> None:
    (tmp_path / "dev").mkdir()
    assert nearest(tmp_path / "zzzzz") == f"{tmp_path} holds: dev"
    for number in range(20):
        (tmp_path / f"n{number:02}").mkdir()
    assert nearest(tmp_path / "zzzzz").endswith("n07, n08 and 11 more")
    assert nearest(tmp_path / "deb") == f"did you mean {tmp_path / 'dev'}?"
    assert nearest(tmp_path / "no" / "where") == ""


def test_everything_that_cannot_be_read_is_told_at_once(tmp_path: Path) -> None:
    write(tmp_path, {"kustomization.yaml": "resources: [nope.yaml, https://x.example/y]\ncomponents: [pipe, base]\n"})
    write(tmp_path, {"base/kustomization.yaml": "helmCharts: [{name: redis}]\n"})
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="names 4 things that cannot be read") as caught:
        closure(tmp_path)
    told = "nope.yaml', which does not exist", "rendering uses no network", "neither a file", "starts no Helm"
    assert all(part in line for part, line in zip(told, caught.value.details, strict=True))


@pytest.mark.parametrize("field", ["helmCharts", "helmChartInflationGenerator"])
def test_a_chart_is_refused_with_what_to_do(tmp_path: Path, field: str) -> None:
    write(tmp_path, {"kustomization.yaml": f"{field}: [{{name: redis, repo: 'https://charts.example'}}]\n"})
    with pytest.raises(UsageError, match=f"{field} names Helm charts") as caught:
        closure(tmp_path)
    assert "helm template" in caught.value.remedy

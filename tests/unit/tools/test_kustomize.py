"""Rendering with the real, pinned kubectl; what is counted is how often it had to run."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from bakery_ops.errors import UsageError
from bakery_ops.model import yaml_text
from bakery_ops.model.documents import load
from bakery_ops.tools import process
from bakery_ops.tools.kustomize import kustomize_argv, left_out, render_overlay

TREE = {
    "overlays/dev/kustomization.yaml": "resources: [../../base]\npatches: [{path: patch.yaml}]\n",
    "overlays/dev/patch.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: web, labels: {tier: dev}}\n",
    "base/kustomization.yaml": "resources: [web.yaml]\nconfigMapGenerator: [{name: x, files: [sub/settings.ini]}]\n",
    "base/web.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: web}\n",
    "base/sub/settings.ini": "a=1\n",
}


class Counting:
    """Runs for real and counts."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, argv: Sequence[str | Path]) -> str:
        self.count += 1
        return process.run(argv).stdout


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return write(tmp_path / "k8s", TREE)


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def names(text: str) -> list[str]:
    return [document["metadata"]["name"] for document in yaml.safe_load_all(text) if document]


def test_an_overlay_renders_with_its_base_patches_and_generated_names(tree: Path) -> None:
    documents = list(yaml.safe_load_all(render_overlay(tree / "overlays/dev")))
    assert [document["kind"] for document in documents] == ["ConfigMap", "Service"]
    assert documents[1]["metadata"]["labels"] == {"tier": "dev"}


def test_a_second_render_comes_from_the_cache(tree: Path, tmp_path: Path) -> None:
    run = Counting()
    first, second = (render_overlay(tree / "overlays/dev", cache_dir=tmp_path / "cache", run=run) for _ in "ab")
    assert (run.count, first) == (1, second)


def test_without_a_cache_it_renders_every_time(tree: Path) -> None:
    run = Counting()
    for _ in range(2):
        render_overlay(tree / "overlays/dev", run=run)
    assert run.count == 2


@pytest.mark.parametrize("changed", [*TREE, "base/sub/new-file"])
def test_a_change_of_any_file_it_reads_renders_again(tree: Path, tmp_path: Path, changed: str) -> None:
    run = Counting()
    render_overlay(tree / "overlays/dev", cache_dir=tmp_path / "cache", run=run)
    file = tree / changed
    file.write_text((file.read_text() if file.exists() else "") + "\n")
    render_overlay(tree / "overlays/dev", cache_dir=tmp_path / "cache", run=run)
    assert run.count == 2


def test_two_clones_share_their_renders(tree: Path, tmp_path: Path) -> None:
    """The key holds contents and their places in the clone, not the clone's place on the machine."""
    run = Counting()
    other = write(tmp_path / "elsewhere", TREE)
    for root in (tree, other):
        render_overlay(root / "overlays/dev", cache_dir=tmp_path / "cache", run=run)
    assert run.count == 1


def test_a_file_moved_from_one_name_to_another_renders_again(tree: Path, tmp_path: Path) -> None:
    run = Counting()
    render_overlay(tree / "base", cache_dir=tmp_path / "cache", run=run)
    (tree / "base/sub/settings.ini").rename(tree / "base/settings.ini")
    (tree / "base/kustomization.yaml").write_text(TREE["base/kustomization.yaml"].replace("sub/", ""))
    render_overlay(tree / "base", cache_dir=tmp_path / "cache", run=run)
    assert run.count == 2


def test_a_damaged_cache_entry_is_rendered_again_and_repaired(tree: Path, tmp_path: Path) -> None:
    run = Counting()
    whole = render_overlay(tree / "base", cache_dir=tmp_path / "cache", run=run)
    (entry,) = (tmp_path / "cache").iterdir()
    for damage in (b"", entry.read_bytes()[:-20], b"\xff\xfe"):
        entry.write_bytes(damage)
        assert render_overlay(tree / "base", cache_dir=tmp_path / "cache", run=run) == whole
    assert run.count == 4
    assert [file.suffix for file in (tmp_path / "cache").iterdir()] == [".yaml"]


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(tree: Path, tmp_path: Path) -> None:
    blocked = tmp_path / "cache"
    blocked.write_text("a file where the directory should be")
    assert names(render_overlay(tree / "base", cache_dir=blocked))


def test_the_cache_keeps_the_renders_used_last(tree: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    for number in range(30):
        (tree / "base/sub/settings.ini").write_text(str(number))
        render_overlay(tree / "base", cache_dir=cache, run=lambda _argv, number=number: f"render {number}")
        for age, file in enumerate(sorted(cache.iterdir(), key=lambda file: file.stat().st_mtime_ns)):
            os.utime(file, ns=(age, age))
    texts = {file.read_text().splitlines()[1] for file in cache.iterdir()}
    assert len(texts) == 24
    assert "render 29" in texts
    assert "render 0" not in texts


def test_a_file_whose_name_is_not_utf_8_is_part_of_the_key_like_any_other(tree: Path, tmp_path: Path) -> None:
    odd = os.fsdecode(os.fsencode(tree / "overlays/dev") + b"/caf\xe9.txt")
    run = Counting()
    for text in ("one", "one", "two"):
        Path(odd).write_text(text)
        assert names(render_overlay(tree / "overlays/dev", cache_dir=tmp_path / "cache", run=run))
    assert run.count == 2


def test_a_render_that_depends_on_the_environment_is_not_kept(tmp_path: Path) -> None:
    write(tmp_path, {"o/kustomization.yaml": "configMapGenerator: [{name: x, envs: [e.env]}]", "o/e.env": "HOME\n"})
    run = Counting()
    for _ in range(2):
        render_overlay(tmp_path / "o", cache_dir=tmp_path / "cache", run=run)
    assert run.count == 2


def test_what_kustomize_refuses_is_one_sentence_with_the_file(tmp_path: Path) -> None:
    write(tmp_path, {"o/kustomization.yaml": "resources: [x.yaml]\n", "o/x.yaml": "kind: Service\nmetadata: {}\n"})
    with pytest.raises(UsageError, match=r"cannot be rendered: .*x\.yaml"):
        render_overlay(tmp_path / "o")


def test_a_file_outside_the_kustomization_is_refused(tmp_path: Path) -> None:
    write(tmp_path, {"o/kustomization.yaml": "resources: [../secret.yaml]\n", "secret.yaml": TREE["base/web.yaml"]})
    with pytest.raises(UsageError, match="cannot be rendered"):
        render_overlay(tmp_path / "o")


def test_an_overlay_called_like_an_option_is_still_a_directory() -> None:
    assert kustomize_argv(Path("/bin/kubectl"), Path("--help"))[-2:] == ("--", "--help")


def test_a_missing_overlay_gets_the_nearest_one(tree: Path) -> None:
    with pytest.raises(UsageError, match="overlays/deb does not exist") as caught:
        render_overlay(tree / "overlays/deb")
    assert caught.value.remedy == f"did you mean {tree / 'overlays/dev'}?"


def test_a_file_instead_of_a_directory_is_told(tree: Path) -> None:
    with pytest.raises(UsageError, match="is a file") as caught:
        render_overlay(tree / "base/web.yaml")
    assert str(tree / "base") in caught.value.remedy


def test_a_plain_directory_is_read_like_kubectl_apply_does(tmp_path: Path) -> None:
    service = "apiVersion: v1\nkind: Service\nmetadata: {{name: {}}}"
    write(
        tmp_path,
        {
            "b.yml": service.format("b"),
            "a.yaml": service.format("a1") + "\n---\n" + service.format("a2"),
            "c.json": '{\n\t"apiVersion": "v1", "kind": "Service", "metadata": {"name": "c"}}',
            "notes.txt": "not: [yaml",
            "below/d.yaml": service.format("d"),
        },
    )
    assert names(render_overlay(tmp_path)) == ["a1", "a2", "b", "c"]
    (note,) = left_out(tmp_path)
    assert note.startswith("below/ is left out")


@pytest.mark.parametrize("name", [b"caf\xe9.yaml", b"a\nkind: Secret #.yaml"])
def test_a_plain_file_may_have_any_name_a_disk_takes(tmp_path: Path, name: bytes) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_text("kind: Service\nmetadata: {name: a}")
    text = render_overlay(tmp_path)
    assert [document["kind"] for document in yaml.safe_load_all(text) if document] == ["Service"]
    assert text.encode()


def test_a_directory_without_manifests_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds neither"):
        render_overlay(tmp_path)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.yaml", b"kind: Service\nmetadata: [\n", "a.yaml:3:1: "),
        ("a.json", b'{\n"kind": }', "a.json:2:9: "),
        ("a.yaml", b"kind: \x00", "a.yaml: byte 6: a NUL byte"),
        ("a.yaml", b"\xef\xbb\xbfkind: Service\n", "a.yaml: byte 0: the file is UTF-8 with a byte order mark"),
        ("a.yaml", "kind: Service".encode("utf-16"), "a.yaml: byte 0: the file is UTF-16"),
        ("a.yaml", b"kind: \xff", "a.yaml: byte 6: not UTF-8"),
        ("a.yaml", b"a: " + b"[" * 100_000 + b"]" * 100_000, "a.yaml:1:203: nested deeper than 200 levels"),
        ("a.json", b"[" * 100_000 + b"]" * 100_000, "a.json:1:1: nested too deeply"),
        ("a.json", b'{\n"kind": NaN}', "a.json:2:9: NaN is no JSON"),
        ("a.json", b"{}\n{} more", "a.json:2:4: Expecting value"),
    ],
)
def test_a_plain_file_that_is_not_yaml_is_named_with_its_place(
    tmp_path: Path, name: str, text: bytes, message: str
) -> None:
    """B1, B7"""
    write(tmp_path, {"0-good.yaml": "kind: Service\n"})
    (tmp_path / name).write_bytes(text)
    with pytest.raises(UsageError) as caught:
        render_overlay(tmp_path)
    assert [line[: len(message)] for line in caught.value.details] == [message]


def test_a_json_file_may_hold_several_objects_one_after_the_other(tmp_path: Path) -> None:
    """As kubectl reads it, and as `kubectl get -o json` of several files joined by `cat` looks."""
    service = '{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "%s"}}'
    write(tmp_path, {"a.json": f"{service % 'a'}\n{service % 'b'}{service % 'c'}\n", "b.json": service % "d"})
    assert names(render_overlay(tmp_path)) == ["a", "b", "c", "d"]
    write(tmp_path, {"a.json": f'{service % "a"}\n\n{{"kind": "Service"}}\n'})
    with pytest.raises(UsageError) as caught:
        load(render_overlay(tmp_path), "render", namespace="shop")
    assert caught.value.details[0].startswith("a.json:3: apiVersion is missing")


def test_all_files_that_cannot_be_read_are_named_at_once(tmp_path: Path) -> None:
    write(tmp_path, {"a.yaml": "a: [\n", "b.yaml": "kind: Service\n", "c.yaml": "\tx: y\n"})
    with pytest.raises(UsageError) as caught:
        render_overlay(tmp_path)
    assert [line[:6] for line in caught.value.details] == ["a.yaml", "c.yaml"]


def test_json_is_read_by_the_rules_of_yaml(tmp_path: Path) -> None:
    """Its lines and its doubled keys stay, so that whoever reads the documents can name them (B2)."""
    text = '{\n\t"kind": "Service",\t"kind": "a\\tb\\\\ud83d\\ud83d\\ude00"\n}'
    write(tmp_path, {"a.json": text})
    reading = yaml_text.read(render_overlay(tmp_path))
    assert [problem[0] for problem in reading.problems] == [4]
    assert "duplicate key 'kind'" in reading.problems[0].text
    write(tmp_path, {"a.json": text.replace('"kind": "Service",', "")})
    (document,) = yaml_text.read(render_overlay(tmp_path)).documents
    assert document.value == {"kind": "a\tb\\ud83d\N{GRINNING FACE}"}


def test_what_is_no_file_is_told_and_never_left_out(tmp_path: Path) -> None:
    """An object that is read no more is one to prune."""
    write(tmp_path, {"a.yaml": "kind: Service\n", "folder.yaml/b.yaml": "kind: Service\n"})
    (tmp_path / "gone.yaml").symlink_to("nowhere.yaml")
    (tmp_path / "round.yml").symlink_to("round.yml")
    os.mkfifo(tmp_path / "pipe.json")
    with pytest.raises(UsageError) as caught:
        render_overlay(tmp_path)
    problems = ["gone.yaml: a link to nothing", "pipe.json: no regular file", "round.yml: a link to nothing"]
    assert list(caught.value.details) == problems


def test_a_chart_is_told_from_a_folder_of_manifests(tmp_path: Path) -> None:
    write(tmp_path, {"Chart.yaml": "name: x\n", "values.yaml": "a: 1\n", "templates/a.yaml": "kind: {{ .kind }}\n"})
    with pytest.raises(UsageError, match="is a Helm chart") as caught:
        render_overlay(tmp_path)
    assert "helm template" in caught.value.remedy

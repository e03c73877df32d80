from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

from bakery_ops.sandbox import archive
from bakery_ops.sandbox.archive import Entry, Image


@pytest.fixture
def layer(tmp_path: Path) -> Path:
    path = tmp_path / "layer.tar"
    archive.write_layer(
        path, [Entry("etc/app/settings", b"a=1"), Entry("link", link="etc/app"), Entry("tmp", mode=0o1777)]
    )
    return path


def test_a_layer_holds_what_was_asked_for_and_the_directories_above_it(layer: Path) -> None:
    with tarfile.open(layer) as tar:
        members = {member.name: member for member in tar}
    assert list(members) == ["etc", "etc/app", "etc/app/settings", "link", "tmp"]
    assert members["etc"].isdir()
    assert members["link"].linkname == "etc/app"
    assert members["tmp"].mode == 0o1777


def test_the_same_entries_give_the_same_bytes(layer: Path, tmp_path: Path) -> None:
    source = tmp_path / "program"
    source.write_bytes(b"run")
    source.chmod(0o755)
    written = []
    for name in ("one", "two"):
        archive.write_layer(tmp_path / name, [Entry("bin/program", source)])
        written.append((tmp_path / name).read_bytes())
        source.touch()
    assert written[0] == written[1]


def test_a_layer_shared_by_images_is_stored_once(layer: Path, tmp_path: Path) -> None:
    out = tmp_path / "images.tar"
    images = [Image("bakery/one:1", [layer], {"Cmd": ["one"]}), Image("bakery/two:1", [layer], {"Cmd": ["two"]})]
    archive.write_docker_archives(out, images)
    with tarfile.open(out) as tar:
        names = tar.getnames()
    assert sum(name.endswith("layer.tar") for name in names) == 1
    assert archive.images_in(out) == {image.name: archive.image_id(image) for image in images}


def test_an_image_is_told_from_another_by_its_configuration_and_layers(layer: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.tar"
    archive.write_layer(other, [Entry("else", b"")])
    images = [Image("a:1", [layer], {}), Image("a:1", [layer], {"User": "1"}), Image("a:1", [other], {})]
    assert len({archive.image_id(image) for image in images}) == 3
    assert archive.image_id(images[0]) == archive.image_id(images[0]._replace(name="b:1"))


def test_the_configuration_names_every_layer(layer: Path) -> None:
    document = json.loads(archive.image_config(Image("a:1", [layer, layer], {})))
    assert document["rootfs"]["diff_ids"] == [f"sha256:{archive.layer_digest(layer)}"] * 2


def test_a_layer_that_changes_gets_another_digest(tmp_path: Path) -> None:
    layer = tmp_path / "layer.tar"
    layer.write_bytes(b"one")
    first = archive.layer_digest(layer)
    layer.write_bytes(b"two, longer")
    assert archive.layer_digest(layer) != first


def test_a_failed_write_leaves_no_archive(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        archive.write_docker_archives(tmp_path / "out.tar", [archive.Image("a:1", [tmp_path / "missing"], {})])
    assert not (tmp_path / "out.tar").exists()


def test_a_tar_that_is_no_image_archive_holds_no_images(layer: Path) -> None:
    assert archive.images_in(layer) == {}

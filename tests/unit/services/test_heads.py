from pathlib import Path

import pytest
from bakery_service.errors import ServiceError
from bakery_service.heads import image_head, image_revisions, report_head


def write(directory: Path, name: str, revision: str, ancestor: str) -> None:
    versions = directory / "versions"
    versions.mkdir(exist_ok=True)
    (versions / name).write_text(f'"""x"""\n\nrevision = {revision}\ndown_revision = {ancestor}\n')


def test_the_image_brings_at_least_two_revisions_in_one_line() -> None:
    assert image_revisions()[:2] == ("0001", "0002")
    assert image_head() == image_revisions()[-1]


def test_revisions_are_ordered_by_ancestry_and_not_by_file_name(tmp_path: Path) -> None:
    write(tmp_path, "a.py", '"second"', '"first"')
    write(tmp_path, "b.py", '"first"', "None")
    assert image_revisions(str(tmp_path)) == ("first", "second")


def test_two_heads_are_refused_because_no_one_head_exists(tmp_path: Path) -> None:
    write(tmp_path, "a.py", '"first"', "None")
    write(tmp_path, "b.py", '"left"', '"first"')
    write(tmp_path, "c.py", '"right"', '"first"')
    with pytest.raises(ServiceError, match=r"c\.py .* shares its ancestor"):
        image_revisions(str(tmp_path))


def test_a_revision_whose_ancestor_is_missing_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "a.py", '"first"', "None")
    write(tmp_path, "b.py", '"third"', '"second"')
    with pytest.raises(ServiceError, match="do not form one line"):
        image_revisions(str(tmp_path))


def test_a_circle_of_revisions_ends(tmp_path: Path) -> None:
    write(tmp_path, "a.py", '"first"', '"second"')
    write(tmp_path, "b.py", '"second"', '"first"')
    with pytest.raises(ServiceError, match="do not form one line"):
        image_revisions(str(tmp_path))


def test_annotated_assignments_as_alembic_writes_them_are_read(tmp_path: Path) -> None:
    write(tmp_path, "a.py", '"first"', "None")
    text = 'revision: str = "second"\ndown_revision: Union[str, None] = "first"\n'
    (tmp_path / "versions" / "b.py").write_text(text)
    assert image_revisions(str(tmp_path)) == ("first", "second")


def test_the_head_replaces_whatever_the_termination_message_was(tmp_path: Path) -> None:
    message = tmp_path / "termination-log"
    message.write_text("something much longer than the head of any migration")
    report_head("0002", str(message))
    assert message.read_text() == "migration-head: 0002\n"


def test_outside_kubernetes_there_is_nobody_to_tell(tmp_path: Path) -> None:
    report_head("0002", str(tmp_path / "termination-log"))
    assert list(tmp_path.iterdir()) == []

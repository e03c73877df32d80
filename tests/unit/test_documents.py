"""What the documents tell users to type exists: every command, every flag, every file that is linked."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
TYPED = re.compile(r"(?:^|`|\s)(?:\./)?invoke ((?:[a-z]+\.)?[a-z]+)((?: --?[\w-]+(?:[ =][^`\s|#]+)?| [^`\s|#-]\S*)*)")


def commands() -> list[tuple[str, str, str]]:
    found = []
    for document in DOCUMENTS:
        for name, rest in TYPED.findall(document.read_text()):
            found.append((document.name, name, rest))
    return found


@pytest.fixture(scope="module")
def known() -> dict[str, set[str]]:
    """Command -> its flags, read from the program itself."""
    code = (
        "import json, tasks\n"
        "names = [name for one in tasks.namespace.task_names.items() for name in (one[0], *one[1])]\n"
        "flags = lambda task: ['--' + word for one in task.get_arguments() for word in one.names]\n"
        "print(json.dumps({name: flags(tasks.namespace[name]) for name in names}))"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return {name: {flag.replace("_", "-") for flag in flags} for name, flags in json.loads(ended.stdout).items()}


def test_there_are_commands_to_look_at():
    assert len(commands()) > 30


def test_every_command_that_a_document_names_exists(known):
    lost = [(document, name) for document, name, _ in commands() if name not in known]
    assert lost == []


def test_every_flag_that_a_document_names_exists(known):
    lost = [
        (document, name, flag)
        for document, name, rest in commands()
        for flag in re.findall(r"--[a-z-]+", rest)
        if name in known and flag not in known[name]
    ]
    assert lost == []


def test_every_file_that_a_document_links_exists():
    lost = [
        (document.name, target)
        for document in DOCUMENTS
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", document.read_text())
        if not (document.parent / target).exists()
    ]
    assert lost == []


def test_every_page_that_the_code_cites_exists():
    lost = [
        (str(source.relative_to(ROOT)), page)
        for source in sorted((ROOT / "bakery_ops").rglob("*.py"))
        for page in re.findall(r"docs/[\w/-]+\.\w+", source.read_text())
        if not (ROOT / page).exists()
    ]
    assert lost == []


def test_every_flag_that_a_message_names_exists(known):
    """A remedy that names a flag nobody can type is worse than none. Flags of other programs are not ours to check."""
    ours = {flag for flags in known.values() for flag in flags}
    foreign = {"--verbose"}  # colima's
    lost = [
        (str(source.relative_to(ROOT)), flag)
        for source in sorted((ROOT / "bakery_ops").rglob("*.py"))
        for text in re.findall(r"""(?:remedy=|Error\()[^\n]*""", source.read_text())
        for flag in re.findall(r"(?<![\w-])--[a-z][a-z-]+", text)
        if flag not in ours | foreign
    ]
    assert lost == []

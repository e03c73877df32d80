import json
import marshal
import shutil
import subprocess
import sys
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from bakery_ops.errors import PreflightRefused
from bakery_ops.sandbox import image_base, images
from bakery_ops.sandbox.archive import Entry, images_in, write_layer
from bakery_ops.sandbox.image_layers import recipe_for, with_bytecode

REPOSITORY = Path(__file__).resolve().parents[3]
NEEDED = ["bakery/auth-service:dev", "bakery/orders-service:dev", "bakery/gateway:dev", "postgres:15-bookworm"]


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A cache with a small base layer, so that nothing has to be built from packages."""
    base = image_base.base_path(tmp_path)
    base.parent.mkdir(parents=True)
    write_layer(base, [Entry("etc/debian_version", b"12\n")])
    return tmp_path


class Runtime:
    """A container runtime that holds what it was given: name -> image id."""

    def __init__(self) -> None:
        self.holds: dict[str, str] = {}
        self.imports: list[list[str]] = []

    def take(self, archive: Path) -> None:
        arrived = images_in(archive)
        self.imports.append(sorted(arrived))
        self.holds.update(
            {f"docker.io/{name}" if "/" in name else name: identity for name, identity in arrived.items()}
        )


def ensure(cache: Path, runtime: Runtime, needed: list[str] = NEEDED, repository: Path = REPOSITORY) -> list[str]:
    said: list[str] = []
    images.ensure_images(cache, needed, runtime.holds, runtime.take, said.append, repository)
    return said


def test_what_is_missing_arrives_in_one_archive(cache: Path) -> None:
    runtime = Runtime()
    ensure(cache, runtime)
    assert runtime.imports == [sorted(NEEDED)]


def test_an_unchanged_repository_imports_nothing_and_says_nothing(cache: Path) -> None:
    runtime = Runtime()
    ensure(cache, runtime)
    assert ensure(cache, runtime) == []
    assert len(runtime.imports) == 1


def test_the_archive_is_gone_once_it_was_imported(cache: Path) -> None:
    ensure(cache, Runtime())
    assert not list(cache.rglob("images.tar"))


def test_a_runtime_that_lost_an_image_gets_that_one(cache: Path) -> None:
    runtime = Runtime()
    ensure(cache, runtime)
    del runtime.holds["docker.io/bakery/gateway:dev"]
    ensure(cache, runtime)
    assert runtime.imports[1:] == [["bakery/gateway:dev"]]


def test_a_name_that_holds_another_build_is_replaced(cache: Path) -> None:
    runtime = Runtime()
    ensure(cache, runtime)
    runtime.holds["postgres:15-bookworm"] = "sha256:somebody-elses"
    ensure(cache, runtime)
    assert runtime.imports[1:] == [["postgres:15-bookworm"]]


def changed_repository(tmp_path: Path) -> Path:
    """A copy of what the images are made of, with one line more in the service."""
    copy = tmp_path / "repository"
    for part in ("services", "sandbox/images"):
        shutil.copytree(REPOSITORY / part, copy / part)
    module = copy / "services" / "reference" / "bakery_service" / "errors.py"
    module.write_text(module.read_text() + "\n# changed\n")
    return copy


def test_a_changed_service_replaces_the_images_it_is_in_and_going_back_does_so_again(
    cache: Path, tmp_path: Path
) -> None:
    runtime, changed = Runtime(), changed_repository(tmp_path)
    ensure(cache, runtime)
    ensure(cache, runtime, repository=changed)
    ensure(cache, runtime)
    with_the_service = sorted(name for name in NEEDED if name.startswith("bakery/"))
    assert runtime.imports[1:] == [with_the_service, with_the_service]


def test_of_mere_names_and_ids_the_ids_decide(cache: Path) -> None:
    runtime = Runtime()
    ensure(cache, runtime)
    listed = [*runtime.holds, *runtime.holds.values()]
    images.ensure_images(cache, NEEDED, listed, runtime.take, print, REPOSITORY)
    assert len(runtime.imports) == 1
    listed = [*runtime.holds, "sha256:other"]
    images.ensure_images(cache, NEEDED, listed, runtime.take, print, REPOSITORY)
    assert runtime.imports[1:] == [sorted(NEEDED)]


def test_mere_names_are_believed(cache: Path) -> None:
    runtime = Runtime()
    images.ensure_images(cache, NEEDED, set(NEEDED), runtime.take, print, REPOSITORY)
    assert runtime.imports == []


@pytest.mark.parametrize(
    "name", ["mysql:8", "postgres:16-bookworm", "bakery/auth-service", "bakery/-service:dev", "x/y:z"]
)
def test_a_name_nobody_can_make_is_refused_before_anything_is_built(tmp_path: Path, name: str) -> None:
    with pytest.raises(PreflightRefused, match="cannot make 1 image") as caught:
        images.ensure_images(tmp_path, [*NEEDED, name], {}, lambda tar: None, print, REPOSITORY)
    assert name in str(caught.value)
    assert "known: redis:7.0-bookworm" in caught.value.details
    assert not list(tmp_path.iterdir())


def test_the_same_repository_gives_the_same_image_ids_in_another_process(cache: Path) -> None:
    runtime = Runtime()
    ensure(cache, runtime)
    program = f"""
import sys
from pathlib import Path
from bakery_ops.sandbox import archive, images
cache = Path({str(cache)!r})
show = lambda tar: print(sorted(archive.images_in(tar).items()))
images.ensure_images(cache, {NEEDED!r}, {{}}, show, lambda line: None, Path({str(REPOSITORY)!r}))
"""
    ended = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    held = {images.canonical(name): identity for name, identity in runtime.holds.items()}
    assert ended.stdout.strip() == str(sorted(held.items()))


def entries(name: str) -> dict[str, Entry]:
    recipe = recipe_for(name)
    assert recipe is not None
    return {entry.path: entry for entry in recipe.entries(REPOSITORY)}


@pytest.mark.parametrize(
    ("name", "user"),
    [
        ("postgres:15-bookworm", "postgres:x:999:999:"),
        ("redis:7.0-bookworm", "redis:x:999:999:"),
        ("rabbitmq:3.10-management", "rabbitmq:x:999:999:"),
        ("bakery/auth-service:dev", "bakery:x:10001:10001:"),
        ("bakery/frontend:dev", "bakery:x:10001:10001:"),
    ],
)
def test_each_image_knows_the_number_its_pods_run_as(name: str, user: str) -> None:
    passwd = entries(name)["etc/passwd"].content
    assert isinstance(passwd, bytes)
    assert any(line.startswith(user) for line in passwd.decode().splitlines())


def test_every_service_is_the_same_image() -> None:
    assert recipe_for("bakery/auth-service:dev") is recipe_for("bakery/demo-session-service:1.0.0")


def test_commands_and_entrypoints_can_be_run() -> None:
    assert entries("bakery/gateway:dev")["usr/local/bin/bakery-gateway"].mode == 0o755
    assert entries("postgres:15-bookworm")["usr/local/bin/docker-entrypoint.sh"].mode == 0o755


def test_the_service_layer_holds_migrations_and_no_leftovers() -> None:
    paths = list(entries("bakery/auth-service:dev"))
    assert any(path.endswith("migrations/versions/0001_items.py") for path in paths)
    assert not [path for path in paths if "__pycache__" in path or path.endswith(".toml")]


def test_bytecode_is_the_module_and_is_never_checked_against_it(tmp_path: Path) -> None:
    if sys.version_info[:2] != (3, 11):
        pytest.skip("bytecode is only added by the Python version of the images")
    module = tmp_path / "one.py"
    module.write_text("answer = 42\n")
    compiled = with_bytecode([Entry("lib/one.py", module)])[1]
    assert compiled.path == "lib/__pycache__/one.cpython-311.pyc"
    assert isinstance(compiled.content, bytes)
    assert compiled.content[4:8] == b"\x01\x00\x00\x00"
    namespace: dict[str, object] = {}
    exec(marshal.loads(compiled.content[16:]), namespace)  # noqa: S102, S302 - made four lines above
    assert namespace["answer"] == 42


def test_a_damaged_record_of_ids_only_costs_an_import(cache: Path) -> None:
    runtime = Runtime()
    ensure(cache, runtime)
    (cache / "images" / "ids.json").write_text("[1, 2")
    ensure(cache, runtime)
    assert len(runtime.imports) == 2


def test_the_base_layer_travels_once_whatever_the_number_of_images(cache: Path) -> None:
    seen: list[int] = []

    def count(archive: Path) -> None:
        with tarfile.open(archive) as tar:
            names = tar.getnames()
            manifest = tar.extractfile("manifest.json")
            assert manifest is not None
            layers = {layer for image in json.load(manifest) for layer in image["Layers"]}
        seen.append(len([name for name in names if name.endswith("/layer.tar")]))
        assert len(layers) == seen[-1]

    images.ensure_images(cache, NEEDED, {}, count, print, REPOSITORY)
    assert seen == [3]


@pytest.fixture
def progress() -> tuple[Callable[[str], None], list[str]]:
    said: list[str] = []
    return image_base.progress(said.append), said


def test_each_step_of_the_build_is_announced_once(progress: tuple[Callable[[str], None], list[str]]) -> None:
    on_line, said = progress
    for line in (
        "I: extracting archives...",
        "Setting up extracting (1)",
        "I: extracting archives...",
        "I: creating tarball...",
    ):
        on_line(line)
    assert said == ["images: unpacking the essential packages", "images: writing the layer"]


def test_a_failed_build_tells_the_packages_complaints_and_not_the_noise() -> None:
    output = "Setting up a\nE: Unable to locate package nginx\nProcessing triggers\nI: removing tempdir\n"
    assert image_base.complaints(output) == ["E: Unable to locate package nginx"]


def test_a_failed_build_that_complains_of_nothing_shows_its_last_lines() -> None:
    assert image_base.complaints("one\n\ntwo\n") == ["one", "two"]


def test_the_base_layers_key_is_stable_and_short() -> None:
    assert image_base.base_key() == image_base.base_key()
    assert len(image_base.base_key()) == 16


def test_the_prepared_data_directory_is_the_one_the_sandbox_overlay_asks_for() -> None:
    overlay = (REPOSITORY / "k8s" / "overlays" / "sandbox" / "databases.patch.yaml").read_text()
    assert f"value: {image_base.TEMPLATE_ARGUMENTS}\n" in overlay
    assert (
        f"template={image_base.TEMPLATE}\n" in (REPOSITORY / "sandbox/images/postgres/docker-entrypoint.sh").read_text()
    )


def test_two_runs_take_turns_and_the_second_says_what_it_waits_for(tmp_path: Path) -> None:
    lock, order, waiting = tmp_path / "locks" / "lock", list[str](), threading.Event()

    def say(line: str) -> None:
        order.append(line)
        waiting.set()

    def second() -> None:
        with image_base.alone(lock, say):
            order.append("second")

    with image_base.alone(lock, say):
        other = threading.Thread(target=second)
        other.start()
        assert waiting.wait(30)
        order.append("first")
    other.join(30)
    assert order == ["images: another run is working on them; waiting for it", "first", "second"]

"""The sandbox's images on this machine without a cluster: real servers, real TLS, the users and secrets of the pods."""

from __future__ import annotations

import base64
import hashlib
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from bakery_ops.sandbox.archive import write_layer
from bakery_ops.sandbox.image_base import ensure_base
from bakery_ops.sandbox.image_layers import recipe_for, with_bytecode
from bakery_ops.sandbox.instance import cache_directory
from bakery_ops.tools import process
from tests.e2e.conftest import REPOSITORY

SCENARIO = Path(__file__).with_name("image_scenario.sh")
IMAGES = {
    "postgres": "postgres:15-bookworm",
    "redis": "redis:7.0-bookworm",
    "rabbitmq": "rabbitmq:3.10-management",
    "service": "bakery/auth-service:dev",
    "frontend": "bakery/frontend:dev",
}

# The base layer is built from packages when the cache is cold.
pytestmark = pytest.mark.timeout(1200)


class Step(NamedTuple):
    status: int
    output: str


class Scenario(NamedTuple):
    """What each step of the scenario said and ended with, and the servers' logs by name."""

    steps: dict[str, Step]
    logs: dict[str, str]


def unpack(archive: Path, place: Path) -> None:
    place.mkdir(parents=True)
    with tarfile.open(archive) as tar:
        # Our own layer, with device files and owners as they are: the filter for strangers' archives would refuse them.
        tar.extractall(place, filter="fully_trusted", numeric_owner=True)  # noqa: S202


def definitions() -> str:
    """RabbitMQ's definitions with the password of image_scenario.sh, hashed as its documentation says."""
    salt = b"salt"
    hashed = base64.b64encode(salt + hashlib.sha256(salt + b"secret-of-broker").digest()).decode()
    kind = "rabbit_password_hashing_sha256"
    user = {"name": "auth", "password_hash": hashed, "hashing_algorithm": kind, "tags": []}
    allowed = {"user": "auth", "vhost": "/", "configure": ".*", "write": ".*", "read": ".*"}
    return json.dumps({"users": [user], "vhosts": [{"name": "/"}], "permissions": [allowed]})


@pytest.fixture(scope="module")
def played(real_node_possible: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenario]:
    """The scenario, played once; its namespaces, mounts and processes end with it."""
    directory = tmp_path_factory.mktemp("images")
    unpack(ensure_base(cache_directory(), print), directory / "base")
    for image, name in IMAGES.items():
        recipe = recipe_for(name)
        assert recipe is not None
        layer = directory / f"{image}.tar"
        write_layer(layer, with_bytecode(list(recipe.entries(REPOSITORY))))
        unpack(layer, directory / "layer" / image)
    (directory / "definitions.json").write_text(definitions())
    isolated = ["unshare", "--net", "--mount", "--pid", "--mount-proc", "--fork", "--kill-child"]
    arguments = [SCENARIO, directory, REPOSITORY / "k8s" / "base"]
    ended = process.run([*isolated, "bash", *arguments], timeout=900)
    logs = {log.stem: log.read_text(errors="replace") for log in directory.glob("*.log")}
    yield Scenario(steps_of(ended.stdout), logs)
    process.run(["rm", "-rf", "--one-file-system", directory])


def steps_of(output: str) -> dict[str, Step]:
    found = {}
    for part in output.split("=== ")[1:]:
        title, _, rest = part.partition("\n")
        said, _, status = rest.rpartition("--- ")
        found[title] = Step(int(status.split()[0]), said)
    return found


def succeeded(played: Scenario, *titles: str) -> None:
    for title in titles:
        assert played.steps[title].status == 0, f"{title}: {played.steps[title]}"


def test_waiting_for_what_is_not_there_ends_at_the_bound_with_the_reason(played: Scenario) -> None:
    step = played.steps["redis is not there"]
    assert step.status == 1
    assert "Gave up waiting for redis at redis:6379 after 1 s: connection refused" in step.output


def test_redis_postgres_and_rabbitmq_start_with_the_manifests_configuration(played: Scenario) -> None:
    succeeded(played, "wait for redis", "wait for the database", "wait for the broker")


def test_a_first_start_that_was_interrupted_begins_anew(played: Scenario) -> None:
    assert "an earlier initialisation did not finish; starting it over" in played.logs["postgres"]


def test_the_data_directory_is_copied_when_the_image_holds_what_initdb_would_make(played: Scenario) -> None:
    assert "Success. You can now start the database server" not in played.logs["postgres"]


def test_before_the_migration_waits_and_seeds_fail_loudly(played: Scenario) -> None:
    early, seed = played.steps["wait for the migration too early"], played.steps["seed too early"]
    assert (early.status, seed.status) == (1, 1)
    assert "no migration has run on this database" in early.output
    assert "Table items does not exist: run the migration first." in seed.output


def test_of_two_migrations_at_once_one_works_and_the_other_finds_it_done(played: Scenario) -> None:
    succeeded(played, "migrate beside another", "the other")
    said = sorted(played.steps[title].output for title in ("migrate beside another", "the other"))
    assert "2 migration(s), from empty to 0002" in "".join(said)
    assert "nothing to migrate" in "".join(said)


def test_a_migrated_database_is_left_alone(played: Scenario) -> None:
    succeeded(played, "migrate again", "wait for the migration")
    assert "nothing to migrate" in played.steps["migrate again"].output


def test_a_seed_writes_its_rows_once(played: Scenario) -> None:
    assert "12 rows created, 0 changed, 0 as they should be" in played.steps["seed"].output
    assert "0 rows created, 0 changed, 12 as they should be" in played.steps["seed again"].output


def test_a_seed_of_another_service_is_refused(played: Scenario) -> None:
    step = played.steps["seed of another service"]
    assert step.status == 64
    assert "Seed orders belongs to service orders, but SERVICE_NAME is auth." in step.output


def test_a_certificate_for_another_name_is_refused(played: Scenario) -> None:
    redis, database = played.steps["redis under another name"], played.steps["database under another name"]
    assert (redis.status, database.status) == (1, 1)
    assert "its certificate is refused: Hostname mismatch" in redis.output
    assert "does not match host name" in database.output


def test_the_database_refuses_plaintext(played: Scenario) -> None:
    step = played.steps["database without TLS"]
    assert step.status != 0
    assert "no encryption" in step.output


def test_a_service_is_ready_when_database_redis_and_broker_answer(played: Scenario) -> None:
    succeeded(played, "wait for the service")
    assert '"checks":{"database":"ok","redis":"ok","rabbitmq":"ok"}' in played.steps["ready"].output


def test_rows_are_really_written_and_read(played: Scenario) -> None:
    assert '"code":"carmen@san-pablo"' in played.steps["rows"].output
    assert played.steps["write"].output.startswith("200 ")
    assert '"attributes":{"grams":750}' in played.steps["read"].output


def test_requests_are_counted_by_route(played: Scenario) -> None:
    assert 'http_requests_total{method="GET",route="/items/{kind}/{code:path}"' in played.steps["metrics"].output


def test_the_gateway_leads_to_services_and_to_the_page(played: Scenario) -> None:
    succeeded(played, "wait for the gateway")
    through, page = played.steps["through the gateway"].output, played.steps["page"].output
    assert '"attributes":{"grams":750}' in through
    assert "<title>Bakery IA</title>" in page
    assert all("x-content-type-options: nosniff" in output for output in (through, page))


def test_the_gateway_lets_nobody_choose_the_host(played: Scenario) -> None:
    assert played.steps["no such service"].output.startswith("404 ")


def test_without_redis_a_service_is_alive_and_says_what_it_lacks(played: Scenario) -> None:
    ready = played.steps["ready without redis"].output
    assert ready.startswith("503 ")
    assert '"failing":{"redis":"' in ready
    assert '"database":"ok"' in ready
    assert played.steps["alive without redis"].output.startswith("200 ")


def test_a_service_finds_a_restarted_redis_by_itself(played: Scenario) -> None:
    assert played.steps["ready with redis again"].output.startswith("200 ")


def test_without_its_database_a_service_answers_503_and_recovers(played: Scenario) -> None:
    assert '"failing":{"database":"' in played.steps["ready without the database"].output
    assert played.steps["rows without the database"].output.startswith('503 {"detail":"database: ')
    assert '"attributes":{"grams":750}' in played.steps["rows with the database again"].output


def test_sigterm_ends_a_service_and_the_gateway_in_good_order(played: Scenario) -> None:
    succeeded(played, "the service ends", "the gateway ends")


def test_no_password_reaches_a_log(played: Scenario) -> None:
    everything = [*played.logs.values(), *(step.output for step in played.steps.values())]
    assert not [text for text in everything if "secret-of-" in text]

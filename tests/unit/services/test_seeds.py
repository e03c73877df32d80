import json
from pathlib import Path

import pytest
from bakery_service.seeds import SEEDS
from bakery_service.seeds.row import day, spread

from tests.unit.services.conftest import SERVICES

MANIFESTS = SERVICES.parent / "k8s" / "base" / "seeds"


def seeds_in_manifests() -> dict[str, str]:
    """Name as the Job's command says it -> the label that names its owner."""
    found = {}
    for path in sorted(MANIFESTS.glob("*.yaml")):
        text = path.read_text()
        for words in ("bakery-service, seed, ", "bakery-service, init, "):
            if words in text:
                name = text.split(words)[1].split("]")[0]
                found[name] = text.split("bakery-ia.dev/data-owner: ")[1].split("\n")[0].strip()
    return found


def test_the_seeds_are_those_the_manifests_run_with_the_same_owners() -> None:
    assert seeds_in_manifests() == {name: seed.owner for name, seed in SEEDS.items()}


@pytest.mark.parametrize("name", sorted(SEEDS))
def test_a_seed_has_rows_with_codes_of_their_own(name: str) -> None:
    rows = SEEDS[name].rows()
    assert rows
    assert len({row.code for row in rows}) == len(rows)
    assert all(row.name for row in rows)


@pytest.mark.parametrize("name", sorted(SEEDS))
def test_a_seed_writes_the_same_rows_each_time(name: str) -> None:
    first, second = (json.dumps(SEEDS[name].rows()) for _ in range(2))
    assert first == second


def codes(name: str) -> set[str]:
    return {row.code for row in SEEDS[name].rows()}


def test_rows_point_at_rows_that_exist() -> None:
    products, ingredients = codes("recipes"), codes("inventory")
    for row in SEEDS["orders"].rows():
        assert row.attributes["customer"] in codes("customers")
        assert {line["product"] for line in row.attributes["lines"]} <= products
    for row in SEEDS["recipes"].rows():
        assert {part["ingredient"] for part in row.attributes["ingredients"]} <= ingredients
    for row in SEEDS["purchase-orders"].rows():
        assert row.attributes["supplier"] in codes("suppliers")
    for row in SEEDS["tenant-members"].rows():
        assert row.attributes["user"] in codes("users")
        assert row.attributes["tenant"] in codes("tenants")


def test_an_order_costs_what_its_lines_cost() -> None:
    for row in SEEDS["orders"].rows():
        lines = row.attributes["lines"]
        assert row.attributes["total_cents"] == sum(line["pieces"] * line["price_cents"] for line in lines)


@pytest.mark.parametrize(
    ("number", "date"), [(0, "2025-01-01"), (31, "2025-02-01"), (364, "2025-12-31"), (365, "2025-01-01")]
)
def test_the_demo_year_has_a_calendar(number: int, date: str) -> None:
    assert day(number) == date


def test_numbers_that_look_arbitrary_stay_within_their_bounds_and_reach_both() -> None:
    drawn = {spread(seed, 1, 6) for seed in range(100)}
    assert drawn == {1, 2, 3, 4, 5, 6}


def test_the_page_lists_the_services_that_the_manifests_run() -> None:
    listed = json.loads((SERVICES / "frontend" / "static" / "services.json").read_text())
    services = SERVICES.parent / "k8s" / "base" / "services"
    assert listed == sorted(path.parent.name for path in services.glob("*/kustomization.yaml") if is_service(path))


def is_service(kustomization: Path) -> bool:
    return "templates/service" in kustomization.read_text()

"""Ingredients and stock of inventory, recipes, suppliers, and what production keeps."""

from __future__ import annotations

from bakery_service.seeds.row import Row, day, spread

INGREDIENTS = (
    ("wheat-flour", "Wheat flour T55", "kg", 62),
    ("rye-flour", "Rye flour", "kg", 95),
    ("water", "Water", "l", 1),
    ("salt", "Sea salt", "kg", 40),
    ("yeast", "Fresh yeast", "kg", 310),
    ("butter", "Butter 82 %", "kg", 680),
    ("milk", "Whole milk", "l", 85),
    ("eggs", "Eggs", "piece", 18),
    ("sugar", "Sugar", "kg", 90),
    ("chocolate", "Dark chocolate 64 %", "kg", 940),
    ("almonds", "Ground almonds", "kg", 870),
    ("olive-oil", "Olive oil", "l", 720),
)
PRODUCTS = (
    ("baguette", "Baguette", 110, ("wheat-flour", "water", "salt", "yeast")),
    ("rye-loaf", "Rye loaf", 340, ("rye-flour", "wheat-flour", "water", "salt")),
    ("croissant", "Croissant", 160, ("wheat-flour", "butter", "milk", "yeast", "sugar")),
    ("napolitana", "Chocolate napolitana", 180, ("wheat-flour", "butter", "chocolate", "sugar")),
    ("ensaimada", "Ensaimada", 220, ("wheat-flour", "sugar", "eggs", "butter")),
    ("almond-cake", "Almond cake", 1450, ("almonds", "eggs", "sugar")),
    ("focaccia", "Focaccia", 420, ("wheat-flour", "olive-oil", "salt", "yeast")),
)
SUPPLIERS = (
    ("molinos-del-sur", "Molinos del Sur", ("wheat-flour", "rye-flour")),
    ("lacteos-norte", "Lácteos del Norte", ("butter", "milk", "eggs")),
    ("dulce-origen", "Dulce Origen", ("sugar", "chocolate", "almonds")),
    ("aceites-jaen", "Aceites de Jaén", ("olive-oil", "salt")),
)


def inventory() -> list[Row]:
    return [
        Row(code, name, {"unit": unit, "cost_cents": cents, "reorder_at": spread(position, 10, 40)})
        for position, (code, name, unit, cents) in enumerate(INGREDIENTS)
    ]


def stock() -> list[Row]:
    return [
        Row(
            f"{code}/{batch}",
            f"{name}, batch {batch}",
            {
                "ingredient": code,
                "quantity": spread(position * 7 + batch, 20, 200),
                "unit": unit,
                "expires": day(150 + spread(position + batch * 31, 5, 180)),
            },
        )
        for position, (code, name, unit, _) in enumerate(INGREDIENTS)
        for batch in (1, 2, 3)
    ]


def recipes() -> list[Row]:
    return [
        Row(
            code,
            name,
            {
                "price_cents": cents,
                "minutes": spread(position, 40, 240),
                "ingredients": [
                    {"ingredient": part, "grams": spread(position * 13 + place, 5, 600)}
                    for place, part in enumerate(parts)
                ],
            },
        )
        for position, (code, name, cents, parts) in enumerate(PRODUCTS)
    ]


def suppliers() -> list[Row]:
    return [
        Row(
            code,
            name,
            {"delivers": list(parts), "lead_days": spread(position, 1, 5), "email": f"orders@{code}.example"},
        )
        for position, (code, name, parts) in enumerate(SUPPLIERS)
    ]


def quality_templates() -> list[Row]:
    checks = (("crust", "Crust colour"), ("core", "Core temperature"), ("weight", "Weight"), ("taste", "Taste panel"))
    return [
        Row(code, name, {"stage": "after baking", "minimum_score": spread(position, 6, 8), "of": 10})
        for position, (code, name) in enumerate(checks)
    ]


def equipment() -> list[Row]:
    machines = (
        ("oven-1", "Deck oven"),
        ("oven-2", "Convection oven"),
        ("mixer-1", "Spiral mixer"),
        ("proofer-1", "Proofer"),
    )
    return [
        Row(code, name, {"capacity_pieces": spread(position, 60, 240), "serviced": day(20 + position * 11)})
        for position, (code, name) in enumerate(machines)
    ]


def production_batches() -> list[Row]:
    return [
        Row(
            f"{day(date)}/{code}",
            f"{name} of {day(date)}",
            {
                "recipe": code,
                "day": day(date),
                "pieces": spread(date * 17 + position, 40, 220),
                "oven": f"oven-{1 + position % 2}",
            },
        )
        for date in range(150, 164)
        for position, (code, name, *_) in enumerate(PRODUCTS)
    ]

"""Customers and orders, sales history, forecasts, points of sale, and purchase orders."""

from __future__ import annotations

from bakery_service.seeds.kitchen import INGREDIENTS, PRODUCTS, SUPPLIERS
from bakery_service.seeds.people import BAKERIES
from bakery_service.seeds.row import Row, day, spread

_CUSTOMERS = (
    ("cafe-central", "Café Central"),
    ("hotel-miramar", "Hotel Miramar"),
    ("colegio-lorca", "Colegio Lorca"),
    ("bar-el-puente", "Bar El Puente"),
    ("mercado-triana", "Mercado de Triana"),
    ("oficinas-norte", "Oficinas Norte"),
)
# Saturday sells best, Monday least; 2025-01-01 was a Wednesday.
_WEEK = (100, 104, 125, 150, 130, 75, 90)


def customers() -> list[Row]:
    return [
        Row(code, name, {"tenant": BAKERIES[position % len(BAKERIES)][0], "pays_within_days": spread(position, 7, 30)})
        for position, (code, name) in enumerate(_CUSTOMERS)
    ]


def orders() -> list[Row]:
    return [_order(number) for number in range(1, 61)]


def _order(number: int) -> Row:
    customer, name = _CUSTOMERS[spread(number, 0, len(_CUSTOMERS) - 1)]
    lines = [PRODUCTS[(number + step) % len(PRODUCTS)] for step in range(spread(number + 99, 1, 4))]
    pieces = [spread(number * 5 + place, 5, 60) for place in range(len(lines))]
    priced = [
        {"product": code, "pieces": count, "price_cents": cents}
        for (code, _, cents, _parts), count in zip(lines, pieces, strict=True)
    ]
    total = sum(cents * count for (_, _, cents, _parts), count in zip(lines, pieces, strict=True))
    attributes = {"customer": customer, "day": day(140 + number // 4), "lines": priced, "total_cents": total}
    return Row(f"order-{number:04d}", f"Order {number} of {name}", attributes)


def sales_history() -> list[Row]:
    return [
        Row(
            f"{day(date)}/{code}",
            f"{name} sold on {day(date)}",
            {
                "product": code,
                "day": day(date),
                "pieces": _demand(date, position),
                "revenue_cents": _demand(date, position) * cents,
            },
        )
        for date in range(90, 150)
        for position, (code, name, cents, _) in enumerate(PRODUCTS)
    ]


def forecasts() -> list[Row]:
    return [
        Row(
            f"{day(date)}/{code}",
            f"{name} expected on {day(date)}",
            {
                "product": code,
                "day": day(date),
                "pieces": _demand(date, position),
                "low": _demand(date, position) * 8 // 10,
            },
        )
        for date in range(150, 164)
        for position, (code, name, *_) in enumerate(PRODUCTS)
    ]


def _demand(date: int, product: int) -> int:
    return spread(date * 11 + product, 80, 120) * _WEEK[date % 7] // 100


def pos_configs() -> list[Row]:
    return [
        Row(
            f"{bakery}/till-{till}",
            f"Till {till} of {title}",
            {"tenant": bakery, "provider": "demo", "sync_minutes": 15},
        )
        for bakery, title, *_ in BAKERIES
        for till in (1, 2)
    ]


def purchase_orders() -> list[Row]:
    costs = {code: cents for code, _, _, cents in INGREDIENTS}
    return [
        Row(
            f"purchase-{number:03d}",
            f"Purchase {number} from {SUPPLIERS[number % len(SUPPLIERS)][1]}",
            {
                "supplier": SUPPLIERS[number % len(SUPPLIERS)][0],
                "day": day(130 + number),
                "lines": [
                    {"ingredient": part, "quantity": spread(number * 3 + place, 10, 80), "cost_cents": costs[part]}
                    for place, part in enumerate(SUPPLIERS[number % len(SUPPLIERS)][2])
                ],
            },
        )
        for number in range(1, 21)
    ]

"""Trained models of training, alerts of alert-processor, runs of orchestrator."""

from __future__ import annotations

from bakery_service.seeds.kitchen import INGREDIENTS, PRODUCTS
from bakery_service.seeds.row import Row, day, spread


def ai_models() -> list[Row]:
    return [
        Row(
            f"demand/{code}",
            f"Demand of {name}",
            {"algorithm": "seasonal naive", "trained": day(149), "error_percent": spread(position, 6, 18)},
        )
        for position, (code, name, *_) in enumerate(PRODUCTS)
    ]


def alerts() -> list[Row]:
    return [
        Row(
            f"low-stock/{code}",
            f"{name} is running low",
            {
                "severity": ("info", "warning", "critical")[spread(position, 0, 2)],
                "ingredient": code,
                "day": day(150 + position),
            },
        )
        for position, (code, name, *_) in enumerate(INGREDIENTS)
    ]


def orchestration_runs() -> list[Row]:
    steps = ["forecast", "plan production", "reorder ingredients"]
    return [
        Row(
            f"run-{day(date)}",
            f"Nightly run of {day(date)}",
            {"steps": steps, "seconds": spread(date, 20, 90), "outcome": "done"},
        )
        for date in range(150, 164)
    ]

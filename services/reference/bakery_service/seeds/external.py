"""Reference data of the external service: the cities served, their holidays and their usual weather."""

from __future__ import annotations

from bakery_service.seeds.row import Row, day, spread

_CITIES = (
    ("madrid", "Madrid", 40.4168, -3.7038),
    ("sevilla", "Sevilla", 37.3891, -5.9845),
    ("valencia", "Valencia", 39.4699, -0.3763),
)
_HOLIDAYS = (
    (0, "New Year"),
    (5, "Epiphany"),
    (107, "Good Friday"),
    (120, "Labour Day"),
    (226, "Assumption"),
    (358, "Christmas"),
)


def external_data() -> list[Row]:
    cities = [
        Row(f"city/{code}", name, {"latitude": latitude, "longitude": longitude})
        for code, name, latitude, longitude in _CITIES
    ]
    holidays = [
        Row(f"holiday/{day(number)}", name, {"day": day(number), "country": "ES"}) for number, name in _HOLIDAYS
    ]
    weather = [
        Row(
            f"weather/{code}/{month:02d}",
            f"{name} in month {month}",
            {
                "celsius": spread(position * 12 + month, -2, 4) + 8 + 3 * min(month, 13 - month),
                "rainy_days": spread(month, 2, 10),
            },
        )
        for position, (code, name, *_) in enumerate(_CITIES)
        for month in range(1, 13)
    ]
    return cities + holidays + weather

"""Users of auth; tenants, their members and subscriptions of tenant."""

from __future__ import annotations

from bakery_service.seeds.row import Row, day

BAKERIES = (
    ("san-pablo", "Panadería San Pablo", "Madrid", "professional"),
    ("la-espiga", "La Espiga", "Sevilla", "starter"),
    ("horno-viejo", "Horno Viejo", "Valencia", "enterprise"),
)
_PEOPLE = (
    ("carmen", "Carmen Rodríguez", "owner"),
    ("luis", "Luis Herrera", "baker"),
    ("ana", "Ana Molina", "sales"),
    ("javier", "Javier Ortega", "procurement"),
)


def users() -> list[Row]:
    return [
        Row(f"{person}@{bakery}", name, {"email": f"{person}@{bakery}.example", "role": role, "active": True})
        for bakery, *_ in BAKERIES
        for person, name, role in _PEOPLE
    ]


def tenants() -> list[Row]:
    return [
        Row(code, name, {"city": city, "currency": "EUR", "timezone": "Europe/Madrid"})
        for code, name, city, _ in BAKERIES
    ]


def tenant_members() -> list[Row]:
    return [
        Row(f"{bakery}/{person}", f"{name} at {title}", {"tenant": bakery, "user": f"{person}@{bakery}", "role": role})
        for bakery, title, *_ in BAKERIES
        for person, name, role in _PEOPLE
    ]


def subscriptions() -> list[Row]:
    return [
        Row(code, f"{plan} plan of {name}", {"tenant": code, "plan": plan, "since": day(0), "renews": day(364)})
        for code, name, _, plan in BAKERIES
    ]

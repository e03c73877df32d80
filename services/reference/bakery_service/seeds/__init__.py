"""The demo data: for every seed the service that owns it, and its rows.

Law: pure and deterministic. No clock, no random numbers: two runs on two machines write the same rows, so that a
redeploy finds nothing to change. Codes are stable, for rows of one service point at rows of another by code.
"""

from __future__ import annotations

from bakery_service.seeds.commerce import customers, forecasts, orders, pos_configs, purchase_orders, sales_history
from bakery_service.seeds.external import external_data
from bakery_service.seeds.insight import ai_models, alerts, orchestration_runs
from bakery_service.seeds.kitchen import (
    equipment,
    inventory,
    production_batches,
    quality_templates,
    recipes,
    stock,
    suppliers,
)
from bakery_service.seeds.people import subscriptions, tenant_members, tenants, users
from bakery_service.seeds.row import Row, Seed

__all__ = ["SEEDS", "Row", "Seed"]

SEEDS = {
    "users": Seed("auth", users),
    "tenants": Seed("tenant", tenants),
    "tenant-members": Seed("tenant", tenant_members),
    "subscriptions": Seed("tenant", subscriptions),
    "inventory": Seed("inventory", inventory),
    "stock": Seed("inventory", stock),
    "recipes": Seed("recipes", recipes),
    "suppliers": Seed("suppliers", suppliers),
    "purchase-orders": Seed("procurement", purchase_orders),
    "quality-templates": Seed("production", quality_templates),
    "equipment": Seed("production", equipment),
    "production-batches": Seed("production", production_batches),
    "customers": Seed("orders", customers),
    "orders": Seed("orders", orders),
    "sales-history": Seed("sales", sales_history),
    "forecasts": Seed("forecasting", forecasts),
    "pos-configs": Seed("pos", pos_configs),
    "ai-models": Seed("training", ai_models),
    "alerts": Seed("alert-processor", alerts),
    "orchestration-runs": Seed("orchestrator", orchestration_runs),
    "external-data": Seed("external", external_data),
}

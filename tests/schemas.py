"""The published schemas, made from the types. `python -m tests.schemas` writes them anew."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import msgspec

from bakery_ops.report import events, schema

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "schemas"
PUBLISHED = {
    "deploy-report.json": schema.Deploy,
    "deploy-event.json": events.AnyLine,
    "removal-report.json": schema.Removal,
}


def made(name: str) -> dict[str, Any]:
    """One schema as its file holds it. Docstrings are indented in one Python and not in the next."""

    def tidy(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: inspect.cleandoc(one) if key == "description" else tidy(one) for key, one in value.items()}
        return [tidy(one) for one in value] if isinstance(value, list | tuple) else value

    whole: dict[str, Any] = tidy(msgspec.json.schema(PUBLISHED[name]))
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **whole}


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name in PUBLISHED:
        (FOLDER / name).write_text(json.dumps(made(name), indent=1) + "\n")

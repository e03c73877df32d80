"""The platform with more services than it has: every service's objects again, under new names.

python -m benchmarks.platforms --services 54 --to FOLDER
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from bakery_ops.model.contract import COMPONENT, NAME
from bakery_ops.tools.kustomize import render_overlay
from benchmarks.workloads import Workload, names_of

OVERLAY = Path(__file__).resolve().parents[1] / "k8s/overlays/sandbox"
NAMESPACE = "bakery-ia"

Document = Mapping[str, Any]


def write(folder: Path, services: int) -> Workload:
    """The sandbox overlay with `services` services, a multiple of those it has, as one file in `folder`."""
    documents = [document for document in yaml.load_all(render_overlay(OVERLAY), yaml.CSafeLoader) if document]
    known = sorted({_name(one) for one in documents if _label(one, COMPONENT) == "microservice"})
    copies, rest = divmod(services, len(known))
    if rest or not copies:
        raise ValueError(f"{services} services: the platform has {len(known)}, and is multiplied as a whole")
    owned = [one for one in documents if _name(one) in known]
    more = [_renamed(one, number) for number in range(2, copies + 1) for one in owned]
    folder.mkdir(parents=True)
    text = yaml.dump_all([*documents, *more], Dumper=yaml.CSafeDumper, sort_keys=False)
    (folder / "platform.yaml").write_text(text)
    return Workload(folder, NAMESPACE, names_of([*documents, *more]))


def _renamed(document: Document, number: int) -> Document:
    """The object with its service's name changed wherever it stands alone or begins the name of another object."""
    name = re.escape(_name(document))
    pattern = re.compile(rf'(?<![\w-]){name}(?=-(?:service|db|migration|data-clients)\b|")')
    return dict(json.loads(pattern.sub(f"{_name(document)}-{number}", json.dumps(document))))


def _label(document: Document, key: str) -> str:
    return str((document["metadata"].get("labels") or {}).get(key, ""))


def _name(document: Document) -> str:
    return _label(document, NAME)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--services", type=int, required=True)
    parser.add_argument("--to", type=Path, required=True)
    options = parser.parse_args()
    print(f"{len(write(options.to, options.services).names)} objects in {options.to}")


if __name__ == "__main__":
    main()

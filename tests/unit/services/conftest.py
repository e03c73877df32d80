"""The reference service's pure modules are importable with the standard library alone; this puts them on the path."""

import sys
from pathlib import Path

SERVICES = Path(__file__).resolve().parents[3] / "services"

sys.path.insert(0, str(SERVICES / "reference"))

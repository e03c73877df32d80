"""The forms a report can be written in: one file per format, each a function from the document to its text."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bakery_ops.report import schema
from bakery_ops.report.formats.html import html
from bakery_ops.report.formats.junit import junit
from bakery_ops.report.formats.markdown import markdown
from bakery_ops.report.formats.svg import svg

Format = Callable[[schema.Deploy], str]

FORMATS: Mapping[str, Format] = {
    "json": schema.encode,
    "junit": junit,
    "html": html,
    "svg": svg,
    "markdown": markdown,
}

"""Every format is well-formed, says the same facts, and shows a cluster's text without ever obeying it."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser

import pytest

from bakery_ops.report.formats import FORMATS
from bakery_ops.report.formats.github import defused, github, github_checks
from bakery_ops.report.formats.html import html
from bakery_ops.report.formats.junit import junit
from bakery_ops.report.formats.markdown import markdown
from bakery_ops.report.formats.svg import svg
from bakery_ops.report.schema import Cause, Check, Deploy
from tests.reports import HOSTILE, deployed, hostile
from tests.simulation import CRASH, Behaviour

SVG = "{http://www.w3.org/2000/svg}"
LEADING = re.compile(r"^\s*::", re.MULTILINE)


def parsed(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text)  # noqa: S314 it is our own


@pytest.fixture(scope="module")
def good() -> Deploy:
    return deployed({"db": Behaviour(start=7.0)}).document


@pytest.fixture(scope="module")
def bad() -> Deploy:
    return deployed({"web": Behaviour(fault=CRASH)}).document


@pytest.mark.parametrize("name", FORMATS)
def test_no_control_byte_of_a_cluster_gets_into_any_format(name):
    """Faults B55."""
    text = FORMATS[name](hostile())
    assert [character for character in text if not character.isprintable() and character != "\n"] == []


class Page(HTMLParser):
    """What a browser would see: the elements, their attributes, the text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes += attributes

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_shows_scripts_and_markup_as_text():
    page = Page(html(hostile()))
    assert "script" not in page.elements
    assert "<script>alert('x')</script>[/bold]" in page.text
    assert "\\x1b[31m" in page.text


def test_the_page_needs_nothing_outside_itself(bad):
    page = Page(html(bad))
    assert {"script", "link", "img", "iframe", "object"} & set(page.elements) == set()
    assert [name for name, _ in page.attributes if name.startswith("on") or name in ("href", "src")] == []
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'") in page.attributes
    assert re.findall(r"url\(|@import", html(bad)) == []


def test_the_page_tells_outcome_first_then_cause_then_where_the_time_went(bad):
    text = Page(html(bad)).text
    places = [text.index(word) for word in ("deploy failed after", "web is down", "it broke", "Timeline", "Slowest")]
    assert places == sorted(places)
    assert bad.causes[0].next in text
    assert "12 ms" in text


def test_the_timeline_has_a_bar_per_workload_and_marks_the_longest_path(good):
    root = parsed(svg(good))
    rows = {group.findtext(f"{SVG}text"): group for group in root.iter(f"{SVG}g")}
    assert set(rows) == {"redis", "db", "migration", "web", "seed"}
    assert {name for name, group in rows.items() if group.get("class") == "long"} == {"db", "migration", "web", "seed"}
    assert len(root.findall(f".//{SVG}path[@class='link']")) == 3


def test_bars_are_drawn_to_scale_and_inside_the_picture(good):
    root = parsed(svg(good))
    width = float(root.get("width", "0"))
    spans = {}
    for group in root.iter(f"{SVG}g"):
        boxes = [(float(box.get("x", "0")), float(box.get("width", "0"))) for box in group.findall(f"{SVG}rect")]
        spans[group.findtext(f"{SVG}text")] = (boxes[0][0], sum(boxes[-1]))
    scale = {node.name: (node.sent_at, node.ready_at) for node in good.nodes}
    per_second = (spans["seed"][1] - spans["db"][0]) / (scale["seed"][1] - scale["db"][0])
    for name, (begin, end) in spans.items():
        assert 0 <= begin <= end <= width
        assert end - begin == pytest.approx((scale[name][1] - scale[name][0]) * per_second, abs=1.0)


def test_a_timeline_of_nothing_says_so():
    assert "no workload was written" in svg(with_causes())


def test_a_failed_workload_is_drawn_to_the_end_of_the_rollout(bad):
    root = parsed(svg(bad))
    broken = [group for group in root.iter(f"{SVG}g") if group.get("class") == "bad"]
    assert [group.findtext(f"{SVG}text") for group in broken] == ["web"]


def test_junit_counts_cases_failures_and_skips(bad):
    root = parsed(junit(bad))
    cases = {case.get("name"): case for case in root.iter("testcase")}
    assert (root.get("tests"), root.get("failures")) == ("5", "1")
    assert cases["web"].find("failure").get("message").startswith("web is down: CrashLoopBackOff")
    assert "it broke" in cases["web"].find("failure").text
    assert cases["seed"].find("skipped").get("message").startswith("web is down")
    assert list(cases["db"]) == []


def test_junit_of_hostile_text_is_read_back_as_that_text():
    root = parsed(junit(hostile()))
    failure = root.find(".//testcase/failure")
    assert failure.get("message") == hostile().causes[0].sentence.translate(
        {0x1B: "\\x1b", 0x0D: "\\x0d", 0x0A: "\\x0a", 0x9B: "\\x9b", 0x202E: "\\x202e"}
    )


def test_markdown_cannot_be_left_by_what_is_in_it():
    text = markdown(hostile())
    outside = re.sub(r"^(`{3,})text\n.*?^\1$", "", text, flags=re.MULTILINE | re.DOTALL)
    assert "<script>" not in outside.replace("\\<script\\>", "")
    cells = [line for line in outside.splitlines() if line.startswith("| ") and "alert" in line]
    assert cells
    assert all(len(re.findall(r"(?<!\\)\|", line)) in (4, 7) for line in cells)


def test_a_code_block_is_fenced_longer_than_any_row_of_backticks_in_it():
    log = hostile("````` not the end")
    assert "``````text\n````` not the end\n````` not the end\n``````" in markdown(log)


def test_github_annotates_a_cause_at_its_file_and_line():
    told = github(with_causes(down("web is down: 100%", source="a,b/c.yaml:7")))
    assert "::error file=o/a%2Cb/c.yaml,line=7,title=web is down::web is down: 100%25%0Anext: go" in told.splitlines()


def test_github_leaves_the_place_out_where_no_file_is_known():
    told = github(with_causes(down("web is down", source="sandbox:7")))
    assert "::error title=web is down::web is down%0Anext: go" in told.splitlines()


def down(sentence: str, node: str = "web", state: str = "is down", source: str = "") -> Cause:
    return Cause(sentence=sentence, node=node, state=state, reason="", message="", source=source, next="go")


def with_causes(*causes: Cause) -> Deploy:
    return Deploy(
        run="r", profile="p", overlay="o", context="c", outcome="failed", headline="h", total_seconds=1.0, causes=causes
    )


def test_no_text_of_a_cluster_can_give_the_runner_an_order():
    """Only our own orders begin a line, and the older form is nowhere."""
    for text in (
        HOSTILE,
        "::add-mask::x",
        " \t::warning::x",
        "##[command]rm",
        "a\n::stop-commands::x",
        "x\r::error::y",
    ):
        told = github(hostile(text))
        orders = {line.split("::")[1].split(" ")[0] for line in told.splitlines() if line.lstrip().startswith("::")}
        assert orders == {"error", "warning", "group", "endgroup"}
        assert "##[" not in told


def test_properties_of_an_order_cannot_be_left():
    told = github(with_causes(down("s", node="web,line=1::x", state="is\ndown")))
    assert "::error title=web%2Cline=1%3A%3Ax is\\x0adown::s%0Anext: go" in told.splitlines()


def test_a_progress_line_of_github_is_defused():
    assert defused("##[error]x\r::y") == "##\\x5berror]x\\x0d::y"


def test_github_tells_a_failed_check_and_groups_them_all():
    told = github_checks(
        [Check(name="health", state="failed", message="17 of 18"), Check(name="x", state="passed", message="y")]
    )
    assert told.splitlines()[0] == "::error title=check health::17 of 18"
    assert LEADING.findall(told) == ["::", "::", "::"]


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_tells_the_outcome_and_the_cause(name, bad):
    text = FORMATS[name](bad)
    assert name == "junit" or "failed" in text
    if name != "svg":
        assert "web is down: CrashLoopBackOff" in text.replace("\\", "")

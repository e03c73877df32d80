"""The real kubeconform and kube-score over every overlay; exceptions are the table of docs/manifest-exceptions.md."""

import fnmatch
import functools
import json
import re
from pathlib import Path

import kubernetes_validate
import pytest

from bakery_ops.sandbox.binaries import build_tool
from bakery_ops.tools import process
from tests.manifests.rendered import REPOSITORY

KUBERNETES = "1.36"
SCHEMAS = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema" / f"v{KUBERNETES}.0-local-strict"
ROW = re.compile(r"^\| ([a-z-]+) \| `([^`]+)` \| (.+) \|$", re.MULTILINE)
EXCEPTIONS = ROW.findall((REPOSITORY / "docs" / "manifest-exceptions.md").read_text())

pytestmark = pytest.mark.timeout(600)  # the first run builds the tools


@pytest.fixture(scope="module")
def schemas(tmp_path_factory):
    """The schemas of `kubernetes-validate` without their `$id`: kubeconform would fetch that address."""
    room = tmp_path_factory.mktemp("schemas")
    for source in SCHEMAS.glob("*.json"):
        schema = json.loads(source.read_text().replace("/api/_definitions.json", "_definitions.json"))
        (room / source.name).write_text(json.dumps({key: value for key, value in schema.items() if key != "$id"}))
    return room


@pytest.fixture(scope="module")
def kubeconform(schemas):
    program = build_tool("kubeconform", repository=REPOSITORY, say=print)
    location = f"{schemas}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json"

    def run(text):
        argv = [program, "-strict", "-output", "json", "-schema-location", location, "-"]
        return json.loads(process.run(argv, stdin=text.encode(), check=False).stdout)["resources"] or []

    return run


@pytest.fixture(scope="module")
def kube_score():
    program = build_tool("kube-score", repository=REPOSITORY, say=print)
    optional = ["--enable-optional-test=container-seccomp-profile", "--enable-optional-test=container-ports-check"]

    @functools.cache
    def run(text):
        argv = [program, "score", "-", "--output-format=json", f"--kubernetes-version=v{KUBERNETES}", *optional]
        objects = json.loads(process.run(argv, stdin=text.encode(), check=False).stdout)
        return {
            (check["check"]["id"], f"{each['type_meta']['kind']}/{each['object_meta']['name']}")
            for each in objects
            for check in each["checks"]
            if check["grade"] < 10 and not check["skipped"]
        }

    return run


def excused(finding):
    return {row for row in EXCEPTIONS if row[0] == finding[0] and fnmatch.fnmatch(finding[1], row[1])}


def test_every_object_follows_its_schema_strictly(kubeconform, every):
    assert kubeconform(every.text) == []


def test_a_misspelt_field_is_found(kubeconform, dev):
    findings = kubeconform(dev.text.replace("readinessProbe:", "readynessProbe:", 1))
    assert len(findings) == 1
    assert "readynessProbe" in findings[0]["msg"]


def test_kube_score_finds_only_what_is_excused(kube_score, every):
    assert sorted(finding for finding in kube_score(every.text) if not excused(finding)) == []


def test_every_exception_is_still_needed_and_says_why(kube_score, prod, monitoring):
    used = {row for rendered in (prod, monitoring) for finding in kube_score(rendered.text) for row in excused(finding)}
    assert set(EXCEPTIONS) - used == set()
    assert all(len(reason) > 30 for _, _, reason in EXCEPTIONS)


def test_kube_score_would_see_a_container_that_may_write_its_root(kube_score, dev):
    text = dev.text.replace("readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", 1)
    assert [finding for finding in kube_score(text) if not excused(finding)]

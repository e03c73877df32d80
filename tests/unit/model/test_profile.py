"""Profiles are read from a table, the environment and defaults, and every problem is reported at once."""

import pytest

from bakery_ops.errors import UsageError
from bakery_ops.model.profile import configuration, duration, namespace

TABLE = {"default-profile": "dev", "profiles": {"dev": {"overlay": "k8s/overlays/dev", "contexts": ["kind-*"]}}}


def test_a_profile_takes_what_the_file_says_and_defaults_for_the_rest():
    profile = configuration(TABLE, {}, source="bakery.toml").profile(None)
    assert (profile.name, profile.overlay) == ("dev", "k8s/overlays/dev")
    assert (profile.namespace, profile.deadline, profile.no_progress) == ("bakery-ia", 600, 240)


def test_the_environment_wins_over_the_file_and_says_so():
    read = configuration(TABLE, {"BAKERY_NAMESPACE": "other", "BAKERY_NO_PROGRESS": "1m"}, source="bakery.toml")
    assert (read.profile("dev").namespace, read.profile("dev").no_progress) == ("other", 60)
    assert ("dev", "namespace", "other", "environment BAKERY_NAMESPACE") in read.origins


def test_a_value_of_the_file_says_on_which_line_it_stands():
    lines = {("profiles.dev", "overlay"): 7, ("", "default-profile"): 2}
    read = configuration(TABLE, {}, source="bakery.toml", lines=lines)
    origins = {key: origin for _, key, _, origin in read.origins}
    assert (origins["overlay"], origins["contexts"], origins["deadline"]) == ("bakery.toml:7", "bakery.toml", "default")
    assert read.default_origin == "bakery.toml:2"


def test_a_bad_variable_is_told_once_and_not_as_a_problem_of_the_file():
    table = {"profiles": {"dev": {"overlay": "x"}, "prod": {"overlay": "y"}}}
    with pytest.raises(UsageError, match="1 problem in the environment") as caught:
        configuration(table, {"BAKERY_DEADLINE": "soon"}, source="bakery.toml")
    assert list(caught.value.details) == ["environment BAKERY_DEADLINE: 'soon' is not a duration like 90s or 10m"]


def test_who_chose_the_profile_is_known():
    assert configuration(TABLE, {"BAKERY_PROFILE": "dev"}, source="x").default_origin == "environment BAKERY_PROFILE"
    first = configuration({"profiles": TABLE["profiles"]}, {}, source="x")
    assert (first.default_profile, first.default_origin) == ("dev", "the first one")


def test_values_are_shown_as_they_would_be_written():
    table = {"profiles": {"dev": {**TABLE["profiles"]["dev"], "deadline": "90s"}}}
    shown = {key: value for _, key, value, _ in configuration(table, {}, source="bakery.toml").origins}
    assert (shown["deadline"], shown["no-progress"], shown["protected"]) == ("90s", "4m", "false")
    assert shown["contexts"] == "kind-*"


@pytest.mark.parametrize("variable", ["BAKERY_CONTEXTS", "BAKERY_CLUSTER", "BAKERY_PROTECTED"])
def test_the_environment_cannot_widen_what_a_profile_accepts(variable):
    with pytest.raises(UsageError) as caught:
        configuration(TABLE, {variable: "*"}, source="bakery.toml")
    assert list(caught.value.details) == [f"environment {variable}: guards a target, so it is read from the file alone"]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("BAKERY_NAMESPCE", "BAKERY_NAMESPACE"),
        ("BAKERY_PROFIL", "BAKERY_PROFILE"),
        ("BAKERY_NOPROGRESS", "BAKERY_NO_PROGRESS"),
        ("BAKERY_CONTEXT", "BAKERY_CONTEXTS"),
        ("BAKERY_LOCK_SECOND", "BAKERY_LOCK_SECONDS"),
    ],
)
def test_a_misspelled_variable_is_no_setting_that_is_silently_ignored(typed, meant):
    with pytest.raises(UsageError) as caught:
        configuration(TABLE, {typed: "x"}, source="bakery.toml")
    assert list(caught.value.details) == [f"environment {typed}: unknown; did you mean {meant}?"]


@pytest.mark.parametrize(
    "variable",
    ["BAKERY_RUNS", "BAKERY_SEED", "BAKERY_DEPLOY", "BAKERY_WHOLE_SWEEP", "BAKERY_UPDATE_GOLDEN", "BAKERY_TOKEN",
     "BAKERY_SANDBOX_DIRECTORY", "BAKERY_IA_VERSION", "NAMESPACE"],
)  # fmt: skip
def test_what_is_like_nothing_of_ours_is_somebody_elses(variable):
    assert configuration(TABLE, {variable: "x"}, source="bakery.toml").profile("dev").namespace == "bakery-ia"


def test_an_unknown_profile_names_the_nearest():
    with pytest.raises(UsageError) as caught:
        configuration(TABLE, {}, source="bakery.toml").profile("dve")
    assert "did you mean 'dev'" in caught.value.remedy


@pytest.mark.parametrize("table", [{"profiles": 3}, {"profiles": [{"overlay": "x"}]}, {"profiles": "dev"}])
def test_profiles_that_are_no_tables_with_names_are_refused(table):
    with pytest.raises(UsageError) as caught:
        configuration(table, {}, source="bakery.toml")
    assert "[profiles.prod]" in caught.value.details[0]


def test_every_problem_of_a_file_is_reported_at_once():
    table = {"profile": {}, "profiles": {"dev": {"overley": "x", "deadline": "soon", "images": "podman"}}}
    with pytest.raises(UsageError) as caught:
        configuration(table, {}, source="bakery.toml")
    report = "\n".join(caught.value.details)
    for fragment in ("did you mean 'profiles'", "did you mean 'overlay'", "'soon'", "'podman'", "'overlay' is missing"):
        assert fragment in report


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("10m", 600), ("1h30m", 5400)])
def test_durations_are_read(text, seconds):
    assert duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "0", "-5", "10 m", "m", "1d", "ten", "1h30", "²", "９０", "9" * 400, "9" * 5000 + "s"]
)
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(UsageError):
        duration(text)


@pytest.mark.parametrize("text", ["Prod", "a_b", "-a", "a-", "x" * 64, "../x", "prod;id", "$(id)", "a\nb", ""])
def test_what_is_no_namespace_name_is_refused(text):
    with pytest.raises(UsageError):
        namespace(text)

"""The line of a key in a TOML file."""

from bakery_ops.model.toml_lines import key_lines

TEXT = """\
# a comment = 1
default-profile = "dev"

[profiles.dev]  # where I work
overlay = "k8s/overlays/dev"
contexts = [
  "kind-*",
]
"quoted" = 1

[profiles."prod"]
overlay = "k8s/overlays/prod"
"""


def test_each_key_is_found_in_its_table():
    assert key_lines(TEXT) == {
        ("", "default-profile"): 2,
        ("profiles.dev", "overlay"): 5,
        ("profiles.dev", "contexts"): 6,
        ("profiles.dev", "quoted"): 9,
        ("profiles.prod", "overlay"): 12,
    }


def test_nothing_is_found_in_nothing():
    assert key_lines("") == {}

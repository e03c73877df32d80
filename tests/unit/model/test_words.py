"""What a program said becomes fit to be shown: on one line, without credentials."""

import pytest

from bakery_ops.model.words import one_line


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (
            "pull rate limit as 'someone': dckr_jti_Zm9v.YmFy=. You may increase it",
            "pull rate limit You may increase it",
        ),
        ("pull rate limit\nas 'someone':\n dckr_jti_Zm9v", "pull rate limit"),
        ("Get https://someone:hunter2@registry.example/v2/: EOF", "Get https://***@registry.example/v2/: EOF"),
        ("mail someone@example.org  about\tit", "mail someone@example.org about it"),
    ],
)
def test_credentials_in_a_message_are_not_shown(said, shown):
    assert one_line(said) == shown


def test_a_message_ends_somewhere():
    assert len(one_line("long " * 1000)) == 500

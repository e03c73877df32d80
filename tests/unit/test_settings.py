"""Settings from the environment that are no key of a profile."""

import pytest

from bakery_ops.bootstrap.session import lock_seconds, retry_seconds
from bakery_ops.errors import UsageError


@pytest.mark.parametrize("text", ["", "2", "3601", "-5", "15s", "²", "0000000159999999999", "9" * 5000])
def test_a_number_of_seconds_that_is_none_is_refused(text):
    with pytest.raises(UsageError, match="BAKERY_LOCK_SECONDS"):
        lock_seconds({"BAKERY_LOCK_SECONDS": text})


def test_a_number_of_seconds_is_taken():
    assert (lock_seconds({"BAKERY_LOCK_SECONDS": "3600"}), retry_seconds({})) == (3600, 120)

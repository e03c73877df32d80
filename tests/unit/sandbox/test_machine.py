"""What keeps a real node from running on a machine."""

from __future__ import annotations

import sys

import pytest

from bakery_ops.sandbox import machine


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere another obstacle comes first")
def test_a_machine_for_which_we_make_no_images_is_named() -> None:
    assert machine.obstacles(architecture="aarch64") == [
        "a real node needs x86_64, for which its images are made, and this is aarch64"
    ]

"""Paths as people write them."""

from pathlib import Path

from bakery_ops.errors import UsageError
from bakery_ops.model.words import printable


def expanded(word: str) -> Path:
    """The path with `~` and `~name` as the folders they mean. Raises: UsageError: no home folder is known for it."""
    try:
        return Path(word).expanduser()
    except RuntimeError:
        raise UsageError(f"{printable(word.partition('/')[0])} has no home folder here") from None

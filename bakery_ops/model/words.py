"""Words a user gave, and what others said: the nearest known one for a wrong one, and forms that are safe to echo."""

import difflib
import re
from collections.abc import Iterable

from bakery_ops.errors import UsageError

_ONE_LINE = 500  # characters
_USER_IN_ADDRESS = re.compile(r"//[^/@\s]+@")
# Docker Hub: "... pull rate limit as 'someone': dckr_jti_xxx. You may increase ..."
_RATE_LIMIT_USER = re.compile(r"\s+as\s+'[^']*':\s*[\w=+/.~-]+")
_LISTED = 30
_WITH_MATCH = 20  # with a near match, more names than these only push it off the screen


def nearest(word: str, known: Iterable[str], likeness: float = 0.5) -> str:
    """The known word most like `word`, or "" when none is as like as `likeness` (0 to 1: difflib's ratio)."""
    matches = difflib.get_close_matches(word, sorted(known), n=1, cutoff=likeness)
    return matches[0] if matches else ""


def hint(word: str, known: Iterable[str]) -> str:
    """What to say beside a wrong word: "did you mean 'prod'? known: dev, prod". A long list is cut, or left out."""
    names = sorted(known)
    close = nearest(word, names)
    if close and len(names) > _WITH_MATCH:
        return f"did you mean {close!r}?"
    lead = f"did you mean {close!r}? " if close else ""
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"{lead}known: {', '.join(names[:_LISTED])}{more}"


def unknown(what: str, word: str, known: Iterable[str]) -> UsageError:
    """The error for a name that is not one of `known`."""
    return UsageError(f"unknown {what} {printable(word)!r}", remedy=hint(word, known))


def amount(count: int, noun: str) -> str:
    """A number with its noun: "1 object", "2 objects", "2 Ingresses", "2 NetworkPolicies"."""
    return f"{count} {noun}" if count == 1 else f"{count} {_plural(noun)}"


def _plural(noun: str) -> str:
    if noun.endswith("y") and noun[-2:-1] not in tuple("aeiou"):
        return f"{noun[:-1]}ies"
    return f"{noun}es" if noun.endswith(("s", "x", "ch")) else f"{noun}s"


def printable(word: str, limit: int = 80) -> str:
    """`word` with control characters escaped and cut, safe to echo in an error."""
    shown = "".join(character if character.isprintable() else f"\\x{ord(character):02x}" for character in word)
    return shown if len(shown) <= limit else shown[:limit] + "…"


def without_credentials(text: str) -> str:
    """`text` of a program without the users, passwords and tokens that registries and addresses put into messages."""
    return _RATE_LIMIT_USER.sub("", _USER_IN_ADDRESS.sub("//***@", text))


def one_line(text: str) -> str:
    """What a program said, on one line, without credentials, and not endless."""
    text = without_credentials(" ".join(text.split()))
    return text if len(text) <= _ONE_LINE else text[: _ONE_LINE - 1] + "…"

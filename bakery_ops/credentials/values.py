"""How values are made, and how the servers' user lists are made from them and kept in agreement."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Mapping
from typing import Any

from bakery_ops.credentials.secret import SecretText
from bakery_ops.errors import PreflightRefused

_PASSWORD_BYTES = 32
_SALT = 4
"""Bytes; RabbitMQ documentation, "Password hashing"."""

Random = Callable[[int], bytes]


def password(random: Random = secrets.token_bytes) -> SecretText:
    """43 URL-safe characters from 32 random bytes: none that a DSN, a shell or a config file treats specially."""
    return SecretText(base64.urlsafe_b64encode(random(_PASSWORD_BYTES)).rstrip(b"=").decode())


# ---- Redis ----------------------------------------------------------------------------------------------------------


def redis_users(
    current: SecretText | None, probe: SecretText, clients: Mapping[str, SecretText]
) -> tuple[SecretText, tuple[str, ...]]:
    """The ACL file with a user per client, and the names of the users that were added or got another password.

    Lines of `current` stay as they are: a user keeps every password it has, so that pods that still run with an older
    one are not locked out (Redis ACL documentation: a user may hold several).
    """
    lines = current.reveal().splitlines() if current else ["user default off"]
    changed: list[str] = []
    for name, secret, rules in (
        ("probe", probe, "-@all +ping"),
        *((client, secret, _client_rules(client)) for client, secret in sorted(clients.items())),
    ):
        digest = f"#{hashlib.sha256(secret.reveal().encode()).hexdigest()}"
        position = next((at for at, line in enumerate(lines) if line.split()[:2] == ["user", name]), None)
        if position is None:
            lines.append(f"user {name} on {digest} {rules}")
        elif digest in lines[position].split():
            continue
        else:
            lines[position] += f" {digest}"
        changed.append(name)
    return SecretText("\n".join(lines) + "\n"), tuple(changed)


def _client_rules(client: str) -> str:
    """Its own keys and channels, and no command that reads others' data or changes the server."""
    return f"resetkeys ~{client}:* resetchannels &{client}:* +@all -@dangerous -@admin +info"


# ---- RabbitMQ -------------------------------------------------------------------------------------------------------


def rabbitmq_hash(secret: SecretText, random: Random = secrets.token_bytes) -> str:
    """base64(salt + SHA-256(salt + password)), as RabbitMQ's `rabbit_password_hashing_sha256` stores it."""
    return _salted(secret, random(_SALT))


def rabbitmq_hash_fits(stored: str, secret: SecretText) -> bool:
    try:
        salt = base64.b64decode(stored, validate=True)[:_SALT]
    except ValueError:
        return False
    return hmac.compare_digest(stored, _salted(secret, salt))


def _salted(secret: SecretText, salt: bytes) -> str:
    return base64.b64encode(salt + hashlib.sha256(salt + secret.reveal().encode()).digest()).decode()


def rabbitmq_users(
    current: SecretText | None,
    staff: Mapping[str, tuple[SecretText, str]],
    clients: Mapping[str, SecretText],
    random: Random = secrets.token_bytes,
) -> tuple[SecretText, tuple[str, ...]]:
    """The definitions file with a user per client, and the names of the users that were added or changed.

    `staff`: name -> (password, tag) of users that manage or watch. Everything else in `current` stays (queues,
    policies, users somebody added); a user has one password in RabbitMQ, so a changed one replaces the old.

    Raises: PreflightRefused: `current` is no definitions file.
    """
    definitions = _definitions(current.reveal()) if current else {"vhosts": [{"name": "/"}]}
    if definitions is None:
        raise PreflightRefused(
            "the definitions.json of the Secret rabbitmq-definitions is not JSON with lists of users and permissions",
            remedy="mend it there; how it has to look shows rabbitmqctl export_definitions",
        )
    users: list[dict[str, Any]] = definitions.setdefault("users", [])
    permissions: list[dict[str, Any]] = definitions.setdefault("permissions", [])
    changed: list[str] = []
    everyone = {name: (secret, tag, ".*") for name, (secret, tag) in staff.items()}
    everyone |= {name: (secret, "", _own(name)) for name, secret in sorted(clients.items())}
    for name, (secret, tag, scope) in everyone.items():
        user = next((user for user in users if user.get("name") == name), None)
        if user is None:
            user = {"name": name, "tags": tag}
            users.append(user)
            rights = scope if tag != "monitoring" else "^$"
            permissions.append(
                {"user": name, "vhost": "/", "configure": rights, "write": rights, "read": rights}
            )  # fmt: skip
        elif rabbitmq_hash_fits(str(user.get("password_hash")), secret):
            continue
        user["password_hash"] = rabbitmq_hash(secret, random)
        user["hashing_algorithm"] = "rabbit_password_hashing_sha256"
        changed.append(name)
    return SecretText(json.dumps(definitions, indent=1) + "\n"), tuple(changed)


def _definitions(text: str) -> dict[str, Any] | None:
    """None where it is no definitions file. No error is passed on: that of JSON holds the whole text."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    lists = [found.get(name, []) for name in ("users", "permissions")] if isinstance(found, dict) else [None]
    is_whole = all(isinstance(each, list) and all(isinstance(item, dict) for item in each) for each in lists)
    return found if is_whole else None


def _own(client: str) -> str:
    """Exchanges and queues of its own name, the shared event exchange, and the names the broker generates."""
    return rf"^({client}[.:-].*|{client}|events|amq\..*)$"

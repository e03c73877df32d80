"""The only code that makes secret values. Law: a value travels as `SecretText`, which prints as `***`, or inside a
`MaskedMapping` on its way to the API server; nothing here prints, logs, or puts a value into an exception.

Secrets that a render brings do not pass through here: the offline rules read them (host names, placeholders).
"""

from bakery_ops.credentials.mint import Mint

__all__ = ["Mint"]

"""The only code that holds a secret byte. Law: a value travels as `SecretText`, which prints as `***`, or inside a
`MaskedMapping` on its way to the API server; nothing here prints, logs, or puts a value into an exception.
"""

from bakery_ops.credentials.mint import Mint

__all__ = ["Mint"]

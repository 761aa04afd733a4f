"""What holds a secret among the entries of a connector or a worker, as far as keys and values tell by themselves."""

import re

_ENDS = re.compile(
    r"(password|passwd|(^|\.)(pwd|passphrase|pass\.phrase|secret|token|api\.?key|private\.?key|secret\.?key|"
    r"((secret|shared)\.|azure\.(.*\.)?)access\.key|(account|customer)\.?key|ssl\.keystore\.key|credentials?|"
    r"credentials\.json|jaas\.config|(basic\.)?auth\.?(user|credentials)\.?info|authorization|"
    r"(?<!mongodb\.)connection\.string))$"
)
"""What the key ends with: behind it a key names a file, an address, a class or a form of the secret instead. The
connection string of Debezium's MongoDB source is an address, which mostly has no password: its value tells."""


_IN_URL = re.compile(
    # Behind a port, and what follows it, @ belongs to something else: //db:1433;user=me@db.
    r"://[^/\s:@]*:(?![0-9]+[;?])[^/\s@]+@|[?&;]password=[^&;\s]+|^jdbc:oracle:\w+:[^/\s@]+/[^\s@]+@",
    re.IGNORECASE,
)


def has_password(value: str) -> bool:
    """Whether a value is a URL with a password in it."""
    return bool(_IN_URL.search(value))


def is_secret_key(key: str) -> bool:
    """Whether a key says that its value is a secret: ``database.password``, ``apiKey``, ``oauth_client_secret``.

    A password typed by its class under a name that does not tell it is not found.
    """
    dotted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[_-]", ".", key).lower()
    return bool(_ENDS.search(dotted))


def may_be_secret(key: str, value: str) -> bool:
    """Whether an entry is not to be shown, or kept: its key says that it is a secret, or its value has a password."""
    return is_secret_key(key) or has_password(value)

"""Which keys of a connector or a worker hold a secret, by their names: what else there is only a class can tell."""

import re

_ENDS = re.compile(
    r"(password|passwd|(^|\.)(pwd|passphrase|pass\.phrase|secret|token|api\.?key|private\.?key|secret\.?key|"
    r"((secret|shared)\.|azure\.(.*\.)?)access\.key|(account|customer)\.?key|ssl\.keystore\.key|credentials?|"
    r"credentials\.json|jaas\.config|(basic\.)?auth\.?(user|credentials)\.?info|authorization|"
    r"(?<!mongodb\.)connection\.string))$"
)
"""What the key ends with: behind it a key names a file, an address, a class or a form of the secret instead. The
connection string of Debezium's MongoDB source is an address, which mostly has no password: its value tells."""


def is_secret_key(key: str) -> bool:
    """Whether a key says that its value is a secret: ``database.password``, ``apiKey``, ``oauth_client_secret``.

    A password typed by its class under a name that does not tell it is not found.
    """
    dotted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[_-]", ".", key).lower()
    return bool(_ENDS.search(dotted))

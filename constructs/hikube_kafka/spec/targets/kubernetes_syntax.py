"""What the API server takes as a name, a label, an annotation, a port's name, a network or an image.

Sources: Kubernetes' ``apimachinery/pkg/util/validation``, and for images the grammar of the distribution project's
``reference``, which container runtimes follow.
"""

import re
from collections.abc import Callable
from functools import wraps
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

LONGEST_LABEL = 63
"""Characters of a label of the DNS, and of a value or the name of a label of Kubernetes."""
LONGEST_DOMAIN = 253
LONGEST_ANNOTATIONS = 256 * 1024
"""Bytes of all keys and values of one object's annotations."""

_DNS_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
SUBDOMAIN = rf"{_DNS_LABEL}(\.{_DNS_LABEL})*"
"""DNS labels with dots in between, as a regular expression of a JSON schema too."""
LABEL = rf"[A-Za-z0-9]([-A-Za-z0-9_.]{{0,{LONGEST_LABEL - 2}}}[A-Za-z0-9])?"
"""The value of a label, unless it is empty, and the key without its prefix."""
PATH_PART = r"[a-z0-9]+((\.|__?|-+)[a-z0-9]+)*"
"""One part of an image's repository."""
_HOST_LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?")
_DOMAIN_PART = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_REGISTRY = re.compile(rf"(?:{_DOMAIN_PART}(?:\.{_DOMAIN_PART})*|\[[0-9A-Fa-f:]+\])(?::[0-9]+)?")
# Within a repository only a name with a dot or a port is taken for a host.
_REPOSITORY = re.compile(rf"(?:(?=[^/]*[.:]|localhost/){_REGISTRY.pattern}/)?{PATH_PART}(?:/{PATH_PART})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


def _or_reference(judge: Callable[[str], bool]) -> Callable[[str], bool]:
    """What Terraform fills in at the apply is left to the API server."""

    @wraps(judge)
    def judged(text: str) -> bool:
        return is_filled_in(text) or judge(text)

    return judged


def is_filled_in(text: str) -> bool:
    """Whether Terraform fills in a part of the text: the CDK has a reference there. ``${var.team}`` stays as it is."""
    return "${TfToken[" in text


@_or_reference
def is_label_value(value: str) -> bool:
    """Whether it can be the value of a label; empty can."""
    return not value or bool(re.fullmatch(LABEL, value))


@_or_reference
def is_label_key(key: str) -> bool:
    """Whether it can be the key of a label: ``team``, ``example.com/team``."""
    prefix, slash, name = key.rpartition("/")
    return bool(name) and is_label_value(name) and (not slash or is_subdomain(prefix))


@_or_reference
def is_annotation_key(key: str) -> bool:
    """Whether it can be the key of an annotation: as a label's, with capital letters in its prefix too."""
    return is_label_key(key.lower())


@_or_reference
def is_dns_label(name: str) -> bool:
    """Whether a namespace can have the name."""
    return len(name) <= LONGEST_LABEL and bool(re.fullmatch(_DNS_LABEL, name))


@_or_reference
def is_service_name(name: str) -> bool:
    """Whether a service can have the name: a DNS label that begins with a letter."""
    return is_dns_label(name) and name[0].isalpha()


@_or_reference
def is_subdomain(name: str) -> bool:
    """Whether most other objects can have the name: DNS labels with dots in between."""
    return len(name) <= LONGEST_DOMAIN and bool(re.fullmatch(SUBDOMAIN, name))


def is_port_name(name: str) -> bool:
    """Whether a port can have the name: 15 of a-z, 0-9 and single hyphens within, one of them a letter."""
    return bool(re.fullmatch(r"(?=.*[a-z])[a-z0-9]+(?:-[a-z0-9]+)*", name)) and len(name) <= 15  # noqa: PLR2004


@_or_reference
def is_host(name: str) -> bool:
    """Whether clients can be told to use it: a name of the DNS, or an address, in brackets or not."""
    try:
        ip_address(name[1:-1] if name.startswith("[") and name.endswith("]") else name)
    except ValueError:
        labels = name.removesuffix(".").split(".")
        return len(name) <= LONGEST_DOMAIN and all(
            len(label) <= LONGEST_LABEL and _HOST_LABEL.fullmatch(label) for label in labels
        )
    return True


@_or_reference
def is_registry(name: str) -> bool:
    """Whether it can be the host of a registry: ``mirror.example.com:5000``."""
    return bool(_REGISTRY.fullmatch(name))


@_or_reference
def is_repository(name: str) -> bool:
    """Whether it can be the repository of an image, with or without a registry: ``apache/kafka``."""
    return bool(_REPOSITORY.fullmatch(name)) and len(name) <= 255  # noqa: PLR2004


@_or_reference
def is_tag(tag: str) -> bool:
    """Whether it can be the tag of an image."""
    return bool(_TAG.fullmatch(tag))


@_or_reference
def is_image(reference: str) -> bool:
    """Whether it is the whole reference of an image: ``mirror.example.com/plugins:1.0@sha256:...``."""
    name, at, digest = reference.partition("@")
    repository, colon, tag = name.rpartition(":") if ":" in name.rpartition("/")[2] else (name, "", "")
    return (
        is_repository(repository)
        and (not colon or is_tag(tag))
        and (not at or bool(re.fullmatch(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}", digest)))
    )


def network(text: str) -> IPv4Network | IPv6Network | None:
    """The network that the API server reads there, whatever follows its mask; None: it reads none.

    It also takes leading zeros, which Python does not.
    """
    address, slash, bits = text.partition("/")
    if not slash or not re.fullmatch(r"[0-9]{1,3}", bits):
        return None
    plain = re.sub(r"(?<![0-9A-Fa-f:])0+(?=[0-9])", "", address) if ":" not in address else address
    try:
        return ip_network(f"{plain}/{int(bits)}", strict=False)
    except ValueError:
        return None

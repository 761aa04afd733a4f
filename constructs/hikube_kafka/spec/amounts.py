"""How much of something a server can be given: quantities that nobody can mean are refused.

No models here: the provider measures claims, and it starts several times in every plan.
"""

import re

from hikube_kafka.spec.quantities import Quantity, whole

LEAST_BYTES = Quantity("1Mi")
"""Of memory and of a disk: with less, no process starts and no file system is made."""
MOST_MEMORY = Quantity("64Ti")
"""What Linux addresses with four levels of page tables: its documentation, x86_64/5level-paging."""
MOST_DISK = Quantity("1Ei")
"""The largest ext4 file system: the kernel's documentation."""
LEAST_CORES = Quantity("1m")
"""Kubernetes measures no less: its documentation, CPU resource units."""
MOST_CORES = Quantity("8192")
"""What Linux can be built for: ``NR_CPUS`` of x86-64."""

_JAVA_SIZE = re.compile(r"([0-9]+)([kmgt])")


def cores(quantity: Quantity) -> Quantity:
    """Processor of a server.

    Raises:
        ValueError: no processor at all, or more than a machine has.
    """
    if quantity < LEAST_CORES:
        raise ValueError(
            f"{quantity} is {'no processor at all' if not quantity.value else 'less than Kubernetes measures'}: "
            f"declare {LEAST_CORES} or more, such as 500m for half a core, or 2"
        )
    if quantity > MOST_CORES:
        raise ValueError(
            f"{quantity} is {float(quantity.value):.10g} cores, more than a machine has: declare a number such as 2, "
            "or 500m for half a core"
        )
    return quantity


def memory(quantity: Quantity) -> Quantity:
    """Memory of a server.

    Raises:
        ValueError: less than any process needs, or more than a machine has.
    """
    return _bytes(quantity, "memory", most=MOST_MEMORY)


def disk(quantity: Quantity) -> Quantity:
    """Disk of a server.

    Raises:
        ValueError: less than a file system needs, or more than one holds.
    """
    return _bytes(quantity, "disk", most=MOST_DISK)


def heap(quantity: Quantity) -> Quantity:
    """Heap of a server.

    Raises:
        ValueError: less than any JVM needs, or more than a machine has.
    """
    return _bytes(quantity, "heap", most=MOST_MEMORY)


def as_java_writes_it(declared: object) -> object:
    """A heap that is written as ``-Xmx`` takes it: ``1500m`` are 1500 MiB, and not thousandths of a byte."""
    text = declared.strip() if isinstance(declared, str) else ""
    found = _JAVA_SIZE.fullmatch(text)
    return f"{found[1]}{found[2].upper()}i" if found else declared


def _bytes(quantity: Quantity, of: str, *, most: Quantity) -> Quantity:
    if quantity < LEAST_BYTES:
        amount = f"{float(quantity.value):.10g} bytes of {of}, less than {LEAST_BYTES}"
        raise ValueError(f"{quantity} is {amount}{_advice(quantity, of)}")
    if quantity > most:
        raise ValueError(f"{quantity} is more {of} than there is: declare {most} or less")
    return quantity


def _advice(quantity: Quantity, of: str) -> str:
    number = str(quantity).lstrip("+").removesuffix("m")
    if quantity.value and str(quantity).endswith("m"):
        return f", because m stands for thousandths in Kubernetes: declare {number}Mi if mebibytes are meant"
    count = whole(number)
    if count and str(quantity) == number:
        unit = "Gi" if of == "disk" or count <= _GIGABYTES_RATHER else "Mi"
        return f": declare it with a unit, such as {number}{unit}"
    return f": declare a size such as {'10Gi' if of == 'disk' else '512Mi'}"


_GIGABYTES_RATHER = 64
"""A memory of 2 is meant in GiB, one of 512 in MiB."""

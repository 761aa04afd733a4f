"""What a library raises when a part does not answer, as a text that names the part, the request and the answer."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import psutil
import psycopg
from confluent_kafka import KafkaError, KafkaException

from usecases.process import PartAwayError, PartFailedError

LIBRARY_ERRORS = (psycopg.Error, httpx.HTTPError, KafkaException, OSError, subprocess.SubprocessError, psutil.Error)
"""What asking a part raises. ``OSError`` has ``TimeoutError`` and ``ConnectionError`` among its own."""
_SHOWN = 500
_PASSWORDS = re.compile(r"(?<=:)[^:/@\s]+(?=@)|(?<=password=)\S+", re.IGNORECASE)
"""Of ``scheme://user:password@host``, and of ``password=…``."""


@contextmanager
def asking(part: str, request: str) -> Iterator[None]:
    """Have what a library raises name the part and the request.

    Args:
        part: ``"postgresql"``.
        request: ``"select count(*) from orders"``, ``"GET /_cluster/health"``.

    Raises:
        PartAwayError: it does not answer, or not as it should; it may later.
        PartFailedError: it refuses the request, and will again.
    """
    try:
        yield
    except LIBRARY_ERRORS as error:
        is_refusal = isinstance(error, psycopg.Error) and not isinstance(error, psycopg.OperationalError)
        kind = PartFailedError if is_refusal else PartAwayError
        raise kind(f"{part}: {_line(request)}: {said(error)}") from None


def said(error: BaseException) -> str:
    """What an error says, in one line, without a password."""
    match error:
        case httpx.HTTPStatusError():
            return _line(f"the answer was {error.response.status_code}: {error.response.text}")
        case httpx.HTTPError():
            return _line(f"{type(error).__name__}: {error}")
        case KafkaException(args=[KafkaError() as told, *_]):
            return _line(f"{told.name()}: {told.str()}")
        case OSError(strerror=str() as reason) if not isinstance(error, subprocess.SubprocessError):
            return _line(f"{reason}: {error.filename}" if error.filename else reason)
        case subprocess.TimeoutExpired():
            return f"it has not ended after {error.timeout:.3g} s"
    return _line(str(error)) or type(error).__name__


def named(error: BaseException) -> str:
    """As :func:`said`, of an error of which only the library tells who was asked what."""
    match error:
        case PartFailedError():
            return str(error)
        case psycopg.Error():
            return f"PostgreSQL: {said(error)}"
        case httpx.HTTPError():
            try:
                asked = f"{error.request.method} {error.request.url.copy_with(userinfo=b'', query=None)}"
            except RuntimeError:  # it was not sent
                asked = "a request by HTTP"
            return f"{asked}: {said(error)}"
        case KafkaException():
            return f"Kafka: {said(error)}"
        case subprocess.TimeoutExpired():
            return f"{_program(error.cmd)}: {said(error)}"
    return f"{type(error).__name__}: {said(error)}"


def _program(command: object) -> str:
    """Its name alone: what it was given may be a secret."""
    return str(command[0] if isinstance(command, list | tuple) and command else command).split()[0]


def _line(text: str) -> str:
    text = _PASSWORDS.sub("***", " ".join(text.split()))
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]} …"

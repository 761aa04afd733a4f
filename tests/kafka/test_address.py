"""An address as people write it, and why nobody answers there, in the system's own words."""

import pytest

from hikube_kafka.kafka.address import dial, join, reason, split


def test_brackets_of_an_address_are_no_part_of_the_host() -> None:
    assert split("[::1]:9092") == ("::1", 9092)
    assert split("b.example:9092") == ("b.example", 9092)
    for host, address in (("::1", "[::1]:9092"), ("[::1]", "[::1]:9092"), ("b.example", "b.example:9092")):
        assert join(host, 9092) == address


@pytest.mark.parametrize("address", ["b", "b:", ":9092", "b:http", ""])
def test_an_address_without_host_or_port_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="is not host:port"):
        dial(address, 1)


def test_a_reason_is_one_line_and_never_empty() -> None:
    assert reason(ConnectionRefusedError(111, "Connection refused")) == "connection refused"
    assert reason(OSError("closed\n the   connection")) == "closed the connection"
    assert reason(TimeoutError()) == "TimeoutError"

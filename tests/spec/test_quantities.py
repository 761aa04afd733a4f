import copy
import pickle
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from hikube_kafka.spec.model import Model
from hikube_kafka.spec.quantities import Duration, Quantity, Throughput, whole

NUMBERS = st.decimals(min_value=0, max_value=10**6, places=2).map(lambda number: f"{number:f}")


class Holder(Model):
    size: Quantity
    age: Duration
    rate: Throughput


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("1", 1),
        ("+3", 3),
        ("500m", Decimal("0.5")),
        ("1.5Gi", 3 * 2**29),
        (".5Ki", 512),
        ("2k", 2000),
        ("1E", 10**18),
        ("1Ei", 2**60),
        ("1e3", 1000),
        ("5E-1", Decimal("0.5")),
        ("100n", Decimal("1e-7")),
        ("7u", Decimal("7e-6")),
    ],
)
def test_a_quantity_has_the_value_that_kubernetes_gives_it(text: str, value: Decimal) -> None:
    assert Quantity(text).value == value


@pytest.mark.parametrize("text", ["", "Gi", "-1", "1GB", "1 Gi", "ten", "1ki", "1e", "0x10", "1.2.3", "\u0661"])
def test_what_is_no_quantity_is_refused_with_its_form(text: str) -> None:
    with pytest.raises(ValueError, match="is not a Kubernetes quantity"):
        Quantity(text)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("10GB", "10Gi or 10G"),
        ("10gb", "10Gi or 10G"),
        ("10g", "10Gi or 10G"),
        ("512 MB", "512Mi or 512M"),
        ("2K", "2Ki or 2k"),
        ("1,5Gi", "1.5Gi"),
        ("10 Gi", "10Gi"),
        ("10gib", "10Gi"),
        ("500 m", "500m"),
        ("2 cores", "2"),
    ],
)
def test_a_unit_as_people_write_it_is_answered_with_that_of_kubernetes(text: str, meant: str) -> None:
    with pytest.raises(ValueError, match=rf"is not a Kubernetes quantity .*: declare {meant}$"):
        Quantity(text)


@pytest.mark.parametrize(
    ("text", "meant"), [("7 days", "7d"), ("1h 30m", "1h30m"), ("30min", "30m"), ("2 Hours", "2h"), ("7", "7d or 7s")]
)
def test_a_duration_as_people_write_it_is_answered_with_the_form(text: str, meant: str) -> None:
    with pytest.raises(ValueError, match=rf"is not a duration .*: declare {meant}$"):
        Duration(text)


@pytest.mark.parametrize(("text", "meant"), [("25KB/s", "25kB/s"), ("25MBps", "25MB/s"), ("25 MB / s", "25MB/s")])
def test_a_throughput_as_people_write_it_is_answered_with_the_form(text: str, meant: str) -> None:
    with pytest.raises(ValueError, match=rf"is not a throughput .*: declare {meant}$"):
        Throughput(text)


@pytest.mark.parametrize("digit", ["\u00b2", "\u2082", "\u0663", "\u096a", "\uff12", "\u2460"])
def test_digits_of_other_scripts_are_no_numbers(digit: str) -> None:
    assert whole(digit) is None
    for measure, unit in ((Quantity, "Gi"), (Duration, "d"), (Throughput, "MB/s")):
        with pytest.raises(ValueError, match="is not a"):
            measure(digit + unit)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("3", 3),
        (" +3 ", 3),
        ("0" * 5000 + "3", 3),
        ("9" * 20, None),
        ("-1", -1),
        ("", None),
        ("1.5", None),
        ("1_0", None),
    ],
)
def test_a_whole_number_is_read_as_kafka_reads_it(text: str, number: int | None) -> None:
    assert whole(text) == number


def test_bytes_are_rounded_up_as_kubernetes_does() -> None:
    assert Quantity("1500m").bytes == 2


def test_mebibytes_are_rounded_down() -> None:
    assert Quantity("2047Ki").mebibytes == 1


@given(NUMBERS, st.sampled_from(["", "m", "k", "M", "G", "Ki", "Mi", "Gi", "Ti"]))
def test_a_quantity_prints_as_it_was_written(number: str, suffix: str) -> None:
    assert str(Quantity(number + suffix)) == number + suffix


@given(st.integers(min_value=0, max_value=2**62))
def test_a_number_of_bytes_survives_as_a_quantity(count: int) -> None:
    assert Quantity.of_bytes(count).bytes == count


def test_the_quantity_of_bytes_has_the_largest_unit_that_divides_them() -> None:
    assert [str(Quantity.of_bytes(count)) for count in (0, 1023, 1024, 3 * 2**30, 2**30 + 1)] == [
        "0",
        "1023",
        "1Ki",
        "3Gi",
        "1073741825",
    ]


def test_quantities_are_compared_by_value() -> None:
    assert Quantity("1Gi") == Quantity("1024Mi")
    assert hash(Quantity("1Gi")) == hash(Quantity("1024Mi"))
    assert Quantity("1G") < Quantity("1Gi")
    assert Quantity("1m") != Duration("1m")


@given(weeks=st.integers(0, 9), days=st.integers(0, 9), hours=st.integers(0, 30), ms=st.integers(1, 999))
def test_the_parts_of_a_duration_add_up(weeks: int, days: int, hours: int, ms: int) -> None:
    duration = Duration(f"{weeks}w{days}d{hours}h{ms}ms")
    assert duration.milliseconds == ((weeks * 7 + days) * 24 + hours) * 3_600_000 + ms


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [("7d", 604_800_000), ("90m", 5_400_000), ("1h30m", 5_400_000), ("500ms", 500), ("1.5s", 1500), ("0.0001s", 1)],
)
def test_a_duration_is_whole_milliseconds_rounded_up(text: str, milliseconds: int) -> None:
    assert Duration(text).milliseconds == milliseconds


@pytest.mark.parametrize("text", ["", "7", "d", "30m1h", "1h 30m", "-1d", "1y", "1.5ms"])
def test_what_is_no_duration_is_refused_with_its_form(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        Duration(text)


@pytest.mark.parametrize(
    ("text", "rate"),
    [("25MB/s", 25_000_000), ("25 MB/s", 25_000_000), ("1MiB/s", 2**20), ("1.5kB/s", 1500), ("10B/s", 10)],
)
def test_a_throughput_is_bytes_in_a_second(text: str, rate: int) -> None:
    assert Throughput(text).bytes_per_second == rate
    assert str(Throughput(text)) == text


@pytest.mark.parametrize("text", ["", "25", "25MB", "25Mb/s", "25KB/s", "MB/s", "-1MB/s"])
def test_what_is_no_throughput_is_refused_with_its_form(text: str) -> None:
    with pytest.raises(ValueError, match="is not a throughput"):
        Throughput(text)


def test_a_model_keeps_measures_as_written_through_json() -> None:
    holder = Holder.model_validate({"size": "1024Mi", "age": "1h30m", "rate": "25 MB/s"})
    assert holder.model_dump(mode="json") == {"size": "1024Mi", "age": "1h30m", "rate": "25 MB/s"}
    assert Holder.model_validate_json(holder.model_dump_json()) == holder


@pytest.mark.parametrize(("number", "text"), [(5, "5"), (0.5, "0.5"), (2.0, "2"), (1e22, "10000000000000000000000")])
def test_a_model_takes_a_number_as_a_quantity(number: float, text: str) -> None:
    assert str(Holder(size=number, age="1d", rate="1B/s").size) == text


def test_a_quantity_is_no_bool_and_no_number_that_cannot_be_written() -> None:
    for wrong in (True, None, float("nan"), float("inf"), -1, -0.5):
        with pytest.raises(ValidationError, match="is not a Kubernetes quantity"):
            Holder(size=wrong, age="1d", rate="1B/s")


def test_a_measure_cannot_be_changed_and_copies_as_itself() -> None:
    size = Quantity("1Gi")
    with pytest.raises(AttributeError, match="immutable"):
        size.text = "2Gi"
    with pytest.raises(AttributeError, match="immutable"):
        del size.text
    assert copy.deepcopy(size) is size
    assert copy.copy(size) is size
    assert pickle.loads(pickle.dumps(size)) == size  # noqa: S301 - made on this line

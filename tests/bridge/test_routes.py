"""From an MQTT topic to a record."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hikube_kafka.bridge.routes import Message, Record, Route, RouteError, Routes, Shard


def message(topic: str | bytes, payload: bytes = b"21.5", *, qos: int = 1, retain: bool = False) -> Message:
    return Message(topic=topic.encode() if isinstance(topic, str) else topic, payload=payload, qos=qos, retain=retain)


def routes(*texts: str, shard: str = "1/1") -> Routes:
    return Routes([Route.parse(text) for text in texts], "dead", Shard.parse(shard))


def record(of: Routes, message: Message) -> Record:
    found, why = of.record(message)
    assert found is not None
    assert why is None
    return found


@pytest.mark.parametrize(
    ("route", "topic", "device"),
    [
        ("devices/{device}/telemetry=t", "devices/d7/telemetry", "d7"),
        ("devices/+/telemetry=t", "devices/d7/telemetry", "d7"),
        ("sites/+/{device}/#=t", "sites/north/d7/a/b", "d7"),
        ("sites/+/{device}/#=t", "sites/north/d7", "d7"),
        ("devices/#=t", "devices/d7/a", "d7"),
        ("{device}=t", "d7", "d7"),
        ("/{device}=t", "/d7", "d7"),
        ("devices/{device}/a=b=t", "devices/d7/a=b", "d7"),
        ("plant/oven=t", "plant/oven", "plant/oven"),
        ("devices/{device}=t", "devices/Gerät 7", "Gerät 7"),
    ],
)
def test_the_device_is_the_level_that_the_route_names_or_the_first_wildcard(
    route: str, topic: str, device: str
) -> None:
    found = record(routes(route), message(topic))
    assert (found.topic, found.key, found.value) == ("t", device.encode(), b"21.5")


def test_a_record_says_where_it_came_from() -> None:
    found = record(routes("devices/+=t"), message("devices/d7", qos=0, retain=True))
    assert found.headers == (("mqtt.topic", b"devices/d7"), ("mqtt.qos", b"0"), ("mqtt.retain", b"true"))


@pytest.mark.parametrize(
    ("route", "reason"),
    [
        ("devices/+/telemetry", "is not FILTER=TOPIC"),
        ("=t", "is not FILTER=TOPIC"),
        ("devices/+=", "'' is not the name of a Kafka topic"),
        ("devices/+=a b", "is not the name of a Kafka topic"),
        ("devices/+=..", "is not the name of a Kafka topic"),
        ("devices/#/a=t", "nothing can follow it"),
        ("devices/d+/a=t", "is not a whole level"),
        ("devices/x{device}=t", "is not a whole level"),
        ("devices/{id}/a=t", "is not a whole level"),
        ("{device}/{device}=t", "more than once"),
        ("$share/g/devices/+=t", "--share"),
        ("x" * 70_000 + "=t", "longer than MQTT allows"),
    ],
)
def test_a_route_that_cannot_be_followed_is_refused(route: str, reason: str) -> None:
    with pytest.raises(RouteError, match=reason.replace("+", r"\+")):
        Route.parse(route)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("devices/+/a=t", "devices/d1/a=u"),
        ("devices/#=t", "devices=u"),
        ("devices/#=t", "devices/+/a=u"),
        ("+/a=t", "b/+=u"),
        ("#=t", "a/b/c=u"),
        ("a/+=t", "a/{device}=u"),
    ],
)
def test_routes_that_could_take_the_same_message_are_refused(one: str, other: str) -> None:
    for pair in ((one, other), (other, one)):
        with pytest.raises(RouteError, match="can both take the same message"):
            routes(*pair)


def test_several_routes_lead_to_several_topics() -> None:
    several = routes("devices/+/telemetry=t", "devices/+/alarms=a", "devices/+/telemetry/raw=t")
    assert several.topics == ("t", "a", "dead")
    assert record(several, message("devices/d7/alarms")).topic == "a"
    assert record(several, message("devices/d7/telemetry/raw")).topic == "t"


_LEVELS = st.lists(st.sampled_from(["a", "b", "+", ""]), min_size=1, max_size=4)


@given(_LEVELS, st.booleans(), _LEVELS, st.booleans())
def test_two_filters_overlap_exactly_if_a_topic_is_taken_by_both(
    one: list[str],
    more: bool,  # noqa: FBT001 - as hypothesis gives it
    other: list[str],
    much: bool,  # noqa: FBT001 - likewise
) -> None:
    filters = ["/".join([*one, *["#"] * more]), "/".join([*other, *["#"] * much])]
    pair = [Route(filter=each, topic="t", level=0) for each in filters]
    # Where both take a topic, one of these is among them: each wildcard filled from the other filter, or with a.
    longest = max(len(one), len(other))
    filled: list[str] = []
    for place in range(longest):
        named = [each[place] for each in (one, other) if place < len(each) and each[place] != "+"]
        filled.append(named[0] if named else "a")
    candidates = ["/".join(filled[:length]) for length in range(1, longest + 1)]
    both = any(all(route.takes(each) for route in pair) for each in candidates)
    try:
        Routes(pair, "dead", Shard())
    except RouteError:
        assert both
    else:
        assert not both


@pytest.mark.parametrize(
    ("topic", "reason"),
    [
        ("devices//telemetry", "names no device"),
        ("elsewhere", "no route"),
        (b"devices/\xff/telemetry", "not UTF-8"),
    ],
)
def test_a_message_without_a_device_or_a_route_is_a_dead_letter(topic: str | bytes, reason: str) -> None:
    found, why = routes("devices/{device}/telemetry=t").record(message(topic))
    assert found is not None
    assert why is not None
    assert reason in why
    assert (found.topic, found.key, found.value) == ("dead", None, b"21.5")
    assert dict(found.headers)["bridge.error"] == why.encode()


def test_a_filter_that_ends_in_all_levels_has_no_device_at_its_own_topic() -> None:
    found, why = routes("devices/#=t").record(message("devices"))
    assert found is not None
    assert found.topic == "dead"
    assert why is not None


def test_what_is_too_large_for_its_topic_is_a_dead_letter_cut_to_what_is_taken_there() -> None:
    of = routes("devices/+=t")
    of.limits = {"t": 1000, "dead": 2000}
    assert record(of, message("devices/d7", b"x" * 600)).topic == "t"
    whole, _ = of.record(message("devices/d7", b"x" * 1000))
    cut, _ = of.record(message("devices/d7", b"x" * 5000))
    assert whole is not None
    assert cut is not None
    assert (whole.topic, whole.key, len(whole.value)) == ("dead", b"d7", 1000)
    assert "bridge.bytes" not in dict(whole.headers)
    assert cut.size <= 2000
    assert dict(cut.headers)["bridge.bytes"] == b"5000"


@given(st.binary(max_size=3000), st.integers(1, 60_000), st.sampled_from(["devices/+=t", "+/x=t"]))
def test_no_dead_letter_is_larger_than_its_topic_takes(payload: bytes, length: int, route: str) -> None:
    of = routes(route)
    of.limits = {"t": 1000, "dead": 1200}
    for topic in ("devices/" + "d" * length, "d" * length + "/x"):
        found, _ = of.record(message(topic, payload))
        assert found is not None
        assert found.size <= of.limits[found.topic]


@given(st.text(min_size=1, alphabet=st.characters(exclude_characters="/+#\0", exclude_categories=["Cs"])))
def test_of_several_shards_exactly_one_carries_a_device(device: str) -> None:
    carried = [
        routes("devices/+=t", shard=f"{number}/5").record(message(f"devices/{device}")) for number in range(1, 6)
    ]
    assert sum(found is not None for found, _ in carried) == 1
    assert all(why is None for _, why in carried)


@pytest.mark.parametrize("topic", ["devices//x", "elsewhere/y", b"\xff"])
def test_of_several_shards_exactly_one_sends_a_dead_letter(topic: Any) -> None:
    letters = [routes("devices/+/x=t", shard=f"{number}/3").record(message(topic)) for number in (1, 2, 3)]
    assert sum(found is not None for found, _ in letters) == 1


@pytest.mark.parametrize("text", ["", "0/3", "4/3", "1", "1/0", "a/b", "1/2/3", "-1/3"])
def test_a_shard_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(RouteError):
        Shard.parse(text)


def test_what_the_mqtt_broker_says_of_itself_is_taken_by_no_wildcard_at_the_front() -> None:
    assert not Route.parse("+/x=t").takes("$SYS/x")
    assert Route.parse("$SYS/#=t").takes("$SYS/x")

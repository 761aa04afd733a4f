"""What Prometheus and a kubelet read."""

import httpx
import pytest

from hikube_kafka.bridge.health import Health
from hikube_kafka.bridge.metrics import Histogram, Metrics


def test_buckets_add_up_and_a_bound_belongs_to_its_bucket() -> None:
    histogram = Histogram([0.1, 1])
    for seconds in (0.05, 0.1, 0.5, 7):
        histogram.observe(seconds)
    assert histogram.lines("x") == [
        'x_bucket{le="0.1"} 2',
        'x_bucket{le="1"} 3',
        'x_bucket{le="+Inf"} 4',
        "x_sum 7.650000",
        "x_count 4",
    ]


def test_every_figure_has_a_type_and_a_help_and_stands_once() -> None:
    lines = Metrics(received=3).text().splitlines()
    names = [line.split("{")[0].split()[0] for line in lines if not line.startswith("#")]
    typed = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    helped = [line.split()[2] for line in lines if line.startswith("# HELP")]
    assert typed == helped
    assert len(set(typed)) == len(typed)
    assert {name.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count") for name in names} == set(typed)
    assert "hikube_kafka_bridge_received_total 3" in lines


def test_the_first_connection_is_no_reconnect() -> None:
    for connections, reconnects in ((0, 0), (1, 0), (3, 2)):
        assert f"hikube_kafka_bridge_reconnects_total {reconnects}\n" in Metrics(connections=connections).text()


def test_live_and_ready_are_two_questions() -> None:
    failure: list[str] = []
    missing: list[str] = ["Kafka does not answer"]
    health = Health(
        "127.0.0.1:0", metrics=lambda: "x 1\n", failure=lambda: next(iter(failure), None), waiting_for=lambda: missing
    )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{health.port}") as client:
            assert client.get("/healthz").status_code == 200
            assert client.get("/readyz").text == "not ready: Kafka does not answer\n"
            assert client.get("/readyz").status_code == 503
            missing.clear()
            assert client.get("/readyz").status_code == 200
            failure.append("it has ended")
            assert [client.get(path).status_code for path in ("/healthz", "/readyz")] == [503, 503]
            assert client.get("/metrics").text == "x 1\n"
            assert client.get("/metrics").headers["Content-Type"].startswith("text/plain; version=0.0.4")
            assert client.head("/metrics").status_code == 200
            assert client.get("/").status_code == 404
    finally:
        health.close()


@pytest.mark.parametrize("address", ["nowhere", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:99999"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises((ValueError, OverflowError)):
        Health(address, metrics=str, failure=lambda: None, waiting_for=list)

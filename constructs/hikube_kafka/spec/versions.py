"""The versions this release was tried with."""

KAFKA_VERSION = "3.9.2"
"""The last line of Kafka that runs with ZooKeeper is 3.9."""

ZOOKEEPER_VERSION = "3.9.5"
"""The image of the chart. The local ensemble runs the ZooKeeper that Kafka 3.9.2 itself is published with: 3.8.4."""

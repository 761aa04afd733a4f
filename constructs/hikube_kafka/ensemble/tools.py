"""Kafka's own command-line tools, from the jars that the servers run from."""

from collections.abc import Sequence
from pathlib import Path

from hikube_kafka.ensemble.conduct import Conduct
from hikube_kafka.ensemble.configuration import read_declaration
from hikube_kafka.ensemble.directory import resolved
from hikube_kafka.ensemble.errors import EnsembleError
from hikube_kafka.ensemble.jars import provide
from hikube_kafka.ensemble.java import java_command, java_problems
from hikube_kafka.ensemble.living import plaintext_listener

TOOLS = {
    "configs": "kafka.admin.ConfigCommand",
    "console-consumer": "org.apache.kafka.tools.consumer.ConsoleConsumer",
    "console-producer": "kafka.tools.ConsoleProducer",
    "consumer-groups": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    "leader-election": "org.apache.kafka.tools.LeaderElectionCommand",
    "reassign-partitions": "org.apache.kafka.tools.reassign.ReassignPartitionsCommand",
    "topics": "org.apache.kafka.tools.TopicCommand",
}
"""Main class by the name of the script in a distribution: ``kafka-<name>.sh``."""

_LOGGING = Path(__file__).with_name("tools.log4j.properties")


def command(directory: str | Path, tool: str, arguments: Sequence[str]) -> list[str]:
    """The command line that runs a tool against the ensemble in this directory.

    Raises:
        EnsembleError: there is no ensemble, no such tool, or no Java.
        JarsError: the jars are not there and cannot be fetched.
    """
    declaration = read_declaration(resolved(directory))
    if declaration is None:
        raise EnsembleError(f"There is no ensemble in {directory}: deploy one, or name another directory.")
    if tool not in TOOLS:
        raise EnsembleError(f"There is no tool {tool!r} here: choose one of {', '.join(TOOLS)}.")
    java = java_command()
    if java is None:
        raise EnsembleError(" ".join(java_problems()))
    bootstrap = [address for broker in declaration.brokers if (address := plaintext_listener(broker.properties))]
    jars = provide(declaration.kafka_home, Conduct())
    return [
        java,
        f"-Dlog4j.configuration={_LOGGING.as_uri()}",
        "-cp",
        f"{jars}/*",
        TOOLS[tool],
        "--bootstrap-server",
        ",".join(bootstrap),
        *arguments,
    ]

"""Kafka's own configuration definitions, and what they say about an entry of a declaration.

The definitions are data, read from Kafka 3.9's jars by ``scripts/definitions/regenerate.py``. No pydantic here: the
provider imports this package each time it starts.
"""

from hikube_kafka.spec.definitions.catalog import broker_definition, broker_definitions, topic_definitions
from hikube_kafka.spec.definitions.check import PLATFORM_KEYS, check_broker_config, check_topic_config
from hikube_kafka.spec.definitions.definition import (
    Definition,
    Mismatch,
    canonical,
    is_reference,
    is_same,
    spelled,
)
from hikube_kafka.spec.definitions.fault import Fault
from hikube_kafka.spec.definitions.problems import (
    BROKER_CONFIG,
    TOPIC_CONFIG,
    broker_config_problems,
    may_exist,
    topic_config_problems,
)

__all__ = [
    "BROKER_CONFIG",
    "PLATFORM_KEYS",
    "TOPIC_CONFIG",
    "Definition",
    "Fault",
    "Mismatch",
    "broker_config_problems",
    "broker_definition",
    "broker_definitions",
    "canonical",
    "check_broker_config",
    "check_topic_config",
    "is_reference",
    "is_same",
    "may_exist",
    "spelled",
    "topic_config_problems",
    "topic_definitions",
]

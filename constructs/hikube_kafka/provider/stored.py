"""What brokers store, as each says of itself: topics that the client may not see, or that are not told yet, included.

Done with kafka-python's admin client: confluent-kafka's has no such request.
"""

from collections.abc import Collection

from hikube_kafka.kafka.errors import Forbidden, Unanswered
from hikube_kafka.provider.moves import client
from hikube_kafka.provider.topics import KafkaCluster, Layout


def unseen(cluster: KafkaCluster, layout: Layout, brokers: Collection[int]) -> dict[int, dict[str, Forbidden]]:
    """Topics that brokers store and that the client may not see, by broker and name.

    Args:
        cluster: The cluster.
        layout: What the client sees of it.
        brokers: Live brokers that are asked.

    Raises:
        Forbidden: The client may not Describe the cluster, so brokers do not tell what they store.
        Unanswered: A broker does not answer, or the brokers do not show a topic yet that is there.
        Unreachable: No broker answers.
        Denied: The client is not let in.
    """
    found: dict[int, dict[str, Forbidden]] = {}
    hidden_at = {broker: topics - layout.replicas.keys() for broker, topics in _stored(cluster, brokers).items()}
    cluster.asks_for(frozenset().union(*hidden_at.values()))
    for broker, topics in hidden_at.items():
        for name in sorted(topics):
            try:
                there = cluster.exists(name)
            except Forbidden as hidden:
                found.setdefault(broker, {})[name] = hidden
            else:
                if there:
                    reason = f"broker {broker} stores topic {name}, and the brokers do not show it yet"
                    raise Unanswered(cluster.addresses, "all topics", reason)
    return found


def _stored(cluster: KafkaCluster, brokers: Collection[int]) -> dict[int, frozenset[str]]:
    """The topics of which each broker stores partitions."""
    from kafka.errors import KafkaError

    asked = sorted(brokers)
    if not asked:
        return {}
    try:
        with client(cluster.addresses, cluster.settings.security) as admin:
            # Its public call names the topics that this client sees; to be told of all, none must be named.
            answers = admin._manager.run(admin._async_describe_log_dirs, None, asked)  # noqa: SLF001
    except (KafkaError, RuntimeError) as error:
        question = f"what brokers {', '.join(map(str, asked))} store"
        raise Unanswered(cluster.addresses, question, str(error) or type(error).__name__) from None
    if not all(answer["log_dirs"] for answer in answers):  # every broker has a directory: these do not tell
        principal = cluster.settings.security.principal
        code = "CLUSTER_AUTHORIZATION_FAILED"
        refusal = Forbidden(cluster.addresses, "Describe", "the cluster", "--cluster", principal, code)
        raise cluster.forbidden(refusal)
    return {
        int(answer["broker"]): frozenset(
            str(topic["name"]) for directory in answer["log_dirs"] for topic in directory["topics"]
        )
        for answer in answers
    }

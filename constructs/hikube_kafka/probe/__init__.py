"""Reading a living system: ZooKeeper, Kafka, Kubernetes. It observes, judges nothing and changes nothing.

One read needs a write: each ZooKeeper server is given an ephemeral node, which the others are asked for
(`hikube_kafka.probe.zookeeper.exchange_writes`).

Every read is bounded in time, and what could not be read is an observation too: an ``Unreadable`` with its reason
stands where the answer would have stood, so that nothing missing is ever mistaken for something well.
"""

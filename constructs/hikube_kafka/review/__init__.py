"""A plan of Terraform, reviewed in Kafka's own terms: what the apply would do to messages, clients and servers.

``plan`` reads it, ``judge`` asks the rules of :mod:`hikube_kafka.spec.changes`, the other modules show what was found.
Nothing here knows a network.
"""

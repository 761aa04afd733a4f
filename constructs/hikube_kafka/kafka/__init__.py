"""Clients of Kafka and ZooKeeper: connection, security, errors."""

"""Kafka Connect: a client of the workers' REST interface, and what goes wrong with it."""

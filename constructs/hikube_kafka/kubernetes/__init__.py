"""A Kubernetes cluster: its API server, and streams to any port of any pod.

It knows no Kafka.
"""

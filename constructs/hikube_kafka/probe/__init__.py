"""Reading a living system: ZooKeeper, Kafka, Kubernetes. It observes and judges nothing.

Every read is bounded in time, and what could not be read is an observation too: an ``Unreadable`` with its reason
stands where the answer would have stood, so that nothing missing is ever mistaken for something well.
"""

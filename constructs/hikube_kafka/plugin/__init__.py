"""Terraform's plugin protocol 6, for providers written in Python; it knows nothing of Kafka.

* :mod:`~hikube_kafka.plugin.resource`: what an author writes: a provider, its resources, its data sources.
* :mod:`~hikube_kafka.plugin.schema`: what a user may write, and the types of its values.
* :mod:`~hikube_kafka.plugin.values`: those values, in Python and on the wire.
* :mod:`~hikube_kafka.plugin.diagnostics`: what a user is told.
* :mod:`~hikube_kafka.plugin.serve`: the process that Terraform starts.
"""

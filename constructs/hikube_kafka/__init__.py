"""Kafka and ZooKeeper on Hikube: declared in Python, delivered by Terraform, proven after the apply.

Its parts, in the order in which a declaration passes through them:

* :mod:`hikube_kafka.spec`: what a platform is, what makes it invalid, and the contract it must keep.
* :mod:`hikube_kafka.platform`: the CDKTF constructs that turn a declaration into Terraform.
* :mod:`hikube_kafka.provider`: the Terraform provider ``hikube``.
* :mod:`hikube_kafka.ensemble`: ZooKeeper servers and brokers as processes of this machine.
* :mod:`hikube_kafka.probe`: reading a living system, without judging it.
* :mod:`hikube_kafka.smoke`: checking what was read against the contract.
"""

__version__ = "0.1.0"

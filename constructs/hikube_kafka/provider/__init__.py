"""The Terraform provider ``hikube``: topics, brokers, voters, claims that grow, and ensembles on this machine.

* :mod:`~hikube_kafka.provider.hikube`: the provider; :mod:`~hikube_kafka.provider.settings`: what its block takes.
* :mod:`~hikube_kafka.provider.resources`: its resources and its data source, one file each.
* :mod:`~hikube_kafka.provider.claim_growth`: how claims grow under running pods;
  :mod:`~hikube_kafka.provider.membership`: how voters change.
* :mod:`~hikube_kafka.provider.topics`: the cluster they ask and change, through one
  :mod:`~hikube_kafka.provider.session`; :mod:`~hikube_kafka.provider.gathering` makes one request of many calls.
* :mod:`~hikube_kafka.provider.placement` and :mod:`~hikube_kafka.provider.reassignment`: where replicas go, and how.
* :mod:`~hikube_kafka.provider.install`: where Terraform finds it all.

Everything that a start does not need is imported where it is used: Terraform starts a provider several times a run.
"""

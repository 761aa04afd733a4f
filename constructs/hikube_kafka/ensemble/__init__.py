"""ZooKeeper servers and brokers as processes of this machine.

The public names, all synchronous:

* :func:`apply` brings an ensemble to what is declared: creates, heals, grows, reconfigures.
* :func:`observe` and :func:`status` look; :func:`logs` reads.
* :func:`stop` stops and keeps the data; :func:`destroy` may remove it.
* The module ``workers`` has ``apply``, ``observe``, ``status``, ``stop`` and ``destroy`` for Connect workers.
* :func:`refuse_existing` and :func:`refuse_foreign` say before a call whether it would be refused because of who holds
  the ensemble; :func:`read_ownership` and :func:`read_declaration` say what is in a directory.
"""

from hikube_kafka.ensemble.conduct import Patience
from hikube_kafka.ensemble.configuration import read_declaration
from hikube_kafka.ensemble.directory import resolved
from hikube_kafka.ensemble.errors import (
    ApplyInterruptedError,
    BrokerHoldsReplicasError,
    CreationStoppedError,
    DirectoryBusyError,
    EnsembleError,
    EnsembleExistsError,
    HeldByAnotherError,
    JarsError,
    NotBalancedError,
    NotInSyncError,
    PluginError,
    PreflightError,
    QuorumChangeError,
    StaleRegistrationError,
    StartFailedError,
)
from hikube_kafka.ensemble.lifecycle import apply, destroy, holds_ensemble, stop
from hikube_kafka.ensemble.logs import logs
from hikube_kafka.ensemble.observation import (
    EnsembleObservation,
    ServerObservation,
    default_directory,
    ensembles,
    observe,
    running_directory,
    status,
)
from hikube_kafka.ensemble.ownership import new_owner, read_ownership, refuse_existing, refuse_foreign

__all__ = [
    "ApplyInterruptedError",
    "BrokerHoldsReplicasError",
    "CreationStoppedError",
    "DirectoryBusyError",
    "EnsembleError",
    "EnsembleExistsError",
    "EnsembleObservation",
    "HeldByAnotherError",
    "JarsError",
    "NotBalancedError",
    "NotInSyncError",
    "Patience",
    "PluginError",
    "PreflightError",
    "QuorumChangeError",
    "ServerObservation",
    "StaleRegistrationError",
    "StartFailedError",
    "apply",
    "default_directory",
    "destroy",
    "ensembles",
    "holds_ensemble",
    "logs",
    "new_owner",
    "observe",
    "read_declaration",
    "read_ownership",
    "refuse_existing",
    "refuse_foreign",
    "resolved",
    "running_directory",
    "status",
    "stop",
]

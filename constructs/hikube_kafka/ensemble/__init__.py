"""ZooKeeper servers and brokers as processes of this machine.

The public names, all synchronous:

* :func:`apply` brings an ensemble to what is declared: creates, heals, grows, reconfigures.
* :func:`observe` and :func:`status` look; :func:`logs` reads.
* :func:`stop` stops and keeps the data; :func:`destroy` may remove it.
"""

from hikube_kafka.ensemble.conduct import Patience
from hikube_kafka.ensemble.errors import (
    ApplyInterruptedError,
    BrokerHoldsReplicasError,
    DirectoryBusyError,
    EnsembleError,
    JarsError,
    NotInSyncError,
    PreflightError,
    QuorumChangeError,
    StaleRegistrationError,
    StartFailedError,
)
from hikube_kafka.ensemble.lifecycle import apply, destroy, stop
from hikube_kafka.ensemble.logs import logs
from hikube_kafka.ensemble.observation import (
    EnsembleObservation,
    ServerObservation,
    default_directory,
    ensembles,
    observe,
    status,
)

__all__ = [
    "ApplyInterruptedError",
    "BrokerHoldsReplicasError",
    "DirectoryBusyError",
    "EnsembleError",
    "EnsembleObservation",
    "JarsError",
    "NotInSyncError",
    "Patience",
    "PreflightError",
    "QuorumChangeError",
    "ServerObservation",
    "StaleRegistrationError",
    "StartFailedError",
    "apply",
    "default_directory",
    "destroy",
    "ensembles",
    "logs",
    "observe",
    "status",
    "stop",
]

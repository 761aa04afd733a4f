"""What the resources of one provider process share: its settings, its cluster, the user's wish to stop."""

import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeVar

from hikube_kafka.kafka.errors import Denied, Forbidden, KafkaRefused, Unanswered, Unclear, Unreachable
from hikube_kafka.kubernetes.errors import ApiServerError, KubernetesError
from hikube_kafka.plugin.diagnostics import Diagnostic, Refusal
from hikube_kafka.provider.addresses import Addresses
from hikube_kafka.provider.local_machine import LocalMachine
from hikube_kafka.provider.refusals import Refusals
from hikube_kafka.provider.settings import KubernetesReach, Settings
from hikube_kafka.provider.topics import KafkaCluster
from hikube_kafka.waiting import Stopped

if TYPE_CHECKING:
    from hikube_kafka.provider.workers import Workers

Found = TypeVar("Found")

_API_SERVER = "the API server"


class Session:
    """From the provider's configuration to the end of its process."""

    def __init__(self) -> None:
        self.stopped = threading.Event()
        """Set by Ctrl-C."""
        self.settings = Settings()
        self.addresses = Addresses()
        self.machine = LocalMachine()
        self.refusals = Refusals(self.stopped)
        self._cluster: KafkaCluster | None = None
        self._workers: Workers | None = None
        self._coming: dict[str, int] = {}
        self._awaited = 0
        self._brokers: int | None = None
        self._lock = threading.Lock()
        self._warned: set[str] = set()
        self._silent: dict[str, KubernetesError] = {}

    def configure(self, settings: Settings) -> None:
        """Take the settings; nothing is dialled yet."""
        self.settings = settings

    def cluster(self) -> KafkaCluster | None:
        """The cluster; None while settings are unknown, which is normal in the plan of a first apply.

        Raises:
            Refusal: The settings say nothing about where it is.
        """
        if self.settings.unknown:
            return None
        with self._lock:
            if self._cluster is None:
                if self.settings.bootstrap_servers is None and self.settings.kubernetes is None:
                    raise Refusal(
                        Diagnostic(
                            "The provider does not know where the cluster is",
                            "Neither bootstrap_servers nor a kubernetes block is set. Set one of them in the provider "
                            'block: provider "hikube" { bootstrap_servers = "broker:9092" }.',
                        )
                    )
                self._cluster = KafkaCluster(self.settings, self.stopped)
            return self._cluster

    def workers(self) -> "Workers | None":
        """The Connect cluster; None while settings are unknown, which is normal in the plan of a first apply.

        Raises:
            Refusal: The settings say nothing about where it is.
        """
        from hikube_kafka.provider.workers import Workers

        if self.settings.connect_unknown:
            return None
        with self._lock:
            if self._workers is None:
                reach = self.settings.kubernetes
                here = self.settings.connect_urls or self.settings.local_connect
                if not here and (reach is None or reach.connect_release is None):
                    raise Refusal(
                        Diagnostic(
                            "The provider does not know where the Connect workers are",
                            "Neither connect_url nor local_connect nor connect_release in a kubernetes block is set. "
                            'Set one of them in the provider block: provider "hikube" { connect_url = '
                            '"http://connect-0:8083" }.',
                        )
                    )
                self._workers = Workers(self.settings, self.stopped)
            return self._workers

    def require(self, found: Found | None, problem: str) -> Found:
        """What :meth:`cluster` or :meth:`kubernetes` answered, where an apply cannot do without it.

        Args:
            found: Their answer.
            problem: What cannot be done without it, as the error's first line.

        Raises:
            Refusal: It is None: the settings are still unknown.
        """
        if found is None:
            unknown = ", ".join(dict.fromkeys((*self.settings.unknown, *self.settings.connect_unknown)))
            detail = f"Settings of the provider are still unknown during the apply: {unknown}."
            raise Refusal(Diagnostic(problem, f"{detail} Set them to values that are known before the apply."))
        return found

    def kubernetes(self, *, needed_by: str) -> KubernetesReach | None:
        """The namespace in Kubernetes; None while settings are unknown, which is normal in the plan of a first apply.

        Raises:
            Refusal: The settings say nothing about Kubernetes.
        """
        if self.settings.unknown:
            return None
        if self.settings.kubernetes is None:
            raise Refusal(
                Diagnostic(
                    f"{needed_by} needs the provider's kubernetes block",
                    'It says where the cluster is: provider "hikube" { kubernetes { namespace = "kafka", release = '
                    '"events-kafka" } }.',
                )
            )
        return self.settings.kubernetes

    def read(self, what: str, look: Callable[[], Found]) -> Found:
        """Read something of Kubernetes; what does not answer is waited for once in this process, and not once per read.

        Args:
            what: What is read; once the API server itself does not answer, nothing else is asked of it either.
            look: Reads it.

        Raises:
            KubernetesError: It cannot be read, now or when it was asked before.
        """
        for each in (_API_SERVER, what):
            if each in self._silent:
                raise self._silent[each]
        try:
            return look()
        except KubernetesError as problem:
            if problem.may_pass:
                self._silent[_API_SERVER if isinstance(problem, ApiServerError) else what] = problem
            raise

    def expect(self, brokers: Iterable[str]) -> None:
        """Brokers that this plan starts: a cluster that is met at their addresses will have that many."""
        addresses = list(brokers)
        with self._lock:
            self._coming.update(dict.fromkeys(addresses, len(addresses)))

    def await_brokers(self, number: int) -> None:
        """This apply waits until so many brokers are there, before whatever depends on them is made."""
        with self._lock:
            self._awaited = max(self._awaited, number)

    def expect_brokers(self, number: int) -> None:
        """The cluster itself is planned to have another number of brokers."""
        with self._lock:
            self._brokers = number

    def coming(self) -> int:
        """How many brokers the cluster will have once this plan is applied; 0 if the plan starts none of them."""
        addresses = (self.settings.bootstrap_servers or "").split(",")
        with self._lock:
            return max(self._brokers or 0, *(self._coming.get(address.strip(), 0) for address in addresses))

    def awaited(self) -> int:
        """How many brokers whatever depends on them will find; 0 if the plan neither starts any nor waits for them."""
        with self._lock:
            awaited = self._awaited
        return max(awaited, self.coming())

    def staying(self, live: frozenset[int]) -> frozenset[int]:
        """The live brokers without those that this plan lets go."""
        with self._lock:
            return live if self._brokers is None else frozenset(broker for broker in live if broker < self._brokers)

    def changed(self) -> None:
        """The servers themselves have just been changed: what was read of the cluster is worth nothing now."""
        with self._lock:
            self._coming, self._brokers, self._awaited = {}, None, 0
            self._silent.clear()
            if self._cluster is not None:
                self._cluster.forget_all()
            if self._workers is not None:
                self._workers.forget_all()

    def first_warning(self, of: str = "topics") -> bool:
        """Whether nobody has warned yet that these could not be read: a thousand topics say it once."""
        with self._lock:
            first = of not in self._warned
            self._warned.add(of)
            return first


def not_reached(problem: Unreachable | Denied | Stopped, *, doing: str) -> Diagnostic:
    """Why the cluster was not asked, for the user.

    Args:
        problem: What stood in the way.
        doing: What was to be done, to be read after "cannot": ``read the topics``.
    """
    if isinstance(problem, Stopped):
        return Diagnostic(
            "Stopped", f"Interrupted before the provider could {doing}. The next apply continues from here."
        )
    if isinstance(problem, Forbidden):
        allow = f"--add --allow-principal '{problem.principal or 'User:CN=NAME'}' --operation {problem.operation}"
        commands = problem.commands(f"--list {problem.options}", f"{allow} {problem.options}")
        return Diagnostic(
            f"The provider is not allowed to {problem.operation} {problem.resource}",
            f"The provider cannot {doing}: the brokers' authorizer refuses it ({problem.code}). What cannot be seen is "
            "not taken for gone, and the state is kept. List the ACLs, remove one that denies this operation (it "
            "outweighs all that allow it), or else allow it, as an administrator (--command-config):\n\n"
            f"{commands}",
        )
    if isinstance(problem, Denied):
        return Diagnostic(
            "The cluster does not let the provider in",
            f"The provider cannot {doing}. {problem.addresses}: {problem.reason}. Check security_protocol, "
            "sasl_mechanism, username, password and the certificates of the provider block (or its kubernetes block), "
            "and the user's permissions.",
        )
    if isinstance(problem, Unanswered):
        return Diagnostic(
            "The cluster does not answer every question",
            f"The provider cannot {doing}: brokers of {problem.addresses} answer, but do not tell {problem.question} "
            f"({problem.reason}). Check that every broker and ZooKeeper server runs and that a controller is elected; "
            "a cluster that has just started needs a moment.",
        )
    return Diagnostic(
        "The cluster does not answer",
        f"The provider cannot {doing}: no broker of {problem.addresses} answers ({problem.reason}). Check "
        "that the brokers run, and the provider block: bootstrap_servers or kubernetes, and security_protocol.",
    )


def refused(problem: KafkaRefused, *, doing: str) -> Diagnostic:
    """What Kafka said no to, or did not answer clearly, for the user."""
    if isinstance(problem, Unclear):
        return Diagnostic(
            f"No clear answer from Kafka: the provider cannot {doing}",
            f"{problem.code}: {problem.reason}. Whether the change was made is not known. Check that every broker "
            "runs and that a controller is elected, then apply again. If the next plan says that a topic exists "
            "already, it was made: import it.",
        )
    return Diagnostic(f"Kafka refused to {doing}", f"{problem.code}: {problem.reason}")

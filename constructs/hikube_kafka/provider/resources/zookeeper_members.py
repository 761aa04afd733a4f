"""``hikube_zookeeper_members``: who votes in a ZooKeeper ensemble, changed while it serves."""

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from hikube_kafka.kubernetes.errors import KubernetesError
from hikube_kafka.plugin.diagnostics import Diagnostic, Refusal, warn
from hikube_kafka.plugin.resource import Plan, PlanRequest, Resource, State
from hikube_kafka.plugin.schema import NUMBER, STRING, Attribute, List, Map, Schema
from hikube_kafka.plugin.values import UNKNOWN, unknowns
from hikube_kafka.provider.kubernetes import unreadable
from hikube_kafka.provider.problems import told
from hikube_kafka.provider.session import Session
from hikube_kafka.provider.settings import KubernetesReach
from hikube_kafka.spec.changes import zookeeper_members as changes
from hikube_kafka.spec.changes.address import Thing
from hikube_kafka.spec.quorum import HIGHEST_SERVER_ID, even_problems

if TYPE_CHECKING:
    from hikube_kafka.provider.membership import Ensemble, Membership

_HOST = r"([^\s:;]+|\[[0-9a-fA-F:.]+\])"
_ADDRESS = re.compile(rf"{_HOST}:[0-9]{{1,5}}:[0-9]{{1,5}}:participant;({_HOST}:)?[0-9]{{1,5}}")
_POD_SECONDS = 5.0
"""For pods to run before the servers are asked: one that does not run is one that does not serve."""

BEFORE, AFTER = "before", "after"


class ZooKeeperMembersResource(Resource):
    """The voters of an ensemble: taken out before their pods go, brought in after their pods have come."""

    type_name = "hikube_zookeeper_members"
    schema = Schema(
        description="Who votes in a ZooKeeper ensemble, changed by ZooKeeper's own reconfiguration, one server at a "
        "time, while it serves. Declare it twice: once `before` the release, where servers are taken out, and once "
        "`after` it, where servers are brought in.",
        attributes={
            "stateful_set": Attribute(
                STRING,
                required=True,
                description="Name of the servers' StatefulSet, in the provider's namespace: server 1 is its pod 0.",
            ),
            "servers": Attribute(
                Map(STRING),
                required=True,
                description="The servers that are to vote: by `myid`, each as ZooKeeper lists it, "
                "`host:2888:3888:participant;2181`. An odd number.",
            ),
            "secret": Attribute(
                STRING,
                required=True,
                description="Name of the Secret whose `password` is that of ZooKeeper's user `super`; the chart makes "
                "`<release>-membership`. It is read when it is needed, and is in no state.",
            ),
            "applied": Attribute(
                STRING,
                required=True,
                description="`before` the release: voters that are not declared are removed, the highest id first, the "
                "leader last, and only while all that stay serve. `after` it: declared servers join, the lowest id "
                "first, each once it follows the leader.",
            ),
            "voters": Attribute(
                List(NUMBER),
                computed=True,
                description="The servers that vote, by `myid`. The plan shows here which join and which are removed.",
            ),
        },
    )

    def __init__(self, session: Session) -> None:
        self._session = session
        self._undecided: dict[str, Membership] = {}

    # ---- before the cluster ----------------------------------------------------------------------------------------

    def validate(self, config: State) -> Iterator[Diagnostic]:
        """An even number of servers, ids that are none, addresses that ZooKeeper does not take."""
        if isinstance(config["applied"], str) and config["applied"] not in {BEFORE, AFTER}:
            yield Diagnostic(
                f"applied has no value {config['applied']!r}",
                "Servers are taken out before the release, and brought in after it: say before or after.",
                path=("applied",),
            )
        servers = config["servers"]
        if not isinstance(servers, Mapping):
            return
        if not servers:
            yield Diagnostic("servers is empty", "Declare at least one server.", path=("servers",))
        yield from told(even_problems("ZooKeeper", len(servers)))
        for server, address in servers.items():
            if not re.fullmatch(r"[1-9][0-9]{0,2}", server) or int(server) > HIGHEST_SERVER_ID:
                yield Diagnostic(
                    f"{server!r} is not the id of a server",
                    f"Ids go from 1 to {HIGHEST_SERVER_ID}.",
                    path=("servers", server),
                )
            if isinstance(address, str) and not _ADDRESS.fullmatch(address):
                yield Diagnostic(
                    f"{address!r} is not how ZooKeeper lists a server",
                    "Write host:2888:3888:participant;2181: the ports for peers, for elections and for clients.",
                    path=("servers", server),
                )

    def plan(self, request: PlanRequest) -> Plan:
        """Who would come and go; what could cost the quorum is refused."""
        return self._session.addresses.checked(request, self._plan(request), _thing)

    def _plan(self, request: PlanRequest) -> Plan:
        prior, proposed = request.prior, request.proposed
        if proposed is None:
            return Plan(None)
        planned = {**proposed, "voters": UNKNOWN}
        if any(True for each in ("stateful_set", "servers", "applied") for _ in unknowns(planned[each])):
            return Plan(planned)
        if planned["applied"] == AFTER:
            planned["voters"] = sorted(_ids(planned))
            return Plan(planned)
        if prior is None or prior["voters"] is None:
            return Plan(planned, diagnostics=self._quorum_faults(prior, planned, _ids(planned)))
        voters = frozenset(map(int, prior["voters"]))
        planned["voters"] = sorted(voters & _ids(planned))
        leaving = voters - _ids(planned)
        return Plan(planned, diagnostics=self._quorum_faults(prior, planned, voters) if leaving else ())

    def _quorum_faults(self, prior: State | None, planned: State, servers: frozenset[int]) -> list[Diagnostic]:
        """Whether those that stay serve; where they cannot be asked, the apply asks again."""
        seen = self._seen(planned, servers)
        if seen is None or seen.voters is None:
            return []
        known = changes.Known(voters=seen.voters, serving=seen.modes.keys())
        return told(changes.problems(prior, planned, known))

    # ---- reading ---------------------------------------------------------------------------------------------------

    def read(self, state: State, private: bytes) -> State:  # noqa: ARG002 - the protocol's signature
        """Who votes now. Where that cannot be asked the state is kept, with a warning."""
        if self._reach() is None:
            return state
        seen = self._seen(state, _ids(state) | frozenset(map(int, state["voters"] or ())))
        if seen is None or seen.voters is None:
            warn(
                f"The voters of ZooKeeper {state['stateful_set']} were not read",
                "Its servers do not answer, or do not agree on who votes. The plan shows what was last known.",
            )
            return state
        return {**state, "voters": sorted(seen.voters)}

    def _seen(self, state: State, servers: frozenset[int]) -> "Membership | None":
        """What the servers say, waited for once in this process if they do not agree; None: they cannot be met."""
        name = state["stateful_set"]
        if name in self._undecided:
            return self._undecided[name]
        seen = self._look(state, servers, lambda look: self._session.read(f"voters of {name}", look))
        if seen is not None and seen.voters is None:
            self._undecided[name] = seen
        return seen

    def _look(
        self,
        state: State,
        servers: frozenset[int],
        ask: "Callable[[Callable[[], Membership]], Membership]" = lambda look: look(),
    ) -> "Membership | None":
        """What the servers say now; None: they cannot be met."""
        reach = self._reach()
        if reach is None:
            return None
        from hikube_kafka.provider.membership import look

        def met() -> "Membership":
            with _met(reach, state["stateful_set"], servers) as addresses:
                return look(addresses)

        try:
            return ask(met)
        except KubernetesError as problem:
            if not problem.may_pass:
                raise Refusal(_not_read(problem, state)) from None
            return None

    # ---- changing --------------------------------------------------------------------------------------------------

    def create(self, planned: State, private: bytes) -> State:  # noqa: ARG002 - the protocol's signature
        """Before a first release nobody votes, and nothing is done; after it, the first servers must."""
        if planned["applied"] == BEFORE:
            seen = self._look(planned, _ids(planned))
            voters = seen.voters if seen is not None else None
            if voters is None and self._is_deployed(planned):
                raise Refusal(
                    Diagnostic(
                        f"The voters of ZooKeeper {planned['stateful_set']} cannot be read",
                        f"There is a StatefulSet {planned['stateful_set']}, and its servers do not answer, or do not "
                        "agree on who votes. A release that runs fewer servers than vote would end their quorum: see "
                        "to it that they serve, then apply again. If nothing of them is needed, delete the "
                        "StatefulSet; its claims stay.",
                    )
                )
            if voters is not None and voters - _ids(planned):
                self._change(planned, voters)
            return {**planned, "voters": sorted((voters or frozenset()) & _ids(planned))}
        return self._change(planned, frozenset())

    def _is_deployed(self, planned: State) -> bool:
        """Whether there are servers whose votes would count, whoever made them."""
        reach = self._session.require(self._reach(), "The voters cannot be read")
        from hikube_kafka.kubernetes.client import ApiServer, ask

        async def look(api: ApiServer) -> bool:
            found = await api.find(f"/apis/apps/v1/namespaces/{api.namespace}/statefulsets/{planned['stateful_set']}")
            return found is not None and int(found["spec"].get("replicas", 1)) > 0

        try:
            return ask(reach.kubeconfig, reach.context, reach.namespace, look)
        except KubernetesError as problem:
            raise Refusal(_not_read(problem, planned)) from None

    def update(self, prior: State, planned: State, private: bytes) -> State:  # noqa: ARG002 - the protocol's signature
        """Take out or bring in; what is done by the time of a failure stays done, and the next apply does the rest."""
        voters = frozenset(map(int, prior["voters"] or ()))
        if planned["applied"] == BEFORE and voters <= _ids(planned):
            return planned
        return self._change(planned, voters)

    def _change(self, planned: State, voters: frozenset[int]) -> State:
        problem = f"The voters of ZooKeeper {planned['stateful_set']} cannot be changed"
        reach = self._session.require(self._reach(), problem)
        try:
            with self._ensemble(reach, planned, _ids(planned) | voters) as ensemble:
                if planned["applied"] == BEFORE:
                    ensemble.take_out(_ids(planned))
                else:
                    ensemble.bring_in({int(server): address for server, address in planned["servers"].items()})
        except KubernetesError as problem:
            raise Refusal(_not_read(problem, planned)) from None
        return planned

    @contextmanager
    def _ensemble(self, reach: KubernetesReach, planned: State, servers: frozenset[int]) -> "Iterator[Ensemble]":
        from hikube_kafka.provider.membership import Ensemble

        password = _password(reach, planned["secret"])
        with _met(reach, planned["stateful_set"], servers) as addresses:
            yield Ensemble(addresses, password, self._session.stopped)

    def delete(self, prior: State, private: bytes) -> None:
        """Let go of them; who votes is not touched."""

    def _reach(self) -> KubernetesReach | None:
        return self._session.kubernetes(needed_by=self.type_name)


def _thing(state: State) -> Thing | None:
    if UNKNOWN in (state["stateful_set"], state["applied"]):
        return None
    return Thing.voters(state["stateful_set"], state["applied"])


def _ids(state: State) -> frozenset[int]:
    return frozenset(map(int, state["servers"]))


@contextmanager
def _met(reach: KubernetesReach, stateful_set: str, servers: Iterable[int]) -> Iterator[Mapping[int, str]]:
    """Where each server is met from here, for as long as the context lasts."""
    from hikube_kafka.probe.forwards import forwarded
    from hikube_kafka.spec.contract import ReachByPortForward

    with forwarded(
        ReachByPortForward(
            namespace=reach.namespace, context=reach.context, kafka_pods=reach.release, zookeeper_pods=stateful_set
        ),
        brokers=(),
        zookeeper=sorted(servers),
        kubeconfig=reach.kubeconfig,
        require="any",
        pod_wait_seconds=_POD_SECONDS,
    ) as forwards:
        yield forwards.zookeeper


def _password(reach: KubernetesReach, secret: str) -> str:
    from hikube_kafka.kubernetes.client import ApiServer, ask

    async def find(api: ApiServer) -> dict[str, Any] | None:
        return await api.find(f"/api/v1/namespaces/{api.namespace}/secrets/{secret}")

    found = ask(reach.kubeconfig, reach.context, reach.namespace, find)
    try:
        # As the servers read it: a Secret made from a file often ends with a line break.
        password = base64.b64decode((found or {})["data"]["password"]).decode().rstrip("\n")
    except (KeyError, TypeError, binascii.Error, UnicodeDecodeError):
        password = ""
    if not password:
        raise Refusal(
            Diagnostic(
                f"Secret {secret} in namespace {reach.namespace} has no password",
                "It must hold, under password, that of ZooKeeper's user super, who alone may change who votes. The "
                "chart zookeeper makes one: <release>-membership.",
                path=("secret",),
            )
        )
    return password


def _not_read(problem: KubernetesError, state: State) -> Diagnostic:
    return unreadable(problem, f"The voters of ZooKeeper {state['stateful_set']}")

"""A Kubernetes cluster: credentials from a kubeconfig, its objects, the state of a pod, a stream to a port of it.

Everything here is asynchronous and belongs to an event loop that `port_forward` or `workloads` runs in a thread of its
own; callers of this library meet only its errors.
"""

import asyncio
import base64
import contextlib
import json
import os
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    import ssl

    import httpcore
    import httpx
    import wsproto.events

REQUEST_TIMEOUT_SECONDS = 10.0
"""For one answer of the API server, and for a stream to a pod to open: a stream to a dead node never would."""

PING_INTERVAL_SECONDS = 3.0
"""How long a stream may be silent before it is asked for a sign of life, and how long it may take to give it."""

_PROTOCOL = "v4.channel.k8s.io"
"""Kubernetes' protocol for port-forwards over a websocket: the first byte of a message names its channel."""

_ERROR = 1
"""The channel on which the node says why it gave up; channel 0 carries the data."""

_READ_BYTES = 256 * 1024

_SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where a pod finds the credentials of its service account."""


class KubernetesError(Exception):
    """A cluster cannot be reached as declared; the message says why and what to do."""


class KubeconfigError(KubernetesError):
    """The kubeconfig is not there or gives no usable credentials.

    Attributes:
        paths: The files that were looked for.
        reason: What is wrong with them.
    """

    def __init__(self, paths: Sequence[str], reason: str) -> None:
        self.paths = tuple(paths)
        self.reason = reason
        super().__init__(
            f"kubeconfig {os.pathsep.join(paths)}: {reason}. Name one that `kubectl --kubeconfig FILE version` "
            "works with, in the declaration or in the environment variable KUBECONFIG."
        )


class ContextUnknownError(KubernetesError):
    """The declared context is not in the kubeconfig.

    Attributes:
        context: The declared name; None means that none was declared and the kubeconfig has no current one either.
        known: The names that the kubeconfig has.
        paths: The kubeconfig's files.
    """

    def __init__(self, context: str | None, known: Sequence[str], paths: Sequence[str]) -> None:
        self.context = context
        self.known = tuple(known)
        self.paths = tuple(paths)
        wanted = f"no context {context!r}" if context else "no current context, and none was declared"
        super().__init__(
            f"kubeconfig {os.pathsep.join(paths)} has {wanted}; it has {', '.join(map(repr, known)) or 'none'}. "
            "Declare one of them as the context."
        )


class ApiServerError(KubernetesError):
    """The API server did not answer, or answered with something that is no answer.

    Attributes:
        server: Its address.
        reason: What happened.
    """

    def __init__(self, server: str, reason: str) -> None:
        self.server = server
        self.reason = reason
        super().__init__(
            f"the Kubernetes API server {server}: {reason}. Check that it is the right cluster and that this machine "
            "reaches it (network, VPN, proxy): `kubectl version` with the same kubeconfig and context must work."
        )


class CredentialsRefusedError(KubernetesError):
    """The API server does not know who asks (401), also after the credentials were read anew.

    Attributes:
        server: Its address.
    """

    def __init__(self, server: str) -> None:
        self.server = server
        super().__init__(
            f"the Kubernetes API server {server} refuses the kubeconfig's credentials (401). They have probably "
            "expired: log in again."
        )


class ForbiddenError(KubernetesError):
    """The API server knows who asks and says no (403).

    Attributes:
        namespace: The namespace of the objects.
        resource: What was refused: ``pods``, ``pods/portforward``, or the path of an object.
        answer: The API server's own words, which name the verb that is missing.
    """

    def __init__(self, namespace: str, resource: str, answer: str) -> None:
        self.namespace = namespace
        self.resource = resource
        self.answer = answer
        # A stream over a websocket is authorized as `get`; from Kubernetes 1.35 on as `create` too, as kubectl's is.
        needed = (
            "Port-forwards need a Role there with the verb get on pods, and get and create on pods/portforward, bound "
            "to the kubeconfig's user."
            if resource.startswith("pods")
            else "Bind a role that allows it to the kubeconfig's user."
        )
        super().__init__(f"not allowed in namespace {namespace}: {answer}. {needed}")


class ChangeRefusedError(KubernetesError):
    """The API server refuses a change: the object's own rules, a quota, an admission webhook.

    Attributes:
        answer: The API server's own words.
    """

    def __init__(self, answer: str) -> None:
        self.answer = answer
        super().__init__(f"the API server refuses it: {answer}")


class NamespaceMissingError(KubernetesError):
    """The namespace is not in this cluster.

    Attributes:
        namespace: Its name.
        server: The address of the cluster's API server.
    """

    def __init__(self, namespace: str, server: str) -> None:
        self.namespace = namespace
        self.server = server
        super().__init__(
            f"there is no namespace {namespace} in the cluster at {server}. Check the namespace and the context: this "
            "may be another cluster than the one that was deployed to."
        )


class StreamError(KubernetesError):
    """A stream to a port of a pod could not be opened, or broke.

    Attributes:
        pod: Name of the pod.
        port: The port inside it.
        reason: What happened.
    """

    def __init__(self, pod: str, port: int, reason: str) -> None:
        self.pod = pod
        self.port = port
        self.reason = reason
        super().__init__(f"pod {pod}, port {port}: {reason}")


@dataclass(frozen=True, kw_only=True)
class PodState:
    """What the API server says of one pod.

    Attributes:
        uid: Its identity: a pod that was replaced has the same name and another one. None: there is no such pod.
        running: Whether one of its containers runs; streams can be opened then.
        summary: Its state in words.
    """

    uid: str | None
    running: bool
    summary: str


class PodStream:
    """A stream of bytes to one port of one pod: one websocket to the node's kubelet, through the API server."""

    def __init__(self, pod: str, port: int, network: "httpcore.AsyncNetworkStream") -> None:
        from wsproto.connection import (  # noqa: PLC0415 - the provider's cold start must not pay for Kubernetes
            Connection,
            ConnectionType,
        )

        self._pod = pod
        self._port = port
        self._network = network
        self._frames = Connection(ConnectionType.CLIENT)
        self._sending = asyncio.Lock()
        self._arrived: list[bytes] = []
        self._ended = False
        self._channel: int | None = None
        self._greeted: set[int] = set()
        self._greeting = False
        self._heard = asyncio.Event()
        self._listening = False

    async def send(self, data: bytes) -> None:
        """Send bytes; waits while the other end takes none."""
        import wsproto.events  # noqa: PLC0415 - as above

        await self._write(wsproto.events.BytesMessage(data=b"\0" + data))

    async def receive(self) -> bytes:
        """Receive some bytes; ``b""`` once the other end has closed.

        Raises:
            StreamError: Nothing in the pod listens on the port, or the connection to the API server broke.
        """
        import httpcore  # noqa: PLC0415 - as above

        while not self._arrived and not self._ended:
            self._listening = True
            try:
                raw = await self._network.read(_READ_BYTES)
            except httpcore.ReadError as error:
                raise self._broken(error) from error
            finally:
                self._listening = False
            self._heard.set()
            await self._digest(raw)
        data, self._arrived = b"".join(self._arrived), []
        return data

    async def stay_answered(self) -> None:
        """Return never while the node answers.

        The node of the pod can vanish without a word, and nothing on the way would ever tell: a ping is answered by
        the kubelet itself, on this very stream. It also keeps balancers in front of the API server from dropping an
        idle stream.

        Raises:
            StreamError: Nothing came for two intervals, although a ping asked for it. Either the node is gone, or the
                ping waits behind data that the pod does not take.
        """
        import wsproto.events  # noqa: PLC0415 - as above

        while True:
            await asyncio.sleep(PING_INTERVAL_SECONDS)
            if self._heard.is_set() or not self._listening:  # our own client may take nothing: that is no silence
                self._heard.clear()
                continue
            try:
                async with asyncio.timeout(PING_INTERVAL_SECONDS):
                    await self._write(wsproto.events.Ping())
                    await self._heard.wait()
            except TimeoutError:
                reason = f"its node has not answered for {2 * PING_INTERVAL_SECONDS:g} s"
                raise StreamError(self._pod, self._port, reason) from None

    async def _digest(self, raw: bytes) -> None:
        import wsproto.events  # noqa: PLC0415 - as above

        self._frames.receive_data(raw or None)
        for event in self._frames.events():
            if isinstance(event, wsproto.events.Ping):
                await self._write(event.response())
            elif isinstance(event, wsproto.events.CloseConnection):
                self._ended = True
            elif isinstance(event, wsproto.events.BytesMessage):
                self._take(bytes(event.data))
                if event.message_finished:
                    self._channel = None

    def _take(self, data: bytes) -> None:
        if self._channel is None:
            if not data:
                return
            self._channel, data = data[0], data[1:]
            self._greeting = self._channel not in self._greeted
            self._greeted.add(self._channel)
        if self._greeting:  # the first message of a channel repeats the port's number
            return
        if self._channel == _ERROR:
            raise StreamError(self._pod, self._port, data.decode(errors="replace").strip())
        if data:
            self._arrived.append(data)

    async def _write(self, event: "wsproto.events.Event") -> None:
        import httpcore  # noqa: PLC0415 - as above
        import wsproto.utilities  # noqa: PLC0415

        async with self._sending:
            try:
                await self._network.write(self._frames.send(event))
            except (httpcore.WriteError, wsproto.utilities.LocalProtocolError) as error:
                raise self._broken(error) from error

    def _broken(self, error: Exception) -> StreamError:
        return StreamError(self._pod, self._port, f"the connection to the API server broke: {_words(error)}")


class Cluster:
    """One cluster, seen with the credentials of one context of a kubeconfig."""

    def __init__(
        self, paths: Sequence[str], context: str | None, namespace: str, stack: contextlib.AsyncExitStack
    ) -> None:
        # kr8s carries the kubeconfig: merging several files, contexts, certificates, tokens, exec plugins. It does not
        # carry the streams, tried with 0.20: its PortForward has no time limit towards a dead node, retries without a
        # pause or an end (its counter of attempts is never raised), leaves its threads running, and a 401 on any
        # request closes the session under all open streams; its private keys stay behind in the temporary directory.
        # The official client is no better (one thread per connection that polls, SPDY-era errors) and a large import.
        # Hence: credentials from kr8s, requests and streams by the libraries beneath it (httpx, wsproto). Its
        # KubeAuth is taken directly because kr8s.asyncio.api() caches by thread and loop identity, both of which come
        # again, and forgets which contexts a kubeconfig has when the declared one is missing.
        from kr8s._auth import KubeAuth  # noqa: PLC0415 - half a second that only a user of port-forwards pays

        self._paths = tuple(paths)
        self._context = context
        self.namespace = namespace
        self._stack = stack
        self._auth = KubeAuth(
            kubeconfig=os.pathsep.join(paths),
            serviceaccount="" if any(Path(path).is_file() for path in paths) else str(_SERVICE_ACCOUNT),
            namespace=namespace,
            context=context,
        )
        self._client: httpx.AsyncClient
        self._renewing = asyncio.Lock()

    @property
    def server(self) -> str:
        """Address of the API server."""
        return str(self._auth.server)

    @classmethod
    @contextlib.asynccontextmanager
    async def connected(cls, kubeconfig: str | None, context: str | None, namespace: str) -> AsyncIterator[Self]:
        """Read the kubeconfig and keep connections to its cluster until the context ends.

        Args:
            kubeconfig: The file, or several joined as in ``KUBECONFIG``; None means ``KUBECONFIG``, then
                ``~/.kube/config``, then the service account of the pod that this runs in, as kubectl does.
            context: Name of the context; None means the current one.
            namespace: Where the pods are.

        Raises:
            KubeconfigError: It is missing, or its credentials cannot be used.
            ContextUnknownError: It has no such context.
        """
        paths = _kubeconfig_files(kubeconfig)
        async with contextlib.AsyncExitStack() as stack:
            cluster = cls(paths, context, namespace, stack)
            await cluster._renew()
            yield cluster

    async def pod(self, name: str) -> PodState:
        """Ask for one pod.

        Raises:
            ForbiddenError: The verb get on pods is missing.
            NamespaceMissingError: There is no such namespace.
            ApiServerError: No answer.
            CredentialsRefusedError: Credentials have expired.
        """
        response = await self._get(f"/api/v1/namespaces/{self.namespace}/pods/{name}")
        if response.status_code == 403:  # noqa: PLR2004 - HTTP's own number
            raise ForbiddenError(self.namespace, "pods", _answer(response))
        if response.status_code == 404:  # noqa: PLR2004
            # A missing pod and a missing namespace look alike; whoever may not read namespaces sees a missing pod.
            namespace = await self._get(f"/api/v1/namespaces/{self.namespace}")
            if namespace.status_code == 404:  # noqa: PLR2004
                raise NamespaceMissingError(self.namespace, self.server)
            return PodState(uid=None, running=False, summary="there is no such pod")
        if response.is_error:
            raise ApiServerError(self.server, f"{response.status_code} {_answer(response)}")
        return _state_of(response.json())

    async def listed(self, resource: str, *, api: str = "api/v1", namespaced: bool = True) -> list[Mapping[str, Any]]:
        """List objects: of the namespace, or of the whole cluster.

        Raises:
            ForbiddenError, ApiServerError, CredentialsRefusedError: as for :meth:`find`.
        """
        scope = f"namespaces/{self.namespace}/" if namespaced else ""
        found = await self.find(f"/{api}/{scope}{resource}")
        return list(found["items"]) if found else []

    async def find(self, path: str) -> dict[str, Any] | None:
        """Ask for an object, or for a list of objects, by its path below the API server; None: there is none.

        Raises:
            ForbiddenError: The verb get (or list) on it is missing.
            ApiServerError: No answer.
            CredentialsRefusedError: Credentials have expired.
        """
        response = await self._get(path)
        if response.status_code == 404:  # noqa: PLR2004 - HTTP's own numbers
            return None
        if response.status_code == 403:  # noqa: PLR2004
            raise ForbiddenError(self.namespace, path, _answer(response))
        if response.is_error:
            raise ApiServerError(self.server, f"{response.status_code} {_answer(response)}")
        found: dict[str, Any] = response.json()
        return found

    async def patch(self, path: str, change: Mapping[str, Any]) -> None:
        """Change an object by a JSON merge patch.

        Raises:
            ChangeRefusedError: The API server refuses it, or the user may not.
            ApiServerError: No answer.
            CredentialsRefusedError: Credentials have expired.
        """
        await self._change("PATCH", path, change, "application/merge-patch+json")

    async def delete(self, path: str, options: Mapping[str, Any]) -> None:
        """Delete an object, with DeleteOptions; that it is gone already is success.

        Raises:
            ChangeRefusedError: The API server refuses it, or the user may not.
            ApiServerError: No answer.
            CredentialsRefusedError: Credentials have expired.
        """
        await self._change("DELETE", path, {"apiVersion": "v1", "kind": "DeleteOptions", **options}, "application/json")

    async def _change(self, method: str, path: str, body: Mapping[str, Any], media_type: str) -> None:
        response = await self._request(
            method, path, content=json.dumps(body).encode(), headers={"Content-Type": media_type}
        )
        if response.status_code == 404 and method == "DELETE":  # noqa: PLR2004 - HTTP's own number
            return
        if response.is_client_error:
            raise ChangeRefusedError(_answer(response))
        if response.is_error:
            raise ApiServerError(self.server, f"{response.status_code} {_answer(response)}")

    @contextlib.asynccontextmanager
    async def stream(self, pod: str, port: int) -> AsyncIterator[PodStream]:
        """Open a stream to a port inside a pod.

        Raises:
            ForbiddenError: The verbs on pods/portforward are missing.
            StreamError: It did not open in time, or the node refused it.
        """
        import httpx  # noqa: PLC0415 - as above

        async with contextlib.AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(REQUEST_TIMEOUT_SECONDS):
                    response = await stack.enter_async_context(
                        self._client.stream(
                            "GET",
                            f"/api/v1/namespaces/{self.namespace}/pods/{pod}/portforward",
                            params={"ports": str(port)},
                            headers={
                                **self._bearer(),
                                "Connection": "Upgrade",
                                "Upgrade": "websocket",
                                "Sec-WebSocket-Version": "13",
                                "Sec-WebSocket-Key": base64.b64encode(secrets.token_bytes(16)).decode(),
                                "Sec-WebSocket-Protocol": _PROTOCOL,
                            },
                        )
                    )
                    if response.status_code != 101:  # noqa: PLR2004 - HTTP's own numbers
                        await response.aread()
            except (httpx.HTTPError, OSError) as error:  # a TimeoutError is an OSError
                reason = (
                    f"no stream to its node within {REQUEST_TIMEOUT_SECONDS:g} s"
                    if isinstance(error, (TimeoutError, httpx.TimeoutException))
                    else _words(error)
                )
                raise StreamError(pod, port, reason) from error
            if response.status_code == 401:  # noqa: PLR2004
                await self._renew()
            if response.status_code == 403:  # noqa: PLR2004
                raise ForbiddenError(self.namespace, "pods/portforward", _answer(response))
            if response.status_code != 101:  # noqa: PLR2004
                raise StreamError(pod, port, f"{response.status_code} {_answer(response)}")
            yield PodStream(pod, port, response.extensions["network_stream"])

    async def _get(self, path: str) -> "httpx.Response":
        return await self._request("GET", path)

    async def _request(
        self, method: str, path: str, *, content: bytes | None = None, headers: Mapping[str, str] = MappingProxyType({})
    ) -> "httpx.Response":
        import httpx  # noqa: PLC0415 - as above

        async def ask() -> "httpx.Response":
            return await self._client.request(method, path, content=content, headers={**headers, **self._bearer()})

        try:
            response = await ask()
            if response.status_code == 401:  # noqa: PLR2004
                await self._renew()
                response = await ask()
        except (httpx.HTTPError, OSError) as error:
            raise ApiServerError(self.server, _words(error)) from error
        if response.status_code == 401:  # noqa: PLR2004
            raise CredentialsRefusedError(self.server)
        return response

    def _bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._auth.token}"} if self._auth.token else {}

    async def _renew(self) -> None:
        """Read the credentials (anew) and talk with them from now on; streams that are open stay open."""
        import httpx  # noqa: PLC0415 - as above

        async with self._renewing:
            verify = await self._credentials()
            self._client = await self._stack.enter_async_context(
                httpx.AsyncClient(
                    base_url=self.server,
                    verify=verify,
                    proxy=self._auth.proxy,
                    timeout=REQUEST_TIMEOUT_SECONDS,
                    # Every stream holds one connection; the default of 100 would let the next client hang.
                    limits=httpx.Limits(max_connections=None, max_keepalive_connections=10),
                )
            )

    async def _credentials(self) -> "ssl.SSLContext | bool":
        try:
            await self._auth.reauthenticate()
            verify: ssl.SSLContext | bool = await self._auth.ssl_context()  # type: ignore[no-untyped-call]
        except Exception as error:  # noqa: BLE001 - kr8s, YAML and exec plugins each fail in ways of their own
            self._refuse_unknown_context()
            # What a parser says can quote the file, and the file holds secrets: its kind of error must do.
            told = isinstance(error, (ValueError, OSError, RuntimeError)) and str(error)
            raise KubeconfigError(self._paths, told or f"cannot be used ({type(error).__name__})") from None
        finally:
            self._remove_key_files()
        self._refuse_unknown_context()
        return verify

    def _refuse_unknown_context(self) -> None:
        """Where no context is named at all, kr8s would take the first one: any cluster, that is."""
        try:
            known = [str(context["name"]) for context in self._auth.kubeconfig.contexts]
        except (AttributeError, KeyError, TypeError):  # it could not be read that far: another error tells of it
            return
        try:
            wanted = self._context or self._auth.kubeconfig.current_context
        except KeyError:
            wanted = None
        if wanted not in known:
            raise ContextUnknownError(wanted or None, known, self._paths) from None

    def _remove_key_files(self) -> None:
        """Remove what kr8s wrote to temporary files (and only that): inline keys and certificates."""
        user, cluster = self._auth._user, self._auth._cluster  # noqa: SLF001 - they tell written files from named ones
        for holder, entry, file in (
            (user, "client-key", self._auth.client_key_file),
            (user, "client-certificate", self._auth.client_cert_file),
            (cluster, "certificate-authority", self._auth.server_ca_file),
        ):
            if f"{entry}-data" in holder and file and str(file) != holder.get(entry):
                Path(str(file)).unlink(missing_ok=True)


def _kubeconfig_files(declared: str | None) -> list[str]:
    named = declared or os.environ.get("KUBECONFIG")
    paths = [str(Path(path).expanduser()) for path in (named or "~/.kube/config").split(os.pathsep) if path]
    if not any(Path(path).is_file() for path in paths) and (named or not _SERVICE_ACCOUNT.is_dir()):
        raise KubeconfigError(paths, "there is no such file")
    return paths


def _state_of(pod: Mapping[str, Any]) -> PodState:
    containers = pod.get("status", {}).get("containerStatuses", [])
    return PodState(
        uid=str(pod["metadata"]["uid"]),
        running=any("running" in container.get("state", {}) for container in containers),
        summary=summary(pod),
    )


def summary(pod: Mapping[str, Any]) -> str:
    """The state of a pod in words: its phase, and the reasons that Kubernetes gives."""
    status = pod.get("status", {})
    phase = str(status.get("phase", "Unknown"))
    details = [
        f"{container['name']} {state}: {detail['reason']}"
        for container in status.get("containerStatuses", [])
        for state, detail in container.get("state", {}).items()
        if detail.get("reason")
    ]
    details += [
        str(condition["message"])
        for condition in status.get("conditions", [])
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False" and condition.get("message")
    ]
    if "deletionTimestamp" in pod["metadata"]:
        phase = "Terminating"
    return f"{phase} ({'; '.join(details)})" if details else phase


def _answer(response: "httpx.Response") -> str:
    """What the API server said: the message of its Status object, where it sent one."""
    import httpx  # noqa: PLC0415 - as above

    try:
        return str(response.json()["message"])
    except (ValueError, KeyError, TypeError, httpx.ResponseNotRead):
        return response.reason_phrase


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__

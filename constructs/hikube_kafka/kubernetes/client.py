"""The API server of a cluster: credentials of a kubeconfig, objects, the state of a pod, a stream to a port of it.

Everything but `ask` is asynchronous, and belongs to the event loop of its caller.
"""

import asyncio
import base64
import contextlib
import json
import os
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from hikube_kafka.kubernetes.errors import (
    ApiServerError,
    ChangeRefusedError,
    ContextUnknownError,
    CredentialsRefusedError,
    ForbiddenError,
    KubeconfigError,
    KubernetesError,
    NamespaceMissingError,
    StreamError,
    words,
)
from hikube_kafka.kubernetes.kubeconfig import SERVICE_ACCOUNT, kubeconfig
from hikube_kafka.kubernetes.stream import PROTOCOL, PodStream

if TYPE_CHECKING:
    import ssl

    import httpx

Answer = TypeVar("Answer")

REQUEST_TIMEOUT_SECONDS = 10.0
"""For one answer of the API server, and for a stream to a pod to open: a stream to a dead node never would."""

METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
"""A list of objects, each without its content: enough to know Secrets by, and nothing secret."""


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


class ApiServer:
    """The API server of one cluster, asked with the credentials of one context of a kubeconfig."""

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
        # again, and forgets which contexts a kubeconfig has when the declared one is missing. Half a second to load.
        from kr8s._auth import KubeAuth

        self._paths = tuple(paths)
        self._context = context
        self.namespace = namespace
        self._stack = stack
        self._auth = KubeAuth(
            kubeconfig=os.pathsep.join(paths),
            serviceaccount="" if any(Path(path).is_file() for path in paths) else str(SERVICE_ACCOUNT),
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
    async def connected(cls, declared: str | None, context: str | None, namespace: str) -> AsyncIterator[Self]:
        """Read the kubeconfig and keep connections to its cluster until the context ends.

        Args:
            declared: The kubeconfig: a file, or several joined as in ``KUBECONFIG``; None means what the environment
                says: see `hikube_kafka.kubernetes.kubeconfig.kubeconfig`.
            context: Name of the context; None means ``KUBE_CTX``, then the current one.
            namespace: Where the pods are.

        Raises:
            KubeconfigError: It is missing, or its credentials cannot be used.
            ContextUnknownError: It has no such context.
        """
        found = kubeconfig(declared, context)
        async with contextlib.AsyncExitStack() as stack:
            api = cls(found.files, found.context, namespace, stack)
            await api._renew()
            yield api

    @property
    def context(self) -> str | None:
        """The context that is used; None where there is none, as inside a pod."""
        if self._context:
            return self._context
        try:
            return str(self._auth.kubeconfig.current_context)
        except (AttributeError, KeyError, TypeError):
            return None

    async def cluster(self) -> str | None:
        """What tells this cluster apart from every other: the UID of its namespace ``kube-system``.

        None: the user may not read it, or the API server does not say.
        """
        try:
            found = await self.find("/api/v1/namespaces/kube-system")
        except KubernetesError:
            return None
        return str(found["metadata"]["uid"]) if found else None

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

    async def require_namespace(self) -> None:
        """See that the namespace is there, as far as the user may.

        Raises:
            NamespaceMissingError: It is not.
            ApiServerError: No answer.
            CredentialsRefusedError: Credentials have expired.
        """
        with contextlib.suppress(ForbiddenError):
            if await self.find(f"/api/v1/namespaces/{self.namespace}") is None:
                raise NamespaceMissingError(self.namespace, self.server)

    async def listed(self, resource: str, *, api: str = "api/v1", namespaced: bool = True) -> list[Mapping[str, Any]]:
        """List objects: of the namespace, or of the whole cluster.

        Raises:
            ForbiddenError, ApiServerError, CredentialsRefusedError: as for :meth:`find`.
        """
        scope = f"namespaces/{self.namespace}/" if namespaced else ""
        found = await self.find(f"/{api}/{scope}{resource}")
        return list(found["items"]) if found else []

    async def find(self, path: str, *, accept: str = "application/json") -> dict[str, Any] | None:
        """Ask for an object, or for a list of objects, by its path below the API server; None: there is none.

        Args:
            path: It may have a query.
            accept: As what it is wanted: ``METADATA`` leaves out all but the metadata.

        Raises:
            ForbiddenError: The verb get (or list) on it is missing.
            ApiServerError: No answer.
            CredentialsRefusedError: Credentials have expired.
        """
        response = await self._request("GET", path, headers={"Accept": accept})
        if response.status_code == 404:  # noqa: PLR2004 - HTTP's own numbers
            return None
        if response.status_code == 403:  # noqa: PLR2004
            raise ForbiddenError(self.namespace, path, _answer(response))
        if response.is_error:
            raise ApiServerError(self.server, f"{response.status_code} {_answer(response)}")
        found: dict[str, Any] = response.json()
        return found

    async def log(self, pod: str, container: str, *, lines: int, previous: bool) -> list[str]:
        """The last lines that a container has written, or that the one before its restart had; none where none are.

        Raises:
            ForbiddenError: The verb get on pods/log is missing.
            ApiServerError: No answer.
            CredentialsRefusedError: Credentials have expired.
        """
        path = f"/api/v1/namespaces/{self.namespace}/pods/{pod}/log"
        response = await self._get(f"{path}?container={container}&tailLines={lines}&previous={str(previous).lower()}")
        if response.status_code == 403:  # noqa: PLR2004 - HTTP's own number
            raise ForbiddenError(self.namespace, "pods/log", _answer(response))
        return [] if response.is_error else response.text.splitlines()

    async def create(self, path: str, body: Mapping[str, Any]) -> None:
        """Create an object in a list of its kind, by the list's path.

        Raises:
            ChangeRefusedError: The API server refuses it, or the user may not.
            ApiServerError: No answer.
            CredentialsRefusedError: Credentials have expired.
        """
        await self._change("POST", path, body, "application/json")

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
        import httpx

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
                                "Sec-WebSocket-Protocol": PROTOCOL,
                            },
                        )
                    )
                    if response.status_code != 101:  # noqa: PLR2004 - HTTP's own numbers
                        await response.aread()
            except (httpx.HTTPError, OSError) as error:  # a TimeoutError is an OSError
                reason = (
                    f"no stream to its node within {REQUEST_TIMEOUT_SECONDS:g} s"
                    if isinstance(error, (TimeoutError, httpx.TimeoutException))
                    else words(error)
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
        import httpx

        async def answer() -> "httpx.Response":
            return await self._client.request(method, path, content=content, headers={**headers, **self._bearer()})

        try:
            response = await answer()
            if response.status_code == 401:  # noqa: PLR2004
                await self._renew()
                response = await answer()
        except (httpx.HTTPError, OSError) as error:
            raise ApiServerError(self.server, words(error)) from error
        if response.status_code == 401:  # noqa: PLR2004
            raise CredentialsRefusedError(self.server)
        return response

    def _bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._auth.token}"} if self._auth.token else {}

    async def _renew(self) -> None:
        """Read the credentials (anew) and talk with them from now on; streams that are open stay open."""
        import httpx

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


def ask(
    declared: str | None, context: str | None, namespace: str, work: Callable[[ApiServer], Awaitable[Answer]]
) -> Answer:
    """Do something with a connection to the API server, and wait for it; not for use inside an event loop.

    Args:
        declared: As for :meth:`ApiServer.connected`.
        context: Likewise.
        namespace: Likewise.
        work: What to do.

    Raises:
        KubernetesError: The API server cannot be reached as declared.
    """

    async def connected() -> Answer:
        async with ApiServer.connected(declared, context, namespace) as api:
            return await work(api)

    return asyncio.run(connected())


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
    import httpx

    try:
        return str(response.json()["message"])
    except (ValueError, KeyError, TypeError, httpx.ResponseNotRead):
        return response.reason_phrase

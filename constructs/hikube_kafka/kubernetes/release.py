"""A Helm release, as its Secrets have it: one for each revision."""

import base64
import gzip
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hikube_kafka.kubernetes.client import METADATA, ApiServer
from hikube_kafka.kubernetes.errors import ForbiddenError


@dataclass(frozen=True, kw_only=True)
class Revision:
    """One revision of a release."""

    secret: str
    """Name of the Secret that records it."""
    number: int
    status: str
    """Helm's own word: ``deployed``, ``pending-upgrade``."""
    since: str
    """When it began, as the API server writes times."""

    @property
    def pending(self) -> bool:
        """Whether Helm was at work when it was recorded: nobody else may touch the release until it has ended."""
        return self.status.startswith("pending-")


async def newest_revision(api: ApiServer, release: str) -> Revision | None:
    """The newest revision of a release; None: there is none, or the user may not read Secrets.

    Raises:
        KubernetesError: It cannot be read.
    """
    path = f"/api/v1/namespaces/{api.namespace}/secrets?labelSelector=owner%3Dhelm%2Cname%3D{release}"
    try:
        found = await api.find(path, accept=METADATA)
    except ForbiddenError:
        return None
    revisions = [_revision(each["metadata"]) for each in (found or {}).get("items") or ()]
    return max(revisions, key=lambda each: each.number, default=None)


def _revision(metadata: Mapping[str, Any]) -> Revision:
    labels = metadata.get("labels", {})
    return Revision(
        secret=str(metadata["name"]),
        number=int(labels.get("version", 0)),
        status=str(labels.get("status", "")),
        since=str(metadata["creationTimestamp"]),
    )


async def manifest(api: ApiServer, revision: Revision, kind: str, name: str) -> dict[str, Any] | None:
    """An object as a revision of a release has it; None: it has none of that kind and name, or cannot be read.

    Raises:
        KubernetesError: The API server does not answer.
    """
    import yaml

    try:
        secret = await api.find(f"/api/v1/namespaces/{api.namespace}/secrets/{revision.secret}")
        packed = base64.b64decode(base64.b64decode((secret or {})["data"]["release"]))
        release = json.loads(gzip.decompress(packed))
        objects = list(yaml.safe_load_all(release["manifest"]))
    except (ForbiddenError, KeyError, TypeError, ValueError, OSError, EOFError, zlib.error, yaml.YAMLError):
        return None
    for each in objects:
        if each and each.get("kind") == kind and each["metadata"]["name"] == name:
            own = each["metadata"]
            # As Helm marks what it makes: an object without it is somebody else's to it.
            own["labels"] = {**own.get("labels", {}), "app.kubernetes.io/managed-by": "Helm"}
            own["annotations"] = {
                **own.get("annotations", {}),
                "meta.helm.sh/release-name": release["name"],
                "meta.helm.sh/release-namespace": release["namespace"],
            }
            return dict(each)
    return None

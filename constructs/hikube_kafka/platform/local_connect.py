"""Workers of Kafka Connect on this machine as a construct: ``hikube_local_connect``."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from os.path import expanduser, normpath

from hikube_kafka.platform import terraform
from hikube_kafka.platform.apart import Parts
from hikube_kafka.platform.arguments import checked_part
from hikube_kafka.platform.cdk import Construct, ITerraformDependable
from hikube_kafka.platform.provider import HikubeProvider, HikubeResource
from hikube_kafka.spec.ensemble import PluginSource, ServerProcess
from hikube_kafka.spec.rules.apart import Taken
from hikube_kafka.spec.targets.local import APP_DIRECTORY_TWICE, APP_PORTS_TWICE

_SHIFT = 1_000


class LocalConnect(HikubeResource):
    """Real workers as processes of this machine, which outlive Terraform and stop when it destroys them.

    Args:
        scope: the construct that holds it.
        id: its id within the scope.
        name: name of the Connect cluster on this machine.
        workers: the workers, complete.
        plugins: what they load.
        directory: folder of configuration, plugins and logs; ``~`` is the user's home. None means
            ``~/.local/share/hikube-kafka/<name>``.
        kafka_home: an unpacked Kafka distribution to run from; None means the jars that Maven brings into the cache.
        provider: the provider's block; None means the stack's default.
        depends_on: what must be applied before: the topics of the workers.
    """

    promised = frozenset({"workers", "plugins"})

    @checked_part
    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 - the CDK's own name for it
        *,
        name: str,
        workers: Iterable[ServerProcess],
        plugins: Iterable[PluginSource] = (),
        directory: str | None = None,
        kafka_home: str | None = None,
        provider: HikubeProvider | None = None,
        depends_on: Sequence[ITerraformDependable] | None = None,
    ) -> None:
        self._workers = tuple(workers)
        super().__init__(
            scope,
            id,
            "hikube_local_connect",
            {
                "name": name,
                "directory": directory,
                "workers": [
                    {"id": each.id, "heap": each.heap, "properties": terraform.literal(dict(each.properties))}
                    for each in self._workers
                ],
                "plugins": [
                    {
                        "name": each.name,
                        "maven": each.maven,
                        "archive": terraform.literal(each.archive),
                        "checksum": each.checksum,
                    }
                    for each in plugins
                ],
                "kafka_home": kafka_home,
            },
            provider=provider,
            depends_on=depends_on,
        )

    def occupies(self, parts: Parts) -> Iterator[Taken]:
        """Ports of this machine, and a folder on it."""
        part = parts.part(self)
        ports = sorted({port for each in self._workers for port in each.ports})
        for port in ports:
            yield Taken(
                by=part,
                part=part,
                thing=str(port),
                rule=APP_PORTS_TWICE,
                keys=frozenset({port}),
                facts={"layout": f"connect_port={ports[0] + _SHIFT}"},
            )
        directory = self.declared["directory"] or f"~/.local/share/hikube-kafka/{self.declared['name']}"
        if "${" not in directory:
            yield Taken(
                by=part,
                part=part,
                thing=directory,
                rule=APP_DIRECTORY_TWICE,
                keys=frozenset({normpath(expanduser(directory))}),  # noqa: PTH111 - Path's own raises a RuntimeError
            )

    @property
    def path(self) -> str:
        """The absolute path of its folder: a reference."""
        return self.get_string_attribute("path")

    @property
    def owner(self) -> str:
        """Id of its creation, which is written into its folder too: a reference."""
        return self.get_string_attribute("owner")

    @property
    def urls(self) -> str:
        """URLs of the workers' REST interfaces, separated by commas: a reference."""
        return self.get_string_attribute("urls")

    @property
    def processes(self) -> Mapping[str, str]:
        """Each worker by name with what it is, ``running`` or not: a reference."""
        return self.get_string_map_attribute("processes")

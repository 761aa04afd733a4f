"""A pod that stands for what is outside of a platform: a PostgreSQL server, and a web server with files to fetch."""

import io
import json
import os
import re
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.support.kubernetes import kubectl, pods_ready
from tests.support.waiting import until
from usecases.debian import unpacked

IMAGE = "apache/kafka:3.9.2"
"""With a shell and Perl: nothing of Kafka is used."""
PROGRAMS = "usr/lib/postgresql/15"
WEB_SERVER = r"""
$SIG{CHLD} = "IGNORE";
my $server = IO::Socket::INET->new(LocalPort => 8000, Listen => 9, ReuseAddr => 1) or die;
while (my $client = $server->accept) {
  next if fork;
  my ($name) = <$client> =~ m{^GET /([\w.-]+) };
  while (<$client> =~ /\S/) {}
  open my $file, "<:raw", "/here/files/$name" or do { print $client "HTTP/1.0 404 Not Found\r\n\r\n"; exit };
  print $client "HTTP/1.0 200 OK\r\n\r\n";
  print $client $_ while read $file, $_, 65536;
  exit;
}
"""
START = r"""
set -e
export LD_LIBRARY_PATH=/here/libraries LC_ALL=C
programs=/here/usr/lib/postgresql/15/bin data=/here/data
$programs/initdb -D $data --username=postgres --auth=trust --encoding=UTF8 --locale=C --no-sync >/dev/null
echo 'host all all 0.0.0.0/0 scram-sha-256' >>$data/pg_hba.conf
setsid nohup $programs/postgres -D $data -h '*' -k /tmp -c wal_level=logical >/tmp/postgres.log 2>&1 </dev/null &
setsid nohup perl -MIO::Socket::INET /here/files/server.pl >/tmp/web.log 2>&1 </dev/null &
"""


class PodOutside:
    """The pod and its service, both called ``outside``: PostgreSQL on 5432, files on 8000.

    Args:
        namespace: where it runs.
        files: what is to be fetched, by its path on this machine; it keeps its name.
    """

    def __init__(self, namespace: str, files: list[Path]) -> None:
        self._namespace = namespace
        for each in _objects():
            kubectl("-n", namespace, "apply", "-f", "-", stdin=json.dumps(each))
        pods_ready(namespace, "pod/outside")
        subprocess.run(
            ["kubectl", "-n", namespace, "exec", "-i", "outside", "--", "tar", "-xf", "-", "-C", "/here"],
            input=_packed(files),
            check=True,
            timeout=120,
        )
        self._run("bash", "-c", START)
        until(self._answers, "PostgreSQL answers", 60, every=1)

    def sql(self, statement: str, database: str = "shop", user: str = "shop") -> list[str]:
        """Run a statement; give the lines of its answer."""
        program = f"/here/{PROGRAMS}/bin/psql"
        how = ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", "/tmp", "-U", user, "-d", database]
        return self._run("env", "LD_LIBRARY_PATH=/here/libraries", program, *how, "-c", statement).splitlines()

    def _answers(self) -> bool:
        try:
            return self.sql("select 1", "postgres", "postgres") == ["1"]
        except AssertionError:
            return False

    def _run(self, *command: str) -> str:
        return kubectl("-n", self._namespace, "exec", "outside", "--", *command)


def _packed(files: list[Path]) -> bytes:
    installed = Path("/", PROGRAMS, "bin", "postgres").exists()
    root = Path("/") if installed else unpacked("postgresql-15", "postgresql-client-15", "libpq5", "libllvm14")
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w", dereference=True) as archive:
        programs = [root / PROGRAMS / "bin" / name for name in ("postgres", "initdb", "psql")]
        for each in programs:
            archive.add(each, f"{PROGRAMS}/bin/{each.name}")
        for each in (root / PROGRAMS / "lib").glob("*.so"):
            if "llvm" not in each.name:
                archive.add(each, f"{PROGRAMS}/lib/{each.name}")
        archive.add(root / "usr/share/postgresql/15", "usr/share/postgresql/15")
        for each in set(_libraries(programs, root)):
            archive.add(each, f"libraries/{each.name}")
        for each in files:
            archive.add(each, f"files/{each.name}")
        entry = tarfile.TarInfo("files/server.pl")
        entry.size = len(WEB_SERVER)
        archive.addfile(entry, io.BytesIO(WEB_SERVER.encode()))
    return written.getvalue()


def _libraries(programs: list[Path], root: Path) -> Iterator[Path]:
    """What the programs need, but for the C library: the image has its own."""
    environment = os.environ | {"LD_LIBRARY_PATH": str(root / "usr/lib/x86_64-linux-gnu")}
    for program in programs:
        told = subprocess.run(["ldd", program], env=environment, capture_output=True, text=True, check=True).stdout
        for found in re.findall(r"=> (/\S+)", told):
            if not re.match(r"lib(c|m|dl|rt|pthread|resolv)\.so", Path(found).name):
                yield Path(found)


def _objects() -> Iterator[dict[str, Any]]:
    labels = {"app": "outside"}
    # PostgreSQL asks who it is.
    users = {"passwd": "root:x:0:0::/root:/bin/sh\npostgres:x:1000:1000::/tmp:/bin/bash\n"}
    yield {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "outside"}, "data": users}
    ports = [{"name": "database", "port": 5432}, {"name": "files", "port": 8000}]
    yield {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "outside"},
        "spec": {"selector": labels, "ports": ports},
    }
    yield {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "outside", "labels": labels},
        "spec": {
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 1,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 1000,
                "runAsGroup": 1000,
                "fsGroup": 1000,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": "outside",
                    "image": IMAGE,
                    "command": ["sleep", "infinity"],
                    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                    "volumeMounts": [
                        {"name": "here", "mountPath": "/here"},
                        {"name": "users", "mountPath": "/etc/passwd", "subPath": "passwd"},
                    ],
                }
            ],
            "volumes": [
                {"name": "here", "emptyDir": {}},
                {"name": "users", "configMap": {"name": "outside"}},
            ],
        },
    }

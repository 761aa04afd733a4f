from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from usecases.chain import Chain, Outcome
from usecases.parts.postgresql import PostgreSQL

PORT = 32732

pytestmark = pytest.mark.ensemble


class Alone(Chain):
    name = "alone"

    def up(self, stack: ExitStack) -> None:
        self.server = PostgreSQL(self, stack, port=PORT)
        self.server.start()

    def run(self, outcome: Outcome, **_: object) -> None:
        raise NotImplementedError


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgreSQL]:
    chain = Alone(tmp_path_factory.mktemp("chain"))
    with ExitStack() as stack:
        chain.up(stack)
        yield chain.server


def test_it_can_be_read_as_a_stream_of_changes(server: PostgreSQL) -> None:
    server.rows("shop", "select pg_create_logical_replication_slot('seen', 'pgoutput')")
    assert server.rows("shop", "select plugin, wal_status from pg_replication_slots") == [("pgoutput", "reserved")]
    server.rows("shop", "select 'dropped' from pg_drop_replication_slot('seen')")


def test_what_was_committed_is_there_after_it_was_killed(server: PostgreSQL) -> None:
    server.rows("shop", "create table orders (id int)")
    server.rows("shop", "insert into orders values (1) returning id")
    server.kill()
    server.start()
    assert server.rows("shop", "select id from orders") == [(1,)]

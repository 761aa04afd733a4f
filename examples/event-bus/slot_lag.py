"""Watches the replication slot: ``python slot_lag.py --database postgresql://… --slot shop_outbox --most 256MB``.

Exit code 0: all well. 1: the slot is lost, nobody reads it, it lags, or the database has no cap on the log that it
keeps for slots. 2: the database does not answer. For cron, or a probe.
"""

import argparse
import sys
from typing import Any

import psycopg

QUERY = """
SELECT active, wal_status, pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn)::bigint, pg_size_bytes(%s),
       (SELECT setting::bigint FROM pg_settings WHERE name = 'max_slot_wal_keep_size')
FROM pg_replication_slots WHERE slot_name = %s
"""


def problems(connection: psycopg.Connection[Any], slot: str, most: str) -> list[str]:
    """What is wrong with the slot, in words.

    Args:
        connection: to its database.
        slot: its name.
        most: how far it may lag, as PostgreSQL writes sizes: ``256MB``.
    """
    row = connection.execute(QUERY, (most, slot)).fetchone()
    if row is None:
        return [f"there is no slot {slot}: the connector has never run, or the slot was dropped; a snapshot is needed"]
    active, status, lag, allowed, cap = row
    found = []
    if status == "lost":
        found.append(f"slot {slot} is lost: more log was needed than the cap allows. Drop it, and take a new snapshot")
    elif not active:
        found.append(f"nobody reads slot {slot}: is the connector running?")
    if lag is not None and lag > allowed:
        found.append(f"slot {slot} lags {lag} bytes behind, more than {most}")
    if cap == -1:
        found.append("max_slot_wal_keep_size is -1: a slot that nobody reads fills the disk of the database. Set it")
    return found


def main() -> None:
    """Look once."""
    parser = argparse.ArgumentParser(description="Watches a replication slot.")
    parser.add_argument("--database", required=True, help="PostgreSQL, as a URL")
    parser.add_argument("--slot", required=True)
    parser.add_argument("--most", default="256MB", help="how far it may lag")
    chosen = parser.parse_args()
    try:
        with psycopg.connect(chosen.database, connect_timeout=10) as connection:
            found = problems(connection, chosen.slot, chosen.most)
    except psycopg.OperationalError as error:
        print(error)
        sys.exit(2)
    print("\n".join(found) or f"slot {chosen.slot}: all well")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()

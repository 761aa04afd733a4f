"""A worker: ``python worker.py --bootstrap … --database postgresql://… --instance worker-0``.

Start at most as many as a priority has partitions. It ends in order at SIGTERM, and may be killed at any moment.
"""

import argparse
import json
import os
import signal
import sys
import threading
import time
from types import FrameType

from effects import Effects
from handlers import Handlers
from work_queue import HungError, Topics, Worker


def topics_from(prefix: str, weights: str, delays: str) -> Topics:
    """Of ``tasks``, ``high=6,normal=3,low=1`` and ``10s,1m``."""
    shares = {name: int(share) for name, _, share in (each.partition("=") for each in weights.split(","))}
    return Topics(prefix=prefix, weights=shares, delays=tuple(delays.split(",")))


def main() -> None:
    """Work until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bootstrap", required=True, help="addresses of brokers")
    parser.add_argument("--database", required=True, help="PostgreSQL, as a URL")
    parser.add_argument("--instance", help="a name that stays the same after a restart; without it, none")
    parser.add_argument("--group", default="task-workers")
    parser.add_argument("--prefix", default="tasks")
    parser.add_argument("--weights", default="high=6,normal=3,low=1")
    parser.add_argument("--delays", default="10s,1m")
    parser.add_argument("--concurrency", type=int, default=4)
    parser.add_argument("--session", type=float, default=45.0, help="seconds that a restart may take")
    parser.add_argument("--config", action="append", default=[], metavar="KEY=VALUE", help="of the clients; repeatable")
    chosen = parser.parse_args()

    stop = threading.Event()

    def end(_: int, __: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    name = chosen.instance or f"pid-{os.getpid()}"
    effects = Effects(chosen.database)
    worker = Worker(
        chosen.bootstrap,
        topics_from(chosen.prefix, chosen.weights, chosen.delays),
        Handlers(effects, name),
        group=chosen.group,
        instance=chosen.instance,
        concurrency=chosen.concurrency,
        deaths=effects,
        session_seconds=chosen.session,
        config=dict(each.split("=", 1) for each in chosen.config),
    )

    began = time.time()

    def tell() -> None:
        told = {"worker": name, "since": began, "at": time.time(), **worker.counted, "repeated": effects.repeated}
        print(json.dumps(told))

    def keep_telling() -> None:
        while not stop.wait(2.0):
            tell()

    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    threading.Thread(target=keep_telling, daemon=True).start()
    try:
        worker.run(stop)
    except HungError as error:
        print(error, file=sys.stderr, flush=True)
        os._exit(3)  # a thread cannot be ended: only the process can
    tell()


if __name__ == "__main__":
    main()

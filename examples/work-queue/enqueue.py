"""A sender: ``python enqueue.py --bootstrap 127.0.0.1:34092 --tasks 1000 --priority normal``."""

import argparse
import sys
import uuid

from work_queue import Sender, Task, Topics
from worker import topics_from


def main() -> None:
    """Send charges of one cent to a hundred accounts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bootstrap", required=True, help="addresses of brokers")
    parser.add_argument("--prefix", default="tasks")
    parser.add_argument("--weights", default="high=6,normal=3,low=1")
    parser.add_argument("--delays", default="10s,1m")
    parser.add_argument("--priority", default="normal")
    parser.add_argument("--delay", help="one of the queue's: the tasks are not begun before")
    parser.add_argument("--tasks", type=int, default=100)
    chosen = parser.parse_args()

    topics: Topics = topics_from(chosen.prefix, chosen.weights, chosen.delays)
    sender = Sender(chosen.bootstrap, topics)
    for number in range(chosen.tasks):
        task = Task(id=str(uuid.uuid4()), kind="charge", payload={"account": f"a{number % 100}", "cents": 1})
        sender.send(task, chosen.priority, delay=chosen.delay)
    sender.flush()
    print(f"{len(sender.acknowledged)} of {chosen.tasks} tasks are in the queue")
    if len(sender.acknowledged) < chosen.tasks:
        sys.exit(1)


if __name__ == "__main__":
    main()

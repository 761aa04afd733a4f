"""Which broker holds which replica when a topic's replication factor changes. Pure: no cluster is touched.

In this order of weight: every partition gets its number of distinct live brokers; they are spread over the racks as
evenly as the racks allow; as few replicas as possible move; what must be added goes where the topic has the fewest
replicas, and among those to the broker with the fewest of all topics. A leader that may stay, stays first in its list.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

Replicas = tuple[int, ...]
"""Broker ids; the first is the preferred leader."""


def spread(
    current: Mapping[int, Sequence[int]],
    replication_factor: int,
    racks: Mapping[int, str | None],
    load: Mapping[int, int] | None = None,
) -> dict[int, Replicas]:
    """The replicas of every partition of one topic, for a new replication factor.

    Args:
        current: The replicas that each partition has, preferred leader first; dead brokers may be among them.
        replication_factor: The number of replicas that each partition is to have.
        racks: The rack of each live broker; ``None`` where it has none.
        load: Replicas of other topics that each broker holds.

    Raises:
        ValueError: There are fewer live brokers than replicas wanted.
    """
    if not 1 <= replication_factor <= len(racks):
        raise ValueError(f"{replication_factor} replicas cannot stand on {len(racks)} live brokers")
    placement = _Placement({broker: rack or "" for broker, rack in racks.items()}, load or {})
    kept = {}
    quotas = {}
    for partition, replicas in sorted(current.items()):
        live = [broker for broker in dict.fromkeys(replicas) if broker in racks]
        quotas[partition] = placement.quota(live, replication_factor)
        kept[partition] = live
        placement.count.update(live)
    for partition, live in kept.items():
        kept[partition] = placement.keep(live, quotas[partition])
    present = {
        partition: tuple(broker for broker in replicas if broker in racks) for partition, replicas in current.items()
    }
    chosen = {partition: [*live, *placement.add(live, quotas[partition])] for partition, live in kept.items()}
    placement.even_out(chosen, present)
    return placement.with_leaders({partition: tuple(brokers) for partition, brokers in chosen.items()}, current)


class _Placement:
    """The counts that one run of ``spread`` keeps: replicas of this topic per broker, and those of others."""

    def __init__(self, rack: Mapping[int, str], load: Mapping[int, int]) -> None:
        self.rack = rack
        self.load = load
        self.count: Counter[int] = Counter()

    def weight(self, broker: int) -> tuple[int, int, int]:
        """What a broker carries, for comparing: this topic first, then the others."""
        return self.count[broker], self.load.get(broker, 0), broker

    def quota(self, live: Sequence[int], replication_factor: int) -> Counter[str]:
        """How many replicas each rack gets: level by level, and within a level first where replicas can stay."""
        capacity = Counter(self.rack.values())
        present = Counter(self.rack[broker] for broker in live)
        leader_rack = self.rack[live[0]] if live else None
        quota: Counter[str] = Counter()
        for _ in range(replication_factor):
            open_racks = [rack for rack in capacity if quota[rack] < capacity[rack]]
            chosen = min(
                open_racks,
                key=lambda rack: (
                    quota[rack],
                    present[rack] <= quota[rack],
                    rack != leader_rack,
                    self._rack_weight(rack),
                    rack,
                ),
            )
            quota[chosen] += 1
        return quota

    def _rack_weight(self, rack: str) -> float:
        brokers = [broker for broker, its in self.rack.items() if its == rack]
        return sum(self.count[broker] + self.load.get(broker, 0) for broker in brokers) / len(brokers)

    def keep(self, live: Sequence[int], quota: Mapping[str, int]) -> list[int]:
        """The replicas that stay: all that fit; where a rack has too many, the broker with the most gives one up."""
        kept = list(live)
        for rack, allowed in ((rack, quota.get(rack, 0)) for rack in {self.rack[broker] for broker in live}):
            here = [broker for broker in kept if self.rack[broker] == rack]
            while len(here) > allowed:
                followers = [broker for broker in here if broker != live[0]] or here
                given_up = max(followers, key=self.weight)
                here.remove(given_up)
                kept.remove(given_up)
                self.count[given_up] -= 1
        return kept

    def add(self, kept: Sequence[int], quota: Mapping[str, int]) -> list[int]:
        """The replicas that come, each to the broker of the rack that carries least."""
        added: list[int] = []
        for rack, wanted in sorted(quota.items()):
            present = sum(self.rack[broker] == rack for broker in kept)
            for _ in range(wanted - present):
                free = [b for b, its in self.rack.items() if its == rack and b not in kept and b not in added]
                chosen = min(free, key=self.weight)
                self.count[chosen] += 1
                added.append(chosen)
        return added

    def even_out(self, chosen: Mapping[int, list[int]], present: Mapping[int, Replicas]) -> None:
        """Exchange replicas within their racks until no exchange makes the counts more even.

        Each exchange lowers the sum of the squared counts, so it ends. None of them moves more data: an added replica
        goes to another broker, one that stays gives way only to one that would have gone, and the leader stays.
        """
        exchanged = True
        while exchanged:
            exchanged = False
            for partition, brokers in chosen.items():
                for index, broker in enumerate(brokers):
                    if present[partition][:1] == (broker,):
                        continue
                    others = present[partition] if broker in present[partition] else self.rack
                    free = [each for each in others if self.rack[each] == self.rack[broker] and each not in brokers]
                    other = min(free, key=self.weight, default=broker)
                    if self.count[broker] - self.count[other] > 1:
                        brokers[index] = other
                        self.count[broker] -= 1
                        self.count[other] += 1
                        exchanged = True

    @staticmethod
    def with_leaders(replicas: Mapping[int, Replicas], current: Mapping[int, Sequence[int]]) -> dict[int, Replicas]:
        """Each list with its preferred leader first: the present one, or else the broker that leads least."""
        leads: Counter[int] = Counter()
        settled = {p: current[p][0] for p, brokers in replicas.items() if current[p] and current[p][0] in brokers}
        leads.update(settled.values())
        ordered = {}
        for partition, brokers in replicas.items():
            leader = settled.get(partition)
            if leader is None:
                leader = min(brokers, key=lambda broker: (leads[broker], broker))
                leads[leader] += 1
            ordered[partition] = (leader, *(broker for broker in brokers if broker != leader))
        return ordered

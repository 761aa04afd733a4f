"""Names of provider blocks: they follow the platform's name, and not the id of its construct.

The state of a resource remembers the block by this name. When an id changes, or a platform leaves the code, a plan can
take its resources away only while there is a block of that name.
"""

from collections.abc import Hashable
from hashlib import sha256
from weakref import WeakKeyDictionary

from hikube_kafka.platform.cdk import Construct, TerraformProvider, TerraformStack

_BLOCKS: WeakKeyDictionary[TerraformStack, dict[str, dict[str, list[TerraformProvider]]]] = WeakKeyDictionary()
"""The blocks of each platform by its name, then by what tells platforms of one name apart."""


def alias_blocks(scope: Construct, name: str, place: Hashable, *blocks: TerraformProvider) -> None:
    """Give the blocks of a platform their alias: its name; of several with that name in a stack, all have more.

    Always an alias: a second platform in the stack then changes nothing about the first.

    Args:
        scope: the platform's construct.
        name: the platform's name.
        place: what differs where a stack has two platforms of that name.
        blocks: at most one for each provider.
    """
    named = _BLOCKS.setdefault(TerraformStack.of(scope), {}).setdefault(name, {})
    named.setdefault(sha256(repr(place).encode()).hexdigest()[:8], []).extend(blocks)
    for digest, each in named.items():
        for block in each:
            block.alias = name if len(named) == 1 else f"{name}-{digest}"

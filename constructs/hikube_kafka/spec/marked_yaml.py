"""YAML as its author wrote it: every scalar as its text, and on which line each entry is.

YAML itself turns ``no`` into a truth value, ``012`` into ten and ``12:30`` into 750; here the field decides what a text
is. What nobody needs in a file of settings, and what hides what is in effect, is refused: aliases, tags, several
documents.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

Path = tuple[str | int, ...]

_DEEPEST = 20
"""Levels of nesting: far more than a file of settings has, and far less than what Python's stack bears."""
_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "timestamp", "value", "merge")}
_NULL = "tag:yaml.org,2002:null"


@dataclass(frozen=True, kw_only=True)
class MarkedYaml:
    """What a text contains."""

    content: Any = None
    """Mappings, lists and texts; None for what is empty."""
    lines: dict[Path, int] = field(default_factory=dict)
    """From 1, of each key and each element of a list; of the whole under ``()``."""
    faults: tuple[tuple[int, str], ...] = ()
    """What cannot be read, with its line. The content is then not whole."""

    def line(self, path: Path) -> int:
        """The line of an entry, or of the nearest one above it that is there."""
        return next(self.lines[path[:end]] for end in range(len(path), -1, -1) if path[:end] in self.lines)


def read(text: str) -> MarkedYaml:
    """Read a text; what is wrong with it is in the answer."""
    text = text.removeprefix("\ufeff")
    faults: list[tuple[int, str]] = []
    lines: dict[Path, int] = {(): 1}
    content = None
    try:
        faults += _refused(text)
        if not faults and (node := yaml.compose(text, Loader=yaml.SafeLoader)) is not None:
            content = _content(node, (), lines, faults)
    except yaml.MarkedYAMLError as error:
        told = ", ".join(each for each in (error.problem, error.context) if each)
        if "'\\t'" in told:
            told = "there is a tab: indent with spaces"
        elif "single document" in (error.context or ""):
            told = "there is a second document: write one"
        faults.append((_line(error.problem_mark or error.context_mark), told))
    except yaml.YAMLError as error:
        position = getattr(error, "position", 0)
        faults.append((text.count("\n", 0, position) + 1, "there is a character that YAML does not allow"))
    return MarkedYaml(content=content, lines=lines, faults=tuple(faults))


def _line(mark: Any) -> int:
    return 1 if mark is None else int(mark.line) + 1


def _refused(text: str) -> Iterator[tuple[int, str]]:
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            yield _line(event.start_mark), f"there is an alias (*{event.anchor}): write out what it stands for"
        elif isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _DEEPEST:
                yield _line(event.start_mark), f"it is nested more than {_DEEPEST} levels deep"
                return
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _content(node: yaml.Node, path: Path, lines: dict[Path, int], faults: list[tuple[int, str]]) -> Any:
    here = _line(node.start_mark)
    lines.setdefault(path, here)
    if isinstance(node, yaml.SequenceNode) and node.tag == "tag:yaml.org,2002:seq":
        return [_content(each, (*path, index), lines, faults) for index, each in enumerate(node.value)]
    if isinstance(node, yaml.ScalarNode) and node.tag in _TAGS:
        return None if node.tag == _NULL else node.value
    if not isinstance(node, yaml.MappingNode) or node.tag != "tag:yaml.org,2002:map":
        faults.append((here, f"there is a tag ({node.tag}): leave it out"))
        return None
    content: dict[str, Any] = {}
    for key, value in node.value:
        line = _line(key.start_mark)
        if not isinstance(key, yaml.ScalarNode):
            faults.append((line, "there is a key that is not a text"))
        elif key.value in content:
            faults.append((line, f"{key.value} is there twice, first on line {lines[*path, key.value]}: keep one"))
        else:
            lines[*path, key.value] = line
            content[key.value] = _content(value, (*path, key.value), lines, faults)
    return content

"""The lock file of a stack, written with it: without one, ``cdktf diff`` asks a registry for the provider.

Where a provider is not in the stack's ``.terraform.lock.hcl``, the command runs ``terraform providers lock``. That asks
the provider's own registry, whatever Terraform is configured to do, and this provider has no registry. So every
provider with an exact version is put into the file when the stack is written. ``terraform init`` adds the checksums, as
it does without a file.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from weakref import WeakSet

from hikube_kafka.platform.cdk import IStackSynthesizer, ISynthesisSession, TerraformStack, implements

NAME = ".terraform.lock.hcl"
_HEAD = """# This file is maintained automatically by "terraform init".
# Manual edits may be lost in future updates.
"""
_EXACT = re.compile(r"=?\s*([0-9]+(?:\.[0-9]+){0,2}(?:-[0-9A-Za-z.-]+)?)")
# What Terraform leaves out of a source. In parts, since no file of this repository names a registry.
_IMPLIED = ("registry" + ".terraform.io", "hashicorp")
# Terraform's own form of an entry.
_ENTRY = '\nprovider "{source}" {{\n  version     = "{version}"\n  constraints = "{version}"\n}}\n'


def locked(text: str, required: Mapping[str, Mapping[str, str] | str]) -> str:
    """The lock file with every required provider in it that has an exact version.

    Args:
        text: what the file holds; empty if there is none.
        required: ``required_providers`` of the stack; a mere text is a version, a provider without a source that of its
            name.

    Returns:
        The same text if it has all of them. The entry of another version gives way, as with ``init -upgrade``.
    """
    for name, each in required.items():
        declared = {"version": each} if isinstance(each, str) else each
        exact = _EXACT.fullmatch(declared.get("version", "").strip())
        if exact is None:
            continue
        source, version = _full(declared.get("source", name)), exact[1]
        entry = re.compile(rf'\n*^provider "{re.escape(source)}" \{{\n(.*?)^\}}\n', re.DOTALL | re.MULTILINE)
        found = entry.search(text)
        if found and re.search(rf'^\s*version\s*=\s*"{re.escape(version)}"$', found[1], re.MULTILINE):
            continue
        text = entry.sub("", text) or _HEAD
        text += _ENTRY.format(source=source, version=version)
    return text


def _full(source: str) -> str:
    """The source as lock files have it: with the host and the namespace that ``helm`` leaves out."""
    return "/".join([*_IMPLIED[: 2 - source.count("/")], source])


def keep(stack: TerraformStack) -> None:
    """Have the stack's lock file written whenever the stack is."""
    if stack not in _KEPT:
        _KEPT.add(stack)
        stack.synthesizer = _WithLockFile(stack, stack.synthesizer)


_KEPT: WeakSet[TerraformStack] = WeakSet()


@implements(IStackSynthesizer)
class _WithLockFile:
    """The stack's own synthesizer, and the lock file after it."""

    def __init__(self, stack: TerraformStack, own: IStackSynthesizer) -> None:
        self._stack = stack
        self._own = own

    def synthesize(self, session: ISynthesisSession) -> None:
        self._own.synthesize(session)
        written = session.manifest.for_stack(self._stack)
        folder = Path(session.outdir)
        text = (folder / written.synthesized_stack_path).read_text("utf-8")
        if not text.startswith("{"):  # HCL; what the cdktf command reads of it is in JSON beside it
            text = (folder / written.stack_metadata_path).read_text("utf-8")
        required = json.loads(text)["terraform"].get("required_providers", {})
        file = folder / written.working_directory / NAME
        before = file.read_text("utf-8") if file.is_file() else ""
        if (after := locked(before, required)) != before:
            file.write_text(after, "utf-8")

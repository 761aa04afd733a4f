"""For programs that refuse to run as root: another user, and folders that this user reaches."""

import os
import pwd
import shutil
import stat
import tempfile
from contextlib import ExitStack
from pathlib import Path

from usecases.process import PartFailedError

_USERS = ("nobody",)


def user() -> str | None:
    """Who runs a program that refuses root: None, which is whoever runs this, or a user without rights.

    Raises:
        PartFailedError: this is root, and the machine has no such user.
    """
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    for name in _USERS:
        if name in known:
            return name
    raise PartFailedError(f"run this as a user other than root, or add the user {_USERS[0]}: the program refuses root")


def folder(name: str, parent: Path, stack: ExitStack) -> Path:
    """A new folder that :func:`user` owns: below the parent, or where that user could not get there, a temporary one.

    Args:
        name: its name.
        parent: existing folder.
        stack: a temporary folder is deleted when it ends.
    """
    owner = user()
    if owner is None:
        made = parent / name
        made.mkdir()
        return made
    if _is_open(parent):
        made = parent / name
        made.mkdir()
    else:
        made = Path(tempfile.mkdtemp(prefix=f"usecase-{name}-"))
        stack.callback(shutil.rmtree, made, ignore_errors=True)
    own(made)
    return made


def own(path: Path) -> None:
    """Give a file, or a folder with all that it holds, to :func:`user`."""
    owner = user()
    if owner is None:
        return
    entry = pwd.getpwnam(owner)
    for each in (path, *path.rglob("*")):
        os.chown(each, entry.pw_uid, entry.pw_gid, follow_symlinks=False)


def reachable(tree: Path, folder: Path) -> Path:
    """A tree of programs that :func:`user` can run: the tree, or where that user cannot get there, a copy.

    Args:
        tree: an existing folder.
        folder: what :func:`folder` gave, for the copy.
    """
    if user() is None or _is_open(tree):
        return tree
    copy = folder / f"copy-of-{tree.name}"
    shutil.copytree(tree, copy, symlinks=True)
    own(copy)
    return copy


def _is_open(path: Path) -> bool:
    """Whether everybody may pass through all folders down to it."""
    return all(each.stat().st_mode & stat.S_IXOTH for each in (path, *path.resolve().parents))

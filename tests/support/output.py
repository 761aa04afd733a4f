"""What a process says on its standard output, line by line and never waited for without end."""

import os
import select
import subprocess
import time


def next_line(process: subprocess.Popen[str], seconds: float = 60) -> str:
    """The next line, without its end; empty once the process has closed its output.

    Byte by byte: a buffer could hold the next line already, where no wait for the pipe would ever see it.

    Args:
        process: started with a pipe as its standard output, of which nothing was read in another way so far; what
            follows the line may be.
        seconds: how long it may take.

    Raises:
        AssertionError: it did not say a whole line in time.
    """
    assert process.stdout is not None
    pipe = process.stdout.fileno()
    deadline = time.monotonic() + seconds
    line = bytearray()
    while not line.endswith(b"\n"):
        ready, _, _ = select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))
        assert ready, f"not a line within {seconds:g} s: {line.decode()!r}"
        byte = os.read(pipe, 1)
        if not byte:
            break
        line += byte
    return line.decode().removesuffix("\n")

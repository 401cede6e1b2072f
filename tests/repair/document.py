#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Does repair say what the example in Documentation/chainsetup.rst says?

The commands there are run as they stand, on a layer with the damage that the
document names, in its own directory. The last line is "N passed, N failed".
"""

import os
import pathlib
import re
import shlex
import sys
import tempfile

from layers import make, run
from rows import bit, both, garbage, wipe

DOCUMENT = pathlib.Path(__file__).resolve().parents[2] / "Documentation/chainsetup.rst"
LAYER, UNDO = "/dev/vg/e", "/root/e.undo"


def examples():
    """Each command of the document's literal blocks, and what it prints."""
    command, said = None, []
    for line in DOCUMENT.read_text(encoding="utf-8").splitlines():
        if line.startswith("    # "):
            if command:
                yield command, " ".join(said)
            command, said = line[6:], []
        elif command and line.startswith("    "):
            # A line that was too long is continued in the next one.
            said += line.split()
        elif command and line.strip():
            yield command, " ".join(said)
            command = None
    if command:
        yield command, " ".join(said)


def main():
    """Run them, say how many were right."""
    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix="dm-chain-repair.") as work:
        os.chdir(work)
        layer = make("inline")
        both(bit("super", 0, "B", 700), garbage("map", 1, "A"), wipe("map", 1, "B"))(layer)
        damaged = layer.read()
        for command, said in examples():
            words = command.replace(LAYER, layer.path).replace(UNDO, "e.undo")
            _, out, err = run(*shlex.split(words))
            out = re.sub(r"\b" + re.escape(layer.path), LAYER, out + err).replace("e.undo", UNDO)
            if " ".join(out.split()) == said:
                passed += 1
                print(f"ok {command}")
            else:
                failed += 1
                print(f"not ok {command}: it says\n{out}", flush=True)
        if layer.read() == damaged:
            passed += 1
        else:
            failed += 1
            print("not ok: it is not as it was")
        os.chdir("/")
    print(f"{passed} passed, {failed} failed")
    return 0 if passed > 1 and not failed else 1


if __name__ == "__main__":
    sys.exit(main())

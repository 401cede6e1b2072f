#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Let format_reader.py read what the module's own code has written.

format_check.py DIR: each DIR/NAME.img must read as DIR/NAME.expect says.
"""

import difflib
import pathlib
import sys

import format_reader


def main():
    """Compare all images, say how many were right."""
    passed = failed = 0
    for image in sorted(pathlib.Path(sys.argv[1]).glob("*.img")):
        want = image.with_suffix(".expect").read_text("latin-1").splitlines()
        got = format_reader.describe(image)
        if got == want:
            passed += 1
            continue
        failed += 1
        print(f"not ok: {image.name}")
        for line in difflib.unified_diff(want, got, "module", "reader", "", "", 0, ""):
            print(f"  {line}")
    print(f"{passed} passed, {failed} failed")
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main())

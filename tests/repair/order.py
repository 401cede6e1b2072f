#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""What repair really does to the device, as strace sees it.

The last line is "N passed, N failed".
"""

import os
import re
import subprocess
import sys
import tempfile

from layers import CLEAN, NEEDS_CHECK, PAGE, make, run, torn, writes
from rows import bit, both, newer, not_closed, wipe

passed = failed = 0


def same(name, got, wanted):
    """One check."""
    global passed, failed
    if got == wanted:
        passed += 1
        print(f"ok {name}")
    else:
        failed += 1
        print(f"not ok {name}: {got} instead of {wanted}", flush=True)


def trace(undo, layer, *words):
    """Run repair under strace. Returns its status and the system calls."""
    command = ["strace", "-f", "-y", "-o", "trace", "-e", "trace=write,pwrite64,fsync", *words]
    command += ["chainsetup", "repair", "--yes", "--undo", undo, layer.path]
    # A process that was killed by strace has a negative status.
    status = subprocess.run(command, capture_output=True, check=False).returncode
    calls = []
    with open("trace", encoding="latin-1") as lines:
        for line in lines:
            call = re.match(r"\d+ +(\w+)\(\d+<([^>]*)>.*?(, (\d+))?\)\s+= ", line)
            if call and call[1] in ("write", "pwrite64", "fsync"):
                calls.append((call[1], os.path.basename(call[2]), call[4]))
    return status, calls


def damage(layer):
    """What takes several writes: a wrong bit, and data behind the end."""
    layer.reset()
    layer.poke("set", "16384", "3", "data")
    both(bit("map", 0, "A", 100), wipe("super", 0, "A"))(layer)


def test_order(layer):
    """The undo file is durable first, and each write before the next."""
    damage(layer)
    status, calls = trace("undo", layer)
    same("status of the repair", status, 0)
    calls = [call for call in calls if call[1] in ("undo", layer.path) or call[0] == "fsync"]
    first = next(i for i, call in enumerate(calls) if call[0] == "pwrite64")
    steps = list(writes("undo"))
    same("the undo file is written and flushed, and its directory, then the device",
         [call[0] for call in calls[:first]], ["write", "fsync", "fsync", "fsync"])
    wanted = []
    for offset, _, _ in steps:
        wanted += [("pwrite64", layer.path, str(offset)), ("fsync", layer.path, None)]
    same("each write is flushed before the next", calls[first : first + len(wanted)], wanted)
    same("and there are no others", calls[first + len(wanted) :], [])


def test_killed(layer):
    """Repair is killed before each of its writes, and repeated."""
    n = 0
    while True:
        n += 1
        damage(layer)
        state = layer.read()
        undo = f"undo.{n}"
        inject = ("-e", f"inject=pwrite64:error=EIO:signal=KILL:when={n}")
        status, _ = trace(undo, layer, *inject)
        if status == 0:
            break
        killed = layer.read()
        status, _, err = run("chainsetup", "repair", "--yes", "--restore", undo, layer.path)
        same(f"killed before write {n}: undone", (status, layer.read() == state), (0, True))
        layer.write(killed)
        status, _, err = run("chainsetup", "repair", "--yes", "--undo", undo, layer.path)
        same(f"killed before write {n}: the undo file is kept",
             (status, "never overwritten" in err), (1, True))
        status, _, err = run("chainsetup", "repair", "--yes", "--undo", f"{undo}.2", layer.path)
        same(f"killed before write {n}: repeated", (status, err), (0, ""))
        same(f"killed before write {n}: the view", layer.view(), layer.shown)
    same("writes that were stopped", n > 5, True)


def test_write_error(layer):
    """A write fails: repair says so, and how to undo what was done."""
    damage(layer)
    state = layer.read()
    status, _ = trace("undo.error", layer, "-e", "inject=pwrite64:error=EIO:when=3")
    same("a write fails", status, 1)
    status, _, _ = run("chainsetup", "repair", "--yes", "--restore", "undo.error", layer.path)
    same("what was done is undone", (status, layer.read() == state), (0, True))


def unreadable(layer, when, *words):
    """Run chainsetup while the WHEN-th read of the layer fails."""
    command = ["strace", "-o", "/dev/null", "-P", layer.path, "-e", "trace=pread64"]
    command += ["-e", f"inject=pread64:error=EIO:when={when}", "chainsetup", *words, layer.path]
    done = subprocess.run(command, capture_output=True, check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def test_unreadable(layer):
    """A slot that cannot be read is damage, whatever the other one is."""
    layer.reset()
    # super_read() looks first: both slots twice, then directory and map.
    pages = (("superblock slot A", "super=B"), ("superblock slot B", "super=A"),
             ("directory page 0: slot A", "dir:0=B"), ("directory page 0: slot B", "dir:0=A"),
             ("map page 0: slot A", "map:0=B"), ("map page 0: slot B", "map:0=A"))
    for at, (page, choice) in enumerate(pages):
        when = 3 + at
        status, out, _ = unreadable(layer, when, "check")
        same(f"{page} cannot be read: check", (status, f"{page} cannot be read" in out), (1, True))
        status, out, _ = unreadable(layer, when, "repair")
        same(f"{page} cannot be read: repair wants to know",
             (status, f"--choose {choice}" in out), (1, True))
        state = layer.read()
        undo = f"undo.read.{at}"
        kind, _, index = choice[:-2].partition(":")
        newest = kind == "super" or choice[-1] == newer(layer, kind, int(index))
        status, out, _ = unreadable(layer, f"{when}..{when}", "repair", "--yes", "--undo", undo,
                                    "--choose", choice)
        same(f"{page} cannot be read: repair writes it again", (status, os.path.exists(undo)),
             (0, True))
        if newest:
            same(f"{page} cannot be read: the view", layer.view(), layer.shown)
        # What could not be read cannot be put back; the rest was not changed.
        status, out, _ = run("chainsetup", "repair", "--yes", "--restore", undo, layer.path)
        same(f"{page} cannot be read: undo", status, 0)
        layer.write(state)


def test_undo_files(layer):
    """Undo files of something else, or damaged ones, are refused."""
    damage(layer)
    run("chainsetup", "repair", "--yes", "--undo", "undo.good", layer.path)
    state = layer.read()
    steps = list(writes("undo.good"))

    def refused(name, undo, said):
        status, _, err = run("chainsetup", "repair", "--yes", "--restore", undo, layer.path)
        same(name, (status, said in err, layer.read() == state), (1, True, True))

    with open("undo.good", "rb") as good:
        data = good.read()
    for name, content in (("short", data[:-1]), ("empty", b""), ("head", data[:40]),
                          ("flipped", data[:5000] + b"?" + data[5001:])):
        with open("undo.bad", "wb") as bad:
            bad.write(content)
        refused(f"an undo file, {name}", "undo.bad", "is not an undo file")
    refused("no undo file", "undo.none", "cannot be read")
    offset, old, new = steps[-1]
    layer.put(offset, torn(old, b"\x77" * PAGE, 0x10))
    state = layer.read()
    refused("a layer that was written to since", "undo.good", "was written to since")
    with open("other.img", "wb") as other:
        other.truncate(1 << 20)
    status, _, err = run("chainsetup", "repair", "--yes", "--restore", "undo.good", "other.img")
    same("another device", (status, "is for a device of" in err), (1, True))


def test_options(layer):
    """Wrong words."""
    damage(layer)
    state = layer.read()
    for words, said in (
        (("--yes",), "--undo FILE"),
        (("--undo", "x"), "--undo goes with --yes"),
        (("--restore", "x", "--undo", "x", "--yes"), "--restore goes with --yes only"),
        (("--dry-run", "--yes", "--undo", "x"), "exclude each other"),
        (("--choose", "map=A"), "--choose map=A: write"),
        (("--choose", "map:x=A"), "--choose map:x=A: write"),
        (("--choose", "map:0=scan"), "--choose map:0=scan: write"),
        (("--choose", "dir:0=zero"), "--choose dir:0=zero: write"),
        (("--choose", "super:0=A"), "--choose super:0=A: write"),
        (("--choose", "page=A"), "--choose page=A: write"),
        (("--choose", "map:1=below"), "map:1=below: there is nothing to choose"),
    ):
        status, _, err = run("chainsetup", "repair", *words, layer.path)
        same(f"refused: {' '.join(words)}", (status, said in err, err.count("\n")), (1, True, 1))
    same("nothing was changed", layer.read() == state, True)
    status, _, err = run("chainsetup", "repair", "/bin/true")
    same("no layer", (status, "carries no chain superblock" in err), (1, True))


def test_needs_check(layer):
    """needs-check goes when nothing else is wrong, and stays when something is."""
    layer.reset()
    not_closed(CLEAN | NEEDS_CHECK)(layer)
    state = layer.read()
    status, out, err = run("chainsetup", "repair", layer.path)
    same("needs-check, dry", (status, "needs-check is set" in out, layer.read() == state),
         (1, True, True))
    status, _, err = run("chainsetup", "repair", "--yes", "--undo", "undo.needs", layer.path)
    same("needs-check is cleared", (status, err), (0, ""))
    same("and the view is there", layer.view(), layer.shown)
    status, out, _ = run("chainsetup", "check", layer.path)
    same("check finds it cleared", (status, "needs-check" in out), (0, False))
    layer.write(state)
    wipe("map", 1, "AB")(layer)
    state = layer.read()
    status, _, _ = run("chainsetup", "repair", "--yes", "--undo", "undo.needs2", layer.path)
    same("needs-check stays with damage", (status, layer.read() == state), (1, True))


def test_uuid(layer):
    """An interrupted "chainsetup uuid" is not for repair."""
    for n in range(2, 20):
        layer.reset()
        command = ["strace", "-o", "/dev/null", "-e", "trace=pwrite64"]
        command += ["-e", f"inject=pwrite64:error=EIO:signal=KILL:when={n}"]
        command += ["chainsetup", "uuid", layer.path]
        if subprocess.run(command, capture_output=True, check=False).returncode == 0:
            same("writes of uuid", n, 10)
            break
        state = layer.read()
        clean = run("chainsetup", "check", layer.path)[0] == 0
        layer.write(state)
        status, out, _ = run("chainsetup", "repair", layer.path)
        if not clean:
            same(f"uuid killed before write {n}: repair says so",
                 (status, "repeat it" in out, "--choose" in out), (1, True, False))
            run("chainsetup", "repair", "--yes", "--undo", f"undo.uuid.{n}", layer.path)
            same(f"uuid killed before write {n}: repair leaves it alone",
                 layer.read() == state, True)
        if clean:
            run("chainsetup", "check", layer.path)
        status, _, err = run("chainsetup", "uuid", layer.path)
        same(f"uuid killed before write {n}: repeated", (status, err), (0, ""))
        same(f"uuid killed before write {n}: the view", layer.view(), layer.shown)


def main():
    """All of them."""
    with tempfile.TemporaryDirectory(prefix="dm-chain-repair.") as work:
        os.chdir(work)
        layer = make("inline")
        for name, test in list(globals().items()):
            if name.startswith("test_"):
                test(layer)
        os.chdir("/")
    print(f"{passed} passed, {failed} failed")
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main())

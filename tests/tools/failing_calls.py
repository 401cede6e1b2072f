#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""usage: failing_calls.py [COMMAND...]

Every system call that a command of chainsetup makes on its layers fails, one after
the other: the command says so in one line, no layer shows anything else, and the
command can be given again. chainsetup, chainview, chainpoke and strace are in PATH.
The last line is "N passed, N failed".
"""

import os
import pathlib
import re
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "repair"))

from layers import MIB, make, make_image, must, run
from rows import bit, both, wipe

RAW, A, B = "inline-raw.img", "inline-a.img", "inline-b.img"
DATA, META = "separate-b.img", "separate-meta.img"
ALONE, NEW, NEW_META = "alone.img", "new.img", "new-meta.img"
IMAGES = (RAW, A, B, DATA, META, ALONE, NEW, NEW_META)
UNDO = "undo"
# What a command reads that is no layer
STREAM, SNAPSHOT = "stream", "snapshot.img"
# How a call may fail that is not interrupted only
ERRORS = {"openat": "EACCES", "pwrite64": "ENOSPC", "write": "ENOSPC"}
# What is taken for an error as well: nothing was read or written
SHORT = ("pread64", "pwrite64")
AGAIN = ("pread64", "pwrite64")
TRACED = "trace=file,desc"
LIMIT = 60

passed = failed = 0


def result(name, *complaints):
    """One check: nothing to complain of?"""
    global passed, failed
    wrong = [text for text in complaints if text]
    if wrong:
        failed += 1
        print(f"not ok {name}: {'; '.join(wrong)}", flush=True)
    else:
        passed += 1


class World:
    """The images, as they are before a command, and what they show."""

    def __init__(self):
        self.layer = make("inline")
        make("separate")
        make_image(ALONE, 80 * MIB)
        make_image(NEW, 16 * MIB)
        make_image(NEW_META, MIB)
        must("chainsetup", "format", "--size", "4M", "--name", "alone", ALONE)
        must("chainpoke", "set", ALONE, "0", "40", "data", "7")
        must("chainpoke", "super", ALONE, "backing-kind=1")
        self.kept = {name: self.area(name) for name in IMAGES}

    @staticmethod
    def area(name):
        """What commands may write: all but the blocks far inside."""
        with open(name, "rb") as image:
            return image.read(2 * MIB), os.fstat(image.fileno()).st_size

    def reset(self):
        """As it was."""
        for name, (data, size) in self.kept.items():
            if self.area(name) == (data, size):
                continue
            with open(name, "r+b") as image:
                image.truncate(size)
                image.write(data)
        if os.path.exists(UNDO):
            os.unlink(UNDO)

    @staticmethod
    def views():
        """What each layer shows, by the tool that shares nothing but the core."""
        return {
            name: run("chainview", *spec)[:2]
            for name, spec in (
                ("b", ("owners", f"raw={RAW}", A, B)),
                ("separate", ("owners", "raw=separate-raw.img", "separate-a.img",
                              f"{DATA},{META}")),
                ("alone", ("owners", ALONE)),
                ("new", ("states", NEW)),
                ("new, separate", ("states", f"{NEW},{NEW_META}")),
            )
        }


def damage(layer):
    """What repair has to write several pages for."""
    layer.poke("set", "16384", "3", "data")
    both(bit("map", 0, "A", 100), wipe("super", 0, "A"))(layer)


def exported(_):
    """The stream of a layer."""
    with open(STREAM, "wb") as stream:
        subprocess.run(("chainsetup", "export", ALONE), stdout=stream, check=True)


def snapshotted(_):
    """What dm-snapshot keeps of an origin: two chunks that have changed."""
    chunk = 8
    image = bytearray(MIB)
    image[:16] = struct.pack("<4sIII", b"SnAp", 1, 1, chunk)
    for n, (old, new) in enumerate(((0, 2), (40, 3))):
        struct.pack_into("<QQ", image, chunk * 512 + 16 * n, old, new)
        image[new * chunk * 512 : (new + 1) * chunk * 512] = bytes([n + 1]) * chunk * 512
    with open(SNAPSHOT, "wb") as file:
        file.write(image)


# A UUID is in every page: until the command is given again the layer is refused.
REFUSED = {"uuid": ("b",)}
# Name: arguments, what is done before
COMMANDS = {
    "check": (("check", A, B, META, ALONE), None),
    "dump": (("dump", "--json", B), None),
    "dump-separate": (("dump", META), None),
    "format": (("format", "--name", "N", "--size", "8M", "--backing", A, NEW), None),
    "format-separate": (("format", "--metadata", NEW_META, NEW), None),
    "format-again": (("format", "--force", "--backing", RAW, ALONE), None),
    "uuid": (("uuid", B), None),
    "rebase": (("rebase", B, A), None),
    "rebase-unsafe": (("rebase", "--unsafe", B, RAW), None),
    "plain": (("plain", ALONE), None),
    "map": (("map", "--json", f"./{B}"), None),
    "tree": (("tree", "--json", f"./{B}", f"./{META}"), None),
    "export": (("export", B), None),
    "apply": (("apply", NEW), exported),
    "apply-separate": (("apply", "--metadata", NEW_META, NEW), exported),
    "convert": (("convert", "snapshot", RAW, SNAPSHOT, NEW), snapshotted),
    "repair-dry": (("repair", B), damage),
    "repair": (("repair", "--yes", "--undo", UNDO, B), damage),
}


def strace(words, *options):
    """Run chainsetup under strace, which only looks at the layers."""
    command = ["strace", "-qq", "-o", "trace"]
    for name in (*IMAGES, UNDO):
        command += ["-P", os.path.abspath(name)]
    return chainsetup(words, [*command, *options])


def chainsetup(words, before=()):
    """Run it, with something before it, and a stream to read if it takes one."""
    source = STREAM if words[0] == "apply" else os.devnull
    try:
        with open(source, "rb") as stdin:
            done = subprocess.run([*before, "chainsetup", *words], stdin=stdin,
                                  capture_output=True, check=False, timeout=LIMIT)
    except subprocess.TimeoutExpired:
        return None, "", ""
    return done.returncode, done.stdout.decode("latin-1"), done.stderr.decode("latin-1")


def calls():
    """The names of the calls that were traced, in order."""
    with open("trace", encoding="latin-1") as lines:
        return re.findall(r"^(\w+)\(", lines.read(), re.M)


def complaints(status, out, err, words):
    """What is wrong with how a command failed."""
    if status is None:
        return "does not end"
    lines = err.splitlines()
    if status not in (0, 1):
        return f"status {status}: {err}"
    if status == 0:
        return ""
    if len(lines) == 1 and lines[0].startswith("chainsetup: "):
        return ""
    # check names findings on stdout, and that is all
    if words[0] in ("check", "repair") and not lines and out:
        return ""
    return f"not one line of chainsetup: {err!r}"


def changed(views, *allowed, refused=()):
    """Layers that show something else than allowed, and are not refused either."""
    return "".join(f"{name} shows something else" for name in views
                   if views[name] not in [each[name] for each in allowed] and
                   (name not in refused or not views[name][0]))


def prepare(world, before):
    world.reset()
    if before:
        before(world.layer)


def again(words, wanted):
    """Give the command once more, as the user would. Returns what is wrong."""
    options = ["--force"] if words[0] == "format" and "--force" not in words else []
    command = [words[0], *options, *words[1:]]
    status, _, err = chainsetup(command)
    if words[0] == "uuid" and "needs a check first" in err:
        # interrupted before any page was written
        must("chainsetup", "check", words[1])
        status, _, err = chainsetup(command)
    elif words[0] in ("apply", "convert") and "--force overwrites it" in err:
        # all but the second slot of the superblock was written
        status, _, err = chainsetup([words[0], "--force", *words[1:]])
    return status != wanted and f"again: status {status}: {err}"


def each_call(world, name, words, before):
    """Each call in turn, in each way."""
    prepare(world, before)
    first = world.views()
    quiet, out, err = strace(words, "-e", TRACED)
    last = world.views()
    result(f"{name}: without an error", complaints(quiet, out, err, words),
           quiet != (name == "repair-dry") and f"status {quiet}: {err}")
    seen = {}
    for call in calls():
        if call == "close":
            continue
        seen[call] = seen.get(call, 0) + 1
        ways = [f"error={ERRORS.get(call, 'EIO')}"]
        ways += ["retval=0"] if call in SHORT else []
        ways += ["error=EINTR"] if call in AGAIN else []
        for way in ways:
            prepare(world, before)
            status, out, err = strace(words, "-e", TRACED, "-e",
                                      f"inject={call}:{way}:when={seen[call]}")
            wrong = [complaints(status, out, err, words)]
            if way == "error=EINTR" and status != quiet:
                wrong.append(f"status {status}: {err}")
            wrong.append(changed(world.views(), first, last,
                                 refused=status and REFUSED.get(name, ())))
            if status and not os.path.exists(UNDO):
                wrong += [again(words, quiet), changed(world.views(), last)]
            result(f"{name}: {call} {seen[call]} {way}", *wrong)


def main():
    names = sys.argv[1:] or list(COMMANDS)
    with tempfile.TemporaryDirectory() as work:
        os.chdir(work)
        world = World()
        for name in names:
            done = passed + failed
            each_call(world, name, *COMMANDS[name])
            print(f"ok {name}: {passed + failed - done} ways", flush=True)
        os.chdir("/")
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed != 0 or passed == 0)


main()

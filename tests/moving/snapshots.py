#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""usage: snapshots.py [--seed N] [--count N]

convert of a snapshot of dm-snapshot: the exception store is made here by hand, as the
kernel's target would; what the layer shows on the origin has to be what the snapshot
would show. Then the store with damage of all kinds.
The last line is "N passed, N failed".
"""

import os
import pathlib
import random
import struct
import sys

from chains import (MIB, arguments, check, expect, fields, garbage, image, must, refused, run,
                    same_bytes, states, summary, view, work_directory)

SECTOR = 512
MAGIC = 0x70416E53


class Store:
    """The COW device of a persistent snapshot."""

    def __init__(self, chunk):
        self.chunk = chunk
        self.header = [MAGIC, 1, 1, chunk // SECTOR]
        self.pairs = []
        self.data = {}
        self.next = 2

    def add(self, old, content):
        """The next exception, where the kernel would put its data."""
        pairs = self.chunk // 16
        self.pairs.append((old, self.next))
        self.data[self.next] = content
        self.next += 1
        # behind the data of an area is the next area
        if (self.next - 1) % (pairs + 1) == 0:
            self.next += 1

    def write(self, path, size):
        """Only what the kernel writes; the rest is what was there."""
        per_area = self.chunk // 16
        garbage(path, size)
        with open(path, "r+b") as file:
            file.write(struct.pack("<4I", *self.header))
            for area in range(len(self.pairs) // per_area + 1):
                part = self.pairs[area * per_area :][:per_area]
                packed = b"".join(struct.pack("<QQ", *pair) for pair in part)
                where = (1 + area * (per_area + 1)) * self.chunk
                if where + self.chunk <= size:
                    file.seek(where)
                    file.write(packed.ljust(self.chunk, b"\0"))
            for chunk, content in self.data.items():
                file.seek(chunk * self.chunk)
                file.write(content)


def random_snapshot(seed):
    """An origin, and a snapshot of it, which is full or not."""
    rng = random.Random(seed)
    chunk = rng.choice([512, 4096, 4096, 8192, 65536])
    chunks = rng.choice([40, 300]) if chunk < 65536 else 20
    size = chunks * chunk - rng.choice([0, 0, SECTOR if chunk > SECTOR else 0])
    origin = rng.randbytes(size)
    pathlib.Path("origin.img").write_bytes(origin)
    store, shown = Store(chunk), bytearray(origin)
    for old in rng.sample(range(chunks), rng.choice([0, 3, chunks // 2, chunks])):
        content = rng.choice([rng.randbytes, rng.randbytes, bytes])(chunk)
        store.add(old, content)
        shown[old * chunk : (old + 1) * chunk] = content
    del shown[size:]
    store.write("cow.img", (chunks + chunks * 16 // chunk + 5) * chunk)
    garbage("new.img", size + MIB + 4096)
    before = [pathlib.Path(name).read_bytes() for name in ("origin.img", "cow.img", "new.img")]
    words = ["chainsetup", "convert", "snapshot", "origin.img", "cow.img", "new.img"]
    must(*words, "--dry-run")
    expect(pathlib.Path("new.img").read_bytes() == before[2], "a dry run wrote")
    said = fields(must(*words))
    expect(int(said["size"]) == size, f"{said}")
    same_bytes("view", view("raw=origin.img", "new.img"), bytes(shown))
    held = []
    for _, count, state in map(str.split, states("new.img").splitlines()):
        held += [state != "unallocated"] * int(count)
    wanted = [False] * len(held)
    for old, _ in store.pairs:
        for at in range(old * chunk, min((old + 1) * chunk, size), SECTOR):
            wanted[at // 4096] = True
    expect(held == wanted, "blocks of others, or not all of its own")
    expect("clean" in must("chainsetup", "check", "new.img"), "check")
    for name, data in zip(("origin.img", "cow.img"), before):
        expect(pathlib.Path(name).read_bytes() == data, f"{name} was changed")


def damaged():
    """What is no store, or not any more, or not that of the origin."""

    def store(header=None, pairs=(), size=MIB):
        """A small one, and what is wrong with it."""
        new = Store(4096)
        for old in range(3):
            new.add(old, bytes([old + 1]) * 4096)
        for at, number in (header or {}).items():
            new.header[at] = number
        new.pairs += pairs
        new.write("cow.img", size)

    def refuse(fragment, *words):
        """It is not converted, and nothing is written."""
        names = sorted(os.listdir("."))
        before = [pathlib.Path(name).read_bytes() for name in names]
        refused(fragment, "chainsetup", "convert", "snapshot",
                *(words or ("origin.img", "cow.img", "new.img")))
        for name, data in zip(names, before):
            expect(pathlib.Path(name).read_bytes() == data, f"{name} was changed")

    garbage("origin.img", 65536)
    image("new.img", 2 * MIB)
    store({0: 0})
    refuse("has no persistent exception store")
    store({1: 0})
    refuse("the snapshot is invalid")
    store({2: 2})
    refuse("version 2")
    for sectors in (0, 3, 12, 1 << 31, 0xFFFFFFFF):
        store({3: sectors})
        refuse("chunks of")
    for pair, what in (((16, 5), "exception 3 is behind the origin's end"),
                       ((1 << 60, 5), "is behind the origin's end"),
                       ((5, 1), "where a list is"),
                       ((5, 258), "where a list is"),
                       ((5, 256), "behind the device's end"),
                       ((5, 1 << 63), "behind the device's end"),
                       ((5, 3), "has the data of another one"),
                       ((1, 6), "for a chunk that has another one")):
        store(pairs=[pair])
        refuse(what)
    store(size=2 * MIB)
    refuse("cow.img is named twice", "--force", "origin.img", "cow.img", "cow.img")
    refuse("origin.img is named twice", "--force", "origin.img", "cow.img",
           "new.img,origin.img")
    refuse("origin.img is named twice", "origin.img", "origin.img", "new.img")
    image("small.img", MIB)
    refuse("room for", "origin.img", "cow.img", "small.img")
    refuse("No such file", "none.img", "cow.img", "new.img")
    refuse("name the origin, the COW device", "origin.img", "cow.img", "new.img", "small.img")
    refuse("--raw-base does not apply", "--raw-base", "origin.img", "cow.img", "new.img")
    status, _, err = run("chainsetup", "check", "new.img")
    expect(status == 1 and "no chain superblock" in err, err)


def main():
    """All of it."""
    args = arguments()
    with work_directory():
        check("what is no snapshot", damaged)
        for seed in range(args.seed, args.seed + args.count):
            check(f"the random snapshot {seed}", random_snapshot, seed)
    return summary()


sys.exit(main())

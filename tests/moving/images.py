#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""usage: images.py [--seed N] [--count N]

convert of disk images: random chains made with qemu-img and qemu-io, of which each
image is compared, byte by byte, with what qemu-img convert makes of it; that blocks
are held by the layer of the image that holds them; that nothing is written before all
was checked, and that a convert that was killed leaves no layer.
The last line is "N passed, N failed".
"""

import json
import os
import pathlib
import random
import re
import subprocess
import sys
import time

from chains import (HERE, MIB, arguments, check, expect, fields, garbage, image, must, refused, run,
                    same_bytes, states, summary, view, work_directory)

SECTOR = 512


class Images:
    """A random chain of images, base first."""

    def __init__(self, rng):
        self.paths = []
        self.sizes = []
        number = rng.randint(1, 3)
        for n in range(number):
            size = rng.choice([2 * MIB, 2 * MIB, rng.randint(1, 4096) * SECTOR])
            form = "raw" if n == 0 and rng.random() < 0.3 else "qcow2"
            path = f"{n}.{form}"
            words = ["qemu-img", "create", "-q", "-f", form]
            if form == "qcow2":
                words += ["-o", "cluster_size=" + rng.choice(["512", "2k", "4k", "64k", "64k"])
                          if rng.random() < 0.7 else "extended_l2=on,cluster_size=32k"]
            if n:
                below = self.paths[-1]
                words += ["-b", below, "-F", below.split(".")[1]]
            must(*words, path, str(size))
            self.fill(rng, path, form, size)
            self.paths.append(path)
            self.sizes.append(size)

    @staticmethod
    def fill(rng, path, form, size):
        """Write data and zeros to it."""
        words = []
        for _ in range(rng.randint(0, 8)):
            start = rng.randrange(size // SECTOR) * SECTOR
            length = min(rng.choice([SECTOR, 4096, 65536, 200 * SECTOR]), size - start)
            how = rng.choice(["-P 0", "-P 17", "-P 202", "-z", "-c -P 9"])
            if "-c" in how and (form == "raw" or start % 65536 or length != 65536):
                how = "-P 9"
            words += ["-c", f"write {how} {start} {length}"]
        if words:
            must("qemu-io", "-f", form, *words, path)

    def shown(self, n):
        """What QEMU reads of an image."""
        must("qemu-img", "convert", "-O", "raw", "-f", self.paths[n].split(".")[1],
             self.paths[n], "flat")
        return pathlib.Path("flat").read_bytes()

    def owned(self, n):
        """Which sectors an image holds itself, a byte each."""
        path = os.path.abspath(self.paths[n])
        word = {"driver": self.paths[n].split(".")[1],
                "file": {"driver": "file", "filename": path}}
        if word["driver"] == "qcow2":
            word["backing"] = None
        owned = bytearray(self.sizes[n] // SECTOR)
        for run_ in json.loads(must("qemu-img", "map", "--output=json",
                                    "json:" + json.dumps(word))):
            first, count = run_["start"] // SECTOR, run_["length"] // SECTOR
            if run_["present"]:
                owned[first : first + count] = b"\1" * count
        return bytes(owned)

    def read(self):
        """The files' bytes."""
        return [pathlib.Path(path).read_bytes() for path in self.paths]


def check_owners(images, n, spec, block_size):
    """A layer holds the blocks of which its image holds a part, and no others."""
    held = []
    for _, count, state in map(str.split, states(spec).splitlines()):
        held += [state != "unallocated"] * int(count)
    owned, step = images.owned(n), block_size // SECTOR
    wanted = [any(owned[at : at + step]) for at in range(0, len(owned), step)]
    expect(held == wanted, f"image {n}: blocks of others, or not all of its own")


def random_images(seed):
    """One chain, to layers; with a raw base if there is one to have."""
    rng = random.Random(seed)
    images = Images(rng)
    before = images.read()
    number = len(images.paths)
    block_size = rng.choice([4096, 4096, 16384, 65536])
    raw = number > 1 and rng.random() < 0.5
    targets, specs = [], []
    for n, size in enumerate(images.sizes):
        if raw and n == 0:
            garbage("t0.img", size + rng.choice([0, 0, MIB]))
            specs.append("raw=t0.img")
            targets.append("t0.img")
            continue
        # what is there does not matter
        garbage(f"t{n}.img", size + MIB + 4096)
        specs.append(f"t{n}.img")
        targets.append(f"t{n}.img")
        if rng.random() < 0.3:
            image(f"m{n}.img", MIB)
            targets[-1] = specs[-1] = f"t{n}.img,m{n}.img"
    words = ["chainsetup", "convert", "images", "--block-size", str(block_size),
             "--format", images.paths[-1].split(".")[1]]
    words += ["--raw-base"] if raw else []
    files = {name: pathlib.Path(name).read_bytes() for name in os.listdir(".")}
    must(*words, "--dry-run", images.paths[-1], *reversed(targets))
    for name, data in files.items():
        expect(pathlib.Path(name).read_bytes() == data, f"a dry run changed {name}")
    said = must(*words, images.paths[-1], *reversed(targets)).splitlines()
    expect(len(said) == number, f"{said}")
    for n in range(number):
        told = fields(said[n])
        expect((told["image"], told["format"]) ==
               (f"./{images.paths[n]}", images.paths[n].split(".")[1]), said[n])
        if raw and n == 0:
            continue
        same_bytes(f"image {n}", view(*specs[: n + 1]), images.shown(n))
        check_owners(images, n, specs[n], block_size)
        expect("clean" in must("chainsetup", "check", targets[n].split(",")[-1]), "check")
        expect(int(fields(said[n])["size"]) == images.sizes[n], f"{said[n]}")
    expect(images.read() == before, "an image was changed")


def small_images():
    """top.qcow2 on base.raw."""
    with open("base.raw", "wb") as file:
        file.write(b"\5" * 65536)
    must("qemu-img", "create", "-q", "-f", "qcow2", "-b", "base.raw", "-F", "raw", "top.qcow2")
    must("qemu-io", "-c", "write -P 3 4096 4096", "-c", "write -z 65024 512", "top.qcow2")
    for name in ("a.img", "b.img"):
        image(name, 2 * MIB)


def base_in_place():
    """A raw image that is the base already is not touched."""
    before = pathlib.Path("base.raw").read_bytes()
    must("chainsetup", "convert", "images", "--raw-base", "top.qcow2", "b.img", "base.raw")
    expect(pathlib.Path("base.raw").read_bytes() == before, "it was changed")
    must("qemu-img", "convert", "-O", "raw", "top.qcow2", "flat")
    same_bytes("view", view("raw=base.raw", "b.img"), pathlib.Path("flat").read_bytes())


def refuse(fragment, *words):
    """convert images, refused; and nothing was written."""
    files = {name: pathlib.Path(name).read_bytes() for name in os.listdir(".")}
    refused(fragment, "chainsetup", "convert", "images", *words)
    for name, data in files.items():
        expect(pathlib.Path(name).read_bytes() == data, f"{name} was changed")


def refusals():
    """What cannot be meant, what does not fit, what cannot be read."""
    small_images()
    image("small.img", MIB)
    image("old.img", 2 * MIB)
    must("chainsetup", "format", "--name", "old", "old.img")
    refuse("there are 2 images and 1 devices", "top.qcow2", "a.img")
    refuse("in this order: ./top.qcow2, ./base.raw", "top.qcow2", "a.img", "b.img", "old.img")
    refuse("room for", "top.qcow2", "a.img", "small.img")
    refuse("already is the layer old", "top.qcow2", "a.img", "old.img")
    refuse("a.img is named twice", "top.qcow2", "a.img", "a.img")
    refuse("a.img is named twice", "--raw-base", "top.qcow2", "a.img", "a.img")
    os.symlink("a.img", "link.img")
    refuse("link.img are the same device", "top.qcow2", "a.img", "b.img,link.img")
    os.truncate("top.qcow2", 2 * MIB)
    refuse("is the image ./top.qcow2", "--force", "top.qcow2", "top.qcow2", "a.img")
    must("qemu-img", "create", "-q", "-f", "qcow2", "-o", "data_file=a.img,data_file_raw=on",
         "split.qcow2", "1M")
    refuse("its data in another file", "--force", "split.qcow2", "a.img")
    refuse("its data in another file", "--force", "split.qcow2", "b.img")
    must("qemu-img", "create", "-q", "-f", "qcow2", "other.qcow2", "1M")
    os.truncate("other.qcow2", 2 * MIB)
    refuse("is an image of QEMU, qcow2", "top.qcow2", "other.qcow2", "b.img")
    image("a.img", 2 * MIB)
    refuse("No such file", "none.qcow2", "a.img", "b.img")
    refuse("with --raw-base no layer is left", "--raw-base", "base.raw", "a.img")
    image("tiny.img", 4096)
    refuse("are needed", "--raw-base", "top.qcow2", "a.img", "tiny.img")
    refuse("block size", "--block-size", "2K", "top.qcow2", "a.img", "b.img")
    refused("is no kind of chain", "chainsetup", "convert", "tape", "a.img", "b.img")
    # an image that somebody writes to
    with subprocess.Popen(["qemu-io", "top.qcow2"], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as writer:
        writer.stdin.write(b"write -P 1 0 512\n")
        writer.stdin.flush()
        writer.stdout.readline()
        refuse("lock", "top.qcow2", "a.img", "b.img")
        writer.stdin.close()
        writer.wait()
    data = pathlib.Path("top.qcow2").read_bytes()
    pathlib.Path("top.qcow2").write_bytes(data[:79] + b"\2" + data[80:])
    refuse("qemu-img check -r all", "top.qcow2", "a.img", "b.img")
    small_images()


def killed():
    """Before each write: no layer, and it can be done again with the same words."""
    words = ["chainsetup", "convert", "images", "top.qcow2", "b.img", "a.img"]
    wanted, n, kinds = None, 0, set()
    while True:
        n += 1
        small_images()
        if wanted is None:
            must("qemu-img", "convert", "-O", "raw", "top.qcow2", "flat")
            wanted = pathlib.Path("flat").read_bytes()
        if cut(n, ["a.img", "b.img"], words) == 0:
            break
        complete = [run("chainsetup", "check", name)[0] == 0 for name in ("a.img", "b.img")]
        kinds.add(tuple(complete))
        expect(complete != [False, True], "the overlay is there, and not what it rests on")
        if complete == [False, False]:
            must(*words)
        elif complete == [True, False]:
            must(*words[:3], "--force", *words[3:])
        same_bytes(f"cut before write {n}", view("a.img", "b.img"), wanted)
    expect(n > 15 and (False, False) in kinds and (True, True) in kinds, f"{n} {kinds}")


def cut(n, names, words):
    """Run a command that is killed before its n-th write to the files. Returns its status."""
    paths = [word for name in names for word in ("-P", os.path.abspath(name))]
    return subprocess.run(
        ["strace", "-o", "trace", *paths, "-e", "trace=pwrite64", "-e",
         f"inject=pwrite64:error=EIO:signal=KILL:when={n}", *words],
        capture_output=True, check=False).returncode


def formats():
    """Who guesses, and what was guessed; a raw image that looks like another is none."""
    small_images()
    words = ["chainsetup", "convert", "images", "--dry-run"]
    said = must(*words, "top.qcow2", "b.img", "a.img")
    expect("./top.qcow2: note: its format was not given, and qcow2 is a guess" in said and
           said.count("note") == 1, said)
    said = must(*words, "--format", "qcow2", "top.qcow2", "b.img", "a.img")
    expect("note" not in said and said.splitlines()[0].endswith("format=raw image=./base.raw"),
           said)
    # the guest of a raw image has written what makes it rest on a file of the host
    pathlib.Path("secret").write_bytes(b"\7" * 65536)
    must("qemu-img", "create", "-q", "-f", "qcow2", "-b", "secret", "-F", "raw", "guest.raw")
    os.truncate("guest.raw", MIB)
    refuse("there are 2 images", "guest.raw", "b.img")
    refuse("Unknown driver", "--format", "none", "guest.raw", "b.img")
    said = must("chainsetup", "convert", "images", "--format", "raw", "guest.raw", "b.img")
    expect("note" not in said and "format=raw image=./guest.raw" in said, said)
    same_bytes("raw as it is", view("b.img"), pathlib.Path("guest.raw").read_bytes())
    # an overlay that does not say what its backing is
    with open("guest.raw", "r+b") as file:
        data = bytearray(file.read(512))
        at = data.index(b"\xe2\x79\x2a\xca")
        data[at : at + 4] = b"\0\0\0\0"
        file.seek(0)
        file.write(data)
    said = must(*words, "--format", "qcow2", "--force", "guest.raw", "a.img", "b.img")
    expect("./secret: note: its format is not recorded, and raw is a guess" in said, said)
    for more in ([], ["--raw-base"]):
        text = must(*words, *more, "--json", "--force", "guest.raw", "a.img", "b.img")
        done = json.loads(text)
        expect([layer["format-guessed"] for layer in done["layers"]] == [True, True] and
               len(done["notes"]) == 2, text)
        pathlib.Path("json").write_text(text, "utf-8")
        must("python3", str(HERE.parent / "tools/schema.py"), "convert", "json")


def nothing_left():
    """Killed in the middle, it leaves no socket, and no process that has the image."""
    words = ["chainsetup", "convert", "images", "top.qcow2", "b.img", "a.img"]
    for signal in ("TERM", "INT", "KILL"):
        small_images()
        # where a socket is, a directory was made
        status = subprocess.run(
            ["strace", "-o", "trace", "-e", "trace=mkdir,mkdirat,pwrite64", "-e",
             f"inject=pwrite64:error=EIO:signal={signal}:when=4", *words],
            capture_output=True, check=False).returncode
        expect(status != 0, f"{signal}: it has not ended")
        trace = pathlib.Path("trace").read_text("utf-8")
        made = re.findall(r'mkdir(?:at)?\((?:AT_FDCWD, )?"([^"]*)"', trace)
        expect(made, f"no directory, and how does it read images?\n{trace}")
        for path in made:
            expect(not os.path.exists(path), f"{signal}: {path} is left")
        for _ in range(300):
            if run("qemu-io", "-c", "write -P 1 0 512", "top.qcow2")[0] == 0:
                break
            time.sleep(0.1)
        else:
            raise AssertionError(f"{signal}: the image is in use")


def whole(path, wanted):
    """Does it begin with what it is to show? Then all of it is there."""
    got = pathlib.Path(path).read_bytes()
    if got[:512] == wanted[:512]:
        same_bytes(path, got, wanted)
        return True
    expect(got.startswith(b"DMC-PART\n") or not any(got), f"{path} begins with {got[:80]}")
    expect(not any(got[512:MIB]) or got[512:] == wanted[512:],
           f"{path}: what it will be can be seen already")
    return False


def killed_devices():
    """The same with a raw base and a data device, which look like what they hold."""
    words = ["chainsetup", "convert", "images", "--raw-base", "top.qcow2", "b.img,m.img", "a.img"]
    base = b"\5" * (2 * MIB)
    pathlib.Path("base.raw").write_bytes(base)
    must("qemu-img", "create", "-q", "-f", "qcow2", "-b", "base.raw", "-F", "raw", "top.qcow2")
    must("qemu-io", "-c", "write -P 6 0 2M", "top.qcow2")
    n, kinds = 0, set()
    while True:
        n += 1
        for name in ("a.img", "b.img", "m.img"):
            image(name, 2 * MIB)
        if cut(n, ["a.img", "b.img", "m.img"], words) == 0:
            break
        layer = run("chainsetup", "check", "m.img")[0] == 0
        kind = (whole("a.img", base), whole("b.img", b"\6" * (2 * MIB)), layer)
        kinds.add(kind)
        expect(kind == tuple(sorted(kind, reverse=True)), f"cut before write {n}: {kind}")
        status, _, err = run("chainsetup", "map", "./m.img")
        expect((status == 0) == layer, f"cut before write {n}: {status}, {err}")
        if pathlib.Path("m.img").read_bytes().startswith(b"DMC-PART"):
            expect("m.img is not complete" in err, err)
        if pathlib.Path("a.img").read_bytes().startswith(b"DMC-PART"):
            refused("a.img is not complete", "chainsetup", "tree", "./a.img")
        if kind == (False, False, False):
            must(*words)
            same_bytes(f"done again after write {n}", view("raw=a.img", "b.img,m.img"),
                       b"\6" * (2 * MIB))
    expect(len(kinds) == 4, f"{n} {kinds}")


def main():
    """All of it."""
    args = arguments()
    with work_directory():
        check("what cannot be meant", refusals)
        check("a raw base that is there already", base_in_place)
        check("formats", formats)
        check("killed", killed)
        check("killed, nothing is left", nothing_left)
        check("killed, with a data device and a raw base", killed_devices)
        for seed in range(args.seed, args.seed + args.count):
            for name in os.listdir("."):
                os.unlink(name)
            check(f"the random images {seed}", random_images, seed)
    return summary()


sys.exit(main())

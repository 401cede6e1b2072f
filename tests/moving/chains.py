# SPDX-License-Identifier: GPL-2.0
"""Random chains in image files, and what the tests of moving them share.

What a chain shows is read by chainview, which shares no I/O code with chainsetup.
"""

import argparse
import contextlib
import os
import pathlib
import random
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "repair"))
sys.path.insert(0, str(HERE.parent / "unit"))

from layers import must, run

MIB = 1 << 20
counts = {"passed": 0, "failed": 0}


class Wrong(Exception):
    """A promise was broken."""


def expect(condition, what):
    """A promise."""
    if not condition:
        raise Wrong(what)


def check(name, function, *args):
    """One test: a function that raises if something is wrong."""
    try:
        function(*args)
    except (Wrong, RuntimeError, AssertionError) as wrong:
        counts["failed"] += 1
        print(f"not ok {name}: {wrong}", flush=True)
    else:
        counts["passed"] += 1
        print(f"ok {name}", flush=True)


def summary():
    """The last line, and the exit status."""
    print(f"{counts['passed']} passed, {counts['failed']} failed")
    return counts["failed"] != 0 or not counts["passed"]


def image(path, size, data=b""):
    """A sparse file that begins with some bytes."""
    with open(path, "wb") as file:
        file.write(data)
        file.truncate(size)


def garbage(path, size):
    """A file of something else."""
    with open(path, "wb") as file:
        file.write((b"not what belongs here\n" * (size // 22 + 1))[:size])


def refused(fragment, *command, stdin=subprocess.DEVNULL):
    """It says why in one line, which holds the fragment, and exits with 1."""
    done = subprocess.run(command, stdin=stdin, capture_output=True, check=False)
    err = done.stderr.decode("latin-1")
    expect(done.returncode == 1, f"{command}: status {done.returncode}: {err}")
    expect(err.startswith("chainsetup: ") and err.count("\n") == 1 and err[-1] == "\n",
           f"{command}: not one line of chainsetup: {err!r}")
    expect(fragment in err, f"{command}: not {fragment!r} but {err!r}")


def to_file(path, *command):
    """Run a command with its output in a file."""
    with open(path, "wb") as file:
        done = subprocess.run(command, stdout=file, stderr=subprocess.PIPE, check=False)
    if done.returncode or done.stderr:
        raise Wrong(f"{command}: status {done.returncode}: {done.stderr.decode('latin-1')}")


def from_file(path, *command):
    """Run a command with a file as its input. Returns what it prints."""
    with open(path, "rb") as file:
        done = subprocess.run(command, stdin=file, capture_output=True, check=False)
    if done.returncode or done.stderr:
        raise Wrong(f"{command}: status {done.returncode}: {done.stderr.decode('latin-1')}")
    return done.stdout.decode()


def view(*spec):
    """The bytes that a chain shows."""
    done = subprocess.run(("chainview", "read", "-", *spec), capture_output=True, check=False)
    if done.returncode:
        raise Wrong(f"chainview {spec}: {done.stderr.decode()}")
    return done.stdout


def states(spec):
    """The states of a layer's blocks, as one text."""
    return must("chainview", "states", spec)


def fields(line):
    """key=value words."""
    return dict(word.split("=", 1) for word in line.split())


def same_bytes(name, got, wanted):
    """Compare, and name the first byte that differs."""
    if got == wanted:
        return
    at = next((n for n, (a, b) in enumerate(zip(got, wanted)) if a != b),
              min(len(got), len(wanted)))
    raise Wrong(f"{name}: {len(got)} bytes and {len(wanted)}, byte {at} differs")


def metadata(path):
    """The bytes before the data of a small layer."""
    with open(path, "rb") as file:
        return file.read(MIB)


class Layer:
    """A layer of a random chain: its file, or files, and how it was made."""

    def __init__(self, path, size, block_size, separate):
        self.path = path
        self.meta = path + ".meta" if separate else path
        self.spec = f"{path},{self.meta}" if separate else path
        self.size = size
        self.block_size = block_size
        self.offset = 0 if separate else MIB
        image(path, self.offset + (size + 4095) // 4096 * 4096)
        if separate:
            image(self.meta, MIB)

    def format_options(self):
        """What says where the metadata is."""
        return ["--metadata", self.meta] if self.meta != self.path else []

    def fill(self, rng, runs):
        """Put random runs of blocks into it."""
        blocks = (self.size + self.block_size - 1) // self.block_size
        for _ in range(runs):
            first = rng.randrange(blocks)
            count = min(rng.randint(1, 6), blocks - first)
            state = rng.choice(["data", "data", "zero"])
            must("chainpoke", "set", self.spec, str(first), str(count), state)
            if state == "zero":
                continue
            start = first * self.block_size
            length = min(count * self.block_size, self.size - start)
            # a block of zeros is data as well
            new = rng.choice([rng.randbytes, rng.randbytes, bytes])(length)
            with open(self.path, "r+b") as file:
                file.seek(self.offset + start)
                file.write(new)


class Chain:
    """A random chain, base first."""

    def __init__(self, rng, prefix):
        self.block_size = rng.choice([4096, 4096, 16384, 65536])
        blocks = 400000 // self.block_size + 5
        self.raw = prefix + "raw.img" if rng.random() < 0.5 else None
        self.layers = []

        def size():
            return rng.choice([
                blocks * self.block_size,
                blocks * self.block_size,
                rng.randint(1, blocks * self.block_size // 512) * 512,
            ])

        if self.raw:
            length = size()
            image(self.raw, length, rng.randbytes(rng.randint(1, length)))
        below = self.raw
        for n in range(rng.randint(1, 4)):
            layer = Layer(f"{prefix}{n}.img", size(), self.block_size, rng.random() < 0.3)
            must("chainsetup", "format", "--name", f"L{n}", "--size", str(layer.size),
                 "--max-size", str(layer.size), "--block-size", str(self.block_size),
                 *(["--backing", below] if below else []), *layer.format_options(), layer.path)
            layer.fill(rng, rng.randint(0, 7))
            self.layers.append(layer)
            below = layer.meta
        if not self.raw:
            must("chainpoke", "super", self.layers[0].spec, "backing-kind=1")

    def specs(self, top=None):
        """For chainview, up to a layer."""
        below = [f"raw={self.raw}"] if self.raw else []
        layers = self.layers if top is None else self.layers[: top + 1]
        return below + [layer.spec for layer in layers]

    def files(self):
        """All files, and what is in them."""
        names = {self.raw} if self.raw else set()
        for layer in self.layers:
            names |= {layer.path, layer.meta}
        return {name: pathlib.Path(name).read_bytes() for name in names}


def arguments():
    """Those of the random tests; the seed is printed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--count", type=int, default=20)
    args = parser.parse_args()
    print(f"seed {args.seed}")
    return args


@contextlib.contextmanager
def work_directory():
    """Where the images are: in memory if that is possible, since all is flushed."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="dm-chain-moving.", dir=memory) as work:
        os.chdir(work)
        yield
        os.chdir("/")


__all__ = [
    "HERE", "MIB", "Chain", "Layer", "Wrong", "check", "expect", "fields", "from_file", "garbage",
    "image", "metadata", "must", "refused", "run", "same_bytes", "states", "summary",
    "to_file", "view",
]

# SPDX-License-Identifier: GPL-2.0
"""Layers in image files, ways to damage them, and the tools that look at them.

The damage is done here and by chainpoke, without chainsetup; what a layer shows
is read by chainview, and by tests/unit/format_reader.py, which was written from
the document alone.
"""

import os
import pathlib
import struct
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "unit"))

import format_reader

PAGE = 4096
SECTOR = 512
MIB = 1 << 20
CLEAN, NEEDS_CHECK = 1, 2
SUPER_A, SUPER_B = 0, 131072
UNDO_HEAD = 48
UNDO_ENTRY = 16 + 2 * PAGE


def run(*command):
    """Run a program. Returns status, stdout, stderr."""
    done = subprocess.run(command, capture_output=True, check=False)
    return (done.returncode, done.stdout.decode("latin-1"), done.stderr.decode("latin-1"))


def must(*command):
    """Run a program that has to succeed."""
    status, out, err = run(*command)
    if status:
        raise RuntimeError(f"{' '.join(command)}: status {status}: {err}")
    return out


def seal(page):
    """A page with the right checksum."""
    crc = format_reader.crc32c(page[12:])
    return page[:8] + struct.pack("<I", crc) + page[12:]


class Layer:
    """A layer whose metadata is to be damaged, and what lies below it."""

    def __init__(self, path, data, below):
        self.path = path
        self.spec = f"{data},{path}" if data else path
        self.below = below
        self.keep = self.read()
        self.shown = self.view()
        reader = format_reader.Layer(open(path, "rb"))
        self.offsets = {
            ("super", 0, 0): SUPER_A,
            ("super", 0, 1): SUPER_B,
        }
        for slot in (0, 1):
            self.offsets["dir", 0, slot] = reader.area[slot]
            for index in reader.states:
                self.offsets["map", index, slot] = (
                    reader.area[slot] + (reader.dir_pages + index) * PAGE
                )

    def read(self):
        """The metadata area, and the size of the device."""
        with open(self.path, "rb") as image:
            return image.read(MIB), os.fstat(image.fileno()).st_size

    def write(self, state):
        """Put it back."""
        with open(self.path, "r+b") as image:
            image.truncate(state[1])
            image.write(state[0])

    def reset(self):
        """As it was before any damage."""
        self.write(self.keep)

    def get(self, offset, size=PAGE):
        """Some bytes."""
        with open(self.path, "rb") as image:
            image.seek(offset)
            return image.read(size)

    def put(self, offset, data):
        """Write some bytes."""
        with open(self.path, "r+b") as image:
            image.seek(offset)
            image.write(data)

    def at(self, kind, index, slot):
        """Where a slot lies."""
        return self.offsets[kind, index, "AB".index(slot)]

    def page(self, kind, index, slot):
        """A slot's content."""
        return self.get(self.at(kind, index, slot))

    def put_page(self, kind, index, slot, page):
        """Write a slot."""
        self.put(self.at(kind, index, slot), page)

    def change(self, kind, index, slots, at, data):
        """Change bytes of slots and make their checksums right."""
        for slot in slots:
            page = self.page(kind, index, slot)
            self.put_page(
                kind, index, slot, seal(page[:at] + data + page[at + len(data) :])
            )

    def invert(self, kind, index, slot, at, mask=0xFF):
        """Invert bits of a byte."""
        where = self.at(kind, index, slot) + at
        self.put(where, bytes([self.get(where, 1)[0] ^ mask]))

    def poke(self, *words):
        """Run chainpoke."""
        must("chainpoke", words[0], self.spec, *words[1:])

    def view(self):
        """Who holds what of the view, or None if it is refused."""
        status, out, _ = run("chainview", "owners", *self.below, self.spec)
        return None if status else out

    def readable(self):
        """Does the second reader, too, read all of the layer?"""
        with open(self.path, "rb") as image:
            try:
                format_reader.Layer(image)
            except format_reader.Refused:
                return False
        return True


def writes(undo):
    """What an undo file says that was written: offset, old, new."""
    data = pathlib.Path(undo).read_bytes()
    for start in range(UNDO_HEAD, len(data), UNDO_ENTRY):
        (offset,) = struct.unpack_from("<Q", data, start)
        old = data[start + 16 : start + 16 + PAGE]
        yield offset, old, data[start + 16 + PAGE : start + UNDO_ENTRY]


def torn(old, new, sectors):
    """A write of which only some sectors arrived, a bit each."""
    page = b""
    for i in range(PAGE // SECTOR):
        source = new if sectors & 1 << i else old
        page += source[i * SECTOR : (i + 1) * SECTOR]
    return page


def make_image(path, size, fill=False):
    """A sparse file, or one with a pattern."""
    with open(path, "wb") as image:
        image.truncate(size)
        if fill:
            image.write(b"".join(b"%07d\n" % n for n in range(size // 8)))


def make(kind):
    """raw <- A <- B; B is the one to damage, inline or separate."""
    make_image(f"{kind}-raw.img", 4 * MIB, fill=True)
    make_image(f"{kind}-a.img", 80 * MIB)
    make_image(f"{kind}-b.img", 80 * MIB)
    command = ["chainsetup", "format", "--size", "64M", "--backing"]
    must(*command, f"{kind}-raw.img", "--name", "A", f"{kind}-a.img")
    must("chainpoke", "set", f"{kind}-a.img", "0", "100", "data", "1")
    command += [f"{kind}-a.img", "--name", "B"]
    below = [f"raw={kind}-raw.img", f"{kind}-a.img"]
    data = None
    path = f"{kind}-b.img"
    if kind == "separate":
        data, path = path, "separate-meta.img"
        make_image(path, 2 * MIB)
        command += ["--metadata", path]
    must(*command, data or path)
    spec = f"{data},{path}" if data else path
    # Map page 0 was written several times, its slots differ; 1 was written once.
    for words in (
        ("0", "40", "data", "2"),
        ("50", "10", "zero"),
        ("16128", "20", "data", "3"),
        ("8000", "7", "data", "4"),
    ):
        must("chainpoke", "set", spec, *words)
    must("chainpoke", "super", spec, "backing-generation=1")
    return Layer(path, data, below)

# SPDX-License-Identifier: GPL-2.0
"""Read and write a stream of "chainsetup export".

Written from Documentation/format-stream.rst alone, so that the tests see whether
that page is enough, and right.
"""

import struct

from format_reader import crc32c

HEADER = "<8sII IIQ 16sQ64s II16sQQ Q344x"
RECORD = "<4sIQQII"
END = "<QQQQII"
UNOWNED, DATA, ZERO, LAST = range(4)
KINDS = ("unset", "none", "raw", "layer")


class Bad(Exception):
    """It is not a whole stream."""


def need(condition, what):
    """What has to hold."""
    if not condition:
        raise Bad(what)


class Stream:
    """A stream taken apart: its header, and the records as (type, block, count, data)."""

    def __init__(self, data):
        need(len(data) >= 512, "no header")
        (magic, crc, version, self.block_size, flags, self.size, self.uuid, self.generation,
         name, kind, pad, self.base_uuid, self.base_size, self.base_generation,
         self.created) = struct.unpack_from(HEADER, data)
        need(magic == b"DMC-STRM", "magic")
        need(crc == crc32c(data[12:512]), "checksum of the header")
        need(version == 1 and flags == 0 and pad == 0, "version")
        self.name = name.split(b"\0")[0].decode()
        self.kind = KINDS[kind]
        self.blocks = -(-self.size // self.block_size)
        self.records = []
        heads, at, block = data[:512], 512, 0
        counts = [0, 0, 0]
        while True:
            need(len(data) >= at + 32, "cut off")
            magic, what, first, count, length, crc = struct.unpack_from(RECORD, data, at)
            need(magic == b"DMCR" and first == block, "not a record, or not the next one")
            content = data[at + 32 : at + 32 + length]
            need(len(content) == length, "cut off")
            need(crc == crc32c(data[at : at + 28] + content), "checksum of a record")
            if what == LAST:
                break
            need(what < LAST and count, "type")
            size = min(count * self.block_size, self.size - first * self.block_size)
            need(length == (size if what == DATA else 0) and length <= 1 << 20, "length")
            self.records.append((what, first, count, content))
            counts[what] += count
            heads += data[at : at + 32]
            block += count
            at += 32 + length
        need(count == 0 and length == 40 and at + 72 == len(data), "the end")
        *told, records, crc, pad = struct.unpack(END, content)
        need(told == counts and records == len(self.records) and pad == 0, "the counts")
        need(crc == crc32c(heads) and block == self.blocks, "the checksum of all")

    def states(self):
        """A letter a block."""
        return "".join("-DZ"[what] * count for what, _, count, _ in self.records)

    def over(self, below):
        """What it shows on something."""
        shown = bytearray(below[: self.size].ljust(self.size, b"\0"))
        for what, first, count, content in self.records:
            start = first * self.block_size
            end = min(start + count * self.block_size, self.size)
            if what != UNOWNED:
                shown[start:end] = content if what == DATA else bytes(end - start)
        return bytes(shown)

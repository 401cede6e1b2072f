#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Read the metadata of a layer.

Written from Documentation/format.rst alone, so that the tests see whether that
page is enough, and right. Prints the superblock's fields, the runs of blocks
and, last, "readable"; or "refused" and nothing else. The reason of a refusal
goes to standard error.
"""

import string
import struct
import sys

PAGE = 4096
NAME_START = string.ascii_letters + string.digits + "_"


class Refused(Exception):
    """The layer is not to be opened."""


def crc32c_table():
    """The remainders of all bytes."""
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


TABLE = crc32c_table()


def crc32c(data):
    """CRC-32C as it is commonly understood."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


assert crc32c(b"123456789") == 0xE3069283


def u32(page, offset):
    """An integer of 4 bytes."""
    return struct.unpack_from("<I", page, offset)[0]


def u64(page, offset):
    """An integer of 8 bytes."""
    return struct.unpack_from("<Q", page, offset)[0]


def uuid(page, offset):
    """A UUID, as 32 hexadecimal digits."""
    return page[offset : offset + 16].hex()


NO_UUID = 32 * "0"


def require(condition, what):
    """Refuse the layer unless it keeps to a rule."""
    if not condition:
        raise Refused(what)


def text(page, offset, size):
    """A string up to its NUL byte."""
    field = page[offset : offset + size]
    require(b"\0" in field, f"string at {offset} does not end")
    return field[: field.index(b"\0")].decode("latin-1")


def path(page, offset):
    """A path hint."""
    value = text(page, offset, 256)
    require(not any(c < " " or c == "\x7f" for c in value), f"path at {offset}")
    return value


def name(page, offset, optional=False):
    """The name of a layer or a job."""
    value = text(page, offset, 64)
    if value or not optional:
        require(
            value
            and value[0] in NAME_START
            and all(c in NAME_START + ".+-" for c in value)
            and value != "zero",
            f"name at {offset}",
        )
    return value


def is_size(value):
    """Can this be the size of a layer or a device?"""
    return value and value % 512 == 0 and value < 1 << 63


def is_good(page, magic):
    """Is this slot neither torn nor something else?"""
    return page[:8] == magic and u32(page, 8) == crc32c(page[12:])


def divide_up(dividend, divisor):
    """Divide and round up."""
    return -(-dividend // divisor)


class Layer:
    """One layer, read from an image of its metadata device."""

    def __init__(self, image):
        self.image = image
        self.fields = {}
        page = self.choose_superblock()
        self.check_superblock(page)
        self.locate()
        self.states = {}
        for index in self.named_pages():
            self.states[index] = self.choose_page(b"DMC-MAP_", index)

    def read(self, offset):
        """One page of the metadata device."""
        self.image.seek(offset)
        page = self.image.read(PAGE)
        require(len(page) == PAGE, f"nothing to read at {offset}")
        return page

    def choose_superblock(self):
        """Choosing between the slots, superblock."""
        slots = [self.read(0), self.read(131072)]
        good = [page for page in slots if is_good(page, b"DM-CHAIN")]
        require(good, "no superblock")
        # max() takes the first of equals.
        return max(good, key=lambda page: u64(page, 16))

    def check_superblock(self, page):
        """The superblock."""
        require(u32(page, 12) == 1, f"version {u32(page, 12)}")
        require(u32(page, 32) == 0, "incompat features")

        f = self.fields
        f["seq"] = u64(page, 16)
        f["compat"] = u32(page, 24)
        f["ro_compat"] = u32(page, 28)
        f["incompat"] = u32(page, 32)
        f["flags"] = u32(page, 36)
        require(f["flags"] < 8, "flags")
        f["uuid"] = uuid(page, 40)
        require(f["uuid"] != NO_UUID, "no UUID")
        f["name"] = name(page, 56)
        f["block_size"] = u32(page, 120)
        require(f["block_size"] in [1 << n for n in range(12, 21)], "block size")
        f["size"] = u64(page, 128)
        f["max_size"] = u64(page, 136)
        require(is_size(f["size"]) and is_size(f["max_size"]), "size")
        require(f["size"] <= f["max_size"], "size above maximal size")
        f["data_offset"] = u64(page, 144)
        require(f["data_offset"] + f["max_size"] < 1 << 63, "data offset")
        f["generation"] = u64(page, 152)
        require(f["generation"] > 0, "generation")
        f["overlay_uuid"] = uuid(page, 160)
        if f["flags"] & 4:
            require(f["overlay_uuid"] not in (NO_UUID, f["uuid"]), "overlay")
        f["data_size"] = u64(page, 176)
        require(f["data_size"] % 512 == 0 and f["data_size"] < 1 << 63, "data size")
        f["data_path"] = path(page, 184)
        self.check_backing(page)
        self.check_job(page)
        self.check_result(page)

    def check_backing(self, page):
        """The backing reference."""
        f = self.fields
        kind = f["backing.kind"] = u32(page, 440)
        require(kind <= 3, "kind of backing")
        f["backing.uuid"] = uuid(page, 448)
        f["backing.size"] = u64(page, 464)
        f["backing.generation"] = u64(page, 472)
        if kind == 3:
            require(f["backing.uuid"] not in (NO_UUID, f["uuid"]), "backing UUID")
        else:
            require(f["backing.uuid"] == NO_UUID, "backing UUID")
            require(f["backing.generation"] == 0, "backing generation")
        if kind in (2, 3):
            require(is_size(f["backing.size"]), "backing size")
        else:
            require(f["backing.size"] == 0, "backing size")
        f["backing.path"] = path(page, 480)

    def check_job(self, page):
        """The job record."""
        f = self.fields
        f["job.type"] = u32(page, 736)
        require(f["job.type"] <= 1, "job type")
        if f["job.type"] == 0:
            return
        f["job.flags"] = u32(page, 740)
        require(f["job.flags"] < 64, "job flags")
        f["job.id"] = name(page, 744)
        f["job.top_uuid"] = uuid(page, 808)
        require(f["job.top_uuid"] == f["uuid"], "job's top")
        f["job.bottom_uuid"] = uuid(page, 824)
        raw = bool(f["job.flags"] & 1)
        require((f["job.bottom_uuid"] == NO_UUID) == raw, "job's bottom")
        require(f["job.bottom_uuid"] != f["uuid"], "job's bottom")
        for offset, field in (
            (840, "speed"),
            (848, "floor"),
            (856, "ceiling"),
            (864, "cursor"),
            (872, "copied"),
            (880, "zeroed"),
            (888, "skipped"),
            (896, "started"),
        ):
            f["job." + field] = u64(page, offset)
        require(f["job.cursor"] <= f["size"], "job's cursor")
        f["job.on_error"] = u32(page, 904)
        require(f["job.on_error"] <= 3, "job's error policy")
        f["job.error"] = u32(page, 908)
        require(f["job.error"] <= 4095, "job's error")
        f["job.io_status"] = u32(page, 912)
        require(f["job.io_status"] <= 2, "job's I/O status")

    def check_result(self, page):
        """The job result."""
        f = self.fields
        f["result.type"] = u32(page, 976)
        require(f["result.type"] <= 1, "type of the last job")
        if f["result.type"] == 0:
            return
        f["result.status"] = u32(page, 980)
        require(1 <= f["result.status"] <= 3, "result")
        f["result.id"] = name(page, 984)
        f["result.base"] = name(page, 1048, optional=True)
        for offset, field in (
            (1112, "len"),
            (1120, "offset"),
            (1128, "copied"),
            (1136, "zeroed"),
            (1144, "skipped"),
            (1152, "speed"),
            (1160, "started"),
            (1168, "finished"),
        ):
            f["result." + field] = u64(page, offset)
        require(f["result.offset"] <= f["result.len"], "offset of the last job")
        f["result.error"] = u32(page, 1176)
        require(f["result.error"] <= 4095, "error of the last job")

    def locate(self):
        """The metadata area."""
        f = self.fields
        self.blocks = divide_up(f["max_size"], f["block_size"])
        self.map_pages = divide_up(self.blocks, 16128)
        require(self.map_pages < 1 << 32, "too many map pages")
        self.dir_pages = divide_up(self.map_pages, 32256)
        length = (self.dir_pages + self.map_pages) * 4096
        area_b = divide_up(196608 + length, 65536) * 65536 + 65536
        end = area_b + length
        self.area = (196608, area_b)
        if f["data_offset"]:
            require(f["data_offset"] % (1 << 20) == 0, "data offset")
            require(f["data_offset"] >= end, "data offset in the metadata")
        f["area_b"] = area_b
        f["end"] = end

    def choose_page(self, magic, index):
        """Choosing between the slots, directory and map pages."""
        number = index
        if magic == b"DMC-MAP_":
            number += self.dir_pages
        slots = [self.read(area + number * 4096) for area in self.area]
        good = [page for page in slots if is_good(page, magic)]
        for page in good:
            require(u32(page, 12) == 1, f"{magic} {index}: version")
            require(u64(page, 24) == index, f"{magic} {index}: index")
            require(uuid(page, 32) == self.fields["uuid"], f"{magic} {index}: UUID")
            if magic == b"DMC-MAP_":
                states = [byte >> n & 3 for byte in page[64:] for n in (0, 2, 4, 6)]
                require(3 not in states, f"{magic} {index}: state 3")
        require(good, f"{magic} {index}: no good slot")
        clean = self.fields["flags"] & 1
        require(len(good) == 2 or not clean, f"{magic} {index}: a torn slot")
        return max(good, key=lambda page: u64(page, 16))[64:]

    def named_pages(self):
        """The map pages that the directory names."""
        for d in range(self.dir_pages):
            payload = self.choose_page(b"DMC-DIR_", d)
            for n in range(32256):
                if payload[n // 8] >> n % 8 & 1:
                    require(d * 32256 + n < self.map_pages, "no such map page")
                    yield d * 32256 + n

    def state(self, block):
        """The state of one block."""
        payload = self.states.get(block // 16128)
        if not payload:
            return 0
        n = block % 16128
        return payload[n // 4] >> 2 * (n % 4) & 3

    def runs(self):
        """The runs of blocks that are not unallocated: start, length, state."""
        run = None
        end = divide_up(self.fields["size"], self.fields["block_size"])
        for index in sorted(self.states):
            first = index * 16128
            for block in range(first, min(first + 16128, end)):
                state = self.state(block)
                if run and run[0] + run[1] == block and run[2] == state:
                    run[1] += 1
                    continue
                if run:
                    yield run
                run = [block, 1, state] if state else None
        if run:
            yield run


def describe(path_of_image):
    """The lines that say what an image holds."""
    with open(path_of_image, "rb") as image:
        try:
            layer = Layer(image)
        except Refused as reason:
            print(f"{path_of_image}: {reason}", file=sys.stderr)
            return ["refused"]
    lines = [f"{field}={value}" for field, value in layer.fields.items()]
    for start, length, state in layer.runs():
        lines.append(f"{'data' if state == 1 else 'zero'} {start} {length}")
    return lines + ["readable"]


if __name__ == "__main__":
    print("\n".join(describe(sys.argv[1])))

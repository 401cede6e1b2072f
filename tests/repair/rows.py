# SPDX-License-Identifier: GPL-2.0
"""Every row of the table in Documentation/format.rst, made on purpose.

A row damages a layer and says what check finds and what repair does about it.
"""

import dataclasses
import pathlib
import struct
import typing

from layers import CLEAN, MIB, NEEDS_CHECK, PAGE, SECTOR, Layer, must

FIXED, REFUSED, CHOICE, NOTE = "fixed", "refused", "choice", "note"
SHOWN = "what the layer showed"

# Offsets in a superblock, see the document.
FLAGS, UUID, NAME, BLOCK_SIZE, SIZE, MAX_SIZE = 36, 40, 56, 120, 128, 136
DATA_OFFSET, GENERATION, DATA_PATH = 144, 152, 184
KIND, BACKING_UUID, BACKING_SIZE, BACKING_PATH = 440, 448, 464, 480
JOB, RESULT = 736, 976


@dataclasses.dataclass
class Row:
    """One way to be inconsistent."""

    name: str
    damage: typing.Callable[[Layer], None]
    says: str
    outcome: str
    # Of CHOICE: what can be chosen, and who then owns what; SHOWN as before.
    choices: dict = dataclasses.field(default_factory=dict)
    kinds: tuple = ("inline", "separate")


def u32(value):
    """An integer of 4 bytes."""
    return struct.pack("<I", value)


def u64(value):
    """An integer of 8 bytes."""
    return struct.pack("<Q", value)


def seq_of(layer, kind, index, slot):
    """The sequence number of a slot."""
    return struct.unpack_from("<Q", layer.page(kind, index, slot), 16)[0]


def newer(layer, kind, index):
    """The slot that counts."""
    a, b = (seq_of(layer, kind, index, slot) for slot in "AB")
    return "B" if b > a else "A"


def other(slot):
    """The other one."""
    return "B" if slot == "A" else "A"


def super_field(at, data, newest_only=False):
    """Another value of a field of the superblock."""

    def damage(layer):
        slots = newer(layer, "super", 0) if newest_only else "AB"
        layer.change("super", 0, slots, at, data)

    return damage


def job(**fields):
    """The record of a job whose bottom is the layer below, but for some fields."""
    places = {
        "type": (0, u32(1)),
        "flags": (4, u32(0)),
        "id": (8, b"job\0"),
        "top": (72, None),
        "bottom": (88, None),
        "cursor": (128, u64(4096)),
        "on_error": (168, u32(0)),
        "error": (172, u32(0)),
        "io_status": (176, u32(0)),
    }

    def damage(layer):
        page = layer.page("super", 0, "A")
        values = {"top": page[UUID : UUID + 16]}
        values["bottom"] = page[BACKING_UUID : BACKING_UUID + 16]
        values.update(fields)
        record = bytearray(240)
        for name, (at, default) in places.items():
            value = values.get(name, default)
            record[at : at + len(value)] = value
        layer.change("super", 0, "AB", JOB, bytes(record))

    return damage


def result(status, name=b"job\0"):
    """The result of a job."""
    record = u32(1) + u32(status) + name
    return super_field(RESULT, record)


def both(*damages):
    """One after the other."""

    def damage(layer):
        for one in damages:
            one(layer)

    return damage


def garbage(kind, index, slots, at=0, size=SECTOR, what=b"\x5a"):
    """Something else in a part of slots."""

    def damage(layer):
        for slot in slots:
            layer.put(layer.at(kind, index, slot) + at, what * size)

    return damage


def wipe(kind, index, slots):
    """Nothing but zeros in slots."""

    def damage(layer):
        for slot in slots:
            layer.put_page(kind, index, slot, bytes(PAGE))

    return damage


def bit(kind, index, slots, at, mask=1):
    """One bit of slots inverted, or those of a mask."""

    def damage(layer):
        for slot in slots:
            layer.invert(kind, index, slot, at, mask)

    return damage


def field(kind, index, slots, at, data):
    """Other bytes in slots, with the right checksum."""
    return lambda layer: layer.change(kind, index, slots, at, data)


def lose(kind, index, which, how):
    """Damage the newer or the older slot of a page beyond its checksum."""

    def damage(layer):
        slot = newer(layer, kind, index)
        how(kind, index, slot if which == "newer" else other(slot))(layer)

    return damage


def same_seq(kind, index):
    """Both slots with one number, and different content."""

    def damage(layer):
        layer.change(kind, index, "AB", 16, u64(1000))
        # In what nobody reads of a superblock, or a block that nobody holds.
        layer.change(kind, index, "A", 4000, b"\x02")

    return damage


def not_closed(flags=0):
    """The layer was not closed."""
    return lambda layer: layer.poke("super", f"flags={flags}")


def stray_super(layer):
    """The newer slot is another layer's."""
    with open(layer.below[1], "rb") as image:
        page = bytearray(image.read(PAGE))
    page[16:24] = u64(900)
    layer.put_page("super", 0, newer(layer, "super", 0), bytes(page))
    slot = newer(layer, "super", 0)
    layer.change("super", 0, slot, 16, u64(900))


def left_of_stray_super(layer):
    """The newer slot is what is left of another layer's."""
    stray_super(layer)
    layer.invert("super", 0, newer(layer, "super", 0), 5, 1)


def stray_map(kind, index, slot):
    """A slot is one of another page."""
    return lambda layer: layer.put_page(kind, index, slot, layer.page(kind, 0, "A"))


def old_stray_super(layer):
    """The older slot is another layer's."""
    slot = other(newer(layer, "super", 0))
    with open(layer.below[1], "rb") as image:
        layer.put_page("super", 0, slot, image.read(PAGE))


def rebased(layer, at, data):
    """Another value in the backing's superblock."""
    below = Layer.__new__(Layer)
    below.path = layer.below[1]
    below.offsets = {("super", 0, 0): 0, ("super", 0, 1): 131072}
    below.change("super", 0, "AB", at, data)


def backing(at, data):
    """The same as a row's damage."""
    return lambda layer: rebased(layer, at, data)


def shrink(path_of, size):
    """A device that was shrunk."""

    def damage(layer):
        with open(path_of(layer), "r+b") as image:
            image.truncate(size)

    return damage


def data_of(layer):
    """The data device."""
    return layer.spec.split(",", maxsplit=1)[0]


def circle(layer):
    """The backing rests on the layer."""
    uuid = layer.page("super", 0, "A")[UUID : UUID + 16]
    record = u32(3) + u32(0) + uuid + u64(4 * MIB) + u64(0)
    path = str(pathlib.Path(layer.path).resolve()).encode() + b"\0"
    rebased(layer, KIND, record + path)


def move(path_of):
    """A device that is not there."""

    def damage(layer):
        path = pathlib.Path(path_of(layer))
        path.rename(path.with_suffix(".away"))

    return damage


def raw_layer(layer):
    """The raw base carries a superblock."""
    must("chainsetup", "format", "--force", "--size", "1M", layer.below[0][4:])


def rows_super():
    """The superblock."""
    for slot in "AB":
        yield Row(f"slot {slot} wiped", wipe("super", 0, slot),
                  f"slot {slot} was never written, or was wiped", FIXED)
        yield Row(f"slot {slot} overwritten", garbage("super", 0, slot),
                  f"slot {slot} was overwritten with something else", FIXED)
        yield Row(f"slot {slot}: magic", bit("super", 0, slot, 5),
                  f"slot {slot} was overwritten with something else", FIXED)
        for at in (8, 16, 44, 2000, 4095):
            yield Row(f"slot {slot}: a bit of byte {at}", bit("super", 0, slot, at),
                      f"slot {slot} has a wrong checksum", FIXED)
        yield Row(f"slot {slot} torn", bit("super", 0, slot, 700, 0xFF),
                  f"slot {slot} was torn", NOTE)
        yield Row(f"slot {slot} torn, not closed",
                  both(not_closed(), bit("super", 0, slot, 700, 0xFF)),
                  f"slot {slot} was torn", NOTE)
        yield Row(f"slot {slot}: a bit, not closed",
                  both(not_closed(), bit("super", 0, slot, 700)),
                  f"slot {slot} has a wrong checksum", FIXED)
    for name, damage in (("nothing of B", wipe("super", 0, "B")),
                         ("half of B", garbage("super", 0, "B", size=PAGE // 2, what=b"\0"))):
        yield Row(f"formatted, {name}", both(super_field(16, u64(1)), damage),
                  "slot B is not complete: it was being formatted", NOTE)
        yield Row(f"formatted and used, {name}", both(super_field(16, u64(3)), damage),
                  "slot B was ", FIXED)
    yield Row("formatted, nothing of A", both(super_field(16, u64(1)), wipe("super", 0, "A")),
              "slot A was never written", FIXED)
    yield Row("formatted, B overwritten", both(super_field(16, u64(1)), garbage("super", 0, "B")),
              "slot B was overwritten", FIXED)
    yield Row("both slots: a bit", bit("super", 0, "AB", 300), "superblock: damaged", FIXED)
    yield Row("both slots, one a bit", both(wipe("super", 0, "A"), bit("super", 0, "B", 300)),
              "superblock: damaged", CHOICE, {"super=B": SHOWN})
    yield Row("both slots", garbage("super", 0, "AB", 900), "superblock: damaged", REFUSED)
    yield Row("version of the future", super_field(12, u32(2)), "from the future", REFUSED)
    yield Row("version of the future in one slot", super_field(12, u32(2), True),
              "from the future", REFUSED)
    yield Row("incompatible feature", super_field(32, u32(1)), "incompatible features", REFUSED)
    yield Row("read-only feature", super_field(28, u32(1)), "features that allow reading only", NOTE)
    rules = (
        ("version 0", 12, u32(0), "no format version 0"),
        ("flags", FLAGS, u32(16), "unknown flags"),
        ("no UUID", UUID, bytes(16), "no UUID"),
        ("name", NAME, b"-x", "name is not a name"),
        ("block size", BLOCK_SIZE, u32(6000), "block size"),
        ("size 0", SIZE, u64(0), "size 0"),
        ("size of no sectors", SIZE, u64(4097), "multiple of 512"),
        ("size above the maximum", SIZE, u64(1 << 40), "above the maximal size"),
        ("maximum", MAX_SIZE, u64(1 << 63), "maximal size"),
        ("data offset", DATA_OFFSET, u64(4096), "data offset"),
        ("generation 0", GENERATION, u64(0), "generation 0"),
        ("generation 2^63", GENERATION, u64(1 << 63), "leaves no room for others"),
        ("overlay without a UUID", FLAGS, u32(CLEAN | 4), "overlay's UUID"),
        ("kind of backing", KIND, u32(9), "kind of backing"),
        ("raw backing with a UUID", KIND, u32(2), "has a UUID"),
        ("backing without a UUID", BACKING_UUID, bytes(16), "lacks a UUID"),
        ("backing size", BACKING_SIZE, u64(0), "backing size"),
        ("data device's size", 176, u64(7), "data device size"),
    )
    for name, at, data, says in rules:
        yield Row(name, super_field(at, data), says, REFUSED)
        yield Row(f"{name}, newer slot", super_field(at, data, True), says, CHOICE,
                  {"super=older": SHOWN})
    yield Row("own backing", lambda layer: layer.change(
        "super", 0, "AB", BACKING_UUID, layer.page("super", 0, "A")[UUID : UUID + 16]),
        "its own backing", REFUSED)
    yield Row("path of the backing", super_field(BACKING_PATH, b"\x01"), "path is not a path", FIXED)
    yield Row("path of the data", super_field(DATA_PATH, b"\x01"), "path is not a path", FIXED,
              kinds=("inline",))
    for which in ("A", "B"):
        yield Row(f"one number, two contents, {which}", same_seq("super", 0),
                  "but they differ", CHOICE, {f"super={which}": SHOWN})
    for seq in (1 << 63, (1 << 64) - 1):
        yield Row(f"number {seq:#x}", super_field(16, u64(seq), True), "leaves no room", FIXED)
        yield Row(f"number {seq:#x}, both slots, and a job", both(
            job(cursor=u64(1 << 50)), super_field(16, u64(seq))), "leaves no room", FIXED)
    older = [
        ("another layer's slot", old_stray_super, "belongs to another layer, A"),
        ("older slot with another geometry", None, "another geometry", MAX_SIZE, u64(128 * MIB)),
        ("older slot with a later generation", None, "above 1", GENERATION, u64(3)),
        ("older slot breaks a rule", None, "block size", BLOCK_SIZE, u32(6000)),
    ]
    for name, damage, says, *what in older:
        def older_field(layer, what=what):
            layer.change("super", 0, other(newer(layer, "super", 0)), *what)
        yield Row(name, damage or older_field, says, FIXED)
    yield Row("what is left of another layer's slot, newer", left_of_stray_super,
              "was overwritten with something else", FIXED)
    yield Row("another layer's slot, newer", stray_super,
              "belongs to another layer than the directory", CHOICE, {"super=older": SHOWN})


def rows_jobs():
    """Records of jobs."""
    yield Row("a job", job(), "unfinished job job", NOTE)
    yield Row("a job with a raw bottom", job(flags=u32(1), bottom=bytes(16)),
              "unfinished job job", NOTE)
    broken = (
        ("type of a job", {"type": u32(7)}, "type of job"),
        ("flags of a job", {"flags": u32(64)}, "job flags"),
        ("id of a job", {"id": b"-"}, "id is not a name"),
        ("top of a job", {"top": b"1234567890123456"}, "top of job"),
        ("bottom of a job", {"bottom": bytes(16)}, "bottom of job"),
        ("raw bottom of a job", {"flags": u32(1)}, "bottom of job"),
        ("cursor of a job", {"cursor": u64(1 << 50)}, "cursor of job"),
        ("policy of a job", {"on_error": u32(4)}, "error policy"),
        ("error of a job", {"error": u32(4096)}, "impossible error"),
        ("I/O status of a job", {"io_status": u32(3)}, "I/O status"),
        ("bottom elsewhere", {"bottom": b"1234567890123456"}, "not in the chain below"),
    )
    for name, fields, says in broken:
        yield Row(name, job(**fields), says, FIXED)
    yield Row("type of a result", super_field(RESULT, u32(2)), "unknown type", FIXED)
    yield Row("status of a result", result(4), "unknown result", FIXED)
    yield Row("id of a result", result(1, b"+"), "id is not a name", FIXED)
    yield Row("offset of a result", both(result(1), super_field(RESULT + 144, u64(9))),
              "got to 9 of 0", FIXED)
    yield Row("job, result and path", both(job(cursor=u64(1 << 50)), result(9),
                                           super_field(BACKING_PATH, b"\x01")),
              "superblock: ", FIXED)


def rows_page(kind, index):
    """A page of the directory or the map."""
    page = f"{kind} {index}"
    said = f"{'map' if kind == 'map' else 'directory'} page {index}"
    for slot in "AB":
        for at in (2, 9, 20, 40, 4095):
            yield Row(f"{page} slot {slot}: a bit of byte {at}", bit(kind, index, slot, at),
                      f"{said}: slot {slot}", FIXED)
        yield Row(f"{page} slot {slot}: a sector", garbage(kind, index, slot, 3 * SECTOR),
                  f"{said}: slot {slot}", FIXED)
        yield Row(f"{page} slot {slot}: a sector, torn",
                  both(not_closed(), garbage(kind, index, slot, 3 * SECTOR)),
                  f"{said}: slot {slot} was torn", NOTE)
        yield Row(f"{page} slot {slot}: a bit, not closed",
                  both(not_closed(), bit(kind, index, slot, 3000)),
                  f"{said}: slot {slot} has a wrong bit", FIXED)
    yield Row(f"{page}: number", lambda layer: layer.change(
        kind, index, newer(layer, kind, index), 16, u64((1 << 64) - 1)), "leaves no room", FIXED)
    yield Row(f"{page}: a bit of both", bit(kind, index, "AB", 3000), said, FIXED)
    for which in ("newer", "older"):
        good = f"{kind}:{index}={'older' if which == 'newer' else 'newer'}"
        expected = SHOWN if which == "older" or index else None
        for name, how in (
            ("wiped", wipe),
            ("head lost", garbage),
            ("index", lambda k, i, s: field(k, i, s, 24, u64(i + 1))),
            ("UUID", lambda k, i, s: field(k, i, s, 32, b"1234567890123456")),
            ("version", lambda k, i, s: field(k, i, s, 12, u32(2))),
        ):
            yield Row(f"{page}, {which} slot: {name}", lose(kind, index, which, how),
                      said, CHOICE, {good: expected})
    good = f"{kind}:{index}=older"
    yield Row(f"{page}: one slot wiped, a bit of the other, not closed",
              both(lose(kind, index, "older", lambda k, i, s: bit(k, i, s, 3000)),
                   lose(kind, index, "newer", wipe), not_closed()),
              said, CHOICE, {good: SHOWN if index else None})
    for slot in "AB":
        yield Row(f"{page}: one number, two contents, {slot}", same_seq(kind, index),
                  "but they differ", CHOICE, {f"{kind}:{index}={slot}": None})


def rows_map():
    """The directory and the map."""
    yield from rows_page("dir", 0)
    yield from rows_page("map", 0)
    yield from rows_page("map", 1)
    for name, damage in (
        ("wiped", wipe("dir", 0, "AB")),
        ("index", field("dir", 0, "AB", 24, u64(5))),
        ("a slot wiped, a UUID", both(wipe("dir", 0, "A"), field("dir", 0, "B", 32, b"x"))),
    ):
        yield Row(f"both slots of dir 0: {name}", damage, "directory page 0", CHOICE,
                  {"dir:0=scan": SHOWN})
    for name, damage in (
        ("wiped", wipe("map", 1, "AB")),
        ("heads lost", garbage("map", 1, "AB")),
        ("state 3", field("map", 1, "AB", 64 + 20, b"\x0c")),
        ("index", field("map", 1, "AB", 24, u64(0))),
    ):
        yield Row(f"both slots of map 1: {name}", damage,
                  "map page 1", CHOICE,
                  {"map:1=below": (16128, "unallocated"), "map:1=zero": (16128, "zero"),
                   "map:1=data": (16128, "data")})
    yield Row("state 3 in the older slot", lose("map", 0, "older", lambda k, i, s: field(
        k, i, s, 64 + 20, b"\x0c")), "impossible state 3", CHOICE, {"map:0=newer": SHOWN})
    yield Row("data behind the end", lambda layer: layer.poke("set", "16384", "3", "data"),
              "block 16384 has data, but the layer ends at block 16384", FIXED)
    yield Row("data behind the end and the number", both(
        lambda layer: layer.poke("set", "16384", "3", "data"),
        lose("map", 1, "newer", lambda k, i, s: field(k, i, s, 16, u64((1 << 64) - 1)))),
        "leaves no room", FIXED)
    yield Row("data behind the end, not closed",
              both(lambda layer: layer.poke("set", "16390", "9", "data"), not_closed()),
              "block 16390 has data", FIXED)
    yield Row("a directory page that names another that needs a choice",
              both(not_closed(), lose("dir", 0, "newer", lambda k, i, s: bit(k, i, s, 64, 2)),
                   lose("map", 1, "older", stray_map)),
              "slot A has a wrong bit", CHOICE, {"map:1=newer": SHOWN})
    yield Row("data behind the end and a torn slot",
              both(lambda layer: layer.poke("set", "16384", "3", "data"), not_closed(),
                   lose("map", 0, "older", lambda k, i, s: bit(k, i, s, 2000, 0xFF))),
              "block 16384 has data", FIXED)
    yield Row("data in a page behind the end",
              lambda layer: layer.poke("set", "40000", "3", "data"), "block 40000 has data", FIXED)
    yield Row("data behind the end, and the older slot shows something else",
              both(lambda layer: layer.poke("set", "20000", "9", "data"),
                   lose("map", 1, "older", lambda k, i, s: field(k, i, s, 64, b"\xaa"))),
              "block 20000 has data", FIXED)
    yield Row("zeros behind the end", lambda layer: layer.poke("set", "16384", "3", "zero"),
              "", NOTE)
    yield Row("a page that there is no room for", field("dir", 0, "AB", 4095, b"\x01"),
              "names map page 32248", FIXED)
    yield Row("pages that there is no room for", field("dir", 0, "AB", 4080, b"\x55" * 16),
              "names map page", FIXED)
    yield Row("that, a wrong bit and data behind the end",
              both(lambda layer: layer.poke("set", "16384", "3", "data"),
                   field("dir", 0, "AB", 4095, b"\x01"), bit("map", 0, "A", 100)),
              "names map page", FIXED)
    yield Row("needs-check", not_closed(CLEAN | NEEDS_CHECK), "needs-check", NOTE)


def rows_chain():
    """Devices, and what the layer rests on."""
    yield Row("metadata device shrunk", shrink(lambda layer: layer.path, 300 << 10),
              "the metadata of its layer takes", REFUSED, kinds=("separate",))
    yield Row("data device shrunk", shrink(data_of, 32 * MIB), "was shrunk", REFUSED)
    yield Row("data device a little smaller", shrink(data_of, 70 * MIB),
              "when the layer was formatted or grew", NOTE)
    yield Row("data device away", move(data_of), "if it has moved", REFUSED,
              kinds=("separate",))
    yield Row("data device not named", super_field(DATA_PATH, b"\0"),
              "its data device was not checked", NOTE, kinds=("separate",))
    yield Row("path of a data device that it does not have", super_field(DATA_PATH, b"/none\0"),
              "", NOTE, kinds=("inline",))
    yield Row("backing changed", backing(GENERATION, u64(2)), "was changed: generation 2",
              REFUSED)
    yield Row("backing shrunk", backing(SIZE, u64(2 * MIB)), "has shrunk from", REFUSED)
    yield Row("backing with other blocks", backing(BLOCK_SIZE, u32(8192)), "has blocks of",
              REFUSED)
    yield Row("backing damaged", backing(BLOCK_SIZE, u32(8191)), "its backing: ", REFUSED)
    yield Row("backing away", move(lambda layer: layer.below[1]), "its backing was not checked",
              NOTE)
    yield Row("circle", circle, "a circle", REFUSED)
    yield Row("raw base shrunk", shrink(lambda layer: layer.below[0][4:], 2 * MIB),
              "has shrunk from", REFUSED)
    yield Row("raw base away", move(lambda layer: layer.below[0][4:]),
              "its raw base was not checked", NOTE)
    yield Row("raw base not named", backing(BACKING_PATH, bytes(256)),
              "its raw base was not checked: no path to it is recorded", NOTE)
    yield Row("raw base a layer", raw_layer, "has become the layer", REFUSED)


def all_rows():
    """The table."""
    yield from rows_super()
    yield from rows_jobs()
    yield from rows_map()
    yield from rows_chain()

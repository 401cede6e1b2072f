#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""usage: corners.py

export and apply where what a layer rests on has another size, where devices have
moved, where names are not unique, and where standard input or output is not what it
has to be.
The last line is "N passed, N failed".
"""

import os
import pathlib
import pty
import struct
import subprocess
import sys

from chains import (MIB, check, expect, from_file, garbage, image, must, refused, same_bytes,
                    summary, to_file, view, work_directory)
from format_reader import crc32c


def field(path, key):
    """A line of dump."""
    for line in must("chainsetup", "dump", path).splitlines():
        if line.startswith(key + ": "):
            return line.split(": ", 1)[1]
    return ""


def refuse(fragment, *words, stdin):
    """apply, refused; the device is not written to."""
    before = pathlib.Path("new.img").read_bytes()
    with open(stdin, "rb") as file:
        refused(fragment, "chainsetup", "apply", *words, stdin=file)
    expect(pathlib.Path("new.img").read_bytes() == before, "it was written to")


def on_raw(base_size, size):
    """A layer on a raw base, with data in its second block, and its stream."""
    garbage("base.raw", base_size)
    image("over.img", 5 * MIB)
    must("chainsetup", "format", "--backing", "base.raw", "--size", str(size), "over.img")
    must("chainpoke", "set", "over.img", "1", "1", "data", "9")
    to_file("over.stream", "chainsetup", "export", "over.img")
    return view("raw=base.raw", "over.img")


def longer_base():
    """Where the base ended the copy shows zeros, whatever it rests on goes on with."""
    for size in (2 * MIB, 3 * MIB + 512):
        shown = on_raw(MIB, size)
        expect(not any(shown[MIB:]), "what is behind the base's end shows")
        garbage("longer.raw", 4 * MIB)
        with open("longer.raw", "r+b") as file:
            file.write(pathlib.Path("base.raw").read_bytes())
        image("new.img", 5 * MIB)
        from_file("over.stream", "chainsetup", "apply", "--new-uuid", "--backing", "longer.raw",
                  "new.img")
        same_bytes("on a longer base", view("raw=longer.raw", "new.img"), shown)
        expect("clean" in must("chainsetup", "check", "new.img"), "check")


def base_within_a_block():
    """What ends within a block can only be put on what ends there as well."""
    shown = on_raw(MIB + 512, 2 * MIB)
    image("new.img", 4 * MIB)
    garbage("longer.raw", MIB + 1024)
    refuse(f"ended within a block, at {MIB + 512}: make it that long", "--new-uuid", "--backing",
           "longer.raw", "new.img", stdin="over.stream")
    refuse("ended within a block", "--new-uuid", "--unsafe", "--backing", "longer.raw", "new.img",
           stdin="over.stream")
    from_file("over.stream", "chainsetup", "apply", "--new-uuid", "--backing", "base.raw",
              "new.img")
    same_bytes("on the same base", view("raw=base.raw", "new.img"), shown)


def shorter_base():
    """It would show less."""
    on_raw(MIB, 2 * MIB)
    image("new.img", 4 * MIB)
    garbage("short.raw", MIB // 2)
    refuse(f"rests on {MIB} bytes, and", "--new-uuid", "--backing", "short.raw", "new.img",
           stdin="over.stream")
    refuse("rests on a raw device of", "new.img", stdin="over.stream")
    from_file("over.stream", "chainsetup", "apply", "--new-uuid", "--unsafe", "--backing",
              "short.raw", "new.img")
    shown = pathlib.Path("short.raw").read_bytes().ljust(2 * MIB, b"\0")
    same_bytes("unsafe", view("raw=short.raw", "new.img"),
               shown[:4096] + b"\x09" * 4096 + shown[8192:])


def small_chain():
    """A on nothing, B on it with its data in b.data; C on that, which has A's name."""
    for name in ("a.img", "b.img", "b.data", "c.img", "new.img"):
        image(name, 2 * MIB)
    must("chainsetup", "format", "--name", "A", "--size", "65536", "a.img")
    must("chainpoke", "super", "a.img", "backing-kind=1")
    must("chainsetup", "format", "--name", "B", "--size", "65536", "--backing", "a.img",
         "--metadata", "b.img", "b.data")
    must("chainsetup", "format", "--name", "A", "--backing", "b.img", "c.img")
    must("chainpoke", "set", "a.img", "0", "8", "data", "1")
    must("chainpoke", "set", "b.data,b.img", "2", "3", "data", "2")
    must("chainpoke", "set", "c.img", "3", "1", "data", "3")


def which_layer():
    """By name, UUID or path."""
    small_chain()
    to_file("wanted", "chainsetup", "export", "--since", "B", "c.img")
    wanted = pathlib.Path("wanted").read_bytes()
    # the time is in the header, and behind that its checksum
    for word in (field("b.img", "uuid"), "./b.img", os.path.abspath("b.img")):
        to_file("got", "chainsetup", "export", "--since", word, "c.img")
        expect(pathlib.Path("got").read_bytes()[512:-72] == wanted[512:-72], word)
    refused("2 layers of c.img have the name A", "chainsetup", "export", "--since", "A", "c.img")
    refused("none.img is no layer of c.img", "chainsetup", "export", "--since", "./none.img",
            "c.img")
    to_file("got", "chainsetup", "export", "--since", field("a.img", "uuid"), "c.img")
    from_file("got", "chainsetup", "apply", "--backing", "a.img", "new.img")
    same_bytes("since the lowest", view("a.img", "new.img"),
               view("a.img", "b.data,b.img", "c.img"))


def moved_devices():
    """Where --layer says."""
    small_chain()
    uuid = field("b.img", "uuid")
    shown = view("a.img", "b.data,b.img", "c.img")
    os.rename("b.data", "moved.data")
    refused(f"open the chain with --layer {uuid}=DATA,", "chainsetup", "export", "b.img")
    refused(f"open the chain with --layer {uuid}=DATA,", "chainsetup", "export", "--all", "c.img")
    os.rename("b.img", "moved.img")
    hint = f"{uuid}=moved.data,moved.img"
    to_file("all", "chainsetup", "export", "--all", "--layer", hint, "c.img")
    from_file("all", "chainsetup", "apply", "--new-uuid", "new.img")
    same_bytes("all of it", view("new.img"), shown)
    to_file("own", "chainsetup", "export", "--layer", hint, "moved.img")
    image("new.img", 2 * MIB)
    from_file("own", "chainsetup", "apply", "--new-uuid", "--backing", "a.img", "new.img")
    same_bytes("its own", view("a.img", "new.img"), view("a.img", "moved.data,moved.img"))
    for word, fragment in (
            ("x=moved.data", "does not begin with a UUID"),
            ("row=moved.data", "does not begin with a UUID"),
            (uuid, "names no device"),
            (uuid + "=", "names no device"),
            (uuid + "=,moved.img", "leaves a device empty"),
            (uuid + "=moved.data,", "leaves a device empty"),
            (uuid + "=none,moved.img", "the data device of"),
            (uuid + "=a.img", "which is missing"),
            (uuid + "=moved.img,moved.img", "is named both as data and as metadata device")):
        refused(fragment, "chainsetup", "export", "--all", "--layer", word, "c.img")
    refused("moved.data cannot be its data device", "chainsetup", "export", "--layer",
            field("a.img", "uuid") + "=moved.data,a.img", "a.img")
    refused("more than 64 times --layer", "chainsetup", "export", *(["--layer", hint] * 65),
            "moved.img")


def words():
    """What does not go together."""
    small_chain()
    to_file("a.stream", "chainsetup", "export", "a.img")
    refuse("--backing does not apply", "--new-uuid", "--backing", "b.img", "new.img",
           stdin="a.stream")
    refuse("is below the size", "--new-uuid", "--max-size", "4K", "new.img", stdin="a.stream")
    refuse("is not a size", "--max-size", "4Q", "new.img", stdin="a.stream")
    for option in (("--name", "N"), ("--metadata", "b.img"), ("--max-size", "1M"),
                   ("--new-uuid",)):
        refuse("does not go with --raw", "--raw", *option, "new.img", stdin="a.stream")
    from_file("a.stream", "chainsetup", "apply", "--new-uuid", "--max-size", "256K", "new.img")
    expect(field("new.img", "max-size") == "262144", "max-size")


def header(data, offset, layout, value):
    """A stream with something else in its header, and its checksum right."""
    changed = bytearray(data)
    struct.pack_into(layout, changed, offset, value)
    struct.pack_into("<I", changed, 8, crc32c(bytes(changed[12:512])))
    return bytes(changed)


def headers():
    """What a later version may write, and what none does."""
    small_chain()
    to_file("a.stream", "chainsetup", "export", "a.img")
    data = pathlib.Path("a.stream").read_bytes()
    for offset, layout, value, fragment in (
            (12, "<I", 2, "the stream has version 2 and flags 0: use a newer version"),
            (20, "<I", 4, "the stream has version 1 and flags 0x4: use a newer version"),
            (16, "<I", 5000, "the stream's header is impossible"),
            (24, "<Q", 1000, "the stream's header is impossible"),
            (56, "<B", 0, "the stream's header is impossible")):
        pathlib.Path("odd.stream").write_bytes(header(data, offset, layout, value))
        refuse(fragment, "--new-uuid", "new.img", stdin="odd.stream")


def on_terminal(*command):
    """Run a command whose input and output are a terminal. Returns status and stderr."""
    master, slave = pty.openpty()
    done = subprocess.run(command, stdin=slave, stdout=slave, stderr=subprocess.PIPE, check=False)
    os.close(slave)
    os.close(master)
    return done.returncode, done.stderr.decode()


def odd_files():
    """Terminals, and pipes where a file is needed."""
    small_chain()
    for command in (("export", "a.img"), ("apply", "new.img")):
        status, err = on_terminal("chainsetup", *command)
        expect(status == 1 and "is a terminal" in err and err.count("\n") == 1, f"{status} {err}")
    to_file("since", "chainsetup", "export", "--since", "B", "c.img")
    image("raw.img", 65536)
    with subprocess.Popen(("cat", "since"), stdout=subprocess.PIPE) as cat:
        refused("is read twice: put it into a file", "chainsetup", "apply", "--raw", "--unsafe",
                "raw.img", stdin=cat.stdout)
    refused("is no stream of", "chainsetup", "apply", "new.img")
    directory = os.open(".", os.O_RDONLY)
    refused("the stream cannot be read", "chainsetup", "apply", "new.img", stdin=directory)
    os.close(directory)


def written_meanwhile(*poke):
    """A layer that somebody opens while it is read: export ends with an error."""
    image("a.img", 4 * MIB)
    must("chainsetup", "format", "--name", "A", "--size", "2M", "a.img")
    must("chainpoke", "set", "a.img", "0", "512", "data", "1")
    with subprocess.Popen(("chainsetup", "export", "a.img"), stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as export:
        # more than the pipe has room for comes after this
        export.stdout.read(512)
        must(*poke)
        rest, err = export.communicate()
    expect(len(rest) > 2 * MIB - 65536, f"{len(rest)} bytes")
    expect(export.returncode == 1 and b"was written to while it was read" in err,
           f"status {export.returncode}: {err}")


def main():
    """All of it."""
    with work_directory():
        check("a longer base", longer_base)
        check("a base that ends within a block", base_within_a_block)
        check("a shorter base", shorter_base)
        check("which layer", which_layer)
        check("devices that have moved", moved_devices)
        check("words that do not go together", words)
        check("headers", headers)
        check("standard input and output", odd_files)
        for name, poke in (("UUID", ("chainsetup", "uuid", "a.img")),
                           ("generation", ("chainpoke", "super", "a.img", "generation=2")),
                           ("size", ("chainpoke", "super", "a.img", "size=1048576")),
                           ("backing", ("chainpoke", "super", "a.img", "backing-kind=1")),
                           ("job", ("chainpoke", "super", "a.img", "job-type=1", "job-flags=1"))):
            check(f"another {name} while it is read", written_meanwhile, *poke)
    return summary()


sys.exit(main())

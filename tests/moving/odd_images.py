#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""usage: odd_images.py

convert of disk images where qemu-img, qemu-nbd or libnbd fail, are missing, or say
what those that are installed never do: it says why in a line, and nothing is written.
What is odd comes from a qemu-img and a libnbd of this test, see oddnbd.c.
The last line is "N passed, N failed".
"""

import json
import os
import pathlib
import shutil
import sys

from chains import (HERE, MIB, check, expect, fields, image, must, refused, same_bytes,
                    summary, view, work_directory)

SIZE = MIB
CONTEXTS = ("qemu:allocation-depth", "base:allocation")


def programs():
    """bin/qemu-img, which prints the file "info", qemu-nbd, and the libraries."""
    os.mkdir("bin")
    pathlib.Path("bin/qemu-img").write_text('#!/bin/sh\ncat info\n. ./after\n', encoding="utf-8")
    pathlib.Path("bin/qemu-nbd").write_text(
        "#!/bin/sh\n"
        '[ "$LISTEN_PID $LISTEN_FDS" = "$$ 1" ] || echo "not as systemd does" >&2\n'
        '[ "$ODD" != "connect saying why" ] || printf "qemu-nbd: it is locked\\nand more\\n" >&2\n',
        encoding="utf-8")
    for name in ("qemu-img", "qemu-nbd"):
        os.chmod(f"bin/{name}", 0o755)
    for name, options in (("lib", ()), ("old", ("-DOLD",)), ("none", None)):
        os.mkdir(name)
        library = f"{name}/libnbd.so.0"
        if options is None:
            image(library, 4096)
        else:
            must("gcc", "-O2", "-Wall", "-Werror", "-Wno-unused-parameter", "-shared", "-fPIC",
                 *options, "-o", library, str(HERE / "oddnbd.c"))


def said(*images, after="exit 0"):
    """What qemu-img says of the images, and what it does then."""
    pathlib.Path("info").write_text(json.dumps(images), encoding="utf-8")
    pathlib.Path("after").write_text(after + "\n", encoding="utf-8")


def described(path="x.qcow2", **members):
    """An image as qemu-img describes it, without what is None."""
    wanted = {"filename": path, "format": "qcow2", "virtual-size": SIZE,
              **{key.replace("_", "-"): value for key, value in members.items()}}
    return {key: value for key, value in wanted.items() if value is not None}


def convert(*words, odd="", library="lib", found=True):
    """The command line of a convert of x.qcow2 that meets what is odd."""
    path = os.path.dirname(shutil.which("chainsetup"))
    if found:
        path = os.path.abspath("bin") + ":" + os.environ["PATH"]
    return ("env", f"ODD={odd}", f"SIZE={SIZE}", f"PATH={path}",
            f"LD_LIBRARY_PATH={os.path.abspath(library)}", "chainsetup", "convert", "images",
            *words)


def refuse(fragment, *words, **how):
    """It is refused, and a.img and b.img stay what they were."""
    devices = {name: pathlib.Path(name).read_bytes() for name in ("a.img", "b.img")}
    refused(fragment, *convert(*(words or ("x.qcow2", "a.img")), **how))
    for name, data in devices.items():
        expect(pathlib.Path(name).read_bytes() == data, f"{name} was changed")


def qemu_img():
    """What qemu-img may say."""
    not_said = "qemu-img info does not say what is needed"
    for text in ("", "no JSON", "{}", "7"):
        said()
        pathlib.Path("info").write_text(text, encoding="utf-8")
        refuse(not_said)
    for gone in ("filename", "format", "virtual-size"):
        odd = described()
        del odd[gone]
        said(odd)
        refuse(not_said)
    said(described(7))
    refuse(not_said)
    said(described("nbd://host/x"))
    refuse("is no file: images over a network are not converted")
    said(described(encrypted=True))
    refuse("is encrypted: decrypt it first")
    said(described(dirty_flag=True))
    refuse("was not closed, or is damaged")
    for size in (0, 511, 4097):
        said(described(virtual_size=size))
        refuse(f"has {size} bytes, which is no size of a layer")
    for extents in ([{"filename": "x.qcow2"}, {"filename": "y"}], [{}], [7]):
        said(described(format_specific={"data": {"extents": extents}}))
        refuse("keeps its data in another file")
    said(*[described() for _ in range(65)])
    refuse("rests on 64 images, of 63 that are possible")
    said(after="echo '  no such thing' >&2; exit 3")
    refuse("no such thing")
    said(after="exit 3")
    refuse("qemu-img info failed")
    said(after="kill -KILL $$")
    refuse("qemu-img info failed")
    refuse("apt-get install qemu-utils", found=False)


def libnbd():
    """What libnbd and qemu-nbd may say."""
    said(described())
    refuse("apt-get install libnbd0", library="none")
    refuse("libnbd.so.0 is too old", library="old")
    refuse("libnbd cannot create", odd="create")
    for context in CONTEXTS:
        refuse(f"libnbd cannot add {context}", odd=f"add {context}")
        refuse("5.2 or later is needed", odd=f"offer {context}")
    refuse("x.qcow2: libnbd cannot connect", odd="connect")
    refuse("x.qcow2: qemu-nbd: it is locked", odd="connect saying why")
    refuse("x.qcow2 has another size than before", odd="size")


def failed(fragment, odd):
    """The copying fails: there is no layer yet, and the same words make it."""
    said(described())
    refused(fragment, *convert("x.qcow2", "a.img", odd=odd))
    refused("is not complete", "chainsetup", "check", "a.img")
    must(*convert("x.qcow2", "a.img"))
    same_bytes(odd, view("a.img"), b"\x55" * SIZE)
    image("a.img", 3 * MIB)


def copying():
    """What goes wrong when all was checked."""
    failed("libnbd cannot status", "status")
    failed("libnbd cannot read", "read")
    for context in CONTEXTS:
        failed("qemu-nbd does not say who owns byte 0", f"tell {context}")


def names_and_notes():
    """Images of one name in two directories, and snapshots within them."""
    os.mkdir("sub")
    image("sub/x.qcow2", 1)
    said(described(snapshots=[{}, {}], backing_filename_format="qcow2",
                   format_specific={"data": {"extents": [{"filename": "x.qcow2"}]}}),
         described("sub/x.qcow2", snapshots=7, format_specific={"data": {"extents": 7}}))
    out = must(*convert("--format", "qcow2", "x.qcow2", "a.img", "b.img"))
    expect(out.count("note:") == 1 and
           "x.qcow2: note: its 2 internal snapshots are not converted" in out, out)
    names = [json.loads(must("chainsetup", "dump", "--json", name))["name"]
             for name in ("b.img", "a.img")]
    expect(len(set(names)) == 2 and all(name.startswith("x") for name in names), f"{names}")
    same_bytes("view", view("b.img", "a.img"), b"\x55" * SIZE)


def raw_bases():
    """A raw base shows all of its device."""
    with open("base.raw", "wb") as file:
        file.write(b"\5" * 65536)
    must("qemu-img", "create", "-q", "-f", "qcow2", "-b", "base.raw", "-F", "raw",
         "top.qcow2", "192k")
    must("qemu-io", "-c", "write -P 3 98304 4096", "top.qcow2")
    must("qemu-img", "convert", "-O", "raw", "top.qcow2", "flat")
    words = ("chainsetup", "convert", "images", "--raw-base", "top.qcow2", "a.img")
    # what was on the device behind the image's end does not show
    with open("rest.img", "wb") as file:
        file.write(b"\7" * 2 * MIB)
    image("a.img", 3 * MIB)
    must(*words, "rest.img")
    same_bytes("view", view("raw=rest.img", "a.img"), pathlib.Path("flat").read_bytes())
    image("a.img", 3 * MIB)
    with open("base.raw", "r+b") as file:
        file.truncate(65537)
    refused("name another device for it", *words, "base.raw")
    image("base.raw", 2 * MIB)
    must("chainsetup", "format", "base.raw")
    refused("is a layer, and no raw base", *words, "base.raw")


def odd_paths():
    """Whatever a path has, a line is a line, and its words have no blanks."""
    control, blank = "top\n\x1b 1.qcow2", "base 1.raw"
    image(blank, MIB)
    must("qemu-img", "create", "-q", "-f", "qcow2", "-b", blank, "-F", "raw", control)
    image("a\n 1.img", 3 * MIB)
    lines = must("chainsetup", "convert", "images", "--raw-base", control, "a\n 1.img",
                 blank).splitlines()
    expect(len(lines) == 3, f"{lines}")
    raw, layer = map(fields, lines[:2])
    here = os.getcwd()
    expect(raw["raw"] == f"{here}/base\\x201.raw", f"{raw}")
    expect(raw["image"].endswith("base\\x201.raw"), f"{raw}")
    expect(layer["device"] == f"{here}/a\\x0a\\x201.img", f"{layer}")
    expect(layer["image"].endswith("top\\x0a\\x1b\\x201.qcow2"), f"{layer}")
    expect("top\\x0a\\x1b 1.qcow2: note: its format was not given" in lines[2], lines[2])


def main():
    """All of it."""
    with work_directory():
        programs()
        image("x.qcow2", 1)
        image("a.img", 3 * MIB)
        image("b.img", 3 * MIB)
        check("what qemu-img says", qemu_img)
        check("what libnbd says", libnbd)
        check("what goes wrong while it copies", copying)
        check("names and notes", names_and_notes)
        check("raw bases", raw_bases)
        check("odd paths", odd_paths)
    return summary()


sys.exit(main())

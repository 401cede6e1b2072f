#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""usage: streams.py [--seed N] [--count N]

export and apply, on random chains: everything is compared with what chainview
reads, and with a reader of the stream that was written from the document alone.
The last line is "N passed, N failed".
"""

import os
import pathlib
import random
import subprocess
import sys

from chains import (MIB, Chain, Layer, arguments, check, expect, fields, from_file, garbage, image,
                    must, refused, run, same_bytes, states, summary, to_file, view,
                    work_directory)
from stream_reader import Bad, Stream


def stream(name, *words):
    """Export to a file; the second reader reads it."""
    to_file(name, "chainsetup", "export", *words)
    return Stream(pathlib.Path(name).read_bytes())


def letters(spec):
    """The states of a layer, a letter a block."""
    known = {"unallocated": "-", "data": "D", "zero": "Z"}
    return "".join(known[state] * int(count)
                   for _, count, state in map(str.split, states(spec).splitlines()))


def own_blocks(rng, chain):
    """Each layer by itself, onto a copy of what it rests on."""
    below, specs = chain.raw, [f"raw={chain.raw}"] if chain.raw else []
    for n, layer in enumerate(chain.layers):
        got = stream("own", layer.meta)
        expect((got.name, got.size, got.kind) ==
               (f"L{n}", layer.size, "layer" if n else "raw" if chain.raw else "none"),
               f"header {vars(got)}")
        for a, b in zip(got.states(), letters(layer.spec)):
            expect(a == b or (a, b) == ("Z", "D"), f"{got.states()}\n{letters(layer.spec)}")
        copy = Layer(f"copy{n}.img", layer.size, layer.block_size, rng.random() < 0.3)
        words = ["--backing", below] if below else []
        said = fields(from_file("own", "chainsetup", "apply", *words,
                                *copy.format_options(), copy.path))
        expect(said["uuid"].replace("-", "") == got.uuid.hex(), "the UUID is another")
        expect(letters(copy.spec) == got.states(), f"states of copy {n}")
        expect("clean" in must("chainsetup", "check", copy.meta), "check")
        specs.append(copy.spec)
        same_bytes(f"copy {n}", view(*specs), view(*chain.specs(n)))
        below = copy.meta


def changes(rng, chain):
    """What was changed since each layer, onto that layer; onto raw devices as well."""
    top = len(chain.layers) - 1
    shown = view(*chain.specs())
    for n in range(0 if not chain.raw else -1, top):
        base = chain.layers[n].meta if n >= 0 else chain.raw
        since = f"L{n}" if n >= 0 and rng.random() < 0.5 else f"./{base}"
        got = stream("since", "--since", since, chain.layers[top].meta)
        below = view(*chain.specs(n)) if n >= 0 else pathlib.Path(chain.raw).read_bytes()
        same_bytes("by the second reader", got.over(below), shown)
        copy = Layer("copy.img", chain.layers[top].size, chain.block_size, False)
        from_file("since", "chainsetup", "apply", "--backing", base, copy.path)
        specs = chain.specs(n) if n >= 0 else [f"raw={chain.raw}"]
        same_bytes(f"since {n}", view(*specs, copy.spec), shown)
        # onto what the base shows, with something else behind it
        length = max(len(shown), len(below)) + rng.choice([0, 4096])
        garbage("raw", length)
        with open("raw", "r+b") as file:
            file.write(below)
        from_file("since", "chainsetup", "apply", "--raw", "raw")
        same_bytes(f"raw, since {n}", pathlib.Path("raw").read_bytes()[: len(shown)], shown)


def everything(rng, chain):
    """All that is shown, as a layer that stands alone and as a raw device."""
    top = chain.layers[-1]
    shown = view(*chain.specs())
    got = stream("all", "--all", top.meta)
    expect(got.kind == "none", "it rests on something")
    same_bytes("by the second reader", got.over(b""), shown)
    copy = Layer("copy.img", top.size, chain.block_size, rng.random() < 0.5)
    from_file("all", "chainsetup", "apply", *copy.format_options(), copy.path)
    same_bytes("all", view(copy.spec), shown)
    length = len(shown) + rng.choice([0, 4096])
    garbage("raw", length)
    with open("raw", "rb") as file:
        behind = file.read()[len(shown):]
    with open("all", "rb") as file:
        # a pipe will do
        with subprocess.Popen(["cat"], stdin=file, stdout=subprocess.PIPE) as pipe:
            must_from(pipe.stdout, "chainsetup", "apply", "--raw", "raw")
    same_bytes("raw, all", pathlib.Path("raw").read_bytes(), shown + behind)


def must_from(stdin, *command):
    """Run a command with some input."""
    done = subprocess.run(command, stdin=stdin, capture_output=True, check=False)
    expect(not done.returncode and not done.stderr, f"{command}: {done.stderr}")


def random_chain(seed):
    """One chain, in all ways; it is not changed by any."""
    rng = random.Random(seed)
    chain = Chain(rng, "")
    before = chain.files()
    own_blocks(rng, chain)
    changes(rng, chain)
    everything(rng, chain)
    expect(chain.files() == before, "the chain was changed")


def small_chain():
    """A, B on it, C on that: in a.img, b.img, c.img. B has data, zeros and holes."""
    for name in "abc":
        image(f"{name}.img", 2 * MIB)
    must("chainsetup", "format", "--name", "A", "--size", "65536", "a.img")
    must("chainsetup", "format", "--name", "B", "--backing", "a.img", "b.img")
    must("chainsetup", "format", "--name", "C", "--backing", "b.img", "c.img")
    must("chainpoke", "set", "a.img", "0", "16", "data", "1")
    must("chainpoke", "set", "b.img", "2", "3", "data", "2")
    must("chainpoke", "set", "b.img", "9", "2", "zero")
    must("chainpoke", "set", "c.img", "4", "1", "data", "3")
    must("chainpoke", "super", "b.img", "backing-generation=1")
    to_file("b.stream", "chainsetup", "export", "b.img")


def grown_base():
    """What a raw base has grown by does not show."""
    garbage("base.raw", MIB)
    shown = pathlib.Path("base.raw").read_bytes() + bytes(MIB)
    image("over.img", 4 * MIB)
    must("chainsetup", "format", "--backing", "base.raw", "--size", str(2 * MIB), "over.img")
    garbage("base.raw", 2 * MIB)
    with open("base.raw", "r+b") as base:
        base.write(shown[:MIB])
    same_bytes("view", view("raw=base.raw", "over.img"), shown)
    to_file("all.stream", "chainsetup", "export", "--all", "over.img")
    image("copy.raw", 2 * MIB)
    from_file("all.stream", "chainsetup", "apply", "--raw", "copy.raw")
    same_bytes("the copy", pathlib.Path("copy.raw").read_bytes(), shown)


def written_meanwhile(separate):
    """What has no superblock is written to, or shrunk, while it is read: that is seen."""
    image("under.raw", 2 * MIB, b"\1" * (2 * MIB))
    over = Layer("over.img", 2 * MIB, 4096, separate)
    bare = over.path if separate else "under.raw"
    must("chainsetup", "format", "--name", "over", "--backing", "under.raw",
         *over.format_options(), over.path)
    must("chainpoke", "set", over.spec, "0", "512" if separate else "1", "data", "3")

    def put(offset):
        with open(bare, "r+b") as file:
            file.seek(offset)
            file.write(b"\7" * 512)

    def nothing():
        pass

    def read():
        with open(bare, "rb") as file:
            file.read()
        os.chmod(bare, 0o600)

    # in what was read already, in what is read later; the same bytes again; the last one
    for change, seen in ((lambda: put(0), True), (lambda: put(MIB), True),
                         (lambda: os.truncate(bare, 2 * MIB + 512), True),
                         (nothing, False), (read, False)):
        # it waits for room in the pipe
        with subprocess.Popen(["chainsetup", "export", "--all", over.meta],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) as export:
            got = export.stdout.read(512)
            change()
            got += export.stdout.read()
            err = export.stderr.read().decode()
        try:
            Stream(got)
            whole = True
        except Bad:
            whole = False
        if seen:
            expect(export.returncode == 1 and not whole, f"{export.returncode}, {whole}")
            expect(f"{bare} was written to while it was read" in err, err)
        else:
            expect(not export.returncode and whole and not err, f"{export.returncode}: {err}")


def smaller_target():
    """What is smaller than what the layer rests on cannot hold that."""
    image("long.raw", MIB, b"\5" * MIB)
    image("over.img", 2 * MIB)
    must("chainsetup", "format", "--name", "over", "--size", "65536", "--backing", "long.raw",
         "over.img")
    must("chainpoke", "set", "over.img", "3", "1", "data", "9")
    to_file("over.stream", "chainsetup", "export", "over.img")
    image("raw", MIB - 512, b"\5" * (MIB - 512))
    before = pathlib.Path("raw").read_bytes()
    refuse("what layer over rests on has 1048576", "--raw", "raw", stdin="over.stream")
    expect(pathlib.Path("raw").read_bytes() == before, "it was changed")
    from_file("over.stream", "chainsetup", "apply", "--raw", "--unsafe", "raw")
    expect(pathlib.Path("raw").read_bytes()[:65536] == view("raw=long.raw", "over.img"),
           "it shows something else")


def full():
    """An error that comes last is one as well."""
    with open("/dev/full", "wb") as nowhere:
        done = subprocess.run(["chainsetup", "export", "a.img"], stdout=nowhere, check=False)
    expect(done.returncode == 1, "it says that all was written")


def no_layer(path):
    """It is not mistaken for one."""
    status, _, err = run("chainsetup", "check", path)
    expect(status == 1 and
           ("carries no chain superblock" in err or "is not complete" in err), f"{path}: {err}")


def damage(step):
    """Every so many bytes one is wrong, or the first that is not there any more."""
    whole = pathlib.Path("b.stream").read_bytes()
    image("new.img", 2 * MIB)
    for at in range(len(whole)):
        bad = [whole[:at] + bytes([whole[at] ^ 1 << at % 8]) + whole[at + 1 :], whole[:at]]
        for data in bad if at % step == 0 else []:
            try:
                Stream(data)
                raise AssertionError(f"byte {at}: the second reader takes it")
            except Bad:
                pass
            pathlib.Path("bad.stream").write_bytes(data)
            with open("bad.stream", "rb") as file:
                refused("stream", "chainsetup", "apply", "--backing", "a.img", "new.img",
                        stdin=file)
            no_layer("new.img")
    pathlib.Path("bad.stream").write_bytes(whole + b"\0")
    with open("bad.stream", "rb") as file:
        refused("something follows the end", "chainsetup", "apply", "--backing", "a.img",
                "new.img", stdin=file)
    no_layer("new.img")


def raw_damage():
    """A device that has content is not touched; one that gets all is not taken for it."""
    whole = pathlib.Path("b.stream").read_bytes()
    garbage("raw", 65536)
    before = pathlib.Path("raw").read_bytes()
    pathlib.Path("bad.stream").write_bytes(whole[:-1])
    with open("bad.stream", "rb") as file:
        refused("it was cut off", "chainsetup", "apply", "--raw", "raw", stdin=file)
    expect(pathlib.Path("raw").read_bytes() == before, "it was changed")
    to_file("all.stream", "chainsetup", "export", "--all", "b.img")
    whole = pathlib.Path("all.stream").read_bytes()
    pathlib.Path("bad.stream").write_bytes(whole[:-1])
    with open("bad.stream", "rb") as file:
        refused("it was cut off", "chainsetup", "apply", "--raw", "raw", stdin=file)
    not_complete("raw")
    refuse("is not complete", "--raw", "raw")
    from_file("all.stream", "chainsetup", "apply", "--raw", "raw")
    from_file("b.stream", "chainsetup", "apply", "--raw", "raw")


def not_complete(path):
    """Nothing of what it will hold is where it could be recognized, and that is said."""
    head = pathlib.Path(path).read_bytes()[:MIB]
    mark = head.rstrip(b"\0")
    image("new.img", 2 * MIB)
    expect(mark.startswith(b"DMC-PART\n") and len(mark) < 512, f"{path}: {head[:80]}")
    for command in (["check"], ["dump"], ["tree"], ["format", "--backing"],
                    ["rebase", "--unsafe", "c.img"]):
        words = [f"./{path}", "new.img"] if "--backing" in command else [f"./{path}"]
        refused("is not complete", "chainsetup", *command, *words)


def apply_raw_killed(n):
    """apply --raw, which ends before its nth write. Returns what it returned."""
    with open("all.stream", "rb") as file:
        return subprocess.run(
            ["strace", "-o", "trace", "-e", "trace=pwrite64", "-e",
             f"inject=pwrite64:error=EIO:signal=KILL:when={n}", "chainsetup", "apply",
             "--raw", "raw"], stdin=file, capture_output=True, check=False).returncode


def killed_raw(again):
    """
    Before each write, onto a raw device: all of it, or none and it says so. Again: when
    it was cut off before, it says so all along.
    """
    to_file("all.stream", "chainsetup", "export", "--all", "c.img")
    wanted = view("a.img", "b.img", "c.img")
    n, kinds = 0, set()
    while True:
        n += 1
        garbage("raw", len(wanted))
        if again:
            apply_raw_killed(4)
        old = pathlib.Path("raw").read_bytes()
        if apply_raw_killed(n) == 0:
            break
        got = pathlib.Path("raw").read_bytes()
        kinds.add(got[:8])
        if got[:512] == wanted[:512]:
            same_bytes(f"cut before write {n}", got, wanted)
        elif again or got != old:
            expect(got.startswith(b"DMC-PART\n"), f"cut before write {n}: {got[:80]}")
            refused("is not complete", "chainsetup", "tree", "./raw")
            from_file("all.stream", "chainsetup", "apply", "--raw", "raw")
            same_bytes(f"done again after write {n}", pathlib.Path("raw").read_bytes(), wanted)
    # the mark, zeros behind it; all but the first sector, that
    expect(n == 2 + 2 + 1 and b"DMC-PART" in kinds, f"{n - 1} writes, {kinds}")


def changed_in_part(call, how, ends, says):
    """Interrupted by each write of what changes a raw device; the same again completes it."""
    must("chainpoke", "set", "c.img", "6", "1", "data", "4")
    must("chainpoke", "set", "c.img", "12", "1", "data", "5")
    to_file("since.stream", "chainsetup", "export", "--since", "A", "c.img")
    old, wanted = view("a.img"), view("a.img", "b.img", "c.img")
    n = 0
    while True:
        n += 1
        pathlib.Path("raw").write_bytes(old)
        with open("since.stream", "rb") as file:
            done = subprocess.run(
                ["strace", "-o", "trace", "-e", f"trace={call}", "-e",
                 f"inject={call}:{how}:when={n}", "chainsetup", "apply", "--raw", "raw"],
                stdin=file, capture_output=True, check=False)
        if done.returncode == 0:
            break
        expect(done.returncode in ends, f"write {n}: status {done.returncode}: {done.stderr}")
        # after the last one nothing is left to be done
        whole = pathlib.Path("raw").read_bytes() == wanted
        expect(says == (b"apply the same stream again" in done.stderr) or whole,
               f"write {n}: {done.stderr}")
        from_file("since.stream", "chainsetup", "apply", "--raw", "raw")
        same_bytes(f"done again after write {n}", pathlib.Path("raw").read_bytes(), wanted)
    # blocks 2 and 3 of B; 4, 6 and 12 of C; zeros
    expect(n == 1 + (4 if call == "pwrite64" else 1), f"{n - 1} writes")


def killed(separate):
    """Before each write: what is left is no layer, or all of it; then done again."""
    wanted = view("a.img", "b.img")
    n = 0
    while True:
        n += 1
        copy = Layer("new.img", 65536, 4096, separate)
        words = ["chainsetup", "apply", "--backing", "a.img", *copy.format_options(), copy.path]
        with open("b.stream", "rb") as file:
            done = subprocess.run(
                ["strace", "-o", "trace", "-e", "trace=pwrite64", "-e",
                 f"inject=pwrite64:error=EIO:signal=KILL:when={n}", *words],
                stdin=file, capture_output=True, check=False)
        if done.returncode == 0:
            break
        status, _, err = run("chainsetup", "check", copy.meta)
        if status:
            expect("carries no chain superblock" in err if n == 1 else "is not complete" in err,
                   err)
            if separate and n > 3:
                not_complete_or(copy.path, wanted)
            from_file("b.stream", *words)
        same_bytes(f"cut before write {n}", view("a.img", copy.spec), wanted)
    # superblock wiped, data, map, directory, superblock: two slots each; of a data device
    # its mark and zeros in place of the data, which comes before the superblock
    expect(n == 2 + (4 if separate else 1) + 2 + 2 + 2 + 1, f"{n - 1} writes")


def not_complete_or(path, wanted):
    """A data device has its mark, or all that it will hold: B's blocks 2, 3, 4 are data."""
    got = pathlib.Path(path).read_bytes()
    if not got.startswith(b"DMC-PART\n"):
        same_bytes(path, got[8192:20480], wanted[8192:20480])


def killed_over_layer():
    """A layer that is overwritten is none from the first write on."""
    wanted, n = view("a.img", "b.img"), 0
    while True:
        n += 1
        image("new.img", 2 * MIB)
        must("chainsetup", "format", "--name", "old", "new.img")
        old = view("new.img")
        with open("b.stream", "rb") as file:
            done = subprocess.run(
                ["strace", "-o", "trace", "-e", "trace=pwrite64", "-e",
                 f"inject=pwrite64:error=EIO:signal=KILL:when={n}", "chainsetup", "apply",
                 "--force", "--backing", "a.img", "new.img"],
                stdin=file, capture_output=True, check=False)
        if done.returncode == 0:
            break
        if run("chainsetup", "check", "new.img")[0] == 0:
            # a slot of the two is enough: before the first is gone, or the last is there
            got = view("a.img", "new.img") if n > 3 else view("new.img")
            same_bytes(f"cut before write {n}", got, wanted if n > 3 else old)
    expect(n > 8, f"{n - 1} writes")


def refuse(fragment, *words, stdin="b.stream"):
    """apply, refused."""
    with open(stdin, "rb") as file:
        refused(fragment, "chainsetup", "apply", *words, stdin=file)


def refusals():
    """What cannot be meant, and what does not fit; no layer is changed."""
    image("new.img", 2 * MIB)
    image("small.img", 1 * MIB)
    image("other.img", 2 * MIB)
    must("chainsetup", "format", "--name", "other", "--size", "65536", "other.img")
    names = ("a.img", "b.img", "c.img", "new.img", "small.img", "other.img")
    before = {name: pathlib.Path(name).read_bytes() for name in names}
    refuse("rests on the layer", "new.img")
    refuse("is another: name the right one", "--backing", "other.img", "new.img")
    refuse("is another: name the right one", "--backing", "small.img", "new.img")
    refuse("room for", "--backing", "a.img", "small.img")
    refuse("already is the layer other", "--backing", "a.img", "other.img")
    refuse("does not go with --raw", "--raw", "--backing", "a.img", "new.img")
    refuse("is a layer, and no raw device", "--raw", "a.img")
    image("short.raw", 65536 - 512)
    refuse("and 65536 are needed", "--raw", "short.raw")
    refuse("--force does not apply", "--raw", "--force", "small.img")
    refuse("nothing but --dry-run", "--dry-run", "--raw")
    refuse("nothing but --dry-run", "--dry-run", "--backing", "a.img")
    to_file("all.stream", "chainsetup", "export", "--all", "b.img")
    refuse("--unsafe does not apply", "--raw", "--unsafe", "small.img", stdin="all.stream")
    refuse("--unsafe does not apply", "--unsafe", "new.img", stdin="all.stream")
    refuse("no stream of", "--backing", "a.img", "new.img", stdin="a.img")
    refuse("is missing")
    must("chainsetup", "export", "--help")
    refused("exclude each other", "chainsetup", "export", "--all", "--since", "A", "b.img")
    refused("is no layer of c.img", "chainsetup", "export", "--since", "Q", "c.img")
    refused("is c.img itself", "chainsetup", "export", "--since", "C", "c.img")
    refused("carries no chain superblock", "chainsetup", "export", "new.img")
    for name in names:
        expect(pathlib.Path(name).read_bytes() == before[name], f"{name} has changed")
    must("chainpoke", "super", "a.img", "generation=2")
    refuse("rests on generation 1", "--backing", "a.img", "new.img")
    from_file("b.stream", "chainsetup", "apply", "--unsafe", "--backing", "a.img", "new.img")
    must("chainpoke", "super", "b.img", "flags=2")
    refused("needs a check first", "chainsetup", "export", "b.img")
    must("chainpoke", "super", "b.img", "flags=1")
    small_chain()


def dry_run():
    """It says the same, and changes nothing."""
    image("new.img", 2 * MIB)
    told = fields(from_file("b.stream", "chainsetup", "apply", "--dry-run"))
    expect((told["name"], told["size"], told["data"], told["zero"], told["unowned"]) ==
           ("B", "65536", "3", "2", "11"), f"{told}")
    from_file("b.stream", "chainsetup", "apply", "--dry-run", "--backing", "a.img", "new.img")
    expect(not any(pathlib.Path("new.img").read_bytes()), "it was written to")
    refuse("room for", "--dry-run", "--backing", "a.img", "small.img")
    pathlib.Path("bad.stream").write_bytes(pathlib.Path("b.stream").read_bytes()[:-1])
    refuse("it was cut off", "--dry-run", stdin="bad.stream")


def uuids():
    """A copy has the original's UUID, or one of its own."""
    image("new.img", 2 * MIB)
    old = fields(from_file("b.stream", "chainsetup", "apply", "--backing", "a.img", "new.img"))
    new = fields(from_file("b.stream", "chainsetup", "apply", "--force", "--new-uuid", "--name",
                           "N", "--backing", "a.img", "new.img"))
    expect(old["name"] == "B" and new["name"] == "N", f"{old} {new}")
    expect(old["uuid"] != new["uuid"], f"{old} {new}")
    # what rests on B rests on its copy, and on none with another UUID
    to_file("c.stream", "chainsetup", "export", "c.img")
    image("top.img", 2 * MIB)
    refuse("is another: name the right one", "--backing", "new.img", "top.img",
           stdin="c.stream")
    from_file("b.stream", "chainsetup", "apply", "--force", "--backing", "a.img", "new.img")
    from_file("c.stream", "chainsetup", "apply", "--backing", "new.img", "top.img")
    same_bytes("on the copy", view("a.img", "new.img", "top.img"),
               view("a.img", "b.img", "c.img"))


def main():
    """All of it."""
    args = arguments()
    with work_directory():
        small_chain()
        check("what cannot be meant", refusals)
        check("a dry run", dry_run)
        check("a base that has grown", grown_base)
        check("a raw base that is written to meanwhile", written_meanwhile, False)
        check("a data device that is written to meanwhile", written_meanwhile, True)
        check("a raw device that is too small", smaller_target)
        check("no room for the stream", full)
        check("UUIDs", uuids)
        check("a damaged stream", damage, 53)
        check("a damaged stream, onto a raw device", raw_damage)
        check("killed", killed, False)
        check("killed, with a metadata device", killed, True)
        check("killed over a layer", killed_over_layer)
        check("killed, onto a raw device", killed_raw, False)
        check("killed twice, onto a raw device", killed_raw, True)
        for call, how, ends, says in (
                ("pwrite64", "error=EIO:signal=KILL", (-9, 137), False),
                ("pwrite64", "error=EIO", (1,), True),
                ("pwrite64", "signal=TERM", (-15, 143), True),
                ("fallocate", "signal=TERM", (-15, 143), True)):
            check(f"a raw device changed in part, by {call} with {how}", changed_in_part, call, how,
                  ends, says)
        for seed in range(args.seed, args.seed + args.count):
            check(f"the random chain {seed}", random_chain, seed)
    return summary()


sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Random damage to the metadata of a layer, by the hundred.

random_damage.py [--seed N] [--count N | --seconds N]

What has to hold for any damage:
- check never says "clean" of a layer that chainview or format_reader.py refuses;
- neither check nor a dry run of repair changes a byte;
- repair never makes it worse: what could be read shows the same, or what was
  there before the damage; what could not either still cannot, or shows what was
  there before the damage.
  A slot that has become a copy of the page's other one is what nobody can see:
  what was there before is then what such a layer shows without the rest;
- a second repair finds nothing to do, and the undo file gives every byte back.

The case of a seed is the same wherever it is run: with --seed N --count 1 it is
repeated alone. The last line is "N passed, N failed".
"""

import argparse
import os
import random
import tempfile
import time

from layers import PAGE, SECTOR, make, run


class Wrong(Exception):
    """A promise was broken."""


def expect(condition, what):
    """A promise."""
    if not condition:
        raise Wrong(what)


def damage_page(rng, page, others):
    """One way for a page to rot."""
    page = bytearray(page)
    how = rng.choice(["bit", "bit", "byte", "bytes", "sector", "zero", "stray", "head"])
    if how == "bit":
        page[rng.randrange(PAGE)] ^= 1 << rng.randrange(8)
    elif how == "byte":
        page[rng.randrange(PAGE)] = rng.randrange(256)
    elif how == "bytes":
        for _ in range(rng.randrange(2, 9)):
            page[rng.randrange(PAGE)] = rng.randrange(256)
    elif how == "head":
        page[rng.randrange(64)] = rng.randrange(256)
    elif how == "stray":
        page[:] = rng.choice(others)
    else:
        at = rng.randrange(PAGE // SECTOR) * SECTOR
        length = SECTOR * rng.randrange(1, 9)
        new = bytes(SECTOR * 8) if how == "zero" else rng.randbytes(SECTOR * 8)
        page[at : at + length] = new[: min(length, PAGE - at)]
    return how, bytes(page)


def damage(rng, layer):
    """
    Damage a few slots; half of the layers were not closed.

    Returns what was done, whether the layer was closed, and the slots that have
    become what the other slot of the page is, a good one: nobody can see that.
    """
    what = []
    stale = {}
    closed = rng.random() < 0.5
    if not closed:
        layer.poke("super", f"flags={rng.choice([0, 0, 2])}")
        what.append("not closed")
    slots = list(layer.offsets.items())
    good = {place: layer.get(offset) for place, offset in slots}
    for _ in range(rng.choice([1, 1, 1, 2, 2, 3])):
        (kind, index, slot), offset = rng.choice(slots)
        how, page = damage_page(rng, layer.get(offset), list(good.values()))
        layer.put(offset, page)
        if page == good[kind, index, 1 - slot]:
            stale[offset] = page
        what.append(f"{how} of {kind} {index} slot {'AB'[slot]}")
    return what, closed, stale


def runs(view):
    """A view's runs: where each ends, and who is there."""
    result = []
    for line in view.splitlines():
        start, length, owner = line.split()
        result.append((int(start) + int(length), owner))
    return result


def made_of(view, views):
    """Is every byte of a view as in one of the others?"""
    lists = [runs(other) for other in views if other is not None]
    ends = sorted({end for runs_of in lists + [runs(view)] for end, _ in runs_of})

    def owner(runs_of, byte):
        return next(owner for end, owner in runs_of if byte < end)

    mine = runs(view)
    return all(owner(mine, end - 1) in [owner(other, end - 1) for other in lists] for end in ends)


def fallback(layer, state):
    """
    What a layer that was not closed shows if each damaged slot is a torn one.

    A page of which both slots are damaged is none that a power cut leaves.
    """
    layer.reset()
    layer.poke("super", "flags=0")
    sound = layer.read()[0]
    for (kind, *_), offset in layer.offsets.items():
        if kind != "super" and state[0][offset : offset + PAGE] != sound[offset : offset + PAGE]:
            layer.put(offset, bytes(PAGE))
    shown = layer.view()
    layer.write(state)
    return shown


def outdated(layer, state, stale):
    """What a layer shows of which some slots, and nothing else, are older ones."""
    layer.reset()
    for offset, page in stale.items():
        layer.put(offset, page)
    shown = layer.view()
    layer.write(state)
    return shown


def one(rng, layer, undo):
    """One case. Returns what was damaged, and what became of it."""
    layer.reset()
    what, closed, stale = damage(rng, layer)
    state = layer.read()
    before = layer.view()
    readable = layer.readable()
    try:
        return what, judge(layer, undo, state, [before, outdated(layer, state, stale)],
                           readable, closed)
    except Wrong as wrong:
        raise Wrong(f"{', '.join(what)}: {wrong}") from None


def judge(layer, undo, state, views, readable, closed):
    """All the promises. Returns whether it was clean, repaired, or left alone."""
    before = views[0]
    status, out, err = run("chainsetup", "repair", layer.path)
    expect(status in (0, 1), f"dry run: status {status}: {out}{err}")
    expect(layer.read() == state, "the dry run has changed the device")
    nothing_to_do = status == 0

    status, said, err = run("chainsetup", "check", layer.path)
    expect(status in (0, 1), f"check: status {status}: {said}{err}")
    clean = status == 0
    expect(not clean or (before is not None and readable), f"it is not clean: {said}")
    expect(clean or layer.read() == state, "check has changed the device")
    expect(not nothing_to_do or clean, f"repair finds nothing, check does: {said}")
    # It may have cleared needs-check.
    layer.write(state)

    if os.path.exists(undo):
        os.remove(undo)
    status, out, err = run("chainsetup", "repair", "--yes", "--undo", undo, layer.path)
    expect(status in (0, 1), f"repair: status {status}: {out}{err}")
    after = layer.view()
    repaired = layer.read()
    if after not in (None, before, layer.shown):
        views = views + [layer.shown] + ([] if closed else [fallback(layer, repaired)])
        layer.write(repaired)
        expect(made_of(after, views), f"it shows something else than before: {after}")
    expect(before is None or after is not None, "it could be read before")
    expect(status or (after is not None and layer.readable()), f"it is not repaired: {out}")
    if status == 0:
        status, out, err = run("chainsetup", "check", layer.path)
        expect(status == 0 and layer.read() == repaired, f"after the repair: {out}{err}")
    run("chainsetup", "repair", "--yes", "--undo", f"{undo}.2", layer.path)
    expect(layer.read() == repaired, "a second repair has changed something")
    expect(not os.path.exists(f"{undo}.2"), "a second repair has left an undo file")
    if repaired == state:
        expect(not os.path.exists(undo), "an undo file of no writes")
        return "clean" if clean else "left alone"
    status, out, err = run("chainsetup", "repair", "--yes", "--restore", undo, layer.path)
    expect(status == 0 and layer.read() == state, f"restore: {out}{err}")
    return "restored" if after == layer.shown else "improved"


def main():
    """Run cases until there are enough, or the time is over."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31))
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seconds", type=float)
    options = parser.parse_args()
    end = time.monotonic() + options.seconds if options.seconds else None
    passed = failed = 0
    results = {}
    seed = options.seed
    with tempfile.TemporaryDirectory(prefix="dm-chain-repair.") as work:
        os.chdir(work)
        layers = [make("inline"), make("separate")]
        while time.monotonic() < end if end else seed < options.seed + options.count:
            rng = random.Random(seed)
            try:
                _, result = one(rng, rng.choice(layers), os.path.join(work, "undo"))
                results[result] = results.get(result, 0) + 1
                passed += 1
            except Wrong as wrong:
                failed += 1
                print(f"not ok: seed {seed}: {wrong}", flush=True)
            seed += 1
        os.chdir("/")
    counts = ", ".join(f"{n} {result}" for result, n in sorted(results.items()))
    print(f"repair: {seed - options.seed} damaged layers: {counts}, seed {options.seed}")
    print(f"{passed} passed, {failed} failed")
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    raise SystemExit(main())

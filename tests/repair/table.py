#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Does check find every inconsistency, and does repair do what the table says?

table.py [NAME...]: the rows whose names hold one of the words, or all. The
last line is "N passed, N failed".
"""

import os
import pathlib
import shutil
import sys
import tempfile

from layers import make, must, run, torn, writes
from rows import FIXED, NOTE, REFUSED, SHOWN, all_rows, newer, other

# Sectors of a write that did arrive before a cut, a bit each.
TEARS = (0x00, 0x01, 0xFE, 0x0F, 0x55)


class Wrong(Exception):
    """The row failed."""


def expect(condition, what):
    """A check of the row."""
    if not condition:
        raise Wrong(what)


def lines_of(text, notes):
    """The lines of check that are notes, or those that are not."""
    return [line for line in text.splitlines() if (": note: " in line) == notes]


def states_of(layer):
    """The state of each block of a layer."""
    states = []
    for line in must("chainview", "states", layer.spec).splitlines():
        _, blocks, state = line.split()
        states += [state] * int(blocks)
    return states


class Case:
    """A row on one kind of layer."""

    def __init__(self, row, layer):
        self.row = row
        self.layer = layer
        self.undo = 0

    def unchanged(self, state, what):
        """Nothing was written."""
        expect(self.layer.read() == state, f"{what} has changed the device")

    def repair(self, *words, works=True):
        """Repair it. Returns the undo file."""
        self.undo += 1
        undo = f"undo.{self.undo}"
        status, out, err = run("chainsetup", "repair", "--yes", "--undo", undo, *words,
                               self.layer.path)
        expect(status == (0 if works else 1), f"repair: status {status}: {out}{err}")
        return undo

    def check(self):
        """Check it. Returns whether it is clean, and what was said."""
        status, out, err = run("chainsetup", "check", self.layer.path)
        expect(status in (0, 1), f"check: status {status}")
        expect((status == 0) == out.endswith(": clean\n"), f"check: {out}{err}")
        return status == 0, out

    def finds(self, note):
        """Check says what is wrong, in so many words."""
        state = self.layer.read()
        clean, out = self.check()
        expect(clean == note, f"check says: {out}")
        expect(any(self.row.says in line for line in lines_of(out, note) + ([""] if note else [])),
               f"not \"{self.row.says}\" but: {out}")
        if not note:
            self.unchanged(state, "check")

    def dry(self, state, *words, status=1):
        """A repair that is only tried changes nothing. Returns what it complains of."""
        got, out, err = run("chainsetup", "repair", *words, self.layer.path)
        expect(got == status, f"dry run: status {got}: {out}{err}")
        expect(err.count("\n") == status, f"dry run: {err}")
        self.unchanged(state, "the dry run")
        return err

    def done(self, expected, what):
        """It is clean and shows what it should, and there is nothing left."""
        clean, out = self.check()
        expect(clean, f"{what}: check says: {out}")
        expect(self.layer.readable(), f"{what}: format_reader.py refuses it")
        shown = self.layer.view()
        expect(shown is not None, f"{what}: chainview refuses it")
        if expected == SHOWN:
            expect(shown == self.layer.shown, f"{what}: it shows something else: {shown}")
        elif expected:
            self.states_are(expected, what)
        state = self.layer.read()
        status, out, err = run("chainsetup", "repair", self.layer.path)
        expect(status == 0 and not err, f"{what}: a second repair: {out}{err}")
        self.unchanged(state, f"{what}: a second repair")

    def states_are(self, expected, what):
        """From a block on all are in one state, and those before as they were."""
        block, state = expected
        now = states_of(self.layer)
        expect(now[block:] == [state] * (len(now) - block), f"{what}: not all are {state}")
        after = self.layer.read()
        self.layer.reset()
        before = states_of(self.layer)
        self.layer.write(after)
        expect(now[:block] == before[:block], f"{what}: other blocks have changed")

    def restored(self, undo, state, what):
        """Undo gives the exact bytes back."""
        dev = self.layer.path
        status, _, err = run("chainsetup", "repair", "--restore", undo, dev)
        if self.layer.read() != state:
            expect(status == 1 and "nothing was changed" in err, f"{what}: dry restore: {err}")
        status, out, err = run("chainsetup", "repair", "--yes", "--restore", undo, dev)
        expect(status == 0, f"{what}: restore: {out}{err}")
        self.unchanged(state, f"{what}: restore")

    def cuts(self, undo, state, words, expected):
        """Repair stops after each of its writes, or in the middle of one."""
        steps = list(writes(undo))
        self.layer.write(state)
        damaged = self.layer.view()
        for n, (offset, old, new) in enumerate(steps):
            for sectors in TEARS:
                what = f"cut in write {n}, sectors {sectors:#x}"
                self.layer.write(state)
                for before, _, page in steps[:n]:
                    self.layer.put(before, page)
                self.layer.put(offset, torn(old, new, sectors))
                before = self.layer.view()
                if expected == SHOWN:
                    expect(before in (None, self.layer.shown, damaged),
                           f"{what}: it shows {before}")
                if sectors == 0x0F:
                    self.restored(undo, state, what)
                    continue
                if not self.check()[0]:
                    # It may have come past what had to be chosen.
                    _, out, _ = run("chainsetup", "repair", self.layer.path)
                    self.repair(*(words if "--choose" in out else ()))
                self.done(expected, what)

    def fixed(self, words, expected):
        """Repair does all of it."""
        state = self.layer.read()
        said = self.dry(state, *words)
        undo = self.repair(*words)
        expect(os.path.exists(undo), "there is no undo file")
        pages = len(list(writes(undo)))
        expect(f" writes {pages} page{'' if pages == 1 else 's'}, leaves 0 of " in said,
               f"{pages} pages are written, the dry run says: {said}")
        self.done(expected, "repaired")
        self.restored(undo, state, "repaired")
        again = self.repair(*words)
        expect(list(writes(undo)) == list(writes(again)) or "bottom" in self.row.name,
               "another repair does something else")
        # Where the metadata lies makes no difference to the order of writes.
        if self.layer.spec == self.layer.path:
            self.cuts(undo, state, words, expected)

    def refused(self):
        """Repair does nothing, and leaves no undo file."""
        state = self.layer.read()
        self.dry(state)
        undo = self.repair(works=False)
        self.unchanged(state, "repair")
        expect(not os.path.exists(undo), "there is an undo file")

    def note(self):
        """There is nothing to be done."""
        state = self.layer.read()
        self.dry(state, status=0)
        self.repair()
        self.unchanged(state, "repair")

    def choice(self):
        """Repair wants to be told."""
        state = self.layer.read()
        for text, expected in self.row.choices.items():
            self.layer.write(state)
            page, _, what = text.partition("=")
            kind, _, index = page.partition(":")
            if what in ("newer", "older"):
                slot = self.counts(kind, int(index or 0))
                what = slot if what == "newer" else other(slot)
            words = ("--choose", f"{page}={what}")
            self.refused_alone(state, words[1])
            self.fixed(words, expected)

    def refused_alone(self, state, word):
        """Without the choice nothing is done, and it is offered."""
        _, out, _ = run("chainsetup", "repair", self.layer.path)
        expect(word in out, f"{word} is not offered: {out}")
        self.repair(works=False)
        self.unchanged(state, "repair without a choice")

    def counts(self, kind, index):
        """The slot that was the newer one before the damage."""
        state = self.layer.read()
        self.layer.reset()
        slot = newer(self.layer, kind, index)
        self.layer.write(state)
        return slot

    def run(self):
        """The whole row."""
        self.row.damage(self.layer)
        self.finds(self.row.outcome == NOTE)
        if self.row.outcome == FIXED:
            self.fixed((), SHOWN)
        elif self.row.outcome == REFUSED:
            self.refused()
        elif self.row.outcome == NOTE:
            self.note()
        else:
            self.choice()


def fresh(kind, work):
    """A directory of its own, with copies of the images; we are in it."""
    here = work / "here"
    shutil.rmtree(here, ignore_errors=True)
    must("cp", "-r", "--sparse=always", str(work / kind), str(here))
    os.chdir(here)


def main():
    """Run the rows, say how many were right."""
    words = sys.argv[1:]
    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix="dm-chain-repair.") as name:
        work = pathlib.Path(name)
        layers = {}
        (work / "here").mkdir()
        for kind in ("inline", "separate"):
            os.chdir(work / "here")
            layers[kind] = make(kind)
            (work / "here").rename(work / kind)
            (work / "here").mkdir()
        for row in all_rows():
            if words and not any(word in row.name for word in words):
                continue
            for kind in row.kinds:
                fresh(kind, work)
                try:
                    Case(row, layers[kind]).run()
                    passed += 1
                    print(f"ok {row.name}, {kind}", flush=True)
                except Wrong as wrong:
                    failed += 1
                    print(f"not ok {row.name}, {kind}: {wrong}", flush=True)
        os.chdir("/")
    print(f"{passed} passed, {failed} failed")
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main())

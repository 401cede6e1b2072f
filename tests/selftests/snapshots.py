#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0
"""usage: snapshots.py plan
       snapshots.py run DEVICE LAYERS SEED

Puts LAYERS layers on a chain, by live snapshots of a file system that is written
to, read and compared all the time, and takes them out again by streams, some of
them while further layers are added. A layer that is released is overwritten with
garbage at once. "plan" says how many results there will be."""
import os
import random
import shutil
import sys
import tempfile
import time

from filewriter import FileWriter
from livechain import Chain, Job, Pool, Results, Wrong, note, run

SIZE = 24       # MiB
USES = 40       # of the file system between two steps


class Snapshots:
    def __init__(self, device, layers, seed):
        self.layers = layers
        self.seed = seed
        self.rng = random.Random(seed)
        self.folder = tempfile.mkdtemp(prefix="dm-chain-snapshots.")
        self.pool = Pool(device, SIZE + 1, "dmct-slice%d-" % os.getpid())
        self.chain = Chain("dmct-%d" % os.getpid(), self.pool)
        self.writer = FileWriter(self.folder, seed)
        self.mounted = False
        self.started = 0        # jobs
        self.most = 0           # layers at once

    def mount(self):
        run("mount", "-t", "ext4", "-o", "discard", self.chain.path, self.folder)
        self.mounted = True

    def unmount(self):
        run("umount", self.folder)
        self.mounted = False

    def build(self):
        """A file system on a raw base, and one layer."""
        base = self.pool.take(self.rng)
        first = self.pool.take(self.rng)
        self.chain.device = {"base": base, "L0": first}
        self.chain.names = ["base", "L0"]
        run("mkfs.ext4", "-q", "-b", "4096", "-J", "size=4", base,
            "%dM" % SIZE)
        run("chainsetup", "format", "--force", "--name", "L0", "--size",
            "%dM" % SIZE, "--backing", base, first)
        self.chain.open()
        self.mount()
        self.writer.prepare()
        self.writer.start()

    def clean_up(self):
        run("dmsetup", "resume", self.chain.name, status=None)
        try:
            self.writer.stop()
        except Wrong as wrong:
            note(wrong)
        if self.mounted:
            run("umount", self.folder, status=None)
        run("dmsetup", "remove", "--retry", self.chain.name, status=None)
        self.pool.remove()
        shutil.rmtree(self.folder, ignore_errors=True)

    def show(self, done):
        self.chain.look()
        self.writer.go_on(USES)
        self.most = max(self.most, len(self.chain.names))
        note("%s, used %d times\n  [%s] %s" % (
            done, self.writer.done.value, "] <- [".join(self.chain.names),
            ", ".join("%s %s" % (job.name, job.status)
                      for job in self.chain.jobs.values())))

    # ---- steps ----

    def stream(self, low, top, speed):
        """Of the layers at these positions, without the base, which stays."""
        names = self.chain.names
        self.started += 1
        job = Job("j%d" % self.started, names[top], names[low:top])
        words = ["stream", "job", job.name, "top", job.top]
        words += self.rng.choice([["base", names[low - 1]],
                                  ["bottom", names[low]]])
        if self.rng.random() < 0.3:
            words += ["verify", "on"]
        if speed:
            words += ["speed", str(speed)]
        refusal = self.chain.send(*words)
        if refusal:
            raise Wrong("%s: %s" % (" ".join(words), refusal))
        self.chain.jobs[job.name] = job
        self.show(" ".join(words))

    def spare_range(self, longest):
        """Positions of layers that no job has, two at least; or None."""
        names = self.chain.names
        busy = set()
        for job in self.chain.jobs.values():
            busy.update(job.layers())
        found = [(low, top) for low in range(1, len(names))
                 for top in range(low + 1, min(low + longest, len(names)))
                 if busy.isdisjoint(names[low:top + 1])]
        return self.rng.choice(found) if found else None

    def add(self):
        for number in range(1, self.layers + 1):
            name = "L%d" % number
            self.chain.snapshot(name, self.pool.take(self.rng))
            self.show("snapshot " + name)
            if number % 4 == 0:
                where = self.spare_range(3)
                if where:
                    self.stream(*where, 1 << 20)

    def take_out(self):
        """What is left is the base and the last layer."""
        chain = self.chain
        while len(chain.names) > 2 or chain.jobs:
            where = self.spare_range(6)
            if where and len(chain.jobs) < 3:
                self.stream(*where, self.rng.choice([0, 4 << 20]))
            elif chain.jobs:
                many = len(chain.jobs)
                chain.wait(lambda: len(chain.jobs) < many)
                run("chainsetup", "release", chain.name)
                self.show("release")
        run("chainsetup", "release", chain.name)
        self.show("release")
        last = "L%d" % self.layers
        if chain.names != ["base", last] or set(chain.device) != {"base", last}:
            raise Wrong("what is left: %s, devices of %s" %
                        (chain.names, sorted(chain.device)))

    def compare(self):
        self.writer.stop()
        self.writer.compare_all()
        self.unmount()
        run("e2fsck", "-fn", self.chain.path)

    def compare_anew(self):
        self.chain.close()
        self.chain.check_layers()
        self.chain.open()
        self.mount()
        self.writer.compare_all()
        self.unmount()
        run("e2fsck", "-fn", self.chain.path)

    def change_file(self):
        """Behind the chain's back."""
        self.mount()
        place = os.path.join(self.folder, "fixed")
        said = run("filefrag", "-e", "-b512", place)
        first, last = (int(x) for x in
                       said.split(" 0:", 1)[1].split(":")[1].split(".."))
        self.unmount()
        # What was never written, or only with zeros, lies nowhere.
        for run_of in self.chain.ask("map", str(first),
                                     str(last + 1 - first)).splitlines():
            at, layer = int(run_of.split()[0]), run_of.split()[2]
            if not layer.startswith("zero"):
                break
        else:
            raise Wrong("all of the file's first extent is zero")
        offset = int(self.chain.lines("name", "layers")[layer]["data-offset"])
        self.chain.close()
        with open(self.chain.device[layer], "rb+", buffering=0) as disk:
            disk.seek(offset + at * 512)
            disk.write(os.urandom(4096))
            os.fsync(disk.fileno())
        self.chain.open()
        self.mount()
        try:
            self.writer.compare_all()
        except Wrong as wrong:
            note(wrong)
        else:
            raise Wrong("nobody has noticed that sector %d of layer %s is another"
                        % (at, layer))

    STEPS = [("layers-are-added", add), ("layers-are-taken-out", take_out),
             ("files-and-e2fsck", compare),
             ("files-and-e2fsck-of-a-chain-opened-anew", compare_anew),
             ("a-changed-block-is-found", change_file)]

    def run(self, results):
        note("seed %d" % self.seed)
        begin = time.monotonic()
        self.build()
        for name, step in self.STEPS:
            try:
                step(self)
            except Wrong as wrong:
                results.wrong(name, "seed %d: %s" % (self.seed, wrong))
                note(run("dmsetup", "table", self.chain.name, status=None)[1])
                note(run("dmsetup", "message", self.chain.name, "0", "jobs",
                         status=None)[1])
                return
            results.passed(name)
        note("%d s, %d layers at most, %d jobs, used %d times" % (
            time.monotonic() - begin, self.most, self.started,
            self.writer.done.value))


def main(words):
    if words[0] == "plan":
        print(len(Snapshots.STEPS))
        return 0
    results = Results()
    snapshots = Snapshots(words[1], int(words[2]), int(words[3]))
    try:
        snapshots.run(results)
    finally:
        snapshots.clean_up()
    return results.failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

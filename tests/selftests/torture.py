#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0
"""usage: torture.py plan ROUNDS
       torture.py run DEVICE ROUNDS SEED

Does ROUNDS things at random to a chain and its jobs, while fio writes to it and
verifies what it reads back, and compares the chain and the jobs with what they
ought to be after each. Layers that a job has dropped are overwritten with garbage
as soon as they have been released, and serve as new layers. After some rounds
nobody writes for a moment, and all of the device is verified. "plan" says how
many results there will be."""
import hashlib
import mmap
import os
import random
import shutil
import sys
import tempfile
import time

from fiowriter import SIZE, Writer
from livechain import MIB, Chain, Job, Pool, Results, Wrong, note, run

SECTION = 10            # rounds between two times that all is verified
FEWEST, MOST = 4, 12    # layers
LONGEST = 5             # layers of a job
LAST = ["the jobs end", "layers-check", "verified-by-a-chain-opened-anew",
        "fio-finds-a-changed-block"]
SPEEDS = [0, 0, 0, 65536, 131072, 262144, 524288, 1 << 20, 4 << 20]

ALLOWED = {     # verbs for what is found, those that get on more often
    "running": ["pause", "set-speed", "set-speed", "cancel", "set-floor",
                "set-ceiling"],
    "paused": ["resume"] * 4 + ["cancel", "set-speed", "set-floor"],
    "pending": ["finalize"] * 4 + ["cancel"],
    "concluded": ["dismiss"],
}
REFUSED = {
    "paused": ["pause", "finalize", "dismiss"],
    "pending": ["pause", "resume", "set-speed", "dismiss"],
    "concluded": ["pause", "resume", "cancel", "finalize", "set-speed"],
}


def sections(rounds):
    return (rounds + SECTION - 1) // SECTION


class Torture:
    def __init__(self, device, rounds, seed):
        self.rounds = rounds
        self.seed = seed
        self.rng = random.Random(seed)
        self.folder = tempfile.mkdtemp(prefix="dm-chain-torture.")
        self.pool = Pool(device, SIZE + 1, "dmct-slice%d-" % os.getpid())
        self.chain = Chain("dmct-%d" % os.getpid(), self.pool)
        self.writers = [Writer(kind, self.chain.path, self.folder, seed)
                        for kind in ("small", "large", "still")]
        self.made = 0           # layers
        self.started = 0        # jobs
        self.counts = {}        # of what was done

    def count(self, what):
        self.counts[what] = self.counts.get(what, 0) + 1

    # ---- the chain ----

    def build(self):
        base = self.pool.take(self.rng)
        first = self.pool.take(self.rng)
        self.pool.garbage(base)
        self.chain.device = {"base": base, "L0": first}
        self.chain.names = ["base", "L0"]
        run("chainsetup", "format", "--force", "--name", "L0", "--size",
            "%dM" % SIZE, "--backing", base, first)
        self.chain.open()
        for _ in range(5):
            self.snapshot()

    def clean_up(self):
        run("dmsetup", "resume", self.chain.name, status=None)
        for writer in self.writers:
            try:
                writer.stop()
            except Wrong as wrong:
                note(wrong)
        run("dmsetup", "remove", "--retry", self.chain.name, status=None)
        self.pool.remove()
        shutil.rmtree(self.folder)

    def digest(self):
        """Of all that the device shows, from below any cache."""
        total = hashlib.sha256()
        piece = mmap.mmap(-1, MIB)
        fd = os.open(self.chain.path, os.O_RDONLY | os.O_DIRECT)
        for i in range(SIZE):
            os.preadv(fd, [piece], i * MIB)
            total.update(piece)
        os.close(fd)
        return total.hexdigest()

    # ---- what can be done in a round: None if it cannot now ----

    def snapshot(self):
        if len(self.chain.names) >= MOST or not self.pool.free:
            return None
        self.made += 1
        name = "L%d" % self.made
        self.chain.snapshot(name, self.pool.take(self.rng))
        return "snapshot " + name

    def ranges(self):
        """Of layers that could be streamed: lowest and highest, as positions."""
        chain = self.chain
        busy = set()
        for job in chain.jobs.values():
            if not job.ended:
                busy.update(job.layers())
        spare = len(chain.names) - FEWEST
        for job in chain.jobs.values():
            spare -= len(set(job.dropped) & set(chain.names))
        found = []
        for low in range(len(chain.names)):
            for top in range(low + 1, min(len(chain.names), low + spare + 1,
                                          low + LONGEST)):
                if busy.isdisjoint(chain.names[low:top + 1]):
                    found.append((low, top))
        return found

    def start(self):
        found = self.ranges()
        if not found:
            return None
        names = self.chain.names
        if self.rng.random() < 0.5:     # into the layer that is written
            active = len(names) - 1
            found = [where for where in found if where[1] == active] or found
        low, top = self.rng.choice(found)
        words = ["stream"]
        self.started += 1
        name = "j%d" % self.started
        if names[top] not in self.chain.jobs and self.rng.random() < 0.2:
            name = names[top]
        else:
            words += ["job", name]
        if top != len(names) - 1 or self.rng.random() < 0.5:
            words += ["top", names[top]]
        if self.rng.random() < 0.5:
            words += ["bottom", names[low]]
        elif low:
            words += ["base", names[low - 1]]
        job = Job(name, names[top], names[low:top])
        speed = self.rng.choice(SPEEDS)
        if speed:
            words += ["speed", str(speed)]
        words += self.policies(job)
        refusal = self.chain.send(*words)
        if refusal:
            raise Wrong("%s: %s" % (" ".join(words), refusal))
        self.chain.jobs[name] = job
        return " ".join(words)

    def policies(self, job):
        words = []
        if self.rng.random() < 0.3:
            words += ["auto-finalize", "off"]
        if self.rng.random() < 0.3:
            words += ["auto-dismiss", "off"]
            job.auto_dismiss = False
        if self.rng.random() < 0.3:
            words += ["verify", "on"]
        if self.rng.random() < 0.5:
            words += ["on-error", self.rng.choice(
                ["report", "ignore", "stop", "enospc", "auto"])]
        return words

    def control(self):
        """A verb that the job's state allows."""
        jobs = [job for job in self.chain.jobs.values() if job.status in ALLOWED]
        if not jobs:
            return None
        job = self.rng.choice(jobs)
        verb = self.rng.choice(ALLOWED[job.status])
        words = ["job", job.name, verb]
        if verb.startswith("set-"):
            words.append(str(self.rng.choice(SPEEDS)))
        if self.rng.random() < 0.2:
            status, said = run("chainsetup", "job", verb, self.chain.name,
                               job.name, *words[3:], status=None)
            refusal = said if status else None
        else:
            refusal = self.chain.send(*words)
        said = "%s (%s)" % (" ".join(words), job.status)
        if refusal:
            return said + self.excuse(job, refusal)
        self.count(verb)
        if verb == "cancel":
            job.cancelled = True
        if verb == "finalize":
            job.finalized = True
        if verb in ("resume", "cancel"):
            job.status = "going on"
        if verb == "dismiss":
            del self.chain.jobs[job.name]
        return said

    def excuse(self, job, refusal):
        """A verb was refused that @job's state allowed when it was looked at:
        only because the job went on to another state by itself."""
        if job.stable():
            raise Wrong("job %s is %s: %s" % (job.name, job.status, refusal))
        before = job.status
        self.chain.wait(lambda: job.ended or job.status != before)
        return ": too late"

    def mistake(self):
        """What has to be refused, whatever the jobs are doing meanwhile."""
        jobs = [job for job in self.chain.jobs.values() if job.stable()]
        live = [job for job in jobs if not job.ended]
        kind = self.rng.randrange(10)
        if kind < 4 and jobs:
            job = self.rng.choice(jobs)
            verb = self.rng.choice(REFUSED[job.status])
            words = ["job", job.name, verb]
            if verb == "set-speed":
                words.append("0")
            expected = ["EINVAL: "]
        elif kind < 7 and live:
            job = self.rng.choice(live)
            low, top = self.rng.choice([(job.dropped[-1], job.top),
                                        (job.dropped[0], job.dropped[-1])])
            words = ["stream", "job", "overlap", "top", top, "bottom", low]
            if low == top:
                return None
            expected = ["EBUSY: ", job.name]
        elif kind < 9 and jobs:
            job = self.rng.choice(jobs)
            words = ["stream", "job", job.name]
            expected = ["EEXIST: ", job.name]
        else:
            words = ["job", "nobody", "pause"]
            expected = ["ENOENT: ", "nobody"]
        refusal = self.chain.send(*words) or "accepted"
        for part in expected:
            if part not in refusal:
                raise Wrong("%s: %s" % (" ".join(words), refusal))
        return "%s: %s" % (" ".join(words), refusal)

    def suspend(self):
        options = [word for word in ("--noflush", "--nolockfs")
                   if self.rng.random() < 0.5]
        run("dmsetup", "suspend", *options, self.chain.name)
        refusal = self.chain.send("stream") or "accepted"
        if not refusal.startswith("EAGAIN: "):
            raise Wrong("stream, suspended: %s" % refusal)
        self.chain.ask("jobs")
        time.sleep(self.rng.random() / 2)
        run("dmsetup", "resume", self.chain.name)
        return "suspend " + " ".join(options)

    def reload(self):
        """As a user does it, with anything else in between."""
        options = [word for word in ("--noflush", "--nolockfs")
                   if self.rng.random() < 0.3]
        words = run("dmsetup", "table", self.chain.name).split()
        done = ""
        if self.rng.random() < 0.3:
            reading = "copy_on_read" in words
            words[4 + 3 * int(words[3]):] = [] if reading else ["1", "copy_on_read"]
            done = "copy_on_read " + ("off " if reading else "on ")
        run("dmsetup", "load", self.chain.name, "--table", " ".join(words))
        if self.rng.random() < 0.5:
            done += self.rng.choice([self.start, self.control])() or ""
        if self.rng.random() < 0.2:
            run("dmsetup", "clear", self.chain.name)
        run("dmsetup", "suspend", *options, self.chain.name)
        run("dmsetup", "resume", self.chain.name)
        return "reload %s %s" % (" ".join(options), done)

    def release(self):
        run("chainsetup", "release", self.chain.name)
        return "release"

    def one_round(self, number):
        # Its own generator: what this round draws does not depend on how many
        # draws the others happened to need.
        self.rng = random.Random("%d-%d" % (self.seed, number))
        long = len(self.chain.names) > MOST - 3
        weights = [(self.start, 35), (self.snapshot, 15 if long else 30),
                   (self.control, 30), (self.mistake, 6), (self.suspend, 8),
                   (self.reload, 8), (self.release, 3)]
        done = None
        while done is None:
            action = self.rng.choices([action for action, _ in weights],
                                      [weight for _, weight in weights])[0]
            done = action()
        self.count(action.__name__)
        self.chain.look()
        note("%d: %s\n  [%s] %s" % (
            number, done, "] <- [".join(self.chain.names),
            ", ".join("%s %s" % (job.name, job.status)
                      for job in self.chain.jobs.values())))
        for writer in self.writers:
            writer.check()

    # ---- what is verified ----

    def reopen(self):
        self.chain.close()
        for job in list(self.chain.jobs.values()):
            job.reopened = True
            job.offset = None
            if job.ended:
                del self.chain.jobs[job.name]
        self.chain.check_layers()
        self.chain.open()

    def verify(self):
        before = self.digest()
        for writer in self.writers:
            writer.verify()
        if self.rng.random() < 0.5:
            self.reopen()
            note("closed and opened")
        if self.digest() != before:
            raise Wrong("the content has changed while nobody wrote")

    def section(self, first, last):
        small, large, still = self.writers
        small.start()
        large.start()
        if not still.laps or self.rng.random() < 0.5:
            still.start()
            still.enough.set()
        for number in range(first, last + 1):
            self.one_round(number)
        for writer in self.writers:
            writer.stop()
        self.verify()
        note("all verified; laps: %s" % [writer.laps for writer in self.writers])

    def finish_jobs(self):
        chain = self.chain

        def done():
            for job in list(chain.jobs.values()):
                if job.ended:
                    chain.send("job", job.name, "dismiss")
                    del chain.jobs[job.name]
                elif job.status == "paused":
                    chain.send("job", job.name, "resume")
                    job.status = "going on"
                elif job.status == "pending":
                    chain.send("job", job.name, "finalize")
                    job.finalized = True
                elif job.status == "running":
                    chain.send("job", job.name, "set-speed", "0")
            return not chain.jobs

        chain.wait(done)
        self.release()
        chain.look()

    def close_and_check(self):
        self.chain.close()
        self.chain.check_layers()

    def verify_anew(self):
        self.chain.open()
        for writer in self.writers:
            writer.verify()

    def change_blocks(self):
        """Behind the chain's back, one of each writer."""
        for writer, mib in zip(self.writers, (self.rng.choice([1, 9]),
                                              self.rng.choice([12, 16]), 20)):
            at = mib * 2048 + 8 * self.rng.randrange(100)
            run_of = self.chain.ask("map", str(at), "8").splitlines()[0].split()
            layer = run_of[2]
            offset = int(self.chain.lines("name", "layers")[layer]["data-offset"])
            self.chain.close()
            with open(self.chain.device[layer], "rb+", buffering=0) as disk:
                disk.seek(offset + at * 512)
                disk.write(os.urandom(4096))
                os.fsync(disk.fileno())
            self.chain.open()
            try:
                writer.verify()
            except Wrong as wrong:
                note(str(wrong).splitlines()[0])
            else:
                raise Wrong("fio has not noticed that sector %d of layer %s is "
                            "another" % (at, layer))

    def run(self, results):
        """False if it makes no sense to go on."""
        note("seed %d" % self.seed)
        steps = []
        for first in range(1, self.rounds + 1, SECTION):
            last = min(first + SECTION - 1, self.rounds)
            steps.append(("rounds %d-%d" % (first, last),
                          lambda first=first, last=last:
                          self.section(first, last)))
        steps += zip(LAST, (self.finish_jobs, self.close_and_check,
                            self.verify_anew, self.change_blocks))
        begin = time.monotonic()
        self.build()
        for name, step in steps:
            try:
                step()
            except Wrong as wrong:
                results.wrong(name, "seed %d: %s" % (self.seed, wrong))
                note(run("dmsetup", "table", self.chain.name, status=None)[1])
                note(run("dmsetup", "message", self.chain.name, "0", "jobs",
                         status=None)[1])
                return
            results.passed(name)
        note("%d s, %d layers, %d jobs ended: %s" % (
            time.monotonic() - begin, self.made, self.chain.results, self.counts))


def main(words):
    if words[0] == "plan":
        print(sections(int(words[1])) + len(LAST))
        return 0
    results = Results()
    torture = Torture(words[1], int(words[2]), int(words[3]))
    try:
        torture.run(results)
    finally:
        torture.clean_up()
    return results.failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

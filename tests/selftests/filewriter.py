# SPDX-License-Identifier: GPL-2.0
"""Somebody who uses a file system all the time, and knows what must be in it."""
import hashlib
import mmap
import multiprocessing
import os
import random
import time

from livechain import LIMIT, Wrong

FILES = 48              # at most
LONGEST = 96 << 10      # bytes of a file
SECTORS = 4096          # of the file that is written in place, to the device


def digest(path):
    """Of a file's content, from below the page cache if it is clean there."""
    fd = os.open(path, os.O_RDONLY)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    total = hashlib.sha256()
    while piece := os.read(fd, 1 << 20):
        total.update(piece)
    os.close(fd)
    return total.hexdigest()


class FileWriter:
    """Uses the file system at @folder in a process of its own."""

    def __init__(self, folder, seed):
        self.folder = folder
        self.rng = random.Random(seed)
        self.random = os.urandom(4 * LONGEST)
        self.files = {}         # digests by name
        self.named = 0
        self.fixed = bytearray(SECTORS * 512)
        self.enough = multiprocessing.Event()
        self.done = multiprocessing.Value("L", 0, lock=False)
        self.ours, self.theirs = multiprocessing.Pipe()
        self.process = None

    def path(self, name):
        return os.path.join(self.folder, name)

    def piece(self, length):
        at = self.rng.randrange(len(self.random) - length)
        return self.random[at:at + length]

    # ---- what it does ----

    def write(self):
        """A new file, or another in the place of one, some of them durable."""
        if len(self.files) >= FILES or self.files and self.rng.random() < 0.3:
            name = self.rng.choice(list(self.files))
        else:
            self.named += 1
            name = "d%d/f%d" % (self.rng.randrange(4), self.named)
        content = self.piece(self.rng.randrange(1, LONGEST))
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name + ".new"), "wb") as new:
            new.write(content)
            if self.rng.random() < 0.3:
                new.flush()
                os.fsync(new.fileno())
        os.rename(self.path(name + ".new"), self.path(name))
        self.files[name] = hashlib.sha256(content).hexdigest()

    def delete(self):
        if len(self.files) > FILES // 2:
            name = self.rng.choice(list(self.files))
            os.unlink(self.path(name))
            del self.files[name]

    def read(self):
        if not self.files:
            return
        name = self.rng.choice(list(self.files))
        if self.rng.random() < 0.5:
            fd = os.open(self.path(name), os.O_RDONLY)
            os.fdatasync(fd)
            os.close(fd)
        self.compare(name)

    def compare(self, name):
        found = digest(self.path(name))
        if found != self.files[name]:
            raise Wrong("file %s has changed" % name)

    def prepare(self):
        with open(self.path("fixed"), "wb") as fixed:
            fixed.write(self.fixed)
            fixed.flush()
            os.fsync(fixed.fileno())

    def write_in_place(self):
        """A few sectors: most writes cover parts of blocks only."""
        count = self.rng.randrange(1, 40)
        at = self.rng.randrange(SECTORS - count) * 512
        buffer = mmap.mmap(-1, count * 512)
        buffer[:] = self.piece(count * 512)
        fd = os.open(self.path("fixed"), os.O_WRONLY | os.O_DIRECT)
        if os.pwritev(fd, [buffer], at) != count * 512:
            raise Wrong("a short write")
        os.close(fd)
        self.fixed[at:at + count * 512] = buffer[:]

    def read_in_place(self):
        count = self.rng.randrange(1, 100)
        at = self.rng.randrange(SECTORS - count) * 512
        buffer = mmap.mmap(-1, count * 512)
        fd = os.open(self.path("fixed"), os.O_RDONLY | os.O_DIRECT)
        os.preadv(fd, [buffer], at)
        os.close(fd)
        if buffer[:] != self.fixed[at:at + count * 512]:
            raise Wrong("%d bytes at %d of the file written in place have changed"
                        % (count * 512, at))

    def compare_all(self):
        os.sync()
        for name in self.files:
            self.compare(name)
        with open(self.path("fixed"), "rb") as fixed:
            os.posix_fadvise(fixed.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            if fixed.read() != self.fixed:
                raise Wrong("the file written in place has changed")
        found = sum(len(files) for _, _, files in os.walk(self.folder))
        if found != len(self.files) + 1:
            raise Wrong("%d files instead of %d" % (found, len(self.files) + 1))

    # ---- the process ----

    def work(self):
        kinds = [(self.write, 4), (self.delete, 1), (self.read, 3),
                 (self.write_in_place, 4), (self.read_in_place, 3)]
        why = None
        try:
            while not self.enough.is_set():
                self.rng.choices([kind for kind, _ in kinds],
                                 [weight for _, weight in kinds])[0]()
                self.done.value += 1
        except (Wrong, OSError) as wrong:
            why = "the writer, after %d: %s" % (self.done.value, wrong)
        self.theirs.send((why, self.files, self.fixed))

    def start(self):
        self.enough.clear()
        self.process = multiprocessing.Process(target=self.work, daemon=True)
        self.process.start()

    def go_on(self, times):
        """Return when it has done something so many times more."""
        until = self.done.value + times
        since = time.monotonic()
        while self.done.value < until:
            if self.ours.poll():
                break
            if time.monotonic() - since > LIMIT:
                raise Wrong("the writer hangs")
            time.sleep(0.05)
        self.check()

    def check(self):
        if self.process and self.ours.poll():
            self.stop()

    def stop(self):
        """What it was doing is finished, and now known here."""
        if not self.process:
            return
        self.enough.set()
        if not self.ours.poll(LIMIT):
            raise Wrong("the writer hangs")
        why, self.files, self.fixed = self.ours.recv()
        self.process.join()
        self.process = None
        if why:
            raise Wrong(why)

# SPDX-License-Identifier: GPL-2.0
"""fio, which writes to a device and verifies what it has written, lap after lap.

In each lap every block of a writer's regions is written once, in any order, read
back soon after, and all of it once more in the end. A checksum alone does not
tell an old content from a new one; the patterns do, which name the lap, and so
does fio within a lap."""
import json
import os
import subprocess
import threading

from livechain import Wrong

MIB = 1 << 20
BACKLOG = "verify_backlog=64"

# What each writer does: regions that do not overlap, offset and size in MiB.
# Blocks are 4 KiB, so some of this covers parts of blocks, or many.
REGIONS = {
    "small": """
        [whole]
        offset=0m
        size=4m
        rw=randwrite
        bs=4k
        verify=crc32c
        [mixed]
        offset=4m
        size=4m
        rw=randwrite
        bsrange=512-16k
        verify=md5
        [trimmed]
        offset=8m
        size=2m
        rw=trimwrite
        bs=8k
        verify=crc32c
        """,
    "large": """
        [runs]
        offset=10m
        size=6m
        rw=randwrite
        bs=32k
        verify=pattern
        verify_pattern="%(lap)s"%%o
        [parts]
        offset=16m
        size=1m
        rw=randwrite
        bs=1k
        verify=pattern
        verify_pattern="%(lap)s"%%o
        """,
    # written now and then only, so that it is found in lower layers
    "still": """
        [still]
        offset=17m
        size=7m
        rw=randwrite
        bs=64k
        verify=pattern
        verify_pattern="%(lap)s"%%o
        """,
}
SIZE = 24       # MiB, of all of them


class Writer:
    """One of REGIONS, written to @path by a thread of its own from start() to
    stop(), at least a lap. The seeds come from @seed."""

    def __init__(self, kind, path, folder, seed):
        self.kind = kind
        self.path = path
        self.file = os.path.join(folder, kind)
        self.seed = seed
        self.laps = 0
        self.failure = None
        self.enough = threading.Event()
        self.thread = None

    def jobs(self, more):
        common = ["[global]", "filename=" + self.path, "direct=1", "thread=1",
                  "ioengine=libaio", "iodepth=8", "verify_fatal=1",
                  "verify_state_save=0",
                  "randseed=%d" % (self.seed * 1000 + self.laps + 1)] + more
        lap = "%s%08d" % (self.kind[0], self.laps)
        regions = REGIONS[self.kind] % {"lap": lap}
        return "\n".join(common + [line.strip() for line in regions.splitlines()])

    def fio(self, more, *options):
        """One run; an error if one of its jobs has not read and verified all."""
        with open(self.file + ".fio", "w") as script:
            script.write(self.jobs(more) + "\n")
        done = subprocess.run(
            ["nice", "fio", *options, "--output-format=json",
             "--output=" + self.file + ".json", self.file + ".fio"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="replace", cwd="/tmp")
        said = "fio, %s, lap %d: " % (self.kind, self.laps)
        if done.returncode:
            raise Wrong("%sstatus %d: %s" % (said, done.returncode,
                                             done.stdout[:2000]))
        with open(self.file + ".json") as report:
            jobs = json.load(report)["jobs"]
        for job in jobs:
            size = int(job["job options"]["size"][:-1]) * MIB
            if job["error"] or job["read"]["io_bytes"] < size:
                raise Wrong("%s%s: error %d, %d bytes verified" %
                            (said, job["jobname"], job["error"],
                             job["read"]["io_bytes"]))

    def lap(self):
        self.laps += 1
        self.fio([BACKLOG])

    def verify(self):
        """What the last lap has written, while nobody writes."""
        self.fio([], "--verify_only=1")

    def write_on(self):
        try:
            while True:
                self.lap()
                if self.enough.is_set():
                    break
        except Wrong as wrong:
            self.failure = wrong

    def start(self):
        self.enough.clear()
        self.thread = threading.Thread(target=self.write_on)
        self.thread.start()

    def stop(self):
        if self.thread:
            self.enough.set()
            self.thread.join()
            self.thread = None
        self.check()

    def check(self):
        if self.failure:
            raise self.failure

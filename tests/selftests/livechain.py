# SPDX-License-Identifier: GPL-2.0
"""What the long-running tests share: devices out of a pool, a chain on them that
is in use, and the jobs it has, each compared with what they ought to be."""
import errno
import mmap
import os
import subprocess
import time

MIB = 1 << 20
LIMIT = 400     # seconds: a command that takes longer hangs

ERRNO = {os.strerror(number): name for number, name in errno.errorcode.items()}


class Wrong(Exception):
    """Something is not as it has to be."""


def note(text):
    for line in str(text).splitlines():
        print("#", line, flush=True)


class Results:
    """Of the tests of one program, a line for each."""

    def __init__(self):
        self.failed = False

    def passed(self, name):
        print("ok", name, flush=True)

    def wrong(self, name, why):
        self.failed = True
        note(why)
        print("not ok", name, flush=True)


def run(*words, status=0, env=None):
    """Run a command that has to end with @status, or, with None, any. Return
    what it printed, or, with None, the status and that."""
    try:
        done = subprocess.run(words, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, errors="replace", timeout=LIMIT, env=env)
    except subprocess.TimeoutExpired as late:
        with open("/proc/sysrq-trigger", "w") as trigger:
            trigger.write("w")
        raise Wrong("%s: no end within %d s" % (" ".join(words), LIMIT)) from late
    if status is None:
        return done.returncode, done.stdout
    if done.returncode != status:
        raise Wrong("%s: status %d: %s" % (" ".join(words), done.returncode,
                                           done.stdout.strip()))
    return done.stdout


def fields(line):
    return dict(word.split("=", 1) for word in line.split() if "=" in word)


class Pool:
    """Slices of one device, as devices that can be layers. None begins where it
    does, so that it does not look like a layer itself."""

    def __init__(self, device, mib, prefix):
        self.mib = mib
        self.devices = []
        with open(device, "rb") as disk:
            count = (disk.seek(0, os.SEEK_END) - MIB) // (mib * MIB)
        sectors = mib * 2048
        for i in range(count):
            name = "%s%02d" % (prefix, i)
            run("dmsetup", "create", name, "--table",
                "0 %d linear %s %d" % (sectors, device, 2048 + i * sectors))
            self.devices.append("/dev/mapper/" + name)
        self.free = list(self.devices)
        self.random = mmap.mmap(-1, MIB)

    def remove(self):
        for device in self.devices:
            run("dmsetup", "remove", "--retry", device, status=None)

    def garbage(self, device):
        """Overwrite all of a device that nobody may have open."""
        opened = run("dmsetup", "info", "-c", "--noheadings", "-o", "open", device)
        if opened.strip() != "0":
            raise Wrong("%s has been released and is open" % device)
        self.random[:] = os.urandom(MIB)
        fd = os.open(device, os.O_WRONLY | os.O_DIRECT | os.O_EXCL)
        for _ in range(self.mib):
            os.write(fd, self.random)
        os.close(fd)

    def take(self, rng):
        device = rng.choice(self.free)
        self.free.remove(device)
        return device

    def give(self, device):
        """A device that has been released: what is on it is lost."""
        self.garbage(device)
        self.free.append(device)


class Job:
    """What is known of a job: @dropped are the layers it takes out, and what
    its end may be."""

    def __init__(self, name, top, dropped):
        self.name = name
        self.top = top
        self.dropped = dropped
        self.status = "running"
        self.speed = 0
        self.auto_dismiss = True
        self.cancelled = False
        self.finalized = False  # on the way to its end, if it is pending still
        self.reopened = False   # the device has been closed meanwhile
        self.ended = False      # still listed if it waits for dismiss
        self.offset = None      # where it stands while it is paused

    def layers(self):
        return [self.top] + self.dropped

    def stable(self):
        """It stays in its state until it is told something."""
        return self.ended or self.status == "paused" or \
            self.status == "pending" and not self.finalized


class Chain:
    """A chain in use: @names are its layers from the base to the active one,
    @jobs those that have not ended, or have and are listed, by id, @device the
    device of each layer, dropped ones that are not released yet included."""

    def __init__(self, name, pool):
        self.name = name
        self.pool = pool
        self.path = "/dev/mapper/" + name
        self.names = []
        self.jobs = {}
        self.device = {}
        self.results = 0        # of jobs, seen

    # ---- asking ----

    def ask(self, *words):
        return run("dmsetup", "message", self.name, "0", *words)

    def send(self, *words):
        """Send a message; return None or the name of the errno and the reason."""
        status, said = run("dmsetup", "message", self.name, "0", *words,
                           status=None)
        if not status:
            return None
        text = said.strip().splitlines()[0].rsplit(": ", 1)[-1]
        return ERRNO.get(text, said.strip()) + ": " + self.ask("error").strip()

    def table(self):
        """Names and devices of the effective chain."""
        words = run("dmsetup", "table", self.name).split()
        layers = words[4:4 + 3 * int(words[3])]
        return layers[0::3]

    def lines(self, key, *words):
        found = {}
        for line in self.ask(*words).splitlines():
            values = fields(line)
            found[values[key]] = values
        return found

    # ---- comparing ----

    def look(self):
        """See whether jobs and layers are as they have to be, take note of the
        jobs that have ended, and reuse the devices that were released."""
        jobs = self.lines("id", "jobs")
        names = self.table()
        layers = self.lines("name", "layers")
        for name in jobs:
            if name not in self.jobs:
                raise Wrong("a job %s that nobody has started" % name)
        for job in list(self.jobs.values()):
            self.compare(job, jobs.get(job.name), names)
        if names != self.names:
            raise Wrong("the chain is %s instead of %s" %
                        (" ".join(names), " ".join(self.names)))
        for name in self.names:
            if name not in layers:
                raise Wrong("layer %s is not listed" % name)
        for name in set(self.device) - set(layers):
            if name in self.names:
                raise Wrong("layer %s has been released" % name)
            self.pool.give(self.device.pop(name))
        for name in layers:
            if name not in self.device:
                raise Wrong("layer %s, which has gone, is listed" % name)
        return jobs

    def compare(self, job, line, names):
        ended = line is None or line["status"] == "concluded"
        if line is not None:
            self.compare_line(job, line)
        if job.ended:
            if line is None:
                raise Wrong("job %s has gone without dismiss" % job.name)
            return
        if ended and job.stable():
            raise Wrong("job %s was %s and has ended" % (job.name, job.status))
        if not ended:
            # what is shortened already may not be shown as ended yet
            if not set(job.dropped) & set(names):
                self.drop(job)
            return
        if line is None and not job.auto_dismiss and not job.reopened:
            raise Wrong("job %s has not waited for dismiss" % job.name)
        self.compare_result(job, line, names)
        job.ended = True
        self.results += 1
        if line is None:
            del self.jobs[job.name]

    def compare_line(self, job, line):
        status, offset = line["status"], int(line["offset"])
        if line["top"] != job.top:
            raise Wrong("job %s has the top %s instead of %s" %
                        (job.name, line["top"], job.top))
        if job.stable() and not job.ended and status != job.status:
            raise Wrong("job %s was %s and is %s" % (job.name, job.status, status))
        if status == "concluded" and job.auto_dismiss:
            raise Wrong("job %s waits for dismiss" % job.name)
        if status == "paused" and job.status == "paused":
            if job.offset not in (None, offset):
                raise Wrong("job %s is paused and has moved from %d to %d" %
                            (job.name, job.offset, offset))
            job.offset = offset
        else:
            job.offset = None
        if line["io-status"] != "ok" or line["failed"] != "0":
            raise Wrong("job %s has seen an error: %s" % (job.name, line))
        job.status = status

    def compare_result(self, job, line, names):
        """Of a job that has just ended."""
        result = line
        if result is None:
            # of that layer, unless the layer has gone meanwhile as well
            result = self.lines("layer", "jobs", "last").get(job.top)
            if result is None or result["id"] != job.name:
                raise Wrong("no result of job %s: %s" % (job.name, result))
        error = int(result["error"])
        if error == errno.ECANCELED or result["status"] == "cancelled":
            end = "cancelled"
        else:
            end = "failed" if error else "completed"
        if (end == "cancelled") != job.cancelled:
            raise Wrong("job %s, %s cancelled, is %s" % (
                job.name, "which was" if job.cancelled else "not", result))
        if end == "completed":
            if set(job.dropped) & set(names):
                raise Wrong("job %s is completed, the chain is %s" %
                            (job.name, " ".join(names)))
            self.drop(job)
        elif end == "cancelled":
            if set(job.layers()) - set(names):
                raise Wrong("job %s is cancelled, the chain is %s" %
                            (job.name, " ".join(names)))
        else:
            raise Wrong("job %s has ended: %s" % (job.name, result))

    def drop(self, job):
        self.names = [name for name in self.names if name not in job.dropped]

    # ---- changing ----

    def snapshot(self, name, device):
        self.device[name] = device
        run("chainsetup", "snapshot", self.name, device, "--name", name,
            "--force")
        self.names.append(name)

    def close(self):
        run("chainsetup", "close", self.name)

    def check_layers(self):
        """Everything that the layers of a closed chain say of themselves, but
        for those that a job may have taken out before."""
        going = {name for job in self.jobs.values() for name in job.dropped}
        run("chainsetup", "check", *[self.device[name] for name in self.names
                                     if name != "base" and name not in going])

    def open(self):
        run("chainsetup", "open", self.name, self.device[self.names[-1]])
        self.look()

    def wait(self, done):
        """Look until @done(); what takes so long that it hangs is an error."""
        last, since = None, time.monotonic()
        while True:
            jobs = self.look()
            if done():
                return
            if jobs != last:
                last, since = jobs, time.monotonic()
            if time.monotonic() - since > LIMIT:
                raise Wrong("the jobs hang: %s" % jobs)
            time.sleep(0.2)

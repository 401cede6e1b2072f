#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""
usage: coverage.py report|missing|list|check SOURCE-DIR LIST COUNTERS...

What gcov counted, added up over the .gcda files anywhere below the directories
COUNTERS: of each file of SOURCE-DIR, how many lines and branches have run. What was
compiled several times has run if one of them has.

Not counted are the branches of lines with a macro that brings its own (UNCOUNTED): those
that say that the module itself is wrong, that write to the kernel's log at most so often,
or that give a reason only to who wants one, also under a name of the file's own (REASON),
as bad_sb() in dm-chain-super.c; those that add to a reply if there is room; that wait, or
define functions; and those of the kernel that ask the compiler whether it knows a value,
of which one way never is. Nor is a condition of ours that stands on such a line. Whether
the line has run does count.

LIST says what has to be: for SOURCE-DIR a line of its name, "*" and the least percentage
of lines and of branches; and what is known not to run: for each function its file, its
name, at most how many of its lines, and why. "missing" shows the lines and the branches,
"list" prints LIST as it would have to be, with the reasons that are known. "check"
is a report and fails where less has run than LIST wants; it ends with a line "N passed, N failed".
"""
import json
import os
import re
import subprocess
import sys
import tempfile


UNCOUNTED = re.compile(r"\b(WARN_ON(_ONCE)?|lockdep_assert_\w+|DM(ERR|WARN|INFO)(_LIMIT)?|"
                       r"dm_chain_refuse|DMEMIT\w*|wait_event|INTERVAL_TREE_DEFINE|"
                       r"(__)?(test_and_)?(test|set|clear|change)_bit|bio_set_dev|"
                       r"find_(first|next)_(zero_)?bit|for_each_set_bit|bitmap_\w+|"
                       r"hweight64|ilog2)\(")
REASON = re.compile(r"^#define (\w+)\([^()]*\)\s*(?:\\\n)?\s*dm_chain_refuse\(", re.M)


class Line:
    def __init__(self):
        self.count = 0
        self.function = ""
        self.ways = []

    def add(self, line, function):
        self.count += line["count"]
        self.function = function or self.function
        ways = [branch["count"] for branch in line["branches"]]
        if len(ways) == len(self.ways):
            self.ways = [a + b for a, b in zip(self.ways, ways)]
        elif taken(ways) * len(self.ways) >= taken(self.ways) * len(ways):
            # compiled in another way: the one of which more ran
            self.ways = ways


def taken(ways):
    return sum(1 for way in ways if way)


def notes(gcda):
    """
    The .gcno file of what was compiled. It lies beside the counters, or where the
    object was made: the path of the counters ends with that of the object, from
    the root on, and the cache has taken the ".new" away since.
    """
    beside = gcda[:-len("da")] + "no"
    if os.path.exists(beside):
        return beside
    parts = beside.replace(".new/", "/").split("/")
    for i in range(1, len(parts)):
        path = "/" + "/".join(parts[i:])
        if os.path.exists(path):
            return path
    sys.exit(f"coverage.py: {gcda}: no .gcno file")


def counted(directory):
    """Each file that gcov knows of, as it describes it."""
    for top, _, names in os.walk(os.path.abspath(directory)):
        for name in sorted(names):
            if not name.endswith(".gcda"):
                continue
            gcda = os.path.join(top, name)
            with tempfile.TemporaryDirectory() as work:
                os.symlink(gcda, os.path.join(work, name))
                os.symlink(notes(gcda), os.path.join(work, name[:-len("da")] + "no"))
                out = subprocess.run(["gcov", "-b", "-j", "-t", name], cwd=work,
                                     check=True, stdout=subprocess.PIPE,
                                     stderr=subprocess.DEVNULL).stdout
            for text in out.splitlines():
                yield from json.loads(text)["files"]


def read(source, directories):
    """{file: {number: Line}}"""
    files = {}
    # that of the KUnit suites has another name, and no files but theirs and these
    parents = os.path.basename(os.path.abspath(source)), "src"
    for directory in directories:
        for described in counted(directory):
            parent, name = os.path.split(described["file"])
            if os.path.basename(parent) not in parents or \
               not os.path.exists(os.path.join(source, name)):
                continue
            lines = files.setdefault(name, {})
            for line in described["lines"]:
                number = line["line_number"]
                lines.setdefault(number, Line()).add(line, line.get("function_name"))
    for name, lines in files.items():
        text = source_text(source, name)
        reasons = [rf"\b{macro}\(" for macro in REASON.findall("\n".join(text))]
        uncounted = re.compile("|".join([UNCOUNTED.pattern, *reasons]))
        for number, line in enumerate(text, 1):
            if number in lines and uncounted.search(line):
                lines[number].ways = []
    return files


def source_text(source, name):
    """Its lines."""
    with open(os.path.join(source, name), encoding="utf-8") as f:
        return f.read().splitlines()


def numbers(lines):
    """Lines run, lines, branches run, branches."""
    return (sum(1 for line in lines if line.count), len(lines),
            sum(taken(line.ways) for line in lines),
            sum(len(line.ways) for line in lines))


def percent(part, whole):
    return 100.0 * part / whole if whole else 100.0


def report(files):
    """The totals, in percent."""
    rows = [(name, numbers(lines.values())) for name, lines in sorted(files.items())]
    rows.append(("all", tuple(sum(row[1][i] for row in rows) for i in range(4))))
    print(f"{'':28} {'lines':>13} {'':7} {'branches':>13}")
    for name, (a, b, c, d) in rows:
        print(f"{name:28} {a:6}/{b:6} {percent(a, b):6.1f}% {c:6}/{d:6} "
              f"{percent(c, d):6.1f}%")
    a, b, c, d = rows[-1][1]
    return percent(a, b), percent(c, d)


def not_run(files):
    """{(file, function): lines} where there are any"""
    gaps = {}
    for name, lines in files.items():
        for line in lines.values():
            if not line.count:
                key = name, line.function or "-"
                gaps[key] = gaps.get(key, 0) + 1
    return gaps


def known(path):
    """What LIST says: {(file, function): (lines, why)}, {(directory, "*"): ...}"""
    reasons = {}
    with open(path, encoding="utf-8") as f:
        for text in f:
            if text.strip() and not text.startswith("#"):
                name, function, lines, why = text.split(None, 3)
                reasons[name, function] = (int(lines), why.strip())
    return reasons


def missing(files, source):
    for name, lines in sorted(files.items()):
        text = source_text(source, name)
        for number, line in sorted(lines.items()):
            if not line.count or taken(line.ways) < len(line.ways):
                ways = "".join("+" if way else "-" for way in line.ways)
                print(f"{name}:{number}: {'' if line.count else '####'} {ways}\t"
                      f"{line.function}: {text[number - 1].strip()}")


def check(files, reasons, source):
    passed = failed = 0
    wanted = reasons.get((os.path.basename(source), "*"), (100, "100"))
    for want, value, what in zip(wanted, report(files), ("lines", "branches")):
        if value >= int(want):
            passed += 1
        else:
            failed += 1
            print(f"not ok: {value:.1f} % of the {what} instead of {want} %")
    for key, lines in sorted(not_run(files).items()):
        allowed = reasons.get(key, (0, ""))[0]
        if lines <= allowed:
            passed += 1
        else:
            failed += 1
            print(f"not ok: {key[0]}: {key[1]}: {lines} lines have not run, "
                  f"{allowed} are known")
    print(f"{passed} passed, {failed} failed")
    return failed == 0 and passed > 0


def main():
    if len(sys.argv) < 5:
        sys.exit(__doc__)
    verb, source, listed, *directories = sys.argv[1:]
    files = read(source, directories)
    if not files:
        sys.exit("coverage.py: nothing was counted")
    if verb == "report":
        report(files)
    elif verb == "missing":
        missing(files, source)
    elif verb == "list":
        reasons = known(listed)
        for key, lines in sorted(not_run(files).items()):
            print(f"{key[0]} {key[1]} {lines} {reasons.get(key, (0, '?'))[1]}")
    elif verb == "check":
        sys.exit(0 if check(files, known(listed), source) else 1)
    else:
        sys.exit(__doc__)


main()

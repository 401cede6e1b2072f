#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The fuzzers' corpora, which are text in the tree and files for libFuzzer.

usage: corpus.py unpack CORPUS DIR
       corpus.py pack [--most N] FUZZER CORPUS DIR...

A corpus has an input a line: printable characters as they are, others, blanks at
both ends and "\\" as "\\n" or "\\xNN". Lines that begin with "# " are comments.

pack adds to CORPUS what takes the FUZZER where nothing smaller does, of the inputs
in DIRs, those that add most first, until there are N (default 48).
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile


def decode(line):
    out = bytearray()
    for part in re.findall(r"\\n|\\x[0-9a-f]{2}|[ -\[\]-~]", line):
        if part == "\\n":
            out.append(10)
        elif len(part) == 4:
            out.append(int(part[2:], 16))
        else:
            out += part.encode()
    if encode(bytes(out)) != line:
        sys.exit(f"corpus.py: not understood: {line}")
    return bytes(out)


def encode(data):
    text = ""
    for at, byte in enumerate(data):
        char = chr(byte)
        edge = at in (0, len(data) - 1)
        if char == "\n":
            text += "\\n"
        elif not " " <= char <= "~" or char == "\\" or char in " #" and edge:
            text += f"\\x{byte:02x}"
        else:
            text += char
    return text


def read(corpus):
    with open(corpus, encoding="ascii") as file:
        lines = [line.rstrip("\n") for line in file]
    return [decode(line) for line in lines if line and not line.startswith("# ")]


def unpack(corpus, directory):
    os.makedirs(directory, exist_ok=True)
    for at, data in enumerate(read(corpus)):
        with open(os.path.join(directory, f"{at:03}"), "wb") as file:
            file.write(data)


def features(fuzzer, directory, work):
    """Per file what libFuzzer sees of it, from the log of a merge."""
    log = os.path.join(work, "log")
    os.mkdir(os.path.join(work, "out"))
    subprocess.run([fuzzer, "-merge=1", f"-merge_control_file={log}",
                    os.path.join(work, "out"), directory],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with open(log, encoding="utf-8") as file:
        lines = file.read().split("\n")
    number = int(lines[0])
    names = lines[2:2 + number]
    seen = {}
    for line in lines[2 + number:]:
        words = line.split()
        # Edges count more than how often each was taken.
        if words and words[0] in ("COV", "FT"):
            seen.setdefault(names[int(words[1])], set()).update(
                (words[0], word) for word in words[2:])
    return seen


def choose(seen, most):
    """The files that add most; what each adds to the smaller ones is in seen."""
    def gain(name):
        edges = sum(1 for kind, _ in seen[name] if kind == "COV")
        return (edges, len(seen[name]), name)
    return sorted(seen, key=gain, reverse=True)[:max(most, 0)]


def pack(fuzzer, corpus, directories, most):
    inputs = read(corpus) if os.path.exists(corpus) else []
    with tempfile.TemporaryDirectory() as work:
        every = os.path.join(work, "every")
        os.mkdir(every)
        for directory in directories:
            for name in os.listdir(directory):
                os.symlink(os.path.abspath(os.path.join(directory, name)),
                           os.path.join(every, name))
        for name in choose(features(fuzzer, every, work), most - len(inputs)):
            with open(name, "rb") as file:
                inputs.append(file.read())
    with open(corpus, "w", encoding="ascii") as file:
        file.write("# SPDX-License-Identifier: GPL-2.0\n")
        for data in sorted(set(inputs), key=lambda data: (len(data), data)):
            if data:
                file.write(encode(data) + "\n")


def main():
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("unpack")
    command.add_argument("corpus")
    command.add_argument("directory")
    command = commands.add_parser("pack")
    command.add_argument("--most", type=int, default=48)
    command.add_argument("fuzzer")
    command.add_argument("corpus")
    command.add_argument("directory", nargs="*")
    args = parser.parse_args()
    if args.command == "unpack":
        unpack(args.corpus, args.directory)
    else:
        pack(args.fuzzer, args.corpus, args.directory, args.most)


main()

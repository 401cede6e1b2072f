#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Read Prometheus' text format strictly, and print what it says as lines.

usage: promtext.py <FILE

A line for each sample, NAME LABEL=VALUE... SAMPLE, labels sorted, in the order of the
file; values are quoted as Python does. Fails, naming the line, if anything is not as
the format, and the advice for names and units, have it.
"""
import re
import sys

NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?|NaN|[+-]Inf")
TYPES = ("counter", "gauge", "histogram", "summary", "untyped")
# Base units only, and at the end of the name.
NOT_BASE = re.compile(r"_(kilo|mega|giga|kibi|mebi|gibi)?(bytes?|sectors?|blocks?|kb|mb|ms|"
                      r"milliseconds?|microseconds?|minutes?|hours?)(_|$)")
BASE = re.compile(r"_(bytes|seconds|bytes_per_second)$")


class Wrong(Exception):
    pass


def labels(text):
    """The pairs between the braces; text is what follows the first one."""
    pairs = {}
    while not text.startswith("}"):
        name = LABEL.match(text)
        if not name or not text[name.end():].startswith('="'):
            raise Wrong("no label")
        text, value = text[name.end() + 2:], ""
        while not text.startswith('"'):
            if not text:
                raise Wrong("the value of a label has no end")
            if text[0] == "\\":
                if text[1:2] not in ("\\", '"', "n"):
                    raise Wrong("an escape that there is not")
                value += "\n" if text[1] == "n" else text[1]
                text = text[2:]
            else:
                value += text[0]
                text = text[1:]
        if name.group() in pairs or name.group().startswith("__"):
            raise Wrong(f"label {name.group()}")
        pairs[name.group()] = value
        text = text[1:]
        if text.startswith(","):
            text = text[1:]
        elif not text.startswith("}"):
            raise Wrong("neither a comma nor the end behind a label")
    return pairs, text[1:]


def unit(name):
    if NOT_BASE.search(name) and not BASE.search(name):
        raise Wrong(f"{name}: not a base unit, or not at the end")


def sample(line, family, seen):
    name = NAME.match(line)
    if not name or name.group() != family:
        raise Wrong("a sample without HELP and TYPE above it")
    rest, pairs = line[name.end():], {}
    if rest.startswith("{"):
        pairs, rest = labels(rest[1:])
    if not rest.startswith(" ") or not NUMBER.fullmatch(rest[1:]):
        raise Wrong("no number")
    key = (family, tuple(sorted(pairs.items())))
    if key in seen:
        raise Wrong("the same series again")
    seen.add(key)
    print(family, *(f"{k}={v!r}" for k, v in key[1]), rest[1:])


def read(text):
    families, seen, family, helped, empty = set(), set(), None, None, False
    if text and not text.endswith("\n"):
        raise Wrong("no line feed at the end")
    for number, line in enumerate(text.split("\n")[:-1], 1):
        try:
            words = line.split(" ", 3)
            if words[:2] == ["#", "HELP"]:
                if empty or helped or len(words) < 4 or words[2] in families:
                    raise Wrong("HELP where it may not stand, or again")
                if not NAME.fullmatch(words[2]) or not words[3].strip():
                    raise Wrong("HELP without a name or a text")
                unit(words[2])
                helped = words[2]
                families.add(helped)
            elif words[:2] == ["#", "TYPE"]:
                if helped != words[2] or words[3:] not in [[t] for t in TYPES]:
                    raise Wrong("TYPE of something else, or of none that there is")
                if (words[3] == "counter") != helped.endswith("_total"):
                    raise Wrong("counters, and nothing else, end in _total")
                family, helped, empty = helped, None, True
            elif helped:
                raise Wrong("no TYPE behind HELP")
            else:
                sample(line, family, seen)
                empty = False
        except Wrong as wrong:
            raise Wrong(f"line {number}: {wrong}: {line}") from None
    if helped or empty:
        raise Wrong("a metric without a sample at the end")


if __name__ == "__main__":
    try:
        read(sys.stdin.read())
    except Wrong as problem:
        sys.exit(f"promtext: {problem}")

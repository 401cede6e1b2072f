#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""
schema.py COMMAND [FILE [COMMAND FILE]...]: is what the file (or stdin) holds what
Documentation/chainsetup.schema.json says of the command's output? Silent if so. Of
monitor each line is a value.

Here members that the schema does not know are refused, so that it is complete.

schema.py --list: the commands that it has.
"""
import json
import os
import sys

import jsonschema

PATH = os.path.join(os.path.dirname(os.path.realpath(__file__)),
                    "../../Documentation/chainsetup.schema.json")
PARTS = {"converted", "finding", "release-item", "some-uuid", "tree-node"}


def strict(part):
    """Allow no members but those that are described."""
    if isinstance(part, dict):
        if "properties" in part:
            part["additionalProperties"] = False
        for value in part.values():
            strict(value)
    elif isinstance(part, list):
        for value in part:
            strict(value)


def check(schema, command, text):
    """Return: what is wrong, a line each."""
    if command not in schema["$defs"]:
        return [f"there is no schema of {command}"]
    validator = jsonschema.Draft7Validator(
        {"allOf": [{"$ref": "#/$defs/" + command}], "$defs": schema["$defs"]})
    lines = []
    for value in text.splitlines() if command == "monitor" else [text]:
        for error in validator.iter_errors(json.loads(value)):
            where = "/".join(str(step) for step in error.path)
            lines.append(f"{command}: {where}: {error.message}"[:500])
            lines += [f"  {cause.message}"[:300] for cause in error.context]
    return lines


def main():
    with open(PATH, encoding="utf-8") as file:
        schema = json.load(file)
    jsonschema.Draft7Validator.check_schema(schema)
    words = sys.argv[1:]
    if words == ["--list"]:
        print("\n".join(name for name in schema["$defs"] if name not in PARTS))
        return 0
    strict(schema)
    if len(words) == 1:
        words.append("/dev/stdin")
    wrong = []
    for command, path in zip(words[::2], words[1::2]):
        with open(path, encoding="utf-8") as file:
            text = file.read()
        wrong += check(schema, command, text) if text else [f"{command}: no output"]
    print("\n".join(wrong), end="")
    return 1 if wrong or not words else 0


sys.exit(main())

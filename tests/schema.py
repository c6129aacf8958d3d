#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""rouse schema against what the loader says: every program of the tree fits its own schema, and each file of
tests/cases/schema is refused at the place that its first line names.

usage: tests/schema.py ROUSE    (exit 77: no python3-jsonschema or python3-yaml here)
"""
import glob
import json
import re
import subprocess
import sys

try:
    import jsonschema
    import yaml

    yaml.CSafeLoader  # libyaml, as rouse has it: yaml's own parser refuses `string?` in a flow
except (ImportError, AttributeError) as e:
    print(f"skipped: {e}")
    sys.exit(77)


class Loader(yaml.CSafeLoader):
    """Scalars as rouse reads them: only true and false are booleans, only decimals numbers."""


Loader.yaml_implicit_resolvers = {}
for tag, pattern, first in [
    ("bool", r"^(true|false)$", "tf"),
    ("null", r"^(~|null|)$", ["~", "n", ""]),
    ("int", r"^[-+]?[0-9]+$", "-+0123456789"),
    ("float", r"^[-+]?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?$", "-+0123456789"),
]:
    Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(pattern), list(first))


def schema(rouse, *paths):
    out = subprocess.run([rouse, "schema", *paths], capture_output=True, check=False)
    if out.returncode:
        sys.exit(f"rouse schema {' '.join(paths)}: exit {out.returncode}\n{out.stderr.decode()}")
    made = json.loads(out.stdout)
    jsonschema.Draft7Validator.check_schema(made)
    return jsonschema.Draft7Validator(made)


def place(error):
    """The deepest place that the error or what led to it is about."""
    deepest = list(error.absolute_path)
    for inner in error.context or []:
        path = place(inner)
        if len(path) > len(deepest):
            deepest = path
    return deepest


def main(rouse):
    failed = 0
    files = 0
    alone = schema(rouse)
    known = {
        word.rsplit("/", 1)[1]
        for word in re.findall(r'"#/definitions/[a-z_]+', json.dumps(alone.schema))
    }
    for word in sorted(known - set(alone.schema["definitions"])):
        print(f"FAILED: @{word} is not defined")
        failed += 1
    programs = ["rules", "tests/cases/examples", "tests/cases/chaos"]
    programs += sorted(glob.glob("tests/cases/language/[0-9]*/"))
    programs += sorted(glob.glob("tests/cases/describe/*/"))
    for program in programs:
        named = schema(rouse, program)
        for path in sorted(glob.glob(f"{program}/*.yaml")):
            files += 1
            with open(path, encoding="utf-8") as f:
                tree = yaml.load(f, Loader)
            for how, validator in (("alone", alone), ("with its names", named)):
                for error in validator.iter_errors(tree):
                    where = ".".join(map(str, place(error)))
                    print(f"FAILED: {path} does not fit ({how}): {where}: {error.message[:200]}")
                    failed += 1
    named = schema(rouse, "tests/cases/examples")
    bad = sorted(glob.glob("tests/cases/schema/*.yaml"))
    for path in bad:
        with open(path, encoding="utf-8") as f:
            want = f.readline().removeprefix("# refused at: ").strip()
            tree = yaml.load(f, Loader)
        found = {".".join(map(str, place(e))) for e in named.iter_errors(tree)}
        if found != {want}:
            print(f"FAILED: {path}: refused at {found or 'no place'}, not at {want}")
            failed += 1
    print(f"schema: {len(programs)} programs in {files} files fit, {len(bad)} bad ones refused, {failed} failed")
    return 1 if failed or not files or not bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

#!/usr/bin/env python3
"""Runs cargo-mutants' own list of mutants out of one build.

Building costs more than testing, so each function gets all its mutants at once, as arms of a `match` over a number that is read
from the environment when the tests start. What cannot stand side by side in one build (constants, `const fn`, `impl Trait` as a
result) is left to cargo mutants itself, which builds one after the other.

    switched.py BED LIST.json OUT [--jobs N] [--shard K/N] [--only TEXT]... [--switched-only] -- TEST-ARGUMENTS

OUT gets caught.txt, missed.txt, timeout.txt and unviable.txt, with the names that cargo mutants gives them.
"""

import concurrent.futures
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

ENGINE = """//! Which mutant is on.
use std::sync::LazyLock;

static ON: LazyLock<u32> = LazyLock::new(|| {
    // the first test that fails is enough
    std::panic::set_hook(Box::new(|_| std::process::exit(101)));
    std::env::var("MUTANT").ok().and_then(|id| id.parse().ok()).unwrap_or(0)
});

pub fn on() -> u32 {
    *ON
}
"""


class Source:
    """A file, and places in it as cargo mutants gives them: lines and columns from 1, in characters."""

    def __init__(self, text):
        self.text = text
        self.starts = [0]
        for line in text.split("\n"):
            self.starts.append(self.starts[-1] + len(line) + 1)

    def range(self, span):
        at = lambda place: self.starts[place["line"] - 1] + place["column"] - 1
        return at(span["start"]), at(span["end"])


def functions(mutants, source):
    """Function by function: the range of its body, and its mutants."""
    found = {}
    for mutant in mutants:
        key = source.range(mutant["function"]["span"])
        found.setdefault(key, []).append(mutant)
    out = []
    for key, group in found.items():
        body = next(source.range(m["span"]) for m in group if m["genre"] == "FnValue")
        out.append((body, group))
    return sorted(out, key=lambda entry: (entry[0][0], -entry[0][1]))


def written(source, entries, start, end):
    """The text from start to end, with every function below it made switchable."""
    out, at = "", start
    while entries and entries[0][0][0] < end:
        (first, last), group = entries.pop(0)
        inner = []
        while entries and entries[0][0][1] <= last:
            inner.append(entries.pop(0))
        out += source.text[at:first] + "match crate::mutant::on() {"
        for mutant in group:
            a, b = source.range(mutant["span"])
            body = source.text[first:a] + mutant["replacement"] + source.text[b:last]
            out += f"\n/*<{mutant['id']}*/ {mutant['id']} => {{ {body}\n}} /*{mutant['id']}>*/"
        out += "\n_ => { " + written(source, inner, first, last) + "\n} }"
        at = last
    return out + source.text[at:end]


def leave(mutant, source):
    """True for what cannot be switched."""
    function = mutant.get("function")
    if not function:
        return True
    start, end = source.range(function["span"])
    head = source.text[start:end].split("{", 1)[0]
    return "const fn" in head or "impl " in (function.get("return_type") or "")


def write(bed, originals, mutants, dropped):
    for name, text in originals.items():
        source = Source(text)
        here = [m for m in mutants if m["file"] == name and m["id"] not in dropped]
        groups = functions([m for m in mutants if m["file"] == name], source)
        groups = [(body, [m for m in group if m in here]) for body, group in groups]
        groups = [entry for entry in groups if entry[1]]
        (bed / name).write_text(written(source, groups, 0, len(text)))


def arms(path):
    """Which lines are of which mutant."""
    lines, on = {}, None
    for number, line in enumerate(path.read_text().split("\n"), 1):
        begin, end = re.search(r"/\*<(\d+)\*/", line), re.search(r"/\*(\d+)>\*/", line)
        on = int(begin[1]) if begin else on
        if on:
            lines[number] = on
        if end:
            on = None
    return lines


def build(bed, names):
    """The test binary, or the mutants that do not compile."""
    command = ["cargo", "test", "--no-run", "--message-format=json"]
    done = subprocess.run(command, cwd=bed, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    places, bad, other, binary = {name: arms(bed / name) for name in names}, set(), [], None
    for line in done.stdout.splitlines():
        message = json.loads(line)
        if message["reason"] == "compiler-artifact" and message.get("executable"):
            binary = message["executable"]
        if message["reason"] != "compiler-message" or message["message"]["level"] != "error":
            continue
        found = set()
        for span in message["message"]["spans"]:
            if span["is_primary"]:
                found |= {places.get(span["file_name"], {}).get(span["line_start"])}
        found.discard(None)
        bad |= found
        if not found:
            other.append(message["message"]["rendered"])
    return (binary if done.returncode == 0 else None), bad, other


def run(binary, bed, mutant, arguments):
    environment = {**os.environ, "MUTANT": str(mutant), "CARGO_MANIFEST_DIR": str(bed), "RUST_BACKTRACE": "0"}
    command = ["sh", "-c", 'ulimit -v 4000000; exec "$0" "$@"', binary, *arguments]
    try:
        done = subprocess.run(command, cwd=bed, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60, check=False)
    except subprocess.TimeoutExpired:
        return "timeout"
    return "missed" if done.returncode == 0 else "caught"


def arguments():
    """The three paths, the options, and what the tests are given."""
    cut = sys.argv.index("--")
    here, tests = sys.argv[1:cut], sys.argv[cut + 1 :]
    options = {"--jobs": "2", "--shard": "0/1", "--only": [], "--switched-only": False}
    paths, rest = here[:3], here[3:]
    while rest:
        name = rest.pop(0)
        if name == "--switched-only":
            options[name] = True
        elif name == "--only":
            options[name].append(rest.pop(0))
        else:
            options[name] = rest.pop(0)
    return [Path(path).resolve() for path in paths], options, tests


def chosen(mutants, options):
    shard, shards = (int(number) for number in options["--shard"].split("/"))
    only = options["--only"]
    return [m for m in mutants if m["id"] % shards == shard and (not only or any(text in m["name"] for text in only))]


def all_built(bed, originals, mutants):
    """The binary that has all mutants which compile, and those which do not."""
    (bed / "src/mutant.rs").write_text(ENGINE)
    lib = bed / "src/lib.rs"
    lib.write_text(lib.read_text() + "\npub mod mutant;\n")
    names, unviable = {m["file"] for m in mutants}, set()
    while True:
        write(bed, {name: originals[name] for name in names}, mutants, unviable)
        binary, bad, other = build(bed, names)
        if binary:
            return binary, unviable
        if not bad:
            sys.exit("\n".join(other[:5]) or "the bed does not build")
        print(f"{len(bad)} mutants do not compile", flush=True)
        unviable |= bad


def built_alone(bed, out, mutants, tests, results):
    """Those that are left go through cargo mutants."""
    wanted = {m["name"] for m in mutants}
    names = [argument for name in sorted(wanted) for argument in ("-F", "^" + re.escape(name).replace("\\ ", " ") + "$")]
    # the names alone let mutants of other kinds through
    names += [argument for file in sorted({m["file"] for m in mutants}) for argument in ("-f", file)]
    command = ["cargo", "mutants", "--in-place", "--no-shuffle", "--timeout", "60", "--output", str(out), *names, "--", "--", *tests]
    subprocess.run(["sh", "-c", 'ulimit -v 8000000; exec "$0" "$@"', *command], cwd=bed, check=False)
    for name in ["caught", "missed", "timeout", "unviable"]:
        found = (out / "mutants.out" / f"{name}.txt").read_text().splitlines()
        results[name].extend(line for line in found if line in wanted)


def main():
    (bed, listed, out), options, tests = arguments()
    began = time.time()
    mutants = json.loads(listed.read_text())
    for number, mutant in enumerate(mutants, 1):
        mutant["id"] = number
    originals = {name: (bed / name).read_text() for name in {m["file"] for m in mutants} | {"src/lib.rs"}}
    left = [m for m in mutants if leave(m, Source(originals[m["file"]]))]
    switched = [m for m in mutants if m not in left]
    binary, unviable = all_built(bed, originals, switched)
    print(f"built after {time.time() - began:.0f} s", flush=True)
    if run(binary, bed, 0, tests) != "missed":
        sys.exit("the tests fail without a mutant")
    asked = chosen(switched, options)
    results = {"caught": [], "missed": [], "timeout": [], "unviable": [m["name"] for m in asked if m["id"] in unviable]}
    asked = [m for m in asked if m["id"] not in unviable]
    with concurrent.futures.ThreadPoolExecutor(int(options["--jobs"])) as pool:
        for mutant, result in zip(asked, pool.map(lambda m: run(binary, bed, m["id"], tests), asked)):
            results[result].append(mutant["name"])
            if result != "caught":
                print(result.upper(), mutant["name"], flush=True)
    for name, text in originals.items():
        (bed / name).write_text(text)
    out.mkdir(parents=True, exist_ok=True)
    left = chosen(left, options)
    if left and not options["--switched-only"]:
        built_alone(bed, out, left, tests, results)
    for name, names in results.items():
        (out / f"{name}.txt").write_text("".join(f"{line}\n" for line in names))
    print(", ".join(f"{len(names)} {name}" for name, names in results.items()), f"in {time.time() - began:.0f} s")


main()

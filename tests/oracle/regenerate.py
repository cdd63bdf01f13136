#!/usr/bin/env python3
"""Asks both servers again what they read from each request of tests/corpus/readers.json, and writes their answers there.

usage: regenerate.py GO-ORACLE HYPER-ORACLE
A new case is a new line with an id and raw_b64. Runs of one byte stand as a count: [[text, times], ...], a character per byte.
"""
import base64
import json
import pathlib
import re
import subprocess
import sys

FACTS = pathlib.Path(__file__).resolve().parent.parent / "corpus/readers.json"


def unpack(parts):
    return b"".join(text.encode("latin-1") * times for text, times in parts)


def pack(data):
    run = re.search(rb"(.)\1{2999,}", data, re.S)
    if not run:
        return None
    parts = [[data[: run.start()], 1], [run.group(1), run.end() - run.start()], [data[run.end() :], 1]]
    return [[text.decode("latin-1"), times] for text, times in parts if text]


def raw_of(case):
    return unpack(case["raw"]) if "raw" in case else base64.b64decode(case["raw_b64"])


def ask(oracle, cases):
    question = json.dumps([{"raw_b64": base64.b64encode(raw_of(case)).decode()} for case in cases])
    answer = subprocess.run([oracle], input=question.encode(), stdout=subprocess.PIPE, check=True).stdout
    return [[request(seen) for seen in connection["seen"]] for connection in json.loads(answer)]


def request(seen):
    """What is empty is left out."""
    short = {"method": seen["method"], "path": seen["path"]}
    if seen["query"]:
        short["query"] = [[name, pack(value.encode()) or value] for name, value in seen["query"]]
    body = base64.b64decode(seen["body_b64"])
    if body:
        packed = pack(body)
        short.update({"body": packed} if packed else {"body_b64": seen["body_b64"]})
    if not seen["whole"]:
        short["whole"] = False
    return short


def main(go, hyper):
    cases = json.loads(FACTS.read_text(encoding="utf-8"))
    lines = []
    for case, by_go, by_hyper in zip(cases, ask(go, cases), ask(hyper, cases)):
        packed = pack(raw_of(case))
        raw = {"raw": packed} if packed else {"raw_b64": base64.b64encode(raw_of(case)).decode()}
        facts = {"id": case["id"], **raw, "go": by_go}
        if by_hyper != by_go:
            facts["hyper"] = by_hyper
        lines.append(json.dumps(facts, ensure_ascii=False, separators=(",", ":")))
    FACTS.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])

#!/usr/bin/env python3
"""Writes seeds and dictionaries for the fuzz targets from tests/corpus/requests.json and torture.toml into fuzz/corpus/ (git-ignored)."""
import base64
import json
import pathlib
import re
import tarfile
import tomllib

HERE = pathlib.Path(__file__).resolve().parent
CASES = json.loads((HERE.parent / "tests/corpus/requests.json").read_text())
TORTURE = tomllib.loads((HERE.parent / "tests/corpus/torture.toml").read_text())
OUT = HERE / "corpus"


def head_of(case):
    headers = case.get("headers") or {}
    pairs = list(headers.items()) if isinstance(headers, dict) else headers
    lines = [f"{case['method']} {case['path']} HTTP/1.1", "Host: docker"] + [f"{name}: {value}" for name, value in pairs]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape")


def split(case):
    """The head and the bytes after it, as they stand on the wire."""
    if "raw_b64" in case:
        head, blank, rest = base64.b64decode(case["raw_b64"]).partition(b"\r\n\r\n")
        return head + blank, rest
    body = case.get("body") or ""
    return head_of(case), base64.b64decode(body) if case.get("body_encoding") == "base64" else body.encode()


def chunks(body, size=64):
    cut = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in cut) + b"0\r\n\r\n"


def framing(body):
    """The five bytes that the target reads first, then the wire, once per framing."""
    size = min(len(body), 65535).to_bytes(2, "little")
    yield "length", b"l" + size + b"ab" + body + b"GET "
    yield "chunked", b"c" + size + b"ab" + chunks(body) + b"GET "


def spelled(parts):
    """The bytes of a `send` or a `reply`: a character for a byte."""
    texts = [part if isinstance(part, str) else part["text"] * part["times"] for part in parts]
    return b"".join((TORTURE["requests"][text[1:]] if text.startswith("$") else text).encode("latin-1") for text in texts)


def connections():
    """A byte of switches, what the client sends, and what the engine answers."""
    between, ping = b"\xff\xff", TORTURE["requests"]["ping"].encode()
    for case in TORTURE["case"]:
        yield case["name"], b"\0" + spelled(case["send"])
        yield case["name"] + "-7", b"\5" + spelled(case["send"])
    for case in TORTURE["reply"]:
        asked = ping.replace(b"GET", b"HEAD") if case["request"] == "head" else ping
        yield "reply-" + case["name"], b"\0" + asked + ping + between + spelled(case["reply"])
    for case in CASES:
        head, rest = split(case)
        if "raw_b64" not in case and rest:
            head = head.replace(b"\r\n\r\n", b"\r\nContent-Length: %d\r\n\r\n" % len(rest))
        yield "corpus-" + re.sub(r"[^A-Za-z0-9-]", "_", case["id"]), b"\1" + head + rest + ping


def other_spellings(case):
    """The same request with a value that needs every escape, and the same body with one key as Go folds it."""
    key = re.search(r"[?&]([A-Za-z_-]+)=", case["path"])
    if key:
        path = case["path"].split("?")[0]
        for number, value in enumerate(["%2B+%26%3D%25%0A%C3%A9%7E'", "%7B%22label%22%3A%5B%22a%2Bb%22%5D%7D"]):
            yield "head", str(number), head_of({**case, "path": f"{path}?{key.group(1)}={value}"})
    keys = sorted(set(re.findall(r'"([A-Za-z]*[sSkK][A-Za-z]*)"\s*:', case.get("body") or "")))
    for number, name in enumerate(keys[:8]):
        folded = re.sub("[sS]", "\u017f", name, count=1) if re.search("[sS]", name) else re.sub("[kK]", "\u212a", name, count=1)
        yield "reencode", f"fold-{number}", case["body"].replace(f'"{name}"', f'"{folded}"').encode()
        yield "reencode", f"empty-{number}", json.dumps({folded: None, name.swapcase(): None}, ensure_ascii=False).encode()
        yield "reencode", f"alone-{number}", json.dumps({folded: None, "HostConfig": {folded: None}}, ensure_ascii=False).encode()


def seeds():
    for case in CASES:
        name = re.sub(r"[^A-Za-z0-9-]", "_", case["id"])
        head, rest = split(case)
        yield "head", name, head
        for target, kind, data in other_spellings(case):
            yield target, f"{name}-{kind}", data
        if "raw_b64" in case:
            yield "framing", name, b"c\0\0ab" + rest
        elif rest:
            yield "json", name, rest
            yield "reencode", name, rest
            for kind, wire in framing(rest[:512]):
                yield "framing", f"{name}-{kind}", wire
    for name, data in connections():
        yield "connection", name, data
    for number, text in enumerate(['{"a":[1.50,-0,1E+5,true,null,"\\ud83d\\ude00\\u2028"]}', "[[[[]]]]", '{"a":1,"a":2}', '"\\ud800"', "1e400", "\ufeff{}"]):
        yield "json", f"own-{number}", text.encode()


def words():
    """Keys and short values of the bodies, header names and path segments."""
    keys, heads = set(), {"\r\n", "\r\n\r\n", ": ", " HTTP/1.1", " HTTP/1.0", "chunked", "100-continue", "%2F", "%2e", "%2B", "%26", "%3D", "%25", "%0A", "%C3%A9", "%22", "%7B", "/v1.44/"}
    for case in CASES:
        found = re.findall(r'"[A-Za-z][^"\\]{0,40}"', case.get("body") or "")
        keys.update(found)
        keys.update(word.replace("s", "\u017f").replace("k", "\u212a") for word in found if re.search("[sk]", word))
        heads.update(re.findall(r"[A-Za-z]+", case["path"]))
        heads.update(name for name, _ in ([] if not case.get("headers") else head_pairs(case["headers"])))
    keys |= {"{", "}", "[", "]", "\\u0050", "\\u017f", "\\u212a", "\u017f", "\u212a", "null", "true", "-1", "18446744073709551615"}
    wire = {"\r\n", "\r\n\r\n", " HTTP/1.1\r\n", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 101 UPGRADED\r\n", "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 204 No Content\r\n", "Content-Length: ",
            "Transfer-Encoding: chunked\r\n", "Connection: close\r\n", "Expect: 100-continue\r\n", "Upgrade: tcp\r\n", "Connection: Upgrade\r\n", "0\r\n\r\n", "GET /_ping",
            "GET /v1.44/containers/json", "POST /v1.44/volumes/create", "POST /v1.44/images/load", "POST /v1.44/containers/abc/attach", "HEAD /_ping", "Host: d\r\n",
            "Content-Type: application/json\r\n", "Content-Type: application/x-tar\r\n", '{"Name":"a"}', "DELETE /v1.44/volumes/a", "PUT /v1.44/containers/abc/archive?path=/"}
    return {"json": keys, "reencode": keys, "head": heads, "connection": wire, "framing": {"\r\n", "0\r\n\r\n", ";x=y", "ffffffffffffffff", "X: y\r\n", "0x", "\n"}}


def head_pairs(headers):
    return headers.items() if isinstance(headers, dict) else headers


def quoted(word):
    return '"' + "".join(chr(b) if 32 <= b < 127 and b not in b'"\\' else f"\\x{b:02x}" for b in word.encode()) + '"'


def kept():
    """What earlier runs found, as small as it covers the same: fuzz/seeds/TARGET.tar.gz."""
    for archive in sorted((HERE / "seeds").glob("*.tar.gz")):
        target = archive.name.removesuffix(".tar.gz")
        with tarfile.open(archive) as tar:
            for member in tar:
                yield target, member.name, tar.extractfile(member).read()


def main():
    count = {}
    for target, name, data in kept():
        (OUT / target).mkdir(parents=True, exist_ok=True)
        (OUT / target / name).write_bytes(data)
    for target, name, data in seeds():
        folder = OUT / target
        folder.mkdir(parents=True, exist_ok=True)
        if len(data) <= 4096:
            (folder / f"seed-{name}").write_bytes(data)
            count[target] = count.get(target, 0) + 1
    for target, list_of_words in words().items():
        (OUT / f"{target}.dict").write_text("".join(quoted(word) + "\n" for word in sorted(list_of_words)))
    (OUT / "connection.dict").open("a").write('"\\xff\\xff"\n')
    print(count)


if __name__ == "__main__":
    main()

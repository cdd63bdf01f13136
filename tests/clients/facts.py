"""What a run showed, as facts: the requests in tests/corpus/client_runs.json, and the figures in the preset's header.
Knows nothing of how a run is made."""

import collections
import json
import re

from bed import ROOT

RUNS = ROOT / "tests/corpus/client_runs.json"
DOCUMENTED = ROOT / "tests/corpus/documented_calls.json"
LONG = re.compile(r"(?<![0-9a-zA-Z])[0-9a-f]{64}(?![0-9a-zA-Z])")
SHORT = re.compile(r"(?<![0-9a-zA-Z])(?=[0-9a-f]*[a-f])(?=[0-9a-f]*[0-9])[0-9a-f]{12}(?![0-9a-zA-Z])")


def documented(presets):
    """The operations that the clients' sources and documentation ask for."""
    rows = [row for row in json.loads(DOCUMENTED.read_text()) if row["preset"] in presets]
    return {call["operation"] for row in rows for call in row["calls"]}


class Names:
    """Ids and folders by stable names, so that two runs give the same facts."""

    def __init__(self, folder):
        self.folder, self.ids = str(folder), {}

    def plain(self, text):
        text = text.replace(self.folder, "/bed").replace(self.folder.replace("/", "%2F"), "%2Fbed")
        text = LONG.sub(lambda found: f"{self._number(found[0][:12]):012x}" + 52 * "0", text)
        text = SHORT.sub(lambda found: f"{self._number(found[0]):012x}", text)
        text = re.sub(r"(?<=(?:since|until)=)\d+(\.\d+)?", "1", text)
        return re.sub(r"clients-[a-z0-9_]{8}", "clients", text)

    def _number(self, start):
        return self.ids.setdefault(start, len(self.ids) + 1)

    def body(self, value):
        """Without what is empty; values of the environment may be secrets."""
        if isinstance(value, dict):
            pruned = {self.plain(key): self.body(item) for key, item in value.items()}
            if isinstance(pruned.get("Env"), list):
                pruned["Env"] = [entry.partition("=")[0] + "=x" for entry in pruned["Env"]]
            return {key: item for key, item in pruned.items() if item not in (None, "", 0, False, [])}
        if isinstance(value, list):
            return [self.body(item) for item in value]
        return self.plain(value) if isinstance(value, str) else value


def distinct(requests, folder):
    """Each request once, with how often it was made."""
    names, counted = Names(folder), collections.Counter()
    for request in requests:
        plain = {"method": request["method"], "target": names.plain(request["target"])}
        if isinstance(request.get("body"), dict):
            plain["body"] = names.body(request["body"])
        counted[json.dumps(plain)] += 1
    return [{**json.loads(text), "times": times} for text, times in counted.items()]


def keep(client, version, engine, figures, requests, folder):
    """Writes a run down, in place of the last one of this client on this engine."""
    runs = json.loads(RUNS.read_text()) if RUNS.exists() else []
    runs = [run for run in runs if (run["name"], run["engine"][:2]) != (client.name, engine[:2])]
    runs.append({"name": client.name, "client": client.title, "version": version, "presets": client.presets,
                 "grants": client.grants.format(folder="/bed").strip(), "allowed": client.allowed, "left_out": client.left_out, "engine": engine, "job": client.does, **figures,
                 "calls": distinct(requests, folder)})
    runs.sort(key=lambda run: (run["name"], run["engine"]))
    RUNS.write_text(shown(runs))
    for preset in client.presets:
        header(preset, [run for run in runs if preset in run["presets"]])


def shown(runs):
    """One line for each call."""
    out = []
    for run in runs:
        rest = {key: value for key, value in run.items() if key != "calls"}
        calls = ",\n".join(" " + json.dumps(call, ensure_ascii=False) for call in run["calls"])
        out.append(json.dumps(rest, ensure_ascii=False)[:-1] + ', "calls": [\n' + calls + "\n]}")
    return "[\n" + ",\n".join(out) + "\n]\n"


def line(run):
    """A run, as a preset's header has it."""
    used = f"{run['used']} of {run['held']}"
    return f"#   {run['client']} {run['version']} | {run['engine']} | {run['requests']} | {run['denied']} | {used} | {run['job']}"


def header(preset, runs):
    """Puts the figures into the preset's header, before its rules, and what ran into the line that says how it is proven."""
    file = ROOT / f"config/presets/{preset}.toml"
    text = re.sub(r"# runs:\n(#   .*\n)*", "", file.read_text())
    programs = collections.defaultdict(list)
    for run in runs:
        number = re.match(r"\d+\.\d+(?=\.)", run["version"])
        programs[run["client"]].append(number[0] if number else run["version"])
    ran = "; ".join(f"{program} {', '.join(dict.fromkeys(versions))}" for program, versions in programs.items())
    text = re.sub(r"# proven: (ran here \([^)]*\), )?", f"# proven: ran here ({ran}), ", text)
    block = "# runs:\n" + "".join(line(run) + "\n" for run in runs)
    file.write_text(text.replace("version = 1\n", f"{block}version = 1\n", 1))

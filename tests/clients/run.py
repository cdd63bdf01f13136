#!/usr/bin/env python3
"""Runs real clients through their presets in front of a real engine, and prints what they asked for and what was denied.

    tests/clients/run.py [--engine 20|28] [--record] [--keep] [NAME…]

Each client is installed in a folder of its own, from Debian, PyPI or npm; then an engine and dockgate are started in a network
namespace, the client does its job through a door with its preset, and all of it is stopped. What cannot be had is SKIPPED.
Root, Debian, `tests/e2e/engine.sh install 20 28`, and a dockgate that cargo built.

    --engine      which engine (28); clients that cannot speak to it are left out
    --record      keep the requests in tests/corpus/client_runs.json and the figures in the presets
    --keep        keep the folders of the run: each client's log, dockgate's log, the trail
    --list        the names

Environment:
    DOCKGATE              the binary that is tried; else what cargo built last
    DOCKGATE_TEST_CACHE   where clients are installed, below `clients`; default /var/cache/dockgate-test
    DOCKGATE_OWN_CLIENTS  a folder with clients that no registry has; `own.py` says what it looks for
"""

import argparse
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback

import facts
import own
import registry
from bed import Engine, Failed, Gate, Processes, Skipped, fresh, gate_program, operations
from job import Job

LIMIT = 240
CLIENTS = [*registry.CLIENTS, *own.CLIENTS]
ROW = "{:<22} {:<10} {:<8} {:>8} {:>6} {:>6} {:>6}  {}"


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--engine", choices=["20", "28"], default="28")
    arguments.add_argument("--record", action="store_true")
    arguments.add_argument("--keep", action="store_true")
    arguments.add_argument("--list", action="store_true")
    arguments.add_argument("--inside", help=argparse.SUPPRESS)
    arguments.add_argument("names", nargs="*", metavar="NAME")
    chosen = arguments.parse_args()
    names = {client.name for client in CLIENTS}
    if unknown := set(chosen.names) - names:
        arguments.error(f"no client `{min(unknown)}`: {', '.join(sorted(names))}")
    clients = [client for client in CLIENTS if not chosen.names or client.name in chosen.names]
    if chosen.list:
        return print(*(client.name for client in clients), sep="\n")
    if not chosen.inside:
        sys.exit(enter(clients))
    sys.exit(run_all(clients, chosen))


def enter(clients):
    """Installs with the machine's network, then runs without it."""
    if os.geteuid() != 0:
        raise SystemExit("an engine needs root")
    gate_program()
    missing = {}
    for client in clients:
        print(f"installing {client.name}", file=sys.stderr)
        try:
            client.install()
        except (Skipped, subprocess.SubprocessError, OSError) as why:
            missing[client.name] = str(why)
    again = [sys.executable, __file__, "--inside", ";".join(f"{name}={why}" for name, why in missing.items()) or "-", *sys.argv[1:]]
    return subprocess.run(["unshare", "--net", "--", *again], check=False).returncode


def run_all(clients, chosen):
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    missing = dict(part.split("=", 1) for part in chosen.inside.split(";") if "=" in part)
    folder = tempfile.mkdtemp(prefix="clients-")
    rows, wrong = [], 0
    engine = Engine(f"{folder}/engine", chosen.engine)
    try:
        for client in clients:
            if chosen.engine not in client.engines:
                continue
            why = missing.get(client.name)
            row = (client.name, "", "", "", "", "", "", f"SKIPPED: {why}") if why else one(client, engine, folder, chosen)
            rows.append(row)
            wrong += row[-1].startswith("NO")
            print(ROW.format(*row), file=sys.stderr, flush=True)
    finally:
        engine.down()
        if not chosen.keep:
            shutil.rmtree(folder, ignore_errors=True)
    print(ROW.format("client", "version", "engine", "requests", "denied", "used", "unused", "job done"))
    for row in rows:
        print(ROW.format(*row))
    if chosen.keep:
        print(f"kept: {folder}")
    return 1 if wrong else 0


def late(*_):
    raise Failed(f"not done within {LIMIT} s")


def left_out(client, record):
    """Whether the preset's header says that this is denied."""
    return record["reason"] == "not-allowed" and record["operation"] in client.left_out


def one(client, engine, folder, chosen):
    """A client's run: its row of the table."""
    processes, where = Processes(), fresh(pathlib.Path(folder) / client.name)
    version, said, records = "", "yes", []
    signal.signal(signal.SIGALRM, late)
    signal.alarm(LIMIT)
    try:
        version = client.version(engine)
        if client.prepare:
            client.prepare(engine)
        gate = Gate(where, engine, client, processes)
        job = Job(client, where, engine, gate.door, processes, chosen.record)
        try:
            client.job(job)
        finally:
            job.end()
            records = gate.records()
    except Skipped as why:
        said = f"SKIPPED: {why}"
    except Exception as why:  # whatever went wrong with one client, the others are run
        said = f"NO: {str(why).strip().splitlines()[-1] if str(why).strip() else why!r}"
        (where / "failure").write_text(traceback.format_exc())
    finally:
        signal.alarm(0)
        processes.end()
        engine.clear()
    refused = [record for record in records if record["verdict"] != "allow" and not left_out(client, record)]
    for record in refused:
        print(f"  denied: {client.name}: {record.get('method')} {record.get('path')} {record.get('reason')} {record.get('at', '')}", file=sys.stderr)
    held = set(client.allowed).union(*(operations(preset) for preset in client.presets))
    used = {record["operation"] for record in records if record["verdict"] == "allow"}
    idle = held - used - facts.documented(client.presets) - {*client.elsewhere, *client.allowed}
    if idle:
        print(f"  unused: {client.name}: {', '.join(sorted(idle))}", file=sys.stderr)
    if said == "yes" and (refused or used - held):
        said = "NO: denied, see above"
    figures = {"requests": len(records), "denied": len(refused), "used": len(used), "held": len(held), "unused": len(idle)}
    if chosen.record and said == "yes":
        facts.keep(client, version, engine.release, figures, job.requests(), where)
    return (client.name, version, engine.release, len(records), len(refused), f"{len(used)}/{len(held)}", len(idle), said)


if __name__ == "__main__":
    main()

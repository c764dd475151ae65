"""One JSON message filtered by temperature > 50 to a file, at 20,000 a second, against Node-RED."""
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent / "lib"))
import benchlib as b  # noqa: E402

RATE, SECONDS = 20000, 8
PEERS = pathlib.Path(__file__).parent / "peers"
CONFIG = """
site: bench
api: {{ enabled: false }}
log: {{ level: warn }}
drivers:
  mqtt:
    listen: 127.0.0.1:{port}
    topics:
      "{{device}}/state": json
pipelines:
  hot:
    select: ["*/temperature"]
    stages:
      - range: {{ low: 50.001 }}
  rest:
    select: ["*/n", "*/pressure", "*/text"]
    stages:
      - range: {{ low: 1e300 }}
uplinks:
  hot-samples:
    uplink: file
    file: hot.jsonl
    format: lines
    linger: 100ms
    size: 1GiB
    send: ["*/temperature"]
"""


def node_red():
    """Node-RED from npm, pinned, in build/; its start script."""
    folder = b.TOP / "build" / "bench-peers"
    start = folder / "node_modules" / "node-red" / "red.js"
    if not start.exists():
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(PEERS / name, folder)
        subprocess.run(["npm", "ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder, check=True)
    return start


def flow(port, out):
    return [{"id": "n-tab", "type": "tab", "label": "filter"},
            {"id": "n-broker", "type": "mqtt-broker", "broker": "127.0.0.1", "port": str(port), "clientid": "red",
             "autoConnect": True, "protocolVersion": "4", "keepalive": "60", "cleansession": True},
            {"id": "n-in", "type": "mqtt in", "z": "n-tab", "topic": "#", "qos": "0", "datatype": "json",
             "broker": "n-broker", "x": 1, "y": 1, "wires": [["n-hot"]]},
            {"id": "n-hot", "type": "switch", "z": "n-tab", "property": "payload.temperature", "propertyType": "msg",
             "rules": [{"t": "gt", "v": "50", "vt": "num"}], "checkall": "true", "outputs": 1, "x": 1, "y": 1,
             "wires": [["n-file"]]},
            {"id": "n-file", "type": "file", "z": "n-tab", "filename": str(out), "filenameType": "str",
             "appendNewline": True, "createDir": False, "overwriteFile": "false", "encoding": "none", "x": 1, "y": 1,
             "wires": [[]]}]


def lines(file):
    return file.read_bytes().count(b"\n") if file.exists() else 0


def matching(sent):
    """Temperatures go from 20.0 to 69.5 by halves: 39 of a hundred are above 50."""
    return sent // 100 * 39 + max(0, sent % 100 - 61)


def run_load(server, port, out):
    """Processor time per message, messages a second, lines missing in the file."""
    before = server.cpu_seconds()
    r = b.load("rate", f"127.0.0.1:{port}", f"rate={RATE}", f"seconds={SECONDS}", "clients=1", "qos=0", "size=100")
    want, end = matching(r["sent"]), time.monotonic() + 30
    while lines(out) < want and time.monotonic() < end:
        time.sleep(0.1)
    return {"cpu_us": (server.cpu_seconds() - before) / r["sent"] * 1e6, "rate": r["sent"] / r["seconds"],
            "missing": want - lines(out)}


def ours():
    port = b.free_port()
    with b.Gateway(CONFIG.format(port=port), port) as gateway:
        out = pathlib.Path(gateway.dir) / "data" / "files" / "hot.jsonl"
        return run_load(gateway, port, out) | {"mib": gateway.pss_kib() / 1024}


def theirs():
    port, red_port, home = b.free_port(), b.free_port(), pathlib.Path(tempfile.mkdtemp(prefix="red-"))
    out = home / "hot.jsonl"
    (home / "flows.json").write_text(json.dumps(flow(port, out)))
    (home / "settings.js").write_text("module.exports = { flowFile: 'flows.json', httpAdminRoot: false, "
                                      "logging: { console: { level: 'warn' } } };\n")
    with b.Mosquitto(port):
        with b.Peer(["node", str(node_red()), "-u", str(home), "-p", str(red_port)], red_port) as red:
            end = time.monotonic() + 30
            while lines(out) == 0 and time.monotonic() < end:  # until its subscription is there
                subprocess.run(["mosquitto_pub", "-p", str(port), "-t", "load0/state", "-m", '{"temperature":99}'], check=True)
                time.sleep(0.2)
            time.sleep(1)
            os.truncate(out, 0)
            result = run_load(red, port, out) | {"mib": red.pss_kib() / 1024}
    shutil.rmtree(home, ignore_errors=True)
    return result


def main():
    mine, peer = [], []
    for run in range(b.RUNS):
        with b.Stolen() as stolen:
            mine.append(ours())
            peer.append(theirs())
        a, m = mine[-1], peer[-1]
        b.say(f"run {run + 1}: ganglion {a['cpu_us']:.2f} us CPU per message at {a['rate']:.0f}/s, {a['mib']:.1f} MiB, "
              f"{a['missing']} lines missing; Node-RED {m['cpu_us']:.2f} us at {m['rate']:.0f}/s (its broker not "
              f"counted), {m['mib']:.1f} MiB, {m['missing']} missing; the host took {stolen.percent:.1f} %")
    ratio = statistics.median(a["cpu_us"] / m["cpu_us"] for a, m in zip(mine, peer))
    whole = not any(a["missing"] for a in mine)
    ok = b.figure("filter", "processor time per message, temperature > 50 to a file (ratio: ours to the peer's)", "us",
                  [a["cpu_us"] for a in mine], "ratio <= 0.25, no line missing", ratio <= 0.25 and whole,
                  [m["cpu_us"] for m in peer], ratio)
    b.figure("filter", "memory (PSS)", "MiB", [a["mib"] for a in mine], "none", True, [m["mib"] for m in peer])
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())

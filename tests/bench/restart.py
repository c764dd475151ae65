"""Restart after kill -9 under full load: from the start of the process to /readyz, with a large journal.

The journal is filled over MQTT QoS 1 with a window over what comes, and history on; then, as often as there are runs:
load, kill -9 at a moment that differs, start. BENCH_MIB says how large the journal is at least (256); the figure to
reach is said for 1024. The floor is the same program with an empty folder: what no journal of any size costs.
"""
import contextlib
import os
import pathlib
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).parent / "lib"))
import benchlib as b  # noqa: E402

MIB = int(os.environ.get("BENCH_MIB", "256"))
FILL_MOST_S = 600
CONFIG = """
site: bench
log: {{ level: warn }}
api: {{ listen: "127.0.0.1:{api}" }}
journal: {{ retention: {{ size: 8GiB }} }}
drivers:
  mqtt:
    listen: 127.0.0.1:{mqtt}
    topics: {{ "{{device}}/state": json }}
pipelines:
  mean:
    select: ["load*/temperature"]
    stages:
      - window: {{ every: 1s, give: [mean, count] }}
"""


@contextlib.contextmanager
def folder():
    """With a configuration in it: the folder, the ports."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="ganglion-restart-", dir=os.environ.get("BENCH_DIR")))
    ports = {"api": b.free_port(), "mqtt": b.free_port()}
    (path / "ganglion.yaml").write_text(CONFIG.format(**ports))
    try:
        yield path, ports
    finally:
        shutil.rmtree(path, ignore_errors=True)


def start(path, ports):
    """The process, and the milliseconds until it says that it is ready."""
    with open(path / "log", "ab") as log:
        began = time.monotonic()
        process = subprocess.Popen([str(b.BUILD / "ganglion"), "run", "--config", str(path / "ganglion.yaml"), "--data",
                                    str(path / "data")], stdout=log, stderr=log)
    while time.monotonic() < began + 60:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{ports['api']}/readyz", timeout=5).close()
            return process, (time.monotonic() - began) * 1000
        except (OSError, urllib.error.URLError):
            time.sleep(0.001)
        if process.poll() is not None:
            break
    process.kill()
    process.wait()
    sys.exit(f"bench: the gateway does not become ready: {(path / 'log').read_text()}")


def kill(process):
    process.kill()
    process.wait()


def journal_mib(path):
    return sum(f.stat().st_size for f in (path / "data" / "journal").glob("*.seg")) / 2**20


def fill(path, ports):
    end = time.monotonic() + FILL_MOST_S
    while journal_mib(path) < MIB and time.monotonic() < end:
        b.load("in", f"127.0.0.1:{ports['mqtt']}", "seconds=5")
    b.say(f"the journal has {journal_mib(path):.0f} MiB")


def killed_under_load(process, ports):
    load = subprocess.Popen([b.program("mqtt_load_bench"), "in", f"127.0.0.1:{ports['mqtt']}", "seconds=30"],
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(random.uniform(2, 7))
    kill(process)
    load.kill()
    load.wait()


def main():
    took, floor = [], []
    b.program("mqtt_load_bench")
    with folder() as (path, ports):
        process, _ = start(path, ports)
        try:
            fill(path, ports)
            for run in range(b.RUNS):
                killed_under_load(process, ports)
                process, ms = start(path, ports)
                took.append(ms)
                with folder() as (empty, others):
                    for _ in range(2):  # the first start makes the folder
                        other, ms = start(empty, others)
                        kill(other)
                    floor.append(ms)
                b.say(f"run {run + 1}: {took[-1]:.0f} ms, of an empty folder {floor[-1]:.0f} ms")
            size = journal_mib(path)
        finally:
            kill(process)
    middle = statistics.median(took)
    ok = b.figure("restart", f"kill -9 under full load to ready, a journal of {size:.0f} MiB", "ms", took, "<= 200",
                  middle <= 200, peer=floor, ratio=middle / statistics.median(floor))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())

"""What the benchmarks share: starting the gateway and peers, measuring processes, and the closing JSON lines."""
import functools
import json
import os
import pathlib
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parents[3]
BUILD = pathlib.Path(os.environ.get("GANGLION_BUILD", TOP / "build" / "release"))
RUNS = int(os.environ.get("BENCH_RUNS", "5"))


@functools.lru_cache
def program(name):
    """Builds a benchmark's own program and says where it is."""
    subprocess.run(["cmake", "--build", str(BUILD), "--target", name], check=True, stdout=subprocess.DEVNULL)
    for place in (BUILD / "tests" / "bench" / name, BUILD / "site" / name, BUILD / name):
        if place.exists():
            return str(place)
    sys.exit(f"bench: {name} was not built")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_port(port, process, log, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None:
            log.seek(0)
            sys.exit(f"bench: {process.args[0]} ended with {process.returncode}: {log.read().decode()}")
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
            return
        except OSError:
            time.sleep(0.01)
    sys.exit(f"bench: nothing listens on port {port}")


class Stolen:
    """How much of the processor the host gave to others while the block ran: what a virtual machine cannot help."""

    def __enter__(self):
        self.before = self.ticks()
        return self

    def __exit__(self, *_):
        steal, all_ticks = (now - then for now, then in zip(self.ticks(), self.before))
        self.percent = 100 * steal / max(all_ticks, 1)

    @staticmethod
    def ticks():
        fields = [int(n) for n in pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
        return fields[7], sum(fields)


class Peer:
    """A process that ends with the `with` block, and what it used of the processor and memory."""

    def __init__(self, args, port=None, quiet=True):
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(args, stdout=self.log if quiet else None, stderr=self.log if quiet else None)
        self.pid = self.process.pid
        if port:
            wait_port(port, self.process, self.log)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def pss_kib(self):
        for line in pathlib.Path(f"/proc/{self.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
        return 0


class Gateway(Peer):
    def __init__(self, config, port):
        self.dir = tempfile.mkdtemp(prefix="ganglion-bench-", dir=os.environ.get("BENCH_DIR"))
        file = pathlib.Path(self.dir) / "ganglion.yaml"
        file.write_text(config)
        super().__init__([str(BUILD / "ganglion"), "run", "--config", str(file), "--data", self.dir + "/data"], port)

    def __exit__(self, *args):
        super().__exit__(*args)
        shutil.rmtree(self.dir, ignore_errors=True)


class Mosquitto(Peer):
    """The peer: Debian's, limits off as its manual advises for load tests."""

    def __init__(self, port):
        self.dir = tempfile.mkdtemp(prefix="mosquitto-bench-")
        file = pathlib.Path(self.dir) / "mosquitto.conf"
        file.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\nlog_type none\n"
                        "max_queued_messages 0\nmax_inflight_messages 0\nset_tcp_nodelay true\n")
        super().__init__(["/usr/sbin/mosquitto", "-c", str(file)], port)

    def __exit__(self, *args):
        super().__exit__(*args)
        shutil.rmtree(self.dir, ignore_errors=True)


def load(*args):
    """Runs the load generator; its closing JSON object."""
    out = subprocess.run([program("mqtt_load_bench"), *map(str, args)], check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(out.stdout.splitlines()[-1])


def figure(name, what, unit, values, reach, ok, peer=None, ratio=None):
    """Prints a figure's line; `values` are the runs, `peer` the peer's runs; returns whether it was reached."""
    line = {"name": name, "what": what, "unit": unit, "median": round(statistics.median(values), 4),
            "min": round(min(values), 4), "max": round(max(values), 4),
            "peer": round(statistics.median(peer), 4) if peer else None,
            "ratio": round(ratio, 4) if ratio is not None else None, "runs": len(values), "reach": reach, "ok": bool(ok)}
    print(json.dumps(line), flush=True)
    return bool(ok)


def say(*words):
    print(*words, file=sys.stderr, flush=True)

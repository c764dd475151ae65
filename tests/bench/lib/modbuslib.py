"""What the Modbus benchmarks share: the plant on libmodbus, the gateway at it, the floor, and what they used."""
import http.client
import json
import pathlib
import re
import subprocess
import sys
import time

import benchlib as b

PORTS, UNITS, WARM_S, SECONDS = 10, 10, 10, 20
WRITABLE = 40  # signals of each device, at the start of its registers

CONFIG = """
site: bench
log: {{ level: warn }}
api: {{ listen: "127.0.0.1:{api}" }}
history: {{ enabled: {history} }}
drivers:
"""
LINE = """  line{i}:
    driver: modbus
    connect: tcp://127.0.0.1:{port}
    poll: {poll}
    devices:
"""


class Plant(b.Peer):
    """10 ports of 10 units; its registers turn, the first of each unit stay as written."""

    def __init__(self, signals):
        self.process = subprocess.Popen(
            [b.program("ganglion-modbus-site"), "--ports", str(PORTS), "--units", str(UNITS), "--registers",
             str(signals * 2), "--writable", str(WRITABLE * 2)], stdout=subprocess.PIPE, text=True)
        self.pid = self.process.pid
        self.ports = [int(self.process.stdout.readline()) for _ in range(PORTS)]


class Gateway(b.Gateway):
    def __init__(self, plant, signals, poll, folder, history=False):
        rows = [f"t{k},holding {k * 2},float32,{'rw' if k < WRITABLE else 'ro'}\n" for k in range(signals)]
        registers = pathlib.Path(folder) / "registers.csv"
        registers.write_text("name,address,type,access\n" + "".join(rows))
        self.api_port = b.free_port()
        config = CONFIG.format(api=self.api_port, history=str(history).lower())
        for i, port in enumerate(plant.ports):
            config += LINE.format(i=i, port=port, poll=poll)
            for u in range(1, UNITS + 1):
                config += f"      d{i}-{u}: {{ unit: {u}, registers: {registers} }}\n"
        super().__init__(config, self.api_port)
        token = pathlib.Path(self.dir) / "data" / "first-token"
        end = time.monotonic() + 20
        while not token.exists() and time.monotonic() < end:
            time.sleep(0.05)
        self.headers = {"Authorization": "Bearer " + token.read_text().strip(), "Content-Type": "application/json"}
        self.connection = http.client.HTTPConnection("127.0.0.1", self.api_port, timeout=20)

    def ask(self, method, path, body=None):
        self.connection.request(method, path, json.dumps(body) if body is not None else None, self.headers)
        answer = self.connection.getresponse()
        return answer.status, answer.read().decode()

    def metrics(self):
        """The counters of all lines together, and the histogram of how late polls began."""
        status, text = self.ask("GET", "/metrics")
        if status != 200:
            sys.exit(f"bench: /metrics answers {status}: {text}")
        counters, late = {}, {}
        for line in text.splitlines():
            counter = re.match(r"ganglion_(modbus_\w+_total|driver_samples_total)\{[^}]*\} (\d+)", line)
            bucket = re.match(r'ganglion_modbus_poll_jitter_seconds_bucket\{.*le="([^"]+)"\} (\d+)', line)
            if counter:
                counters[counter[1]] = counters.get(counter[1], 0) + int(counter[2])
            if bucket:
                late[float(bucket[1])] = late.get(float(bucket[1]), 0) + int(bucket[2])
        return counters, late


def quantile(before, after, q):
    """Of what a histogram got meanwhile, the upper edge of the bucket it lies in."""
    counts = {edge: after[edge] - before.get(edge, 0) for edge in after}
    most = max(counts.values())
    return min(edge for edge, count in counts.items() if count >= q * most)


def measure(gateway, work=lambda: time.sleep(SECONDS)):
    """What the gateway used and left out while work() ran."""
    counters, late = gateway.metrics()
    cpu, start = gateway.cpu_seconds(), time.monotonic()
    with b.Stolen() as stolen:
        done = work()
    seconds = time.monotonic() - start
    cpu = gateway.cpu_seconds() - cpu
    pss = gateway.pss_kib()
    counters2, late2 = gateway.metrics()
    rate = (counters2["driver_samples_total"] - counters["driver_samples_total"]) / seconds
    return {"cpu": 100 * cpu / seconds, "pss": pss / 1024, "rate": rate, "done": done, "stolen": stolen.percent,
            "missed": sum(counters2[n] - counters[n] for n in ("modbus_missed_total", "modbus_skipped_total")),
            "late_ms": 1000 * quantile(late, late2, 0.99)}


def floor(plant, signals, period_ms):
    """What a client on libmodbus uses that reads the same and does nothing else, and how late it woke (p99, in ms)."""
    program = b.program("ganglion-modbus-poller")
    with b.Peer([program, str(UNITS), str(signals * 2), str(period_ms), *map(str, plant.ports)]) as poller:
        time.sleep(2)
        cpu, start = poller.cpu_seconds(), time.monotonic()
        time.sleep(SECONDS / 2)
        used = 100 * (poller.cpu_seconds() - cpu) / (time.monotonic() - start)
    poller.log.seek(0)
    return used, int(poller.log.read().split()[-1]) / 1000

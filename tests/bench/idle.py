"""The gateway with all drivers on and 1,000 signals known: memory, processor, and time to the first sample."""
import pathlib
import statistics
import subprocess
import sys
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).parent / "lib"))
import benchlib as b  # noqa: E402

SECONDS = 10
CONFIG = """
site: bench
log: {{ level: warn }}
api: {{ listen: "127.0.0.1:{api}" }}
drivers:
  mqtt:
    listen: 127.0.0.1:{mqtt}
    topics:
      "{{device}}": json
  http:
    listen: 127.0.0.1:{http}
  plant:
    driver: modbus
    connect: tcp://127.0.0.1:{modbus}
    unit: 1
    poll: 1s
    signals:
      temperature: {{ address: holding 0, type: float32 }}
  recorded:
    driver: replay
    device: recorded
    files: [{csv}]
    speed: 1
    loop: true
    shift: now
pipelines:
  watch:
    select: ["*"]
    stages:
      - deadband: 0.1
"""


def payload(device):
    return "{" + ",".join(f'"s{i}":{device}.{i}' for i in range(100)) + "}"


def ports():
    return {name: b.free_port() for name in ("api", "mqtt", "http", "modbus")}


def first_sample_ms(config, port):
    """From the start of the process to the moment a value published over MQTT is acknowledged (journalled, synced)."""
    began = time.monotonic()
    with b.Gateway(config, port):
        b.load("in", f"127.0.0.1:{port}", "clients=1", "window=1", "qos=1", "count=1", "topic=first")
        return (time.monotonic() - began) * 1000


def metric(api, name):
    text = urllib.request.urlopen(f"http://127.0.0.1:{api}/metrics", timeout=5).read().decode()
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name))


def main():
    csv = pathlib.Path(b.tempfile.mkdtemp(prefix="idle-")) / "recorded.csv"
    csv.write_text("timestamp,value\n" + "".join(f"2020-01-01T00:{i // 60:02}:{i % 60:02}Z,{i}\n" for i in range(600)))
    modbus = b.program("ganglion-modbus-site")
    memory, cpu, start = [], [], []
    for run in range(b.RUNS):
        p = ports()
        config = CONFIG.format(csv=csv, **p)
        with b.Peer([str(modbus), "--first-port", str(p["modbus"])]):
            with b.Gateway(config, p["mqtt"]) as gateway:
                for device in range(10):
                    subprocess.run(["mosquitto_pub", "-p", str(p["mqtt"]), "-q", "1", "-t", f"device{device}", "-m",
                                    payload(device)], check=True)
                time.sleep(2)
                before = gateway.cpu_seconds()
                time.sleep(SECONDS)
                cpu.append((gateway.cpu_seconds() - before) / SECONDS * 100)
                memory.append(gateway.pss_kib() / 1024)
        start.append(first_sample_ms(CONFIG.format(csv=csv, **ports() | {"mqtt": (port := b.free_port())}), port))
        b.say(f"run {run + 1}: {memory[-1]:.1f} MiB PSS, {cpu[-1]:.2f} % of a core, first sample after "
              f"{start[-1]:.0f} ms (the load generator's own start included)")
    ok = [b.figure("idle", "memory (PSS), all drivers on, 1,000 signals known", "MiB", memory, "<= 12",
                   statistics.median(memory) <= 12),
          b.figure("idle", "processor", "% of a core", cpu, "<= 0.3", statistics.median(cpu) <= 0.3),
          b.figure("idle", "start of the process to the first sample journalled and acknowledged", "ms", start,
                   "<= 100", statistics.median(start) <= 100)]
    return 0 if all(ok) else 1


if __name__ == "__main__":
    sys.exit(main())

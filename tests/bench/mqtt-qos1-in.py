"""MQTT QoS 1 in: decoded, deadband, journalled and synced before PUBACK, against mosquitto's QoS 1."""
import pathlib
import statistics
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent / "lib"))
import benchlib as b  # noqa: E402

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
  condensed:
    select: ["*/temperature", "*/pressure"]
    stages:
      - deadband: 0.2
"""
ARGS = ["clients=10", "window=500", "qos=1", "size=100", "seconds=4"]


def main():
    ours, theirs, ratios, cpu_ours, cpu_theirs = [], [], [], [], []
    for run in range(b.RUNS):
        port = b.free_port()
        with b.Gateway(CONFIG.format(port=port), port) as gateway:
            before = gateway.cpu_seconds()
            a = b.load("in", f"127.0.0.1:{port}", *ARGS)
            cpu_ours.append((gateway.cpu_seconds() - before) / a["acked"] * 1e6)
        port = b.free_port()
        with b.Mosquitto(port) as mosquitto:
            before = mosquitto.cpu_seconds()
            m = b.load("in", f"127.0.0.1:{port}", *ARGS)
            cpu_theirs.append((mosquitto.cpu_seconds() - before) / m["acked"] * 1e6)
        ours.append(a["rate"])
        theirs.append(m["rate"])
        ratios.append(a["rate"] / m["rate"])
        b.say(f"run {run + 1}: ganglion {a['rate']:.0f}/s (PUBACK p50 {a['p50_us'] / 1000:.1f} ms, p99 "
              f"{a['p99_us'] / 1000:.1f} ms, {cpu_ours[-1]:.1f} us CPU), mosquitto {m['rate']:.0f}/s "
              f"({cpu_theirs[-1]:.1f} us CPU), ratio {ratios[-1]:.2f}")
    ratio = statistics.median(ratios)
    ok = b.figure("mqtt-qos1-in", "messages acknowledged per second, QoS 1, 100-byte JSON, 10 clients, window 500", "1/s",
                  ours, "ratio >= 3", ratio >= 3, theirs, ratio)
    b.figure("mqtt-qos1-in", "processor time per message", "us", cpu_ours, "none", True, cpu_theirs,
             statistics.median(cpu_ours) / statistics.median(cpu_theirs))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())

"""Rules under a steady stream: the gateway with and without them, under the same load."""
import os
import time

import benchlib as b

HEAD = """
site: bench
api: {{ enabled: false }}
log: {{ level: warn }}
drivers:
  mqtt:
    listen: 127.0.0.1:{port}
    max_clients: 2000
    topics:
      "{{device}}/state": json
"""


def floor(*load):
    """What it costs mosquitto to receive the same and do nothing with it, in percent of a core."""
    port = b.free_port()
    with b.Mosquitto(port) as server:
        b.load("rate", f"127.0.0.1:{port}", *load, "seconds=2")
        before, began = server.cpu_seconds(), time.monotonic()
        b.load("rate", f"127.0.0.1:{port}", *load, f"seconds={os.environ.get('BENCH_SECONDS', '20')}")
        return (server.cpu_seconds() - before) / (time.monotonic() - began) * 100


def rules(conditions):
    return "rules:\n" + "".join(f"  r{i}:\n    when: {when}\n" for i, when in enumerate(conditions)) if conditions else ""


def run(conditions, *load):
    """Percent of a core and MiB (PSS) at the end of a steady stream; what was sent."""
    port = b.free_port()
    with b.Gateway(HEAD.format(port=port) + rules(conditions), port) as gateway:
        b.load("rate", f"127.0.0.1:{port}", *load, "seconds=2")  # all signals are known, all buffers as large as needed
        before, began = gateway.cpu_seconds(), time.monotonic()
        r = b.load("rate", f"127.0.0.1:{port}", *load, f"seconds={os.environ.get('BENCH_SECONDS', '20')}")
        percent = (gateway.cpu_seconds() - before) / (time.monotonic() - began) * 100
        return {"percent": percent, "mib": gateway.pss_kib() / 1024, "rate": r["sent"] / r["seconds"]}

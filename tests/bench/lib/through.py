"""Messages in and out again, the gateway's broker against mosquitto: what mqtt-qos1, mqtt-qos0 and mqtt-fanout share."""
import statistics

import benchlib as b

# The gateway does its whole work meanwhile: what the messages say is decoded, condensed and journalled.
CONFIG = """
site: bench
api: {{ enabled: false }}
log: {{ level: warn }}
drivers:
  mqtt:
    listen: 127.0.0.1:{port}
    max_queued: 1000000
    topics:
      "{{device}}/state": json
pipelines:
  condensed:
    select: ["*/temperature", "*/pressure"]
    stages:
      - deadband: 0.2
"""


def one(server, port, subscribers, args):
    with server, b.Stolen() as stolen:
        before = server.cpu_seconds()
        r = b.load("through", f"127.0.0.1:{port}", f"subscribers={subscribers}", *args)
        r["cpu_us"] = (server.cpu_seconds() - before) / max(r["received"], 1) * 1e6
    r["lost"] = r["sent"] * subscribers - r["received"]
    r["stolen"] = stolen.percent
    return r


def compare(name, what, subscribers, reach, args):
    ours, theirs = [], []
    for run in range(b.RUNS):
        port = b.free_port()
        ours.append(one(b.Gateway(CONFIG.format(port=port), port), port, subscribers, args))
        port = b.free_port()
        theirs.append(one(b.Mosquitto(port), port, subscribers, args))
        a, m = ours[-1], theirs[-1]
        b.say(f"run {run + 1}: ganglion {a['received_rate']:.0f}/s ({a['cpu_us']:.2f} us CPU, {a['lost']} missing), "
              f"mosquitto {m['received_rate']:.0f}/s ({m['cpu_us']:.2f} us CPU, {m['lost']} missing), ratio "
              f"{a['received_rate'] / m['received_rate']:.2f}; the host took {a['stolen']:.1f} and "
              f"{m['stolen']:.1f} % of the processor")
    ratio = statistics.median(a["received_rate"] / m["received_rate"] for a, m in zip(ours, theirs))
    cpu = statistics.median(m["cpu_us"] / a["cpu_us"] for a, m in zip(ours, theirs))
    whole = not any(a["lost"] for a in ours)
    ok = b.figure(name, f"{what}: messages delivered per second", "1/s", [a["received_rate"] for a in ours],
                  f"ratio >= {reach:g}, none missing", ratio >= reach and whole,
                  [m["received_rate"] for m in theirs], ratio)
    b.figure(name, "processor time per message delivered (ratio: peer's to ours)", "us", [a["cpu_us"] for a in ours],
             "none", True, [m["cpu_us"] for m in theirs], cpu)
    return 0 if ok else 1

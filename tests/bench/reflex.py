"""From an MQTT message in, through a rule, to the reaction's MQTT message out, at 5,000 messages a second."""
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
      "{{device}}/{{signal}}": plain
rules:
  reflex:
    when: machine/value > 0
    severity: information
    do:
      - publish: {{ topic: reaction, payload: "{{value}}", qos: 0 }}
    on_clear:
      - publish: {{ topic: reaction, payload: "{{value}}", qos: 0 }}
"""


def main():
    p50, p99, floor50, floor99, reacted = [], [], [], [], []
    for run in range(b.RUNS):
        port = b.free_port()
        with b.Gateway(CONFIG.format(port=port), port):
            with b.Stolen() as stolen:
                a = b.load("reflex", f"127.0.0.1:{port}", "rate=5000", "seconds=4", "in=machine/value", "out=reaction")
        # The floor: mosquitto passing the same message on, with no rule in between.
        port = b.free_port()
        with b.Mosquitto(port):
            m = b.load("reflex", f"127.0.0.1:{port}", "rate=5000", "seconds=4", "in=reaction", "out=reaction")
        p50.append(a["p50_us"])
        p99.append(a["p99_us"])
        floor50.append(m["p50_us"])
        floor99.append(m["p99_us"])
        reacted.append(a["measured"] / a["sent"])
        b.say(f"run {run + 1}: p50 {a['p50_us']:.0f} us, p99 {a['p99_us']:.0f} us, max {a['max_us']:.0f} us, "
              f"{a['measured']} of {a['sent']} reacted to; mosquitto alone p50 {m['p50_us']:.0f} us, "
              f"p99 {m['p99_us']:.0f} us; the host took {stolen.percent:.1f} % of the processor meanwhile")
    all_reacted = min(reacted) > 0.999
    ok = [b.figure("reflex", "message in to reaction out, p50", "us", p50, "<= 150",
                   statistics.median(p50) <= 150 and all_reacted, floor50,
                   statistics.median(p50) / statistics.median(floor50)),
          b.figure("reflex", "message in to reaction out, p99", "us", p99, "<= 1000",
                   statistics.median(p99) <= 1000 and all_reacted, floor99,
                   statistics.median(p99) / statistics.median(floor99))]
    return 0 if all(ok) else 1


if __name__ == "__main__":
    sys.exit(main())

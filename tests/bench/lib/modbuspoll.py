"""The two Modbus benchmarks that only read: a hundred thousand values a second, in two shapes."""
import statistics
import tempfile
import time

import benchlib as b
import modbuslib as m


def run(name, what, signals, poll, period_ms):
    keys = ("cpu", "pss", "missed", "late_ms", "rate")
    got, floors, late, history = {k: [] for k in keys}, [], [], []
    for n in range(b.RUNS):
        with tempfile.TemporaryDirectory() as folder, m.Plant(signals) as plant:
            used, woke = m.floor(plant, signals, period_ms)
            floors.append(used)
            late.append(woke)
            with m.Gateway(plant, signals, poll, folder) as gateway:
                time.sleep(m.WARM_S)
                r = m.measure(gateway)
            with m.Gateway(plant, signals, poll, folder, history=True) as gateway:
                time.sleep(m.WARM_S)
                history.append(m.measure(gateway)["cpu"])
        for k in keys:
            got[k].append(r[k])
        b.say(f"run {n + 1}: {r['rate']:.0f} samples/s, {r['cpu']:.1f} % of a core (libmodbus alone {used:.1f} %, "
              f"with history {history[-1]:.1f} %), {r['pss']:.1f} MiB, {r['missed']} missed, p99 {r['late_ms']:.2f} ms "
              f"late (libmodbus alone {woke:.2f} ms); the host took {r['stolen']:.1f} % meanwhile")
    cpu, whole = statistics.median(got["cpu"]), min(got["rate"]) > 0.99 * 100 * signals * 1000 / period_ms
    ok = [b.figure(name, what + ": processor, journalled", "% of one core", got["cpu"], "<= 5", cpu <= 5 and whole,
                   floors, cpu / statistics.median(floors)),
          b.figure(name, what + ": memory", "MiB PSS", got["pss"], "<= 40", statistics.median(got["pss"]) <= 40),
          b.figure(name, what + ": cycles missed", "polls", got["missed"], "0", max(got["missed"]) == 0 and whole),
          b.figure(name, what + ": polls late, p99", "ms", got["late_ms"], "<= 2",
                   statistics.median(got["late_ms"]) <= 2, late)]
    b.figure(name, what + ": processor, with history on", "% of one core", history, "none", True)
    return 0 if all(ok) else 1

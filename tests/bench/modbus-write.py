"""100 writes to signals chosen by chance, through the API, while 100,000 values are read every second."""
import pathlib
import random
import statistics
import struct
import socket
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent / "lib"))
import benchlib as b  # noqa: E402
import modbuslib as m  # noqa: E402


def read_float(port, unit, address):
    """What the plant holds, past the gateway."""
    with socket.create_connection(("127.0.0.1", port), 5) as s:
        s.sendall(struct.pack(">HHHBBHH", 1, 0, 6, unit, 3, address, 2))
        got = b""
        while len(got) < 13:
            got += s.recv(13 - len(got))
        return struct.unpack(">f", got[9:])[0]


def write_all(gateway, plant, seed):
    """100 writes, 20 a second; how long each took to be confirmed, and how many did not arrive."""
    dice, took, wrong = random.Random(seed), [], 0
    for n in range(100):
        port, unit, signal = dice.randrange(m.PORTS), dice.randrange(m.UNITS) + 1, dice.randrange(m.WRITABLE)
        start = time.perf_counter()
        status, text = gateway.ask("PUT", f"/api/v1/signals/d{port}-{unit}/t{signal}", {"value": n + 0.5})
        took.append(1000 * (time.perf_counter() - start))
        if status != 204 or read_float(plant.ports[port], unit, signal * 2) != n + 0.5:
            b.say(f"write {n}: {status} {text}")
            wrong += 1
        time.sleep(0.05 * dice.random() * 2)
    return took, wrong


def main():
    p99, mean, wrong = [], [], 0
    for run in range(b.RUNS):
        with tempfile.TemporaryDirectory() as folder, m.Plant(1000) as plant, \
                m.Gateway(plant, 1000, "1s", folder) as gateway:
            time.sleep(m.WARM_S)
            r = m.measure(gateway, lambda g=gateway, p=plant, n=run: write_all(g, p, n))
        took, bad = r["done"]
        wrong += bad
        p99.append(sorted(took)[98])
        mean.append(statistics.mean(took))
        b.say(f"run {run + 1}: mean {mean[-1]:.2f} ms, p99 {p99[-1]:.2f} ms, max {max(took):.2f} ms, {bad} wrong, "
              f"{r['missed']} polls missed; the host took {r['stolen']:.1f} % meanwhile")
    ok = [b.figure("modbus-write", "a write, from API to device and back, p99", "ms", p99, "<= 10",
                   statistics.median(p99) <= 10 and not wrong),
          b.figure("modbus-write", "the same, mean", "ms", mean, "none", not wrong)]
    return 0 if all(ok) else 1


if __name__ == "__main__":
    sys.exit(main())

"""The real gateway between a Modbus plant (libmodbus) and a second client of it: what the plant shows makes a rule write
back to it, past silence and restart."""
import os
import pathlib
import signal
import socket
import struct
import subprocess
import tempfile
import time
import unittest

BUILD = pathlib.Path(os.environ.get("GANGLION_BUILD", "build/dev")).resolve()
GANGLION = BUILD / "ganglion"
PLANT = BUILD / "site" / "ganglion-modbus-site"

CONFIG = """
site: modbus-test
api: {{ enabled: false }}
drivers:
  plant:
    driver: modbus
    connect: tcp://127.0.0.1:{port}
    unit: 1
    poll: 50ms
    timeout: 200ms
    backoff: 100ms
    backoff_max: 300ms
    signals:
      level: {{ address: holding 10, type: int16, writable: true }}
      valve: {{ address: coil 5, writable: true, readback: true }}
      speed: {{ address: holding 20, type: float32, order: CDAB, writable: true, readback: true }}
"""

RULES = """
rules:
  full:
    when: plant/level > 50
    do:
      - write: { plant/valve: on }
      - write: { plant/speed: 12.5 }
    on_clear:
      - write: { plant/valve: off }
"""


class Client:
    """The least of a Modbus TCP client, apart from both other implementations."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=5)

    def close(self):
        self.socket.close()

    def ask(self, pdu):
        self.socket.sendall(struct.pack(">HHHB", 1, 0, len(pdu) + 1, 1) + pdu)
        head = self.receive(7)
        return self.receive(struct.unpack(">H", head[4:6])[0] - 1)

    def receive(self, count):
        got = b""
        while len(got) < count:
            part = self.socket.recv(count - len(got))
            if not part:
                raise ConnectionError("the plant hung up")
            got += part
        return got

    def set_register(self, address, value):
        self.ask(struct.pack(">BHH", 6, address, value))

    def registers(self, address, count):
        return self.ask(struct.pack(">BHH", 3, address, count))[2:]

    def coil(self, address):
        return self.ask(struct.pack(">BHH", 1, address, 1))[2] & 1


def wait_for(what, within=15):
    end = time.monotonic() + within
    while not what():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def can_run():
    """Is there a gateway to run, or only its parts?"""
    if not GANGLION.exists() or not PLANT.exists():
        return False
    said = subprocess.run([GANGLION, "help"], capture_output=True, text=True, timeout=10, check=False)
    return " run " in said.stdout + said.stderr


@unittest.skipUnless(can_run(), "the build has no `ganglion run`, or no plant (libmodbus)")
class Modbus(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.TemporaryDirectory()
        self.log = pathlib.Path(self.dir.name) / "log"
        self.processes = []
        self.clients = []
        self.plant, self.port = self.start_plant(0)

    def tearDown(self):
        for c in self.clients:
            c.close()
        for p in self.processes:
            if p.poll() is None:
                p.terminate()
                try:
                    p.wait(10)
                except subprocess.TimeoutExpired:
                    p.kill()
                    p.wait()
            if p.stdout:
                p.stdout.close()
        self.dir.cleanup()

    def start_plant(self, port):
        p = subprocess.Popen([PLANT, "--first-port", str(port)], stdout=subprocess.PIPE, text=True)
        self.processes.append(p)
        return p, int(p.stdout.readline())

    def start_gateway(self, rules=""):
        config = pathlib.Path(self.dir.name) / "ganglion.yaml"
        config.write_text(CONFIG.format(port=self.port) + rules, encoding="utf-8")
        data = pathlib.Path(self.dir.name) / "data"
        with open(self.log, "ab") as log:
            p = subprocess.Popen([GANGLION, "run", "--config", config, "--data", data], stderr=log)
        self.processes.append(p)
        return p

    def client(self):
        c = Client(self.port)
        self.clients.append(c)
        return c

    def said(self):
        return self.log.read_text(encoding="utf-8")

    def test_a_rule_answers_what_the_plant_shows(self):
        self.start_gateway(RULES)
        c = self.client()
        c.set_register(10, 10)
        self.assertTrue(wait_for(lambda: "device answers" in self.said()), self.said())
        self.assertEqual(c.coil(5), 0)
        c.set_register(10, 60)
        self.assertTrue(wait_for(lambda: c.coil(5) == 1), self.said())
        low, high = struct.unpack(">HH", c.registers(20, 2)) if wait_for(
            lambda: c.registers(20, 2) != b"\0\0\0\0") else (0, 0)
        self.assertEqual(struct.unpack(">f", struct.pack(">HH", high, low))[0], 12.5)
        c.set_register(10, 10)
        self.assertTrue(wait_for(lambda: c.coil(5) == 0), self.said())

    def test_silence_and_restart_are_survived(self):
        gateway = self.start_gateway()
        self.assertTrue(wait_for(lambda: "device answers" in self.said()), self.said())
        self.plant.send_signal(signal.SIGUSR1)
        self.assertTrue(wait_for(lambda: "no answer from unit 1" in self.said()), self.said())
        self.plant.send_signal(signal.SIGUSR2)
        self.assertTrue(wait_for(lambda: self.said().count("device answers") == 2), self.said())
        lost = self.said().count("device is lost")
        self.plant.terminate()
        self.plant.wait(10)
        self.assertTrue(wait_for(lambda: self.said().count("device is lost") > lost), self.said())
        self.start_plant(self.port)
        self.assertTrue(wait_for(lambda: self.said().count("device answers") == 3), self.said())
        gateway.terminate()
        self.assertEqual(gateway.wait(10), 0)


if __name__ == "__main__":
    unittest.main()

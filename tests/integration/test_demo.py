"""The demo as a new user meets it: the anomaly comes, the rule acts on the plant, Ctrl-C ends everything, and
the next start goes on."""
import json
import os
import termios
import select
import pty
import shutil
import signal
import socket
import sqlite3
import struct
import subprocess
import tempfile
import threading
import unittest
import urllib.request

from gateway import BINARY, free_port, wait_until

RULE = "pump-1-unusual"


def read_coil(port, unit, address):
    """One coil over Modbus TCP, by hand: a peer that knows neither the gateway's code nor the site's."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as s:
        s.sendall(struct.pack(">HHHBBHH", 1, 0, 6, unit, 1, address, 1))
        answer = b""
        while len(answer) < 10:
            more = s.recv(100)
            if not more:
                raise AssertionError("the site closed the connection")
            answer += more
    if answer[7] != 1:
        raise AssertionError(f"exception {answer[8]}")
    return bool(answer[9] & 1)


def is_running(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as f:
            return f.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


class Demo:
    """One run in a folder; what it prints is JSON, a line each."""

    def __init__(self, folder, *more):
        ports = {name: f"127.0.0.1:{free_port()}" for name in
                 ("GANGLION_DEMO_HTTP", "GANGLION_DEMO_MQTT", "GANGLION_DEMO_MQTTS", "GANGLION_DEMO_MODBUS")}
        self.folder = folder
        self.events = []
        self.hello = None
        self.process = subprocess.Popen(
            [BINARY, "demo", "--json", "--data", folder, *more],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ, **ports))
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            said = json.loads(line)
            if "page" in said:
                self.hello = said
            else:
                self.events.append(said)

    def wait_ready(self):
        wait_until(lambda: self.hello or self.process.poll() is not None, 30, "the demo's greeting")
        if not self.hello:
            raise AssertionError(self.process.stderr.read())
        return self.hello

    def opened(self, key):
        return [e["event"] for e in list(self.events) if e["change"] == "opened" and e["event"]["key"] == key]

    def ask(self, path):
        request = urllib.request.Request(self.hello["page"].rstrip("/") + path,
                                         headers={"Authorization": "Bearer " + self.hello["token"]})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def interrupt(self):
        """Ctrl-C; returns the exit status."""
        self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(20)
        finally:
            self.reader.join(5)
            self.process.stdout.close()
            self.process.stderr.close()

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class DemoTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="ganglion-demo-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def demo(self, *more):
        demo = Demo(self.folder, *more)
        self.addCleanup(demo.end)
        demo.wait_ready()
        return demo

    def kept_events(self):
        with sqlite3.connect(f"file:{self.folder}/data/catalog.db?mode=ro", uri=True) as db:
            return [row[0] for row in db.execute("SELECT key FROM events")]

    def test_shows_the_anomaly_and_the_reaction_and_goes_on_next_time(self):
        demo = self.demo("--speed", "9000")
        modbus = demo.hello["modbus_port"]
        self.assertFalse(read_coil(modbus, 2, 0), "the standby pump rests at first")
        wait_until(lambda: demo.opened("bearing-1/temperature"), 60, "the detector's anomaly")
        wait_until(lambda: demo.opened(RULE), 60, "the rule's event")
        self.assertEqual("critical", demo.opened(RULE)[0]["severity"])
        wait_until(lambda: read_coil(modbus, 2, 0), 5, "the standby pump's start")
        wait_until(lambda: read_coil(modbus, 3, 0), 5, "the lamp")
        site = demo.hello["site_pid"]
        self.assertTrue(is_running(site))
        self.assertEqual(0, demo.interrupt())
        self.assertFalse(is_running(site), "the site has ended with the demo")
        self.assertIn(RULE, self.kept_events())
        with open(os.path.join(self.folder, "ganglion.yaml"), encoding="utf-8") as f:
            config = f.read()
        with open(os.path.join(self.folder, "tls", "server.crt"), "rb") as f:
            certificate = f.read()

        again = self.demo("--speed", "9000")
        self.assertEqual(demo.hello["token"], again.hello["token"], "the token stays")
        self.assertIn(RULE, [e["key"] for e in again.ask("/api/v1/events")["events"]])
        names = [s["name"] for s in again.ask("/api/v1/signals?limit=500")["signals"]]
        self.assertIn("pump-2/run", names)
        wait_until(lambda: any(s["name"] == "bearing-1/temperature" and "last" in s
                               for s in again.ask("/api/v1/signals?limit=500")["signals"]), 15,
                   "the sensor's first value: its password still holds")
        self.assertEqual(0, again.interrupt())
        with open(os.path.join(self.folder, "ganglion.yaml"), encoding="utf-8") as f:
            self.assertEqual(config, f.read())
        with open(os.path.join(self.folder, "tls", "server.crt"), "rb") as f:
            self.assertEqual(certificate, f.read())

    def test_starts_the_site_again_when_it_dies(self):
        demo = self.demo()
        first = demo.hello["site_pid"]
        os.kill(first, signal.SIGKILL)

        def answers():
            try:
                read_coil(demo.hello["modbus_port"], 1, 0)
                return not is_running(first)
            except OSError:
                return False
        wait_until(answers, 15, "the site's return")
        self.assertEqual(0, demo.interrupt())

    def signals(self, *more):
        """What `ganglion signal list` and `ganglion query` know in the folder from which the demo was started."""
        where = os.path.dirname(self.folder)
        said = [subprocess.run([BINARY, *command, "--json", *more], cwd=where, capture_output=True, text=True, check=False)
                for command in (("signal", "list"), ("query", "SELECT DISTINCT signal FROM samples"))]
        return [s.stdout + s.stderr for s in said]

    def test_commands_find_its_gateway_and_its_data(self):
        self.folder = os.path.join(self.folder, "site-data")
        demo = self.demo("--speed", "9000")
        wait_until(lambda: all("pump-1/flow" in s for s in self.signals()), 30, lambda: self.signals())
        wait_until(lambda: all("pump-1/flow" in s for s in self.signals("--data", self.folder)), 5, lambda: self.signals())
        self.assertEqual(0, demo.interrupt())
        self.assertIn("pump-1/flow", self.signals()[1], "the history can be asked without a gateway")

    def test_takes_the_site_along_when_it_is_killed(self):
        demo = self.demo()
        demo.process.kill()
        demo.process.wait()
        wait_until(lambda: not is_running(demo.hello["site_pid"]), 10, "the site's end")

    def test_a_stopped_terminal_stops_nothing(self):
        ours, theirs = pty.openpty()
        self.addCleanup(os.close, ours)
        ports = {f"GANGLION_DEMO_{name}": f"127.0.0.1:{free_port()}" for name in ("HTTP", "MQTT", "MQTTS", "MODBUS")}
        process = subprocess.Popen([BINARY, "demo", "--data", self.folder, "--speed", "9000"], stdin=theirs,
                                   stdout=theirs, stderr=theirs, env=dict(os.environ, **ports))
        self.addCleanup(lambda: process.poll() is None and (process.kill(), process.wait()))
        said = b""
        while b"logs " not in said:
            said += os.read(ours, 65536)
        termios.tcflow(theirs, termios.TCOOFF)  # Ctrl-S
        with open(os.path.join(self.folder, "data", "first-token"), encoding="ascii") as f:
            token = f.read().strip()

        def active():
            request = urllib.request.Request(f"http://{ports['GANGLION_DEMO_HTTP']}/api/v1/events?limit=100",
                                             headers={"Authorization": "Bearer " + token})
            with urllib.request.urlopen(request, timeout=5) as answer:
                return len(json.load(answer)["events"]) >= 2
        wait_until(active, 60, "events while the terminal is stopped")
        self.assertEqual(select.select([ours], [], [], 0)[0], [], "the terminal is not stopped")
        termios.tcflow(theirs, termios.TCOON)  # Ctrl-Q
        while b"bearing" not in said:
            said += os.read(ours, 65536)
        termios.tcflow(theirs, termios.TCOOFF)
        process.terminate()
        self.assertEqual(process.wait(20), 0)
        os.close(theirs)

    def test_keeps_secrets_for_the_owner(self):
        demo = self.demo()
        self.assertEqual(0, demo.interrupt())
        for name in ("tls/server.key", "site/credentials", "ganglion.yaml"):
            mode = os.stat(os.path.join(self.folder, name)).st_mode & 0o777
            self.assertEqual(0o600, mode, name)


if __name__ == "__main__":
    unittest.main()

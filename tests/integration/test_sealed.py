"""Databases with encryption at rest: nothing of what was said can be read in them, in their logs or in a backup; all of
it is there after restarts, kills and power cuts; plain ones are sealed at the next start.

GANGLION_CUTS says how many power cuts while they are (15).
"""
import os
import random
import re
import shutil
import socket
import subprocess
import time
import unittest

import test_disk_faults
from failing_disk import FailingDisk
from gateway import BINARY, Gateway, wait_until
from peers import Client
from test_cli import run

CUTS = int(os.environ.get("GANGLION_CUTS", "15"))
KEY = {"key_file": "{folder}/key"}
CONFIG = {
    "site": "sealed-hall",
    "drivers": {"mqtt": {"listen": "127.0.0.1:{mqtt_port}", "topics": {"{device}/{signal}": "plain"}}},
    "rules": {"xylophone": {"when": "zebra-press/umbrella > 90", "title": "an ostrich in the paint shop"}},
    "encryption": KEY,
}
WORDS = (b"zebra-press", b"umbrella", b"xylophone", b"ostrich", b"sealed-hall", b"CREATE TABLE", b"SQLite format")
PLAIN = b"SQLite format 3\0"


def write_key(gateway, name="key"):
    gateway.make_folder()
    with open(os.open(os.path.join(gateway.folder, name), os.O_WRONLY | os.O_CREAT, 0o600), "wb") as f:
        f.write(os.urandom(32))


def databases(folder):
    return [name for name in sorted(os.listdir(folder)) if name.startswith(("catalog.db", "history.db"))]


class Case(unittest.TestCase):
    def gateway(self, config=None, start=True, of=Gateway):
        gateway = of(dict(config or CONFIG))
        self.addCleanup(gateway.__exit__)
        write_key(gateway)
        if start:
            gateway.start()
        return gateway

    def say(self, gateway, first, last):
        client = Client(gateway.mqtt_port, "zebra-press")
        for i in range(first, last):
            client.say("zebra-press/umbrella", str(i))
        client.leave()

    def query(self, gateway, sql):
        status, answer = gateway.api("POST", "/api/v1/query", {"sql": sql}, 30)
        self.assertEqual(status, 200, answer)
        return answer["rows"]

    def numbers(self, gateway):
        return [int(row[0]) for row in self.query(
            gateway, "SELECT value FROM samples WHERE signal = 'zebra-press/umbrella' ORDER BY time")]

    def assert_events(self, gateway):
        rows = wait_until(lambda: self.query(gateway, "SELECT key FROM events WHERE kind = 'rule'"), 10, "the event")
        self.assertIn("xylophone", rows[0][0])

    def assert_nothing_to_read(self, folder):
        names = databases(folder)
        self.assertTrue({"catalog.db", "history.db"} <= set(names), names)
        for name in names:
            with open(os.path.join(folder, name), "rb") as f:
                content = f.read()
            for word in WORDS:
                self.assertNotIn(word, content, f"{name} says {word}")
        return names

    def refused(self, gateway, timeout_s=20):
        """What it says when it does not start."""
        gateway.write_config()
        done = subprocess.run([BINARY, "run", "--config", gateway.config_path, "--data", gateway.data],
                              capture_output=True, text=True, timeout=timeout_s, check=False)
        self.assertNotEqual(done.returncode, 0)
        return done.stderr


class Sealed(Case):
    def test_nothing_can_be_read_and_all_is_there_after_a_restart_and_a_kill(self):
        gateway = self.gateway()
        self.say(gateway, 0, 100)
        self.assert_events(gateway)
        self.assertIn("catalog.db-wal", self.assert_nothing_to_read(gateway.data))
        gateway.restart()
        self.assert_nothing_to_read(gateway.data)
        self.assertEqual(self.numbers(gateway), list(range(100)))
        self.say(gateway, 100, 150)
        gateway.kill()
        self.assert_nothing_to_read(gateway.data)
        gateway.start()
        wait_until(lambda: self.numbers(gateway) == list(range(150)), 20, lambda: self.numbers(gateway))
        self.assert_events(gateway)
        self.assertEqual([], [line for line in gateway.log(1 << 20).splitlines() if " error " in line])

    def test_a_backup_stays_sealed_and_needs_the_key(self):
        gateway = self.gateway()
        self.say(gateway, 0, 100)
        self.assert_events(gateway)
        file = os.path.join(gateway.folder, "backup.tar.zst")
        done = run("backup", file, "--data", gateway.data)
        self.assertEqual(done.returncode, 0, done.stderr)
        unpacked = os.path.join(gateway.folder, "unpacked")
        os.mkdir(unpacked)
        subprocess.run(["tar", "--zstd", "-xf", file, "-C", unpacked], check=True)
        self.assert_nothing_to_read(unpacked)
        other = self.gateway(start=False)  # with a key of its own
        self.assertEqual(run("restore", file, "--data", other.data).returncode, 0)
        self.assertRegex(self.refused(other), "another key|does not fit")
        with open(os.path.join(gateway.folder, "key"), "rb") as f:
            key = f.read()
        with open(os.path.join(other.folder, "key"), "wb") as f:
            f.write(key)
        other.start()
        wait_until(lambda: self.numbers(other) == list(range(100)), 20, lambda: self.numbers(other))
        self.assert_events(other)

    def test_a_plain_folder_is_sealed_at_the_next_start(self):
        gateway = self.gateway({k: v for k, v in CONFIG.items() if k != "encryption"})
        self.say(gateway, 0, 100)
        self.assert_events(gateway)
        gateway.kill()  # with logs that are not folded in
        with open(os.path.join(gateway.data, "history.db"), "rb") as f:
            self.assertEqual(f.read(16), PLAIN)
        gateway.config = CONFIG
        systemd = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(systemd.close)
        systemd.settimeout(10)
        systemd.bind(os.path.join(gateway.folder, "notify"))
        gateway.env = {"NOTIFY_SOCKET": systemd.getsockname()}
        gateway.start()
        said = list(iter(lambda: systemd.recv(1000).decode(), "READY=1"))
        self.assertRegex(said[0], "^EXTEND_TIMEOUT_USEC=[0-9]+\nSTATUS=rewriting catalog.db")
        self.assertTrue([text for text in said if "rewriting history.db" in text], said)
        gateway.env = None
        wait_until(lambda: self.numbers(gateway) == list(range(100)), 20, lambda: self.numbers(gateway))
        self.assert_events(gateway)
        self.assert_nothing_to_read(gateway.data)
        self.assertEqual([], [n for n in os.listdir(gateway.data) if n.endswith((".sealing", ".plain"))])
        self.say(gateway, 100, 120)
        gateway.restart()
        self.assertEqual(self.numbers(gateway), list(range(120)))

    def test_a_sealed_folder_is_not_opened_without_its_key(self):
        gateway = self.gateway()
        self.say(gateway, 0, 10)
        gateway.stop()
        write_key(gateway)
        before = {name: os.stat(os.path.join(gateway.data, name)).st_size for name in databases(gateway.data)}
        gateway.config = {k: v for k, v in CONFIG.items() if k != "encryption"}
        said = self.refused(gateway)
        self.assertRegex(said, "sealed|encryption")
        self.assertEqual(before, {name: os.stat(os.path.join(gateway.data, name)).st_size
                                  for name in databases(gateway.data)})

    def test_commands_read_the_folder_of_a_gateway_that_is_down(self):
        gateway = self.gateway()
        self.say(gateway, 0, 50)
        gateway.stop()
        done = run("query", "SELECT count(*) FROM samples", "--data", gateway.data, "--csv")
        self.assertEqual((done.returncode, done.stdout.splitlines()[-1:]), (0, ["50"]), done.stderr)
        self.assertEqual(run("export", "--data", gateway.data).returncode, 0)
        file = os.path.join(gateway.folder, "backup.tar.zst")
        self.assertEqual(run("backup", file, "--data", gateway.data).returncode, 0)
        self.assert_nothing_to_read(gateway.data)
        os.rename(os.path.join(gateway.folder, "key"), os.path.join(gateway.folder, "lost"))
        done = run("query", "SELECT count(*) FROM samples", "--data", gateway.data)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("key", done.stderr)

    def test_damage_is_named(self):
        gateway = self.gateway()
        self.say(gateway, 0, 10)
        gateway.stop()
        path = os.path.join(gateway.data, "history.db")
        with open(path, "r+b") as f:
            for page in range(2, os.path.getsize(path) // 4096 + 1):
                f.seek((page - 1) * 4096 + 1000)
                f.write(b"rotten!!")
        gateway.start()
        gateway.api("POST", "/api/v1/query", {"sql": "SELECT count(*) FROM samples"})
        wait_until(lambda: re.search(r'a page does not open: .* file=".*history.db" page=\d+', gateway.log(1 << 20)), 10,
                   lambda: gateway.log())


class PowerCuts(Case):
    def disk(self, config):
        return self.gateway(config, start=False, of=FailingDisk)

    def test_after_power_cuts_all_is_there(self):
        gateway = self.disk(CONFIG)
        gateway.start()
        said = 0
        for _ in range(4):
            self.say(gateway, said, said + 100)
            said += 100
            gateway.cut_power()
            gateway.start()
        wait_until(lambda: self.numbers(gateway) == list(range(said)), 20, lambda: self.numbers(gateway))
        self.assert_events(gateway)
        self.assert_nothing_to_read(gateway.data)

    def test_a_power_cut_while_a_folder_is_sealed_loses_nothing(self):
        gateway = self.disk({k: v for k, v in CONFIG.items() if k != "encryption"})
        gateway.start()
        self.say(gateway, 0, 200)
        self.assert_events(gateway)
        gateway.stop()
        plain = os.path.join(gateway.folder, "was")
        shutil.copytree(gateway.shadow, plain)
        gateway.config = CONFIG
        states = []
        for _ in range(CUTS):
            for folder in (gateway.data, gateway.shadow):
                shutil.rmtree(folder)
                shutil.copytree(plain, folder)
            gateway.write_config()
            before = os.path.getsize(gateway.log_path)
            with open(gateway.log_path, "ab") as log:
                gateway.process = subprocess.Popen(
                    [BINARY, "run", "--config", gateway.config_path, "--data", gateway.data], stdout=log, stderr=log,
                    env=dict(os.environ, **gateway.env))
            wait_until(lambda since=before: os.path.getsize(gateway.log_path) > since and
                       "being rewritten" in gateway.log(os.path.getsize(gateway.log_path) - since), 20, "the sealing")
            time.sleep(random.uniform(0, 0.1))  # the moment of the cut, not a wait for anything
            gateway.cut_power()
            with open(os.path.join(gateway.data, "history.db"), "rb") as f:
                states.append(f.read(16) == PLAIN)
            gateway.start()
            wait_until(lambda: self.numbers(gateway) == list(range(200)), 20, lambda: self.numbers(gateway))
            self.assert_events(gateway)
            self.assert_nothing_to_read(gateway.data)
            gateway.stop()
        print(f"        cut {len(states)} times; the history was still plain in {sum(states)}")


class SealedOnAFailingDisk(test_disk_faults.FailingCalls):
    """What the plain ones bear."""

    def begin(self, **more):
        gateway = FailingDisk(dict(test_disk_faults.CONFIG, encryption=KEY, **more))
        self.addCleanup(gateway.__exit__)
        write_key(gateway)
        gateway.events = lambda kind: [
            dict(zip(answer["columns"], row)) for answer in
            [gateway.api("POST", "/api/v1/query", {"sql": f"SELECT * FROM events WHERE kind = '{kind}'"})[1]]
            for row in answer["rows"]]
        gateway.start()
        return gateway


if __name__ == "__main__":
    unittest.main()

"""What was recorded of a person can be deleted for good: afterwards no file of the gateway has it, others' data stay."""
import json
import os
import pathlib
import subprocess
import unittest

from gateway import BINARY, Gateway, wait_until
from peers import Client

CONFIG = {
    "site": "test-hall",
    "drivers": {"mqtt": {"listen": "127.0.0.1:{mqtt_port}", "topics": {"{device}/{signal}": "plain"}}},
    "devices": {"press-1": {"labels": {"hall": "3"}}},
    "history": {"retention": {"age": "30d", "minutes": "730d", "hours": "3650d", "days": "3650d", "selections": {
        "people": {"select": ["badge-*/*"], "age": "7d"},
        "hall-3": {"labels": {"hall": "3"}, "age": "90d", "seconds": "90d"}}}},
}
SECRET, OTHER = "Rosalind Quirk at gate 7", "hydraulic oil low"


def run(*args):
    clean = {k: v for k, v in os.environ.items() if not k.startswith("GANGLION_")}
    return subprocess.run([BINARY, *args], capture_output=True, text=True, timeout=60, check=False, env=clean,
                          stdin=subprocess.DEVNULL)


class History(unittest.TestCase):
    def holding(self, gateway, text):
        return [str(p) for p in pathlib.Path(gateway.data).rglob("*") if p.is_file() and text.encode() in p.read_bytes()]

    def test_deleted_is_in_no_file_and_others_stay(self):
        with Gateway(CONFIG) as gateway:
            badge, press = Client(gateway.mqtt_port, "badge-17"), Client(gateway.mqtt_port, "press-1")
            for i in range(50):
                badge.say("badge-17/gate", f"{SECRET} {i}")
                press.say("press-1/state", f"{OTHER} {i}")
            wait_until(lambda: self.holding(gateway, SECRET), what="the journal has it")
            done = run("history", "delete", "--select", "badge-17/*", "--data", gateway.data)
            self.assertNotEqual(done.returncode, 0, "without --yes and a terminal it does nothing")
            done = run("history", "delete", "--yes", "--data", gateway.data)
            self.assertEqual(done.returncode, 2)
            self.assertIn("--select", done.stderr)
            done = run("history", "delete", "--select", "badge-17/*", "--yes", "--json", "--data", gateway.data)
            self.assertEqual(done.returncode, 0, done.stderr)
            answer = json.loads(done.stdout)
            self.assertEqual((answer["samples"], answer["journal_samples"], answer["clean"]), (50, 50, True))
            self.assertEqual(self.holding(gateway, SECRET), [])
            self.assertTrue(self.holding(gateway, OTHER))
            gateway.restart()
            self.assertEqual(self.holding(gateway, SECRET), [])
            status, _ = gateway.api("DELETE", "/api/v1/history?select=press-1/state")[:2]
            self.assertEqual(status, 200)
            self.assertEqual(self.holding(gateway, OTHER), [])


if __name__ == "__main__":
    unittest.main()

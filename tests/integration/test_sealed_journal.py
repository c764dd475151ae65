"""A data folder that is sealed, or becomes so: nothing of what machines or people said stands in its journal and small
files, and it opens with its key only."""
import os
import shutil
import socket
import ssl
import subprocess
import unittest

from gateway import BINARY, Gateway, wait_until
from peers import Client
from test_cli import run
from test_kill import assert_says_nothing, dump, write_key

CONFIG = {
    "site": "sealed-hall",
    "drivers": {"mqtt": {"listen": "127.0.0.1:{mqtt_port}", "topics": {"{device}/{signal}": "plain"}}},
    "rules": {"hot": {"when": "kiln-9/heat > 90", "severity": "critical", "title": "Rumpelstilz is too hot"}},
    "journal": {"segment_size": "1MiB"},
    "api": {"listen": "127.0.0.1:{http_port}", "tls": {"listen": "127.0.0.1:{tls_port}"}},
}
SEALED = dict(CONFIG, encryption={"key_file": "{folder}/key"})
WORDS = [b"kiln-9", b"heat", b"Rumpelstilz", b"PRIVATE KEY", b"sealed-hall"]


class Sealed(unittest.TestCase):
    def gateway(self, config):
        gateway = Gateway(config)
        gateway.make_folder()
        self.addCleanup(gateway.__exit__)
        self.key = write_key(gateway)
        gateway.start()
        return gateway

    def say(self, gateway, numbers):
        device = Client(gateway.mqtt_port, "kiln")
        for n in numbers:
            device.say("kiln-9/heat", str(n))
        device.publish("kiln-9/name", "Rumpelstilz")
        device.leave()

    def heats(self, gateway):
        return [float(value) for _, _, signals in dump(gateway.data)
                for value in signals.get("kiln-9/heat", [])]

    def check_tls(self, gateway):
        context = ssl.create_default_context(cafile=os.path.join(gateway.data, "api-certificate.pem"))
        context.check_hostname = False
        with context.wrap_socket(socket.create_connection(("127.0.0.1", gateway.tls_port), 10)) as s:
            self.assertTrue(s.getpeercert())

    def refused(self, gateway):
        """It does not start; what it said."""
        done = subprocess.run([BINARY, "run", "--config", gateway.config_path, "--data", gateway.data],
                              capture_output=True, text=True, timeout=30, check=False)
        self.assertNotEqual(done.returncode, 0)
        return done.stdout + done.stderr

    def test_nothing_that_was_said_stands_in_the_folder(self):
        gateway = self.gateway(SEALED)
        self.say(gateway, range(80, 100))
        self.check_tls(gateway)
        gateway.stop()
        assert_says_nothing(self, gateway.data, WORDS)
        gateway.start()
        self.check_tls(gateway)
        self.assertEqual(self.heats(gateway), list(range(80, 100)))
        first = gateway.api("GET", "/api/v1/revisions/1")
        self.assertEqual(first[0], 200, first)

    def test_a_plain_folder_is_sealed_when_there_is_a_key(self):
        gateway = self.gateway(CONFIG)
        self.say(gateway, range(50))
        gateway.stop()
        with self.assertRaises(AssertionError):
            assert_says_nothing(self, gateway.data, WORDS)
        gateway.config = SEALED
        gateway.start()
        gateway.wait_log("all segments of the journal are sealed now")
        self.say(gateway, range(50, 80))
        self.check_tls(gateway)
        gateway.kill()
        assert_says_nothing(self, gateway.data, WORDS)
        gateway.start()
        self.assertEqual(self.heats(gateway), list(range(80)))

    def test_without_its_key_it_does_not_start_and_nothing_is_lost(self):
        gateway = self.gateway(SEALED)
        self.say(gateway, range(30))
        gateway.kill()
        kept = os.path.join(gateway.folder, "kept")
        os.rename(self.key, kept)
        write_key(gateway)
        before = self.journal(gateway)
        self.assertRegex(self.refused(gateway), "key")
        self.assertEqual(self.journal(gateway), before)
        gateway.config = CONFIG
        gateway.write_config()
        self.assertRegex(self.refused(gateway), "sealed|key")
        self.assertEqual(self.journal(gateway), before)
        shutil.move(kept, self.key)
        gateway.config = SEALED
        gateway.start()
        self.assertEqual(self.heats(gateway), list(range(30)))

    def journal(self, gateway):
        folder = os.path.join(gateway.data, "journal")
        files = {}
        for name in sorted(os.listdir(folder)):
            with open(os.path.join(folder, name), "rb") as f:
                files[name] = f.read()
        return files

    def test_configurations_that_were_in_force_are_read_without_a_gateway(self):
        gateway = self.gateway(SEALED)
        gateway.stop()
        done = run("config", "history", "--data", gateway.data)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("in force at start", done.stdout)
        done = run("config", "show", "1", "--data", gateway.data)
        self.assertIn("sealed-hall", done.stdout, done.stderr)
        os.rename(self.key, self.key + ".away")
        self.assertNotEqual(run("config", "history", "--data", gateway.data).returncode, 0)

    def test_the_replay_reads_it(self):
        gateway = self.gateway(SEALED)
        self.say(gateway, range(85, 100))
        wait_until(lambda: gateway.metric("ganglion_journal_samples_total") >= 15, what="samples")
        done = run("replay", "--config", gateway.config_path, "--data", gateway.data)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()

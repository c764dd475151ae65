"""kill -9 on the real gateway under load: what was acknowledged is there, in order, once.

A round is: start, load from several clients, kill -9 at a random moment. After the next start the journal is read
from where the last look ended. GANGLION_KILLS says how many rounds (50), GANGLION_KILL_SECONDS how long in all (80).
"""
import os
import random
import subprocess
import time
import unittest

import paho.mqtt.client as paho

from gateway import BINARY, BUILD, Gateway, wait_until
from peers import Client

LOAD = os.path.join(os.path.abspath(BUILD), "tests", "bench", "mqtt_load_bench")
DUMP = os.path.join(os.path.abspath(BUILD), "tests", "faults", "journal_dump")
KILLS = int(os.environ.get("GANGLION_KILLS", "50"))
SECONDS = float(os.environ.get("GANGLION_KILL_SECONDS", "80"))
CLIENTS = 4
CONFIG = {
    "site": "kill",
    "journal": {"segment_size": "1MiB", "reserve": "0"},
    "drivers": {"mqtt": {"listen": "127.0.0.1:{mqtt_port}",
                         "topics": {"{device}/state": "json", "{device}/{signal}": "plain"}}},
    "pipelines": {"mean": {"select": ["load*/temperature"],
                           "stages": [{"window": {"every": "100ms", "give": ["mean", "count"]}}]}},
}


def dump(data, position=0, kinds="input"):
    """The records of the journal from a position on: (position, kind, {signal: [values]})."""
    out = subprocess.run([DUMP, os.path.join(data, "journal"), f"from={position}", f"kinds={kinds}"],
                         capture_output=True, text=True, check=True).stdout.splitlines()
    records = []
    for line in out[:-1]:
        place, kind, *samples = line.split(" ")
        signals = {}
        for sample in samples:
            name, _, rest = sample.partition("=")
            signals.setdefault(name, []).append(rest.rpartition("@")[0])
        records.append((int(place), kind, signals))
    return records


WORDS = [b"temperature", b"load0", b"load1"]


def assert_says_nothing(test, folder, words):
    """No file of the folder holds one of these words as it is."""
    looked_at = 0
    for place, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(place, name)
            if not os.path.isfile(path):
                continue
            with open(path, "rb") as f:
                content = f.read()
            looked_at += len(content)
            for word in words:
                test.assertNotIn(word, content, f"{path} says {word!r}: {content[:200]!r}")
    test.assertGreater(looked_at, 1000)


def write_key(gateway):
    path = os.path.join(gateway.folder, "key")
    with open(path, "wb") as f:
        f.write(os.urandom(32))
    os.chmod(path, 0o600)
    return path


class Watch:
    """What is known of the journal so far, looked at again after each start."""

    def __init__(self, test):
        self.test, self.position = test, 0
        self.numbers = {}  # device -> set
        self.last = {}

    def look(self, data):
        for position, _, signals in dump(data, self.position):
            self.position = position + 1
            for name, values in signals.items():
                if not name.endswith("/n"):
                    continue
                device = name.rpartition("/")[0]
                for value in map(int, map(float, values)):
                    self.test.assertGreater(value, self.last.get(device, -1), f"{device}: order, or twice")
                    self.last[device] = value
                    self.numbers.setdefault(device, set()).add(value)


class Kill(unittest.TestCase):
    prepare = None  # called with the gateway before its first start

    def rounds(self, qos, kills, seconds, config=CONFIG, clients=CLIENTS, look=None):
        gateway = Gateway(config)
        gateway.make_folder()
        if self.prepare:
            self.prepare(gateway)
        acked_path = None
        watch, kills_done, acked = Watch(self), 0, 0
        began = time.monotonic()
        slowest = 0.0
        with gateway:
            acked_path = os.path.join(gateway.folder, "acked")
            while kills_done < kills and time.monotonic() - began < seconds:
                load = subprocess.Popen(
                    [LOAD, "acked", f"127.0.0.1:{gateway.mqtt_port}", f"clients={clients}", "window=50",
                     f"qos={qos}", "seconds=30", f"start={kills_done * 4000000}", f"file={acked_path}"],
                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                time.sleep(random.uniform(0.05, 0.6))  # the moment of death, not a wait for anything
                if look:
                    look(gateway)
                gateway.kill()
                load.wait(10)
                kills_done += 1
                again = time.monotonic()
                gateway.start()
                slowest = max(slowest, time.monotonic() - again)
                watch.look(gateway.data)
            if self.prepare:
                assert_says_nothing(self, gateway.data, WORDS)
            with open(acked_path, encoding="ascii") as f:
                for line in f:
                    topic, _, number = line.partition(" ")
                    if not number.endswith("\n"):
                        continue  # the load ended within the line
                    acked += 1
                    self.assertIn(int(number), watch.numbers[topic.partition("/")[0]],
                                  f"{line.strip()} was acknowledged and is lost")
        print(f"        QoS {qos}: {kills_done} kills, {acked} acknowledged, none lost, none twice, none out of order;"
              f" slowest start {slowest:.2f} s")
        if kills_done >= 5:  # a single one may come before anything is acknowledged
            self.assertGreater(acked, 100 * kills_done)

    def test_nothing_acknowledged_is_lost_with_qos_1(self):
        self.rounds(1, KILLS, SECONDS * 0.75)

    def test_nothing_acknowledged_is_lost_with_qos_2(self):
        self.rounds(2, max(KILLS // 5, 1), SECONDS * 0.25)


class Shards(Kill):
    """Several shards: each device has one, by its name; all write to one journal."""

    def test_nothing_acknowledged_is_lost_with_qos_1(self):
        worked = set()

        def look(gateway):
            for shard in range(3):
                if gateway.metric("ganglion_shard_samples_total", shard=str(shard)):
                    worked.add(shard)
        self.rounds(1, max(KILLS // 3, 1), SECONDS * 0.5, dict(CONFIG, shards=3), 12, look)
        self.assertEqual(worked, {0, 1, 2}, "shards that had work")

    def test_nothing_acknowledged_is_lost_with_qos_2(self):
        self.rounds(2, max(KILLS // 10, 1), SECONDS * 0.2, dict(CONFIG, shards=3), 12)


SEALED = dict(CONFIG, encryption={"key_file": "{folder}/key"})


class Sealed(Kill):
    """The same with a sealed journal, and with one that was plain at first."""
    prepare = staticmethod(write_key)

    def test_nothing_acknowledged_is_lost_with_qos_1(self):
        self.rounds(1, max(KILLS // 5, 1), SECONDS * 0.3, SEALED)

    def test_nothing_acknowledged_is_lost_with_qos_2(self):
        self.rounds(2, max(KILLS // 10, 1), SECONDS * 0.1, SEALED)

    def test_a_plain_journal_becomes_sealed_over_kills(self):
        gateway = Gateway(dict(CONFIG, journal={"segment_size": "1MiB", "reserve": "0", "retention": {"size": "1GiB"}}))
        with gateway:
            write_key(gateway)
            subprocess.run([LOAD, "acked", f"127.0.0.1:{gateway.mqtt_port}", "clients=4", "window=50", "qos=1",
                            "seconds=3"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
            gateway.kill()
            before = dump(gateway.data)
            gateway.config = dict(gateway.config, encryption=SEALED["encryption"])
            kills = 0
            for kills in range(20):
                gateway.write_config()
                with open(gateway.log_path, "ab") as log:
                    gateway.process = subprocess.Popen([BINARY, "run", "--config", gateway.config_path, "--data",
                                                        gateway.data], stdout=log, stderr=log)
                time.sleep(random.uniform(0.05, 0.3))  # the moment of death
                gateway.kill()
                if "all segments of the journal are sealed now" in gateway.log(1 << 20):
                    break
            gateway.start()
            gateway.wait_log("all segments of the journal are sealed now", 30)
            self.assertEqual(dump(gateway.data)[:len(before)], before)
            gateway.stop()
            assert_says_nothing(self, gateway.data, WORDS)
        print(f"        {kills + 1} kills while {len(before)} records were sealed")


class Sessions(unittest.TestCase):
    def test_a_subscriber_who_was_away_gets_all_that_was_acknowledged(self):
        for protocol in (paho.MQTTv311, paho.MQTTv5):
            with self.subTest(protocol=protocol), Gateway(CONFIG) as gateway:
                def client(name, clean=False):
                    return Client(gateway.mqtt_port, name, protocol, clean=clean, expiry_s=3600)

                sleeper = client("sleeper")
                sleeper.listen("news/#", 1)
                sleeper.leave()
                for part in range(3):
                    speaker = client("speaker", clean=True)
                    for i in range(30):
                        speaker.say(f"news/{part}", f"{part}.{i}", qos=1 + i % 2)
                    gateway.kill()
                    speaker.loop_stop()
                    gateway.start()
                sleeper = client("sleeper")
                self.assertTrue(sleeper.present, "the session is gone")
                wanted = [f"{part}.{i}".encode() for part in range(3) for i in range(30)]
                wait_until(lambda: len(sleeper.got) >= len(wanted), what="all messages")
                self.assertEqual([m.payload for m in sleeper.got], wanted)
                sleeper.leave()


if __name__ == "__main__":
    unittest.main()

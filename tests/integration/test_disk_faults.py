"""The real gateway on a disk that loses power, fails to write, to sync or to read, or has rotten.

GANGLION_CUTS says how many power cuts (15).
"""
import errno
import glob
import json
import os
import random
import subprocess
import time
import unittest

from failing_disk import FailingDisk
from gateway import wait_until
from peers import MOSQUITTO, Broker, Client
from test_kill import CONFIG, LOAD, Watch, dump
from test_uplink import Collector

CUTS = int(os.environ.get("GANGLION_CUTS", "15"))


class Case(unittest.TestCase):
    def begin(self, **more):
        gateway = FailingDisk(dict(CONFIG, **more))
        self.addCleanup(gateway.__exit__)
        gateway.make_folder()
        gateway.start()
        return gateway

    def speaker(self, gateway):
        client = Client(gateway.mqtt_port)
        self.addCleanup(client.leave)
        return client

    def kept(self, gateway, signal):
        return [int(float(value)) for _, _, signals in dump(gateway.data) for value in signals.get(signal, [])]

    def in_history(self, gateway, signal):
        gateway.stop()
        gateway.start()  # the end stores what is open
        status, answer = gateway.api("POST", "/api/v1/query", {
            "sql": f"SELECT value FROM samples WHERE signal = '{signal}' ORDER BY time"}, 30)
        self.assertEqual(status, 200, answer)
        return [int(row[0]) for row in answer["rows"]]


class PowerCuts(Case):
    def test_what_was_acknowledged_is_on_the_disk(self):
        gateway, watch = self.begin(), Watch(self)
        acked_path = os.path.join(gateway.folder, "acked")
        acked = 0
        for cut in range(CUTS):
            load = subprocess.Popen(
                [LOAD, "acked", f"127.0.0.1:{gateway.mqtt_port}", "clients=4", "window=50", f"qos={1 + cut % 2}",
                 "seconds=30", f"start={cut * 10000000}", f"file={acked_path}"],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(random.uniform(0.05, 0.8))  # the moment of the cut, not a wait for anything
            gateway.cut_power()
            load.wait(10)
            gateway.start()
            watch.look(gateway.data)
        with open(acked_path, encoding="ascii") as f:
            for line in f:
                topic, _, number = line.partition(" ")
                if number.endswith("\n"):
                    acked += 1
                    self.assertIn(int(number), watch.numbers[topic.partition("/")[0]],
                                  f"{line.strip()} was acknowledged and is lost")
        self.assertGreater(acked, 100 * CUTS)
        print(f"        {CUTS} power cuts, {acked} acknowledged, none lost, none twice, none out of order")

    def test_the_first_token_is_there_as_long_as_it_is_good(self):
        for _ in range(5):
            gateway = FailingDisk({"site": "new"})
            self.addCleanup(gateway.__exit__)
            gateway.make_folder()
            gateway.start()
            gateway.cut_power()
            gateway.start()
            self.assertTrue(json.loads(gateway.get("/api/v1/status")))
            gateway.stop()

    def test_catalog_and_history_open_again_and_agree_with_the_journal(self):
        gateway = self.begin()
        said = 0
        for _ in range(4):
            speaker = self.speaker(gateway)
            for _ in range(200):
                speaker.say("d/n", said)
                said += 1
            gateway.cut_power()
            gateway.start()
        self.assertEqual(self.kept(gateway, "d/n"), list(range(said)))
        self.assertEqual(self.in_history(gateway, "d/n"), list(range(said)))


class FailingCalls(Case):
    """After each the power is cut: so what had been acknowledged must have been on the disk, and not in a cache whose
    sync had failed."""

    def acknowledged(self, gateway, op, part, **how):
        speaker = self.speaker(gateway)
        acked, number = [], 0

        def say(count):
            nonlocal number
            for _ in range(count):
                if speaker.say("d/n", number) in ("Success", "No matching subscribers"):
                    acked.append(number)
                number += 1
        say(50)
        with gateway.failing(op, part, **how):
            say(20)
        wait_until(lambda: say(1) or acked[-1] == number - 1, 30, "that it heals")
        say(50)
        gateway.cut_power()
        gateway.start()
        kept = self.kept(gateway, "d/n")
        self.assertEqual([n for n in kept if n in set(acked)], acked)
        return gateway

    def test_a_write_of_the_journal_that_fails(self):
        self.acknowledged(self.begin(), "write", "journal/", times=1)

    def test_writes_of_the_journal_that_fail_for_a_while(self):
        self.acknowledged(self.begin(), "write", "journal/")

    def test_a_sync_of_the_journal_that_fails_is_not_believed_the_second_time(self):
        self.acknowledged(self.begin(), "sync", "journal/", times=1)

    def test_syncs_of_the_journal_that_fail_for_a_while(self):
        self.acknowledged(self.begin(), "sync", "journal/")

    def test_a_history_that_cannot_be_written_holds_nothing_up_and_catches_up(self):
        gateway = self.begin()
        speaker = self.speaker(gateway)
        with gateway.failing("sync", "history.db"):
            for i in range(3000):
                speaker.publish("d/n", str(i), 1)
            speaker.say("d/n", 3000)
            gateway.api("POST", "/api/v1/query", {"sql": "SELECT 1"})
            with self.subTest("stop"):
                gateway.stop()
        gateway.start()
        self.assertEqual(self.in_history(gateway, "d/n"), list(range(3001)))

    def test_a_catalog_that_cannot_be_written_holds_no_data_up(self):
        gateway = self.begin(rules={"hot": {"when": "d/n > 100"}})
        speaker = self.speaker(gateway)
        with gateway.failing("write", "catalog.db"):
            for i in range(80, 120):
                self.assertIn(speaker.say("d/n", i), ("Success", "No matching subscribers"))
        self.assertTrue(gateway.is_alive())
        speaker.say("d/n", 0)
        speaker.say("d/n", 500)
        wait_until(lambda: gateway.events("rule"), 20, lambda: f"the event\n{gateway.log()}")


    def test_a_history_and_catalog_without_space_hold_no_data_up_and_catch_up(self):
        gateway = self.begin(rules={"hot": {"when": "d/n > 3000"}})
        speaker = self.speaker(gateway)
        for part in ("history.db", "catalog.db"):
            with self.subTest(part), gateway.failing("write", part, error=errno.ENOSPC):
                first = 0 if part == "history.db" else 3001
                for i in range(first, first + 3000):
                    speaker.publish("d/n", str(i), 1)
                speaker.say("d/n", first + 3000)
                gateway.api("POST", "/api/v1/query", {"sql": "SELECT 1"})
        self.assertTrue(gateway.is_alive())
        speaker.say("d/n", 0)
        speaker.say("d/n", 9000)
        wait_until(lambda: gateway.events("rule"), 20, lambda: f"the next event\n{gateway.log()}")
        self.assertEqual(self.in_history(gateway, "d/n"), [*range(6002), 0, 9000])


class FailingReads(Case):
    @unittest.skipUnless(MOSQUITTO, "mosquitto is not installed")
    def test_an_uplink_that_cannot_read_the_journal_says_so_and_skips_nothing(self):
        gateway = FailingDisk(dict(CONFIG, uplinks={"cloud": {
            "uplink": "mqtt", "connect": "mqtt://127.0.0.1:{broker_port}", "send": ["d/*"]}}))
        self.addCleanup(gateway.__exit__)
        broker = Broker(gateway.make_folder())
        broker.tls = {}
        gateway.ports["broker_port"] = broker.port
        self.addCleanup(broker.kill)
        gateway.start()
        speaker = self.speaker(gateway)
        for i in range(3000):
            speaker.publish("d/n", str(i), 1)
        speaker.say("d/n", 3000)
        with gateway.failing("read", "journal/"):
            broker.start()
            collector = Collector(broker)
            self.addCleanup(collector.stop)
            gateway.wait_log("the journal cannot be read", 60)
        wait_until(lambda: len(collector.values("/d", "n")) >= 3001, 60,
                   lambda: f"all; {len(collector.values('/d', 'n'))} came\n{gateway.log()}")
        self.assertEqual(collector.values("/d", "n"), [float(i) for i in range(3001)])

    def test_a_query_that_cannot_read_says_so_and_works_again_later(self):
        gateway = self.begin()
        speaker = self.speaker(gateway)
        for i in range(3000):
            speaker.publish("d/n", str(i), 1)
        speaker.say("d/n", 3000)
        gateway.stop()
        gateway.start()  # all of it is in the file
        count = {"sql": "SELECT sum(value) FROM samples WHERE signal = 'd/n'"}
        with gateway.failing("read", "history.db"):
            status, answer = gateway.api("POST", "/api/v1/query", count, 30)
        self.assertGreaterEqual(status, 400, answer)
        self.assertIn("disk I/O error", json.dumps(answer))
        status, answer = gateway.api("POST", "/api/v1/query", count, 30)
        self.assertEqual((status, answer["rows"]), (200, [[sum(range(3001))]]))


class Rot(Case):
    """Bytes of a segment change while nobody looks: what is whole is still found, and the place is named."""

    def rot(self, where):
        gateway = self.begin(journal={"segment_size": "256KiB", "reserve": "0"})
        speaker = self.speaker(gateway)
        for i in range(3000):
            speaker.publish("d/n", str(i), 1)
            if i % 20 == 0:
                speaker.publish("d/text", os.urandom(3000).hex(), 1)
        speaker.say("d/n", 3000)
        gateway.stop()
        segments = sorted(glob.glob(os.path.join(gateway.data, "journal", "*")), key=os.path.getsize)
        segments = sorted(path for path in segments if os.path.getsize(path) > 100000)
        self.assertGreater(len(segments), 2)
        path = segments[1]
        with open(path, "r+b") as f:
            size = os.path.getsize(path)
            f.seek({"front": 0, "middle": size // 2, "end": size - 2000}[where])
            f.write(os.urandom(64))
        gateway.start()
        kept = self.kept(gateway, "d/n")
        self.assertGreater(len(kept), 1500)
        self.assertEqual(kept, sorted(set(kept)))
        self.assertEqual(kept[0], 0)
        self.assertEqual(kept[-1], 3000)
        speaker = self.speaker(gateway)
        self.assertIn(speaker.say("d/n", 4000), ("Success", "No matching subscribers"))

    def test_at_the_front(self):
        self.rot("front")

    def test_in_the_middle(self):
        self.rot("middle")

    def test_at_the_end(self):
        self.rot("end")


if __name__ == "__main__":
    unittest.main()

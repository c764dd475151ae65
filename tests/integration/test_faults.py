"""What happens when something breaks: a full disk, a crash between a decision and its telling, a configuration that is
wrong, a port that is taken, clients that do not read, memory that is used up. docs/reliability.md has the table."""
import json
import os
import signal
import socket
import struct
import subprocess
import threading
import unittest

import paho.mqtt.client as paho

from gateway import BUILD, Gateway, free_port, wait_until
from peers import Broker, Client
from test_kill import DUMP, LOAD, Watch, dump


def in_journal(data, name, kinds="input"):
    """All values of a signal, in the journal's order."""
    return [value for _, _, signals in dump(data, 0, kinds) for value in signals.get(name, [])]


def with_times(data, kinds):
    """signal -> list of value@time, in the journal's order."""
    out = subprocess.run([DUMP, os.path.join(data, "journal"), f"kinds={kinds}"], capture_output=True, text=True,
                         check=True).stdout.splitlines()
    signals = {}
    for line in out[:-1]:
        for sample in line.split(" ")[2:]:
            name, _, value = sample.partition("=")
            signals.setdefault(name, []).append(value)
    return signals


def open_events(gateway, kind):
    answer = gateway.api("GET", f"/api/v1/events?kind={kind}")[1]
    events = answer["events"] if isinstance(answer, dict) else answer
    return [e for e in events if e["kind"] == kind and e["state"] != "cleared"]


class Case(unittest.TestCase):
    def begin(self, config, **more):
        gateway = Gateway(dict({"site": "faults"}, **config), **more)
        self.addCleanup(gateway.__exit__)
        return gateway

    def client(self, gateway, *args, **more):
        client = Client(gateway.mqtt_port, *args, **more)
        self.addCleanup(client.leave)
        return client


MQTT = {"listen": "127.0.0.1:{mqtt_port}", "topics": {"{device}/{signal}": "plain", "at/{device}/{signal}": "json"}}


@unittest.skipUnless(os.geteuid() == 0, "mounting a small file system needs root")
class FullDisk(Case):
    def mount(self, gateway):
        os.makedirs(gateway.data)
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "none", gateway.data],
                          stderr=subprocess.DEVNULL, check=False).returncode:
            self.skipTest("mounting a file system is not permitted here")
        self.addCleanup(subprocess.run, ["umount", "-l", gateway.data], check=False)

    def fill(self, gateway):
        """Takes what is left of the disk; returns the name of the file."""
        ballast = os.path.join(gateway.data, "ballast")
        with open(ballast, "wb", buffering=0) as f:
            try:
                while f.write(bytes(4096)) == 4096:
                    pass
            except OSError:
                pass
        return ballast

    def test_data_and_actions_go_on_and_nothing_acknowledged_is_lost(self):
        gateway = self.begin({
            "journal": {"segment_size": "256KiB", "reserve": "0"},
            "drivers": {"mqtt": MQTT},
            # Cannot be reached: so the journal must keep everything.
            "uplinks": {"cloud": {"uplink": "mqtt", "connect": f"mqtt://127.0.0.1:{free_port()}", "send": ["*"]}},
            "rules": {"hot": {"when": "d/t > 90", "do": [{"publish": {"topic": "alarm/hot", "payload": "{value}"}}]}}})
        gateway.make_folder()
        self.mount(gateway)
        gateway.__enter__()
        new = self.client(gateway, "new")
        old = self.client(gateway, "old", paho.MQTTv311)
        listener = self.client(gateway, "listener")
        listener.listen("alarm/#")
        acked = {"n": [], "o": []}
        for i in range(50):
            self.assertIn("uccess", new.say("d/n", i))
            acked["n"].append(i)
            old.say("d/o", i)
            acked["o"].append(i)
        ballast = self.fill(gateway)

        number, answer = 50, ""
        text = "x" * 20000  # strings fill what the segment has left
        while "uota" not in answer:
            answer = new.say("d/text", text)
            self.assertLess(number, 500, "the disk does not get full")
            number += 1
        wait_until(lambda: open_events(gateway, "disk"), 10, "an event that the disk is full")
        self.assertEqual(str(new.say("d/n", 1000)), "Quota exceeded")

        # 3.1.1 has no word for it: it waits.
        waiting = old.publish("d/o", 1000, 1)
        self.assertEqual(gateway.metric("ganglion_journal_refused_total") > 0, True)

        # Live data and actions go on.
        new.publish("d/t", 95, 0)
        listener.wait_for(1)
        self.assertEqual(listener.texts(), ["95"])
        self.assertFalse(waiting.is_published())

        os.unlink(ballast)
        wait_until(lambda: not open_events(gateway, "disk"), 20, "the end of the event")
        waiting.wait_for_publish(20)
        self.assertTrue(waiting.is_published())
        acked["o"].append(1000)
        self.assertIn("uccess", new.say("d/n", 2000))
        acked["n"].append(2000)

        gateway.kill()
        gateway.start()
        for name, numbers in acked.items():
            kept = [int(float(v)) for v in in_journal(gateway.data, f"d/{name}")]
            self.assertEqual([n for n in kept if n in numbers], numbers, name)
        self.assertFalse(open_events(gateway, "disk"))

    def test_a_reserve_is_left_to_others(self):
        gateway = self.begin({"journal": {"segment_size": "64KiB", "reserve": "6MiB"}, "drivers": {"mqtt": MQTT},
                              "uplinks": {"cloud": {"uplink": "mqtt", "connect": f"mqtt://127.0.0.1:{free_port()}",
                                                    "send": ["*"]}}})
        gateway.make_folder()
        self.mount(gateway)
        gateway.__enter__()
        client = self.client(gateway)
        text = "x" * 50000
        for _ in range(400):
            if "uota" in client.say("d/text", text):
                break
        else:
            self.fail("the reserve is used up")
        free = os.statvfs(gateway.data)
        self.assertGreater(free.f_bavail * free.f_frsize, 5 << 20)
        wait_until(lambda: gateway.events("disk"), 5, "the event in the catalog, which has room")


class Crash(Case):
    def feed(self, config, kills):
        """600 seconds of samples, a message each, all acknowledged; what was derived."""
        gateway = self.begin(config)
        gateway.__enter__()
        client = self.client(gateway)
        for i in range(600):
            if i in kills:
                gateway.kill()
                gateway.start()
                client = self.client(gateway)
            client.say("at/d/t", f"[[{1000000000 + i}, {(i * 7919) % 100}]]")
        gateway.stop()
        return with_times(gateway.data, "derived"), with_times(gateway.data, "input")

    def test_windows_over_a_kill_are_those_without_one(self):
        config = {"drivers": {"mqtt": MQTT},
                  "pipelines": {"w": {"select": ["d/*"], "stages": [
                      {"window": {"every": "60s", "give": ["mean", "count", "p90", "max"]}}]}}}
        whole, samples = self.feed(config, ())
        self.assertEqual(len(samples["d/t"]), 600)
        self.assertGreaterEqual(len(whole["w/d/t.mean"]), 8)
        for kills in ((30, 90, 91, 450), (1, 599)):
            broken, samples = self.feed(config, kills)
            self.assertEqual(len(samples["d/t"]), 600)
            for name, values in whole.items():
                self.assertEqual(broken.get(name), values, f"{name}, kills at {kills}")

    def test_an_action_runs_once_and_its_event_is_opened_once(self):
        gateway = self.begin({"drivers": {"mqtt": MQTT}, "rules": {
            "hot": {"when": "d/t > 50", "do": [{"publish": {"topic": "out/hot", "payload": "on", "qos": 1}}],
                    "on_clear": [{"publish": {"topic": "out/hot", "payload": "off", "qos": 1}}]}}})
        gateway.__enter__()
        sleeper = self.client(gateway, "sleeper", clean=False, expiry_s=1000)
        sleeper.listen("out/#", 1)
        self.client(gateway).say("d/t", 60)
        sleeper.wait_for(1)
        wait_until(lambda: gateway.events("rule"), 5, "the event in the catalog")
        for value in (61, 62):
            gateway.kill()
            gateway.start()
            self.client(gateway).say("d/t", value)
        gateway.kill()
        gateway.start()
        sleeper = self.client(gateway, "sleeper", clean=False, expiry_s=1000)
        self.client(gateway).say("d/t", 10)
        sleeper.wait_for(1)
        wait_until(lambda: sleeper.texts()[-1] == "off", what="the end")
        self.assertEqual(sleeper.texts()[-1:], ["off"])
        self.assertLessEqual(len(sleeper.texts()), 2)  # "on" again where its PUBACK was lost with the kill
        wait_until(lambda: not open_events(gateway, "rule"), 5, "clearing")
        wait_until(lambda: [e["state"] for e in gateway.events("rule")] == [2], 5, "one event, cleared")

    def test_a_condition_goes_on_counting_over_a_kill(self):
        gateway = self.begin({"drivers": {"mqtt": MQTT}, "rules": {
            "hot": {"when": "d/t > 50", "for": "2s", "do": [{"publish": {"topic": "out/hot", "payload": "on"}}]}}})
        gateway.__enter__()
        self.client(gateway).say("d/t", 60)
        gateway.kill()
        gateway.start()
        listener = self.client(gateway)
        listener.listen("out/#")
        listener.wait_for(1, 4)
        self.assertEqual(len(open_events(gateway, "rule")), 1)

    def test_a_window_that_was_open_ends_by_itself_after_a_restart(self):
        gateway = self.begin({"drivers": {"mqtt": MQTT}, "pipelines": {
            "w": {"select": ["d/*"], "stages": [{"window": {"every": "2s", "give": ["count"]}}]}}})
        gateway.__enter__()
        client = self.client(gateway)
        for i in range(10):
            client.say("d/t", i)
        gateway.restart()  # in order: the checkpoint has all, nothing runs again
        wait_until(lambda: sum(float(v) for v in in_journal(gateway.data, "w/d/t.count", "derived")) == 10, 8,
                   lambda: in_journal(gateway.data, "w/d/t.count", "derived"))


class Backlog(Case):
    def test_what_an_uplink_has_not_sent_outlives_restarts_of_a_journal_over_its_size(self):
        gateway = self.begin({"drivers": {"mqtt": MQTT},
                              "journal": {"segment_size": "64KiB", "retention": {"size": "1MiB"}, "reserve": "0"}})
        broker = Broker(gateway.make_folder())
        self.addCleanup(broker.kill)
        gateway.config["uplinks"] = {"north": {"uplink": "mqtt", "connect": f"mqtt://127.0.0.1:{broker.port}",
                                               "send": ["d/*"], "linger": "0s"}}
        gateway.__enter__()
        client = self.client(gateway)
        for i in range(400):
            client.say("d/text", f"{i:04}" + "x" * 8000)
        gateway.restart()
        gateway.kill()
        gateway.start()
        broker.start()
        listener = Client(broker.port)
        self.addCleanup(listener.leave)
        listener.listen("#", 1)
        gateway.restart()  # it tries again at once

        def heard():
            return {s["value"][:4] for m in listener.got if not m.topic.endswith("/status")
                    for s in json.loads(m.payload).get("samples", [])}

        wait_until(lambda: len(heard()) == 400, 30, lambda: f"400 messages, only {len(heard())}")


class Change(Case):
    def hangup(self, gateway, config, text):
        gateway.config = dict({"site": "faults"}, **config)
        gateway.write_config()
        before = gateway.log(1 << 20).count(text)
        gateway.process.send_signal(signal.SIGHUP)
        wait_until(lambda: gateway.log(1 << 20).count(text) > before, 15, lambda: f"{text}: {gateway.log()}")

    def taken(self, gateway, config):
        self.hangup(gateway, config, "a new configuration is in force")

    def refused(self, gateway, config):
        self.hangup(gateway, config, "not taken over")

    def test_what_did_not_change_goes_on(self):
        window = {"select": ["d/*"], "stages": [{"window": {"every": "60s", "give": ["count"]}}]}
        config = {"drivers": {"mqtt": MQTT}, "pipelines": {"w": window}}
        gateway = self.begin(config)
        gateway.__enter__()
        client = self.client(gateway)
        for i in range(20):
            client.say("at/d/t", f"[[{1000000020 + i}, {i}]]")
            if i in (5, 10, 15):
                self.taken(gateway, dict(config, pipelines={"w": window, f"x{i}": {"select": ["e/*"], "stages": []}}))
        client.say("at/d/t", "[[1000000100, 0]]")
        wait_until(lambda: in_journal(gateway.data, "w/d/t.count", "derived") == ["20"], 5,
                   lambda: in_journal(gateway.data, "w/d/t.count", "derived"))
        self.assertFalse(client.gone.is_set(), "the connection was ended")

    def test_a_wrong_configuration_changes_nothing(self):
        config = {"drivers": {"mqtt": MQTT},
                  "rules": {"hot": {"when": "d/t > 50", "do": [{"publish": {"topic": "out/hot", "payload": "on"}}]}}}
        gateway = self.begin(config)
        gateway.__enter__()
        client = self.client(gateway)
        client.listen("out/#")
        other = socket.socket()
        self.addCleanup(other.close)
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        for wrong in ({"rules": {"hot": {"when": "d/t >"}}}, {"nonsense": 1}, {"shards": 3},
                      {"drivers": {"mqtt": MQTT, "second": dict(MQTT, driver="mqtt", listen=f"127.0.0.1:{taken}")}}):
            self.refused(gateway, dict(config, **wrong))
        client.say("d/t", 60)
        client.wait_for(1)
        self.assertFalse(client.gone.is_set(), "the connection was ended")

    def test_a_driver_that_cannot_start_leaves_the_old_one_at_work(self):
        config = {"drivers": {"mqtt": MQTT}}
        gateway = self.begin(config)
        gateway.__enter__()
        sleeper = self.client(gateway, "sleeper", clean=False, expiry_s=1000)
        sleeper.listen("d/#", 1)
        sleeper.leave()
        self.client(gateway).say("d/t", 1)
        other = socket.socket()
        self.addCleanup(other.close)
        other.bind(("127.0.0.1", 0))
        other.listen()
        self.refused(gateway, {"drivers": {"mqtt": dict(MQTT, listen=f"127.0.0.1:{other.getsockname()[1]}")}})
        self.client(gateway).say("d/t", 2)
        sleeper = self.client(gateway, "sleeper", clean=False, expiry_s=1000)
        self.assertTrue(sleeper.present, "the session is gone")
        sleeper.wait_for(2)
        self.assertEqual(sleeper.texts(), ["1", "2"])
        # and a change that works takes the session along to another port
        port = free_port()
        sleeper.leave()
        self.taken(gateway, {"drivers": {"mqtt": dict(MQTT, listen=f"127.0.0.1:{port}", max_packet="2MiB")}})
        moved = Client(port, "sleeper", clean=False, expiry_s=1000)
        self.addCleanup(moved.leave)
        self.assertTrue(moved.present)

    def test_an_uplink_takes_another_selection_without_a_new_connection(self):
        gateway = self.begin({})
        broker = Broker(gateway.make_folder())
        self.addCleanup(broker.kill)
        broker.start()
        listener = Client(broker.port)
        self.addCleanup(listener.leave)
        listener.listen("#", 1)

        def config(send):
            return {"drivers": {"mqtt": MQTT},
                    "uplinks": {"north": {"uplink": "mqtt", "connect": f"mqtt://127.0.0.1:{broker.port}", "send": send,
                                          "linger": "0s"}}}

        def heard(word):
            return [m for m in listener.got if word.encode() in m.payload and not m.topic.endswith("/status")]

        gateway.config.update(config(["a/*"]))
        gateway.__enter__()
        wait_until(lambda: gateway.metric("ganglion_uplink_up"), 10, "the uplink")
        client = self.client(gateway)
        client.say("a/first", 1)
        client.say("b/second", 2)
        wait_until(lambda: heard("first"), 10, "what is selected")
        for i in range(3):  # several: what the engine borrows must be there after each
            self.taken(gateway, config([f"none{i}/*"]))
        self.taken(gateway, config(["b/*"]))
        client.say("a/third", 3)
        client.say("b/fourth", 4)
        wait_until(lambda: heard("fourth"), 10, "what is selected now")
        self.assertFalse(heard("second") or heard("third"))
        self.assertEqual(gateway.metric("ganglion_uplink_connects_total"), 1)

    def test_many_changes_under_load(self):
        gateway = self.begin({"drivers": {"mqtt": dict(MQTT, topics={"{device}/state": "json"})},
                              "journal": {"reserve": "0"}})
        gateway.__enter__()
        acked = os.path.join(gateway.folder, "acked")
        load = subprocess.Popen([LOAD, "acked", f"127.0.0.1:{gateway.mqtt_port}", "clients=4", "window=20", "qos=1",
                                 "seconds=3", f"file={acked}"], stdout=subprocess.DEVNULL)
        for i in range(1, 13):
            pipelines = {f"p{k}": {"select": ["load*/*"], "stages": [{"deadband": i + k}, {"window": {"every": "1s"}}]}
                         for k in range(i % 4)}
            rules = {"r": {"when": f"load0/n > {i}", "do": [{"publish": {"topic": "r", "payload": "{value}"}}]}}
            self.taken(gateway, {"drivers": {"mqtt": dict(MQTT, topics={"{device}/state": "json"})},
                                 "journal": {"reserve": "0"}, "pipelines": pipelines, "rules": rules if i % 2 else {}})
        self.assertEqual(load.wait(20), 0)
        self.assertGreater(os.path.getsize(acked), 1000)


class Pressure(Case):
    def test_a_subscriber_that_does_not_read_costs_bounded_memory(self):
        gateway = self.begin({"drivers": {"mqtt": MQTT}})
        gateway.__enter__()
        with socket.create_connection(("127.0.0.1", gateway.mqtt_port)) as deaf:
            deaf.sendall(b"\x10\x10\x00\x04MQTT\x04\x02\x00\x00\x00\x04deaf" +
                         b"\x82\x06\x00\x01\x00\x01#\x00")
            self.assertEqual(deaf.recv(4), b"\x20\x02\x00\x00")
            client = self.client(gateway)
            before = gateway.rss_mib()
            text = "x" * 4000
            for i in range(20000):  # 80 MB
                client.publish("d/text", text, 0)
                if i % 500 == 0:
                    client.say("d/n", i)
            checked = "san" in os.path.basename(BUILD)  # a checker keeps what was freed for a while
            self.assertLess(gateway.rss_mib() - before, 400 if checked else 60)
            self.assertGreater(gateway.metric("ganglion_mqtt_dropped_total"), 0)

    def test_little_memory_for_batches_holds_clients_back_and_loses_nothing(self):
        gateway = self.begin({"drivers": {"mqtt": dict(MQTT, topics={"{device}/state": "json"})},
                              "limits": {"batch_memory": "1MiB"}, "journal": {"reserve": "0"}})
        gateway.__enter__()
        acked = os.path.join(gateway.folder, "acked")
        load = subprocess.run([LOAD, "acked", f"127.0.0.1:{gateway.mqtt_port}", "clients=50", "window=200", "qos=1",
                               "seconds=3", f"file={acked}"], stdout=subprocess.PIPE, check=True, timeout=30)
        self.assertEqual(json.loads(load.stdout)["lost_connections"], 0)
        watch = Watch(self)
        gateway.kill()
        gateway.start()
        watch.look(gateway.data)
        with open(acked, encoding="ascii") as f:
            for line in f:
                topic, _, number = line.partition(" ")
                self.assertIn(int(number), watch.numbers[topic.partition("/")[0]])

    def test_a_recording_at_full_speed_arrives_whole(self):
        gateway = self.begin({"journal": {"reserve": "0"}, "history": {"enabled": False}, "drivers": {
            "play": {"driver": "replay", "file": "{folder}/rows.csv", "device": "r", "speed": "max"}}})
        with open(os.path.join(gateway.make_folder(), "rows.csv"), "w", encoding="ascii") as f:
            f.write("time,a,b,c\n")
            for i in range(200000):
                f.write(f"{1000000000 + i},{i},{i % 7},{i % 11}\n")
        gateway.__enter__()
        gateway.wait_log("the recording has ended", 30)
        gateway.stop()
        values = in_journal(gateway.data, "r/a")
        self.assertEqual(len(values), 200000)
        self.assertEqual(values, [str(i) for i in range(200000)])


class Threads(Case):
    def test_a_thousand_clients_that_come_and_go_leave_nothing_behind(self):
        gateway = self.begin({"drivers": {"mqtt": MQTT}})
        gateway.__enter__()
        hello = b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x00\x00\x00"

        def come_and_go():
            for _ in range(100):
                with socket.create_connection(("127.0.0.1", gateway.mqtt_port)) as s:
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    s.sendall(hello + b"\x32\x08\x00\x03d/t\x00\x017")  # and gone before its PUBACK

        threads = [threading.Thread(target=come_and_go) for _ in range(10)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.client(gateway).say("d/t", 8)
        wait_until(lambda: gateway.metric("ganglion_mqtt_clients") <= 1, 10, "all have gone")


if __name__ == "__main__":
    unittest.main()

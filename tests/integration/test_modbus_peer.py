"""The Modbus driver at a server of another house (pymodbus): rules write to it, what it refuses is told, and who does
not answer holds up nobody."""
import socket
import struct
import threading
import time
import unittest

from gateway import Gateway, wait_until
from modbus_peer import COILS, DISCRETES, HOLDING, INPUTS, Peer


def driver(port="{modbus_port}", **more):
    return dict({"driver": "modbus", "connect": f"tcp://127.0.0.1:{port}", "unit": 1, "poll": "50ms",
                 "timeout": "300ms", "backoff": "200ms", "backoff_max": "500ms"}, **more)


def words(value, form=">f"):
    return list(struct.unpack(f">{struct.calcsize(form) // 2}H", struct.pack(form, value)))


class Modbus(unittest.TestCase):
    def begin(self, drivers, rules=None, units=(1,)):
        self.gateway = Gateway({"site": "plant", "drivers": drivers, "rules": rules or {}})
        self.addCleanup(self.gateway.__exit__)
        self.peer = Peer(self.gateway.modbus_port, units)
        self.addCleanup(self.peer.stop)
        self.gateway.__enter__()

    def last(self, name):
        status, signal = self.gateway.api("GET", "/api/v1/signals/" + name)
        return signal.get("last", {}) if status == 200 else {}

    def wait_value(self, name, value, timeout_s=10):
        wait_until(lambda: self.last(name).get("value") == value, timeout_s,
                   lambda: f"{name} is {value}: {self.last(name)}\n{self.gateway.log()}")

    def test_a_rule_writes_coils_and_registers_and_reads_them_back(self):
        self.begin({"boiler": driver(signals={
            "temperature": {"address": "input 0", "type": "float32", "unit": "degC"},
            "burner": {"address": "coil 17", "writable": True, "readback": True},
            "setpoint": {"address": "holding 40", "type": "float32", "writable": True, "readback": True},
            "mode": {"address": "holding 50", "writable": True},
            "alarm": {"address": "holding 51", "bit": 3, "writable": True, "readback": True}})},
            {"hot": {"when": "boiler/temperature > 95", "do": [
                {"write": {"boiler/burner": "off", "boiler/setpoint": "= {value} - 20", "boiler/mode": "7",
                           "boiler/alarm": "on"}}]}})
        self.peer.set(COILS, 17, [True])
        self.peer.set(HOLDING, 51, [0x00f0])
        self.peer.set(INPUTS, 0, words(50.0))
        self.wait_value("boiler/burner", True)
        self.wait_value("boiler/temperature", 50.0)
        self.peer.set(INPUTS, 0, words(100.0))
        wait_until(lambda: self.peer.get(COILS, 17) == [False], what=lambda: self.gateway.events("action-failed"))
        wait_until(lambda: self.peer.get(HOLDING, 40, 2) == words(80.0))
        wait_until(lambda: self.peer.get(HOLDING, 50) == [7])
        wait_until(lambda: self.peer.get(HOLDING, 51) == [0x00f8], what="the bit, and the others as they were")
        self.wait_value("boiler/burner", False)
        self.wait_value("boiler/setpoint", 80.0)

    def test_people_write_through_the_api_and_hear_what_is_wrong(self):
        self.begin({"boiler": driver(signals={
            "setpoint": {"address": "holding 40", "type": "int16", "scale": 0.1, "writable": True, "low": 0,
                         "high": 90},
            "level": {"address": "holding 41"}, "far": {"address": "holding 5000", "writable": True}})})
        self.wait_value("boiler/level", 0)
        self.assertEqual(self.gateway.api("PUT", "/api/v1/signals/boiler/setpoint", {"value": 21.5})[0], 204)
        self.assertEqual(self.peer.get(HOLDING, 40), [215])
        for name, value in (("setpoint", 91), ("setpoint", "warm"), ("level", 1), ("far", 1)):
            status, problem = self.gateway.api("PUT", f"/api/v1/signals/boiler/{name}", {"value": value})
            self.assertGreaterEqual(status, 400, f"{name}: {problem}")
            self.assertTrue(problem["detail"])
        self.assertEqual(self.peer.get(HOLDING, 40), [215])

    def test_every_type_reads_right(self):
        self.begin({"m": driver(signals={
            "i16": {"address": "holding 0", "type": "int16"},
            "u32": {"address": "holding 2", "type": "uint32"},
            "i64": {"address": "holding 4", "type": "int64"},
            "f64": {"address": "holding 8", "type": "float64"},
            "swapped": {"address": "holding 12", "type": "float32", "order": "CDAB"},
            "little": {"address": "holding 14", "type": "uint32", "order": "little"},
            "bcd": {"address": "holding 16", "type": "bcd32"},
            "name": {"address": "holding 20", "type": "string", "length": 12},
            "modicon": {"address": "40031"}, "input": {"address": "30006"}, "contact": {"address": "discrete 9"}})})
        for address, value, form in ((0, -5, ">h"), (2, 4000000000, ">I"), (4, -2**40, ">q"), (8, -1.25e100, ">d")):
            self.peer.set(HOLDING, address, words(value, form))
        self.peer.set(HOLDING, 12, words(-7.5)[::-1])
        self.peer.set(HOLDING, 14, [0x7856, 0x3412])
        self.peer.set(HOLDING, 16, [0x1234, 0x5678])
        self.peer.set(HOLDING, 20, list(struct.unpack(">6H", b"Pumpe 7\0\0\0\0\0")))
        self.peer.set(HOLDING, 30, [31])
        self.peer.set(INPUTS, 5, [6])
        self.peer.set(DISCRETES, 9, [True])
        for name, value in (("i16", -5), ("u32", 4000000000), ("i64", -2**40), ("f64", -1.25e100), ("swapped", -7.5),
                            ("little", 0x12345678), ("bcd", 12345678), ("name", "Pumpe 7"), ("modicon", 31),
                            ("input", 6), ("contact", True)):
            self.wait_value("m/" + name, value)

    def test_what_the_device_refuses_is_bad_and_the_rest_good(self):
        self.begin({"m": driver(signals={"good": {"address": "holding 1"}, "none": {"address": "holding 5000"}})})
        self.peer.set(HOLDING, 1, [5])
        self.wait_value("m/good", 5)
        wait_until(lambda: self.last("m/none").get("quality") == "bad", what=lambda: self.last("m/none"))
        self.assertIn("address", str(self.last("m/none")))
        self.assertEqual(self.gateway.events("device-lost"), [])

    def asked_until(self, name):
        """What was asked of the device from its first request on until that signal has a value of this run."""
        wait_until(lambda: self.last(name).get("quality") == "good", what=lambda: self.last(name))
        return [(address, count) for function, address, count in list(self.peer.asked) if function == 3]

    def test_what_was_learnt_of_a_device_outlives_a_restart(self):
        # The device has 0 to 199, and 12 of the others are asked for.
        signals = {f"r{i}": {"address": f"holding {i}"} for i in range(150, 212)}
        self.begin({"m": driver(signals=signals, max_gap=8)})

        def illegal_among_others(asked):
            return [(address, count) for address, count in asked if address + count > 200 and count > 1]
        self.assertTrue(illegal_among_others(self.asked_until("m/r150")), "it is found out first")
        wait_until(lambda: "12 of its signals" in str(self.gateway.events("address-refused")), 10, self.gateway.log)
        kept = self.gateway.metric("ganglion_driver_kept_total")
        wait_until(lambda: self.gateway.metric("ganglion_driver_kept_total") >= 1, 10, f"a record is kept, {kept}")
        for end in (self.gateway.stop, self.gateway.kill):
            end()
            self.peer.asked.clear()
            self.gateway.start()
            asked = self.asked_until("m/r199")
            self.assertEqual(illegal_among_others(asked), [])
            # Asked once, alone: each has a value, and a device that knows them by now is found out.
            wait_until(lambda: all(self.last(f"m/r{i}").get("quality") == "bad" for i in range(200, 212)), 10,
                       lambda: self.last("m/r211"))
            time.sleep(0.5)  # ten polls
            alone = [address for function, address, count in list(self.peer.asked) if address >= 200]
            self.assertEqual(sorted(set(alone)), list(range(200, 212)))
            self.assertLessEqual(len(alone), 24, "once more where a minute begins, and not with each poll")
            self.assertEqual(illegal_among_others([(a, n) for function, a, n in list(self.peer.asked)]), [])
        self.assertEqual(len(self.gateway.events("address-refused")), 1)
        # With one signal less it is another configuration: what was learnt is not taken over.
        self.gateway.stop()
        self.peer.asked.clear()
        del self.gateway.config["drivers"]["m"]["signals"]["r160"]
        self.gateway.start()
        self.assertTrue(illegal_among_others(self.asked_until("m/r150")))

    def polls(self, name, seconds):
        """How often a signal was read in that time."""
        value, count, end = [None], 0, time.monotonic() + seconds
        while time.monotonic() < end:
            now = self.last(name).get("time")
            count += now != value[0]
            value[0] = now
            time.sleep(0.01)
        return count

    def test_a_dead_device_does_not_delay_a_living_one(self):
        with socket.socket() as silent:  # takes connections and never says a word
            silent.bind(("127.0.0.1", 0))
            silent.listen()
            threading.Thread(target=self.accept, args=(silent,), daemon=True).start()
            self.begin({"alive": driver(signals={"x": {"address": "holding 1"}}),
                        "dead": driver(silent.getsockname()[1], signals={"x": {"address": "holding 1"}}),
                        "gone": driver(1, signals={"x": {"address": "holding 1"}})})
            self.wait_value("alive/x", 0)
            self.gateway.wait_log("no answer from unit 1")
            self.assertGreater(self.polls("alive/x", 2), 25)
            self.assertEqual({e["device"] for e in self.gateway.events("device-lost")} & {"alive"}, set())

    @staticmethod
    def accept(listener):
        kept = []
        while True:
            try:
                kept.append(listener.accept())
            except OSError:
                return

    def test_a_dead_unit_on_a_line_costs_its_neighbour_no_more_than_a_time_out_now_and_then(self):
        self.begin({"line": driver(unit=0, devices={
            "alive": {"unit": 1, "signals": {"x": {"address": "holding 1"}}},
            "dead": {"unit": 9, "signals": {"x": {"address": "holding 1"}}}})}, units=(1,))
        self.wait_value("alive/x", 0)
        self.gateway.wait_log("no answer from unit 9")
        time.sleep(1)  # till the pauses between questions to the dead one have grown
        self.assertGreater(self.polls("alive/x", 3), 15)

    def test_a_peer_that_restarts_is_found_again_and_lost_events_clear(self):
        self.begin({"m": driver(signals={"x": {"address": "holding 1"}})})
        self.peer.set(HOLDING, 1, [1])
        self.wait_value("m/x", 1)
        self.peer.stop()
        wait_until(lambda: self.last("m/x").get("quality") == "bad", what=lambda: self.last("m/x"))
        self.peer.set(HOLDING, 1, [2])
        self.peer.start()
        self.wait_value("m/x", 2)
        wait_until(lambda: all(e["state"] == 2 for e in self.gateway.events("device-lost")), 15,
                   lambda: self.gateway.events("device-lost"))


if __name__ == "__main__":
    unittest.main()

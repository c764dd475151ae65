"""The Modbus driver on its other lines and under change: TLS with certificates both ways, a serial line over a pair of
pseudo terminals, register lists, changes while it runs, and who made the device."""
import json
import os
import select
import signal
import ssl
import subprocess
import threading
import time
import tty
import unittest

from pymodbus import ModbusDeviceIdentification

from gateway import BINARY, BUILD, Gateway, wait_until
from modbus_peer import HOLDING, INPUTS, Peer
from peers import Certificates
from test_modbus_peer import driver, words

PLANT = os.path.join(BUILD, "site", "ganglion-modbus-site")


class Cable:
    """Two pseudo terminals whose masters are joined: what one end says the other hears. Can be cut."""

    def __init__(self):
        self.masters, self.ends = [], []
        for _ in range(2):
            master, slave = os.openpty()
            tty.setraw(slave)
            self.masters.append(master)
            self.ends.append(slave)
        self.names = [os.ttyname(end) for end in self.ends]
        self.cut, self.done = False, os.pipe()
        self.thread = threading.Thread(target=self.carry, daemon=True)
        self.thread.start()

    def carry(self):
        while True:
            ready = select.select([*self.masters, self.done[0]], [], [])[0]
            if self.done[0] in ready:
                return
            for at in ready:
                data = os.read(at, 512)
                if not self.cut:
                    os.write(self.masters[1 - self.masters.index(at)], data)

    def close(self):
        os.write(self.done[1], b"x")
        self.thread.join(5)
        for fd in (*self.masters, *self.ends, *self.done):
            os.close(fd)


class WithGateway(unittest.TestCase):
    def begin(self, drivers, rules=None, files=None):
        self.gateway = Gateway({"site": "plant", "drivers": drivers, "rules": rules or {}})
        self.addCleanup(self.gateway.__exit__)
        folder = self.gateway.make_folder()
        for name, text in (files or {}).items():
            with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
                f.write(text)

    def last(self, name):
        status, got = self.gateway.api("GET", "/api/v1/signals/" + name)
        return got.get("last", {}) if status == 200 else {}

    def wait_value(self, name, value, timeout_s=10):
        wait_until(lambda: self.last(name).get("value") == value, timeout_s,
                   lambda: f"{name} is {value}: {self.last(name)}\n{self.gateway.log()}")


class Security(WithGateway):
    """Modbus/TCP Security: TLS, and each side shows a certificate."""

    def begin_tls(self, **tls):
        self.begin({"meter": driver(connect="tls://127.0.0.1:{modbus_port}", tls=tls, signals={
            "power": {"address": "input 0", "type": "float32"},
            "limit": {"address": "holding 10", "writable": True, "readback": True}})})
        self.certificates = Certificates(self.gateway.folder)
        server, key = self.certificates.make("meter")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(server, key)
        context.load_verify_locations(self.certificates.ca)
        context.verify_mode = ssl.CERT_REQUIRED
        self.peer = Peer(self.gateway.modbus_port, tls=context)
        self.addCleanup(self.peer.stop)
        self.peer.set(INPUTS, 0, words(1.5))

    def test_who_shows_a_certificate_reads_and_writes(self):
        self.begin_tls(ca="{folder}/tls/ca.crt", certificate="{folder}/tls/gateway.crt", key="{folder}/tls/gateway.key")
        self.certificates.make("gateway")
        self.gateway.start()
        self.wait_value("meter/power", 1.5)
        self.assertEqual(self.gateway.api("PUT", "/api/v1/signals/meter/limit", {"value": 70})[0], 204)
        self.assertEqual(self.peer.get(HOLDING, 10), [70])

    def test_who_shows_none_is_turned_away(self):
        self.begin_tls(ca="{folder}/tls/ca.crt")
        self.gateway.start()
        wait_until(lambda: self.gateway.events("device-lost"), 15, self.gateway.log)
        self.assertEqual(self.last("meter/power").get("quality", "bad"), "bad")

    def test_a_server_of_a_stranger_is_not_talked_to(self):
        self.begin_tls(verify=True)  # by the system's authorities, of which this one is none
        self.gateway.start()
        wait_until(lambda: self.gateway.events("device-lost"), 15, self.gateway.log)
        self.assertIn("certificate", self.gateway.events("device-lost")[0]["title"])


@unittest.skipUnless(os.path.exists(PLANT), "no plant (libmodbus)")
class Serial(WithGateway):
    """RTU over a pair of pseudo terminals; libmodbus at the other end."""

    def setUp(self):
        self.cable = Cable()
        self.addCleanup(self.cable.close)
        self.plant = subprocess.Popen([PLANT, "--ports", "0", "--serial", self.cable.names[1]],
                                      stdout=subprocess.DEVNULL)
        self.addCleanup(self.end_plant)

    def end_plant(self):
        self.plant.terminate()
        self.plant.wait(10)

    def test_a_serial_line_reads_writes_and_survives_a_cut_cable(self):
        self.begin({"bus": {"driver": "modbus", "connect": "rtu:" + self.cable.names[0], "poll": "100ms",
                            "timeout": "300ms", "backoff": "100ms", "backoff_max": "200ms", "devices": {
                                "pump": {"unit": 1, "signals": {
                                    "speed": {"address": "holding 2", "type": "float32", "writable": True,
                                              "readback": True},
                                    "flow": {"address": "input 4", "type": "float32"}}},
                                "all": {"unit": 0, "signals": {
                                    "mode": {"address": "holding 8", "writable": True}}}}}})
        self.gateway.start()
        wait_until(lambda: self.last("pump/flow").get("quality") == "good", 15, self.gateway.log)
        self.assertEqual(self.gateway.api("PUT", "/api/v1/signals/pump/speed", {"value": 12.5})[0], 204)
        self.wait_value("pump/speed", 12.5)
        self.assertEqual(self.gateway.api("PUT", "/api/v1/signals/all/mode", {"value": 3})[0], 204)
        self.cable.cut = True
        wait_until(lambda: self.last("pump/flow").get("quality") == "bad", 10, self.gateway.log)
        self.cable.cut = False
        wait_until(lambda: self.last("pump/flow").get("quality") == "good", 10, self.gateway.log)
        wait_until(lambda: all(e["state"] == 2 for e in self.gateway.events("device-lost")), 10,
                   lambda: self.gateway.events("device-lost"))


class Lists(WithGateway):
    def test_many_devices_share_a_list_of_registers(self):
        rows = "Tag Name,Address,Data Type,Client Access\n" + "".join(
            f"t{i},4{i * 2 + 1:04d},Float,{'R/W' if i == 3 else 'RO'}\n" for i in range(50))
        self.begin({"line": driver(devices={name: {"unit": unit, "registers": "{folder}/meter.csv"}
                                            for unit, name in ((1, "a"), (2, "b"))}, unit=0)},
                   files={"meter.csv": rows})
        peer = Peer(self.gateway.modbus_port, (1, 2))
        self.addCleanup(peer.stop)
        for unit in (1, 2):
            peer.set(HOLDING, 98, words(float(unit)), unit)
        self.gateway.start()
        self.wait_value("a/t49", 1.0)
        self.wait_value("b/t49", 2.0)
        self.assertEqual(self.gateway.api("PUT", "/api/v1/signals/b/t3", {"value": 7.5})[0], 204)
        self.assertEqual(peer.get(HOLDING, 6, 2, unit=2), words(7.5))
        self.assertGreaterEqual(self.gateway.api("PUT", "/api/v1/signals/b/t4", {"value": 7.5})[0], 400)

    def test_a_slip_in_a_list_is_told_with_its_place(self):
        self.begin({"line": driver(unit=1, registers="{folder}/meter.csv")},
                   files={"meter.csv": "name,address,type\na,40001,float32\nb,40003,flaot\n"})
        with self.assertRaises(AssertionError):
            self.gateway.start()
        self.assertIn("meter.csv: 3:9: expected a type", self.gateway.log())


class Changes(WithGateway):
    def reload(self):
        self.gateway.write_config()
        self.gateway.process.send_signal(signal.SIGHUP)

    def test_a_device_that_changes_disturbs_no_other(self):
        devices = {name: {"unit": unit, "signals": {"x": {"address": "holding 1"}}}
                   for unit, name in ((1, "a"), (2, "b"), (3, "c"))}
        self.begin({"line": driver(devices=devices, unit=0)})
        peer = Peer(self.gateway.modbus_port, (1, 2, 3, 4))
        self.addCleanup(peer.stop)
        for unit in (1, 2, 3, 4):
            peer.set(HOLDING, 1, [unit, unit + 10], unit)
        self.gateway.start()
        for unit, name in ((1, "a"), (2, "b"), (3, "c")):
            self.wait_value(name + "/x", unit)
        devices["b"]["signals"]["y"] = {"address": "holding 2"}
        devices["d"] = {"unit": 4, "signals": {"x": {"address": "holding 1"}}}
        del devices["c"]
        self.reload()
        self.wait_value("b/y", 12)
        self.wait_value("d/x", 4)
        before = self.last("a/x")["time"]
        wait_until(lambda: self.last("a/x")["time"] != before, what="a is still read")
        self.assertEqual(self.gateway.events("device-lost"), [])
        self.assertEqual(self.gateway.metric("ganglion_modbus_disconnects_total"), 0)
        self.assertEqual(self.gateway.log(1 << 20).count('device answers device="a"'), 1)
        silent = self.last("c/x")["time"]
        time.sleep(0.3)
        self.assertEqual(self.last("c/x")["time"], silent)

    def test_a_wrong_change_changes_nothing(self):
        devices = {"a": {"unit": 1, "signals": {"x": {"address": "holding 1"}}}}
        self.begin({"line": driver(devices=devices, unit=0)})
        peer = Peer(self.gateway.modbus_port)
        self.addCleanup(peer.stop)
        peer.set(HOLDING, 1, [5])
        self.gateway.start()
        self.wait_value("a/x", 5)
        devices["a"]["signals"]["y"] = {"address": "17"}
        self.reload()
        self.gateway.wait_log("could mean two things")
        peer.set(HOLDING, 1, [6])
        self.wait_value("a/x", 6)


class Identity(WithGateway):
    def test_who_made_a_device_is_shown_with_it(self):
        self.begin({"m": driver(signals={"x": {"address": "holding 1"}})})
        peer = Peer(self.gateway.modbus_port, identity=ModbusDeviceIdentification(info_name={
            "VendorName": "Acme", "ProductCode": "P-7", "MajorMinorRevision": "2.1", "VendorUrl": "http://acme.example",
            "ProductName": "Meter", "ModelName": "M1", "UserApplicationName": "cellar"}))
        self.addCleanup(peer.stop)
        self.gateway.start()

        def properties():
            return self.gateway.api("GET", "/api/v1/devices/m")[1].get("properties", {})
        wait_until(lambda: "application" in properties(), 10, lambda: f"{properties()} {self.gateway.log()}")
        self.assertEqual(properties(), {
            "vendor": "Acme", "product": "P-7", "revision": "2.1", "url": "http://acme.example",
            "product_name": "Meter", "model": "M1", "application": "cellar"})
        shown = subprocess.run([BINARY, "device", "show", "m", "--data", self.gateway.data], capture_output=True,
                               text=True, timeout=20, check=False)
        self.assertIn("vendor: Acme", shown.stdout, shown.stderr)

    def test_a_refused_address_is_one_event_and_hurts_no_other_signal(self):
        self.begin({"m": driver(signals={"good": {"address": "holding 1"}, "near": {"address": "holding 205"},
                                         "far": {"address": "holding 5000"}})})
        peer = Peer(self.gateway.modbus_port)
        self.addCleanup(peer.stop)
        peer.set(HOLDING, 1, [5])
        self.gateway.start()
        self.wait_value("m/good", 5)
        wait_until(lambda: self.gateway.events("address-refused"), 10, self.gateway.log)
        time.sleep(0.5)
        events = self.gateway.events("address-refused")
        self.assertEqual(len(events), 1)
        self.assertIn("far (holding 5000)", events[0]["title"])
        self.assertIn("near (holding 205)", events[0]["title"])
        self.assertEqual(json.loads(json.dumps(self.last("m/good")))["quality"], "good")


if __name__ == "__main__":
    unittest.main()

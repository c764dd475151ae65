"""The command line against a real gateway: each command for people and as JSON, its errors and its exit status; and
replay, which must find nothing where nothing changed, and what a change would have done."""
import csv
import fcntl
import io
import json
import math
import os
import pty
import re
import select
import shutil
import socket
import struct
import subprocess
import tempfile
import termios
import time
import unittest

from gateway import BINARY, Gateway, free_port, wait_until
from peers import Client

CONFIG = {
    "site": "test-hall",
    "drivers": {"mqtt": {"listen": "127.0.0.1:{mqtt_port}", "topics": {"{device}/{signal}": "plain"},
                         "write": "{device}/{signal}/set"}},
    "pipelines": {"heat": {"select": ["press-*/temperature"],
                           "stages": [{"deadband": 0.1}, {"window": {"every": "1s", "give": ["mean", "max"]}}]},
                  "watch": {"select": ["press-*/temperature"], "stages": ["detect"]}},
    "rules": {"hot": {"when": "press-1/temperature > 90", "severity": "critical",
                      "do": [{"publish": {"topic": "alarm/hot", "payload": "hot"}}]},
              "cold": {"when": "press-1/temperature < 10", "severity": "warning"}},
}


def run(*args, env=None, stdin=None, cwd=None):
    clean = {k: v for k, v in os.environ.items() if not k.startswith("GANGLION_")}
    return subprocess.run([BINARY, *args], capture_output=True, text=True, timeout=60, check=False, input=stdin,
                          env={**clean, **(env or {})}, cwd=cwd)


def on_terminal(*args, columns=60, typed=(), env=None):
    """Runs it on a terminal of its own; what it showed and its status. typed: pairs (prompt, answer)."""
    pid, fd = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "xterm"
        os.environ.update(env or {})
        os.execv(BINARY, [BINARY, *args])
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
    shown, typed, end = b"", list(typed), time.monotonic() + 30
    while time.monotonic() < end:
        if not select.select([fd], [], [], 0.1)[0]:
            continue
        try:
            part = os.read(fd, 4096)
        except OSError:
            break
        if not part:
            break
        shown += part
        if typed and typed[0][0].encode() in shown:
            os.write(fd, typed.pop(0)[1].encode() + b"\n")
    os.close(fd)
    return shown.decode(), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


class Cli(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.gateway = Gateway(CONFIG)
        cls.gateway.__enter__()
        cls.addClassCleanup(cls.gateway.__exit__)
        device = Client(cls.gateway.mqtt_port, "press-1")
        for value in (40.5, 95.25, 41.0):
            device.say("press-1/temperature", str(value))
        device.say("press-1/state", "run\x1b[2Jning")
        device.leave()
        wait_until(lambda: cls.json("event", "list")["events"], what="the rule's event")

    @classmethod
    def cli(cls, *args, **kw):
        return run(args[0], *args[1:], "--data", cls.gateway.data, **kw)

    @classmethod
    def json(cls, *args):
        done = cls.cli(*args, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def good(self, *args, **kw):
        done = self.cli(*args, **kw)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def bad(self, status, *args, **kw):
        done = self.cli(*args, **kw)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stderr

    # ---- signals ----

    def test_lists_signals_with_value_quality_and_age(self):
        rows = self.good("signal", "list", "press-1/*").splitlines()
        self.assertEqual(rows[0].split(), ["SIGNAL", "VALUE", "UNIT", "QUALITY", "AGE"])
        self.assertTrue(any(r.startswith("press-1/temperature ") and " 41 " in r and "good" in r for r in rows))
        self.assertEqual(len(rows), 3)
        self.assertIn("no signal like nothing/*", self.good("signal", "list", "nothing/*"))

    def test_text_of_devices_does_not_reach_the_terminal_raw(self):
        self.assertNotIn("\x1b", self.good("signal"))
        self.assertNotIn("\x1b", self.good("signal", "get", "press-1/state"))

    def test_a_table_fits_the_terminal(self):
        shown, status = on_terminal("event", "list", "--data", self.gateway.data, columns=60)
        self.assertEqual(status, 0)
        plain = re.sub(r"\x1b\[[0-9;]*m", "", shown)
        self.assertTrue(all(len(line.rstrip("\r")) <= 60 for line in plain.split("\n")), plain)

    def test_gets_a_signal_and_names_the_nearest_when_there_is_none(self):
        self.assertIn("value     41", self.good("signal", "get", "press-1/temperature"))
        self.assertEqual(self.json("signal", "get", "press-1/temperature")["last"]["value"], 41)
        self.assertIn("Did you mean press-1/temperature?", self.bad(1, "signal", "get", "press-1/temprature"))

    def test_writes_to_a_device(self):
        device = Client(self.gateway.mqtt_port, "press-3")
        device.say("press-3/valve", "0")
        device.listen("press-3/valve/set", 1)
        self.good("signal", "write", "press-3/valve", "17.5")
        self.assertEqual(device.wait_for(1)[0][1], b"17.5")
        device.leave()

    def test_shows_history_as_table_csv_and_chart(self):
        wait_until(lambda: len(self.json("signal", "history", "press-1/temperature")["samples"]) == 3,
                   what="the history")
        self.assertIn("95.25", self.good("signal", "history", "press-1/temperature", "--from", "-1h"))
        rows = list(csv.reader(io.StringIO(self.good("signal", "history", "press-1/temperature", "--csv"))))
        self.assertEqual([r[1] for r in rows], ["value", "40.5", "95.25", "41"])
        self.assertIn("┤", self.good("signal", "history", "press-1/temperature", "--plot"))
        self.assertIn("how long ago", self.bad(2, "signal", "history", "press-1/temperature", "--from", "soon"))

    # ---- events ----

    def test_shows_why_an_event_opened_and_takes_what_people_say(self):
        event = next(e for e in self.json("event", "list", "--kind", "rule")["events"] if e["key"] == "hot")
        text = self.good("event", "show", str(event["id"]))
        for part in ("rule hot: opened", "when press-1/temperature > 90", "press-1/temperature = 95.25",
                     "action publish: done"):
            self.assertIn(part, text)
        self.good("event", "comment", str(event["id"]), "looked at it")
        self.assertIn("looked at it", self.good("event", "show", str(event["id"])))
        self.assertIn("cleared", self.bad(1, "event", "ack", str(event["id"])))
        self.assertIn("there is no event", self.bad(1, "event", "show", "5"))
        self.assertIn("no event", self.good("event", "list", "--open", "--kind", "rule"))

    def test_watching_tells_an_event_as_it_comes(self):
        process = subprocess.Popen([BINARY, "event", "list", "--watch", "--json", "--data", self.gateway.data],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        self.assertIn("watching", process.stderr.readline())
        time.sleep(1)  # its first look only remembers
        device = Client(self.gateway.mqtt_port, "press-1")
        device.say("press-1/temperature", "5")
        device.leave()
        told = json.loads(process.stdout.readline())
        self.assertEqual((told["kind"], told["key"], told["state"]), ("rule", "cold", "open"))
        self.good("event", "ack", str(told["id"]), "known")
        self.assertEqual(json.loads(process.stdout.readline())["state"], "acknowledged")
        device = Client(self.gateway.mqtt_port, "press-1")
        device.say("press-1/temperature", "41")
        device.leave()

    # ---- devices and keys ----

    def test_registers_devices_with_each_credential(self):
        password = self.good("device", "add", "cli-made").strip()
        self.assertGreaterEqual(len(password), 24)
        Client(self.gateway.mqtt_port, "cli-made", user="cli-made", password=password).leave()
        self.assertIn("registered already", self.bad(1, "device", "add", "cli-made"))
        self.good("device", "add", "cli-piped", "--password", stdin="on a pipe\n")
        Client(self.gateway.mqtt_port, "cli-piped", user="cli-piped", password="on a pipe").leave()
        with tempfile.NamedTemporaryFile("w") as f:
            f.write("from a file\n")
            f.flush()
            self.good("device", "add", "cli-file", "--password-file", f.name)
        Client(self.gateway.mqtt_port, "cli-file", user="cli-file", password="from a file").leave()
        token = self.good("device", "add", "cli-token", "--token", "--application").strip()
        Client(self.gateway.mqtt_port, "cli-token", user="cli-token", password=token).leave()
        self.good("device", "add", "cli-cert", "--certificate")
        listed = {d["id"]: d for d in self.json("device", "list")["devices"]}
        self.assertEqual(listed["cli-cert"]["registration"]["credential"], "certificate")
        self.assertTrue(listed["cli-token"]["registration"]["application"])
        self.good("device", "remove", "cli-made")
        self.assertNotIn("registration", self.json("device", "show", "cli-made"))
        self.assertIn("one credential", self.bad(2, "device", "add", "x", "--token", "--certificate"))

    def test_a_typed_password_is_not_shown(self):
        shown, status = on_terminal("device", "add", "cli-typed", "--password", "--data", self.gateway.data,
                                    typed=[("cli-typed: ", "sesame42"), ("once more: ", "sesame42")])
        self.assertEqual(status, 0, shown)
        self.assertNotIn("sesame42", shown)
        Client(self.gateway.mqtt_port, "cli-typed", user="cli-typed", password="sesame42").leave()
        shown, status = on_terminal("device", "add", "cli-typo", "--password", "--data", self.gateway.data,
                                    typed=[("cli-typo: ", "sesame42"), ("once more: ", "sesame43")])
        self.assertEqual(status, 1)
        self.assertIn("differ", shown)

    def test_shows_a_device_with_its_signals(self):
        text = self.good("device", "show", "press-1")
        self.assertIn("driver       mqtt", text)
        self.assertIn("press-1/temperature", text)
        self.assertIn("there is no device", self.bad(1, "device", "show", "nobody"))

    def test_a_key_opens_the_api_from_elsewhere_until_it_is_revoked(self):
        made = self.json("key", "create", "--role", "viewer", "--title", "wall", "--expires", "90d")
        url = f"http://127.0.0.1:{self.gateway.http_port}"
        there = {"GANGLION_TOKEN": made["token"]}
        self.assertEqual(run("signal", "--gateway", url, env=there).returncode, 0)
        refused = run("key", "list", "--gateway", url, env=there)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("administrator", refused.stderr)
        self.assertIn(made["id"], self.good("key", "list"))
        self.good("key", "revoke", made["id"])
        refused = run("signal", "--gateway", url, env=there)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("revoked", refused.stderr)
        self.assertIn("GANGLION_TOKEN", run("signal", "--gateway", url).stderr)
        self.assertIn("expires", self.bad(1, "key", "create", "--role", "viewer", "--expires", "soon"))
        self.assertIn("role", self.bad(1, "key", "create", "--role", "king"))

    # ---- queries ----

    def test_queries_as_table_json_csv_and_chart(self):
        sql = "SELECT signal, count(*) AS n FROM samples WHERE signal = 'press-1/state' GROUP BY 1"
        wait_until(lambda: self.json("query", sql) == [{"signal": "press-1/state", "n": 1}], what="the sample")
        self.assertIn("press-1/state  1", self.good("query", sql))
        self.assertEqual(self.good("query", "--csv", sql), "signal,n\npress-1/state,1\n")
        self.assertIn("┤", self.good("query", "--plot",
                                     "SELECT time, value FROM samples WHERE signal = 'press-1/temperature'"))
        self.assertIn("expected rows with a time", self.bad(1, "query", "--plot", "SELECT 1"))
        self.assertIn("syntax error", self.bad(1, "query", "SELEC 1"))
        self.assertIn("line 1, column 8; did you mean value?", self.bad(1, "query", "SELECT valu FROM samples"))
        self.assertIn("rollups", self.good("query", "--schema"))
        self.assertIn("only the first 2 rows", self.cli("query", "--limit", "2", "SELECT ns FROM samples").stderr)
        self.assertIn("in quotes", self.bad(2, "query", "SELECT", "1"))

    # ---- configuration ----

    def changed(self, change):
        config = self.gateway.fill(CONFIG)
        config["api"] = {"listen": f"127.0.0.1:{self.gateway.http_port}"}
        change(config)
        path = os.path.join(self.gateway.folder, "changed.yaml")
        with open(path, "w", encoding="utf-8") as f:
            json.dump(config, f, indent=1)
        return path

    def test_a_chart_suits_the_terminal(self):
        sql = "SELECT signal, time, value FROM samples WHERE signal IN ('press-1/temperature', 'heat/press-1/temperature.max')"
        wait_until(lambda: self.json("query", sql + " AND signal LIKE 'heat%'"), what="a window's end")
        shown, status = on_terminal("query", "--plot", sql, "--data", self.gateway.data, columns=70)
        self.assertEqual(status, 0)
        self.assertEqual(shown.count("┬"), 2, "one chart for both")
        self.assertIn("\x1b[36m━━\x1b[0m", shown)
        plain = re.sub(r"\x1b\[[0-9;]*m", "", shown)
        self.assertTrue(all(len(line.rstrip("\r")) <= 70 for line in plain.split("\n")), plain)
        shown, _ = on_terminal("query", "--plot", sql, "--data", self.gateway.data, env={"NO_COLOR": "1"})
        self.assertNotIn("\x1b[3", shown)
        self.assertEqual(shown.count("┬"), 4, "a chart for each")
        shown, _ = on_terminal("query", "--plot", sql, "--data", self.gateway.data, env={"LC_ALL": "C"})
        self.assertTrue(shown.isascii(), shown)

    def test_shows_changes_and_rolls_back_the_configuration(self):
        first = self.json("config", "show")["revision"]
        self.assertIn("site: test-hall", self.good("config", "show"))
        self.assertIn("no difference", self.good("config", "diff", self.changed(lambda c: None)))
        path = self.changed(lambda c: c["rules"].update(wet={"when": "press-1/humidity > 90"}))
        self.assertIn("+ rules.wet", self.good("config", "diff", path))
        self.assertIn("in force as revision", self.good("config", "apply", path))
        self.assertIn("wet", self.good("config", "show"))
        self.assertIn("in force", self.good("config", "history"))
        self.good("config", "rollback", str(first))
        self.assertNotIn("wet", self.good("config", "show"))

    def test_a_mistake_is_told_with_its_place_and_changes_nothing(self):
        path = self.changed(lambda c: c["pipelines"].update(more={"select": ["*"], "stages": ["dedband"]}))
        before = self.json("config", "show")["revision"]
        said = self.bad(1, "config", "apply", path)
        self.assertRegex(said, r"changed\.yaml:\d+:\d+: .*deadband")
        self.assertIn("stays", said)
        self.assertEqual(self.json("config", "show")["revision"], before)
        self.assertIn("No such file", self.bad(1, "config", "apply", "/nowhere.yaml"))

    def test_explains_components(self):
        self.assertIn("# ", run("config", "reference", "modbus").stdout)
        self.assertIn("did you mean 'modbus'", run("config", "reference", "modbuss").stderr)
        self.assertIn("properties", json.loads(run("config", "schema").stdout))

    # ---- doctor ----

    def test_the_doctor_finds_a_gateway_at_work_in_order(self):
        report = json.loads(self.cli("doctor", "--json", "--config", self.gateway.config_path).stdout)
        about = {f["about"] for f in report["findings"]}
        self.assertLessEqual({"clock", "data folder", "disk speed", "journal", "port", "gateway"}, about)
        wrong = {f["about"] for f in report["findings"] if f["verdict"] == "wrong"}
        self.assertLessEqual(wrong, {"device"})  # those of other tests have left

    # ---- how it is used wrongly ----

    def test_mistakes_on_the_command_line_exit_with_2_and_say_what_was_meant(self):
        self.assertIn("did you mean 'signal'", self.bad(2, "sinal"))
        self.assertIn("did you mean 'history'", self.bad(2, "signal", "hhistory"))
        self.assertIn("did you mean --watch", self.bad(2, "signal", "--wacth"))
        self.assertIn("needs NAME VALUE", self.bad(2, "signal", "write", "a/b"))
        self.assertIn("too many arguments", self.bad(2, "event", "show", "1", "2"))

    def test_every_command_has_help_with_an_example(self):
        commands = re.findall(r"^  (\w+) ", run("help").stdout, re.M)
        self.assertIn("doctor", commands)
        for name in commands:
            done = run(name, "--help")
            self.assertEqual(done.returncode, 0)
            self.assertIn("examples:\n  ganglion " + name, done.stdout)


class WithoutGateway(unittest.TestCase):
    def test_says_what_to_do_when_no_gateway_is_there(self):
        with tempfile.TemporaryDirectory() as folder:
            done = run("signal", cwd=folder)
            self.assertEqual(done.returncode, 1)
            if not os.path.exists("/var/lib/ganglion"):
                self.assertIn("ganglion run", done.stderr)
            done = run("signal", "--data", folder)
            self.assertEqual(done.returncode, 1)
            self.assertIn("not running", done.stderr)
            done = run("signal", "--gateway", f"http://127.0.0.1:{free_port()}")
            self.assertEqual(done.returncode, 1)
            self.assertIn("no answer", done.stderr)

    def test_finds_the_data_folder_by_variable_and_by_place(self):
        with Gateway(CONFIG) as gateway:
            self.assertEqual(run("signal", env={"GANGLION_DATA": gateway.data}).returncode, 0)
            os.symlink(gateway.data, os.path.join(gateway.folder, "ganglion-data"))
            self.assertEqual(run("signal", cwd=gateway.folder).returncode, 0)

    def test_the_doctor_tells_what_is_wrong_and_how_to_mend_it(self):
        with tempfile.TemporaryDirectory() as folder, socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            config = os.path.join(folder, "ganglion.yaml")
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                            "-days", "1", "-subj", "/CN=x", "-keyout", folder + "/k.pem", "-out", folder + "/c.pem"],
                           check=True, capture_output=True)
            with open(config, "w", encoding="utf-8") as f:
                json.dump({"api": {"listen": f"127.0.0.1:{port}"},
                           "drivers": {"mqtt": {"listen": f"tls://127.0.0.1:{free_port()}",
                                                "tls": {"certificate": folder + "/c.pem", "key": folder + "/none.pem"},
                                                "topics": {"{device}/{signal}": "plain"}}}}, f)
            done = run("doctor", "--json", "--config", config, "--data", folder)
            self.assertEqual(done.returncode, 1)
            findings = json.loads(done.stdout)["findings"]
            text = {f["about"]: f for f in findings if f["verdict"] != "fine"}
            self.assertIn(str(port), text["port"]["text"])
            self.assertIn("ss -ltnp", text["port"]["mend"])
            self.assertIn("none.pem", text["file"]["text"])
            self.assertIn("ends in ", text["certificate"]["text"])


class Replay(unittest.TestCase):
    """A curve through the gateway, with a kill in the middle; then the journal once more."""

    def setUp(self):
        self.gateway = Gateway(CONFIG)
        self.gateway.__enter__()
        self.addCleanup(self.gateway.__exit__)

    def play(self, count, device_id="press-1"):
        device = Client(self.gateway.mqtt_port, device_id)
        for i in range(count):
            device.say(f"{device_id}/temperature", f"{75 + 20 * math.sin(i / 15):.2f}")
            time.sleep(0.01)
        device.leave()

    def replay(self, *args):
        done = run("replay", "--json", "--data", self.gateway.data, *args)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def with_change(self, change):
        config = self.gateway.fill(json.loads(json.dumps(CONFIG)))
        change(config)
        path = os.path.join(self.gateway.folder, "other.yaml")
        with open(path, "w", encoding="utf-8") as f:
            json.dump(config, f)
        return path

    def test_the_same_configuration_makes_no_difference_not_even_past_a_crash(self):
        self.play(150)
        time.sleep(1.2)  # a chattering event is told and kept once a second; what was not told yet dies with it
        self.gateway.kill()
        self.gateway.start()
        self.play(150)
        self.assertEqual(self.gateway.stop(), 0)
        found = self.replay()
        self.assertFalse(found["difference"], found)
        self.assertGreater(found["samples"], 250)
        self.assertGreater(found["events"]["same"], 0)
        self.assertTrue(any(s["signal"] == "heat/press-1/temperature.mean" and s["same"] > 1
                            for s in found["signals"]), found["signals"])
        self.assertEqual(run("replay", "--check", "--data", self.gateway.data).returncode, 0)

    def test_works_beside_a_gateway_and_changes_nothing_there(self):
        self.play(200)
        time.sleep(3.2)  # what is younger is not compared
        events = run("event", "list", "--json", "--data", self.gateway.data).stdout
        found = self.replay()
        self.assertFalse(found["difference"], found)
        self.assertGreater(found["samples"], 100)
        self.assertEqual(run("event", "list", "--json", "--data", self.gateway.data).stdout, events)

    def test_tells_what_another_configuration_would_have_done(self):
        self.play(150)
        self.gateway.stop()
        before = {name: os.path.getsize(os.path.join(self.gateway.data, "journal", name))
                  for name in os.listdir(os.path.join(self.gateway.data, "journal"))}

        def change(config):
            config["rules"]["hot"]["when"] = "press-1/temperature > 80"
            config["rules"]["warm"] = {"when": "heat/press-1/temperature.max > 70"}
            config["pipelines"]["heat"]["stages"] = [{"window": {"every": "1s", "give": ["max", "min"]}}]
        path = self.with_change(change)
        found = self.replay("--config", path)
        self.assertTrue(found["difference"])
        would = {(e["kind"], e["key"]) for e in found["events"]["replayed"] if not e["both"]}
        self.assertIn(("rule", "warm"), would)
        self.assertIn(("rule", "hot"), would)
        signals = {s["signal"]: s for s in found["signals"]}
        self.assertEqual(signals["heat/press-1/temperature.min"]["happened"], 0)
        self.assertGreater(signals["heat/press-1/temperature.min"]["replayed"], 0)
        self.assertEqual(signals["heat/press-1/temperature.mean"]["replayed"], 0)
        done = run("replay", "--check", "--data", self.gateway.data, "--config", path)
        self.assertEqual(done.returncode, 1)
        self.assertIn("would open", done.stdout)
        self.assertEqual(found["events"], self.replay("--config", path)["events"])
        after = {name: os.path.getsize(os.path.join(self.gateway.data, "journal", name))
                 for name in os.listdir(os.path.join(self.gateway.data, "journal"))}
        self.assertEqual(before, after)

    def test_any_revision_that_was_in_force_can_be_tried(self):
        self.play(100)

        def change(config):
            config["api"] = {"listen": f"127.0.0.1:{self.gateway.http_port}"}
            config["rules"]["hot"]["when"] = "press-1/temperature > 80"
        self.assertEqual(run("config", "apply", self.with_change(change), "--data", self.gateway.data).returncode, 0)
        self.play(100)
        self.gateway.stop()
        first, second = self.replay("--revision", "1"), self.replay("--revision", "2")
        self.assertEqual((first["configuration"], second["configuration"]), ("revision 1", "revision 2"))
        self.assertTrue(first["difference"])
        self.assertNotEqual(first["events"]["by_key"], second["events"]["by_key"])
        hot = next(k for k in first["events"]["by_key"] if k["key"] == "hot")
        self.assertEqual(hot["replayed"], sum(e["key"] == "hot" for e in first["events"]["replayed"]))
        self.assertEqual(hot["happened"], sum(e["key"] == "hot" for e in first["events"]["happened"]))
        text = run("replay", "--revision", "1", "--data", self.gateway.data).stdout
        for part in ("EVENTS OF", "rule hot", "revision 2 came into force", "FIRST DIFFERENCE" if any(
                s.get("first_difference") for s in first["signals"]) else "rule hot"):
            self.assertIn(part, text)
        for words, status, said in ((("--revision", "9"), 1, "config history"), (("--revision", "x"), 1, "a number"),
                                    (("--revision", "1", "--config", "x"), 1, "one of them")):
            done = run("replay", *words, "--data", self.gateway.data)
            self.assertEqual(done.returncode, status)
            self.assertIn(said, done.stderr)

    def test_a_range_begins_with_the_state_it_had(self):
        self.play(100)
        self.gateway.stop()
        middle = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 1))
        time.sleep(1.1)
        self.gateway.start()
        self.play(100)
        self.gateway.stop()
        whole, part = self.replay(), self.replay("--from", middle)
        self.assertFalse(part["difference"], part)
        self.assertLess(0, part["samples"])
        self.assertLess(part["samples"], whole["samples"])

    def test_bad_ranges_and_folders_are_told(self):
        self.assertEqual(run("replay", "--from", "now", "--to", "-1h", "--data", self.gateway.data).returncode, 2)
        self.assertEqual(run("replay", "--from", "soon", "--data", self.gateway.data).returncode, 2)
        with tempfile.TemporaryDirectory() as folder:
            self.assertIn("journal", run("replay", "--data", folder).stderr)
            shutil.copytree(self.gateway.data, folder + "/copy", ignore=shutil.ignore_patterns("*.sock"))
            shutil.rmtree(folder + "/copy/revisions")
            self.assertIn("--config", run("replay", "--data", folder + "/copy").stderr)


class Completion(unittest.TestCase):
    """What `ganglion completion` prints, used by the shells themselves."""

    def script(self, shell):
        done = run("completion", shell)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def bash(self, *words):
        """What Tab would offer behind these words; the last one may be begun."""
        line = " ".join(f"'{word}'" for word in words)
        done = subprocess.run(
            ["bash", "--norc", "-c", f"{self.script('bash')}\nCOMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _ganglion; "
             "printf '%s\\n' \"${COMPREPLY[@]}\""], capture_output=True, text=True, check=True, timeout=20)
        self.assertEqual(done.stderr, "")
        return set(done.stdout.split())

    def test_bash_completes_commands_verbs_flags_and_files(self):
        commands = {line.split()[0] for line in run("help").stdout.split("commands:")[1].splitlines()
                    if line.startswith("  ")}
        self.assertEqual(self.bash("ganglion", ""), commands)
        self.assertEqual(self.bash("ganglion", "de"), {c for c in commands if c.startswith("de")})
        self.assertEqual(self.bash("ganglion", "event", ""), {"list", "show", "ack", "comment"})
        self.assertLessEqual({"rollback", "reference"}, self.bash("ganglion", "config", "r"))  # and files
        self.assertEqual(self.bash("ganglion", "event", "list", "--se"), {"--severity"})
        self.assertEqual(self.bash("ganglion", "key", "create", "--r"), {"--role"})
        self.assertEqual(self.bash("ganglion", "help", "ru"), {"run"})
        self.assertEqual(self.bash("ganglion", "nothing", ""), set())
        with tempfile.TemporaryDirectory() as folder:
            os.mkdir(f"{folder}/deep")
            with open(f"{folder}/day.yaml", "w", encoding="ascii"):
                pass
            self.assertEqual(self.bash("ganglion", "check", f"{folder}/d"), {f"{folder}/deep", f"{folder}/day.yaml"})
            self.assertEqual(self.bash("ganglion", "run", "--data", f"{folder}/d"), {f"{folder}/deep"})

    def test_every_flag_is_offered(self):
        for shell in ("bash", "zsh", "fish"):
            text = self.script(shell)
            for flag in ("severity", "before", "password-file", "token-file", "json"):
                self.assertIn(flag, text, shell)
            checker = shutil.which(shell)
            if checker:
                subprocess.run([checker, "-n"], input=text, text=True, check=True, timeout=20)

    def test_another_shell_is_told(self):
        done = run("completion", "tcsh")
        self.assertEqual(done.returncode, 2)
        self.assertIn("bash, zsh or fish", done.stderr)


if __name__ == "__main__":
    unittest.main()

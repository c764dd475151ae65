"""The HTTP API of a real gateway: its description against its answers, roles, sessions, changes, the live stream."""
import contextlib
import http.client
import json
import os
import pty
import re
import shutil
import socket
import ssl
import stat
import subprocess
import threading
import time
import unittest

import jsonschema
import paho.mqtt.publish

from gateway import BINARY, Gateway, wait_until

V1 = "/api/v1"
JSON = {"Content-Type": "application/json"}
ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=10)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class TlsGateway(Gateway):
    """One that speaks HTTPS only: ready when its port is open."""

    def is_ready(self):
        try:
            socket.create_connection(("127.0.0.1", self.tls_port), 1).close()
        except OSError:
            return False
        return os.path.exists(os.path.join(self.data, "first-token"))


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.bytes = response.read()

    @property
    def json(self):
        return json.loads(self.bytes)


class ApiCase(unittest.TestCase):
    config = {
        "site": "test-hall",
        "drivers": {"mqtt": {"listen": "127.0.0.1:{mqtt_port}", "anonymous": "auto",
                             "topics": {"{device}/{signal}": "plain"},
                             "write": "{device}/{signal}/set"}},
        "pipelines": {"heat": {"select": ["press-*/temperature"],
                               "stages": [{"deadband": 0.1}, {"window": {"every": "1s", "give": ["mean"]}}]}},
        "rules": {"hot": {"when": "press-1/temperature > 90", "severity": "critical"},
                  "wet": {"when": "press-1/humidity > 90", "severity": "warning"}},
    }

    @classmethod
    def setUpClass(cls):
        cls.gateway = Gateway(cls.config)
        cls.gateway.__enter__()
        cls.admin = cls.gateway.token()

    @classmethod
    def tearDownClass(cls):
        cls.gateway.__exit__(None, None, None)

    def ask(self, method, path, body=None, token=True, headers=None, connection=None):
        c = connection or http.client.HTTPConnection("127.0.0.1", self.gateway.http_port, timeout=15)
        all_headers = dict(headers or {})
        if token:
            all_headers["Authorization"] = f"Bearer {self.admin if token is True else token}"
        if body is not None and "Content-Type" not in all_headers:
            all_headers.update(JSON)
        data = body if body is None or isinstance(body, (bytes, str)) else json.dumps(body)
        try:
            c.request(method, path, data, all_headers)
            return Answer(c.getresponse())
        finally:
            c.close()

    def local(self, method, path, body=None):
        return self.ask(method, path, body, token=False,
                        connection=UnixConnection(os.path.join(self.gateway.data, "api.sock")))

    def publish(self, topic, value):
        paho.mqtt.publish.single(topic, str(value), qos=1, hostname="127.0.0.1", port=self.gateway.mqtt_port)

    def make_token(self, role, title=None):
        answer = self.local("POST", f"{V1}/tokens", {"title": title or role, "role": role})
        self.assertEqual(answer.status, 201, answer.bytes)
        return answer.json["token"]

    def open_event(self):
        """Makes the rule fire anew; returns the event."""
        self.publish("press-1/temperature", 20)
        wait_until(lambda: not self.ask("GET", f"{V1}/events?state=active").json["events"], 10, "no event open")
        self.publish("press-1/temperature", 95)
        return wait_until(lambda: self.ask("GET", f"{V1}/events?state=open&severity=critical").json["events"],
                          10, "an event")[0]


class DescriptionTest(ApiCase):
    """What /api/v1/openapi.json says is what is answered."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.bodies = {
            "beginSession": {"token": cls.admin}, "makeToken": {"title": "described", "role": "viewer"},
            "writeSignal": {"value": 1}, "query": {"sql": "SELECT signal, value FROM samples LIMIT 3"},
            "registerDevice": {"id": "described", "token": True}, "changeDevice": {"enabled": False},
            "acknowledgeEvent": {"comment": "seen"}, "commentEvent": {"text": "a word"},
            "putConfig": None, "patchConfig": {"pipelines": {"heat": {"title": "Heat"}}},
            "checkConfig": {"site": "elsewhere", "nonsense": 1},
        }
        cls.queries = {"deleteHistory": "?select=nobody-here/*"}
        cls.refusals = {"writeSignal": 404, "removeToken": 404}  # nobody listens there; no such token

    def path_of(self, path, event):
        for name, value in {"{name}": "press-1%2Ftemperature", "{number}": "1", "{file}": "app.js"}.items():
            path = path.replace(name, value)
        if "/events/" in path:
            return path.replace("{id}", str(event["id"]))
        return path.replace("{id}", "press-1" if "/devices/" in path else "nobody")

    def check_answer(self, operation, answer, components):
        self.assertEqual(answer.headers["X-Content-Type-Options"], "nosniff")
        documented = operation["responses"].get(str(answer.status), operation["responses"]["default"])
        if answer.status == 204:
            self.assertEqual(answer.bytes, b"")
            return
        media, content = next(iter(documented["content"].items()))
        kind = answer.headers["Content-Type"].split(";")[0]
        if media != "*/*":
            self.assertEqual(kind, media)
        if "$ref" not in content["schema"]:
            return
        schema = {"$ref": content["schema"]["$ref"], "components": components}
        jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker()).validate(answer.json)

    def test_every_operation_answers_as_described(self):
        self.publish("press-1/temperature", 21.5)
        event = self.open_event()
        description = self.ask("GET", f"{V1}/openapi.json", token=False).json
        self.assertEqual(description["openapi"], "3.1.0")
        for schema in description["components"]["schemas"].values():
            jsonschema.Draft202012Validator.check_schema(schema)
        self.bodies["putConfig"] = self.ask("GET", f"{V1}/config").json["config"]
        count = 0
        for path, operations in description["paths"].items():
            for method, operation in operations.items():
                if operation["operationId"] in ("live", "endSession"):
                    continue
                with self.subTest(operation=operation["operationId"]):
                    body = self.bodies.get(operation["operationId"])
                    query = self.queries.get(operation["operationId"], "")
                    answer = self.ask(method.upper(), self.path_of(path, event) + query, body)
                    success = next(int(s) for s in operation["responses"] if s != "default")
                    expected = self.refusals.get(operation["operationId"], success)
                    self.assertEqual(answer.status, expected, answer.bytes[:500])
                    self.check_answer(operation, answer, description["components"])
                    count += 1
        self.assertGreater(count, 35)

    def test_roles_are_as_described(self):
        tokens = {role: self.make_token(role) for role in ("viewer", "operator")}
        rank = {"none": 0, "viewer": 1, "operator": 2, "administrator": 3}
        description = self.ask("GET", f"{V1}/openapi.json", token=False).json
        for path, operations in description["paths"].items():
            for method, operation in operations.items():
                needed = rank[operation["x-role"]]
                real = re.sub(r"\{[a-z]+\}", "nobody", path)
                with self.subTest(operation=operation["operationId"]):
                    if needed:
                        self.assertEqual(self.ask(method.upper(), real, token=False).status, 401)
                    for role, token in tokens.items():
                        if rank[role] < needed:
                            answer = self.ask(method.upper(), real, token=token)
                            self.assertEqual(answer.status, 403, answer.bytes)
                            self.assertEqual(answer.json["code"], "forbidden")


class AccessTest(ApiCase):
    def test_first_token_is_never_in_a_log_and_its_file_goes_with_the_next(self):
        with Gateway(self.config) as gateway:
            path = os.path.join(gateway.data, "first-token")
            self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
            token = gateway.token()
            self.assertNotIn(token, gateway.log())
            self.assertIn(f'file="{path}"', gateway.log())
            gateway.stop()
            gateway.start()
            self.assertNotIn(token, gateway.log())
            self.assertEqual(gateway.log().count("first start"), 1)
            c = http.client.HTTPConnection("127.0.0.1", gateway.http_port, timeout=10)
            c.request("POST", f"{V1}/tokens", json.dumps({"title": "mine", "role": "administrator"}),
                      {"Authorization": f"Bearer {token}", **JSON})
            answer = c.getresponse()
            self.assertEqual(answer.status, 201)
            second = json.loads(answer.read())["token"]
            c.close()
            self.assertFalse(os.path.exists(path))
            for name in os.listdir(gateway.data):
                file = os.path.join(gateway.data, name)
                if os.path.isfile(file):
                    with open(file, "rb") as f:
                        content = f.read()
                    self.assertNotIn(token.encode(), content, name)
                    self.assertNotIn(second.encode(), content, name)

    def test_first_token_is_told_once_on_a_terminal(self):
        gateway = Gateway(self.config)
        folder = gateway.make_folder()
        self.addCleanup(shutil.rmtree, folder)
        gateway.write_config()
        said = []
        for _ in range(2):
            ours, theirs = pty.openpty()
            process = subprocess.Popen([BINARY, "run", "--config", gateway.config_path, "--data", gateway.data],
                                       stdin=theirs, stdout=theirs, stderr=theirs)
            os.close(theirs)
            text = b""
            while b"ready site" not in text:
                text += os.read(ours, 65536)
            process.terminate()
            with contextlib.suppress(OSError):  # the terminal's end is an error
                while part := os.read(ours, 65536):
                    text += part
            os.close(ours)
            self.assertEqual(process.wait(20), 0)
            said.append(text.decode())
        token = gateway.token()
        self.assertEqual(said[0].count(token), 1)
        self.assertIn("first-token, for your eyes only", said[0])
        self.assertNotIn(token, said[1])

    def test_an_address_beyond_loopback_waits_for_a_credential(self):
        config = dict(self.config, api={"listen": "0.0.0.0:{http_port}"})
        with Gateway(config) as gateway:
            def bound():
                with open("/proc/net/tcp", encoding="ascii") as f:
                    return {line.split()[1].split(":")[0] for line in f
                            if line.split()[3] == "0A" and line.split()[1].endswith(f":{gateway.http_port:04X}")}
            self.assertEqual(bound(), {"0100007F"})
            # Looking with the token is what opens the door.
            self.assertIn("test-hall", gateway.get(f"{V1}/status"))
            wait_until(lambda: bound() == {"00000000"}, 10, "the configured address")
            wait_until(lambda: self.quietly(lambda: gateway.get("/healthz")), 5, "an answer")

    @staticmethod
    def quietly(fn):
        try:
            return fn()
        except OSError:
            return None

    def test_tls_works_from_the_first_start(self):
        config = dict(self.config, api={"listen": "", "tls": {"listen": "127.0.0.1:{tls_port}"}})
        with TlsGateway(config) as gateway:
            certificate = os.path.join(gateway.data, "api-certificate.pem")
            self.assertEqual(stat.S_IMODE(os.stat(os.path.join(gateway.data, "api-key.pem")).st_mode), 0o600)
            context = ssl.create_default_context(cafile=certificate)
            c = http.client.HTTPSConnection("127.0.0.1", gateway.tls_port, timeout=10, context=context)
            c.request("POST", f"{V1}/session", json.dumps({"token": gateway.token()}), JSON)
            answer = c.getresponse()
            self.assertEqual(answer.status, 200)
            self.assertIn("; Secure", answer.headers["Set-Cookie"])
            c.close()

    def test_it_ends_in_order_with_clients_connected(self):
        with Gateway(self.config) as gateway:
            self_like = type("Like", (), {"gateway": gateway, "admin": gateway.token()})
            live = Live(self_like, f"{V1}/live")
            wait_until(lambda: live.of("status"), 10, "a status")
            slow = http.client.HTTPConnection("127.0.0.1", gateway.http_port, timeout=15)
            slow.request("POST", f"{V1}/query", json.dumps({"sql": ENDLESS}),
                         {"Authorization": f"Bearer {gateway.token()}", **JSON})
            began = time.monotonic()
            self.assertEqual(gateway.stop(), 0, gateway.log())
            self.assertLess(time.monotonic() - began, 8)
            slow.close()

    def test_local_socket_needs_no_token(self):
        path = os.path.join(self.gateway.data, "api.sock")
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        self.assertEqual(self.local("GET", f"{V1}/session").json["role"], "administrator")

    def test_guesses_are_slowed_down(self):
        with Gateway(self.config) as gateway:
            seen = []
            for _ in range(15):
                c = http.client.HTTPConnection("127.0.0.1", gateway.http_port, timeout=10)
                c.request("GET", f"{V1}/status", headers={"Authorization": "Bearer ggt_guess"})
                seen.append(c.getresponse().status)
                c.close()
            self.assertEqual(seen[0], 401)
            self.assertEqual(seen[-1], 429)

    def test_a_session_acts_for_its_page_only(self):
        token = self.make_token("operator", "page")
        begun = self.ask("POST", f"{V1}/session", {"token": token}, token=False)
        self.assertEqual(begun.status, 200)
        cookie = begun.headers["Set-Cookie"]
        for word in ("HttpOnly", "SameSite=Strict", "Path=/"):
            self.assertIn(word, cookie)
        self.assertNotIn(token, cookie)
        with_cookie = {"Cookie": cookie.split(";")[0]}
        self.assertEqual(self.ask("GET", f"{V1}/session", token=False, headers=with_cookie).json["role"], "operator")
        path = f"{V1}/events/1/comment"
        plain = self.ask("POST", path, "text=x", token=False,
                         headers={**with_cookie, "Content-Type": "application/x-www-form-urlencoded"})
        self.assertEqual(plain.status, 403)
        cross = self.ask("POST", path, {"text": "x"}, token=False,
                         headers={**with_cookie, "Sec-Fetch-Site": "cross-site"})
        self.assertEqual(cross.status, 403)
        own = self.ask("POST", path, {"text": "x"}, token=False,
                       headers={**with_cookie, "Sec-Fetch-Site": "same-origin"})
        self.assertEqual(own.status, 404)  # let in; there is no such event
        self.assertEqual(self.ask("DELETE", f"{V1}/session", token=False,
                                  headers={**with_cookie, "X-Ganglion": "page"}).status, 204)
        self.assertEqual(self.ask("GET", f"{V1}/session", token=False, headers=with_cookie).status, 401)

    def test_a_token_that_is_taken_away_opens_nothing_more(self):
        made = self.local("POST", f"{V1}/tokens", {"title": "short", "role": "viewer", "expires": "1h"}).json
        self.assertEqual(self.ask("GET", f"{V1}/status", token=made["token"]).status, 200)
        self.assertEqual(self.local("DELETE", f"{V1}/tokens/{made['id']}").status, 204)
        self.assertEqual(self.ask("GET", f"{V1}/status", token=made["token"]).status, 401)

    def test_bodies_are_bounded_and_typed(self):
        self.assertEqual(self.ask("POST", f"{V1}/tokens", "x" * 100_000).status, 413)
        self.assertEqual(self.ask("POST", f"{V1}/tokens", "{}", headers={"Content-Type": "text/plain"}).status, 415)
        for body in ("[]", "{", '{"title":1,"role":"viewer"}', '{"titl":"x","role":"viewer"}', '{"title":"x"}'):
            answer = self.ask("POST", f"{V1}/tokens", body)
            self.assertEqual((answer.status, answer.json["code"]), (400, "invalid"), body)
        self.assertIn('did you mean "title"', self.ask("POST", f"{V1}/tokens", '{"titl":"x"}').json["detail"])

    def test_the_page_is_served_with_a_strict_policy(self):
        page = self.ask("GET", "/", token=False)
        self.assertEqual(page.status, 200)
        self.assertIn("default-src 'self'", page.headers["Content-Security-Policy"])
        self.assertIn("frame-ancestors 'none'", page.headers["Content-Security-Policy"])
        for link in re.findall(r'(?:src|href)="([^"#]+)"', page.bytes.decode()):
            self.assertFalse(link.startswith("http"), link)
            self.assertEqual(self.ask("GET", f"/{link}", token=False).status, 200, link)
        again = self.ask("GET", "/", token=False, headers={"If-None-Match": page.headers["ETag"]})
        self.assertEqual(again.status, 304)


class DataTest(ApiCase):
    def test_signals_come_in_pages_with_their_last_values(self):
        for i in range(7):
            self.publish(f"row/s{i}", i)
        wait_until(lambda: len(self.ask("GET", f"{V1}/signals?device=row").json["signals"]) == 7, 10, "seven signals")
        names, after = [], ""
        while after is not None:
            page = self.ask("GET", f"{V1}/signals?device=row&limit=3&after={after}").json
            names += [s["name"] for s in page["signals"]]
            after = page.get("next")
        self.assertEqual(names, [f"row/s{i}" for i in range(7)])
        found = self.ask("GET", f"{V1}/signals?pattern=row/s3,row/s5").json["signals"]
        self.assertEqual([s["last"]["value"] for s in found], [3, 5])

    def test_history_gives_samples_when_few_and_buckets_when_many(self):
        for i in range(60):
            self.publish("past/v", i)
        path = f"{V1}/signals/past%2Fv/history?from=1h"
        wait_until(lambda: len(self.ask("GET", path).json.get("samples", [])) == 60, 15, "sixty samples")
        self.assertEqual([s["value"] for s in self.ask("GET", path).json["samples"]], list(range(60)))
        chart = self.ask("GET", f"{V1}/signals/past/v/history?from=1min&buckets=10").json
        self.assertEqual(sum(b["count"] for b in chart["buckets"]), 60)
        self.assertEqual(min(b["min"] for b in chart["buckets"]), 0)
        self.assertEqual(max(b["max"] for b in chart["buckets"]), 59)
        self.assertEqual(self.ask("GET", f"{path}&to=2h").status, 400)

    def test_sql_reads_and_only_reads(self):
        self.publish("sql/v", 42)
        query = {"sql": "SELECT value FROM samples WHERE signal = 'sql/v'"}
        wait_until(lambda: self.ask("POST", f"{V1}/query", query).json["rows"] == [[42]], 15, "the row")
        answer = self.ask("POST", f"{V1}/query", {"sql": "DELETE FROM events"})
        self.assertIn(answer.status, (400, 403))
        self.assertEqual(self.ask("POST", f"{V1}/query", {"sql": "SELEC 1"}).json["code"], "invalid")
        self.assertGreaterEqual(self.ask("POST", f"{V1}/query", {"sql": "SELECT hash FROM tokens"}).status, 400)
        cut = self.ask("POST", f"{V1}/query", {"limit": 2, "sql":
                       "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 9) SELECT i FROM n"}).json
        self.assertEqual((cut["rows"], cut["truncated"]), ([[1], [2]], True))

    def test_an_event_is_acknowledged_commented_and_kept_with_its_trace(self):
        event = self.open_event()
        self.assertEqual(event["state"], "open")
        token = self.make_token("operator", "night shift")
        done = self.ask("POST", f"{V1}/events/{event['id']}/acknowledge", {}, token=token).json
        self.assertEqual(done["state"], "acknowledged")
        self.assertIn("night shift", done["acknowledged_by"])
        self.ask("POST", f"{V1}/events/{event['id']}/comment", {"text": "valve was stuck"}, token=token)
        whole = self.ask("GET", f"{V1}/events/{event['id']}").json
        self.assertIn("valve was stuck", json.dumps(whole["trace"]))
        self.publish("press-1/temperature", 20)
        wait_until(lambda: self.ask("GET", f"{V1}/events/{event['id']}").json["state"] == "cleared", 10, "clearing")
        late = self.ask("POST", f"{V1}/events/{event['id']}/acknowledge", {})
        self.assertEqual((late.status, late.json["code"]), (409, "conflict"))

    def test_registered_devices_get_in_with_what_they_were_given(self):
        made = self.ask("POST", f"{V1}/devices", {"id": "lamp-1", "token": True})
        self.assertEqual(made.status, 201)
        self.assertEqual(self.ask("POST", f"{V1}/devices", {"id": "lamp-1", "token": True}).status, 409)
        auth = {"username": "lamp-1", "password": made.json["token"]}
        paho.mqtt.publish.single("lamp-1/on", "1", qos=1, hostname="127.0.0.1", port=self.gateway.mqtt_port, auth=auth)
        wait_until(lambda: self.ask("GET", f"{V1}/signals/lamp-1%2Fon").status == 200, 10, "the lamp's signal")
        self.ask("PUT", f"{V1}/devices/lamp-1", {"password": "another way"})
        with self.assertRaises(Exception):
            paho.mqtt.publish.single("lamp-1/on", "0", qos=1, hostname="127.0.0.1", port=self.gateway.mqtt_port,
                                     auth=auth)
        device = self.ask("GET", f"{V1}/devices/lamp-1").json
        self.assertEqual(device["registration"]["credential"], "password")
        self.assertEqual(self.ask("DELETE", f"{V1}/devices/lamp-1").status, 204)
        self.assertNotIn("registration", self.ask("GET", f"{V1}/devices/lamp-1").json)

    def test_a_write_reaches_the_device(self):
        got = []
        client = paho.mqtt.client.Client(paho.mqtt.client.CallbackAPIVersion.VERSION2)
        client.on_message = lambda c, u, m: got.append((m.topic, m.payload))
        client.connect("127.0.0.1", self.gateway.mqtt_port)
        client.subscribe("valve/position/set", 1)
        client.loop_start()
        try:
            self.publish("valve/position", 10)
            wait_until(lambda: self.ask("GET", f"{V1}/signals/valve/position").status == 200, 10, "the signal")
            answer = self.ask("PUT", f"{V1}/signals/valve/position", {"value": 42.5})
            self.assertEqual(answer.status, 204, answer.bytes)
            wait_until(lambda: got, 10, "the write")
            self.assertEqual(float(got[0][1]), 42.5)
        finally:
            client.loop_stop()
            client.disconnect()
        self.assertEqual(self.ask("PUT", f"{V1}/signals/no/such", {"value": 1}).status, 404)


class ConfigTest(ApiCase):
    def test_a_change_applies_whole_or_not_at_all_and_survives_a_restart(self):
        before = self.ask("GET", f"{V1}/config")
        with open(self.gateway.config_path, encoding="utf-8") as f:
            by_hand = f.read()
        wrong = self.ask("PATCH", f"{V1}/config", {"site": "half", "pipelines": {"heat": {"stages": ["nonsense"]}}})
        self.assertEqual((wrong.status, wrong.json["code"]), (400, "invalid"))
        self.assertIn("line", wrong.json["problems"][0])
        self.assertEqual(self.ask("GET", f"{V1}/config").json, before.json)

        taken = self.ask("PATCH", f"{V1}/config", {"pipelines": {"heat": {"title": "Heat of presses"}}},
                         headers={"If-Match": before.headers["ETag"]})
        self.assertEqual(taken.status, 200, taken.bytes)
        self.assertTrue(taken.json["saved"])
        stale = self.ask("PATCH", f"{V1}/config", {"site": "x"}, headers={"If-Match": before.headers["ETag"]})
        self.assertEqual((stale.status, stale.json["code"]), (412, "stale"))
        with open(self.gateway.config_path, encoding="utf-8") as f:
            self.assertIn("Heat of presses", f.read())
        with open(f"{self.gateway.config_path}.original", encoding="utf-8") as f:
            self.assertEqual(f.read(), by_hand)

        numbers = [r["number"] for r in self.ask("GET", f"{V1}/revisions").json["revisions"]]
        self.assertEqual(numbers, sorted(numbers, reverse=True))
        back = self.ask("POST", f"{V1}/revisions/{before.json['revision']}/rollback")
        self.assertEqual(back.status, 200, back.bytes)
        self.assertEqual(self.ask("GET", f"{V1}/config").json["config"], before.json["config"])
        self.assertEqual(self.ask("GET", f"{V1}/revisions/9999").status, 404)

    def test_the_gateway_itself_changes_without_a_restart_where_it_can(self):
        def make(name):
            for file in (f"{gateway.folder}/{name}.key", f"{gateway.folder}/{name}.crt"):
                self.assertFalse(os.path.exists(file))
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                            "-nodes", "-keyout", f"{gateway.folder}/{name}.key", "-out", f"{gateway.folder}/{name}.crt",
                            "-days", "2", "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"],
                           check=True, capture_output=True, timeout=30)
            return {"certificate": f"{gateway.folder}/{name}.crt", "key": f"{gateway.folder}/{name}.key"}

        def served():
            pem = ssl.get_server_certificate(("127.0.0.1", gateway.tls_port), timeout=10)
            done = subprocess.run(["openssl", "x509", "-noout", "-subject"], input=pem, capture_output=True, text=True,
                                  check=True, timeout=10)
            return done.stdout.strip().rpartition("=")[2].strip()

        def patch(change):
            return gateway.api("PATCH", f"{V1}/config", change)
        gateway = Gateway(dict(self.config, site="before"))
        gateway.make_folder()
        first = make("first")
        gateway.config["api"] = {"listen": "127.0.0.1:{http_port}", "tls": {"listen": "127.0.0.1:{tls_port}", **first}}
        with gateway:
            self.assertEqual(served(), "first")
            kept = http.client.HTTPSConnection("127.0.0.1", gateway.tls_port, timeout=10,
                                               context=ssl.create_default_context(cafile=first["certificate"]))
            kept.request("GET", "/healthz")
            self.assertEqual(kept.getresponse().read(), b"ok\n")
            status, body = patch({"api": {"tls": {**first, "certificate": "/nowhere.pem"}}})
            self.assertEqual(status, 400, body)
            self.assertIn("/nowhere.pem", body["detail"])
            self.assertEqual(served(), "first")
            status, body = patch({"api": {"tls": make("second"), "connections": 4, "origins": ["https://elsewhere"]}})
            self.assertEqual(status, 200, body)
            self.assertEqual(served(), "second")
            kept.request("GET", "/healthz", headers={"Origin": "https://elsewhere"})  # who is connected stays
            answer = kept.getresponse()
            answer.read()
            self.assertEqual(answer.headers["Access-Control-Allow-Origin"], "https://elsewhere")
            crowd = [socket.create_connection(("127.0.0.1", gateway.http_port), 5) for _ in range(6)]
            for s in crowd:
                s.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            self.assertIn(b" 503 ", b"".join(s.recv(4096).partition(b"\n")[0] for s in crowd))
            for s in crowd:
                s.close()
            status, body = patch({"site": "after", "journal": {"commit": "20ms", "retention": {"size": "2MiB"}},
                                  "history": {"retention": {"age": "30d"}}, "events": {"retention": {"count": 500}}})
            self.assertEqual(status, 200, body)
            self.assertEqual(gateway.api("GET", f"{V1}/status")[1]["site"], "after")
            for change in ({"api": {"listen": "127.0.0.1:1"}}, {"journal": {"segment_size": "1MiB"}}, {"shards": 2},
                           {"history": {"block": "1min"}}):
                status, body = patch(change)
                self.assertEqual(status, 501, body)
                self.assertIn("restart", body["detail"])
            kept.close()

    def test_yaml_is_welcome_and_places_are_told(self):
        text = "site: other\npipelines:\n  heat:\n    selekt: [a/*]\n"
        answer = self.ask("POST", f"{V1}/config/check", text, headers={"Content-Type": "application/yaml"}).json
        self.assertFalse(answer["good"])
        self.assertIn((4, 5), [(p["line"], p["column"]) for p in answer["problems"]])

    def test_secrets_are_not_shown_and_come_back_unharmed(self):
        uplink = {"uplink": "mqtt", "connect": "mqtt://127.0.0.1:1", "user": "u", "password": "very secret"}
        made = self.ask("PATCH", f"{V1}/config", {"uplinks": {"cloud": uplink}})
        self.assertEqual(made.status, 200, made.bytes)
        shown = self.ask("GET", f"{V1}/config")
        self.assertNotIn(b"very secret", shown.bytes)
        self.assertEqual(shown.json["config"]["uplinks"]["cloud"]["password"], "(secret)")
        self.assertEqual(self.ask("PUT", f"{V1}/config", shown.json["config"]).status, 200)
        with open(self.gateway.config_path, encoding="utf-8") as f:
            self.assertIn("very secret", f.read())
        self.assertEqual(stat.S_IMODE(os.stat(self.gateway.config_path).st_mode), 0o600)
        self.ask("PATCH", f"{V1}/config", {"uplinks": None})


class Live:
    """A live stream, read by a thread: messages as (event, id, data)."""

    def __init__(self, case, path, headers=None):
        self.connection = http.client.HTTPConnection("127.0.0.1", case.gateway.http_port, timeout=30)
        self.connection.request("GET", path, headers={"Authorization": f"Bearer {case.admin}", **(headers or {})})
        self.response = self.connection.getresponse()
        self.messages = []
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        message = {}
        try:
            for line in self.response:
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name:
                    message[name] = value
                elif message:
                    if "data" in message:
                        self.messages.append((message.get("event"), message.get("id"), json.loads(message["data"])))
                    message = {}
        except (OSError, ValueError, AttributeError, http.client.HTTPException):
            pass

    def of(self, event):
        return [m for m in list(self.messages) if m[0] == event]

    def close(self):
        self.connection.sock and self.connection.sock.shutdown(socket.SHUT_RDWR)
        self.connection.close()


class LiveTest(ApiCase):
    def test_values_are_gathered_to_ten_a_second(self):
        self.publish("fast/v", 0)
        live = Live(self, f"{V1}/live?signals=fast/*&topics=values")
        wait_until(lambda: live.of("values"), 10, "the first value")
        began = time.monotonic()
        paho.mqtt.publish.multiple([("fast/v", str(i), 0, False) for i in range(2000)],
                                   hostname="127.0.0.1", port=self.gateway.mqtt_port)
        wait_until(lambda: live.of("values")[-1][2][0]["value"] == 1999, 15, "the last value")
        took = time.monotonic() - began
        self.assertLessEqual(len(live.of("values")), took * 10 + 3)
        self.assertFalse(live.of("status"))
        live.close()

    def test_a_client_that_comes_back_gets_what_it_missed(self):
        live = Live(self, f"{V1}/live?topics=events")
        first = self.open_event()
        wait_until(lambda: live.of("event"), 10, "the event")
        change, number = live.of("event")[-1][2], live.of("event")[-1][1]
        self.assertEqual((change["change"], change["event"]["id"]), ("opened", first["id"]))
        live.close()
        self.publish("press-1/humidity", 95)
        wait_until(lambda: self.ask("GET", f"{V1}/events?state=open&severity=warning").json["events"][1:], 10, "two events")
        again = Live(self, f"{V1}/live?topics=events", {"Last-Event-ID": number})
        wait_until(lambda: again.of("event"), 10, "what was missed")
        self.assertEqual(again.of("event")[0][2]["event"]["signal"], "press-1/humidity")
        self.assertNotIn(first["id"], [m[2]["event"]["id"] for m in again.of("event")])
        again.close()
        other = Live(self, f"{V1}/live?topics=events", {"Last-Event-ID": "17-3"})
        wait_until(lambda: other.of("reset"), 10, "a reset")
        other.close()

    def test_a_stream_ends_when_its_token_goes(self):
        made = self.local("POST", f"{V1}/tokens", {"title": "watcher", "role": "viewer"}).json
        live = Live(self, f"{V1}/live?topics=status", {"Authorization": f"Bearer {made['token']}"})
        wait_until(lambda: live.of("status"), 10, "a status")
        self.local("DELETE", f"{V1}/tokens/{made['id']}")
        before = wait_until(lambda: len(live.of("status")), 10, "a status")
        wait_until(lambda: live.response.isclosed() or live.response.closed, 10, "the end of the stream")
        self.assertLessEqual(len(live.of("status")), before + 1)

    def test_a_slow_client_holds_nobody_up(self):
        """One that reads nothing costs a bounded output, and others go on."""
        slow = socket.create_connection(("127.0.0.1", self.gateway.http_port))
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        slow.sendall(f"GET {V1}/live HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.admin}\r\n\r\n".encode())
        quick = Live(self, f"{V1}/live?signals=slow/*&topics=values")
        for i in range(20):
            self.publish("slow/v", i)
        wait_until(lambda: quick.of("values") and quick.of("values")[-1][2][0]["value"] == 19, 10, "the last value")
        quick.close()
        slow.close()


if __name__ == "__main__":
    unittest.main()

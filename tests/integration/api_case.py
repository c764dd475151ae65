"""What the tests of the HTTP API share: a gateway with something to say, ways to ask it, and its live stream."""
import http.client
import json
import os
import socket
import threading
import unittest

import paho.mqtt.publish

from gateway import Gateway, wait_until

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

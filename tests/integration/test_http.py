"""The HTTP driver as devices and scripts use it: curl with a token, JSON and line protocol; a 2xx is a promise."""
import json
import os
import socket
import ssl
import subprocess
import unittest

from gateway import wait_until
from peers import MOSQUITTO, Certificates
from test_uplink import WithBroker

TOKEN, OTHER = "ggt_one", "ggt_two"


def curl(url, body=None, token=None, *more, path=None):
    """Status and body of a POST."""
    args = ["curl", "-sS", "-X", "POST", "-w", "\n%{http_code}", "--max-time", "20", *more]
    if token:
        args += ["-H", f"Authorization: Bearer {token}"]
    if body is not None or path:
        args += ["--data-binary", f"@{path}" if path else "@-"]
    done = subprocess.run([*args, url], input=body, capture_output=True, text=True, timeout=30, check=False)
    text, _, status = done.stdout.rpartition("\n")
    return int(status), text


@unittest.skipUnless(MOSQUITTO, "mosquitto is not installed")
class Push(WithBroker):
    def setUp(self):
        self.begin({
            "drivers": {"push": {"driver": "http", "listen": "127.0.0.1:{push_port}", "max_body": "64KiB"}},
            "uplinks": {"cloud": {"uplink": "mqtt", "connect": "mqtt://127.0.0.1:{broker_port}", "send": ["*"],
                                  "linger": "10ms"}},
        }, start=False)
        self.gateway.start_with({"id": "one", "token": TOKEN}, {"id": "two", "token": OTHER},
                                {"id": "all", "token": "ggt_all", "application": True})
        self.url = f"http://127.0.0.1:{self.gateway.push_port}"

    def test_json_line_protocol_and_single_values_arrive(self):
        self.assertEqual(curl(self.url + "/ingest/one", '{"temperature": 21.5, "on": true}', TOKEN), (204, ""))
        self.assertEqual(curl(self.url + "/ingest/one/level", "7.5", TOKEN, "-H", "Content-Type: text/plain")[0], 204)
        self.assertEqual(curl(self.url + "/write?precision=s", "one speed=3.5,name=\"a b\" 1700000000\n", TOKEN)[0], 204)
        self.assertEqual(curl(self.url + "/api/v2/write?precision=ms",
                              "m,device=two flow=1i 1700000000000\nm,device=one flow=2i 1700000000000", "ggt_all")[0],
                         204)

        def seen(end):
            return {s["signal"]: (s["value"], s["time"]) for p in self.collector.parcels(end) for s in p["samples"]}
        wait_until(lambda: len(seen("/one")) >= 6 and seen("/two"), what=lambda: (seen("/one"), seen("/two")))
        one = seen("/one")
        self.assertEqual({name: value for name, (value, _) in one.items()},
                         {"temperature": 21.5, "on": True, "level": 7.5, "speed": 3.5, "name": "a b", "m.flow": 2})
        self.assertEqual(one["speed"][1], "2023-11-14T22:13:20Z")
        self.assertEqual(seen("/two")["m.flow"], (1, "2023-11-14T22:13:20Z"))

    def test_a_wrong_token_opens_nothing(self):
        for token in ("ggt_wrong", OTHER):
            status, text = curl(self.url + "/ingest/one", '{"x": 1}', token)
            self.assertIn(status, (401, 403), text)
            self.assertNotIn(token, text)
        status, text = curl(self.url + "/write", "two x=1", TOKEN)
        self.assertEqual(status, 403, text)
        self.assertNotIn("ggt_wrong", self.gateway.log())

    def test_what_cannot_be_read_is_said(self):
        for body, where in (("{", "/ingest/one"), ("", "/ingest/one"), ("[1,2", "/ingest/one"), ("one lines", "/write"),
                            ("one x=", "/write")):
            with self.subTest(body=body):
                status, text = curl(self.url + where, body, TOKEN)
                self.assertEqual(status, 400, text)
                self.assertIn("detail", json.loads(text))
        self.assertEqual(curl(self.url + "/elsewhere", "x", TOKEN)[0], 404)
        get = subprocess.run(["curl", "-sS", "-o", os.devnull, "-w", "%{http_code}", self.url + "/ingest/one"],
                             capture_output=True, text=True, timeout=20, check=False)
        self.assertEqual(get.stdout, "405")

    def test_a_body_too_large_is_refused_and_the_client_reads_why(self):
        path = self.gateway.folder + "/large"
        with open(path, "w", encoding="ascii") as f:
            f.write(json.dumps({f"s{i}": i for i in range(20000)}))
        for more in ((), ("-H", "Transfer-Encoding: chunked"), ("-H", "Expect:")):
            self.assertEqual(curl(self.url + "/ingest/one", None, TOKEN, *more, path=path)[0], 413, more)
        self.assertEqual(curl(self.url + "/ingest/one", '{"x": 1}', TOKEN)[0], 204)

    def test_what_was_answered_with_204_survives_kill_9(self):
        self.broker.kill()  # nothing leaves before the gateway dies
        for i in range(100):
            self.assertEqual(self.post({"x": i}), 204)
        self.gateway.kill()
        self.restart_broker()
        self.gateway.start()
        self.assertEqual(self.wait_values(100, end="/one"), [float(i) for i in range(100)])

    def post(self, values):
        body = json.dumps(values).encode()
        with socket.create_connection(("127.0.0.1", self.gateway.push_port), 10) as s:
            s.sendall(b"POST /ingest/one HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + TOKEN.encode() +
                      b"\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body)
            answer = b""
            while part := s.recv(4096):
                answer += part
        return int(answer.split()[1])


class Secure(WithBroker):
    def test_a_client_certificate_serves_in_place_of_a_token(self):
        self.begin({"drivers": {"push": {
            "driver": "http", "listen": "127.0.0.1:{push_port}",
            "tls": {"certificate": "{folder}/tls/gateway.crt", "key": "{folder}/tls/gateway.key",
                    "ca": "{folder}/tls/ca.crt", "verify": True, "optional": True}}}}, start=False)
        tls = Certificates(self.gateway.folder)
        tls.make("gateway")
        crt, key = tls.make("one")
        self.gateway.start_with({"id": "one", "certificate": True}, {"id": "two", "token": OTHER})
        url = f"https://localhost:{self.gateway.push_port}/ingest/"
        ours = ("--cacert", tls.ca, "--cert", crt, "--key", key)
        self.assertEqual(curl(url + "one", '{"x": 1}', None, *ours)[0], 204)
        self.assertEqual(curl(url + "two", '{"x": 1}', None, *ours)[0], 403)
        self.assertEqual(curl(url + "two", '{"x": 1}', OTHER, "--cacert", tls.ca)[0], 204)
        with self.assertRaises(ssl.SSLError):
            plain = ssl.create_default_context()
            with socket.create_connection(("127.0.0.1", self.gateway.push_port)) as raw:
                plain.wrap_socket(raw, server_hostname="localhost")


if __name__ == "__main__":
    unittest.main()

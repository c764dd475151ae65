"""Input that no good client sends, on the real gateway's sockets: it stays up, its memory stays bounded, others are
served meanwhile, and the log says who it was."""
import os
import random
import resource
import socket
import struct
import threading
import time
import unittest

from gateway import BUILD, Gateway, wait_until
from peers import Client

# Above what it has when it begins. A sanitizer's memory is its own, and more.
MEMORY_MIB = 1000 if BUILD.endswith(("asan", "tsan")) else 150


class Hostile(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)

    def setUp(self):
        self.gateway = Gateway({
            "site": "test", "limits": {"signals": 500, "devices": 50},
            "drivers": {
                "mqtt": {"listen": ["127.0.0.1:{mqtt_port}", "ws://127.0.0.1:{ws_port}/mqtt"],
                         "topics": {"{device}/{signal}": "plain", "j/{device}": "json"}, "max_clients": 1000,
                         "max_packet": "256KiB", "memory": "8MiB"},
                "push": {"driver": "http", "listen": "127.0.0.1:{push_port}"}}})
        self.addCleanup(self.gateway.__exit__)
        self.gateway.__enter__()
        self.before_mib = self.gateway.rss_mib()
        self.good = Client(self.gateway.mqtt_port, "good")
        self.addCleanup(self.good.leave)
        self.good.listen("good/#", 1)

    def check_others(self, most_s=2):
        """A good client is served, and quickly."""
        count, began = len(self.good.got), time.monotonic()
        for i in range(10):
            self.good.say("good/x", str(i))
        self.good.wait_for(count + 10, most_s)
        self.assertLess(time.monotonic() - began, most_s)
        self.assertTrue(self.gateway.is_alive())
        self.assertLess(self.gateway.rss_mib() - self.before_mib, MEMORY_MIB)

    def ports(self):
        return (self.gateway.mqtt_port, self.gateway.ws_port, self.gateway.push_port, self.gateway.http_port)

    @staticmethod
    def throw(port, data, read=True):
        """Sends and hangs up; what came back."""
        try:
            with socket.create_connection(("127.0.0.1", port), 5) as s:
                s.sendall(data)
                s.shutdown(socket.SHUT_WR)
                s.settimeout(2)
                return s.recv(4096) if read else b""
        except OSError:
            return b""

    def test_random_bytes_on_every_socket(self):
        dice = random.Random(1)
        for i in range(150):
            for port in self.ports():
                self.throw(port, dice.randbytes(dice.choice((1, 7, 100, 3000))), read=i % 10 == 0)
        self.check_others()

    def test_truncated_and_twisted_packets(self):
        dice = random.Random(2)
        connect = b"\x10\x11\0\4MQTT\5\2\0\0\0\0\4evil"
        body = b"\0\x0aevil/topic\0\x0b\0" + b"12.5" * 20
        packets = [connect, b"\x32" + bytes([len(body)]) + body, b"\x82\x0c\0\1\0\0\6evil/#\1", b"\xc0\0",
                   b"\xe0\0", b"\x62\2\0\1"]
        whole = b"".join(packets)
        for cut in range(1, len(whole), 3):
            self.throw(self.gateway.mqtt_port, whole[:cut], read=False)
        for _ in range(300):
            twisted = bytearray(whole)
            for _ in range(dice.randint(1, 4)):
                twisted[dice.randrange(len(twisted))] = dice.randrange(256)
            self.throw(self.gateway.mqtt_port, connect + bytes(twisted), read=False)
        self.gateway.wait_log('client sent a wrong packet peer="127.0.0.1:')
        self.check_others()

    def test_lengths_that_promise_too_much(self):
        connect = b"\x10\x11\0\4MQTT\5\2\0\0\0\0\4evil"
        for promise in (b"\x30\xff\xff\xff\x7f", b"\x30\x80\x80\x80\x80\x01", b"\x10\xff\xff\xff\xff\xff"):
            self.assertIsNotNone(self.throw(self.gateway.mqtt_port, connect + promise + b"x" * 1000))
        self.gateway.wait_log('client="evil" why="packet too large"')
        for head in (b"POST /ingest/d HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
                     b"POST /ingest/d HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
                     b"POST /ingest/d HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                     b"POST /ingest/d HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nx",
                     b"GET /" + b"a" * 70000 + b" HTTP/1.1\r\n\r\n",
                     b"GET / HTTP/1.1\r\n" + b"".join(b"H%d: x\r\n" % i for i in range(3000)) + b"\r\n"):
            for port in (self.gateway.push_port, self.gateway.http_port, self.gateway.ws_port):
                answer = self.throw(port, head)
                self.assertTrue(not answer or answer.startswith(b"HTTP/1.1 4"), answer[:100])
        self.check_others()

    def test_payloads_that_are_no_values(self):
        evil = Client(self.gateway.mqtt_port, "evil")
        self.addCleanup(evil.leave)
        for payload in (b"", b"\0" * 1000, b"9" * 5000, b"nan", b"1e999", b"[" * 10000, b'{"a":' * 5000,
                        b'{"a":"' + b"\\ud800" * 100 + b'"}', b"{" + b'"k":1,' * 20000 + b'"k":1}', b"\xff\xfe",
                        b'{"' + b"n" * 60000 + b'":1}', os.urandom(1000)):
            for topic in ("d/s", "j/d"):
                evil.say(topic, payload)
        evil.say("d" * 5000 + "/s", "1")
        evil.say("d/" + "s" * 60000, "1")
        self.check_others()

    def test_ten_thousand_connections_in_bursts(self):
        for _ in range(10):
            burst = []
            for _ in range(1000):
                s = socket.socket()
                s.setblocking(False)
                try:
                    s.connect(("127.0.0.1", self.gateway.mqtt_port))
                except BlockingIOError:
                    pass
                burst.append(s)
            if random.random() < 0.5:
                time.sleep(0.2)
            for s in burst:
                s.close()
        wait_until(lambda: self.gateway.metric("ganglion_mqtt_connections") <= 2, 15, "the connections are gone")
        self.check_others()

    def test_more_clients_than_allowed_are_turned_away_and_room_is_given_back(self):
        crowd = []
        for _ in range(1100):
            s = socket.create_connection(("127.0.0.1", self.gateway.mqtt_port), 5)
            s.sendall(b"\x10\x0d\0\4MQTT\5\2\0\0\0\0\0")
            crowd.append(s)
        wait_until(lambda: self.gateway.metric("ganglion_mqtt_connections") >= 990, 15, "a full house")
        self.assertLessEqual(self.gateway.metric("ganglion_mqtt_connections"), 1000)
        self.check_others(5)
        for s in crowd:
            s.close()
        wait_until(lambda: self.gateway.metric("ganglion_mqtt_connections") <= 2, 15, "room")
        late = Client(self.gateway.mqtt_port)
        self.addCleanup(late.leave)
        self.check_others()

    def test_a_connection_that_says_nothing_is_ended(self):
        with socket.create_connection(("127.0.0.1", self.gateway.mqtt_port), 5) as s:
            s.settimeout(15)
            self.assertEqual(s.recv(1), b"", "CONNECT has to come within 10 s")

    def test_a_slow_reader_costs_only_itself(self):
        slow = socket.create_connection(("127.0.0.1", self.gateway.mqtt_port), 5)
        self.addCleanup(slow.close)
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.sendall(b"\x10\x11\0\4MQTT\5\2\0\0\0\0\4slow" + b"\x82\x0b\0\1\0\0\5big/#\1")
        listener = Client(self.gateway.mqtt_port, "fast")
        self.addCleanup(listener.leave)
        listener.listen("big/#", 0)
        payload = os.urandom(50000)
        for _ in range(600):  # 30 MB that the slow one never reads
            self.good.say("big/data/x", payload)
        listener.wait_for(600, 20)
        self.check_others()

    def test_a_client_that_never_acknowledges_costs_only_itself(self):
        lazy = socket.create_connection(("127.0.0.1", self.gateway.mqtt_port), 5)
        self.addCleanup(lazy.close)
        lazy.sendall(b"\x10\x16\0\4MQTT\5\2\0\0\5\x11\xff\xff\xff\xff\4lazy" + b"\x82\x0b\0\1\0\0\5big/#\1")
        reader = threading.Thread(target=self.drain, args=(lazy,), daemon=True)
        reader.start()
        payload = os.urandom(50000)
        for _ in range(600):
            self.good.say("big/data/x", payload)
        self.check_others()

    @staticmethod
    def drain(s):
        try:
            while s.recv(65536):
                pass
        except OSError:
            pass

    def test_a_storm_of_topics_meets_the_limits(self):
        evil = Client(self.gateway.mqtt_port, "evil")
        self.addCleanup(evil.leave)
        answers = {self.good.say("good/x", "0")}
        for i in range(3000):
            info = evil.publish(f"storm/s{i}", "1", 1 if i % 50 == 0 else 0)
            if i % 50 == 0:
                info.wait_for_publish(10)
                answers.update(evil.ack_of(info.mid))
        for i in range(300):
            answers.add(evil.say(f"device-{i}/x", "1"))
        self.assertTrue(answers - {"Success"}, "nobody said that the limit is reached")
        self.gateway.wait_log('the limit of devices or signals is reached client="evil"')
        self.assertEqual(self.good.say("good/x", "1"), "Success")  # known before: untouched
        status, signals = self.gateway.api("GET", "/api/v1/signals?limit=10000")
        self.assertEqual(status, 200)
        self.assertLessEqual(len(signals["signals"]), 500)
        self.assertEqual(self.gateway.api("GET", "/metrics")[0], 200)

    def test_subscriptions_and_retained_messages_are_bounded(self):
        evil = Client(self.gateway.mqtt_port, "evil", expiry_s=1000)
        self.addCleanup(evil.leave)
        codes = {evil.listen("deep/" + "+/" * i + "#", 1) for i in range(200)}
        codes |= {evil.listen(f"many/{i}", 1) for i in range(1500)}
        self.assertIn("Quota exceeded", codes)
        payload = os.urandom(100000)
        answers = {evil.say(f"kept/data/{i}", payload, retain=True) for i in range(200)}  # 20 MB into 8 MiB
        self.assertIn("Quota exceeded", answers)
        self.check_others()

    def test_websocket_frames_against_the_protocol(self):
        upgrade = (b"GET /mqtt HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                   b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
                   b"Sec-WebSocket-Protocol: mqtt\r\n\r\n")
        for frame in (b"\x82\x05hello", b"\x81\x85\0\0\0\0hello", b"\xf2\x80\0\0\0\0", b"\x89\xfe\x01\x00" + b"\0" * 260,
                      b"\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0", b"\x02\x80\0\0\0\0" * 1000):
            with socket.create_connection(("127.0.0.1", self.gateway.ws_port), 5) as s:
                s.sendall(upgrade + frame)
                s.settimeout(12)
                got = b""
                try:
                    while part := s.recv(4096):
                        got += part
                except ConnectionError:
                    pass
                self.assertTrue(got.startswith(b"HTTP/1.1 101"), got[:100])
        self.check_others()

    def test_slow_http_requests_are_ended(self):
        slow = []
        for _ in range(50):
            s = socket.create_connection(("127.0.0.1", self.gateway.push_port), 5)
            s.sendall(b"POST /ingest/d HTTP/1.1\r\nHost: x\r\n")
            slow.append(s)
        self.check_others()
        slow[0].settimeout(15)
        self.assertIn(b"408", slow[0].recv(4096)[:20])
        for s in slow:
            s.close()


class Modbus(unittest.TestCase):
    def test_a_device_that_answers_with_rubbish(self):
        dice, stop = random.Random(3), threading.Event()

        def serve(listener):
            while not stop.is_set():
                try:
                    s, _ = listener.accept()
                    while request := s.recv(300):
                        kind = dice.randrange(5)
                        head = request[:4]
                        answer = {0: dice.randbytes(dice.randrange(1, 300)), 1: head + b"\xff\xff\1" + b"\3" * 1000,
                                  2: head + b"\0\0", 3: head + struct.pack(">HBBB", 5, 1, 3, 200) + b"\0\0",
                                  4: head + struct.pack(">HBBBH", 5, 1, 3, 2, 7)}[kind]
                        s.sendall(answer)
                except OSError:
                    pass
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            thread = threading.Thread(target=serve, args=(listener,), daemon=True)
            thread.start()
            with Gateway({"site": "t", "drivers": {"m": {
                    "driver": "modbus", "connect": f"tcp://127.0.0.1:{listener.getsockname()[1]}", "poll": "10ms",
                    "timeout": "50ms", "backoff": "50ms", "backoff_max": "50ms",
                    "signals": {"x": {"address": "holding 1"}}}}}) as gateway:
                before = gateway.rss_mib()
                time.sleep(5)
                self.assertTrue(gateway.is_alive())
                self.assertLess(gateway.rss_mib() - before, MEMORY_MIB / 5)
                self.assertIn("127.0.0.1:", gateway.log())
            stop.set()


if __name__ == "__main__":
    unittest.main()

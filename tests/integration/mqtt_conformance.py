"""What the conformance tests share: a gateway for a class of them, and raw clients.

The docstring of a test names the statements it shows: "5.0: 3.1.2-1, 3.1.2-2. 3.1.1: 3.1.2-1." The table in
docs/internals/mqtt-conformance.md is held against them by test_mqtt_conformance_table.
"""
import unittest

from gateway import Gateway
from mqtt_raw import Raw, WebSocket

MALFORMED, PROTOCOL_ERROR, BAD_TOPIC, BAD_FILTER, BAD_ALIAS = 0x81, 0x82, 0x90, 0x8f, 0x94
BROKEN = (MALFORMED, PROTOCOL_ERROR, BAD_TOPIC, BAD_FILTER)
BOTH = (4, 5)  # protocol levels: 3.1.1 and 5.0


def config(**more):
    return {"site": "test", "drivers": {"mqtt": {
        "listen": ["127.0.0.1:{mqtt_port}", "ws://127.0.0.1:{ws_port}/mqtt"],
        "topics": {"in/{device}/{signal}": "plain"}, "max_packet": "64KiB", "max_inflight": 20, **more}}}


class Conformance(unittest.TestCase):
    config = config()

    @classmethod
    def setUpClass(cls):
        cls.gateway = Gateway(cls.config)
        cls.addClassCleanup(cls.gateway.__exit__)
        cls.gateway.__enter__()
        cls.count = 0

    def setUp(self):
        type(self).count += 1
        self.top = f"t{self.count}"

    def raw(self, version=5, ws=False, **more):
        """A connection that has said nothing yet."""
        client = Raw(self.gateway.ws_port, version, WebSocket, **more) if ws else Raw(self.gateway.mqtt_port, version,
                                                                                     **more)
        self.addCleanup(client.close)
        return client

    def client(self, client_id="", version=5, ws=False, **more):
        client = self.raw(version, ws)
        client.connack = client.connect(client_id, **more)
        return client

    def ends(self, data, *codes, version=5, **more):
        """The server ends a connection that sends this; in 5.0 it says why."""
        client = self.client(version=version, **more)
        client.send(data)
        client.end(*codes)

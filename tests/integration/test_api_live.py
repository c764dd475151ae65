"""The live stream of the HTTP API (server-sent events) of a real gateway."""
import socket
import time
import unittest

import paho.mqtt.publish

from api_case import V1, ApiCase, Live
from gateway import wait_until


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

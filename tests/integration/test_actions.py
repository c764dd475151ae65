"""What rules do, at real receivers: webhooks at an HTTP server, writes and messages at MQTT clients, functions in Lua.
What fails becomes an event."""
import http.server
import json
import threading
import time
import unittest

from gateway import BUILD, Gateway, free_port, wait_until
from peers import Client


class Receiver:
    """An HTTP server that answers with the statuses given, one after the other, the last for ever."""

    def __init__(self, *statuses, wait_s=0):
        self.statuses, self.requests = list(statuses), []
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                receiver.requests.append((time.monotonic(), self.path, dict(self.headers), body))
                time.sleep(wait_s)
                status = receiver.statuses.pop(0) if len(receiver.statuses) > 1 else receiver.statuses[0]
                self.send_response(status)
                self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_PUT = do_POST

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def bodies(self):
        return [json.loads(body) for _, _, _, body in self.requests]


class Actions(unittest.TestCase):
    def begin(self, rules, env=None, **drivers):
        self.gateway = Gateway({
            "site": "hall",
            "drivers": dict({"mqtt": {"listen": "127.0.0.1:{mqtt_port}", "topics": {"{device}/{signal}": "plain"},
                                      "write": "commands/{device}/{signal}"}}, **drivers),
            "rules": rules}, env=env)
        self.addCleanup(self.gateway.__exit__)
        self.gateway.__enter__()
        self.client = Client(self.gateway.mqtt_port)
        self.addCleanup(self.client.leave)

    def receiver(self, *statuses, **more):
        made = Receiver(*statuses, **more)
        self.addCleanup(made.stop)
        return made

    def events(self, kind, count, state=None):
        def found():
            return [e for e in self.gateway.events(kind) if state is None or e["state"] == state]
        wait_until(lambda: len(found()) >= count, 15,
                   lambda: f"{count} events {kind}: {self.gateway.events(kind)}\n{self.gateway.log()}")
        return found()

    # -- webhooks

    def test_a_webhook_is_tried_again_after_500_with_the_same_key(self):
        ops = self.receiver(500, 503, 200)
        self.begin({"hot": {"when": "oven/temperature > 100", "severity": "critical", "title": "{signal} is at {value}",
                            "do": [{"webhook": {"url": f"http://127.0.0.1:{ops.port}/alarm?x=1", "pause": "50ms",
                                                "headers": {"Authorization": "Bearer ${OPS_TOKEN}",
                                                            "X-Plain": "shown"}}}]}},
                   env={"OPS_TOKEN": "deep secret"})
        self.client.say("oven/temperature", "150")
        wait_until(lambda: len(ops.requests) >= 3, what=lambda: f"three tries\n{self.gateway.log()}")
        _, path, headers, _ = ops.requests[0]
        self.assertEqual((path, headers["Authorization"], headers["X-Plain"]),
                         ("/alarm?x=1", "Bearer deep secret", "shown"))
        self.assertEqual(headers["Content-Type"], "application/json")
        self.assertEqual(len({h["Idempotency-Key"] for _, _, h, _ in ops.requests}), 1)
        body = ops.bodies()[0]
        self.assertEqual((body["rule"], body["signal"], body["value"], body["severity"], body["state"], body["title"]),
                         ("hot", "oven/temperature", 150, "critical", "open", "oven/temperature is at 150"))
        self.assertGreater(ops.requests[2][0] - ops.requests[1][0], 0.05, "the pause does not grow")
        self.assertNotIn("deep secret", self.gateway.log(1 << 20))
        with open(self.gateway.data + "/catalog.db", "rb") as f:
            self.assertNotIn(b"deep secret", f.read())
        self.assertEqual(self.gateway.events("action-failed"), [])

    def test_a_webhook_that_fails_for_good_becomes_an_event_that_success_clears(self):
        ops = self.receiver(404, 404, 204)
        self.begin({"hot": {"when": "oven/temperature > 100",
                            "do": [{"webhook": {"url": f"http://127.0.0.1:{ops.port}/", "pause": "10ms"}}]}})
        self.client.say("oven/temperature", "150")
        failed = self.events("action-failed", 1)[0]
        self.assertIn("404", failed["title"])
        self.assertEqual(len(ops.requests), 1, "404 is final")
        for value in ("50", "150", "50", "160"):
            self.client.say("oven/temperature", value)
        self.events("action-failed", 1, state=2)

    def test_a_receiver_that_is_not_there_or_never_answers_becomes_an_event(self):
        slow = self.receiver(200, wait_s=3)
        self.begin({
            "gone": {"when": "oven/a > 0", "do": [{"webhook": {
                "url": f"http://127.0.0.1:{free_port()}/", "retries": 2, "pause": "10ms"}}]},
            "slow": {"when": "oven/a > 0", "do": [{"webhook": {
                "url": f"http://127.0.0.1:{slow.port}/", "retries": 0, "timeout": "200ms"}}]}})
        self.client.say("oven/a", "1")
        titles = {e["key"]: e["title"] for e in self.events("action-failed", 2)}
        self.assertEqual(set(titles), {"gone/do.1.webhook", "slow/do.1.webhook"})

    def test_two_webhooks_of_a_rule_fail_and_recover_each_for_itself(self):
        ops = self.receiver(404, 204)
        dead = free_port()
        self.begin({"hot": {"when": "oven/a > 10", "do": [
            {"webhook": {"url": f"http://127.0.0.1:{ops.port}/"}},
            {"webhook": {"url": f"http://127.0.0.1:{dead}/", "retries": 0}}]}})
        self.client.say("oven/a", "11")
        self.assertEqual({e["key"] for e in self.events("action-failed", 2)}, {"hot/do.1.webhook", "hot/do.2.webhook"})
        self.gateway.restart()
        self.client = Client(self.gateway.mqtt_port)
        self.addCleanup(self.client.leave)
        for value in ("9", "12"):
            self.client.say("oven/a", value)
        self.assertEqual(self.events("action-failed", 1, state=2)[0]["key"], "hot/do.1.webhook")
        self.assertEqual([e["key"] for e in self.events("action-failed", 1, state=0)], ["hot/do.2.webhook"])

    def test_a_redirect_is_not_followed(self):
        ops = self.receiver(302, 200)
        self.begin({"hot": {"when": "oven/a > 0", "do": [{"webhook": f"http://127.0.0.1:{ops.port}/"}]}})
        self.client.say("oven/a", "1")
        self.events("action-failed", 1)
        self.assertEqual(len(ops.requests), 1)

    def test_clearing_calls_again_with_the_state(self):
        ops = self.receiver(200)
        hook = {"webhook": {"url": f"http://127.0.0.1:{ops.port}/", "body": "{title} [{state}]", "method": "PUT"}}
        self.begin({"hot": {"when": "oven/a > 10", "title": "hot", "do": [hook], "on_clear": [hook]}})
        self.client.say("oven/a", "11")
        self.client.say("oven/a", "9")
        wait_until(lambda: len(ops.requests) >= 2)
        self.assertEqual([body.decode() for _, _, _, body in ops.requests], ["hot [open]", "hot [cleared]"])

    def test_a_storm_of_events_does_not_hold_up_samples(self):
        slow = self.receiver(200, wait_s=0.5)
        self.begin({"hot": {"when": "*/a > 0", "do": [
            {"webhook": {"url": f"http://127.0.0.1:{slow.port}/", "queue": 10}}, {"publish": {"topic": "seen/$1"}}]}})
        listener = Client(self.gateway.mqtt_port)
        self.addCleanup(listener.leave)
        listener.listen("seen/#", 1)
        began = time.monotonic()
        for i in range(200):
            self.client.say(f"d{i}/a", "1", 0)
        listener.wait_for(200, 15)
        self.assertLess(time.monotonic() - began, 10)
        self.assertIn("waiting already", self.events("action-failed", 1)[0]["title"])

    # -- write and publish

    def test_write_reaches_the_device_and_publish_the_listeners(self):
        self.begin({"hot": {"when": "oven-*/temperature > 100", "do": [
            {"write": {"oven-$1/burner": "off", "oven-$1/fan": "= {value} / 2"}},
            {"publish": {"topic": "alarms/{device}", "payload": "{value}", "qos": 2, "retain": True}}]}})
        device = Client(self.gateway.mqtt_port)
        self.addCleanup(device.leave)
        device.listen("commands/oven-1/#", 1)
        self.client.say("oven-1/burner", "1")
        self.client.say("oven-1/fan", "1")
        self.client.say("oven-1/temperature", "120")
        wait_until(lambda: len(device.got) >= 2, what=lambda: self.gateway.events("action-failed"))
        got = dict((t, p) for t, p, _ in device.wait_for(2))
        self.assertEqual(float(got["commands/oven-1/fan"]), 60)
        self.assertIn(got["commands/oven-1/burner"], (b"off", b"false", b"0"))
        late = Client(self.gateway.mqtt_port)
        self.addCleanup(late.leave)
        late.listen("alarms/#", 2)
        self.assertEqual(late.wait_for(1), [("alarms/oven-1", b"120", 2)])

    def test_a_wrong_formula_keeps_back_its_own_write_only(self):
        self.begin({"hot": {"when": "oven/a > 0", "do": [
            {"write": {"oven/first": "= {value} *", "oven/fan": "= {value} * 2"}}]}})
        device = Client(self.gateway.mqtt_port)
        self.addCleanup(device.leave)
        device.listen("commands/oven/#", 1)
        for name in ("first", "fan"):
            self.client.say(f"oven/{name}", "1")
        self.client.say("oven/a", "21")
        self.assertEqual([(t, float(p)) for t, p, _ in device.wait_for(1)], [("commands/oven/fan", 42.0)])
        failed = self.events("action-failed", 1)[0]
        self.assertIn("oven/first: ", failed["title"])
        self.assertNotIn("oven/fan", failed["title"])

    def test_a_write_to_what_is_not_there_becomes_an_event(self):
        self.begin({"hot": {"when": "oven/a > 0", "do": [{"write": {"nobody/x": "1"}}]}})
        self.client.say("oven/a", "1")
        self.assertIn("nobody/x", self.events("action-failed", 1)[0]["title"])

    # -- Lua

    def test_a_function_decides_what_is_done(self):
        self.begin({"hot": {"when": "oven/a > 0", "do": [{"lua": (
            "function on_event(e)\n"
            "  return { write = { ['oven/fan'] = e.value * 2 },\n"
            "           publish = { ['said/' .. e.rule] = 'at ' .. e.value }, text = 'fan on' }\n"
            "end\n")}]}})
        listener = Client(self.gateway.mqtt_port)
        self.addCleanup(listener.leave)
        listener.listen("said/#", 1)
        listener.listen("commands/#", 1)
        self.client.say("oven/fan", "0")
        self.client.say("oven/a", "21")
        got = dict((t, p) for t, p, _ in listener.wait_for(2))
        self.assertEqual(float(got["commands/oven/fan"]), 42)
        self.assertEqual(float(got["said/hot"].split()[1]), 21)
        wait_until(lambda: any("fan on" in e["trace"] for e in self.gateway.events("rule")),
                   what=lambda: self.gateway.events("rule"))

    def test_a_function_that_fails_or_runs_wild_becomes_an_event_and_holds_nobody_up(self):
        self.begin({
            "wrong": {"when": "oven/a > 0", "do": [{"lua": "function on_event(e) return e.value .. nil end"}]},
            "wild": {"when": "oven/a > 0", "do": [{"lua": "function on_event(e) while true do end end"}]},
            "greedy": {"when": "oven/a > 0", "do": [{"lua": (
                "function on_event(e) local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(1e6) end end")}]},
            "fine": {"when": "oven/a > 0", "do": [{"publish": {"topic": "fine"}}]}})
        listener = Client(self.gateway.mqtt_port)
        self.addCleanup(listener.leave)
        listener.listen("fine", 1)
        began = time.monotonic()
        self.client.say("oven/a", "1")
        listener.wait_for(1)
        self.assertLess(time.monotonic() - began, 3)
        self.assertEqual({e["key"] for e in self.events("action-failed", 3)},
                         {"wrong/do.1.lua", "wild/do.1.lua", "greedy/do.1.lua"})
        if not BUILD.endswith(("asan", "tsan")):
            self.assertLess(self.gateway.rss_mib(), 200)


if __name__ == "__main__":
    unittest.main()

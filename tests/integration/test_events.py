"""Events in great number: a flood from rules, pages of old ones, and what is forgotten."""
import contextlib
import json
import os
import subprocess
import threading
import time
import unittest
import urllib.error
import urllib.request

from gateway import BINARY, Gateway, wait_until

TOKEN = "ggt_flood"
V1 = "/api/v1"


class Events(unittest.TestCase):
    def begin(self, **more):
        self.gateway = Gateway(dict({
            "site": "events",
            "drivers": {"push": {"driver": "http", "listen": "127.0.0.1:{push_port}", "max_body": "16MiB"}},
        }, **more))
        self.addCleanup(self.gateway.__exit__)
        self.gateway.start_with({"id": "flood", "token": TOKEN, "application": True})

    def push(self, lines, timeout_s=120):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.gateway.push_port}/write?precision=ns", "\n".join(lines).encode(),
            {"Authorization": f"Bearer {TOKEN}"})
        while True:
            try:
                with urllib.request.urlopen(request, timeout=timeout_s) as answer:
                    return answer.status
            except urllib.error.HTTPError as e:
                if e.code != 503:  # it is full: try again
                    raise
                time.sleep(0.05)

    def page(self, query=""):
        status, body = self.gateway.api("GET", f"{V1}/events?{query}")
        self.assertEqual(status, 200, body)
        return body

    def pages(self, query=""):
        """All events of a query, page by page."""
        found, before = [], ""
        while True:
            body = self.page(query + before)
            found += body["events"]
            if "next" not in body:
                return found
            before = f"&before={body['next']}"

    def cli(self, *words):
        done = subprocess.run([BINARY, "event", *words, "--data", self.gateway.data], capture_output=True, text=True,
                              timeout=60, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def insert(self, rows):
        """Events of earlier days, while the gateway is down: (id, key, severity, state, opened s ago, cleared s ago)."""
        now = time.time_ns()
        with self.gateway.catalog(write=True) as db, db:
            db.executemany(
                "INSERT INTO events (id, kind, key, severity, state, title, device, signal, trace, count, opened_ns, updated_ns,"
                " acknowledged_ns, acknowledged_by, cleared_ns) VALUES (?, 'test', ?, ?, ?, 'old ' || ?, 'd', '', '[]', 1, ?, ?, 0, '', ?)",
                [(i, key, severity, state, key, now - opened * 10**9, now, cleared and now - cleared * 10**9)
                 for i, key, severity, state, opened, cleared in rows])


class Asking(threading.Thread):
    """Asks the API again and again; remembers how long an answer took at most."""

    def __init__(self, gateway):
        super().__init__(daemon=True)
        self.gateway, self.stop, self.answers, self.longest, self.failed = gateway, False, 0, 0, []

    def run(self):
        while not self.stop:
            began = time.monotonic()
            try:
                status, _ = self.gateway.api("GET", f"{V1}/events?limit=10", timeout_s=30)
                if status != 200:
                    self.failed.append(status)
            except OSError as e:
                self.failed.append(repr(e))
            self.longest = max(self.longest, time.monotonic() - began)
            self.answers += 1
            time.sleep(0.02)

    def end(self):
        self.stop = True
        self.join(60)


class Flood(Events):
    def begin(self):
        super().begin(limits={"signals": 200000, "devices": 1000, "batch_memory": "512MiB"},
                      history={"enabled": False},
                      rules={"high": {"when": "*/m.x* > 1", "title": "{signal} is at {value}"}})

    def settled(self):
        """No report is on its way any more: an event that is told last of all is there."""
        before = None

        def quiet():
            nonlocal before
            now = [self.gateway.metric(name) for name in
                   ("ganglion_events_folded_total", "ganglion_events_opened_total", "ganglion_events_lost_total")]
            same, before = now == before, now
            time.sleep(0.3)
            return same
        wait_until(quiet, 120, "the flood to be over")

    def test_a_rule_that_fires_all_the_time_keeps_its_last_state(self):
        self.begin()
        asking = Asking(self.gateway)
        asking.start()
        began, now, sent = time.monotonic(), time.time_ns(), 0
        for turn in range(10):  # 5 keys; each line after the first of a key changes its condition
            lines = [f"m,device=d{i % 5} x0={2 * (i // 5 % 2)} {now + turn * 10**6 + i}" for i in range(40000)]
            self.push(lines)
            sent += len(lines)
        took = time.monotonic() - began
        last = [f"m,device=d{i} x0={2 * (i % 2)} {now + 10**9 + i}" for i in range(5)]
        self.push(last)
        self.settled()
        asking.end()
        events = {e["signal"]: e for e in self.pages("kind=rule")}
        self.assertEqual({name: e["state"] for name, e in events.items()},
                         {f"d{i}/m.x0": "open" if i % 2 else "cleared" for i in range(5)})
        reports = sent / 2  # each condition came true with every other line
        self.assertEqual(sum(e.get("repeats", 0) + 1 for e in events.values()), reports)
        self.assertEqual(self.gateway.metric("ganglion_events_lost_total"), 0)
        self.assertEqual(asking.failed, [])
        self.assertGreater(asking.answers, 5)
        self.assertLess(asking.longest, 5)
        print(f"{sent / took:.0f} reports/s; {asking.answers} answers, the longest took {asking.longest * 1000:.0f} ms")

    def test_very_many_events_are_bounded_and_counted(self):
        self.begin()
        asking = Asking(self.gateway)
        asking.start()
        now, many = time.time_ns(), 100000
        began, memory = time.monotonic(), self.gateway.rss_mib()
        for device in range(0, 100, 10):
            self.push([f"m,device=d{device + i // 1000} x{i % 1000}=2 {now + i}" for i in range(10000)])
        took = time.monotonic() - began
        self.settled()
        asking.end()
        opened = self.gateway.metric("ganglion_events_opened_total")
        lost = self.gateway.metric("ganglion_events_lost_total")
        causes = {cause: self.gateway.metric("ganglion_events_lost_total", cause=cause) for cause in ("flood", "book")}
        self.assertEqual(opened + lost, 65536)  # as many instances the rules may have
        self.assertEqual(sum(causes.values()), lost, causes)
        self.assertGreaterEqual(lost, 65536 - 20000)
        self.assertLess(self.gateway.rss_mib() - memory, 700)
        self.gateway.wait_log("an event could not be taken")
        self.assertLess(self.gateway.log(1 << 24).count("an event could not be taken"), 500)
        self.assertEqual(asking.failed, [])
        self.assertLess(asking.longest, 10)
        print(f"{many / took:.0f} keys/s, {causes}; {asking.answers} answers, the longest {asking.longest * 1000:.0f} ms")


class Old(Events):
    def begin(self, rows, **more):
        super().begin(**more)
        self.gateway.stop()
        self.insert(rows)
        self.gateway.start()

    def test_pages_reach_behind_what_is_in_memory(self):
        # 7,000 that cleared: 5,000 of them are in memory after the start; some that are open lie far behind them
        rows = [(i, f"k{i}", i % 3, 0 if i in (10, 500) else 2, 90000 - i, 0 if i in (10, 500) else 80000 - i)
                for i in range(1, 7001)]
        self.begin(rows)
        found = self.pages("limit=1000")
        self.assertEqual([e["id"] for e in found], list(range(7000, 0, -1)))
        self.assertEqual([e["id"] for e in found if e["state"] == "open"], [500, 10])
        found = self.pages("limit=100&severity=critical&state=cleared")
        self.assertEqual([e["id"] for e in found], [i for i in range(7000, 0, -1) if i % 3 == 2 and i != 500])
        self.assertEqual([e["id"] for e in self.pages("state=active&limit=1")], [500, 10])
        self.assertEqual(self.pages("device=nobody"), [])
        self.assertEqual([e["id"] for e in self.page("before=300&limit=3")["events"]], [299, 298, 297])
        self.assertEqual(self.gateway.api("GET", f"{V1}/events?before=x")[0], 400)

        old = self.gateway.api("GET", f"{V1}/events/20")[1]
        self.assertEqual((old["title"], old["state"], old["trace"]), ("old k20", "cleared", []))
        status, old = self.gateway.api("POST", f"{V1}/events/20/comment", {"text": "it was the pump"})
        self.assertEqual((status, old["trace"][0]["text"]), (200, "it was the pump"))
        self.assertEqual(self.gateway.api("GET", f"{V1}/events/20")[1]["trace"], old["trace"])
        self.assertEqual(self.gateway.api("POST", f"{V1}/events/20/acknowledge", {})[0], 409)
        self.assertEqual(self.gateway.api("GET", f"{V1}/events/999999")[0], 404)

        done = self.cli("list", "--limit", "2")
        self.assertIn("6999", done.stdout)
        self.assertIn("--before 6999", done.stderr)
        self.assertIn("\n6998", self.cli("list", "--limit", "2", "--before", "6999").stdout)
        found = json.loads(self.cli("list", "--all", "--json", "--severity", "warning").stdout)
        self.assertEqual(len(found["events"]), sum(i % 3 > 0 for i in range(1, 7001)))
        self.assertNotIn("next", found)
        found = json.loads(self.cli("list", "--all", "--json", "--since", "-83001s").stdout)
        self.assertLessEqual(abs(len(found["events"]) - 2), 60)  # opened 83,000 s ago and later, as time goes on

    def test_old_ones_are_forgotten_and_open_ones_never(self):
        day = 86400
        rows = [(1, "open", 2, 0, 500 * day, 0), (2, "late", 1, 2, 500 * day, day)]
        rows += [(i, f"k{i}", 1, 2, 450 * day - i, 440 * day - i) for i in range(3, 503)]
        rows += [(i, f"k{i}", 1, 2, 10 * day - i, 9 * day - i) for i in range(1000, 1400)]
        self.begin(rows, events={"retention": {"age": "400d", "count": 300}})

        def stored():
            with contextlib.closing(self.gateway.catalog().thing) as db:
                return [row[0] for row in db.execute("SELECT id FROM events ORDER BY id")]
        wait_until(lambda: len(stored()) <= 300, 60, "old events to be forgotten")
        left = stored()
        self.assertEqual(len(left), 300)
        self.assertEqual(left[0], 1)
        self.assertEqual(left[1:], list(range(1101, 1400)))
        wait_until(lambda: [e["id"] for e in self.pages()] == left[::-1], 10, "the API to say the same")
        self.assertEqual(self.gateway.metric("ganglion_events_forgotten_total"), len(rows) - 300)
        self.assertEqual(self.gateway.metric("ganglion_events_stored"), 300)


class Names(Events):
    def test_a_unit_changed_in_a_running_gateway_is_in_what_comes_later(self):
        def pipelines(unit):
            return {"made": {"select": ["d/*"], "stages": [{"compute": {"flow": {"formula": "d/x * 2", "unit": unit}}}]}}
        self.begin(pipelines=pipelines("bar"))
        self.push([f"d x=1 {time.time_ns()}"])
        name = "made/flow"

        def unit():
            return self.gateway.api("GET", f"{V1}/signals/{name}")[1].get("unit")

        def queried():
            status, body = self.gateway.api("POST", f"{V1}/query",
                                            {"sql": f"SELECT unit FROM signals WHERE signal = '{name}'"})
            self.assertEqual(status, 200, body)
            return body["rows"]

        def journal():
            folder = os.path.join(self.gateway.data, "journal")
            text = b""
            for file in sorted(os.listdir(folder)):
                with open(os.path.join(folder, file), "rb") as f:
                    text += f.read()
            return text
        wait_until(lambda: unit() == "bar", 10, "the signal's unit")
        wait_until(lambda: queried() == [["bar"]], 10, lambda: f"the query's unit, {queried()}")
        status, body = self.gateway.api("PATCH", f"{V1}/config", {"pipelines": pipelines("mbar")})
        self.assertEqual(status, 200, body)
        self.push([f"d x=3 {time.time_ns()}"])
        wait_until(lambda: unit() == "mbar", 10, lambda: f"the new unit, {unit()}")
        wait_until(lambda: b"mbar" in journal(), 10, "the new unit in the journal")
        self.assertEqual(queried(), [["mbar"]])
        del self.gateway.config["pipelines"]  # only the journal and the history know it then
        self.gateway.restart()
        self.assertEqual((unit(), queried()), ("mbar", [["mbar"]]))


if __name__ == "__main__":
    unittest.main()

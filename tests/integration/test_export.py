"""What comes out of the history as CSV, JSON lines and Parquet, of a gateway at work and of its folder: other people's
readers must read it. And queries whose rows come without end."""
import csv
import http.client
import io
import json
import os
import subprocess
import time
import unittest

import duckdb
import pyarrow.parquet as parquet

from gateway import BINARY, BUILD, Gateway, wait_until
from peers import Client
from test_cli import run

CONFIG = {
    "site": "export-hall",
    "drivers": {"mqtt": {"listen": "127.0.0.1:{mqtt_port}", "topics": {"j/{device}": "json", "{device}/{signal}": "plain"}}},
    "pipelines": {"c": {"select": ["mill/heat"], "stages": [{"normalise": {"unit": "°C"}}]}},
}
ROWS = 3000
ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT i FROM n"
BIG = 12345


class Export(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.gateway = Gateway(CONFIG)
        cls.gateway.__enter__()
        cls.addClassCleanup(cls.gateway.__exit__)
        device = Client(cls.gateway.mqtt_port, "mill")
        for i in range(ROWS):
            device.publish("mill/speed", str(i / 4))
        for i, text in enumerate(["run", "stop, \"now\"", "läuft\nweiter"]):
            device.say("mill/state", text)
            device.say("press/state", f"s{i}")
        device.say("j/mill", json.dumps({"count": BIG}))
        device.say("mill/on", "true")
        device.leave()
        wait_until(lambda: cls.query("SELECT count(*) FROM samples")[0][0] >= ROWS + 8, 20,
                   lambda: cls.query("SELECT signal, count(*) FROM samples GROUP BY 1"))

    @classmethod
    def query(cls, sql):
        status, answer = cls.gateway.api("POST", "/api/v1/query", {"sql": sql, "limit": 100000})
        assert status == 200, answer
        return answer["rows"]

    def cli(self, *args, status=0, data=None, **kw):
        done = run(*args, "--data", data or self.gateway.data, **kw)
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stdout if status == 0 else done.stderr

    def file(self, name):
        return os.path.join(self.gateway.folder, name)

    def export(self, name, *args):
        self.cli("export", "--out", self.file(name), *args)
        self.assertFalse(os.path.exists(self.file(name) + ".part"))
        return self.file(name)

    def test_csv_has_every_sample_as_it_stands(self):
        text = self.cli("export", "--select", "mill/state,mill/count,mill/on", "--format", "csv")
        rows = list(csv.reader(io.StringIO(text, newline="")))
        self.assertEqual(rows[0], ["signal", "time", "value", "unit", "quality"])
        self.assertEqual([r[2] for r in rows[1:]],
                         [str(BIG), "true", "run", "stop, \"now\"", "läuft\nweiter"])

    def test_json_lines_have_every_sample_as_it_stands(self):
        rows = [json.loads(line) for line in self.cli("export", "--select", "mill/*", "--format", "jsonl").splitlines()]
        speeds = [r["value"] for r in rows if r["signal"] == "mill/speed"]
        self.assertEqual(speeds, [i / 4 for i in range(ROWS)])
        self.assertEqual([r["value"] for r in rows if r["signal"] == "mill/state"][1], "stop, \"now\"")
        self.assertEqual([r["value"] for r in rows if r["signal"] == "mill/count"], [BIG])

    def test_pyarrow_reads_parquet(self):
        table = parquet.read_table(self.export("all.parquet"))
        self.assertEqual([str(f.type) for f in table.schema],
                         ["string", "timestamp[ns, tz=UTC]", "double", "string", "string", "string"])
        rows = table.drop_columns(["time"]).to_pylist()  # Python has no nanoseconds
        self.assertEqual(len(rows), self.query("SELECT count(*) FROM samples")[0][0])
        speeds = [r for r in rows if r["signal"] == "mill/speed"]
        self.assertEqual([r["value"] for r in speeds], [i / 4 for i in range(ROWS)])
        self.assertTrue(all(r["text"] is None and r["quality"] == "good" for r in speeds))
        times = [t[0] for t in self.query("SELECT ns FROM samples WHERE signal = 'mill/speed' ORDER BY time")]
        index = table.column("signal").to_pylist().index("mill/speed")
        self.assertEqual(table.column("time").cast("int64").to_pylist()[index:index + ROWS], times)
        self.assertEqual([r["text"] for r in rows if r["signal"] == "mill/state"],
                         ["run", "stop, \"now\"", "läuft\nweiter"])
        self.assertEqual([(r["value"], r["text"]) for r in rows if r["signal"] == "mill/count"], [(BIG, None)])

    def test_duckdb_reads_parquet_and_passes_over_groups_by_their_statistics(self):
        path = self.export("duck.parquet", "--select", "mill/*")
        with duckdb.connect() as db:
            self.assertEqual(db.execute(f"SELECT count(*), sum(value) FROM '{path}' WHERE signal = 'mill/speed'")
                             .fetchone(), (ROWS, sum(i / 4 for i in range(ROWS))))
            self.assertEqual(db.execute(f"SELECT value FROM '{path}' WHERE signal = 'mill/on'").fetchone(), (1.0,))
            low, high = db.execute("SELECT min(stats_min_value), max(stats_max_value) FROM "
                                   f"parquet_metadata('{path}') WHERE path_in_schema = 'signal'").fetchone()
            self.assertEqual((low, high), ("mill/count", "mill/state"))
            self.assertEqual(db.execute(f"SELECT count(*) FROM '{path}' WHERE time::TIMESTAMPTZ > now() + INTERVAL 1 DAY")
                             .fetchone(), (0,))

    def test_a_range_has_both_ends(self):
        times = [t[0] for t in self.query("SELECT time FROM samples WHERE signal = 'mill/speed' ORDER BY time")]
        text = self.cli("export", "--select", "mill/speed", "--from", times[10], "--to", times[20])
        got = [r[1] for r in csv.reader(io.StringIO(text, newline=""))][1:]
        want = [t for t in times if times[10] <= t <= times[20]]
        self.assertEqual(len(got), len(want))

    def test_the_folder_of_a_gateway_that_is_down_gives_the_same(self):
        before = self.cli("export", "--format", "csv")
        self.gateway.stop()
        try:
            self.assertEqual(self.cli("export", "--format", "csv"), before)
            table = parquet.read_table(self.export("offline.parquet"))
            self.assertEqual(table.num_rows, len(list(csv.reader(io.StringIO(before, newline="")))) - 1)
            self.assertEqual(json.loads(self.cli("query", "--json", "SELECT count(*) AS n FROM samples"))[0]["n"],
                             table.num_rows)
        finally:
            self.gateway.start()

    def test_what_is_wrong_is_said_before_anything_is_written(self):
        self.assertIn("csv, jsonl or parquet", self.cli("export", "--format", "xls", status=2))
        self.assertIn("before --to", self.cli("export", "--from", "now", "--to", "-1h", status=2))
        self.assertIn("/nowhere", self.cli("export", "--out", "/nowhere/x.csv", status=1))
        status, answer = self.gateway.api("GET", "/api/v1/export?format=xls")
        self.assertEqual((status, answer["code"]), (400, "invalid"))

    def test_an_empty_choice_is_an_empty_file(self):
        self.assertEqual(parquet.read_table(self.export("none.parquet", "--select", "nobody/*")).num_rows, 0)
        self.assertEqual(self.cli("export", "--select", "nobody/*"), "signal,time,value,unit,quality\n")

    def test_rows_without_end_come_as_they_are_made_and_in_little_memory(self):
        sql = ("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n LIMIT 1500000) "
               "SELECT i, 'some text so that it takes room' AS text FROM n")
        before = self.gateway.rss_mib()
        with subprocess.Popen([BINARY, "query", "--csv", sql, "--data", self.gateway.data], stdout=subprocess.PIPE,
                              text=True) as p:
            self.assertEqual(p.stdout.readline(), "i,text\n")
            self.assertEqual(p.stdout.readline(), "1,some text so that it takes room\n")
            last = None
            for last in p.stdout:
                pass
            self.assertEqual(p.wait(30), 0)
        self.assertTrue(last.startswith("1500000,"))
        if not BUILD.endswith(("asan", "tsan")):
            self.assertLess(self.gateway.rss_mib() - before, 24)

    def test_a_reader_that_leaves_ends_the_work(self):
        endless = ENDLESS
        for _ in range(6):  # more than there may be at once
            with subprocess.Popen([BINARY, "query", "--csv", endless, "--data", self.gateway.data],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as p:
                p.stdout.readline()
                p.send_signal(2)
                _, error = p.communicate(timeout=10)
                self.assertEqual(p.returncode, 1)
                self.assertIn("cancelled", error)
        wait_until(lambda: run("query", "--csv", "SELECT 1 AS one", "--data", self.gateway.data).stdout == "one\n1\n",
                   20, "a free place")

    def caller(self, role, title):
        return self.gateway.api("POST", "/api/v1/tokens", {"role": role, "title": title})[1]["token"]

    def begin_to_read(self, token):
        """A long answer of which only the beginning is read, and its status."""
        c = http.client.HTTPConnection("127.0.0.1", self.gateway.http_port, timeout=20)
        self.addCleanup(c.close)
        c.request("POST", "/api/v1/query?format=csv", json.dumps({"sql": ENDLESS}),
                  {"Authorization": f"Bearer {token}", "Content-Type": "application/json"})
        answer = c.getresponse()
        text = answer.readline()
        return c, answer.status, text.decode()

    def test_slow_readers_leave_room_for_others(self):
        one, two, chief = self.caller("viewer", "one"), self.caller("viewer", "two"), self.caller("administrator", "chief")
        slow = [self.begin_to_read(one)[0] for _ in range(2)]
        _, status, text = self.begin_to_read(one)
        self.assertEqual(status, 429)
        self.assertIn("2 long answers to you are under way", text)
        third, status, text = self.begin_to_read(two)
        self.assertEqual((status, text), (200, "i\n"))
        _, status, text = self.begin_to_read(two)
        self.assertEqual(status, 503)
        self.assertIn("other long answers", text)
        self.assertEqual(self.begin_to_read(chief)[1:], (200, "i\n"))  # a place is kept for administrators
        self.assertEqual(self.begin_to_read(chief)[1], 503)
        for c in (*slow, third):
            c.close()
        wait_until(lambda: self.begin_to_read(one)[1] == 200, 20, "a free place")

    def test_the_gateway_ends_while_somebody_reads(self):
        endless = ENDLESS
        with subprocess.Popen([BINARY, "query", "--csv", endless, "--data", self.gateway.data],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as p:
            p.stdout.readline()
            began = time.monotonic()
            self.gateway.stop()
            self.assertLess(time.monotonic() - began, 10)
            _, error = p.communicate(timeout=10)
            self.assertEqual(p.returncode, 1)
            self.assertIn("broke", error)
        self.gateway.start()


if __name__ == "__main__":
    unittest.main()

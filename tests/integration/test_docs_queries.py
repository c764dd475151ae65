"""Every example of docs/queries.md runs as it stands, and gives something."""
import os
import re
import shlex
import subprocess
import unittest

from gateway import BINARY, HERE, Gateway, wait_until
from peers import Client

PAGE = os.path.join(HERE, "..", "..", "docs", "queries.md")
CONFIG = {
    "site": "docs",
    "drivers": {"mqtt": {"listen": "127.0.0.1:{mqtt_port}", "topics": {"{device}/{signal}": "plain"}}},
    "pipelines": {"n": {"select": ["boiler/temperature"], "stages": [{"normalise": {"unit": "degC"}}]}},
    "rules": {"hot": {"when": "boiler/temperature > 90"}},
}


def blocks(language):
    with open(PAGE, encoding="utf-8") as f:
        return re.findall(rf"```{language}\n(.*?)```", f.read(), re.S)


class Page(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.gateway = Gateway(CONFIG)
        cls.gateway.__enter__()
        cls.addClassCleanup(cls.gateway.__exit__)
        device = Client(cls.gateway.mqtt_port, "boiler")
        for value in (60, 70.5, 95, 80):
            device.say("boiler/temperature", str(value))
        device.say("boiler/state", "on")
        device.leave()
        cls.gateway.api("PUT", "/api/v1/devices/boiler", {"labels": {"hall": "3"}})
        wait_until(lambda: cls.gateway.events("rule"), what="an event")
        wait_until(lambda: cls.run_line(["query", "--csv", "SELECT count(*) FROM samples WHERE device='boiler'"]).stdout.endswith("\n5\n"),
                   what="the samples")

    @classmethod
    def run_line(cls, words):
        env = {**os.environ, "GANGLION_DATA": cls.gateway.data}
        return subprocess.run([BINARY, *words], capture_output=True, text=True, timeout=60, check=False, env=env,
                              cwd=cls.gateway.folder)

    def test_every_command_works(self):
        lines = [line for block in blocks("sh") for line in block.splitlines()]
        self.assertGreater(len(lines), 12)
        for line in lines:
            words = shlex.split(line)
            self.assertEqual(words[0], "ganglion")
            with self.subTest(line=line):
                done = self.run_line(words[1:])
                self.assertEqual(done.returncode, 0, done.stderr)
                file = next((words[i + 1] for i, w in enumerate(words) if w == "--out"), None)
                if file:
                    self.assertGreater(os.path.getsize(os.path.join(self.gateway.folder, file)), 100)
                else:
                    self.assertTrue(done.stdout.strip(), line)

    def test_every_query_gives_a_row(self):
        queries = blocks("sql")
        self.assertGreaterEqual(len(queries), 4)
        for sql in queries:
            with self.subTest(sql=sql):
                status, answer = self.gateway.api("POST", "/api/v1/query", {"sql": sql})
                self.assertEqual(status, 200, answer)
                self.assertTrue(answer["rows"])

    def test_a_table_tells_units(self):
        shown = self.run_line(["query", "SELECT signal, max(value) AS most FROM samples GROUP BY signal"]).stdout
        self.assertRegex(shown.splitlines()[0], r"^signal +most +unit$")
        self.assertRegex(shown, r"n/boiler/temperature +95 +degC")

    def test_the_page_names_every_table(self):
        with open(PAGE, encoding="utf-8") as f:
            page = f.read()
        tables = {line.split(",")[0].strip('"') for line in re.findall(
            r'"table":"(\w+)"', self.run_line(["query", "--schema", "--json"]).stdout)}
        for table in tables:
            self.assertIn(f"`{table}`", page)


if __name__ == "__main__":
    unittest.main()

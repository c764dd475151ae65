"""Backup and restore of the real gateway under load: what had been acknowledged when the backup began is there when a
gateway starts from it, what comes later is there without a gap, and nothing that is damaged is restored."""
import contextlib
import hashlib
import io
import json
import os
import sqlite3
import stat
import subprocess
import tarfile
import threading
import unittest

from gateway import Gateway, wait_until
from peers import Client
from test_cli import run

CONFIG = {
    "site": "backup-hall",
    "drivers": {"mqtt": {"listen": "127.0.0.1:{mqtt_port}", "topics": {"{device}/{signal}": "plain"}}},
    "pipelines": {"w": {"select": ["mill/n"], "stages": [{"window": {"every": "1s", "give": ["count", "max"]}}]}},
    "rules": {"hot": {"when": "mill/heat > 90", "severity": "critical"}},
    "journal": {"segment_size": "1MiB"},
}


class Load(threading.Thread):
    """Says 0, 1, 2, ... as fast as they are acknowledged; acked is how many were."""

    def __init__(self, gateway):
        super().__init__()
        self.device = Client(gateway.mqtt_port, "mill")
        self.acked, self.ending = 0, False

    def run(self):
        while not self.ending:
            for _ in range(50):
                self.device.publish("mill/n", str(self.acked + _))
            self.device.say("mill/n", str(self.acked + 50))
            self.acked += 51

    def end(self):
        self.ending = True
        self.join()
        self.device.leave()


def zstd(path, *args):
    return subprocess.run(["zstd", "-q", *args, path], check=True, capture_output=True).stdout


class Backup(unittest.TestCase):
    def setUp(self):
        self.gateway = Gateway(CONFIG)
        self.gateway.__enter__()
        self.addCleanup(self.gateway.__exit__)
        self.file = os.path.join(self.gateway.folder, "backup.tar.zst")

    def cli(self, *args, status=0):
        done = run(*args)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout if status == 0 else done.stderr

    def back_up(self):
        return self.cli("backup", self.file, "--data", self.gateway.data)

    def restored(self):
        """A gateway that starts from the backup."""
        other = Gateway(CONFIG)
        other.make_folder()
        self.addCleanup(other.__exit__)
        self.cli("restore", self.file, "--data", other.data)
        other.start()
        return other

    @staticmethod
    def numbers(gateway):
        status, answer = gateway.api("POST", "/api/v1/query", {
            "sql": "SELECT value FROM samples WHERE signal = 'mill/n' ORDER BY time", "limit": 100000}, timeout_s=60)
        assert status == 200, answer
        return [int(row[0]) for row in answer["rows"]]

    def test_a_backup_under_load_is_complete_up_to_its_moment(self):
        load = Load(self.gateway)
        self.addCleanup(lambda: load.is_alive() and load.end())
        hot = Client(self.gateway.mqtt_port, "mill-2")
        hot.say("mill/heat", "95")
        load.start()
        wait_until(lambda: load.acked > 3000, 30, "load")
        wait_until(lambda: self.gateway.events("rule"), 10, "the event")
        for _ in range(3):  # each while the journal rotates and the history is written
            before = load.acked
            self.back_up()
            after = load.acked
            wait_until(lambda: load.acked > before, 10, "the gateway to go on")
            other = self.restored()
            got = wait_until(lambda: (lambda n: n if len(n) >= before else None)(self.numbers(other)), 20,
                             lambda: f"{before} numbers, only {len(self.numbers(other))}")
            self.assertEqual(sorted(set(got)), list(range(max(got) + 1)), "a gap")
            self.assertEqual(len(got), len(set(got)), "twice")
            self.assertLessEqual(max(got), after + 51)
            self.assertEqual([e["key"] for e in other.events("rule")], ["hot"])
            self.assertEqual(other.api("GET", "/api/v1/revisions")[1]["revisions"][-1]["number"], 1)
            self.assertNotIn("damaged", other.log())
            other.__exit__()
        load.end()
        hot.leave()

    def test_the_restored_gateway_goes_on(self):
        device = Client(self.gateway.mqtt_port, "mill")
        for i in range(10):
            device.say("mill/n", str(i))
        device.leave()
        self.back_up()
        other = self.restored()
        device = Client(other.mqtt_port, "mill")
        for i in range(10, 20):
            device.say("mill/n", str(i))
        device.leave()
        wait_until(lambda: self.numbers(other) == list(range(20)), 20, lambda: self.numbers(other))
        other.restart()
        self.assertEqual(self.numbers(other), list(range(20)))
        token = self.gateway.token()  # hashes of tokens are part of it
        with open(os.path.join(other.data, "first-token"), "w", encoding="ascii") as f:
            f.write(token)
        self.assertIn("ganglion", other.get("/metrics"))

    def test_a_backup_is_a_tar_archive_that_only_its_owner_reads(self):
        said = self.back_up()
        self.assertIn("MiB", said)
        self.assertEqual(stat.S_IMODE(os.stat(self.file).st_mode), 0o600)
        folder = os.path.join(self.gateway.folder, "unpacked")
        os.mkdir(folder)
        subprocess.run(["tar", "--zstd", "-xf", self.file, "-C", folder], check=True)
        subprocess.run(["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=folder, check=True)
        with open(os.path.join(folder, "backup.json"), encoding="utf-8") as f:
            self.assertEqual(json.load(f)["site"], "backup-hall")
        for name in ("catalog.db", "history.db"):
            with contextlib.closing(sqlite3.connect(os.path.join(folder, name))) as db:
                self.assertEqual(db.execute("PRAGMA integrity_check").fetchone(), ("ok",))
        names = os.listdir(folder)
        self.assertNotIn("lock", names)
        self.assertNotIn("first-token", names)

    def test_a_folder_given_gets_a_file_named_by_the_moment(self):
        folder = os.path.join(self.gateway.folder, "usb")
        os.mkdir(folder)
        self.cli("backup", folder, "--data", self.gateway.data)
        self.assertRegex(os.listdir(folder)[0], r"^ganglion-\d{8}T\d{6}Z\.tar\.zst$")

    def test_a_gateway_that_is_down_is_backed_up_too(self):
        device = Client(self.gateway.mqtt_port, "mill")
        device.say("mill/n", "7")
        device.leave()
        self.gateway.stop()
        self.back_up()
        self.assertEqual(self.numbers(self.restored()), [7])
        self.gateway.start()

    def test_nothing_is_written_into_a_folder_that_is_not_empty(self):
        self.back_up()
        folder = os.path.join(self.gateway.folder, "full")
        os.mkdir(folder)
        with open(os.path.join(folder, "note"), "w", encoding="ascii") as f:
            f.write("mine")
        self.assertIn("not empty", self.cli("restore", self.file, "--data", folder, status=1))
        self.assertEqual(os.listdir(folder), ["note"])
        self.assertIn("not empty", self.cli("restore", self.file, "--data", self.gateway.data, status=1))

    def refused(self, bytes_):
        folder = os.path.join(self.gateway.folder, "fresh")
        bad = os.path.join(self.gateway.folder, "bad.tar.zst")
        with open(bad, "wb") as f:
            f.write(bytes_)
        said = self.cli("restore", bad, "--data", folder, status=1)
        self.assertIn("nothing was written", said)
        self.assertFalse(os.path.exists(folder))
        return said

    def test_a_damaged_backup_is_refused_before_anything_is_written(self):
        self.back_up()
        with open(self.file, "rb") as f:
            whole = f.read()
        self.refused(whole[:len(whole) // 2])
        self.refused(whole[:-1])
        self.refused(whole[:1000] + bytes([whole[1000] ^ 1]) + whole[1001:])
        self.assertIn("no backup", self.refused(b"something else"))
        self.refused(b"")
        # damaged before it was compressed
        plain = bytearray(zstd(self.file, "-dc"))
        place = plain.index(b"SQLite format 3") + 5000
        plain[place] ^= 0x10
        tar = os.path.join(self.gateway.folder, "bad.tar")
        with open(tar, "wb") as f:
            f.write(plain)
        self.assertIn("catalog.db is damaged", self.refused(zstd(tar, "-c")))

    def test_files_that_do_not_belong_there_are_refused(self):
        folder = os.path.join(self.gateway.folder, "evil")
        os.mkdir(folder)
        for name, text in (("backup.json", '{"format":1}'), ("note", "x")):
            with open(os.path.join(folder, name), "w", encoding="ascii") as f:
                f.write(text)

        def archive(*names):
            tar = subprocess.run(["tar", "--format=ustar", "-C", folder, "-cf", "-", *names], check=True,
                                 capture_output=True).stdout
            return subprocess.run(["zstd", "-qc"], input=tar, check=True, capture_output=True).stdout
        self.assertIn("does not belong", self.refused(archive("backup.json", "note")))
        self.assertIn("does not belong", self.refused(archive(
            "backup.json", "--transform=s,note,journal/../../evil,", "note")))
        self.assertIn("begin with", self.refused(archive("note")))
        with open(os.path.join(folder, "backup.json"), "w", encoding="ascii") as f:
            f.write('{"format":99,"version":"9.0"}')
        self.assertIn("9.0", self.refused(archive("backup.json")))

    def test_what_an_archive_says_cannot_command_the_terminal(self):
        def archive(*files):
            out = io.BytesIO()
            with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
                for name, text in files:
                    info = tarfile.TarInfo(name)
                    info.size = len(text)
                    tar.addfile(info, io.BytesIO(text))
            return subprocess.run(["zstd", "-qc"], input=out.getvalue(), check=True, capture_output=True).stdout

        def sums(*files):
            return "SHA256SUMS", "".join(f"{hashlib.sha256(text).hexdigest()}  {name}\n" for name, text in files).encode()
        about = ("backup.json", b'{"format":1,"site":"\\u001b[2Jhall\\n"}')
        for name, shown in (("journal/\x1b[2J", r"journal/\x1b[2J"), ("revisions/a\nb", r"revisions/a\x0ab"),
                            ("wörd", r"w\xc3\xb6rd")):
            evil = (name, b"x")
            said = self.refused(archive(about, evil, sums(about, evil)))
            self.assertIn(f'does not belong there: "{shown}"', said)
        said = self.refused(archive(("backup.json", b'{"format":9,"version":"\\u001b]0;x\\u0007"}')))
        self.assertIn(r'"\x1b]0;x\x07"', said)
        with open(self.file, "wb") as f:
            f.write(archive(about, sums(about)))
        said = self.cli("restore", self.file, "--data", os.path.join(self.gateway.folder, "clean"))
        self.assertIn("hall", said)
        self.assertNotIn("\x1b", said)

    @unittest.skipUnless(os.geteuid() == 0, "mounting a small file system needs root")
    def test_a_backup_that_does_not_fit_is_refused_before_anything_is_written(self):
        self.back_up()
        folder = os.path.join(self.gateway.folder, "small")
        os.mkdir(folder)
        for options, said in (("size=64k", "MiB free, the backup needs"), ("nr_inodes=4", "more files (inodes)")):
            if subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", folder], check=False).returncode:
                self.skipTest("mounting a file system is not permitted here")
            try:
                for place in (folder, os.path.join(folder, "not", "there", "yet")):
                    answer = self.cli("restore", self.file, "--data", place, status=1)
                    self.assertIn(said, answer)
                    self.assertIn("nothing was written", answer)
                self.assertEqual(os.listdir(folder), [])
            finally:
                subprocess.run(["umount", "-l", folder], check=True)

    def test_a_revision_with_a_name_that_cannot_be_told_does_not_spoil_the_backup(self):
        with open(os.path.join(self.gateway.data, "revisions", "a\nb"), "w", encoding="ascii") as f:
            f.write("x")
        self.back_up()
        self.restored()

    def made(self, role):
        return self.gateway.api("POST", "/api/v1/tokens", {"role": role, "title": role})[1]["token"]

    def test_only_an_administrator_may(self):
        done = run("backup", self.file, "--gateway", f"http://127.0.0.1:{self.gateway.http_port}",
                   env={"GANGLION_TOKEN": self.made("operator")})
        self.assertEqual(done.returncode, 1)
        self.assertIn("administrator", done.stderr)
        self.assertFalse(os.path.exists(self.file))
        self.assertFalse(os.path.exists(self.file + ".part"))
        done = run("backup", self.file, "--gateway", f"http://127.0.0.1:{self.gateway.http_port}",
                   env={"GANGLION_TOKEN": self.made("administrator")})
        self.assertEqual(done.returncode, 0, done.stderr)


if __name__ == "__main__":
    unittest.main()

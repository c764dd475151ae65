"""The key of a sealed data folder, by each way the configuration can name: starts and restarts, what does not fit is
refused and nothing is started, the way changes without the key being lost, and commands open the folder themselves."""
import json
import os
import random
import shutil
import signal
import socket
import stat
import subprocess
import time
import unittest

from gateway import BINARY, Gateway, wait_until
from test_cli import on_terminal
from test_cli import run as run_any

PASSPHRASE = "correct horse battery"


def config(**encryption):
    return {"encryption": encryption, "drivers": {"host": {}}}


def run(*words, status=0, env=None):
    """Runs a command; status None: whatever it ends with."""
    done = run_any(*words, env=env)
    if status is not None and done.returncode != status:
        raise AssertionError(f"{words} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done


def started_and_ended(gateway):
    """What it says when it refuses to start; it must have ended by itself."""
    gateway.write_config()
    done = subprocess.run([BINARY, "run", "--config", gateway.config_path, "--data", gateway.data], timeout=60,
                          capture_output=True, text=True, check=False, env=dict(os.environ, **(gateway.env or {})))
    return done.returncode, done.stderr


class Tpm:
    """swtpm: a whole TPM 2.0 in a process, on a socket in a folder of ours."""

    def __init__(self, folder):
        self.folder = folder
        self.process = None
        os.makedirs(folder, exist_ok=True)
        self.socket = os.path.join(folder, "tpm")
        self.tcti = f"swtpm:path={self.socket}"
        self.power_on()

    def power_on(self):
        for path in (self.socket, self.socket + ".ctrl"):
            if os.path.exists(path):
                os.remove(path)
        self.process = subprocess.Popen(
            ["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={self.folder}", "--server",
             f"type=unixio,path={self.socket}", "--ctrl", f"type=unixio,path={self.socket}.ctrl", "--flags",
             "not-need-init,startup-clear"], stderr=subprocess.DEVNULL)
        wait_until(lambda: self.answers(".ctrl") and self.answers(""), what="swtpm")

    def answers(self, end):
        """A socket is there a moment before it listens."""
        with socket.socket(socket.AF_UNIX) as s:
            return s.connect_ex(self.socket + end) == 0

    def power_off(self):
        self.process.terminate()
        self.process.wait()

    def extend(self, pcr):
        subprocess.run(["tpm2_pcrextend", "-T", self.tcti, f"{pcr}:sha256={'01' * 32}"], check=True,
                       capture_output=True)


class Vault(unittest.TestCase):
    def setUp(self):
        self.gateway = Gateway(config(key_file="{folder}/key"))
        self.folder = self.gateway.make_folder()
        self.addCleanup(self.gateway.__exit__)
        self.data = self.gateway.data
        self.put("key", os.urandom(32))
        self.put("passphrase", PASSPHRASE.encode() + b"\n")

    def put(self, name, content, mode=0o600):
        path = os.path.join(self.folder, name)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as f:
            f.write(content)
        os.chmod(path, mode)
        return path

    def path(self, name):
        return os.path.join(self.folder, name)

    def slots(self, data=None):
        shown = json.loads(run("vault", "--json", "--data", data or self.data).stdout)
        self.assertTrue(shown["sealed"])
        return [slot["kind"] for slot in shown["slots"]]

    def vault(self, *words, status=0, env=None, stdin=""):
        done = subprocess.run([BINARY, "vault", *words, "--data", self.data], capture_output=True, text=True, timeout=60,
                              check=False, input=stdin, env=dict(os.environ, **(env or {})))
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stdout if status == 0 else done.stderr

    def refused(self, *says, **encryption):
        if encryption:
            self.gateway.config = config(**encryption)
        before = self.content()
        status, text = started_and_ended(self.gateway)
        self.assertEqual(status, 1, text)
        for words in says:
            self.assertIn(words, text)
        self.assertNotIn(PASSPHRASE, text)
        self.assertEqual(before, self.content())

    def content(self):
        """What lies in the folder, but for the lock."""
        found = {}
        for root, _, files in os.walk(self.data):
            for name in files:
                path = os.path.join(root, name)
                if name != "lock" and stat.S_ISREG(os.stat(path).st_mode):
                    with open(path, "rb") as f:
                        found[path] = f.read()
        return found

    def restart_with(self, **encryption):
        self.gateway.config = config(**encryption)
        self.gateway.start()
        self.gateway.stop()


class Ways(Vault):
    def test_a_key_file(self):
        self.gateway.start()
        self.assertEqual(stat.S_IMODE(os.stat(os.path.join(self.data, "keys.json")).st_mode), 0o600)
        self.gateway.kill()
        self.gateway.start()
        self.gateway.stop()
        other = self.put("other", os.urandom(64))
        self.refused("does not fit", other, "keys.json", key_file=other)
        self.gateway.config = {"drivers": {"host": {}}}
        self.refused("names no key", "Nothing was started or changed", self.path("key"))
        os.chmod(self.path("key"), 0o644)
        self.refused(f"chmod 600 {self.path('key')}", key_file=self.path("key"))
        os.chmod(self.path("key"), 0o600)
        os.rename(self.path("key"), self.path("gone"))
        self.refused("No such file", self.path("key"), key_file=self.path("key"))
        self.restart_with(key_file=self.path("gone"))

    def test_a_passphrase_from_the_environment_which_nobody_shows(self):
        self.gateway.config = config(passphrase="${VAULT_TEST_WORDS}")
        self.gateway.env = {"VAULT_TEST_WORDS": PASSPHRASE}
        self.gateway.start()
        for path in ("/api/v1/config", "/api/v1/config?format=yaml", "/metrics", "/api/v1/status"):
            self.assertNotIn(PASSPHRASE, json.dumps(self.gateway.api("GET", path)[1]))
        self.assertNotIn(PASSPHRASE, run("config", "show", "--data", self.data).stdout)
        self.gateway.restart()
        self.gateway.stop()
        self.assertNotIn(PASSPHRASE, self.gateway.log(1 << 20))
        self.assertFalse([path for path, content in self.content().items() if PASSPHRASE.encode() in content])
        self.gateway.env = {"VAULT_TEST_WORDS": PASSPHRASE.upper()}
        self.refused("the passphrase does not fit")

    def test_a_passphrase_from_a_file(self):
        self.restart_with(passphrase_file=self.path("passphrase"))
        self.restart_with(passphrase_file=self.path("passphrase"))
        self.refused("chmod 600", passphrase_file=self.put("open", PASSPHRASE.encode(), 0o640))

    def test_a_credential_of_systemd_has_an_access_list(self):
        self.put("passphrase", PASSPHRASE.encode(), 0o440)
        self.gateway.env = {"CREDENTIALS_DIRECTORY": self.folder}
        self.restart_with(passphrase_file="${CREDENTIALS_DIRECTORY}/passphrase")

    def test_mistakes_in_the_configuration_are_told_with_their_place(self):
        for said, words in (("{}", "exactly one of"), ("{key_file: a, tpm: auto}", "exactly one of"),
                            ("{passphrase: written out here}", "may not be written out"),
                            ("{key_file: a, pcrs: [7]}", "pcrs go with tpm"),
                            ("{tpm: auto, pcrs: [24]}", "0 to 23"), ("{key_file: ''}", "is empty")):
            path = self.put("wrong.yaml", f"encryption: {said}\n".encode())
            done = run("check", path, status=1)
            self.assertIn(words, done.stderr)
            self.assertIn(f"{path}:1:", done.stderr)

    def test_a_folder_in_plain_is_taken_over(self):
        self.gateway.config = {"drivers": {"host": {}}}
        self.gateway.start()
        self.gateway.stop()
        self.assertFalse(json.loads(run("vault", "--json", "--data", self.data).stdout)["sealed"])
        self.restart_with(key_file=self.path("key"))
        self.assertEqual(self.slots(), ["key-file"])

    def test_damaged_slots_are_told(self):
        self.restart_with(key_file=self.path("key"))
        path = os.path.join(self.data, "keys.json")
        with open(path, encoding="ascii") as f:
            good = f.read()
        self.put("data/keys.json", good.replace("/key", "/kez").encode())
        self.refused("does not fit")
        self.put("data/keys.json", good[:100].encode())
        self.refused("keys.json", "damaged")
        self.put("data/keys.json", good.encode())
        self.restart_with(key_file=self.path("key"))


class Changes(Vault):
    def test_rewrap_while_the_gateway_is_at_work(self):
        self.gateway.start()
        self.vault("rewrap", "--new-passphrase-file", self.path("passphrase"))
        self.assertEqual(self.slots(), ["passphrase"])
        self.gateway.stop()
        self.refused("none of them", "ganglion vault rewrap")
        self.restart_with(passphrase_file=self.path("passphrase"))
        self.assertIn("no passphrase was given", self.vault("rewrap", "--new-key-file", self.path("key"), status=1))
        self.assertIn("does not fit", self.vault("rewrap", "--new-key-file", self.path("key"), status=1,
                                                 env={"GANGLION_PASSPHRASE": "something else"}))
        self.vault("rewrap", "--new-key-file", self.path("key"), "--keep", env={"GANGLION_PASSPHRASE": PASSPHRASE})
        self.assertEqual(self.slots(), ["passphrase", "key-file"])
        self.restart_with(key_file=self.path("key"))
        self.restart_with(passphrase_file=self.path("passphrase"))

    def test_rewrap_as_the_configuration_says(self):
        self.restart_with(key_file=self.path("key"))
        self.gateway.config = config(passphrase_file="{folder}/passphrase")
        self.gateway.write_config()
        self.vault("rewrap", "--config", self.gateway.config_path)
        self.restart_with(passphrase_file=self.path("passphrase"))
        self.vault("rewrap", "--new-passphrase", "--passphrase-file", self.path("passphrase"),
                   stdin="a brand new one\n")
        self.gateway.config = config(passphrase="${VAULT_TEST_WORDS}")
        self.gateway.env = {"VAULT_TEST_WORDS": "a brand new one"}
        self.gateway.start()

    def test_killed_at_any_moment_it_opens_by_the_old_way_or_the_new(self):
        self.restart_with(key_file=self.path("key"))
        self.put("second", os.urandom(32))
        rng = random.Random(16)
        killed = 0
        for i in range(60):
            old, new = ("key", "second") if "key" in self.hint() else ("second", "key")
            started = time.monotonic()
            with subprocess.Popen([BINARY, "vault", "rewrap", "--quiet", "--data", self.data, "--new-key-file",
                                   self.path(new)], stderr=subprocess.DEVNULL) as process:
                limit = 0.004 + rng.random() * 0.03
                while process.poll() is None and time.monotonic() - started < limit:
                    pass
                process.kill()
                killed += process.wait() == -signal.SIGKILL
            run("query", "SELECT 1", "--data", self.data)
            with open(os.path.join(self.data, "keys.json"), encoding="ascii") as f:
                hints = [slot["hint"] for slot in json.load(f)["slots"]]
            self.assertTrue(hints and set(hints) <= {self.path(old), self.path(new)}, hints)
        self.assertGreater(killed, 5)
        self.vault("rewrap", "--new-key-file", self.path("key"))
        self.restart_with(key_file=self.path("key"))

    @unittest.skipUnless(os.geteuid() == 0, "needs root")
    def test_an_administrator_does_not_take_the_file_from_the_user_of_the_gateway(self):
        self.restart_with(key_file=self.path("key"))
        os.chown(self.data, 65534, 65534)
        self.vault("add-recovery")
        found = os.stat(os.path.join(self.data, "keys.json"))
        self.assertEqual((found.st_uid, stat.S_IMODE(found.st_mode)), (65534, 0o600))

    def hint(self):
        return os.path.basename(json.loads(run("vault", "--json", "--data", self.data).stdout)["slots"][-1]["key_file"])

    def test_a_recovery_key_opens_what_the_configuration_no_longer_opens(self):
        self.restart_with(key_file=self.path("key"))
        first = json.loads(self.vault("add-recovery", "--json"))["recovery_key"]
        self.assertRegex(first, r"^([0-9A-Z]{5}-){5}[0-9A-Z]{5}$")
        second = self.vault("add-recovery").strip()
        os.remove(self.path("key"))
        self.put("key", os.urandom(32))
        self.refused("does not fit")
        self.assertIn("does not fit", self.vault("rewrap", "--new-key-file", self.path("key"), status=1,
                                                 env={"GANGLION_PASSPHRASE": first}))
        self.vault("rewrap", "--new-key-file", self.path("key"), env={"GANGLION_PASSPHRASE": second.lower()})
        self.assertEqual(self.slots(), ["recovery", "key-file"])
        self.restart_with(key_file=self.path("key"))
        self.vault("remove", "1", status=1)
        shown = json.loads(run("vault", "--json", "--data", self.data).stdout)["slots"]
        self.vault("remove", str(shown[0]["slot"]))
        self.assertIn("is the last", self.vault("remove", str(shown[1]["slot"]), status=1))


class Commands(Vault):
    def setUp(self):
        super().setUp()
        self.restart_with(passphrase_file=self.path("passphrase"))

    def test_they_open_the_folder_by_environment_file_or_terminal(self):
        for words in (["query", "SELECT 1"], ["export"], ["replay"], ["backup", self.path("b.tar.zst")]):
            done = run(*words, "--data", self.data, status=1)
            self.assertIn("is sealed", done.stderr, words)
            run(*words, "--data", self.data, "--passphrase-file", self.path("passphrase"))
            run(*words, "--data", self.data, env={"GANGLION_PASSPHRASE": PASSPHRASE})

    def test_a_terminal_is_asked_without_echo(self):
        shown, status = on_terminal("query", "SELECT 41 + 1", "--data", self.data,
                                    typed=[("recovery key:", PASSPHRASE)])
        self.assertEqual(status, 0, shown)
        self.assertIn("42", shown)
        self.assertNotIn(PASSPHRASE, shown)

    def test_a_backup_carries_the_slots_and_opens_elsewhere(self):
        recovery = self.vault("add-recovery", "--passphrase-file", self.path("passphrase")).strip()
        backup = self.path("b.tar.zst")
        done = run("backup", backup, "--data", self.data, "--passphrase-file", self.path("passphrase"))
        self.assertIn("sealed", done.stderr)
        elsewhere = self.path("elsewhere")
        done = run("restore", backup, "--data", elsewhere)
        self.assertIn("recovery", done.stdout)
        self.assertEqual(self.slots(elsewhere), ["passphrase", "recovery"])
        run("vault", "rewrap", "--data", elsewhere, "--new-key-file", self.path("key"),
            env={"GANGLION_PASSPHRASE": recovery})
        shutil.rmtree(self.data)
        os.rename(elsewhere, self.data)
        self.restart_with(key_file=self.path("key"))

    def doctor(self, *words):
        done = run("doctor", "--json", "--data", self.data, "--config", self.gateway.config_path, *words, status=None)
        return [f for f in json.loads(done.stdout)["findings"] if f["about"] == "encryption"]

    def test_the_doctor_says_by_what_and_warns(self):
        found = self.doctor()
        self.assertTrue(any(f["verdict"] == "fine" and "passphrase" in f["text"] for f in found), found)
        self.assertTrue(any(f["verdict"] == "mind" and "same file system" in f["text"] for f in found), found)
        self.gateway.config = config(key_file="{folder}/key")
        self.gateway.write_config()
        self.assertTrue(any(f["verdict"] == "wrong" and "rewrap" in f["mend"] for f in self.doctor()))
        self.gateway.config = {}
        self.gateway.write_config()
        self.assertTrue(any(f["verdict"] == "wrong" and "names no key" in f["text"] for f in self.doctor()))


@unittest.skipUnless(shutil.which("swtpm") and shutil.which("tpm2_pcrextend"), "needs swtpm and tpm2-tools")
class ByTpm(Vault):
    def setUp(self):
        super().setUp()
        self.tpm = Tpm(self.path("tpm"))
        self.addCleanup(lambda: self.tpm.power_off())

    def test_start_restart_of_the_machine_and_another_tpm(self):
        self.restart_with(tpm=self.tpm.tcti)
        self.assertIn("only this machine's TPM", self.restarted_log())
        self.tpm.power_off()
        self.refused("can't be reached")
        self.tpm.power_on()
        self.restart_with(tpm=self.tpm.tcti)
        other = Tpm(self.path("other-tpm"))
        self.addCleanup(other.power_off)
        self.refused("another TPM", tpm=other.tcti)

    def restarted_log(self):
        self.gateway.start()
        self.gateway.stop()
        return self.gateway.log(1 << 20)

    def test_changed_pcrs_are_refused_until_the_recovery_key_seals_anew(self):
        self.restart_with(tpm=self.tpm.tcti, pcrs=["7"])
        recovery = self.vault("add-recovery").strip()
        self.refused("bound to PCRs 7", "configuration says otherwise", tpm=self.tpm.tcti)
        self.tpm.extend(7)
        self.refused("PCRs 7", "has changed", "recovery key", tpm=self.tpm.tcti, pcrs=["7"])
        self.assertIn("has changed", self.vault("rewrap", "--config", self.gateway.config_path, status=1))
        self.vault("rewrap", "--config", self.gateway.config_path, env={"GANGLION_PASSPHRASE": recovery})
        self.restart_with(tpm=self.tpm.tcti, pcrs=["7"])
        self.assertEqual(self.slots(), ["recovery", "tpm"])
        run("query", "SELECT 1", "--data", self.data)

    def test_a_backup_that_only_the_tpm_opens_is_warned_of(self):
        self.restart_with(tpm=self.tpm.tcti)
        done = run("backup", self.path("b.tar.zst"), "--data", self.data)
        self.assertIn("WARNING", done.stderr)
        self.assertIn("add-recovery", done.stderr)
        self.gateway.write_config()
        found = json.loads(run("doctor", "--json", "--data", self.data, "--config", self.gateway.config_path,
                               status=None).stdout)["findings"]
        self.assertTrue(any("add-recovery" in f.get("mend", "") for f in found))


if __name__ == "__main__":
    unittest.main()

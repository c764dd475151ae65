"""The Debian package, made of the build under test and unpacked: what is in it works from there."""
import glob
import json
import os
import shutil
import subprocess
import tempfile
import unittest

from gateway import BINARY

BUILD = os.path.dirname(BINARY)


def output(*command, **more):
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=120, **more).stdout


@unittest.skipUnless(os.path.exists(os.path.join(BUILD, "CPackConfig.cmake")) and shutil.which("dpkg-shlibdeps"),
                     "this build makes no package")
class PackageTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="ganglion-package-")
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        output("cpack", "--config", os.path.join(BUILD, "CPackConfig.cmake"), "-B", cls.folder, cwd=cls.folder)
        cls.package, = glob.glob(os.path.join(cls.folder, "ganglion_*.deb"))
        cls.root = os.path.join(cls.folder, "root")
        cls.control = os.path.join(cls.folder, "control")
        output("dpkg-deb", "-x", cls.package, cls.root)
        output("dpkg-deb", "-e", cls.package, cls.control)

    def installed(self, path):
        return os.path.join(self.root, path.lstrip("/"))

    def test_its_program_runs_and_finds_its_configuration_right(self):
        binary = self.installed("/usr/bin/ganglion")
        version = json.loads(output(binary, "version", "--json"))["version"]
        self.assertEqual(version, output("dpkg-deb", "-f", self.package, "Version").strip())
        self.assertIn("is right", output(binary, "check", self.installed("/etc/ganglion/ganglion.yaml")))

    def test_its_configuration_is_kept_on_upgrade(self):
        with open(os.path.join(self.control, "conffiles"), encoding="ascii") as f:
            for path in f.read().split():
                self.assertTrue(os.path.isfile(self.installed(path)), path)

    def test_its_scripts_are_scripts(self):
        for name in ("postinst", "prerm", "postrm"):
            path = os.path.join(self.control, name)
            self.assertTrue(os.access(path, os.X_OK), name)
            output("sh", "-n", path)

    def test_it_brings_no_demo_plant(self):
        self.assertEqual(["ganglion"], os.listdir(self.installed("/usr/bin")))
        depends = output("dpkg-deb", "-f", self.package, "Depends")
        self.assertNotIn("modbus", depends)
        self.assertNotIn("mosquitto", depends)

    def test_it_brings_completions_for_shells(self):
        for path, word in (("/usr/share/bash-completion/completions/ganglion", "complete -o filenames -F _ganglion"),
                           ("/usr/share/zsh/vendor-completions/_ganglion", "#compdef ganglion"),
                           ("/usr/share/fish/vendor_completions.d/ganglion.fish", "complete -c ganglion")):
            with open(self.installed(path), encoding="utf-8") as f:
                self.assertIn(word, f.read())

    def test_its_unit_names_what_is_there(self):
        with open(self.installed("/lib/systemd/system/ganglion.service"), encoding="ascii") as f:
            unit = dict(line.strip().partition("=")[::2] for line in f if "=" in line and line[0] != "#")
        words = unit["ExecStart"].split()
        self.assertTrue(os.path.isfile(self.installed(words[0])))
        self.assertTrue(os.path.isfile(self.installed(words[words.index("--config") + 1])))
        self.assertEqual("notify", unit["Type"])
        self.assertEqual(words[words.index("--data") + 1], "/var/lib/" + unit["StateDirectory"])


if __name__ == "__main__":
    unittest.main()

"""Runs test_*.py with unittest, a line per test, and writes "passed failed" to the file named first.

    runner.py COUNT_FILE [NAME...]

Tests mostly wait, so files run side by side, each in a process of its own; TEST_JOBS says how many (4). What a
file said is printed when it is through, and the slowest of them first begins first.
"""
import concurrent.futures
import glob
import os
import subprocess
import sys
import tempfile
import time
import unittest

FILE_TIMEOUT_S = 900
LONGEST_FIRST = ["test_uplink_faults", "test_hostile", "test_faults", "test_disk_faults", "test_cli", "test_kill",
                 "test_mqtt_five", "test_uplink_backlog", "test_mqtt_hostile", "test_mqtt_access", "test_uplink", "test_demo", "test_rules",
                 "test_mqtt_features", "test_mqtt_conformance_connect", "test_api", "test_http"]


class Result(unittest.TextTestResult):
    began = time.monotonic()  # of a class whose set-up failed

    def startTest(self, test):
        self.began = time.monotonic()
        super().startTest(test)

    def say(self, test, word):
        print(f"{word:6} {time.monotonic() - self.began:6.1f} s  {test.id()}", flush=True)

    def addSuccess(self, test):
        super().addSuccess(test)
        self.say(test, "ok")

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.say(test, "FAILED")

    def addError(self, test, err):
        super().addError(test, err)
        self.say(test, "ERROR")

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err:
            self.say(subtest, "FAILED")

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.say(test, "skip")
        print("       ", reason)


def run_here(names):
    """Passed and failed tests; one of which several parts fail counts once, and a file or class that can't be set up
    counts as one that fails."""
    suite = unittest.TestLoader().loadTestsFromNames(names)
    result = unittest.TextTestRunner(resultclass=Result, verbosity=0).run(suite)
    bad = {getattr(test, "test_case", test).id() for test, _ in result.failures + result.errors}
    bad |= {test.id() for test in result.unexpectedSuccesses}
    ran = result.testsRun - len(result.skipped)
    known = sum(1 for name in bad if not name.startswith(("setUpClass", "tearDownClass", "setUpModule")))
    return max(0, ran - known), len(bad)


def run_file(names):
    """As run_here(), in a process of its own; and what it said."""
    with tempfile.NamedTemporaryFile("r", encoding="ascii") as count:
        try:
            done = subprocess.run([sys.executable, __file__, "--here", count.name, *names], capture_output=True,
                                  text=True, errors="replace", timeout=FILE_TIMEOUT_S, check=False)
            said = done.stdout + done.stderr
        except subprocess.TimeoutExpired as late:
            said = f"{late.stdout or b''!r}\nFAILED: {names} did not end within {FILE_TIMEOUT_S} s\n"
        numbers = count.read().split()
    passed, failed = (int(n) for n in numbers) if len(numbers) == 2 else (0, 1)
    return passed, failed, said


def order(name):
    return (LONGEST_FIRST.index(name) if name in LONGEST_FIRST else len(LONGEST_FIRST), name)


def write_count(path, passed, failed):
    with open(path, "w", encoding="ascii") as f:
        f.write(f"{passed} {failed}\n")


def main():
    if sys.argv[1] == "--here":
        passed, failed = run_here(sys.argv[3:])
        write_count(sys.argv[2], passed, failed)
        return 1 if failed else 0
    names = sys.argv[2:] or [os.path.basename(p)[:-3] for p in glob.glob("test_*.py")]
    passed = failed = 0
    with concurrent.futures.ThreadPoolExecutor(int(os.environ.get("TEST_JOBS", "4"))) as pool:
        runs = [pool.submit(run_file, [name]) for name in sorted(names, key=order)]
        for run in concurrent.futures.as_completed(runs):
            more_passed, more_failed, said = run.result()
            passed, failed = passed + more_passed, failed + more_failed
            print(said, end="", flush=True)
    write_count(sys.argv[1], passed, failed)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

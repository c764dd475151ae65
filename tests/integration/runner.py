"""Runs test_*.py with unittest, a line per test, and writes "passed failed" to the file named first."""
import sys
import time
import unittest


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

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.say(test, "skip")
        print("       ", reason)


def main():
    count_file, names = sys.argv[1], sys.argv[2:]
    loader = unittest.TestLoader()
    suite = loader.loadTestsFromNames(names) if names else loader.discover(".", pattern="test_*.py")
    result = unittest.TextTestRunner(resultclass=Result, verbosity=0).run(suite)
    failed = len(result.failures) + len(result.errors)
    passed = result.testsRun - failed - len(result.skipped)
    with open(count_file, "w", encoding="ascii") as f:
        f.write(f"{passed} {failed}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

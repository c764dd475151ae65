"""Holds docs/internals/mqtt-conformance.md against the standards' numbers and against the tests.

Run with --write it fills the table's last column from the docstrings of the tests.
"""
import ast
import glob
import os
import re
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
PAGE = os.path.join(HERE, "..", "..", "docs", "internals", "mqtt-conformance.md")
NUMBER = r"\d+\.\d+\.\d+-\d+"

# How many statements each section has.
SECTIONS = {
    "5.0": """1.5.4 3  1.5.5 1  1.5.7 1  2.1.3 1  2.2.1 6 without 1  2.2.2 1  3.1.0 2  3.1.2 30  3.1.3 12  3.1.4 6
        3.2.0 2  3.2.2 22  3.3.1 13  3.3.2 20  3.3.4 10  3.4.2 3  3.5.2 3  3.6.1 1  3.6.2 3  3.7.2 3  3.8.1 1  3.8.3 5
        3.8.4 8  3.9.2 2  3.9.3 2  3.10.1 1  3.10.3 2  3.10.4 6  3.11.2 2  3.11.3 2  3.12.4 1  3.14.0 1  3.14.1 1
        3.14.2 4  3.14.4 3  3.15.1 1  3.15.2 3  4.1.0 2  4.2.0 1  4.3.1 1  4.3.2 5  4.3.3 13  4.4.0 2  4.5.0 2  4.6.0 6
        4.7.0 1  4.7.1 2  4.7.2 1  4.7.3 4  4.8.2 6  4.9.0 3  4.12.0 7  4.12.1 2  4.13.1 1  4.13.2 1  6.0.0 4""",
    "3.1.1": """1.5.3 3  2.2.2 2  2.3.1 7  3.1.0 2  3.1.2 24  3.1.3 11  3.1.4 5  3.2.0 1  3.2.2 6  3.3.1 12  3.3.2 3
        3.3.4 1  3.3.5 2  3.6.1 1  3.8.1 1  3.8.3 4  3.8.4 6  3.9.3 2  3.10.1 1  3.10.3 2  3.10.4 6  3.12.4 1  3.14.1 1
        3.14.4 3  4.1.0 2  4.3.1 1  4.3.2 2  4.3.3 2  4.4.0 1  4.5.0 2  4.6.0 6  4.7.1 3  4.7.2 1  4.7.3 4  4.8.0 2
        6.0.0 4  7.0.0 2  7.1.1 1  7.1.2 1"""}
COUNTS = {"5.0": 251, "3.1.1": 141}


def standard(version):
    """All numbers of the standard."""
    numbers = set()
    for section, last, missing in re.findall(r"(\S+) (\d+)(?: without (\d+))?", SECTIONS[version]):
        numbers |= {f"{section}-{i}" for i in range(1, int(last) + 1) if str(i) != missing}
    return numbers


def shown():
    """Version -> number -> the tests that name it."""
    found = {"5.0": {}, "3.1.1": {}}
    for path in sorted(glob.glob(os.path.join(HERE, "test_mqtt*.py"))):
        module = os.path.basename(path)[:-3]
        with open(path, encoding="utf-8") as f:
            tree = ast.parse(f.read())
        for group in (node for node in tree.body if isinstance(node, ast.ClassDef)):
            for test in (node for node in group.body if isinstance(node, ast.FunctionDef)):
                text = " ".join((ast.get_docstring(test) or "").split()) if test.name.startswith("test_") else ""
                for version, numbers in re.findall(rf"(5\.0|3\.1\.1): ((?:{NUMBER}(?:, )?)+)", text):
                    for number in re.findall(NUMBER, numbers):
                        found[version].setdefault(number, []).append(f"{module}.{group.name}.{test.name}")
    return found


def short(test):
    """As it stands in the table: the file without what all have in common, and the name."""
    module, _, name = test.split(".")
    return f"{module.removeprefix('test_mqtt_conformance_').removeprefix('test_')}: {name.removeprefix('test_')}"


def sections():
    """The page as text before, and version -> its part."""
    with open(PAGE, encoding="utf-8") as f:
        head, five, three = re.split(r"(?m)^(?=## MQTT )", f.read())
    return head, {"5.0": five, "3.1.1": three}


def rows(part):
    return re.findall(rf"(?m)^\| ({NUMBER}) \| (.+?) \| ?(.*?) ?\|$", part)


def write():
    head, parts = sections()
    found = shown()
    text = head
    for version, part in parts.items():
        for number, what, by in rows(part):
            tests = "; ".join(short(test) for test in found[version].get(number, []))
            if not by.startswith("n/a") or tests:
                part = re.sub(rf"(?m)^\| {re.escape(number)} \|.*$", lambda _: f"| {number} | {what} | {tests} |", part)
        text += part
    with open(PAGE, "w", encoding="utf-8") as f:
        f.write(text)


class Table(unittest.TestCase):
    def test_every_statement_of_the_standards_is_listed_once(self):
        _, parts = sections()
        for version, part in parts.items():
            listed = [row[0] for row in rows(part)]
            clients = re.findall(NUMBER, part.partition("Of clients only:")[2])
            self.assertEqual(len(standard(version)), COUNTS[version])
            self.assertEqual(sorted(listed + clients), sorted(standard(version)), version)

    def test_every_statement_has_its_tests_or_a_reason(self):
        _, parts = sections()
        found = shown()
        for version, part in parts.items():
            for number, _, by in rows(part):
                tests = "; ".join(short(test) for test in found[version].get(number, []))
                with self.subTest(version=version, statement=number):
                    if tests or not by.startswith("n/a: "):
                        self.assertTrue(tests, "no test names it and no reason is given")
                        self.assertEqual(by, tests, "run test_mqtt_conformance_table.py --write")

    def test_no_test_names_a_statement_that_is_not_a_servers(self):
        _, parts = sections()
        for version, numbers in shown().items():
            self.assertEqual(set(numbers) - {row[0] for row in rows(parts[version])}, set(), version)


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        write()
    else:
        unittest.main()

"""The rows of docs/benchmarks.md from the JSON lines of benchmarks: table.py FILE"""
import json
import sys


def short(number):
    if number is None:
        return ""
    if abs(number) >= 1000:
        return f"{number:,.0f}"
    return f"{number:.3g}"


def row(line, before):
    unit = "" if line["unit"] == "1/s" else " " + line["unit"]
    per = "/s" if line["unit"] == "1/s" else ""
    name = "" if line["name"] == before else f"`{line['name']}`"
    peer = short(line["peer"]) + per if line["peer"] is not None else ""
    if line["ratio"] is not None:
        peer += f" (ratio {short(line['ratio'])})"
    measured = f"{short(line['median'])}{per}{unit} ({short(line['min'])} to {short(line['max'])})"
    mark = "" if line["reach"] == "none" else line["reach"].replace(">=", "≥").replace("<=", "≤")
    reached = "" if line["reach"] == "none" else "yes" if line["ok"] else "**no**"
    return f"| {name} | {line['what']} | {mark} | {measured} | {peer} | {reached} |"


def main():
    print("| benchmark | what | reach | measured: median (lowest to highest) | peer or floor in the same run | reached |")
    print("|---|---|---|---|---|---|")
    before = None
    with open(sys.argv[1], encoding="utf-8") as f:
        for text in f:
            if text.startswith("{"):
                line = json.loads(text)
                print(row(line, before))
                before = line["name"]


if __name__ == "__main__":
    main()

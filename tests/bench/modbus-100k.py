"""100,000 float32 over Modbus every second: 10 ports, 10 units each, 1,000 values each."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent / "lib"))
import modbuspoll  # noqa: E402

if __name__ == "__main__":
    sys.exit(modbuspoll.run("modbus-100k", "100,000 values every second", 1000, "1s", 1000))

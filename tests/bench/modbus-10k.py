"""10,000 float32 over Modbus every 100 ms: 10 ports, 10 units each, 100 values each."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent / "lib"))
import modbuspoll  # noqa: E402

if __name__ == "__main__":
    sys.exit(modbuspoll.run("modbus-10k", "10,000 values every 100 ms", 100, "100ms", 100))

"""QoS 1 in and out to one QoS 1 subscriber, journalled meanwhile, against mosquitto."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent / "lib"))
import through  # noqa: E402

if __name__ == "__main__":
    sys.exit(through.compare("mqtt-qos1", "100-byte JSON of 10 clients, window 500, QoS 1 in and out to one subscriber", 1, 1.5,
                             ["clients=10", "window=500", "qos=1", "size=100", "seconds=4"]))

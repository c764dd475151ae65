"""A Modbus TCP server of another house (pymodbus), in a thread; its registers are there to be read and set."""
import asyncio
import threading

from pymodbus.datastore import ModbusDeviceContext, ModbusSequentialDataBlock, ModbusServerContext
from pymodbus import FramerType
from pymodbus.server import ModbusTcpServer, ModbusTlsServer

SIZE = 200
COILS, DISCRETES, HOLDING, INPUTS = 1, 2, 3, 4


class Peer:
    """Units are numbers; those not named do not answer at all."""

    def __init__(self, port, units=(1,), tls=None, identity=None):
        """tls: an ssl.SSLContext; identity: a ModbusDeviceIdentification."""
        self.port, self.tls, self.identity = port, tls, identity
        self.asked = []  # (function, address, count) of each request
        self.units = {u: ModbusDeviceContext(
            co=ModbusSequentialDataBlock(1, [False] * SIZE), di=ModbusSequentialDataBlock(1, [False] * SIZE),
            hr=ModbusSequentialDataBlock(1, [0] * SIZE), ir=ModbusSequentialDataBlock(1, [0] * SIZE)) for u in units}
        self.start()

    def start(self):
        self.loop, self.ready = asyncio.new_event_loop(), threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        assert self.ready.wait(10), "the Modbus server does not start"

    def run(self):
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(self.serve())
        self.loop.close()

    def note(self, sending, pdu):
        if not sending:
            self.asked.append((pdu.function_code, pdu.address, pdu.count))
        return pdu

    async def serve(self):
        self.ended = asyncio.Event()
        more = {"identity": self.identity, "address": ("127.0.0.1", self.port), "ignore_missing_devices": True,
                "trace_pdu": self.note}
        context = ModbusServerContext(devices=self.units, single=False)
        if self.tls:  # as the standard has it: the TCP frame, header and all, inside TLS
            server = ModbusTlsServer(context, framer=FramerType.SOCKET, sslctx=self.tls, **more)
        else:
            server = ModbusTcpServer(context, **more)
        await server.listen()
        self.ready.set()
        await self.ended.wait()
        await server.shutdown()

    def stop(self):
        if self.thread.is_alive():
            self.loop.call_soon_threadsafe(self.ended.set)
            self.thread.join(10)

    def set(self, kind, address, values, unit=1):
        self.units[unit].setValues(kind, address, values)

    def get(self, kind, address, count=1, unit=1):
        return list(self.units[unit].getValues(kind, address, count))

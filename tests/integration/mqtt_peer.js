// Subscribes, publishes to itself with QoS 1, prints what came and ends.
const mqtt = require("mqtt");

const client = mqtt.connect(process.argv[2], { protocolVersion: 5, reconnectPeriod: 0, connectTimeout: 5000 });
client.on("error", (error) => {
	console.error(String(error));
	process.exit(1);
});
client.on("message", (topic, payload, packet) => {
	console.log(topic, payload.toString(), packet.qos);
	client.end(false, () => process.exit(0));
});
client.on("connect", () => client.subscribe("x/#", { qos: 1 }, () => client.publish("x/y/z", "hello", { qos: 1 })));

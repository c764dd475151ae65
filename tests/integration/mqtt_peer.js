// Subscribes, publishes to itself with QoS 1, prints what came and ends: node mqtt_peer.js URL
// MQTT_USER, MQTT_PASSWORD and MQTT_CA (a PEM file) from the environment.
const fs = require("fs");
const mqtt = require("mqtt");

const { MQTT_USER: username, MQTT_PASSWORD: password, MQTT_CA } = process.env;
const ca = MQTT_CA ? fs.readFileSync(MQTT_CA) : undefined;
const client = mqtt.connect(process.argv[2], {
	protocolVersion: 5, reconnectPeriod: 0, connectTimeout: 5000, username, password, ca, wsOptions: { ca },
});
client.on("error", (error) => {
	console.error(String(error));
	process.exit(1);
});
client.on("message", (topic, payload, packet) => {
	console.log(topic, payload.toString(), packet.qos);
	client.end(false, () => process.exit(0));
});
client.on("connect", () => client.subscribe("x/#", { qos: 1 }, () => client.publish("x/y/z", "hello", { qos: 1 })));

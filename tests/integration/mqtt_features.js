// What MQTT 5.0 promises, as mqtt.js sees it: node mqtt_features.js URL TOPIC. Prints what it saw as JSON.
const mqtt = require("mqtt");

const [url, top] = process.argv.slice(2);
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const clients = [];

async function connect(options = {}) {
	const client = await mqtt.connectAsync(url, { protocolVersion: 5, reconnectPeriod: 0, connectTimeout: 5000, ...options });
	client.on("error", () => {});
	client.got = [];
	client.on("message", (topic, payload, packet) => client.got.push({ topic, text: payload.toString(), packet }));
	clients.push(client);
	return client;
}

async function until(condition, what) {
	for (let i = 0; i < 500; i++) {
		if (condition()) return;
		await pause(10);
	}
	throw new Error(`not within 5 s: ${what}`);
}

async function main() {
	const seen = {};
	const speaker = await connect();

	const local = await connect();
	await local.subscribeAsync(`${top}/local`, { qos: 1, nl: true });
	await local.publishAsync(`${top}/local`, "mine", { qos: 1 });
	await speaker.publishAsync(`${top}/local`, "other", { qos: 1 });
	await until(() => local.got.length >= 1, "no local");
	seen.noLocal = local.got.map((m) => m.text);

	const members = [await connect(), await connect()];
	for (const member of members) await member.subscribeAsync(`$share/js/${top}/shared`, { qos: 1 });
	for (let i = 0; i < 10; i++) await speaker.publishAsync(`${top}/shared`, `${i}`, { qos: 1 });
	await until(() => members[0].got.length + members[1].got.length >= 10, "shared");
	seen.shared = new Set(members.flatMap((m) => m.got.map((g) => g.text))).size;

	const named = await connect();
	await named.subscribeAsync(`${top}/named`, { qos: 1, properties: { subscriptionIdentifier: 5 } });
	await speaker.publishAsync(`${top}/named`, "x", { qos: 1 });
	await until(() => named.got.length, "identifier");
	seen.identifier = named.got[0].packet.properties.subscriptionIdentifier;

	const watcher = await connect();
	await watcher.subscribeAsync(`${top}/will`, { qos: 1 });
	const dying = await connect({ will: { topic: `${top}/will`, payload: "gone", qos: 1 } });
	dying.stream.destroy();
	await until(() => watcher.got.length, "will");
	seen.will = watcher.got[0].text;

	await speaker.publishAsync(`${top}/kept`, "kept", { qos: 1, retain: true });
	const late = await connect();
	await late.subscribeAsync(`${top}/kept`, { qos: 1 });
	await until(() => late.got.length, "retained");
	seen.retained = late.got[0].packet.retain ? late.got[0].text : "not marked as retained";

	const first = await connect({ clientId: `${top}-js` });
	const ended = new Promise((done) => first.on("disconnect", (packet) => done(packet.reasonCode)));
	await connect({ clientId: `${top}-js` });
	seen["taken over"] = await ended;

	const aliased = await connect({ autoAssignTopicAlias: true });
	await watcher.subscribeAsync(`${top}/alias/#`, { qos: 1 });
	watcher.got.length = 0;
	await aliased.publishAsync(`${top}/alias`, "a/1", { qos: 1 });
	await aliased.publishAsync(`${top}/alias`, "a/2", { qos: 1 });
	await until(() => watcher.got.length >= 2, "alias");
	seen.alias = watcher.got.map((m) => m.text);

	const exact = await connect();
	await exact.subscribeAsync(`${top}/exact`, { qos: 2 });
	await Promise.all([...Array(20).keys()].map((i) => speaker.publishAsync(`${top}/exact`, `${i}`, { qos: 2 })));
	await until(() => exact.got.length >= 20, "QoS 2");
	seen["qos 2"] = exact.got.filter((m, i) => m.text === `${i}` && m.packet.qos === 2).length;
	console.log(JSON.stringify(seen));
}

main().then(() => Promise.all(clients.map((c) => c.endAsync(true)))).then(() => process.exit(0), (error) => {
	console.error(error);
	process.exit(1);
});

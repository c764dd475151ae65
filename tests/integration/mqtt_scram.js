// Logs in with SCRAM-SHA-256 by AUTH (RFC 5802, 7677), with mqtt.js and node's own cryptography, publishes, and
// authenticates again: node mqtt_scram.js URL USER PASSWORD TOPIC. Prints what happened as JSON.
const crypto = require("crypto");
const mqtt = require("mqtt");

const [url, user, password, topic] = process.argv.slice(2);
const method = "SCRAM-SHA-256";
const hmac = (key, text) => crypto.createHmac("sha256", key).update(text).digest();
let bare, salted, signedText;

function first() {
	bare = `n=${user},r=${crypto.randomBytes(18).toString("base64")}`;
	return Buffer.from(`n,,${bare}`);
}

function final(challenge) {
	const [, nonce, salt, rounds] = /^r=([^,]+),s=([^,]+),i=(\d+)$/.exec(challenge);
	salted = crypto.pbkdf2Sync(password, Buffer.from(salt, "base64"), Number(rounds), 32, "sha256");
	const key = hmac(salted, "Client Key");
	signedText = `${bare},${challenge},c=biws,r=${nonce}`;
	const signature = hmac(crypto.createHash("sha256").update(key).digest(), signedText);
	const proof = Buffer.from(key.map((byte, i) => byte ^ signature[i]));
	return Buffer.from(`c=biws,r=${nonce},p=${proof.toString("base64")}`);
}

const serverProved = (data) => String(data) === `v=${hmac(hmac(salted, "Server Key"), signedText).toString("base64")}`;

const packet = (reasonCode, data) => ({
	cmd: "auth",
	reasonCode,
	properties: { authenticationMethod: method, authenticationData: data },
});

const seen = {};
const client = mqtt.connect(url, {
	protocolVersion: 5,
	reconnectPeriod: 0,
	connectTimeout: 8000,
	clientId: user,
	properties: { authenticationMethod: method, authenticationData: first() },
});

function done() {
	console.log(JSON.stringify(seen));
	client.end(true, () => process.exit(0));
}

client.handleAuth = (answer, callback) => {
	const data = answer.properties.authenticationData.toString();
	if (answer.reasonCode === 0x18) {
		callback(null, packet(0x18, final(data)));
		return;
	}
	seen.again = serverProved(data);
	done();
};
client.on("connect", async (connack) => {
	seen.in = serverProved(connack.properties.authenticationData);
	await client.publishAsync(topic, "1", { qos: 1 });
	client._sendPacket(packet(0x19, first()));
});
client.on("error", (error) => {
	seen.refused = error.code;
	done();
});

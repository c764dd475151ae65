/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON Schemas (2020-12) of what goes in and out, in short: O(...) is an object that has these members and no
 * others; R names those that are always there.
 */
#include "api/route.h"

/* clang-format off */
#define P(name, schema)  "\"" name "\":" schema
#define R(...)           "\"required\":[" __VA_ARGS__ "],"
#define O(required, members) "{\"type\":\"object\"," required "\"additionalProperties\":false,\"properties\":{" members "}}"
#define S      "{\"type\":\"string\"}"
#define T      "{\"type\":\"string\",\"format\":\"date-time\"}"
#define N      "{\"type\":\"number\"}"
#define I      "{\"type\":\"integer\"}"
#define U      "{\"type\":\"integer\",\"minimum\":0}"
#define B      "{\"type\":\"boolean\"}"
#define ANY    "{}"
#define OBJECT "{\"type\":\"object\"}"
#define LIST(of) "{\"type\":\"array\",\"items\":" of "}"
#define REF(name) "{\"$ref\":\"#/components/schemas/" name "\"}"
#define ONE(...) "{\"enum\":[" __VA_ARGS__ "]}"
#define VALUE  "{\"type\":[\"number\",\"boolean\",\"string\",\"null\",\"object\"]}"

#define SEVERITY ONE("\"info\",\"warning\",\"critical\"")
#define QUALITY  ONE("\"good\",\"uncertain\",\"bad\"")
#define ROLE     ONE("\"viewer\",\"operator\",\"administrator\"")

#define EVENT_MEMBERS \
	P("id", U) "," P("kind", S) "," P("key", S) "," P("severity", SEVERITY) "," \
	P("state", ONE("\"open\",\"acknowledged\",\"cleared\"")) "," P("title", S) "," P("message", S) "," P("device", S) "," \
	P("signal", S) "," P("opened", T) "," P("acknowledged", T) "," P("cleared", T) "," \
	P("acknowledged_by", S) "," P("comment", S) "," P("repeats", U)
#define EVENT_REQUIRED "\"id\",\"kind\",\"key\",\"severity\",\"state\",\"title\",\"opened\""

#define TOKEN_MEMBERS \
	P("id", S) "," P("title", S) "," P("role", ROLE) "," P("created", T) "," P("expires", T) "," P("last_used", T)

#define INSTANCE_MEMBERS \
	P("name", S) "," P("component", S) "," P("state", ONE("\"new\",\"running\",\"failed\",\"ended\"")) "," P("error", S)

#define REVISION_MEMBERS \
	P("number", U) "," P("time", T) "," P("who", S) "," P("why", S) "," P("in_force", B) "," P("damaged", B)

#define REGISTER_MEMBERS \
	P("id", S) "," P("password", S) "," P("scram", B) "," P("token", B) "," P("certificate", B) "," P("application", B) "," P("enabled", B)

#define PLACE_MEMBERS P("file", S) "," P("line", U) "," P("column", U)

const struct gg_schema gg_schemas[] = {
	{"Problem", "{\"type\":\"object\"," R("\"type\",\"title\",\"status\"") "\"properties\":{" P("type", S) "," P("title", S)
		"," P("status", I) "," P("detail", S) "," P("code", S) "," PLACE_MEMBERS ","
		P("problems", LIST(REF("ConfigProblem"))) "," P("more", U) "}}"},
	{"ConfigProblem", O(R("\"text\""), P("text", S) "," PLACE_MEMBERS)},
	{"OpenAPI", OBJECT},
	{"JSONSchema", OBJECT},

	{"SessionBegin", O(R("\"token\""), P("token", S))},
	{"Caller", O(R("\"name\",\"role\""), P("name", S) "," P("role", ROLE))},
	{"Tokens", O(R("\"tokens\""), P("tokens", LIST(O(R("\"id\",\"title\",\"role\",\"created\""), TOKEN_MEMBERS))))},
	{"TokenMake", O(R("\"title\",\"role\""), P("title", S) "," P("role", ROLE) "," P("expires", S))},
	{"TokenMade", O(R("\"id\",\"title\",\"role\",\"created\",\"token\""), TOKEN_MEMBERS "," P("token", S))},

	{"Status", O(R("\"site\",\"version\",\"ready\",\"time\",\"started\",\"uptime_seconds\",\"revision\",\"signals\","
			"\"devices\",\"open_events\",\"samples\",\"rates\",\"uplinks\",\"journal\",\"memory\""),
		P("site", S) "," P("version", S) "," P("ready", B) "," P("time", T) "," P("started", T) ","
		P("uptime_seconds", N) "," P("revision", U) "," P("signals", U) ","
		P("devices", O("", P("known", U) "," P("healthy", U) "," P("lost", U) "," P("registered", U))) ","
		P("open_events", O("", P("critical", U) "," P("warning", U) "," P("info", U))) ","
		P("samples", O("", P("in", U) "," P("kept", U) "," P("dropped", U) "," P("derived", U) "," P("sent", U) ","
			P("local", U))) ","
		P("sent_bytes", U) "," P("batches_refused", U) ","
		P("rates", O("", P("samples_in", N) "," P("samples_kept", N) "," P("samples_derived", N) ","
			P("sent_bytes", N))) ","
		P("uplinks", O("", P("count", U) "," P("ready", U) "," P("backlog_bytes", U) "," P("backlog_seconds", N))) ","
		P("journal", O("", P("state", ONE("\"ok\",\"full\",\"failed\"")) "," P("samples", U) ","
			P("written_bytes", U) "," P("disk_bytes", U) "," P("queued_bytes", U) "," P("lost_bytes", U) ","
			P("syncs", U) "," P("sync_seconds_mean", N))) ","
		P("history", O("", P("samples", U) "," P("disk_bytes", U) "," P("lag_bytes", U))) ","
		P("memory", O("", P("resident_bytes", U) "," P("batch_bytes", U))) ","
		P("disk", O("", P("free_bytes", U) "," P("total_bytes", U))))},

	{"Last", O(R("\"value\",\"time\",\"quality\",\"count\""), P("value", VALUE) "," P("time", T) ","
		P("quality", QUALITY) "," P("reason", S) "," P("count", U))},
	{"Signal", O(R("\"name\",\"device\",\"type\",\"writable\""), P("name", S) "," P("device", S) "," P("type", S) ","
		P("writable", B) "," P("unit", S) "," P("title", S) "," P("low", N) "," P("high", N) ","
		P("period_seconds", N) "," P("last", REF("Last")))},
	{"Signals", O(R("\"signals\",\"total\""), P("signals", LIST(REF("Signal"))) "," P("next", S) "," P("total", U))},
	{"SignalWrite", O(R("\"value\""), P("value", "{\"type\":[\"number\",\"boolean\",\"string\"]}"))},
	{"History", O(R("\"signal\",\"from\",\"to\""), P("signal", S) "," P("unit", S) "," P("from", T) "," P("to", T) ","
		P("samples", LIST(O(R("\"time\",\"value\""), P("time", T) "," P("value", VALUE) "," P("quality", QUALITY)))) ","
		P("truncated", B) ","
		P("buckets", LIST(O(R("\"time\",\"count\",\"min\",\"max\",\"mean\",\"first\",\"last\""), P("time", T) ","
			P("count", U) "," P("min", N) "," P("max", N) "," P("mean", N) "," P("first", N) "," P("last", N)))) ","
		P("bucket_seconds", N))},
	{"Query", O(R("\"sql\""), P("sql", S) "," P("limit", U))},
	{"QueryResult", O(R("\"columns\",\"rows\",\"truncated\",\"seconds\""), P("columns", LIST(S)) ","
		P("rows", LIST(LIST("{\"type\":[\"number\",\"string\",\"null\"]}"))) "," P("truncated", B) "," P("seconds", N))},

	{"Device", O(R("\"id\",\"kind\",\"health\",\"signals\""), P("id", S) ","
		P("kind", ONE("\"device\",\"pipeline\"")) "," P("title", S) ","
		P("labels", "{\"type\":\"object\",\"additionalProperties\":" S "}") "," P("driver", S) ","
		P("health", O(R("\"state\""), P("state", ONE("\"unknown\",\"healthy\",\"lost\"")) "," P("since", T) ","
			P("reason", S))) ","
		P("signals", U) "," P("last_seen", T) ","
		P("registration", O(R("\"credential\",\"application\",\"enabled\""),
			P("credential", ONE("\"none\",\"password\",\"token\",\"certificate\"")) "," P("scram", B) "," P("application", B) ","
			P("enabled", B) "," P("created", T))))},
	{"Devices", O(R("\"devices\""), P("devices", LIST(REF("Device"))))},
	{"DeviceRegister", O(R("\"id\""), REGISTER_MEMBERS)},
	{"DeviceChange", O("", REGISTER_MEMBERS)},
	{"DeviceRegistered", O(R("\"device\""), P("device", REF("Device")) "," P("token", S))},

	{"EventBrief", O(R(EVENT_REQUIRED), EVENT_MEMBERS)},
	{"Event", O(R(EVENT_REQUIRED ",\"trace\""), EVENT_MEMBERS "," P("trace", LIST(OBJECT)))},
	{"Events", O(R("\"events\""), P("events", LIST(REF("EventBrief"))) "," P("next", U))},
	{"Acknowledge", O("", P("comment", S))},
	{"Comment", O(R("\"text\""), P("text", S))},

	{"Config", O(R("\"revision\",\"config\""), P("revision", U) "," P("config", OBJECT))},
	{"ConfigBody", OBJECT},
	{"Applied", O(R("\"revision\",\"saved\""), P("revision", U) "," P("saved", B) "," P("not_saved_because", S))},
	{"Checked", O(R("\"good\",\"problems\",\"changes\""), P("good", B) "," P("problems", LIST(REF("ConfigProblem"))) ","
		P("more", U) ","
		P("changes", LIST(O(R("\"section\",\"change\""), P("section", S) "," P("name", S) "," P("change", S)))))},
	{"Revisions", O(R("\"revisions\""), P("revisions", LIST(O(R("\"number\",\"time\",\"who\",\"why\",\"in_force\""),
		REVISION_MEMBERS))))},
	{"RevisionWhole", O(R("\"number\",\"config\""), REVISION_MEMBERS "," P("config", OBJECT))},

	{"Option", "{\"type\":\"object\"," R("\"name\",\"type\"") "\"properties\":{" P("name", S) "," P("type", S) ","
		P("options", LIST(REF("Option"))) "}}"},
	{"Components", O(R("\"components\""), P("components", LIST(O(R("\"name\",\"kind\",\"options\""), P("name", S) ","
		P("kind", S) "," P("title", S) "," P("help", S) "," P("example", S) "," P("options", LIST(REF("Option")))))))},
	{"Pipelines", O(R("\"pipelines\""), P("pipelines", LIST(O(R("\"name\",\"enabled\",\"stages\""), P("name", S) ","
		P("title", S) "," P("enabled", B) "," P("select", LIST(S)) "," P("exclude", LIST(S)) "," P("lost", U) ","
		P("stages", LIST(O(R("\"stage\",\"in\",\"out\",\"dropped\""), P("stage", S) "," P("in", U) "," P("out", U) ","
			P("dropped", "{\"type\":\"object\",\"additionalProperties\":" U "}")))))))) },
	{"Drivers", O(R("\"drivers\""), P("drivers", LIST(O(R("\"name\",\"component\",\"state\""), INSTANCE_MEMBERS ","
		P("devices", U) "," P("batches", U) "," P("samples", U) "," P("refused", U) "," P("waiting", B)))))},
	{"Uplinks", O(R("\"uplinks\""), P("uplinks", LIST(O(R("\"name\",\"component\",\"state\",\"ready\""), INSTANCE_MEMBERS ","
		P("ready", B) "," P("reason", S) "," P("since", T) "," P("cursor", U) "," P("backlog_bytes", U) ","
		P("backlog_seconds", N) "," P("parcels", U) "," P("samples", U) "," P("bytes", U) "," P("local_samples", U) ","
		P("retries", U) "," P("dropped", U) "," P("reconnects", U) "," P("under_way", U)))))},
	{"Log", O(R("\"lines\""), P("lines", LIST(OBJECT)))},
	{0}};
/* clang-format on */

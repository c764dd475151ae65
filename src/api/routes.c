/* SPDX-License-Identifier: Apache-2.0 */
/* What the API can do. A new endpoint is entered here; its schemas in schemas.c. */
#include "api/handlers.h"
#include "api/route.h"

#define V1 "/api/v1"

enum { CONFIG_MAX = 4 << 20 };

/* clang-format off */
#define LIMIT(most)   {"limit", "{\"type\":\"integer\",\"minimum\":1,\"maximum\":" #most "}", "How many at most"}
#define TIME(name, h) {name, "{\"type\":\"string\"}", h}
#define TEXT(name, h) {name, "{\"type\":\"string\"}", h}

#define EVERYBODY     .role = GG_ROLE_NONE
#define VIEWER        .role = GG_ROLE_VIEWER
#define OPERATOR      .role = GG_ROLE_OPERATOR
#define ADMINISTRATOR .role = GG_ROLE_ADMINISTRATOR

#define ROUTE(m, p, who, fn, name, text, ...) \
	{.method = m, .pattern = p, who, .handle = fn, .id = name, .summary = text, .status = 200, ##__VA_ARGS__}

const struct gg_route gg_routes[] = {
	/* machines */
	ROUTE("GET", "/healthz", EVERYBODY, gg_api_healthz, "healthz", "Is it alive?", .media = "text/plain"),
	ROUTE("GET", "/readyz", EVERYBODY, gg_api_readyz, "readyz", "Can it take data? 503 with the reason when not",
		.media = "text/plain"),
	ROUTE("GET", "/metrics", VIEWER, gg_api_metrics, "metrics", "All numbers, as Prometheus reads them",
		.media = "text/plain"),
	ROUTE("GET", V1 "/openapi.json", EVERYBODY, gg_api_openapi, "openapi", "This description", .answer = "OpenAPI"),

	/* who */
	ROUTE("POST", V1 "/session", EVERYBODY, gg_api_session_begin, "beginSession",
		"Logs a page in: a cookie for a token", .body = "SessionBegin", .answer = "Caller"),
	ROUTE("GET", V1 "/session", VIEWER, gg_api_whoami, "getSession", "Who asks, and as what", .answer = "Caller"),
	ROUTE("DELETE", V1 "/session", VIEWER, gg_api_session_end, "endSession", "Logs the page out", .status = 204),
	ROUTE("GET", V1 "/tokens", ADMINISTRATOR, gg_api_tokens, "listTokens", "Tokens, without their secrets",
		.answer = "Tokens"),
	ROUTE("POST", V1 "/tokens", ADMINISTRATOR, gg_api_token_make, "makeToken",
		"Makes a token; its secret is told this once", .status = 201, .body = "TokenMake", .answer = "TokenMade"),
	ROUTE("DELETE", V1 "/tokens/{id}", ADMINISTRATOR, gg_api_token_remove, "removeToken",
		"Takes a token away, with its sessions", .status = 204),

	/* what is */
	ROUTE("GET", V1 "/status", VIEWER, gg_api_status, "getStatus", "The gateway at a glance", .answer = "Status"),
	ROUTE("GET", V1 "/live", VIEWER, gg_api_live, "live",
		"Server-sent events: values (gathered, at most 10 a second), event, status, reset",
		.media = "text/event-stream",
		.params = {TEXT("signals", "Patterns with commas between; absent: all"),
			TEXT("topics", "Of values, events, status; absent: all")}),
	ROUTE("GET", V1 "/signals", VIEWER, gg_api_signals, "listSignals",
		"Signals in the order they were first seen, with their last values", .answer = "Signals",
		.params = {TEXT("pattern", "Patterns with commas between, * stands for anything"),
			TEXT("device", "Those of this device"), TEXT("after", "Those behind this name: next of the page before"),
			LIMIT(10000)}),
	ROUTE("GET", V1 "/signals/{*name}/history", VIEWER, gg_api_signal_history, "getHistory",
		"A signal's past: samples when they are few, else buckets", .answer = "History",
		.params = {TIME("from", "RFC 3339, or how long ago, like 1h (the default)"),
			TIME("to", "RFC 3339, or how long ago; absent: now"),
			{"buckets", "{\"type\":\"integer\",\"minimum\":1,\"maximum\":5000}", "How many points at most"}}),
	ROUTE("DELETE", V1 "/history", ADMINISTRATOR, gg_api_history_delete, "deleteHistory",
		"Deletes what was recorded of some signals, from history and journal, for good", .answer = "HistoryDeleted",
		.params = {TEXT("select", "Patterns with commas between, * stands for anything; needed"),
			TIME("from", "RFC 3339, or how long ago, like 1h; absent: all there is"),
			TIME("to", "The same, included; absent: all there is")}),
	ROUTE("GET", V1 "/signals/{*name}", VIEWER, gg_api_signal, "getSignal", "A signal and its last value",
		.answer = "Signal"),
	ROUTE("PUT", V1 "/signals/{*name}", OPERATOR, gg_api_signal_write, "writeSignal",
		"Has the driver write a value; answers when the device has taken it", .status = 204, .body = "SignalWrite"),
	ROUTE("POST", V1 "/query", VIEWER, gg_api_query, "query",
		"SQL over samples, rollups, signals, devices and events; read-only, bounded in time, memory and size",
		.reads = true, .body = "Query", .answer = "QueryResult",
		.params = {{"format", "{\"enum\":[\"csv\",\"json\",\"jsonl\"]}",
			"Rows as they come, in this form and without a limit of their number"}}),
	ROUTE("GET", V1 "/export", VIEWER, gg_api_export, "export",
		"Samples of many signals, signal by signal, each by time", .media = "*/*",
		.params = {TEXT("select", "Patterns with commas between, * stands for anything; absent: all"),
			TIME("from", "RFC 3339, or how long ago, like 1h; absent: all there is"),
			TIME("to", "The same, included; absent: all there is"),
			{"format", "{\"enum\":[\"csv\",\"jsonl\",\"parquet\"]}", "csv when absent"}}),
	ROUTE("GET", V1 "/backup", ADMINISTRATOR, gg_api_backup, "backup",
		"All that a gateway needs to go on elsewhere, as it is now: journal, history, catalog, revisions, "
		"certificate; tar, zstd", .media = "application/zstd"),

	/* devices */
	ROUTE("GET", V1 "/devices", VIEWER, gg_api_devices, "listDevices", "Devices, heard of, configured or registered",
		.answer = "Devices"),
	ROUTE("POST", V1 "/devices", ADMINISTRATOR, gg_api_device_register, "registerDevice",
		"Registers a device; a token is told this once", .status = 201, .body = "DeviceRegister",
		.answer = "DeviceRegistered"),
	ROUTE("GET", V1 "/devices/{id}", VIEWER, gg_api_device, "getDevice", "One device", .answer = "Device"),
	ROUTE("PUT", V1 "/devices/{id}", ADMINISTRATOR, gg_api_device_change, "changeDevice",
		"Registers it, or changes its registration; what is absent stays", .body = "DeviceChange",
		.answer = "DeviceRegistered"),
	ROUTE("DELETE", V1 "/devices/{id}", ADMINISTRATOR, gg_api_device_remove, "removeDevice",
		"Takes the registration away", .status = 204),

	/* events */
	ROUTE("GET", V1 "/events", VIEWER, gg_api_events, "listEvents", "Events, newest first, without their traces",
		.answer = "Events",
		.params = {{"state", "{\"enum\":[\"open\",\"acknowledged\",\"cleared\",\"active\"]}", "active: not cleared"},
			{"severity", "{\"enum\":[\"info\",\"warning\",\"critical\"]}", "The least"},
			TEXT("kind", "Of this kind"), TEXT("device", "About this device"),
			TEXT("signal", "About this signal"), TIME("from", "Opened then or later: RFC 3339, or how long ago, like 1h"),
			TIME("to", "Opened before then"),
			{"before", "{\"type\":\"integer\"}", "Ids below this: next of the page before"}, LIMIT(1000)}),
	ROUTE("GET", V1 "/events/{id}", VIEWER, gg_api_event, "getEvent", "An event with its trace", .answer = "Event"),
	ROUTE("POST", V1 "/events/{id}/acknowledge", OPERATOR, gg_api_event_acknowledge, "acknowledgeEvent",
		"Somebody has seen it", .body = "Acknowledge", .answer = "Event"),
	ROUTE("POST", V1 "/events/{id}/comment", OPERATOR, gg_api_event_comment, "commentEvent",
		"Adds words to its trace", .body = "Comment", .answer = "Event"),

	/* configuration */
	ROUTE("GET", V1 "/config", ADMINISTRATOR, gg_api_config, "getConfig",
		"The configuration in force, secrets masked", .answer = "Config"),
	ROUTE("PUT", V1 "/config", ADMINISTRATOR, gg_api_config_put, "putConfig",
		"A new configuration, whole or not at all", .body = "ConfigBody", .yaml = true, .body_max = CONFIG_MAX,
		.answer = "Applied"),
	ROUTE("PATCH", V1 "/config", ADMINISTRATOR, gg_api_config_patch, "patchConfig",
		"A change of the configuration as a merge patch (RFC 7396), whole or not at all", .body = "ConfigBody",
		.yaml = true, .body_max = CONFIG_MAX, .answer = "Applied"),
	ROUTE("POST", V1 "/config/check", ADMINISTRATOR, gg_api_config_check, "checkConfig",
		"What would be wrong with it, and what it would change", .reads = true, .body = "ConfigBody", .yaml = true,
		.body_max = CONFIG_MAX, .answer = "Checked"),
	ROUTE("GET", V1 "/schema", VIEWER, gg_api_schema, "getSchema", "JSON Schema of the configuration",
		.answer = "JSONSchema", .media = "application/schema+json"),
	ROUTE("GET", V1 "/revisions", ADMINISTRATOR, gg_api_revisions, "listRevisions",
		"Configurations that were in force, newest first", .answer = "Revisions", .params = {LIMIT(10000)}),
	ROUTE("GET", V1 "/revisions/{number}", ADMINISTRATOR, gg_api_revision, "getRevision",
		"One of them, secrets masked", .answer = "RevisionWhole"),
	ROUTE("POST", V1 "/revisions/{number}/rollback", ADMINISTRATOR, gg_api_revision_rollback, "rollBack",
		"Puts it in force again", .answer = "Applied"),

	/* parts */
	ROUTE("GET", V1 "/components", VIEWER, gg_api_components, "listComponents",
		"Drivers, stages, actions and uplinks that are built in, with their options", .answer = "Components",
		.params = {{"kind", "{\"enum\":[\"driver\",\"stage\",\"action\",\"uplink\",\"engine\"]}", "Of this kind"}}),
	ROUTE("GET", V1 "/pipelines", VIEWER, gg_api_pipelines, "listPipelines",
		"Pipelines and what went through their stages", .answer = "Pipelines"),
	ROUTE("GET", V1 "/drivers", VIEWER, gg_api_drivers, "listDrivers", "Drivers at work", .answer = "Drivers"),
	ROUTE("GET", V1 "/uplinks", VIEWER, gg_api_uplinks, "listUplinks", "Uplinks, their backlog and what they sent",
		.answer = "Uplinks"),
	ROUTE("GET", V1 "/log", ADMINISTRATOR, gg_api_log, "getLog", "The log's latest lines, newest last",
		.answer = "Log", .params = {LIMIT(1000)}),

	/* the page */
	ROUTE("GET", "/", EVERYBODY, gg_api_page, "page", "The dashboard", .media = "text/html"),
	ROUTE("GET", "/{file}", EVERYBODY, gg_api_page, "pageFile", "Its files", .media = "*/*"),
	{0}};
/* clang-format on */

void gg_api_openapi(struct gg_api_call *c)
{
	struct gg_buf text GG_CLEANUP(gg_buf_done) = GG_BUF(GG_ANSWER_MAX);
	gg_openapi_write(gg_routes, gg_schemas, &text);
	if (text.error)
		gg_api_problem(c, text.error, "no memory for the description");
	else
		gg_http_reply(c->r, 200, "application/json", gg_buf_view(&text));
}

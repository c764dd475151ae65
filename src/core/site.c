/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables of the configuration's root, from the inside out. They read like the file they describe; the
 * schema, the reference and the web form are made of them.
 */
#include "core/site.h"

#include "base/log.h"

static const char *const levels[] = {"debug", "info", "warn", "error", NULL};
static const char *const log_formats[] = {"text", "json", NULL};
static const char *const severities[] = {"information", "warning", "critical", NULL};
static const char *const unlimited[] = {"unlimited", NULL};
static const char *const forever[] = {"forever", NULL};
static const char *const automatic[] = {"auto", NULL};
static const char *const formats[] = {"json", "senml", "cbor", "lines", NULL};
static const char *const compressions[] = {"none", "zstd", NULL};

_Static_assert(GG_DEBUG == 0 && GG_INFO == 1 && GG_WARN == 2 && GG_ERROR == 3, "levels[] is in this order");
_Static_assert(GG_LOG_TEXT == 0 && GG_LOG_JSON == 1, "log_formats[] is in this order");
_Static_assert(GG_INFORMATION == 0 && GG_WARNING == 1 && GG_CRITICAL == 2, "severities[] is in this order");

static const struct gg_option log_options[] = {
	GG_OPTION(struct gg_site_log, level, CHOICE, .choices = levels, .def = "info",
		.flags = GG_LIVE | GG_MAIN, .help = "The least important lines that are still written"),
	GG_OPTION(struct gg_site_log, format, CHOICE, .choices = log_formats, .def = "text", .flags = GG_LIVE,
		.help = "Lines for people, or one JSON object a line"),
	{0}};

static const struct gg_option limits_options[] = {
	GG_OPTION(struct gg_site_limits, signals, UINT, .def = "100000", .min = "16", .max = "4000000",
		.help = "How many signals may be known; more are refused and counted"),
	GG_OPTION(struct gg_site_limits, signals_per_device, UINT, .def = "10000", .min = "16",
		.max = "4000000",
		.help = "How many of them one device may have, so that none uses them up for all; those it "
			"has already stay"),
	GG_OPTION(struct gg_site_limits, devices, UINT, .def = "10000", .min = "4", .max = "1000000",
		.help = "How many devices may be known"),
	GG_OPTION(struct gg_site_limits, batch_memory, SIZE, .def = "64MiB", .min = "1MiB", .max = "64GiB",
		.flags = GG_LIVE, .help = "Memory of all batches under way; past it devices are held back"),
	{0}};

static const struct gg_option retention_options[] = {
	GG_OPTION(struct gg_site_retention, size, SIZE, .def = "1GiB", .min = "1MiB", .choices = unlimited,
		.flags = GG_LIVE, .help = "The oldest goes when this is reached"),
	GG_OPTION(struct gg_site_retention, age_ns, DURATION, .name = "age", .def = "forever", .min = "1min",
		.choices = forever, .flags = GG_LIVE, .help = "What is older goes"),
	{0}};

static const struct gg_option journal_options[] = {
	GG_OPTION(struct gg_site_journal, commit_ns, DURATION, .name = "commit", .def = "5ms", .min = "0ms",
		.max = "1s", .flags = GG_LIVE,
		.help = "How long data may wait so that one sync to disk serves many acknowledgements"),
	GG_OPTION(struct gg_site_journal, segment_size, SIZE, .def = "16MiB", .min = "64KiB", .max = "1GiB",
		.help = "Size of one file of the journal"),
	GG_OPTION(struct gg_site_journal, reserve, SIZE, .def = "64MiB", .flags = GG_LIVE,
		.help = "Disk space that is left free; at this point devices are held back"),
	GG_OPTION(struct gg_site_journal, retention, GROUP, .sub = retention_options,
		.help = "How much is kept for uplinks that lag behind and for replay"),
	{0}};

static const struct gg_option label_options[] = {
	GG_OPTION(struct gg_label, name, KEY, .help = "The label's name"),
	GG_OPTION(
		struct gg_label, value, STRING, .flags = GG_MAIN | GG_REQUIRED, .help = "The label's value"),
	{0}};

static const char *const as_samples[] = {"as-samples", NULL};

static const struct gg_option selection_options[] = {
	GG_OPTION(struct gg_site_selection, name, KEY, .help = "A name"),
	GG_OPTION(struct gg_site_selection, select, STRINGS, .def = "\"*\"", .example = "[badge-*/*]",
		.flags = GG_LIVE, .help = "Patterns of the signals it is about"),
	GG_OPTION(struct gg_site_selection, labels, MAP, GG_SUB(label_options, struct gg_label),
		.flags = GG_LIVE, .help = "Labels that a signal's device must have"),
	GG_OPTION(struct gg_site_selection, ages.samples_ns, DURATION, .name = "age", .def = "forever",
		.min = "1min", .choices = forever, .flags = GG_LIVE, .help = "Samples that are older go"),
	GG_OPTION(struct gg_site_selection, ages.seconds_ns, DURATION, .name = "seconds", .def = "as-samples",
		.min = "1min", .choices = as_samples, .flags = GG_LIVE,
		.help = "Summaries of a second that are older go"),
	GG_OPTION(struct gg_site_selection, ages.minutes_ns, DURATION, .name = "minutes", .def = "as-samples",
		.min = "1min", .choices = as_samples, .flags = GG_LIVE,
		.help = "Summaries of a minute that are older go"),
	GG_OPTION(struct gg_site_selection, ages.hours_ns, DURATION, .name = "hours", .def = "as-samples",
		.min = "1min", .choices = as_samples, .flags = GG_LIVE,
		.help = "Summaries of an hour that are older go"),
	GG_OPTION(struct gg_site_selection, ages.days_ns, DURATION, .name = "days", .def = "as-samples",
		.min = "1min", .choices = as_samples, .flags = GG_LIVE,
		.help = "Summaries of a day that are older go"),
	{0}};

static const struct gg_option history_retention_options[] = {
	GG_OPTION(struct gg_site_history_retention, size, SIZE, .def = "1GiB", .min = "1MiB",
		.choices = unlimited, .flags = GG_LIVE, .help = "The oldest goes when this is reached"),
	GG_OPTION(struct gg_site_history_retention, ages.samples_ns, DURATION, .name = "age",
		.def = "forever", .min = "1min", .choices = forever, .flags = GG_LIVE,
		.help = "Samples that are older go"),
	GG_OPTION(struct gg_site_history_retention, ages.seconds_ns, DURATION, .name = "seconds",
		.def = "as-samples", .min = "1min", .choices = as_samples, .flags = GG_LIVE,
		.help = "Summaries of a second that are older go"),
	GG_OPTION(struct gg_site_history_retention, ages.minutes_ns, DURATION, .name = "minutes",
		.def = "as-samples", .min = "1min", .choices = as_samples, .flags = GG_LIVE,
		.help = "Summaries of a minute that are older go"),
	GG_OPTION(struct gg_site_history_retention, ages.hours_ns, DURATION, .name = "hours",
		.def = "as-samples", .min = "1min", .choices = as_samples, .flags = GG_LIVE,
		.help = "Summaries of an hour that are older go"),
	GG_OPTION(struct gg_site_history_retention, ages.days_ns, DURATION, .name = "days",
		.def = "as-samples", .min = "1min", .choices = as_samples, .flags = GG_LIVE,
		.help = "Summaries of a day that are older go"),
	GG_OPTION(struct gg_site_history_retention, selections, MAP,
		GG_SUB(selection_options, struct gg_site_selection), .flags = GG_LIVE,
		.help = "Signals whose history lives shorter or longer; the first that fits counts"),
	{0}};

static const struct gg_option encryption_options[] = {
	GG_OPTION(struct gg_site_encryption, key_file, STRING, .flags = GG_FILE,
		.example = "/etc/ganglion/key",
		.help = "File of 32 to 4096 random bytes that only the gateway's user can read"),
	GG_OPTION(struct gg_site_encryption, passphrase, STRING, .flags = GG_SECRET,
		.example = "${GANGLION_PASSPHRASE}",
		.help = "At least 12 characters, from the environment or a file, never written out here"),
	GG_OPTION(struct gg_site_encryption, passphrase_file, STRING, .flags = GG_FILE,
		.example = "${CREDENTIALS_DIRECTORY}/passphrase",
		.help = "File whose first line is the passphrase, as one of systemd's credentials"),
	GG_OPTION(struct gg_site_encryption, tpm, STRING, .example = "auto",
		.help = "The machine's TPM 2.0 keeps the key: auto, or how it is reached, as "
			"device:/dev/tpmrm0"),
	GG_OPTION(struct gg_site_encryption, pcrs, STRINGS, .example = "[7]",
		.help = "With tpm: registers (0 to 23, SHA-256) that must be what they were when the key "
			"was sealed: 7 is Secure Boot, 0 to 3 the firmware"),
	{0}};

static const struct gg_option history_options[] = {
	GG_OPTION(struct gg_site_history, enabled, BOOL, .def = "true",
		.help = "Keep samples for queries and charts"),
	GG_OPTION(struct gg_site_history, block_ns, DURATION, .name = "block", .def = "15min", .min = "10s",
		.max = "1d", .help = "How much of a signal is compressed together"),
	GG_OPTION(struct gg_site_history, retention, GROUP, .sub = history_retention_options,
		.help = "How much is kept"),
	{0}};

static const struct gg_option events_retention_options[] = {
	GG_OPTION(struct gg_site_events_retention, count, UINT, .def = "100000", .min = "100",
		.max = "10000000", .choices = unlimited, .flags = GG_LIVE,
		.help = "The oldest that are cleared go when there are more"),
	GG_OPTION(struct gg_site_events_retention, age_ns, DURATION, .name = "age", .def = "400d",
		.min = "1min", .choices = forever, .flags = GG_LIVE,
		.help = "What has been cleared for longer goes"),
	{0}};

static const struct gg_option events_options[] = {
	GG_OPTION(struct gg_site_events, retention, GROUP, .sub = events_retention_options,
		.help = "How many are kept; what is not cleared always stays"),
	{0}};

static const struct gg_option tls_options[] = {
	GG_OPTION(struct gg_site_api_tls, listen, STRING, .flags = GG_MAIN, .example = "0.0.0.0:8443",
		.help = "Address and port for HTTPS"),
	GG_OPTION(struct gg_site_api_tls, certificate, STRING, .flags = GG_FILE | GG_LIVE,
		.help = "PEM file with the certificate chain; made at the first start when absent"),
	GG_OPTION(struct gg_site_api_tls, key, STRING, .flags = GG_FILE | GG_LIVE,
		.help = "PEM file with the private key"),
	GG_OPTION(struct gg_site_api_tls, client_ca, STRING, .flags = GG_FILE | GG_LIVE,
		.help = "PEM file; with it, clients may show a certificate in place of a token"),
	{0}};

static const struct gg_option api_options[] = {GG_OPTION(struct gg_site_api, enabled, BOOL, .def = "true",
						       .help = "Serve the API and the dashboard"),
	GG_OPTION(struct gg_site_api, listen, STRING, .def = "127.0.0.1:8080", .flags = GG_MAIN,
		.example = "127.0.0.1:8080",
		.help = "Address and port for HTTP; an empty text turns it off. Beyond loopback use tls"),
	GG_OPTION(struct gg_site_api, tls, GROUP, .sub = tls_options, .help = "HTTPS"),
	GG_OPTION(struct gg_site_api, connections, UINT, .def = "1000", .min = "4", .max = "100000",
		.flags = GG_LIVE, .help = "How many clients may be connected at once"),
	GG_OPTION(struct gg_site_api, origins, STRINGS, .flags = GG_LIVE,
		.help = "Origins of other web pages that may call the API"),
	{0}};

static const struct gg_option device_options[] = {
	GG_OPTION(struct gg_site_device, id, KEY, .help = "The device's id, as its driver names it"),
	GG_OPTION(struct gg_site_device, title, STRING, .flags = GG_MAIN | GG_LIVE, .help = "For people"),
	GG_OPTION(struct gg_site_device, enabled, BOOL, .def = "true", .flags = GG_LIVE,
		.help = "May it connect and bring data? false: nothing of it is taken in, and it is not "
			"polled"),
	GG_OPTION(struct gg_site_device, labels, MAP, GG_SUB(label_options, struct gg_label),
		.flags = GG_LIVE, .help = "By which pipelines select", .example = "{ hall: 3, kind: press }"),
	GG_OPTION(struct gg_site_device, topics, STRINGS, .flags = GG_LIVE,
		.help = "Topics it may use beyond its own, as MQTT filters"),
	GG_OPTION(struct gg_site_device, any_topic, BOOL, .def = "false", .flags = GG_LIVE,
		.help = "May it use all topics, as an application does?"),
	GG_OPTION(struct gg_site_device, at, SOURCE), {0}};

static const struct gg_option pipeline_options[] = {
	GG_OPTION(struct gg_site_pipeline, name, KEY, .help = "A name; outputs are signals under it"),
	GG_OPTION(struct gg_site_pipeline, title, STRING, .flags = GG_LIVE, .help = "For people"),
	GG_OPTION(struct gg_site_pipeline, enabled, BOOL, .def = "true", .help = "Does it run?"),
	GG_OPTION(struct gg_site_pipeline, select, STRINGS, .def = "\"*\"",
		.example = "[boiler/*, press-*/temperature]", .help = "Patterns of the signals it takes"),
	GG_OPTION(struct gg_site_pipeline, exclude, STRINGS, .help = "Patterns of signals it leaves out"),
	GG_OPTION(struct gg_site_pipeline, labels, MAP, GG_SUB(label_options, struct gg_label),
		.help = "Labels that a signal's device must have"),
	GG_OPTION(struct gg_site_pipeline, stages, STEPS, .kind = GG_STAGE, .flags = GG_REQUIRED,
		.help = "What happens to the signals, in order"),
	GG_OPTION(struct gg_site_pipeline, at, SOURCE), {0}};

static const struct gg_option rule_on_options[] = {
	GG_OPTION(struct gg_site_rule_on, event, STRING, .flags = GG_MAIN,
		.help = "Kind of event, such as device-lost or anomaly", .example = "device-lost"),
	GG_OPTION(struct gg_site_rule_on, key, STRING, .def = "*", .help = "Pattern of what it is about"),
	GG_OPTION(struct gg_site_rule_on, severity, CHOICE, .choices = severities, .def = "information",
		.help = "The least severity that counts"),
	{0}};

static const struct gg_option rule_options[] = {GG_OPTION(struct gg_site_rule, name, KEY, .help = "A name"),
	GG_OPTION(struct gg_site_rule, title, STRING, .example = "{device} is at {value} {unit}",
		.help = "One sentence for people; {signal}, {value}, $1 (what * stands for) are replaced"),
	GG_OPTION(struct gg_site_rule, message, STRING,
		.example = "Look at the burner of {device}: {value} {unit} at {time}",
		.help = "More words for people, shown with the event; the same are replaced as in title"),
	GG_OPTION(struct gg_site_rule, enabled, BOOL, .def = "true", .help = "Is it watched?"),
	GG_OPTION(struct gg_site_rule, when, STRING, .example = "boiler/temperature > 95 for 10s",
		.help = "The condition"),
	GG_OPTION(struct gg_site_rule, on, GROUP, GG_SUB(rule_on_options, struct gg_site_rule_on),
		.help = "In place of a condition: an event of another kind"),
	GG_OPTION(struct gg_site_rule, hysteresis, STRING, .example = "2 K",
		.help = "How far a value must come back over its threshold before it is over"),
	GG_OPTION(struct gg_site_rule, for_ns, DURATION, .name = "for", .def = "0s",
		.help = "How long the condition must hold first"),
	GG_OPTION(struct gg_site_rule, clear_when, STRING, .example = "boiler/temperature < 90",
		.help = "When it is over; absent: as soon as the condition no longer holds"),
	GG_OPTION(struct gg_site_rule, clear_for_ns, DURATION, .name = "clear_for", .def = "0s",
		.help = "How long it must be over first"),
	GG_OPTION(struct gg_site_rule, severity, CHOICE, .choices = severities, .def = "warning",
		.help = "How bad it is"),
	GG_OPTION(struct gg_site_rule, pause_ns, DURATION, .name = "pause", .def = "0s",
		.help = "After it fired, it does not fire again before this has passed"),
	GG_OPTION(struct gg_site_rule, per_hour, UINT, .def = "unlimited", .choices = unlimited,
		.help = "How often it may fire in an hour"),
	GG_OPTION(struct gg_site_rule, actions, STEPS, .name = "do", .kind = GG_ACTION,
		.help = "What is done when it fires"),
	GG_OPTION(struct gg_site_rule, clear_actions, STEPS, .name = "on_clear", .kind = GG_ACTION,
		.help = "What is done when it is over"),
	GG_OPTION(struct gg_site_rule, at, SOURCE), {0}};

static const struct gg_option driver_options[] = {
	GG_OPTION(struct gg_driver_common, enabled, BOOL, .def = "true", .help = "Does it run?"), {0}};

static const struct gg_option uplink_options[] = {
	GG_OPTION(struct gg_uplink_common, enabled, BOOL, .def = "true", .help = "Does it run?"),
	GG_OPTION(struct gg_uplink_common, send, STRINGS, .def = "events", .flags = GG_LIVE,
		.example = "[events, heat/*]", .help = "What goes there: events, and patterns of signals"),
	GG_OPTION(struct gg_uplink_common, exclude, STRINGS, .flags = GG_LIVE,
		.help = "Patterns of signals that stay here"),
	GG_OPTION(struct gg_uplink_common, format, CHOICE, .choices = formats, .def = "json",
		.help = "How samples and events are written"),
	GG_OPTION(struct gg_uplink_common, compress, CHOICE, .choices = compressions, .def = "none",
		.help = "Whether parcels are compressed"),
	GG_OPTION(struct gg_uplink_common, rate, SIZE, .def = "unlimited", .choices = unlimited, .min = "64",
		.unit = "bytes/s", .flags = GG_LIVE,
		.help = "How many bytes of parcels a second it may send; events never wait for it"),
	GG_OPTION(struct gg_uplink_common, linger_ns, DURATION, .name = "linger", .def = "1s", .max = "1h",
		.flags = GG_LIVE,
		.help = "How long samples are collected into one parcel; events never wait"),
	GG_OPTION(struct gg_uplink_common, parcel_size, SIZE, .def = "64KiB", .min = "1KiB", .max = "4MiB",
		.help = "A parcel is sent when it holds this much, or a quarter of a second of rate"),
	{0}};

const struct gg_option gg_site_options[] = {
	GG_OPTION(struct gg_site, name, STRING, .name = "site", .def = "ganglion", .example = "pump-hall-3",
		.flags = GG_LIVE, .help = "The gateway's name"),
	GG_OPTION(struct gg_site, data_dir, STRING, .flags = GG_FILE,
		.help = "Folder for the journal, the history, the catalog and old configurations"),
	GG_OPTION(struct gg_site, shards, UINT, .def = "auto", .min = "1", .max = "64", .choices = automatic,
		.help = "Threads that run pipelines; auto: one less than there are cores, "
			"and with one or two cores the thread of the drivers"),
	GG_OPTION(struct gg_site, log, GROUP, .sub = log_options, .help = "The log on standard error"),
	GG_OPTION(struct gg_site, limits, GROUP, .sub = limits_options, .help = "What the gateway may use"),
	GG_OPTION(struct gg_site, journal, GROUP, .sub = journal_options,
		.help = "The log on disk of all that came in: what is in it survives power loss"),
	GG_OPTION(struct gg_site, encryption, GROUP, .sub = encryption_options,
		.help = "What rests in the data folder is sealed; which of four ways opens its key"),
	GG_OPTION(struct gg_site, history, GROUP, .sub = history_options, .help = "Samples at rest"),
	GG_OPTION(struct gg_site, events, GROUP, .sub = events_options, .help = "Events at rest"),
	GG_OPTION(
		struct gg_site, api, GROUP, .sub = api_options, .help = "HTTP: API, live stream, dashboard"),
	GG_OPTION(struct gg_site, drivers, INSTANCES, GG_SUB(driver_options, struct gg_driver_common),
		.kind = GG_DRIVER, .help = "What speaks to devices"),
	GG_OPTION(struct gg_site, devices, MAP, GG_SUB(device_options, struct gg_site_device),
		.help = "Devices about which more is to be said than their driver knows"),
	GG_OPTION(struct gg_site, pipelines, MAP, GG_SUB(pipeline_options, struct gg_site_pipeline),
		.help = "What happens to signals"),
	GG_OPTION(struct gg_site, rules, MAP, GG_SUB(rule_options, struct gg_site_rule),
		.help = "What is worth an event, and what is done about it"),
	GG_OPTION(struct gg_site, uplinks, INSTANCES, GG_SUB(uplink_options, struct gg_uplink_common),
		.kind = GG_UPLINK, .help = "What goes north"),
	{0}};

static void check_api(const struct gg_site *site, const struct gg_value *root, struct gg_problems *problems)
{
	const struct gg_site_api_tls *tls = &site->api.tls;
	if (!tls->certificate != !tls->key)
		gg_problem(problems, gg_value_get(gg_value_get(root, "api"), "tls"),
			"certificate and key go together: \"%s\" is missing",
			tls->key ? "certificate" : "key");
}

void gg_site_check(const struct gg_site *site, const struct gg_value *root, struct gg_problems *problems)
{
	gg_site_check_names(site, root, problems);
	check_api(site, root, problems);
	gg_site_check_encryption(&site->encryption, gg_value_get(root, "encryption"), problems);
}

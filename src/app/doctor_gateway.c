/* SPDX-License-Identifier: Apache-2.0 */
/* What the gateway at work says of itself: devices and uplinks it can't reach, events that wait for somebody,
 * time-outs that are too near to how long devices take. */
#include "app/doctor.h"
#include "app/table.h"

#include <math.h>

static void check_ready(struct gg_doctor *d, const struct gg_node *status)
{
	struct gg_str journal = gg_node_text(gg_node_get(status, "journal"), "state");
	double lost = gg_node_number(gg_node_get(status, "journal"), "lost_bytes", 0);
	if (!gg_str_is(journal, "ok")) {
		gg_find(d, GG_WRONG, "gateway", "the journal is %.*s: nothing is acknowledged to devices",
			GG_STR_ARG(journal));
		gg_mend(d, "make room on the disk, or see 'dmesg | tail' for its errors; it goes on by "
			   "itself then");
	} else if (gg_node_true(status, "ready")) {
		gg_find(d, GG_FINE, "gateway", "at work: %.0f signals, %.0f samples a second",
			gg_node_number(status, "signals", 0),
			gg_node_number(gg_node_get(status, "rates"), "samples_in", 0));
	} else {
		gg_find(d, GG_WRONG, "gateway", "it runs, but is not ready");
		gg_mend(d, "its log tells why: 'journalctl -u ganglion -n 50'");
	}
	if (lost > 0) {
		gg_find(d, GG_MIND, "journal", "%.1f MiB were deleted before an uplink had read them",
			lost / (1 << 20));
		gg_mend(d, "see why the uplink is slow or down, or keep more: journal.max_size");
	}
}

static void check_devices(struct gg_doctor *d, const struct gg_node *answer)
{
	const struct gg_node *all = gg_node_get(answer, "devices");
	size_t fine = 0;
	for (const struct gg_node *n = all ? all->first : NULL; n; n = n->next) {
		const struct gg_node *health = gg_node_get(n, "health");
		struct gg_str state = gg_node_text(health, "state"), id = gg_node_text(n, "id");
		struct gg_str reason = gg_node_text(health, "reason"), driver = gg_node_text(n, "driver");
		fine += gg_str_is(state, "healthy");
		if (!gg_str_is(state, "lost"))
			continue;
		gg_find(d, GG_WRONG, "device", "%.*s is lost: %.*s", GG_STR_ARG(id), GG_STR_ARG(reason));
		gg_mend(d,
			"is it on, and its cable in? Does the address in drivers.%.*s fit? 'ganglion device "
			"show "
			"%.*s' tells more",
			GG_STR_ARG(driver), GG_STR_ARG(id));
	}
	if (fine)
		gg_find(d, GG_FINE, "device", "%zu devices answer", fine);
}

static void check_uplinks(struct gg_doctor *d, const struct gg_node *status)
{
	const struct gg_node *up = gg_node_get(status, "uplinks");
	double count = gg_node_number(up, "count", 0), ready = gg_node_number(up, "ready", 0);
	if (count > ready) {
		gg_find(d, GG_MIND, "uplink",
			"%.0f of %.0f have no connection; the oldest that waits is %.0f s old", count - ready,
			count, gg_node_number(up, "backlog_seconds", 0));
		gg_mend(d, "'ganglion event list --open' tells why (uplink-down); nothing is lost meanwhile");
	} else if (count > 0) {
		gg_find(d, GG_FINE, "uplink", "%.0f connected", ready);
	}
}

static void check_events(struct gg_doctor *d, const struct gg_node *status)
{
	double critical = gg_node_number(gg_node_get(status, "open_events"), "critical", 0);
	if (critical == 0)
		return;
	gg_find(d, GG_MIND, "events", "%.0f critical events are open", critical);
	gg_mend(d, "'ganglion event list --open' shows them");
}

/* ---- time-outs against what was measured ---- */

struct series {
	struct gg_str driver;
	double count, timeouts, p99;
};

static struct gg_str label(struct gg_str line, const char *name)
{
	size_t n = strlen(name);
	for (; line.len > n + 2; line.p++, line.len--)
		if (gg_str_starts(line, gg_str(name)) && line.p[n] == '=' && line.p[n + 1] == '"')
			return gg_str_n(
				line.p + n + 2, gg_str_find(gg_str_n(line.p + n + 2, line.len - n - 2), '"'));
	return GG_STR("");
}

static double value_of(struct gg_str line)
{
	double v = 0;
	size_t at = line.len;
	while (at && line.p[at - 1] != ' ')
		at--;
	return gg_parse_float(gg_str_n(line.p + at, line.len - at), &v) == 0 ? v : 0;
}

/* The upper edge of the bucket in which 99 % of a driver's answers lie. */
static double answer_p99(struct gg_str metrics, struct gg_str driver, double count)
{
	while (metrics.len) {
		struct gg_str line = gg_str_cut(&metrics, '\n');
		double edge;
		if (!gg_str_starts(line, GG_STR("ganglion_modbus_answer_seconds_bucket")) ||
			!gg_str_eq(label(line, "driver"), driver) || value_of(line) < 0.99 * count)
			continue;
		return gg_parse_float(label(line, "le"), &edge) == 0 ? edge : INFINITY;
	}
	return 0;
}

static double metric(struct gg_str metrics, const char *name, struct gg_str driver)
{
	while (metrics.len) {
		struct gg_str line = gg_str_cut(&metrics, '\n');
		struct gg_str rest = line, is = gg_str_cut(&rest, '{');
		if (gg_str_is(is, name) && gg_str_eq(label(line, "driver"), driver))
			return value_of(line);
	}
	return 0;
}

static double timeout_of(const struct gg_instance_config *c)
{
	const struct gg_option *o = c->component->options;
	int64_t ns;
	while (o && o->name && !(o->type == GG_OPT_DURATION && strcmp(o->name, "timeout") == 0))
		o++;
	if (!o || !o->name || !c->checked)
		return 0;
	memcpy(&ns, (const char *)c->checked + o->offset, sizeof ns);
	return (double)ns / 1e9;
}

static void check_timeouts(struct gg_doctor *d, struct gg_str metrics)
{
	const struct gg_instances *drivers = d->config ? &d->config->site.drivers : NULL;
	for (size_t i = 0; drivers && i < drivers->count; i++) {
		struct gg_str name = gg_str(drivers->items[i].name);
		double limit = timeout_of(&drivers->items[i]);
		double count = metric(metrics, "ganglion_modbus_answer_seconds_count", name);
		double late = metric(metrics, "ganglion_modbus_timeouts_total", name);
		if (limit == 0 || count < 20)
			continue;
		double p99 = answer_p99(metrics, name, count);
		if (p99 * 2 > limit && isfinite(p99)) {
			gg_find(d, GG_MIND, "time-out",
				"drivers.%s waits %.3g s, and 1 answer in 100 takes more than about %.3g s",
				name.p, limit, p99);
			gg_mend(d, "set drivers.%s.timeout to %.3g s or more", name.p, p99 * 4);
		} else if (late > 0.01 * count) {
			gg_find(d, GG_MIND, "time-out",
				"drivers.%s: %.0f of %.0f requests had no answer in %.3g s", name.p, late,
				late + count, limit);
			gg_mend(d, "the line is bad or a device is slow: try drivers.%s.timeout: %.3g s",
				name.p, limit * 3);
		} else {
			gg_find(d, GG_FINE, "time-out",
				"drivers.%s waits %.3g s; 99 %% of answers come within %.3g s", name.p, limit,
				p99);
		}
	}
}

void gg_doctor_gateway(struct gg_doctor *d)
{
	struct gg_reply r = {0};
	struct gg_client *c = d->at_work ? gg_client_open(d->args) : NULL;
	if (!d->at_work) {
		gg_find(d, GG_FINE, "gateway", "none is at work here");
		return;
	}
	if (c && gg_client_call(c, "GET", "/api/v1/status", GG_STR(""), NULL, &r) == 0) {
		check_ready(d, r.root);
		check_uplinks(d, r.root);
		check_events(d, r.root);
		gg_reply_done(&r);
		if (gg_client_call(c, "GET", "/api/v1/devices", GG_STR(""), NULL, &r) == 0)
			check_devices(d, r.root);
		gg_reply_done(&r);
		if (gg_client_call(c, "GET", "/metrics", GG_STR(""), NULL, &r) == 0)
			check_timeouts(d, gg_buf_view(&r.body));
	} else {
		gg_find(d, GG_WRONG, "gateway", "one is at work in %s, but it does not answer here", d->data);
		gg_mend(d, "run this as the user the gateway runs as");
	}
	gg_reply_done(&r);
	gg_client_close(c);
}

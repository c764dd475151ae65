/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as the checkpoint of a ruleset: it loads or the ruleset is as new; then samples and time run
 * through it, and what it saves must load again and save as the same.
 */
#include "pipeline/rule.h"

#include "base/buf.h"
#include "core/signals.h"
#include "pipeline/rule_call.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t on_event(void *ctx, const struct gg_event_report *r)
{
	(void)ctx;
	return r->clear ? 0 : 7;
}

static void on_trace(void *ctx, uint64_t event, struct gg_str step)
{
	(void)ctx, (void)event, (void)step;
}

static int on_run(void *ctx, const struct gg_rule_action *a, const struct gg_trigger *t, struct gg_call *call,
	struct gg_error *e)
{
	(void)ctx, (void)a, (void)t, (void)e;
	gg_call_done(call, 0, NULL);
	return 0;
}

static const struct gg_rule_ops ops = {.event = on_event, .trace = on_trace, .run = on_run};
static const struct gg_rule_action action = {0};
static const struct gg_site_rule options[] = {{.name = "hot",
						      .enabled = true,
						      .when = "fuzz/a > 95",
						      .hysteresis = "2",
						      .for_ns = GG_NS_PER_S,
						      .severity = 2},
	{.name = "old", .enabled = true, .when = "age(fuzz/b) > 5s", .per_hour = 3, .severity = 1},
	{.name = "any",
		.enabled = true,
		.when = "*/c > 1 and fuzz/text == \"on\"",
		.clear_when = "*/c < 0",
		.clear_for_ns = GG_NS_PER_S,
		.pause_ns = GG_NS_PER_S,
		.severity = 3}};
static const char *const names[] = {"fuzz/a", "fuzz/b", "fuzz/c", "other/c", "fuzz/text"};
static uint32_t signals[GG_COUNT(names)];

static struct gg_ruleset *make(void)
{
	static struct gg_rule list[GG_COUNT(options)];
	const struct gg_ruleset_setup setup = {.ops = &ops};
	struct gg_ruleset *rs = NULL;
	struct gg_error e = {0};
	for (size_t i = 0; i < GG_COUNT(options); i++)
		list[i] = (struct gg_rule){&options[i], &action, &action, 1, 1};
	if (gg_ruleset_new(list, GG_COUNT(options), &setup, &rs, &e) < 0) {
		fprintf(stderr, "%s\n", e.text);
		abort();
	}
	for (size_t i = 0; i < GG_COUNT(names); i++) {
		if (gg_signal_make_full(gg_str(names[i]), NULL, &signals[i]) < 0)
			abort();
		gg_ruleset_add_signal(rs, gg_signal(signals[i]));
	}
	return rs;
}

/* Values that open and clear all of them. */
static void run(struct gg_ruleset *rs)
{
	for (int i = 0; i < 12; i++) {
		struct gg_batch *b = gg_batch_new(5, 16);
		int64_t now = i * GG_NS_PER_S;
		for (uint32_t k = 0; b && k < 4; k++)
			gg_batch_add_float(b, signals[k], now, i % 6 < 3 ? 100 : -1);
		if (b) {
			gg_batch_add_string(b, signals[4], now, i % 4 ? GG_STR("on") : GG_STR("off"));
			gg_ruleset_run(rs, b->samples, b->count, b, now);
		}
		gg_batch_unref(b);
		if (gg_ruleset_due(rs) < now)
			abort();
	}
	gg_ruleset_tick(rs, 14 * GG_NS_PER_S);
}

static void check(struct gg_ruleset *rs)
{
	struct gg_buf saved = GG_BUF(1 << 20), again = GG_BUF(1 << 20);
	struct gg_ruleset *second = make();
	gg_ruleset_save(rs, &saved);
	struct gg_reader r = gg_reader(saved.p, saved.len);
	if (saved.error || gg_ruleset_load(second, &r) < 0)
		abort();
	gg_ruleset_save(second, &again);
	if (!gg_str_eq(gg_buf_view(&saved), gg_buf_view(&again)))
		abort();
	gg_buf_done(&saved);
	gg_buf_done(&again);
	gg_ruleset_free(second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gg_ruleset *rs = make();
	struct gg_reader r = gg_reader(data, size);
	(void)gg_ruleset_load(rs, &r);
	check(rs);
	run(rs);
	check(rs);
	gg_ruleset_reconcile(rs, 15 * GG_NS_PER_S, true);
	gg_ruleset_free(rs);
	return 0;
}

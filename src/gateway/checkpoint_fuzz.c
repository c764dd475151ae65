/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a shard's checkpoint: as its record, as its state with signals, and as the plan's state behind
 * a head that is right (the first byte chooses). What a plan saves must load again.
 */
#include "base/log.h"
#include "core/signals.h"
#include "gateway/gateway.h"
#include "gateway/plan.h"
#include "pipeline/rule.h"
#include "pipeline/stages.h"

#include <fcntl.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SIGNALS = 3000, STATE = 4 << 20 };

static const struct gg_component *const components[] = {&gg_stage_window, &gg_stage_deadband, NULL};
static struct gg_config *config;

static void start(void)
{
	struct gg_problems problems = {0};
	uint32_t signal;
	gg_log_setup(GG_ERROR, GG_LOG_TEXT, open("/dev/null", O_WRONLY | O_CLOEXEC));
	gg_components_set(components);
	if (gg_config_load_text("fuzz",
		    GG_STR("pipelines:\n"
			   "  one: { select: ['a/*'], stages: [{deadband: 1}, {window: {every: 1s}}] }\n"
			   "  two: { select: ['b/*'], stages: [{window: {every: 2s, give: [mean]}}] }\n"
			   "rules:\n"
			   "  hot: { when: 'a/x > 5', for: 1s }\n"),
		    NULL, &problems, &config) < 0)
		abort();
	if (gg_signal_make_full(GG_STR("a/x"), NULL, &signal) < 0 ||
		gg_signal_make_full(GG_STR("b/x"), NULL, &signal) < 0)
		abort();
}

static struct gg_plan *make_plan(void)
{
	const struct gg_plan_options o = {
		.site = &config->site, .rules = true, .dry = true, .rule_ops = &gg_rule_ops_live};
	struct gg_plan *p = NULL;
	struct gg_error e = {0};
	if (gg_plan_new(&o, &p, &e) < 0) {
		fprintf(stderr, "%s\n", e.text);
		abort();
	}
	return p;
}

static void load_plan(struct gg_reader *r)
{
	struct gg_plan *p = make_plan(), *q = make_plan();
	struct gg_buf saved = GG_BUF(STATE);
	(void)gg_plan_load(p, r);
	gg_plan_save(p, &saved);
	struct gg_reader again = gg_reader(saved.p, saved.len);
	if (!saved.error && gg_plan_load(q, &again) < 0)
		abort();
	gg_buf_done(&saved);
	gg_plan_free(p);
	gg_plan_free(q);
}

static void load_shard(struct gg_str state)
{
	struct gg_shard s = {.of = 1, .plan = make_plan()};
	if (gg_signal_count() < SIGNALS)
		(void)gg_checkpoint_signals(state);
	(void)gg_checkpoint_rules_from(state);
	(void)gg_shard_load(&s, state);
	gg_plan_free(s.plan);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gg_checkpoint_part part;
	if (!config)
		start();
	if (size < 1)
		return 0;
	struct gg_str bytes = gg_str_n(data + 1, size - 1);
	struct gg_reader r = gg_reader(bytes.p, bytes.len);
	if (data[0] % 3 == 0)
		load_plan(&r);
	else if (data[0] % 3 == 1)
		load_shard(bytes);
	else if (gg_checkpoint_part(GG_STR("0"), bytes, &part) == 0 && part.number >= part.count)
		abort();
	return 0;
}

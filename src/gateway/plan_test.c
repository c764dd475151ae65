/* SPDX-License-Identifier: Apache-2.0 */
/* Which signals a plan's pipelines take: patterns, what is left out, and the labels of the signal's device.
 */
#include "check.h"

#include "core/config.h"
#include "core/signals.h"
#include "gateway/plan.h"
#include "pipeline/stages.h"

static const struct gg_component *const components[] = {&gg_stage_change, NULL};

static struct gg_config *config_of(const char *devices, const char *pipelines)
{
	char text[2000];
	struct gg_problems problems = {0};
	struct gg_config *c = NULL;
	gg_components_set(components);
	snprintf(text, sizeof text, "devices: %s\npipelines: %s\n", devices, pipelines);
	if (gg_config_load_text("site.yaml", gg_str(text), NULL, &problems, &c) < 0)
		fail_msg("%s", problems.items[0].text);
	return c;
}

static uint32_t signal_named(const char *name)
{
	uint32_t signal = GG_NONE;
	assert_int_equal(gg_signal_make_full(gg_str(name), NULL, &signal), 0);
	return signal;
}

static struct gg_plan *plan_of(const struct gg_config *c)
{
	const struct gg_plan_options o = {.site = &c->site};
	struct gg_plan *plan = NULL;
	struct gg_error e = {0};
	if (gg_plan_new(&o, &plan, &e) < 0)
		fail_msg("%s", e.text);
	return plan;
}

static const char devices[] = "{ press-1: { labels: { hall: 3, kind: press } }, "
			      "press-2: { labels: { hall: 4, kind: press } }, oven: { labels: { hall: 3 } }, "
			      "crane: { title: Crane } }";

/* Names of what the only pipeline takes of all signals there are, one a word. */
static void assert_takes(const char *pipeline, const char *expected)
{
	static const char *const names[] = {
		"press-1/t", "press-1/p", "press-2/t", "oven/t", "crane/t", "stranger/t"};
	char text[300], took[300] = "";
	snprintf(text, sizeof text, "{ it: { %s, stages: change } }", pipeline);
	struct gg_config *c = config_of(devices, text);
	struct gg_plan *plan = plan_of(c);
	assert_int_equal(plan->pipeline_count, 1);
	for (size_t i = 0; i < GG_COUNT(names); i++) {
		size_t len = strlen(took);
		if (gg_pipeline_wants(plan->pipelines[0], signal_named(names[i])))
			snprintf(took + len, sizeof took - len, "%s ", names[i]);
	}
	assert_string_equal(took, expected);
	gg_plan_free(plan);
	gg_config_free(c);
}

static void takes_the_signals_of_devices_with_all_its_labels(void **state)
{
	(void)state;
	assert_takes("select: '*'", "press-1/t press-1/p press-2/t oven/t crane/t stranger/t ");
	assert_takes("labels: { hall: 3 }", "press-1/t press-1/p oven/t ");
	assert_takes("labels: { hall: '3', kind: press }", "press-1/t press-1/p ");
	assert_takes("labels: { kind: press }", "press-1/t press-1/p press-2/t ");
	assert_takes("labels: { kind: Press }", "");
	assert_takes("labels: { floor: 1 }", "");
}

static void labels_patterns_and_what_is_left_out_hold_together(void **state)
{
	(void)state;
	assert_takes("select: '*/t', labels: { kind: press }", "press-1/t press-2/t ");
	assert_takes("select: '*/t', exclude: 'press-2/*', labels: { kind: press }", "press-1/t ");
	assert_takes("select: ['*', '!*/p'], labels: { hall: 3 }", "press-1/t oven/t ");
	assert_takes("select: 'crane/*', labels: { hall: 3 }", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(takes_the_signals_of_devices_with_all_its_labels),
		TEST(labels_patterns_and_what_is_left_out_hold_together),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

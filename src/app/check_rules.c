/* SPDX-License-Identifier: Apache-2.0 */
#include "app/check_rules.h"
#include "app/known.h"
#include "core/signals.h"
#include "gateway/plan.h"
#include "pipeline/rule.h"

/* A device whose signals the configuration lists: only those exist. Others may bring any name. */
static int find_signal(const void *ctx, struct gg_str name, struct gg_expr_signal *ret_signal)
{
	const struct gg_signal_info *info = gg_signal(gg_signal_find(name));
	struct gg_str rest = name, device = gg_str_cut(&rest, '/');
	(void)ctx;
	if (info) {
		*ret_signal = (struct gg_expr_signal){.type = info->type, .unit = info->unit};
		return 0;
	}
	if (gg_device_find(device) != GG_NONE && gg_device_owner(gg_device_find(device)))
		return -ENOENT;
	*ret_signal = (struct gg_expr_signal){0};
	return 0;
}

static const char *signal_name(const void *ctx, size_t i)
{
	const struct gg_signal_info *info = gg_signal((uint32_t)i);
	(void)ctx;
	return info ? info->name.p : NULL;
}

static void check_plan(const struct gg_config *config, struct gg_problems *problems)
{
	struct gg_plan_options o = {.site = &config->site};
	struct gg_plan *plan = NULL;
	struct gg_error e = {0};
	if (gg_plan_new(&o, &plan, &e) < 0) {
		gg_problem(problems, NULL, "%s", e.text);
		problems->items[problems->count - 1] = e;
		return;
	}
	for (size_t i = 0; i < plan->pipeline_count; i++) {
		for (uint32_t s = 0; s < gg_signal_count(); s++) {
			int rc = gg_pipeline_join(plan->pipelines[i], s, &e);
			if (rc == 0 || rc == -ENOENT)
				continue;
			gg_problem(problems, NULL, "%s", e.text);
			problems->items[problems->count - 1] = e;
		}
	}
	gg_plan_free(plan);
}

void gg_check_rules(const struct gg_config *config, struct gg_problems *problems)
{
	const struct gg_expr_names names = {.find = find_signal, .name = signal_name};
	const struct gg_site_rule *rules = config->site.rules.items;
	struct gg_host *hosts = gg_known_signals(config, problems);
	check_plan(config, problems);
	for (size_t i = 0; i < config->site.rules.count; i++) {
		struct gg_error e = {0};
		if (gg_rule_check(&rules[i], &names, &e) == 0)
			continue;
		gg_problem(problems, e.line ? NULL : rules[i].at, "%s", e.text);
		if (e.line && problems->count)
			problems->items[problems->count - 1] = e;
	}
	gg_known_free(hosts);
}

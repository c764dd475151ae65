/* SPDX-License-Identifier: Apache-2.0 */
/* The options of a rule, and the check of one rule by itself. */
#include "ganglion/option.h"
#include "pipeline/rule_internal.h"

static const char *const severities[] = {"information", "warning", "critical", NULL};

#define ON(field, opt_type, ...)                                                                             \
	{                                                                                                    \
		.name = #field, .type = GG_OPT_##opt_type,                                                   \
		.offset = offsetof(struct gg_rule_options, on.field) - offsetof(struct gg_rule_options, on), \
		##__VA_ARGS__                                                                                \
	}
#define LIMIT(field, opt_type, ...)                                                                          \
	{                                                                                                    \
		.type = GG_OPT_##opt_type,                                                                   \
		.offset = offsetof(struct gg_rule_options, limit.field) -                                    \
			  offsetof(struct gg_rule_options, limit),                                           \
		##__VA_ARGS__                                                                                \
	}

static const struct gg_option on_table[] = {
	ON(event, STRING, .flags = GG_MAIN, .help = "Kind of event, e.g. device-lost or anomaly"),
	ON(key, STRING, .def = "*", .help = "Pattern the event's key must match"),
	ON(severity, CHOICE, .def = "information", .choices = severities,
		.help = "The least severity that counts"),
	{0}};

static const struct gg_option limit_table[] = {
	LIMIT(most, UINT, .name = "most", .def = "0", .max = "1000000", .flags = GG_MAIN,
		.help = "Most events of this rule in the time; those beyond open no event and run no action; "
			"0 = no limit"),
	LIMIT(per_ns, DURATION, .name = "per", .def = "1min", .min = "1s", .max = "1w", .help = "The time"),
	{0}};

const struct gg_option gg_rule_option_table[] = {
	GG_OPTION(struct gg_rule_options, name, KEY, .help = "Name of the rule"),
	GG_OPTION(struct gg_rule_options, when, VALUE,
		.help = "The condition, e.g. boiler/temperature > 95 degC for 10s",
		.example = "boiler/temperature > 95"),
	GG_OPTION(struct gg_rule_options, on, GROUP, .sub = on_table,
		.help = "Instead of a condition: an event of another kind"),
	GG_OPTION(struct gg_rule_options, for_ns, DURATION, .name = "for", .max = "366d",
		.help = "How long the condition must hold; may also end the condition: ... for 10s"),
	GG_OPTION(struct gg_rule_options, clear_when, VALUE,
		.help = "The condition that clears the event; without it, that `when` is no longer true"),
	GG_OPTION(struct gg_rule_options, hysteresis, STRING, .example = "2 K",
		.help = "How far a value must come back over the threshold before the event clears"),
	GG_OPTION(struct gg_rule_options, clear_for_ns, DURATION, .name = "clear_for", .max = "366d",
		.help = "How long the clear condition must hold"),
	GG_OPTION(struct gg_rule_options, severity, CHOICE, .def = "warning", .choices = severities,
		.help = "Severity of the event"),
	GG_OPTION(struct gg_rule_options, title, STRING,
		.help = "What the event says; {device} {signal} {value} {unit} and $1 are filled in",
		.example = "{device} is at {value} {unit}"),
	GG_OPTION(struct gg_rule_options, limit, GROUP, .sub = limit_table,
		.help = "How often the rule may fire"),
	GG_OPTION(struct gg_rule_options, pause_ns, DURATION, .name = "pause", .max = "366d",
		.help = "Least time between two events for the same signals"),
	GG_OPTION(
		struct gg_rule_options, actions, VALUE, .name = "do", .help = "Actions when the event opens"),
	GG_OPTION(struct gg_rule_options, on_clear, VALUE, .help = "Actions when the event clears"),
	GG_OPTION(struct gg_rule_options, enabled, BOOL, .def = "true",
		.help = "Off: the rule is checked but rests"),
	{0}};

int gg_rule_check(const struct gg_rule_options *o, const struct gg_expr_names *names, struct gg_error *e)
{
	static const struct gg_rule_ops nothing = {0};
	struct gg_rule rule = {.options = o};
	struct gg_ruleset_setup setup = {.names = names, .ops = &nothing};
	struct gg_ruleset *rs = NULL;
	int rc = gg_ruleset_new(&rule, 1, &setup, &rs, e);
	gg_ruleset_free(rs);
	return rc;
}

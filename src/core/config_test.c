/* SPDX-License-Identifier: Apache-2.0 */
#include "core/components_check.h"
#include "core/config_fakes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct loaded {
	struct gg_problems problems;
	struct gg_config *config;
};

static struct loaded load(const char *text)
{
	struct loaded l = {0};
	gg_config_load_text("site.yaml", gg_str(text), &fake_environment, &l.problems, &l.config);
	return l;
}

static struct gg_config *load_good(const char *text)
{
	struct loaded l = load(text);
	if (l.problems.count)
		fail_msg("%s", l.problems.items[0].text);
	return l.config;
}

static void done(struct loaded *l)
{
	gg_problems_done(&l->problems);
	gg_config_free(l->config);
}

/* Exactly these problems, as `ganglion check` prints them. */
static void assert_says(const char *text, const char *expected)
{
	struct loaded l = load(text);
	struct gg_buf all = GG_BUF(1 << 20);
	char line[700];
	for (size_t i = 0; i < l.problems.count; i++)
		gg_buf_printf(&all, "%s%s", i ? "\n" : "",
			gg_error_format(&l.problems.items[i], line, sizeof line));
	assert_string_equal(gg_buf_text(&all), expected);
	gg_buf_done(&all);
	done(&l);
}

static const char site[] = "site: pump-hall-3\n"
			   "shards: 2\n"
			   "log: debug\n"
			   "journal: { commit: 10ms, retention: { size: unlimited, age: 7d } }\n"
			   "drivers:\n"
			   "  mqtt:\n"
			   "  boiler:\n"
			   "    driver: modbus\n"
			   "    connect: \"tcp://${NAME}:${PORT}\"\n"
			   "    enabled: false\n"
			   "    offset: -3\n"
			   "    unit: 0x10\n"
			   "    mode: fast\n"
			   "    login: { user: me, password: pencil }\n"
			   "    topics: { \"{device}/{signal}\": json, other: { format: plain } }\n"
			   "    blocks: [{ start: 5 }, { start: 6, scale: 0.5 }]\n"
			   "    free: { any: [thing] }\n"
			   "devices:\n"
			   "  press-2: { title: Press, labels: { hall: 3 }, topics: alarms/# }\n"
			   "pipelines:\n"
			   "  heat:\n"
			   "    select: [boiler/*, press-*/temperature]\n"
			   "    labels: { hall: 3 }\n"
			   "    stages:\n"
			   "      - deadband: 0.2\n"
			   "      - deadband: { limit: 1, every: 5s }\n"
			   "      - detect\n"
			   "rules:\n"
			   "  overheating:\n"
			   "    when: boiler/temperature > 95 for 10s\n"
			   "    clear_when: boiler/temperature < 90\n"
			   "    severity: critical\n"
			   "    do:\n"
			   "      - write: { boiler/burner: off }\n"
			   "uplinks:\n"
			   "  cloud:\n"
			   "    uplink: mqtt\n"
			   "    connect: mqtts://broker.example:8883\n"
			   "    token: ${TOKEN}\n"
			   "    send: [events, heat/*]\n"
			   "    rate: 64KiB\n";

static void fills_the_whole_site(void **state GG_UNUSED)
{
	struct gg_config *c = load_good(site);
	const struct gg_site *s = &c->site;
	assert_string_equal(s->name, "pump-hall-3");
	assert_int_equal(s->shards, 2);
	assert_int_equal(s->log.level, 0);
	assert_int_equal(s->journal.commit_ns, 10 * GG_NS_PER_MS);
	assert_int_equal(s->journal.retention.size, 0);
	assert_int_equal(s->journal.retention.age_ns, 7 * 86400 * GG_NS_PER_S);
	assert_int_equal(s->history.retention.size, 1 << 30);
	assert_string_equal(s->api.listen, "127.0.0.1:8080");
	const struct gg_site_device *d = s->devices.items;
	assert_string_equal(d->id, "press-2");
	const struct gg_label *label = d->labels.items;
	assert_string_equal(label->name, "hall");
	assert_string_equal(label->value, "3");
	assert_string_equal(d->topics.items[0], "alarms/#");
	const struct gg_site_rule *r = s->rules.items;
	assert_string_equal(r->when, "boiler/temperature > 95 for 10s");
	assert_int_equal(gg_value_get(r->at, "when")->line, 30);
	assert_int_equal(r->severity, GG_CRITICAL);
	assert_int_equal(r->per_hour, 0);
	assert_string_equal(r->actions.items[0].name, "write");
	const struct gg_uplink_common *up = s->uplinks.items[0].common;
	assert_int_equal(up->send.count, 2);
	assert_int_equal(up->rate, 65536);
	gg_config_free(c);
}

static void fills_every_type_of_option(void **state GG_UNUSED)
{
	struct gg_config *c = load_good(site);
	const struct gg_instance_config *in = gg_instances_find(&c->site.drivers, GG_STR("boiler"));
	const struct fake_driver *d = in->checked;
	const struct gg_driver_common *common = in->common;
	assert_ptr_equal(in->component, &fake_modbus);
	assert_false(common->enabled);
	assert_string_equal(d->connect, "tcp://hall:502");
	assert_int_equal(d->poll_ns, GG_NS_PER_S);
	assert_int_equal(d->offset, -3);
	assert_int_equal(d->unit, 16);
	assert_int_equal(d->buffer, 65536);
	assert_true(d->scale == 1.5);
	assert_true(d->keep);
	assert_int_equal(d->mode, 0);
	assert_int_equal(d->names.count, 2);
	assert_string_equal(d->names.items[1], "b");
	assert_string_equal(d->login.password, "pencil");
	const struct fake_topic *topics = d->topics.items;
	assert_string_equal(topics[0].pattern, "{device}/{signal}");
	assert_int_equal(topics[0].format, 1);
	assert_int_equal(topics[1].format, 0);
	const struct fake_block *blocks = d->blocks.items;
	assert_int_equal(d->blocks.count, 2);
	assert_true(blocks[1].scale == 0.5);
	assert_non_null(gg_value_get(d->free, "any"));
	/* The component's own settings, as a start fills them once more. */
	assert_null(gg_value_get(in->value, "driver"));
	assert_null(gg_value_get(in->value, "enabled"));
	assert_non_null(gg_value_get(in->value, "connect"));
	assert_ptr_equal(c->site.drivers.items[0].component, &fake_mqtt);
	gg_config_free(c);
}

static void a_scalar_or_a_map_may_stand_for_the_main_option(void **state GG_UNUSED)
{
	struct gg_config *c = load_good(site);
	const struct gg_site_pipeline *p = c->site.pipelines.items;
	assert_int_equal(p->stages.count, 3);
	const struct fake_stage *first = p->stages.items[0].checked, *second = p->stages.items[1].checked;
	assert_true(first->limit == 0.2);
	assert_int_equal(first->every_ns, 60 * GG_NS_PER_S);
	assert_true(second->limit == 1);
	assert_null(p->stages.items[2].value);
	const struct gg_site_rule *r = c->site.rules.items;
	const struct fake_write *w = r->actions.items[0].checked;
	assert_true(gg_str_is(gg_value_get(w->signals, "boiler/burner")->text, "off"));
	gg_config_free(c);
}

static void an_empty_text_is_a_gateway_with_defaults(void **state GG_UNUSED)
{
	struct gg_config *c = load_good("");
	assert_string_equal(c->site.name, "ganglion");
	assert_int_equal(c->site.shards, 0);
	assert_int_equal(c->site.journal.commit_ns, 5 * GG_NS_PER_MS);
	assert_int_equal(c->site.drivers.count, 0);
	gg_config_free(c);
}

static void tells_all_mistakes_in_order_with_their_places(void **state GG_UNUSED)
{
	assert_says("sites: x\n"
		    "shards: 99\n"
		    "drivers:\n"
		    "  boiler:\n"
		    "    driver: modbus\n"
		    "    conect: tcp://x\n"
		    "    poll: abc\n"
		    "    offset: 11\n"
		    "    mode: fats\n"
		    "    keep: maybe\n"
		    "    blocks: [{ scale: 2 }]\n"
		    "    names: { a: b }\n",
		"site.yaml:1:1: unknown key \"sites\" here; did you mean \"site\"?\n"
		"site.yaml:2:9: expected 1 to 64, or auto, got \"99\"\n"
		"site.yaml:4:3: missing \"connect\": Where the device is\n"
		"site.yaml:6:5: unknown key \"conect\" here; did you mean \"connect\"?\n"
		"site.yaml:7:11: expected a duration like 500ms, got \"abc\"\n"
		"site.yaml:8:13: expected -10 to 10, got \"11\"\n"
		"site.yaml:9:11: expected fast or careful (did you mean \"fast\"?), got \"fats\"\n"
		"site.yaml:10:11: expected true or false, got \"maybe\"\n"
		"site.yaml:11:14: missing \"start\"\n"
		"site.yaml:12:12: expected a list of texts, got a map");
}

static void names_the_nearest_component(void **state GG_UNUSED)
{
	assert_says("drivers:\n  modbsu: { connect: x }\n  hall: {}\n  b: { driver: mqt }\n",
		"site.yaml:2:3: there is no driver \"modbsu\"; did you mean \"modbus\"?\n"
		"site.yaml:3:3: there is no driver \"hall\"; if that is a name of your own, add \"driver: "
		"...\"\n"
		"site.yaml:4:16: there is no driver \"mqt\"; did you mean \"mqtt\"?");
	assert_says("pipelines:\n  p:\n    stages: [dedband: 1, { a: 1, b: 2 }, detect: 5]\n",
		"site.yaml:3:14: there is no stage \"dedband\"; did you mean \"deadband\"?\n"
		"site.yaml:3:26: expected a stage: its name, or \"name: settings\" with one name\n"
		"site.yaml:3:50: expected settings (key: value), got \"5\"");
}

static void knows_shared_keys_where_it_suggests_names(void **state GG_UNUSED)
{
	assert_says("uplinks:\n  mqtt: { connect: x, sned: events, zzz: 1 }\n",
		"site.yaml:2:23: unknown key \"sned\" here; did you mean \"send\"?\n"
		"site.yaml:2:37: unknown key \"zzz\" here; known are uplink, enabled, send, exclude, format, "
		"compress, rate, linger, parcel_size, connect, token");
}

static void checks_names_that_become_signals(void **state GG_UNUSED)
{
	assert_says(
		"drivers:\n  mqtt:\npipelines:\n  \"a/b\": { stages: detect }\n  mqtt: { stages: detect }\n",
		"site.yaml:4:3: expected a name of 1 to 128 bytes without blanks, '/', '*', '?', '#' and "
		"'+'\n"
		"site.yaml:5:3: \"mqtt\" is a name under drivers already; a pipeline needs one of its own");
}

static void a_pipeline_can_not_bear_the_name_of_a_drivers_device(void **state GG_UNUSED)
{
	assert_says("drivers:\n"
		    "  plc: { driver: modbus, connect: x, devices: { pump: 1, boiler: 2 } }\n"
		    "  rec: { driver: modbus, connect: x, device: press-2 }\n"
		    "pipelines:\n"
		    "  boiler: { stages: detect }\n"
		    "  press-2: { stages: detect }\n"
		    "  heat: { stages: detect }\n",
		"site.yaml:5:3: \"boiler\" is a device of driver plc already (site.yaml:2); a pipeline's "
		"outputs "
		"are signals under its name, so give it one of its own\n"
		"site.yaml:6:3: \"press-2\" is a device of driver rec already (site.yaml:3); a pipeline's "
		"outputs "
		"are signals under its name, so give it one of its own");
}

static void asks_the_component_what_its_table_can_not_say(void **state GG_UNUSED)
{
	assert_says("drivers:\n  boiler:\n    driver: modbus\n    connect: x\n    offset: 9\n",
		"site.yaml:2:3: offset: says nothing without a device");
	gg_config_free(
		load_good("drivers:\n  boiler: { driver: modbus, connect: x, offset: 9, device: a }\n"));
}

static void never_tells_a_secret(void **state GG_UNUSED)
{
	assert_says("shards: ${TOKEN}\n",
		"site.yaml:1:9: expected a whole number like 42, or auto, got \"${TOKEN}\"");
	assert_says("uplinks: { mqtt: { connect: x, token: (secret) } }\n",
		"site.yaml:1:39: \"(secret)\" stands for a value that is not shown: write the value itself, "
		"or "
		"${NAME} or ${file:/path}");
	struct gg_config *c = load_good(site);
	struct gg_buf shown = GG_BUF(1 << 20), json = GG_BUF(1 << 20), text = GG_BUF(1 << 20);
	assert_int_equal(gg_config_show_yaml(c, &shown), 0);
	assert_null(strstr(gg_buf_text(&shown), "pencil"));
	assert_null(strstr(gg_buf_text(&shown), "very-secret"));
	assert_non_null(strstr(gg_buf_text(&shown), "password: \"(secret)\""));
	assert_non_null(strstr(gg_buf_text(&shown), "connect: tcp://${NAME}:${PORT}"));
	struct gg_json_writer w = gg_json_writer(&json);
	assert_int_equal(gg_config_show_json(c, &w), 0);
	assert_null(strstr(gg_buf_text(&json), "pencil"));
	assert_non_null(strstr(gg_buf_text(&json), "\"token\":\"(secret)\""));
	gg_config_text(c, &text);
	assert_null(strstr(gg_buf_text(&text), "very-secret"));
	assert_non_null(strstr(gg_buf_text(&text), "token: ${TOKEN}"));
	struct gg_config *again = load_good(gg_buf_text(&text));
	assert_true(gg_value_equal(c->root, again->root));
	gg_config_free(again);
	gg_config_free(c);
	gg_buf_done(&shown);
	gg_buf_done(&json);
	gg_buf_done(&text);
}

static void compare_to(const char *patch, struct gg_config_changes *ret_changes, struct gg_config **ret_fresh,
	struct gg_config *old)
{
	struct gg_problems problems = {0};
	gg_config_patch(old, "patch", gg_str(patch), &fake_environment, &problems, ret_fresh);
	if (problems.count)
		fail_msg("%s", problems.items[0].text);
	assert_int_equal(gg_config_compare(old, *ret_fresh, ret_changes), 0);
}

static void assert_change(
	const char *patch, const char *section, const char *name, enum gg_config_change kind)
{
	struct gg_config *old = load_good(site), *fresh = NULL;
	struct gg_config_changes changes;
	compare_to(patch, &changes, &fresh, old);
	for (size_t i = 0; i < changes.count; i++) {
		const struct gg_config_change_item *c = &changes.items[i];
		bool is =
			strcmp(c->section, section) == 0 && (!name || !c->name || strcmp(c->name, name) == 0);
		if (c->kind != (is ? kind : GG_CONFIG_SAME))
			fail_msg("%s: %s %s is %s", patch, c->section, c->name ? c->name : "",
				gg_config_change_name(c->kind));
	}
	assert_int_equal(gg_config_changes_find(&changes, section, name), kind);
	gg_config_changes_done(&changes);
	gg_config_free(fresh);
	gg_config_free(old);
}

static void tells_what_a_change_takes(void **state GG_UNUSED)
{
	assert_change("{\"drivers\":{\"boiler\":{\"poll\":\"2s\"}}}", "drivers", "boiler", GG_CONFIG_LIVE);
	assert_change("{\"drivers\":{\"boiler\":{\"poll\":\"1s\"}}}", "drivers", "boiler", GG_CONFIG_SAME);
	assert_change("drivers: { boiler: { login: { password: x } } }", "drivers", "boiler", GG_CONFIG_LIVE);
	assert_change("drivers: { boiler: { login: { user: x } } }", "drivers", "boiler", GG_CONFIG_RESTART);
	assert_change("drivers: { boiler: { connect: x } }", "drivers", "boiler", GG_CONFIG_RESTART);
	assert_change("drivers: { boiler: null }", "drivers", "boiler", GG_CONFIG_REMOVED);
	assert_change("drivers: { b2: { driver: modbus, connect: y } }", "drivers", "b2", GG_CONFIG_ADDED);
	assert_change("uplinks: { cloud: { send: events } }", "uplinks", "cloud", GG_CONFIG_LIVE);
	assert_change("uplinks: { cloud: { format: cbor } }", "uplinks", "cloud", GG_CONFIG_RESTART);
	assert_change("log: info", "log", NULL, GG_CONFIG_LIVE);
	assert_change("journal: { segment_size: 1MiB }", "journal", NULL, GG_CONFIG_RESTART);
	assert_change("pipelines: { heat: { stages: [deadband: 0.2, detect] } }", "pipelines", "heat",
		GG_CONFIG_RESTART);
	assert_change(
		"rules: { overheating: { severity: warning } }", "rules", "overheating", GG_CONFIG_RESTART);
}

static void a_masked_secret_that_comes_back_changes_nothing(void **state GG_UNUSED)
{
	struct gg_config *old = load_good(site), *fresh = NULL;
	struct gg_buf json = GG_BUF(1 << 20);
	struct gg_json_writer w = gg_json_writer(&json);
	struct gg_problems problems = {0};
	struct gg_str keys[] = {GG_STR("drivers"), GG_STR("boiler")};
	assert_int_equal(gg_config_show_part(old, keys, 2, &w), 0);
	assert_int_equal(
		gg_config_set(old, keys, 2, "body", gg_buf_view(&json), &fake_environment, &problems, &fresh),
		0);
	const struct fake_driver *d = gg_instances_find(&fresh->site.drivers, GG_STR("boiler"))->checked;
	assert_string_equal(d->login.password, "pencil");
	assert_string_equal(d->connect, "tcp://hall:502");
	gg_config_free(fresh);
	fresh = NULL;
	assert_int_equal(gg_config_set(old, keys, 2, "body", GG_STR(""), NULL, &problems, &fresh), 0);
	assert_null(gg_instances_find(&fresh->site.drivers, GG_STR("boiler")));
	gg_config_free(fresh);
	gg_config_free(old);
	gg_buf_done(&json);
}

static void write_file(const char *folder, const char *name, const char *text)
{
	char path[300];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void joins_files_and_names_both_places_of_a_clash(void **state GG_UNUSED)
{
	char folder[] = "/tmp/gg-config-XXXXXX", path[300], parts[300], words[700];
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/ganglion.yaml", folder);
	snprintf(parts, sizeof parts, "%s/conf.d", folder);
	assert_int_equal(mkdir(parts, 0700), 0);
	write_file(folder, "ganglion.yaml", "site: a\ndrivers:\n  mqtt:\n");
	write_file(parts, "20-b.yaml", "drivers: { boiler: { driver: modbus, connect: x } }\n");
	write_file(parts, "10-a.yaml", "log: debug\n");
	write_file(parts, "ignored.txt", "nonsense: [\n");
	struct loaded l = {0};
	assert_int_equal(gg_config_load_file(path, &l.problems, &l.config), 0);
	assert_int_equal(l.config->site.drivers.count, 2);
	assert_int_equal(l.config->files.count, 3);
	assert_non_null(strstr(l.config->files.items[1], "10-a.yaml"));
	gg_config_free(l.config);
	l.config = NULL;
	write_file(parts, "10-a.yaml", "log: debug\nsite: b\n");
	assert_int_equal(gg_config_load_file(path, &l.problems, &l.config), -EINVAL);
	assert_int_equal(l.problems.items[0].line, 2);
	assert_non_null(strstr(l.problems.items[0].file, "10-a.yaml"));
	snprintf(words, sizeof words, "\"site\" is defined here and at %s:1:1", path);
	assert_string_equal(l.problems.items[0].text, words);
	done(&l);
	static const char *const names[] = {
		"conf.d/10-a.yaml", "conf.d/20-b.yaml", "conf.d/ignored.txt", "ganglion.yaml"};
	for (size_t i = 0; i < GG_COUNT(names); i++) {
		snprintf(words, sizeof words, "%s/%s", folder, names[i]);
		unlink(words);
	}
	rmdir(parts);
	rmdir(folder);
}

static void says_which_file_cannot_be_read(void **state GG_UNUSED)
{
	struct loaded l = {0};
	assert_int_equal(gg_config_load_file("/nowhere/ganglion.yaml", &l.problems, &l.config), -ENOENT);
	assert_string_equal(
		l.problems.items[0].text, "cannot read /nowhere/ganglion.yaml: No such file or directory");
	done(&l);
}

static void stops_counting_problems_at_a_maximum(void **state GG_UNUSED)
{
	struct gg_buf text = GG_BUF(1 << 20);
	for (int i = 0; i < 500; i++)
		gg_buf_printf(&text, "wrong-%d: 1\n", i);
	struct loaded l = load(gg_buf_text(&text));
	assert_int_equal(l.problems.count, GG_PROBLEMS);
	assert_int_equal(l.problems.more, 400);
	gg_buf_done(&text);
	done(&l);
}

static void the_schema_is_json_and_knows_every_component(void **state GG_UNUSED)
{
	struct gg_buf schema = GG_BUF(4 << 20);
	struct gg_str part;
	gg_schema_write(&schema);
	struct gg_str json = gg_buf_view(&schema);
	assert_int_equal(
		gg_json_pointer(json, GG_STR("/$defs/driver.modbus/properties/poll/default"), &part), 0);
	assert_true(gg_str_is(part, "\"1s\""));
	assert_int_equal(
		gg_json_pointer(json, GG_STR("/properties/pipelines/additionalProperties/required/0"), &part),
		0);
	assert_true(gg_str_is(part, "\"stages\""));
	assert_int_equal(gg_json_pointer(json, GG_STR("/$defs/stage/anyOf/0/enum/1"), &part), 0);
	assert_true(gg_str_is(part, "\"detect\""));
	assert_int_equal(gg_json_pointer(json, GG_STR("/$defs/uplink.mqtt/properties/rate"), &part), 0);
	gg_buf_done(&schema);
}

static void the_reference_has_a_row_for_every_option(void **state GG_UNUSED)
{
	struct gg_buf page = GG_BUF(1 << 20);
	gg_reference_write(&fake_modbus, &page);
	const char *text = gg_buf_text(&page);
	assert_non_null(strstr(text, "| `connect` | text | **required** | Where the device is. |"));
	assert_non_null(
		strstr(text, "| `poll` | duration, 10ms to 1min | `1s` | How often to ask. Changes without"));
	assert_non_null(strstr(text, "| `topics.<name>.format` | one of `plain`, `json` |"));
	assert_non_null(strstr(text, "| `blocks[].start` |"));
	assert_non_null(strstr(text, "```yaml\nboiler:\n"));
	gg_buf_clear(&page);
	gg_reference_write(NULL, &page);
	text = gg_buf_text(&page);
	assert_non_null(strstr(text, "| `journal.retention.size` |"));
	assert_non_null(strstr(text, "[modbus](driver-modbus.md)"));
	gg_buf_done(&page);
}

static void running_out_of_memory_is_a_problem_not_a_crash(void **state GG_UNUSED)
{
	bool fits = false;
	for (size_t max = 0; !fits && max < (1 << 20); max += 48) {
		struct gg_arena arena = GG_ARENA(max);
		struct gg_problems problems = {0};
		struct gg_value *root = NULL;
		struct gg_site filled = {0};
		if (gg_value_parse(&arena, "x", gg_str(site), &fake_environment, &problems, &root) == 0) {
			gg_options_fill(gg_site_options, &filled, root, &arena, &problems);
			fits = problems.count == 0 && gg_value_masked(&arena, gg_site_options, root) &&
			       gg_value_merge_patch(&arena, root, root);
		} else {
			assert_int_not_equal(problems.count, 0);
		}
		gg_problems_done(&problems);
		gg_arena_done(&arena);
	}
	assert_true(fits);
}

/* Root only: the fakes have no help. */
static void the_tables_of_the_root_are_right(void **state GG_UNUSED)
{
	static const struct gg_component *const nothing[] = {NULL};
	struct gg_problems problems = {0};
	gg_components_set(nothing);
	size_t count = gg_components_check(&problems);
	gg_components_set(fakes);
	if (count)
		fail_msg("%s", problems.items[0].text);
}

static void tells_what_is_wrong_with_a_table(void **state GG_UNUSED)
{
	static const struct gg_option wrong[] = {GG_OPTION(struct fake_driver, poll_ns, DURATION,
							 .name = "enabled", .def = "soon", .help = "x"),
		GG_OPTION(struct fake_driver, names, STRINGS, .def = "*", .help = "x"), {0}};
	static const struct gg_component bad = {.name = "bad",
		.kind = GG_DRIVER,
		.self_size = sizeof(struct fake_driver),
		.options = wrong,
		.example = "bad: { nmes: x }\n"};
	static const struct gg_component *const all[] = {&bad, NULL};
	static const char *const expected[] = {
		"driver bad: default of option \"enabled\": expected a duration",
		"driver bad: default of option \"names\": invalid alias",
		"driver bad: \"enabled\" is an option of every driver already",
		"driver bad: line 1 of the example: unknown key \"nmes\""};
	struct gg_problems problems = {0};
	gg_components_set(all);
	gg_components_check(&problems);
	gg_components_set(fakes);
	for (size_t i = 0; i < problems.count; i++)
		assert_null(strstr(problems.items[i].text, "\"low\""));
	for (size_t i = 0; i < GG_COUNT(expected); i++) {
		size_t found = 0;
		for (size_t j = 0; j < problems.count; j++)
			found += strstr(problems.items[j].text, expected[i]) != NULL;
		if (!found)
			fail_msg("nobody said: %s", expected[i]);
	}
	gg_problems_done(&problems);
}

static int set_fakes(void **state GG_UNUSED)
{
	gg_components_set(fakes);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fills_the_whole_site),
		cmocka_unit_test(fills_every_type_of_option),
		cmocka_unit_test(a_scalar_or_a_map_may_stand_for_the_main_option),
		cmocka_unit_test(an_empty_text_is_a_gateway_with_defaults),
		cmocka_unit_test(tells_all_mistakes_in_order_with_their_places),
		cmocka_unit_test(names_the_nearest_component),
		cmocka_unit_test(knows_shared_keys_where_it_suggests_names),
		cmocka_unit_test(checks_names_that_become_signals),
		cmocka_unit_test(a_pipeline_can_not_bear_the_name_of_a_drivers_device),
		cmocka_unit_test(asks_the_component_what_its_table_can_not_say),
		cmocka_unit_test(never_tells_a_secret),
		cmocka_unit_test(tells_what_a_change_takes),
		cmocka_unit_test(a_masked_secret_that_comes_back_changes_nothing),
		cmocka_unit_test(joins_files_and_names_both_places_of_a_clash),
		cmocka_unit_test(says_which_file_cannot_be_read),
		cmocka_unit_test(stops_counting_problems_at_a_maximum),
		cmocka_unit_test(the_schema_is_json_and_knows_every_component),
		cmocka_unit_test(the_reference_has_a_row_for_every_option),
		cmocka_unit_test(running_out_of_memory_is_a_problem_not_a_crash),
		cmocka_unit_test(the_tables_of_the_root_are_right),
		cmocka_unit_test(tells_what_is_wrong_with_a_table),
	};
	return cmocka_run_group_tests(tests, set_fakes, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a configuration: it loads or says why not; what loads is shown, compared with itself, written,
 * and read back as the same tree.
 */
#include "core/config_fakes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

/* libfyaml 0.7.12 loses 2 KiB when a quoted text holds more than about eight escapes: not ours to find again.
 */
const char *__lsan_default_suppressions(void)
{
	return "leak:libfyaml";
}

static void must(bool truth)
{
	if (!truth)
		abort();
}

/* Even what is no valid configuration must survive being written and read. */
static void round_trip(struct gg_str text)
{
	struct gg_arena arena = GG_ARENA(64 << 20);
	struct gg_problems problems = {0};
	struct gg_value *first = NULL, *second = NULL;
	struct gg_buf yaml = GG_BUF(64 << 20);
	if (gg_value_parse(&arena, "fuzz", text, &fake_environment, &problems, &first) == 0 &&
		!problems.count) {
		gg_value_to_yaml(first, &yaml);
		if (!yaml.error && yaml.len < GG_VALUE_TEXT) {
			must(gg_value_parse(&arena, "again", gg_buf_view(&yaml), &fake_environment, &problems,
				     &second) == 0);
			must(gg_value_equal(first, second));
		}
	} else {
		must(problems.count > 0);
	}
	gg_buf_done(&yaml);
	gg_problems_done(&problems);
	gg_arena_done(&arena);
}

static void load(struct gg_str text)
{
	struct gg_problems problems = {0};
	struct gg_config *c = NULL, *again = NULL;
	struct gg_config_changes changes = {0};
	struct gg_buf out = GG_BUF(64 << 20);
	if (gg_config_load_text("fuzz", text, &fake_environment, &problems, &c) == 0) {
		struct gg_json_writer w = gg_json_writer(&out);
		must(gg_config_show_json(c, &w) == 0 || out.error);
		gg_buf_clear(&out);
		must(gg_config_show_yaml(c, &out) == 0 || out.error);
		must(gg_config_compare(c, c, &changes) == 0);
		for (size_t i = 0; i < changes.count; i++)
			must(changes.items[i].kind == GG_CONFIG_SAME);
		if (gg_config_patch(c, "patch", text, &fake_environment, &problems, &again) == 0)
			gg_config_free(again);
	} else {
		must(problems.count > 0);
	}
	gg_config_changes_done(&changes);
	gg_buf_done(&out);
	gg_config_free(c);
	gg_problems_done(&problems);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gg_str text = gg_str_n(size ? (const char *)data : "", size);
	gg_components_set(fakes);
	round_trip(text);
	load(text);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "app/problems.h"
#include "app/components.h"
#include "base/json.h"

const char gg_default_config[] =
	"# The built-in configuration: devices may speak MQTT to this machine, and what they\n"
	"# bring is watched for what is unusual.\n"
	"site: my-site\n"
	"drivers:\n"
	"  mqtt:\n"
	"    listen: 127.0.0.1:1883\n"
	"    topics:\n"
	"      \"{device}/{signal}\": plain\n"
	"      \"sensors/{device}\": json\n"
	"pipelines:\n"
	"  watch:\n"
	"    select: [\"*\"]\n"
	"    stages: [detect]\n";

static void print_json(const struct gg_problems *problems)
{
	struct gg_buf out GG_CLEANUP(gg_buf_done) = GG_BUF(16U << 20);
	struct gg_json_writer w = gg_json_writer(&out);
	gg_json_begin_array(&w);
	for (size_t i = 0; i < problems->count; i++) {
		const struct gg_error *e = &problems->items[i];
		gg_json_begin_object(&w);
		gg_json_put_str(&w, "file", gg_str(e->file));
		gg_json_put_int(&w, "line", e->line);
		gg_json_put_int(&w, "column", e->column);
		gg_json_put_str(&w, "text", gg_str(e->text));
		gg_json_end_object(&w);
	}
	gg_json_end_array(&w);
	puts(gg_buf_text(&out));
}

void gg_cli_print_problems(const struct gg_args *args, const struct gg_problems *problems)
{
	char text[1024];
	if (args->json) {
		print_json(problems);
		return;
	}
	for (size_t i = 0; i < problems->count; i++)
		fprintf(stderr, "%s\n", gg_error_format(&problems->items[i], text, sizeof text));
	if (problems->more)
		fprintf(stderr, "... and %zu more\n", problems->more);
}

int gg_cli_load_config(const struct gg_args *args, const char *path, struct gg_config **ret_config)
{
	struct gg_problems problems = {0};
	gg_components_set(gg_all_components);
	int rc = path ? gg_config_load_file(path, &problems, ret_config)
		      : gg_config_load_text(
				"built-in", gg_str(gg_default_config), NULL, &problems, ret_config);
	if (rc < 0)
		gg_cli_print_problems(args, &problems);
	gg_problems_done(&problems);
	return rc;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* `ganglion check`: everything that is wrong with a configuration, each mistake with its place, without
 * starting it. */
#include "app/check_rules.h"
#include "app/problems.h"

int gg_cmd_check(const struct gg_args *args)
{
	struct gg_config *config = NULL;
	const char *path = args->word_count ? args->words[0] : "ganglion.yaml";
	if (args->word_count > 1)
		return gg_cli_wrong(args, "one file at a time; what lies in conf.d beside it belongs to it");
	if (gg_cli_load_config(args, path, &config) < 0)
		return 1;
	struct gg_problems problems = {0};
	gg_check_rules(config, &problems);
	const struct gg_site *site = &config->site;
	int rc = problems.count ? 1 : 0;
	if (rc)
		gg_cli_print_problems(args, &problems);
	else if (args->json)
		puts("[]");
	else if (!args->quiet)
		printf("%s is right: site %s, %zu drivers, %zu pipelines, %zu rules, %zu uplinks\n", path,
			site->name, site->drivers.count, site->pipelines.count, site->rules.count,
			site->uplinks.count);
	gg_problems_done(&problems);
	gg_config_free(config);
	return rc;
}

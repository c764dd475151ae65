/* SPDX-License-Identifier: Apache-2.0 */
#include "app/cli.h"

int gg_cmd_version(const struct gg_args *args)
{
	if (args->json)
		printf("{\"name\":\"ganglion\",\"version\":\"%s\"}\n", GG_VERSION);
	else
		printf("ganglion %s\n", GG_VERSION);
	return 0;
}

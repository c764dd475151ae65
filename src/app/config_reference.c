/* SPDX-License-Identifier: Apache-2.0 */
#include "app/config_reference.h"
#include "app/components.h"
#include "core/config.h"

#include <sys/stat.h>

enum { PAGE_MAX = 4 << 20, PATH_BYTES = 4096 };

int gg_config_schema(const struct gg_args *args)
{
	struct gg_buf out GG_CLEANUP(gg_buf_done) = GG_BUF(PAGE_MAX);
	gg_components_set(gg_all_components);
	gg_schema_write(&out);
	if (out.error)
		return gg_cli_failed(args, "out of memory");
	puts(gg_buf_text(&out));
	return 0;
}

static const char *component_name(const void *ctx, size_t i)
{
	(void)ctx;
	for (size_t k = 0; k <= i; k++)
		if (!gg_all_components[k])
			return NULL;
	return gg_all_components[i]->name;
}

/* Several kinds may have a component of that name (mqtt: driver and uplink): all of them. */
static int print_page(const struct gg_args *args, const char *name)
{
	struct gg_buf out GG_CLEANUP(gg_buf_done) = GG_BUF(PAGE_MAX);
	size_t found = 0;
	for (const struct gg_component *const *c = gg_all_components; name && *c; c++) {
		if (strcmp((*c)->name, name) != 0)
			continue;
		gg_reference_write(*c, &out);
		found++;
	}
	if (!name)
		gg_reference_write(NULL, &out);
	if (name && !found) {
		const char *near = gg_nearest(gg_str(name), component_name, NULL);
		return gg_cli_wrong(args, "no component '%s'%s%s%s", name, near ? "; did you mean '" : "",
			near ? near : "", near ? "'?" : "");
	}
	fputs(gg_buf_text(&out), stdout);
	return 0;
}

static int write_file(const struct gg_args *args, const char *path, const struct gg_buf *text)
{
	FILE *f = fopen(path, "we");
	if (!f)
		return gg_cli_failed(args, "%s: %s", path, strerror(errno));
	fwrite(text->p, 1, text->len, f);
	return fclose(f) == 0 ? 0 : gg_cli_failed(args, "%s: %s", path, strerror(errno));
}

static int write_page(
	const struct gg_args *args, const char *dir, const struct gg_component *c, struct gg_buf *index)
{
	struct gg_buf page GG_CLEANUP(gg_buf_done) = GG_BUF(PAGE_MAX);
	char path[PATH_BYTES], name[200] = "configuration";
	if (c)
		snprintf(name, sizeof name, "%s-%s", gg_kind_name(c->kind), c->name);
	snprintf(path, sizeof path, "%s/%s.md", dir, name);
	gg_reference_write(c, &page);
	gg_buf_printf(index, "- [%s](%s.md)%s%s\n", name, name, c && c->title ? ": " : "",
		c && c->title ? c->title : "");
	return page.error ? gg_cli_failed(args, "out of memory") : write_file(args, path, &page);
}

static int write_all(const struct gg_args *args, const char *dir)
{
	struct gg_buf index GG_CLEANUP(gg_buf_done) = GG_BUF(PAGE_MAX);
	char path[PATH_BYTES];
	if (mkdir(dir, 0777) < 0 && errno != EEXIST)
		return gg_cli_failed(args, "%s: %s", dir, strerror(errno));
	gg_buf_str(&index,
		GG_STR("# Reference\n\nWritten by `ganglion config reference --out DIR` from the option "
		       "tables; do not change by hand.\n\n"));
	int rc = write_page(args, dir, NULL, &index);
	for (const struct gg_component *const *c = gg_all_components; *c && rc == 0; c++)
		rc = write_page(args, dir, *c, &index);
	snprintf(path, sizeof path, "%s/README.md", dir);
	return rc ? rc : write_file(args, path, &index);
}

int gg_config_reference(const struct gg_args *args)
{
	const char *dir = gg_arg(args, "out");
	gg_components_set(gg_all_components);
	if (dir && args->word_count)
		return gg_cli_wrong(args, "--out writes all pages; name no component beside it");
	return dir ? write_all(args, dir) : print_page(args, args->word_count ? args->words[0] : NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A configuration in files: one that is named, and conf.d/\*.yaml beside it, so that a package or a person
 * can add a driver without touching what others wrote. The order of names decides only which file a problem
 * blames; nothing overrides anything.
 */
#include "core/config_files.h"
#include "base/file.h"

#include <dirent.h>
#include <fcntl.h>

struct files {
	char *paths[GG_CONFIG_FILES];
	size_t count;
};

static void files_done(struct files *f)
{
	for (size_t i = 0; i < f->count; i++)
		free(f->paths[i]);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_part(const char *name)
{
	size_t len = strlen(name);
	return name[0] != '.' && len > 5 && strcmp(name + len - 5, ".yaml") == 0;
}

/* Bytes of path up to and with its last '/'. */
static size_t folder_length(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? (size_t)(slash - path) + 1 : 0;
}

static int list_parts(const char *path, struct files *f, struct gg_problems *problems)
{
	char *folder = NULL;
	if (asprintf(&folder, "%.*sconf.d", (int)folder_length(path), path) < 0)
		return -ENOMEM;
	DIR *dir = opendir(folder);
	int rc = dir || errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
	if (rc < 0)
		gg_problem(problems, NULL, "cannot read %s: %s", folder, strerror(errno));
	for (struct dirent *e; dir && rc == 0 && (e = readdir(dir));) {
		if (!is_part(e->d_name))
			continue;
		if (f->count == GG_CONFIG_FILES) {
			gg_problem(problems, NULL, "%s holds more than %d files", folder, GG_CONFIG_FILES);
			rc = -E2BIG;
		} else if (asprintf(&f->paths[f->count], "%s/%s", folder, e->d_name) < 0) {
			rc = -ENOMEM;
		} else {
			f->count++;
		}
	}
	if (dir)
		closedir(dir);
	free(folder);
	qsort(f->paths, f->count, sizeof f->paths[0], by_name);
	return rc;
}

/* Reads one file and joins it to *root. */
static int add_file(
	struct gg_config *c, const char *path, struct gg_value **root, struct gg_problems *problems)
{
	struct gg_buf text = GG_BUF(GG_VALUE_TEXT + (32U << 10));
	struct gg_value *more = NULL;
	int rc = gg_file_read(AT_FDCWD, path, 0, GG_VALUE_TEXT, &text);
	if (rc == -E2BIG)
		gg_problem(problems, NULL, "%s is larger than %d MiB", path, GG_VALUE_TEXT >> 20);
	else if (rc < 0)
		gg_problem(problems, NULL, "cannot read %s: %s", path, strerror(-rc));
	else
		rc = gg_value_parse(&c->arena, path, gg_buf_view(&text), NULL, problems, &more);
	gg_buf_done(&text);
	if (rc < 0)
		return rc;
	if (more->kind != GG_VALUE_MAP && more->kind != GG_VALUE_NULL) {
		gg_problem(problems, more, "expected settings (key: value)");
		return -EINVAL;
	}
	c->files.items[c->files.count] = gg_arena_str(&c->arena, gg_str(path));
	if (!c->files.items[c->files.count])
		return -ENOMEM;
	c->files.count++;
	struct gg_value *joined = gg_value_join(&c->arena, *root, more, problems);
	if (!joined)
		return -ENOMEM;
	*root = joined;
	return 0;
}

int gg_config_load_file(const char *path, struct gg_problems *problems, struct gg_config **ret_config)
{
	struct files parts = {0};
	struct gg_value *root = NULL;
	struct gg_config *c = gg_config_new(problems);
	if (!c)
		return -ENOMEM;
	c->files.items = gg_arena_alloc(&c->arena, (GG_CONFIG_FILES + 1) * sizeof(char *));
	int rc = c->files.items ? list_parts(path, &parts, problems) : -ENOMEM;
	int first = rc < 0 ? rc : add_file(c, path, &root, problems);
	/* A file that cannot be read does not hide the mistakes of the others. */
	for (size_t i = 0; i < parts.count && rc == 0; i++) {
		int one = add_file(c, parts.paths[i], &root, problems);
		first = first ? first : one;
	}
	files_done(&parts);
	if (first < 0) {
		if (problems->count == 0)
			gg_problem(problems, NULL, "%s: %s", path, strerror(-first));
		gg_config_free(c);
		return first;
	}
	return gg_config_finish_take(c, root, problems, ret_config);
}

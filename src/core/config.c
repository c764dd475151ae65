/* SPDX-License-Identifier: Apache-2.0 */
#include "core/config_files.h"

void gg_config_free(struct gg_config *c)
{
	if (!c)
		return;
	gg_arena_done(&c->arena);
	free(c);
}

struct gg_config *gg_config_new(struct gg_problems *problems)
{
	struct gg_config *c = calloc(1, sizeof *c);
	if (c)
		c->arena = GG_ARENA(GG_CONFIG_MEMORY);
	else
		gg_problem(problems, NULL, "out of memory");
	return c;
}

/* Fills and checks; owns c. problems may hold some already, which then fail it too. */
int gg_config_finish_take(struct gg_config *c, const struct gg_value *root, struct gg_problems *problems,
	struct gg_config **ret_config)
{
	if (!root)
		gg_problem(problems, NULL, "out of memory: the configuration is too large");
	if (root) {
		c->root = root;
		gg_options_fill(gg_site_options, &c->site, root, &c->arena, problems);
		gg_site_check(&c->site, root, problems);
	}
	if (problems->count) {
		gg_problems_sort(problems);
		gg_config_free(c);
		return -EINVAL;
	}
	*ret_config = c;
	return 0;
}

int gg_config_load_text(const char *name, struct gg_str text, const struct gg_environment *env,
	struct gg_problems *problems, struct gg_config **ret_config)
{
	struct gg_value *root = NULL;
	struct gg_config *c = gg_config_new(problems);
	if (!c)
		return -ENOMEM;
	int rc = gg_value_parse(&c->arena, name, text, env, problems, &root);
	if (rc < 0) {
		gg_config_free(c);
		return rc;
	}
	return gg_config_finish_take(c, root, problems, ret_config);
}

int gg_config_patch(const struct gg_config *old, const char *name, struct gg_str patch,
	const struct gg_environment *env, struct gg_problems *problems, struct gg_config **ret_config)
{
	struct gg_value *change = NULL;
	struct gg_config *c = gg_config_new(problems);
	if (!c)
		return -ENOMEM;
	int rc = gg_value_parse(&c->arena, name, patch, env, problems, &change);
	if (rc == 0 && change->kind != GG_VALUE_MAP) {
		gg_problem(problems, change, "expected a map of what is to change");
		rc = -EINVAL;
	}
	if (rc < 0) {
		gg_config_free(c);
		return rc;
	}
	struct gg_value *base = gg_value_copy(&c->arena, old->root);
	return gg_config_finish_take(
		c, base ? gg_value_merge_patch(&c->arena, base, change) : NULL, problems, ret_config);
}

static const struct gg_value *at_keys(const struct gg_value *v, const struct gg_str *keys, size_t count)
{
	for (size_t i = 0; v && i < count; i++) {
		size_t at = gg_value_find(v, keys[i]);
		v = v->kind == GG_VALUE_MAP && at < v->count ? v->items[at] : NULL;
	}
	return v;
}

/* What comes back masked is what was there. */
static struct gg_value *with_secrets(
	struct gg_arena *arena, const struct gg_value *was, const struct gg_value *v)
{
	if (v->kind == GG_VALUE_SCALAR && was && gg_str_is(v->text, GG_SECRET_TEXT))
		return (struct gg_value *)(uintptr_t)was;
	if (v->kind != GG_VALUE_MAP)
		return (struct gg_value *)(uintptr_t)v;
	struct gg_value *map = gg_value_map(arena, v->count);
	for (size_t i = 0; map && i < v->count; i++) {
		struct gg_value *item = with_secrets(arena, at_keys(was, &v->keys[i]->text, 1), v->items[i]);
		if (!item)
			return NULL;
		gg_value_add(map, v->keys[i], item);
	}
	if (map) {
		map->file = v->file;
		map->line = v->line;
		map->column = v->column;
	}
	return map;
}

int gg_config_set(const struct gg_config *old, const struct gg_str *keys, size_t count, const char *name,
	struct gg_str text, const struct gg_environment *env, struct gg_problems *problems,
	struct gg_config **ret_config)
{
	struct gg_value *value = NULL;
	struct gg_config *c = gg_config_new(problems);
	if (!c)
		return -ENOMEM;
	int rc = count == 0 || count > GG_VALUE_DEPTH ? -EINVAL : 0;
	if (rc < 0)
		gg_problem(problems, NULL, "expected the name of what is to be set");
	else if (text.len)
		rc = gg_value_parse(&c->arena, name, text, env, problems, &value);
	if (rc < 0) {
		gg_config_free(c);
		return rc;
	}
	struct gg_value *root = gg_value_copy(&c->arena, old->root);
	if (root && value) {
		value = with_secrets(&c->arena, at_keys(root, keys, count), value);
		root = value ? root : NULL;
	}
	if (root)
		root = gg_value_set(&c->arena, root, keys, count, value);
	return gg_config_finish_take(c, root, problems, ret_config);
}

int gg_config_show_yaml(const struct gg_config *c, struct gg_buf *to)
{
	struct gg_arena arena = GG_ARENA(GG_CONFIG_MEMORY);
	struct gg_value *shown = gg_value_masked(&arena, gg_site_options, c->root);
	if (shown)
		gg_value_to_yaml(shown, to);
	gg_arena_done(&arena);
	return shown ? to->error : -ENOMEM;
}

int gg_config_show_part(
	const struct gg_config *c, const struct gg_str *keys, size_t count, struct gg_json_writer *w)
{
	struct gg_arena arena = GG_ARENA(GG_CONFIG_MEMORY);
	struct gg_value *shown = gg_value_masked(&arena, gg_site_options, c->root);
	const struct gg_value *part = at_keys(shown, keys, count);
	int rc = !shown ? -ENOMEM : !part ? -ENOENT : 0;
	if (rc == 0) {
		gg_value_to_json(part, w);
		rc = w->to->error;
	}
	gg_arena_done(&arena);
	return rc;
}

int gg_config_show_json(const struct gg_config *c, struct gg_json_writer *w)
{
	return gg_config_show_part(c, NULL, 0, w);
}

void gg_config_text(const struct gg_config *c, struct gg_buf *to)
{
	gg_value_to_yaml(c->root, to);
}

const struct gg_instance_config *gg_instances_find(const struct gg_instances *all, struct gg_str name)
{
	for (size_t i = 0; i < all->count; i++)
		if (all->items[i].name && gg_str_is(name, all->items[i].name))
			return &all->items[i];
	return NULL;
}

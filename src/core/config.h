/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A configuration as a value: read and checked whole, then never changed. A change makes a new one; the
 * gateway compares the two (gg_config_compare), starts what is new, swaps, drains what is gone, and frees the
 * old one last. All memory is one arena, so an instance may keep pointers into its configuration as long as
 * that lives.
 *
 *   ganglion.yaml + conf.d/ ─┐
 *   an API's body ───────────┼─▶ tree ─▶ gg_site_options fill it ─▶ struct gg_config ─▶ compare, show, keep
 *   a revision ──────────────┘            problems with places
 *
 * Thread: immutable once loaded; loading needs no lock.
 */
#ifndef GG_CORE_CONFIG_H
#define GG_CORE_CONFIG_H

#include "core/options.h"
#include "core/site.h"

enum { GG_CONFIG_FILES = 256, GG_CONFIG_MEMORY = 256 << 20 };

struct gg_config {
	struct gg_arena arena;
	const struct gg_value *root;
	struct gg_site site;
	struct gg_strings files; /* those it was read from, to be watched; none when it came as text */
};

/*
 * Reads path and conf.d/\*.yaml beside it (sorted by name; maps are joined key by key, and what two files
 * both say is a problem). Errors: negative errno, and problems says what and where; also when only problems
 * was filled. Owner of *ret_config: the caller, gg_config_free().
 */
int gg_config_load_file(const char *path, struct gg_problems *problems, struct gg_config **ret_config);
/* The same from one YAML or JSON text; name stands in places. NULL env = the process's. */
int gg_config_load_text(const char *name, struct gg_str text, const struct gg_environment *env,
	struct gg_problems *problems, struct gg_config **ret_config);
/* A new configuration: old with a merge patch (RFC 7396; YAML or JSON text) applied. */
int gg_config_patch(const struct gg_config *old, const char *name, struct gg_str patch,
	const struct gg_environment *env, struct gg_problems *problems, struct gg_config **ret_config);
/* A new configuration: old with the value at keys replaced by text; an empty text takes it away. */
int gg_config_set(const struct gg_config *old, const struct gg_str *keys, size_t count, const char *name,
	struct gg_str text, const struct gg_environment *env, struct gg_problems *problems,
	struct gg_config **ret_config);
/* Accepts NULL. */
void gg_config_free(struct gg_config *c);

/* For people and API answers: secrets masked. Errors: -ENOMEM, -E2BIG. */
int gg_config_show_yaml(const struct gg_config *c, struct gg_buf *to);
int gg_config_show_json(const struct gg_config *c, struct gg_json_writer *w);
/* The part under keys, masked. Errors: -ENOENT nothing there. */
int gg_config_show_part(
	const struct gg_config *c, const struct gg_str *keys, size_t count, struct gg_json_writer *w);
/* The whole as YAML that loads again, secrets by reference as they were written: for revisions. */
void gg_config_text(const struct gg_config *c, struct gg_buf *to);

/* ---- from one configuration to the next ---- */

enum gg_config_change {
	GG_CONFIG_SAME,
	GG_CONFIG_LIVE,    /* options marked GG_LIVE only: component.update() */
	GG_CONFIG_RESTART, /* stop the old, start the new */
	GG_CONFIG_ADDED,
	GG_CONFIG_REMOVED,
};

/* One for each key of the root ("journal", name NULL), and for "drivers", "devices", "pipelines", "rules" and
 * "uplinks" one for each name in either. Strings belong to the configurations. */
struct gg_config_change_item {
	const char *section, *name;
	enum gg_config_change kind;
};

struct gg_config_changes {
	struct gg_config_change_item *items;
	size_t count;
};

/* "same", "live", "restart", "added", "removed" */
const char *gg_config_change_name(enum gg_config_change kind);
/* old may be NULL: everything named is added. Errors: -ENOMEM. */
int gg_config_compare(
	const struct gg_config *old, const struct gg_config *fresh, struct gg_config_changes *ret_changes);
void gg_config_changes_done(struct gg_config_changes *c);
/* The change of an item; NONE when it is not listed. */
enum gg_config_change gg_config_changes_find(
	const struct gg_config_changes *c, const char *section, const char *name);

/* The instance of that name, or NULL. */
const struct gg_instance_config *gg_instances_find(const struct gg_instances *all, struct gg_str name);

/* ---- what the tables say, for people and programs ---- */

/* JSON Schema (draft 2020-12) of the whole configuration with the registered components. */
void gg_schema_write(struct gg_buf *to);
/* A Markdown page: of one component, or with NULL of the configuration's root. */
void gg_reference_write(const struct gg_component *component, struct gg_buf *to);

#endif

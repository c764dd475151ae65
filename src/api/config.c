/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration: shown with its secrets masked, changed whole or not at all, checked without being used,
 * and brought back from a revision. What is wrong is told with line and column of the body.
 *
 * A change is also written to the file the gateway was started with, so that it survives a restart; when it
 * came from several files (conf.d), or the file can't be written, the answer says that it did not.
 */
#include "core/config.h"
#include "api/handlers.h"
#include "base/clock.h"
#include "core/revisions.h"
#include "gateway/gateway.h"

#include <fcntl.h>
#include <unistd.h>

enum { PATH_BYTES = 4096 };

/* ---- showing ---- */

static void put_revision_tag(struct gg_api_call *c)
{
	char tag[32];
	int n = snprintf(tag, sizeof tag, "\"%llu\"", (unsigned long long)gg_gateway.revision);
	gg_http_add_header(c->r, "ETag", gg_str_n(tag, (size_t)n));
}

static void put_number(struct gg_json_writer *w, const char *key, uint64_t v)
{
	gg_json_key(w, gg_str(key));
	gg_json_uint(w, v);
}

void gg_api_config(struct gg_api_call *c)
{
	struct gg_answer a;
	gg_answer_begin(&a);
	gg_json_begin_object(&a.w);
	put_number(&a.w, "revision", gg_gateway.revision);
	gg_json_key(&a.w, GG_STR("config"));
	int rc = gg_config_show_json(gg_gateway.config, &a.w);
	gg_json_end_object(&a.w);
	if (rc < 0) {
		gg_buf_done(&a.body);
		gg_api_problem(c, rc, "the configuration can't be shown: %s", strerror(-rc));
		return;
	}
	put_revision_tag(c);
	gg_answer_send(c, 200, &a);
}

void gg_api_schema(struct gg_api_call *c)
{
	struct gg_buf text GG_CLEANUP(gg_buf_done) = GG_BUF(GG_ANSWER_MAX);
	gg_schema_write(&text);
	if (text.error)
		gg_api_problem(c, text.error, "no memory for the schema");
	else
		gg_http_reply(c->r, 200, "application/schema+json", gg_buf_view(&text));
}

/* ---- problems ---- */

static void put_problem(struct gg_json_writer *w, const struct gg_error *e)
{
	gg_json_begin_object(w);
	gg_json_put_str(w, "text", gg_str(e->text));
	if (e->file[0])
		gg_json_put_str(w, "file", gg_str(e->file));
	if (e->line) {
		gg_json_put_int(w, "line", e->line);
		gg_json_put_int(w, "column", e->column);
	}
	gg_json_end_object(w);
}

static void put_problems(struct gg_json_writer *w, const struct gg_problems *p)
{
	gg_json_key(w, GG_STR("problems"));
	gg_json_begin_array(w);
	for (size_t i = 0; i < p->count; i++)
		put_problem(w, &p->items[i]);
	gg_json_end_array(w);
	if (p->more)
		put_number(w, "more", p->more);
}

/* The first problem as the whole's, with its place, and all of them beside it. */
static void answer_problems(struct gg_api_call *c, const struct gg_problems *p)
{
	struct gg_answer a;
	const struct gg_error none = {.text = "the configuration can't be read"};
	const struct gg_error *e = p->count ? &p->items[0] : &none;
	gg_answer_begin(&a);
	gg_json_begin_object(&a.w);
	gg_json_put_str(&a.w, "type", GG_STR("about:blank"));
	gg_json_put_str(&a.w, "title", GG_STR("The configuration has mistakes; the one in force stays"));
	gg_json_put_int(&a.w, "status", 400);
	gg_json_put_str(&a.w, "code", GG_STR("invalid"));
	gg_json_put_str(&a.w, "detail", gg_str(e->text));
	if (e->file[0])
		gg_json_put_str(&a.w, "file", gg_str(e->file));
	if (e->line) {
		gg_json_put_int(&a.w, "line", e->line);
		gg_json_put_int(&a.w, "column", e->column);
	}
	put_problems(&a.w, p);
	gg_json_end_object(&a.w);
	gg_http_reply(c->r, 400, "application/problem+json", gg_buf_view(&a.body));
	gg_buf_done(&a.body);
}

/* ---- keeping a change over a restart ---- */

static int write_whole(const char *path, struct gg_str text)
{
	char fresh[PATH_BYTES + 8];
	snprintf(fresh, sizeof fresh, "%s.new", path);
	int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	ssize_t n = write(fd, text.p, text.len);
	int rc = n == (ssize_t)text.len && fsync(fd) == 0 ? 0 : -EIO;
	close(fd);
	if (rc == 0 && rename(fresh, path) < 0)
		rc = -errno;
	if (rc < 0)
		unlink(fresh);
	return rc;
}

static const char header[] =
	"# Written by the gateway after a change through its API. As it was by hand: see the "
	"file .original beside it;\n# each state: revisions/ in the data folder.\n";

static bool is_by_hand(const char *path)
{
	char text[sizeof header] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ssize_t n = read(fd, text, sizeof header - 1);
	close(fd);
	return n != (ssize_t)sizeof header - 1 || memcmp(text, header, sizeof header - 1) != 0;
}

/* The file as somebody wrote it, with its comments, stays beside ours. */
static void keep_original(const char *path)
{
	char original[PATH_BYTES + 12];
	snprintf(original, sizeof original, "%s.original", path);
	if (!is_by_hand(path))
		return;
	unlink(original);
	if (link(path, original) < 0)
		gg_log(GG_WARN, "config", "the file as it was could not be kept, continuing without",
			GG_S("file", original), GG_S("reason", strerror(errno)));
}

/* How many files it came from when last it came from files; one that came as text has none. */
static size_t files_before;

/* NULL when a restart finds the configuration as it is now; else why it will not. */
static const char *save(void)
{
	struct gg_buf text GG_CLEANUP(gg_buf_done) = GG_BUF(GG_CONFIG_MEMORY);
	const char *path = gg_gateway.config_path;
	if (!path)
		return "the gateway was started without a configuration file";
	if (files_before > 1)
		return "the configuration came from several files; change them by hand, or start from one "
		       "file";
	gg_buf_str(&text, gg_str(header));
	gg_config_text(gg_gateway.config, &text);
	if (text.error)
		return "out of memory";
	keep_original(path);
	int rc = write_whole(path, gg_buf_view(&text));
	return rc < 0 ? strerror(-rc) : NULL;
}

/* ---- changing ---- */

static bool is_newest(struct gg_api_call *c)
{
	char tag[32];
	struct gg_str wanted = gg_http_header(c->r, "if-match");
	snprintf(tag, sizeof tag, "\"%llu\"", (unsigned long long)gg_gateway.revision);
	if (wanted.len == 0 || gg_str_is(wanted, "*") || gg_str_is(wanted, tag))
		return true;
	gg_api_problem(c, -ESTALE, "the configuration has changed meanwhile: its revision is %llu now",
		(unsigned long long)gg_gateway.revision);
	return false;
}

static void answer_applied(struct gg_api_call *c, const char *not_saved)
{
	struct gg_answer a;
	gg_answer_begin(&a);
	gg_json_begin_object(&a.w);
	put_number(&a.w, "revision", gg_gateway.revision);
	gg_json_put_bool(&a.w, "saved", !not_saved);
	if (not_saved)
		gg_json_put_str(&a.w, "not_saved_because", gg_str(not_saved));
	gg_json_end_object(&a.w);
	put_revision_tag(c);
	gg_answer_send(c, 200, &a);
}

/* Takes fresh over; answers. */
static void apply(struct gg_api_call *c, struct gg_config *fresh, const char *why)
{
	struct gg_error e = {0};
	if (gg_gateway.config->files.count)
		files_before = gg_gateway.config->files.count;
	if (gg_gateway_apply(fresh, c->who, why, &e) < 0) {
		gg_api_problem_error(c, &e);
		return;
	}
	const char *not_saved = save();
	if (not_saved)
		gg_log(GG_WARN, "config", "the change does not survive a restart", GG_S("reason", not_saved));
	answer_applied(c, not_saved);
}

/* A whole configuration that was shown masked comes back with "(secret)" where secrets are: those stay. */
static const struct gg_value *with_secrets(
	struct gg_arena *arena, const struct gg_value *fresh, const struct gg_value *old, unsigned depth)
{
	if (fresh->kind == GG_VALUE_SCALAR && gg_str_is(fresh->text, GG_SECRET_TEXT) && old)
		return old;
	if (depth == 0 || (fresh->kind != GG_VALUE_MAP && fresh->kind != GG_VALUE_LIST))
		return fresh;
	struct gg_value *copy = GG_NEW(arena, struct gg_value);
	struct gg_value **items = gg_arena_alloc(arena, (fresh->count + 1) * sizeof *items);
	if (!copy || !items)
		return NULL;
	*copy = *fresh;
	copy->items = items;
	for (size_t i = 0; i < fresh->count; i++) {
		const struct gg_value *before = NULL;
		if (fresh->kind == GG_VALUE_MAP && old && old->kind == GG_VALUE_MAP) {
			size_t at = gg_value_find(old, fresh->keys[i]->text);
			before = at < old->count ? old->items[at] : NULL;
		} else if (fresh->kind == GG_VALUE_LIST && old && old->kind == GG_VALUE_LIST &&
			   i < old->count) {
			before = old->items[i];
		}
		items[i] =
			(struct gg_value *)(uintptr_t)with_secrets(arena, fresh->items[i], before, depth - 1);
		if (!items[i])
			return NULL;
	}
	return copy;
}

static bool has_secrets(struct gg_str text)
{
	return memmem(text.p, text.len, GG_SECRET_TEXT, sizeof GG_SECRET_TEXT - 1) != NULL;
}

static int load(struct gg_str text, struct gg_problems *problems, struct gg_config **ret_config)
{
	if (!has_secrets(text))
		return gg_config_load_text("body", text, NULL, problems, ret_config);
	struct gg_arena arena GG_CLEANUP(gg_arena_done) = GG_ARENA(GG_CONFIG_MEMORY);
	struct gg_buf whole GG_CLEANUP(gg_buf_done) = GG_BUF(GG_CONFIG_MEMORY);
	struct gg_value *root = NULL;
	int rc = gg_value_parse(&arena, "body", text, NULL, problems, &root);
	if (rc < 0 || problems->count)
		return rc < 0 ? rc : -EINVAL;
	const struct gg_value *filled = with_secrets(&arena, root, gg_gateway.config->root, GG_VALUE_DEPTH);
	if (!filled)
		return -ENOMEM;
	gg_value_to_yaml(filled, &whole);
	if (whole.error)
		return whole.error;
	return gg_config_load_text("body", gg_buf_view(&whole), NULL, problems, ret_config);
}

static void change(struct gg_api_call *c, bool patch)
{
	struct gg_problems problems = {0};
	struct gg_config *fresh = NULL;
	if (!is_newest(c))
		return;
	int rc = patch ? gg_config_patch(
				 gg_gateway.config, "body", gg_http_body(c->r), NULL, &problems, &fresh)
		       : load(gg_http_body(c->r), &problems, &fresh);
	if (rc < 0)
		answer_problems(c, &problems);
	else
		apply(c, fresh, patch ? "a change through the API" : "a new configuration through the API");
	gg_problems_done(&problems);
}

void gg_api_config_put(struct gg_api_call *c)
{
	change(c, /* patch= */ false);
}

void gg_api_config_patch(struct gg_api_call *c)
{
	change(c, /* patch= */ true);
}

/* ---- checking ---- */

static void put_changes(struct gg_json_writer *w, const struct gg_config *fresh)
{
	struct gg_config_changes changes = {0};
	gg_json_key(w, GG_STR("changes"));
	gg_json_begin_array(w);
	if (fresh && gg_config_compare(gg_gateway.config, fresh, &changes) == 0) {
		for (size_t i = 0; i < changes.count; i++) {
			const struct gg_config_change_item *item = &changes.items[i];
			if (item->kind == GG_CONFIG_SAME)
				continue;
			gg_json_begin_object(w);
			gg_json_put_str(w, "section", gg_str(item->section));
			if (item->name)
				gg_json_put_str(w, "name", gg_str(item->name));
			gg_json_put_str(w, "change", gg_str(gg_config_change_name(item->kind)));
			gg_json_end_object(w);
		}
	}
	gg_json_end_array(w);
	gg_config_changes_done(&changes);
}

void gg_api_config_check(struct gg_api_call *c)
{
	struct gg_answer a;
	struct gg_problems problems = {0};
	struct gg_config *fresh = NULL;
	bool good = load(gg_http_body(c->r), &problems, &fresh) == 0;
	gg_answer_begin(&a);
	gg_json_begin_object(&a.w);
	gg_json_put_bool(&a.w, "good", good);
	put_problems(&a.w, &problems);
	put_changes(&a.w, good ? fresh : NULL);
	gg_json_end_object(&a.w);
	gg_answer_send(c, 200, &a);
	gg_problems_done(&problems);
	gg_config_free(fresh);
}

/* ---- revisions ---- */

static void put_revision(struct gg_json_writer *w, const struct gg_revision *r)
{
	put_number(w, "number", r->number);
	gg_json_put_time(w, "time", r->time_ns);
	gg_json_put_str(w, "who", gg_str(r->who));
	gg_json_put_str(w, "why", gg_str(r->why));
	gg_json_put_bool(w, "in_force", r->number == gg_gateway.revision);
	if (r->damaged)
		gg_json_put_bool(w, "damaged", true);
}

void gg_api_revisions(struct gg_api_call *c)
{
	struct gg_answer a;
	struct gg_error e = {0};
	struct gg_revision *all = NULL;
	size_t count = 0;
	uint64_t limit;
	if (!gg_api_number(c, "limit", 1, 10000, 100, &limit))
		return;
	if (gg_revisions_list(gg_gateway.data_dir, &all, &count, &e) < 0) {
		gg_api_problem_error(c, &e);
		return;
	}
	gg_answer_begin(&a);
	gg_json_begin_object(&a.w);
	gg_json_key(&a.w, GG_STR("revisions"));
	gg_json_begin_array(&a.w);
	for (size_t i = count; i > 0 && count - i < limit; i--) {
		gg_json_begin_object(&a.w);
		put_revision(&a.w, &all[i - 1]);
		gg_json_end_object(&a.w);
	}
	gg_json_end_array(&a.w);
	gg_json_end_object(&a.w);
	free(all);
	gg_answer_send(c, 200, &a);
}

/* Reads and checks revision c->parts[0]; false when it was answered. */
static bool read_revision(struct gg_api_call *c, struct gg_revision *ret_note, struct gg_config **ret_config)
{
	struct gg_buf text GG_CLEANUP(gg_buf_done) = GG_BUF(GG_CONFIG_MEMORY);
	struct gg_problems problems = {0};
	struct gg_error e = {0};
	uint64_t number = 0;
	if (gg_parse_uint(c->parts[0], &number) < 0 || number == 0)
		gg_error_set(&e, -ENOENT, "expected the number of a revision");
	else
		gg_revision_read(gg_gateway.data_dir, number, ret_note, &text, &e);
	if (e.code) {
		gg_api_problem_error(c, &e);
		return false;
	}
	bool good = gg_config_load_text("revision", gg_buf_view(&text), NULL, &problems, ret_config) == 0;
	if (!good)
		answer_problems(c, &problems);
	gg_problems_done(&problems);
	return good;
}

void gg_api_revision(struct gg_api_call *c)
{
	struct gg_answer a;
	struct gg_revision note = {0};
	struct gg_config *config = NULL;
	if (!read_revision(c, &note, &config))
		return;
	gg_answer_begin(&a);
	gg_json_begin_object(&a.w);
	put_revision(&a.w, &note);
	gg_json_key(&a.w, GG_STR("config"));
	gg_config_show_json(config, &a.w);
	gg_json_end_object(&a.w);
	gg_config_free(config);
	gg_answer_send(c, 200, &a);
}

void gg_api_revision_rollback(struct gg_api_call *c)
{
	struct gg_revision note = {0};
	struct gg_config *config = NULL;
	char why[80];
	if (!read_revision(c, &note, &config))
		return;
	snprintf(why, sizeof why, "rolled back to revision %llu", (unsigned long long)note.number);
	apply(c, config, why);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "store_fixture.h"

#include "store/catalog.h"
#include "store/sql.h"

struct fixture {
	struct folder folder;
	char path[128];
	struct gg_catalog *c;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	struct gg_error e = {0};
	folder_make(&f->folder);
	snprintf(f->path, sizeof f->path, "%s/catalog.db", f->folder.path);
	*state = f;
	return gg_catalog_open(f->path, &f->c, &e);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	gg_catalog_close(f->c);
	folder_remove(&f->folder);
	free(f);
	return 0;
}

static void reopen(struct fixture *f)
{
	struct gg_error e = {0};
	gg_catalog_close(f->c);
	f->c = NULL;
	assert_int_equal(gg_catalog_open(f->path, &f->c, &e), 0);
}

static char text[200];

static void device_text(GG_UNUSED void *arg, const struct gg_device_row *d)
{
	size_t len = strlen(text);
	snprintf(text + len, sizeof text - len, "%.*s=%.*s/%.*s/%lld/%d ", GG_STR_ARG(d->id),
		GG_STR_ARG(d->title), GG_STR_ARG(d->credential), (long long)d->created_ns, d->enabled);
}

static void devices_are_kept_over_a_restart(void **state)
{
	struct fixture *f = *state;
	struct gg_device_row d = {
		.id = GG_STR("press-1"), .title = GG_STR("Press"), .created_ns = 5, .enabled = true};
	d.credential = GG_STR("hash");
	assert_int_equal(gg_catalog_put_device(f->c, &d), 0);
	d.title = GG_STR("Large press");
	d.created_ns = 9;
	assert_int_equal(gg_catalog_put_device(f->c, &d), 0);
	d.id = GG_STR("mill");
	assert_int_equal(gg_catalog_put_device(f->c, &d), 0);
	reopen(f);
	text[0] = 0;
	assert_int_equal(gg_catalog_devices(f->c, GG_STR(""), 10, device_text, NULL), 0);
	assert_string_equal(text, "mill=Large press/hash/9/1 press-1=Large press/hash/5/1 ");
	text[0] = 0;
	assert_int_equal(gg_catalog_devices(f->c, GG_STR("mill"), 1, device_text, NULL), 0);
	assert_string_equal(text, "press-1=Large press/hash/5/1 ");
	assert_int_equal(gg_catalog_seen_device(f->c, GG_STR("press-1"), 77), 0);
	assert_int_equal(gg_catalog_remove_device(f->c, GG_STR("mill")), 0);
	assert_int_equal(gg_catalog_remove_device(f->c, GG_STR("mill")), -ENOENT);
	assert_int_equal(gg_catalog_get_device(f->c, GG_STR("mill"), device_text, NULL), -ENOENT);
}

static void event_text(GG_UNUSED void *arg, const struct gg_event_row *e)
{
	size_t len = strlen(text);
	snprintf(text + len, sizeof text - len, "%llu:%.*s:%d:%d:%llu ", (unsigned long long)e->id,
		GG_STR_ARG(e->key), e->state, e->severity, (unsigned long long)e->count);
}

static const char *events(struct fixture *f, int which)
{
	struct gg_event_filter filter = {.state = which};
	text[0] = 0;
	assert_int_equal(gg_catalog_events(f->c, &filter, event_text, NULL), 0);
	return text;
}

static void comment_text(GG_UNUSED void *arg, int64_t time_ns, struct gg_str by, struct gg_str said)
{
	size_t len = strlen(text);
	snprintf(text + len, sizeof text - len, "%lld %.*s: %.*s; ", (long long)time_ns, GG_STR_ARG(by),
		GG_STR_ARG(said));
}

static void an_event_is_open_once_until_cleared(void **state)
{
	struct fixture *f = *state;
	uint64_t id;
	bool opened;
	struct gg_event_row e = {
		.kind = GG_STR("rule"), .key = GG_STR("hot"), .severity = GG_WARNING, .updated_ns = 1};
	assert_int_equal(gg_catalog_report(f->c, &e, true, &id, &opened), -ENOENT);
	assert_int_equal(gg_catalog_report(f->c, &e, false, &id, &opened), 0);
	assert_true(id == 1 && opened);
	e.severity = GG_CRITICAL;
	assert_int_equal(gg_catalog_report(f->c, &e, false, &id, &opened), 0);
	assert_true(id == 1 && !opened);
	e.key = GG_STR("cold");
	assert_int_equal(gg_catalog_report(f->c, &e, false, &id, &opened), 0);
	assert_true(id > 1 && opened);
	uint64_t cold = id;
	assert_int_equal(gg_catalog_acknowledge(f->c, 1, GG_STR("anna"), 5), 0);
	assert_int_equal(gg_catalog_acknowledge(f->c, 99, GG_STR("anna"), 5), -ENOENT);
	assert_int_equal(gg_catalog_comment(f->c, 1, GG_STR("anna"), GG_STR("looking"), 6), 0);
	assert_int_equal(gg_catalog_comment(f->c, 99, GG_STR("anna"), GG_STR("looking"), 6), -ENOENT);
	e.key = GG_STR("hot");
	assert_int_equal(gg_catalog_report(f->c, &e, true, &id, &opened), 0);
	assert_true(id == 1 && !opened);
	assert_int_equal(gg_catalog_acknowledge(f->c, 1, GG_STR("anna"), 5), -ESTALE);
	assert_int_equal(gg_catalog_report(f->c, &e, false, &id, &opened), 0);
	assert_true(id > cold && opened);
	reopen(f);
	char expected[100];
	snprintf(expected, sizeof expected, "%llu:hot:0:2:1 %llu:cold:0:2:1 1:hot:2:2:2 ",
		(unsigned long long)id, (unsigned long long)cold);
	assert_string_equal(events(f, -1), expected);
	assert_string_equal(events(f, GG_EVENT_CLEARED), "1:hot:2:2:2 ");
	text[0] = 0;
	assert_int_equal(gg_catalog_comments(f->c, 1, comment_text, NULL), 0);
	assert_string_equal(text, "6 anna: looking; ");
	uint64_t gone = 0;
	assert_int_equal(gg_catalog_forget_events(f->c, 100, 1000, 10, &gone), 0);
	assert_int_equal(gone, 1);
	assert_true(gg_catalog_last_event(f->c) >= id);
}

static void put_event_at(struct fixture *f, uint64_t id, enum gg_event_state state, int64_t ended_ns)
{
	char key[20];
	snprintf(key, sizeof key, "%llu", (unsigned long long)id);
	const struct gg_event_row e = {.id = id,
		.kind = GG_STR("k"),
		.key = gg_str(key),
		.state = state,
		.count = 1,
		.opened_ns = (int64_t)id,
		.cleared_ns = ended_ns,
		.trace_json = GG_STR("[{}]")};
	assert_int_equal(gg_catalog_put_event(f->c, &e), 0);
}

static void forgets_by_age_and_number_but_nothing_open(void **state)
{
	struct fixture *f = *state;
	uint64_t gone = 0, before, count = 0;
	put_event_at(f, 1, GG_EVENT_OPEN, 0);
	put_event_at(f, 2, GG_EVENT_CLEARED, 500); /* opened long ago, and over only now */
	put_event_at(f, 3, GG_EVENT_ACKNOWLEDGED, 0);
	for (uint64_t id = 4; id <= 40; id++)
		put_event_at(f, id, GG_EVENT_CLEARED, (int64_t)id + 1);
	do { /* by age, a few at a time */
		before = gone;
		assert_int_equal(gg_catalog_forget_events(f->c, 21, 1000, 5, &gone), 0);
		assert_true(gone - before <= 5);
	} while (gone > before);
	assert_int_equal(gone, 16); /* 4 to 19 */
	do {                        /* by number: the oldest that are over; id 2 is among them now */
		before = gone;
		assert_int_equal(gg_catalog_forget_events(f->c, INT64_MIN, 10, 5, &gone), 0);
	} while (gone > before);
	assert_int_equal(gg_catalog_count_events(f->c, &count), 0);
	assert_int_equal(count, 10);
	assert_non_null(strstr(events(f, -1), "1:1:0"));
	assert_non_null(strstr(events(f, -1), "3:3:1"));
	do { /* nothing is left that may go */
		before = gone;
		assert_int_equal(gg_catalog_forget_events(f->c, INT64_MAX, 0, 5, &gone), 0);
	} while (gone > before);
	assert_int_equal(gg_catalog_count_events(f->c, &count), 0);
	assert_int_equal(count, 2);
}

static void what_is_changed_together_is_one_transaction(void **state)
{
	struct fixture *f = *state;
	uint64_t count = 0;
	gg_catalog_together(f->c);
	put_event_at(f, 1, GG_EVENT_OPEN, 0);
	put_event_at(f, 2, GG_EVENT_OPEN, 0);
	sqlite3 *other;
	assert_int_equal(gg_sql_open(gg_catalog_path(f->c), /* read_only= */ true, &other, NULL), 0);
	sqlite3_stmt *s;
	assert_int_equal(gg_sql_prepare(other, "SELECT count(*) FROM events", &s, NULL), 0);
	assert_int_equal(sqlite3_step(s), SQLITE_ROW);
	assert_int_equal(sqlite3_column_int(s, 0), 0); /* not yet */
	sqlite3_reset(s);
	assert_int_equal(gg_catalog_together_end(f->c), 0);
	assert_int_equal(sqlite3_step(s), SQLITE_ROW);
	assert_int_equal(sqlite3_column_int(s, 0), 2);
	sqlite3_finalize(s);
	sqlite3_close(other);
	assert_int_equal(gg_catalog_count_events(f->c, &count), 0);
	assert_int_equal(count, 2);
}

static void message_text(GG_UNUSED void *arg, const struct gg_event_row *e)
{
	snprintf(text, sizeof text, "%.*s: %.*s", GG_STR_ARG(e->title), GG_STR_ARG(e->message));
}

static void the_message_of_an_event_is_kept_and_renewed(void **state)
{
	struct fixture *f = *state;
	struct gg_event_row e = {.id = 7,
		.kind = GG_STR("rule"),
		.key = GG_STR("hot"),
		.title = GG_STR("hot"),
		.message = GG_STR("look at the burner")};
	assert_int_equal(gg_catalog_put_event(f->c, &e), 0);
	reopen(f);
	assert_int_equal(gg_catalog_event(f->c, 7, message_text, NULL), 0);
	assert_string_equal(text, "hot: look at the burner");
	e.message = GG_STR("the burner is off");
	assert_int_equal(gg_catalog_put_event(f->c, &e), 0);
	assert_int_equal(gg_catalog_event(f->c, 7, message_text, NULL), 0);
	assert_string_equal(text, "hot: the burner is off");
}

static void cursors_are_kept(void **state)
{
	struct fixture *f = *state;
	uint64_t position = 0;
	assert_int_equal(gg_catalog_get_cursor(f->c, GG_STR("cloud"), &position), -ENOENT);
	assert_int_equal(gg_catalog_put_cursor(f->c, GG_STR("cloud"), 1ULL << 40), 0);
	assert_int_equal(gg_catalog_put_cursor(f->c, GG_STR("other"), 7), 0);
	reopen(f);
	assert_int_equal(gg_catalog_get_cursor(f->c, GG_STR("cloud"), &position), 0);
	assert_int_equal(position, 1ULL << 40);
	assert_int_equal(gg_catalog_highest_cursor(f->c), 1ULL << 40);
	assert_int_equal(gg_catalog_remove_cursor(f->c, GG_STR("cloud")), 0);
	assert_int_equal(gg_catalog_highest_cursor(f->c), 7);
}

static void token_text(GG_UNUSED void *arg, const struct gg_token_row *t)
{
	size_t len = strlen(text);
	snprintf(text + len, sizeof text - len, "%.*s:%.*s:%lld ", GG_STR_ARG(t->id), GG_STR_ARG(t->role),
		(long long)t->last_used_ns);
}

static void revision_text(GG_UNUSED void *arg, const struct gg_revision_row *r)
{
	size_t len = strlen(text);
	snprintf(text + len, sizeof text - len, "%llu:%.*s ", (unsigned long long)r->number,
		GG_STR_ARG(r->text));
}

static void tokens_revisions_and_meta_are_kept(void **state)
{
	struct fixture *f = *state;
	struct gg_token_row t = {.id = GG_STR("k1"), .role = GG_STR("admin"), .hash = GG_STR("\x01\x02")};
	assert_int_equal(gg_catalog_put_token(f->c, &t), 0);
	assert_int_equal(gg_catalog_put_token(f->c, &t), -EEXIST);
	assert_int_equal(gg_catalog_used_token(f->c, GG_STR("k1"), 3), 0);
	text[0] = 0;
	assert_int_equal(gg_catalog_tokens(f->c, token_text, NULL), 0);
	assert_string_equal(text, "k1:admin:3 ");
	uint64_t number;
	struct gg_revision_row r = {.text = GG_STR("site: a")};
	assert_int_equal(gg_catalog_add_revision(f->c, &r, &number), 0);
	r.text = GG_STR("site: b");
	assert_int_equal(gg_catalog_add_revision(f->c, &r, &number), 0);
	assert_int_equal(number, 2);
	text[0] = 0;
	assert_int_equal(gg_catalog_revisions(f->c, 0, 10, revision_text, NULL), 0);
	assert_string_equal(text, "2:site: b 1:site: a ");
	char value[8];
	assert_int_equal(gg_catalog_put_meta(f->c, "site", GG_STR("hall")), 0);
	assert_int_equal(gg_catalog_get_meta(f->c, "site", value, sizeof value), 0);
	assert_string_equal(value, "hall");
	assert_int_equal(gg_catalog_get_meta(f->c, "none", value, sizeof value), -ENOENT);
	assert_int_equal(gg_catalog_get_meta(f->c, "site", value, 3), -E2BIG);
}

static void a_newer_file_is_refused_in_words(void **state)
{
	struct fixture *f = *state;
	struct gg_error e = {0};
	gg_catalog_close(f->c);
	f->c = NULL;
	sqlite3 *db;
	assert_int_equal(gg_sql_open(f->path, false, &db, &e), 0);
	assert_int_equal(gg_sql_run(db, "PRAGMA user_version=99"), 0);
	sqlite3_close(db);
	assert_int_equal(gg_catalog_open(f->path, &f->c, &e), -ENOTSUP);
	assert_non_null(strstr(e.text, "newer Ganglion"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(devices_are_kept_over_a_restart),
		TEST(an_event_is_open_once_until_cleared),
		TEST(forgets_by_age_and_number_but_nothing_open),
		TEST(what_is_changed_together_is_one_transaction),
		TEST(the_message_of_an_event_is_kept_and_renewed),
		TEST(cursors_are_kept),
		TEST(tokens_revisions_and_meta_are_kept),
		TEST(a_newer_file_is_refused_in_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

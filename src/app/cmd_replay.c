/* SPDX-License-Identifier: Apache-2.0 */
/* `ganglion replay`: what a configuration would have made of what was recorded, against what happened. */
#include "app/components.h"
#include "app/problems.h"
#include "app/replay.h"
#include "app/table.h"
#include "app/unseal.h"
#include "app/when.h"
#include "base/log.h"
#include "core/revisions.h"

#include <math.h>
#include <unistd.h>

enum { SHOWN = 40, CONFIG_TEXT = 64 << 20 };

/* A gateway at work may not have written yet what it derived from its latest input. */
static const int64_t settle_ns = 3 * GG_NS_PER_S;

/* ---- which configuration ---- */

/* Secrets are of no use here: a variable that is not set is no mistake. */
static const char *variable(const void *arg, const char *name)
{
	const char *value = getenv(name);
	(void)arg;
	return value ? value : "unknown";
}

/* number 0: the one in force. */
static struct gg_config *kept(
	const struct gg_args *args, const char *data, uint64_t number, struct gg_revision *ret_note)
{
	static const struct gg_environment env = {.get = variable};
	struct gg_buf text GG_CLEANUP(gg_buf_done) = GG_BUF(CONFIG_TEXT);
	struct gg_problems problems = {0};
	struct gg_config *config = NULL;
	struct gg_error e = {0};
	int rc = gg_revision_read(data, number, ret_note, &text, &e);
	if (rc == 0)
		rc = gg_config_load_text("revision", gg_buf_view(&text), &env, &problems, &config);
	if (rc < 0 && problems.count)
		gg_cli_print_problems(args, &problems);
	else if (rc < 0 && number)
		gg_cli_failed(args, "%s; 'ganglion config history' lists those that are kept", e.text);
	else if (rc < 0)
		gg_cli_failed(args, "no configuration is kept in %s (%s); name one with --config FILE", data,
			e.text);
	gg_problems_done(&problems);
	return config;
}

/* ---- what came of each rule and detector ---- */

/* Events of one kind and key, on both sides. */
struct tally {
	const char *kind, *key;
	size_t count[2], same, clears; /* clears: alike, but over at another time */
};

struct tallies {
	struct tally *items;
	size_t count;
	struct gg_map by_name; /* "kind\x1fkey" -> index + 1 */
};

static bool clears_alike(const struct gg_book_event *e)
{
	return e->like && (e->cleared_ns == e->like->cleared_ns || e->unsettled || e->like->unsettled);
}

static struct tally *tally_of(struct tallies *t, const struct gg_book_event *e)
{
	char name[512];
	int len = snprintf(name, sizeof name, "%s\x1f%s", e->kind, e->key);
	struct gg_str key = gg_str_n(name, gg_min_size((size_t)len, sizeof name - 1));
	uint64_t at = gg_map_get(&t->by_name, key, 0);
	if (at)
		return &t->items[at - 1];
	if (gg_map_put(&t->by_name, key, t->count + 1) < 0)
		return NULL;
	t->items[t->count] = (struct tally){.kind = e->kind, .key = e->key};
	return &t->items[t->count++];
}

static int by_difference(const void *a, const void *b)
{
	const struct tally *x = a, *y = b;
	size_t left = x->count[0] + x->count[1] - 2 * x->same + x->clears;
	size_t right = y->count[0] + y->count[1] - 2 * y->same + y->clears;
	if (left != right)
		return left > right ? -1 : 1;
	int by = strcmp(x->kind, y->kind);
	return by ? by : strcmp(x->key, y->key);
}

/* Those that differ most first. Out of memory they are fewer. */
static void tally_all(struct tallies *t, const struct gg_replay *r)
{
	size_t most = r->book.sides[0].count + r->book.sides[1].count;
	*t = (struct tallies){.items = calloc(most + 1, sizeof *t->items)};
	for (int side = 0; side < 2 && t->items; side++) {
		for (size_t i = 0; i < r->book.sides[side].count; i++) {
			const struct gg_book_event *e = &r->book.sides[side].events[i];
			struct tally *one = e->outside ? NULL : tally_of(t, e);
			if (!one)
				continue;
			one->count[side]++;
			one->same += side == GG_REPLAYED && e->like;
			one->clears += side == GG_REPLAYED && e->like && !clears_alike(e);
		}
	}
	if (t->count > 1)
		qsort(t->items, t->count, sizeof *t->items, by_difference);
}

static void tallies_done(struct tallies *t)
{
	free(t->items);
	gg_map_done(&t->by_name);
}

/* ---- telling ---- */

static const char *time_text(char to[GG_TIME_TEXT], int64_t ns)
{
	if (ns == INT64_MIN || ns == INT64_MAX)
		gg_str_copy(to, GG_TIME_TEXT, ns < 0 ? GG_STR("the beginning") : GG_STR("the end"));
	else
		gg_time_format(to, ns);
	return to;
}

struct sums {
	size_t same_events, only[2], clears; /* clears: alike, but over at another time */
	size_t same_signals, signals;
};

static struct sums sum_up(const struct gg_replay *r)
{
	struct sums s = {0};
	for (int side = 0; side < 2; side++)
		for (size_t i = 0; i < r->book.sides[side].count; i++)
			s.only[side] +=
				!r->book.sides[side].events[i].like && !r->book.sides[side].events[i].outside;
	for (size_t i = 0; i < r->book.sides[GG_REPLAYED].count; i++) {
		const struct gg_book_event *e = &r->book.sides[GG_REPLAYED].events[i];
		s.same_events += clears_alike(e);
		s.clears += e->like && !clears_alike(e);
	}
	for (uint32_t i = 0; i < r->diff.count; i++) {
		const struct gg_diff_signal *d = &r->diff.signals[i];
		if (d->total[0] + d->total[1] == 0)
			continue;
		s.signals++;
		s.same_signals += !d->differs;
	}
	return s;
}

static bool any_difference(const struct sums *s)
{
	return s->only[0] || s->only[1] || s->clears || s->signals != s->same_signals;
}

static void print_tallies(const struct tallies *all)
{
	static const struct gg_column columns[] = {{.title = "EVENTS OF"}, {.title = "WAS", .right = true},
		{.title = "WOULD BE", .right = true}, {.title = "SAME", .right = true},
		{.title = "CLEARED ELSE", .right = true}};
	struct gg_buf out GG_CLEANUP(gg_buf_done) = GG_BUF(GG_TABLE_BYTES);
	struct gg_table t;
	if (all->count == 0)
		return;
	gg_table_init(&t, columns, GG_COUNT(columns));
	for (size_t i = 0; i < all->count && i < SHOWN; i++) {
		const struct tally *one = &all->items[i];
		gg_table_cellf(&t, "%s %s", one->kind, one->key);
		gg_table_cellf(&t, "%zu", one->count[GG_HAPPENED]);
		gg_table_cellf(&t, "%zu", one->count[GG_REPLAYED]);
		gg_table_cellf(&t, "%zu", one->same);
		gg_table_cellf(&t, "%zu", one->clears);
	}
	gg_buf_char(&out, '\n');
	gg_table_write(&t, gg_cli_table_width(), gg_cli_colour(), &out);
	if (all->count > SHOWN)
		gg_buf_printf(&out, "... and %zu more; --json lists all\n", all->count - SHOWN);
	fputs(gg_buf_text(&out), stdout);
	gg_table_done(&t);
}

static void event_row(struct gg_table *t, const struct gg_book_event *e, const char *what, int64_t now)
{
	char opened[GG_TIME_TEXT], cleared[GG_TIME_TEXT] = "";
	gg_when_short(opened, e->opened_ns, now);
	if (e->cleared_ns)
		gg_when_short(cleared, e->cleared_ns, now);
	gg_table_cell(t, gg_str(what));
	gg_table_cell(t, gg_str(opened));
	gg_table_cell(t, gg_str(cleared));
	gg_table_cellf(t, "%s %s", e->kind, e->key);
	gg_table_cell(t, gg_str(e->title));
}

static void print_events(const struct gg_replay *r, const struct sums *s)
{
	static const struct gg_column columns[] = {{.title = ""}, {.title = "OPENED"}, {.title = "CLEARED"},
		{.title = "EVENT"}, {.title = "TITLE"}};
	struct gg_buf out GG_CLEANUP(gg_buf_done) = GG_BUF(GG_TABLE_BYTES);
	struct gg_table t;
	int64_t now = gg_clock_utc(&gg_clock_system);
	size_t left = s->only[0] + s->only[1] + s->clears, shown = 0;
	if (left == 0)
		return;
	gg_table_init(&t, columns, GG_COUNT(columns));
	for (int side = 1; side >= 0; side--) {
		const struct gg_book_side *all = &r->book.sides[side];
		for (size_t i = 0; i < all->count && shown < SHOWN; i++) {
			const struct gg_book_event *e = &all->events[i];
			const char *what = e->outside ? NULL
					   : !e->like ? side == GG_REPLAYED ? "would open" : "would not"
					   : side == GG_REPLAYED && !clears_alike(e) ? "clears then"
										     : NULL;
			if (what)
				event_row(&t, e, what, now);
			shown += what != NULL;
		}
	}
	gg_buf_char(&out, '\n');
	gg_table_write(&t, gg_cli_table_width(), gg_cli_colour(), &out);
	if (left > shown)
		gg_buf_printf(&out, "... and %zu more; --json lists all\n", left - shown);
	fputs(gg_buf_text(&out), stdout);
	gg_table_done(&t);
}

static const char *number(char to[32], double v)
{
	if (isnan(v))
		return "-";
	gg_format_float(to, v);
	return to;
}

static void signal_row(struct gg_table *t, const struct gg_diff_signal *d, int64_t now)
{
	char first[GG_TIME_TEXT], was[32], would[32];
	gg_table_cell(t, d->name);
	gg_table_cellf(t, "%llu", (unsigned long long)d->total[GG_HAPPENED]);
	gg_table_cellf(t, "%llu", (unsigned long long)d->total[GG_REPLAYED]);
	gg_table_cellf(t, "%llu", (unsigned long long)d->same);
	gg_table_cell(t, gg_str(gg_when_short(first, d->first_ns, now)));
	gg_table_cellf(t, "%s -> %s", number(was, d->was), number(would, d->would));
}

static void print_signals(const struct gg_replay *r, const struct sums *s)
{
	static const struct gg_column columns[] = {{.title = "DERIVED SIGNAL"},
		{.title = "WAS", .right = true}, {.title = "WOULD BE", .right = true},
		{.title = "SAME", .right = true}, {.title = "FIRST DIFFERENCE"}, {.title = ""}};
	struct gg_buf out GG_CLEANUP(gg_buf_done) = GG_BUF(GG_TABLE_BYTES);
	struct gg_table t;
	size_t left = s->signals - s->same_signals, shown = 0;
	if (left == 0)
		return;
	gg_table_init(&t, columns, GG_COUNT(columns));
	for (uint32_t i = 0; i < r->diff.count && shown < SHOWN; i++) {
		if (!r->diff.signals[i].differs)
			continue;
		signal_row(&t, &r->diff.signals[i], gg_clock_utc(&gg_clock_system));
		shown++;
	}
	gg_buf_char(&out, '\n');
	gg_table_write(&t, gg_cli_table_width(), gg_cli_colour(), &out);
	if (left > shown)
		gg_buf_printf(&out, "... and %zu more; --json lists all\n", left - shown);
	fputs(gg_buf_text(&out), stdout);
	gg_table_done(&t);
}

/* Changes of the configuration in the range explain differences. */
static void print_revisions(const struct gg_replay *r, const char *data)
{
	struct gg_revision *all = NULL;
	size_t count = 0;
	char time[GG_TIME_TEXT];
	if (gg_revisions_list(data, &all, &count, NULL) < 0)
		return;
	for (size_t i = 0; i < count; i++)
		if (all[i].time_ns > r->from_ns && all[i].time_ns < r->to_ns && i > 0)
			printf("note: revision %llu came into force at %s, in between\n",
				(unsigned long long)all[i].number, time_text(time, all[i].time_ns));
	free(all);
}

static void print_text(const struct gg_replay *r, const struct sums *s, const char *name, const char *data)
{
	char from[GG_TIME_TEXT], to[GG_TIME_TEXT];
	printf("%s, from %s to %s: %llu inputs with %llu samples in %.2f s\n", name,
		time_text(from, r->from_ns), time_text(to, r->to_ns), (unsigned long long)r->inputs,
		(unsigned long long)r->samples, r->seconds);
	if (r->cold)
		puts("note: the journal no longer holds the state before that; windows and detectors began "
		     "as new");
	if (any_difference(s))
		print_revisions(r, data);
	printf("events: %zu the same, %zu only in the replay, %zu only in what happened, %zu cleared at "
	       "another "
	       "time\nderived signals: %zu the same, %zu different\n",
		s->same_events, s->only[GG_REPLAYED], s->only[GG_HAPPENED], s->clears, s->same_signals,
		s->signals - s->same_signals);
	struct tallies tallies;
	tally_all(&tallies, r);
	print_tallies(&tallies);
	tallies_done(&tallies);
	print_events(r, s);
	print_signals(r, s);
	if (!any_difference(s))
		puts("no difference");
}

/* ---- JSON ---- */

static void put_range_time(struct gg_json_writer *w, const char *key, int64_t ns)
{
	if (ns != INT64_MIN && ns != INT64_MAX)
		gg_json_put_time(w, key, ns);
}

static void put_events(
	struct gg_json_writer *w, const struct gg_replay *r, enum gg_side side, const char *key)
{
	const struct gg_book_side *all = &r->book.sides[side];
	gg_json_key(w, gg_str(key));
	gg_json_begin_array(w);
	for (size_t i = 0; i < all->count; i++) {
		const struct gg_book_event *e = &all->events[i];
		if (e->outside)
			continue;
		gg_json_begin_object(w);
		if (e->id)
			gg_json_put_int(w, "id", (int64_t)e->id);
		gg_json_put_str(w, "kind", gg_str(e->kind));
		gg_json_put_str(w, "key", gg_str(e->key));
		gg_json_put_str(w, "title", gg_str(e->title));
		gg_json_put_time(w, "opened", e->opened_ns);
		if (e->cleared_ns)
			gg_json_put_time(w, "cleared", e->cleared_ns);
		gg_json_put_bool(w, "same", clears_alike(e));
		gg_json_put_bool(w, "both", e->like != NULL);
		gg_json_end_object(w);
	}
	gg_json_end_array(w);
}

static void put_signals(struct gg_json_writer *w, const struct gg_replay *r)
{
	gg_json_key(w, GG_STR("signals"));
	gg_json_begin_array(w);
	for (uint32_t i = 0; i < r->diff.count; i++) {
		const struct gg_diff_signal *d = &r->diff.signals[i];
		if (d->total[0] + d->total[1] == 0)
			continue;
		gg_json_begin_object(w);
		gg_json_put_str(w, "signal", d->name);
		gg_json_put_int(w, "happened", (int64_t)d->total[GG_HAPPENED]);
		gg_json_put_int(w, "replayed", (int64_t)d->total[GG_REPLAYED]);
		gg_json_put_int(w, "same", (int64_t)d->same);
		gg_json_put_int(w, "changed", (int64_t)d->changed);
		gg_json_put_int(w, "only_happened", (int64_t)d->only[GG_HAPPENED]);
		gg_json_put_int(w, "only_replayed", (int64_t)d->only[GG_REPLAYED]);
		if (d->differs) {
			gg_json_put_time(w, "first_difference", d->first_ns);
			gg_json_put_float(w, "was", d->was);
			gg_json_put_float(w, "would", d->would);
		}
		gg_json_end_object(w);
	}
	gg_json_end_array(w);
}

static void put_tallies(struct gg_json_writer *w, const struct gg_replay *r)
{
	struct tallies all;
	tally_all(&all, r);
	gg_json_key(w, GG_STR("by_key"));
	gg_json_begin_array(w);
	for (size_t i = 0; i < all.count; i++) {
		gg_json_begin_object(w);
		gg_json_put_str(w, "kind", gg_str(all.items[i].kind));
		gg_json_put_str(w, "key", gg_str(all.items[i].key));
		gg_json_put_int(w, "happened", (int64_t)all.items[i].count[GG_HAPPENED]);
		gg_json_put_int(w, "replayed", (int64_t)all.items[i].count[GG_REPLAYED]);
		gg_json_put_int(w, "same", (int64_t)all.items[i].same);
		gg_json_put_int(w, "cleared_differently", (int64_t)all.items[i].clears);
		gg_json_end_object(w);
	}
	gg_json_end_array(w);
	tallies_done(&all);
}

static int print_json(const struct gg_replay *r, const struct sums *s, const char *name)
{
	struct gg_buf out GG_CLEANUP(gg_buf_done) = GG_BUF(GG_ANSWER_BYTES);
	struct gg_json_writer w = gg_json_writer(&out);
	gg_json_begin_object(&w);
	gg_json_put_str(&w, "configuration", gg_str(name));
	put_range_time(&w, "from", r->from_ns);
	put_range_time(&w, "to", r->to_ns);
	gg_json_put_int(&w, "inputs", (int64_t)r->inputs);
	gg_json_put_int(&w, "samples", (int64_t)r->samples);
	gg_json_put_int(&w, "ticks", (int64_t)r->ticks);
	gg_json_put_float(&w, "seconds", r->seconds);
	gg_json_put_bool(&w, "cold", r->cold);
	gg_json_put_bool(&w, "difference", any_difference(s));
	gg_json_key(&w, GG_STR("events"));
	gg_json_begin_object(&w);
	gg_json_put_int(&w, "same", (int64_t)s->same_events);
	gg_json_put_int(&w, "only_happened", (int64_t)s->only[GG_HAPPENED]);
	gg_json_put_int(&w, "only_replayed", (int64_t)s->only[GG_REPLAYED]);
	gg_json_put_int(&w, "cleared_differently", (int64_t)s->clears);
	put_tallies(&w, r);
	put_events(&w, r, GG_HAPPENED, "happened");
	put_events(&w, r, GG_REPLAYED, "replayed");
	gg_json_end_object(&w);
	put_signals(&w, r);
	gg_json_end_object(&w);
	if (out.error)
		return gg_cli_failed(r->args, "out of memory");
	puts(gg_buf_text(&out));
	return 0;
}

/* ---- the command ---- */

static int take_range(struct gg_replay *r, const char *data)
{
	int64_t now = gg_clock_utc(&gg_clock_system);
	const char *from = gg_arg(r->args, "from"), *to = gg_arg(r->args, "to");
	r->from_ns = INT64_MIN;
	r->to_ns = gg_client_is_at_work(data) ? now - settle_ns : INT64_MAX;
	if ((from && gg_when_parse(gg_str(from), now, &r->from_ns) < 0) ||
		(to && gg_when_parse(gg_str(to), now, &r->to_ns) < 0))
		return gg_cli_wrong(r->args, "--from and --to: expected a time like 2026-03-01T12:00:00Z, or "
					     "how long ago, like -1h");
	return r->from_ns < r->to_ns ? 0 : gg_cli_wrong(r->args, "--from: expected a time before --to");
}

static int tell(const struct gg_replay *r, const char *name, const char *data)
{
	struct sums s = sum_up(r);
	int rc = 0;
	if (r->args->json)
		rc = print_json(r, &s, name);
	else
		print_text(r, &s, name, data);
	return rc ? rc : gg_arg(r->args, "check") && any_difference(&s) ? 1 : 0;
}

/* What is to be tried, and what it is called. NULL: it was told what is wrong. */
static struct gg_config *choose(const struct gg_args *args, const char *data, char *name, size_t size)
{
	const char *file = gg_arg(args, "config"), *revision = gg_arg(args, "revision");
	struct gg_revision note = {0};
	struct gg_config *config = NULL;
	uint64_t number = 0;
	if (file && revision) {
		gg_cli_wrong(args, "--config and --revision: one of them only");
	} else if (revision && (gg_parse_uint(gg_str(revision), &number) < 0 || number == 0)) {
		gg_cli_wrong(args, "--revision: expected a number, as 'ganglion config history' lists them");
	} else if (file) {
		snprintf(name, size, "%s", file);
		if (gg_cli_load_config(args, file, &config) < 0)
			config = NULL;
	} else {
		config = kept(args, data, number, &note);
		snprintf(name, size, "revision %llu%s", (unsigned long long)note.number,
			number ? "" : ", in force");
	}
	return config;
}

int gg_cmd_replay(const struct gg_args *args)
{
	char data[GG_DATA_DIR], journal[GG_DATA_DIR + 16], text[1024], name[GG_DATA_DIR];
	struct gg_error e = {0};
	struct gg_replay r = {.args = args, .journal_dir = journal};
	if (args->word_count)
		return gg_cli_wrong(args,
			"no argument expected; the configuration is given with --config FILE "
			"or --revision N");
	if (gg_client_find_data(args, data) < 0)
		return gg_cli_failed(
			args, "no data folder found; say with --data DIR where the recorded history lies");
	snprintf(journal, sizeof journal, "%s/journal", data);
	if (access(journal, R_OK | X_OK) != 0)
		return gg_cli_failed(args, "%s: %s", journal, strerror(errno));
	int rc = take_range(&r, data);
	if (rc)
		return rc;
	gg_log_setup(GG_ERROR, GG_LOG_TEXT, STDERR_FILENO);
	gg_components_set(gg_all_components);
	rc = gg_cli_unseal(args, data);
	r.config = rc == 0 ? choose(args, data, name, sizeof name) : NULL;
	if (!r.config)
		return 1;
	r.root = gg_cli_root();
	if (gg_replay_run(&r, &e) < 0)
		rc = gg_cli_failed(args, "%s", gg_error_format(&e, text, sizeof text));
	else
		rc = tell(&r, name, data);
	gg_diff_done(&r.diff);
	gg_book_done(&r.book);
	gg_config_free(r.config);
	return rc;
}

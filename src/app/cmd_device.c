/* SPDX-License-Identifier: Apache-2.0 */
/* `ganglion device`: which there are, how they are, and who may connect. */
#include "app/client.h"
#include "app/secret.h"
#include "app/table.h"
#include "app/when.h"

enum { PATH_MAX_BYTES = 4096, OUT_MAX = 64 << 20 };

static int call_device(struct gg_client *c, const char *method, const char *id, struct gg_reply *r)
{
	struct gg_buf path GG_CLEANUP(gg_buf_done) = GG_BUF(PATH_MAX_BYTES);
	gg_buf_str(&path, GG_STR("/api/v1/devices/"));
	gg_url_escape(&path, gg_str(id));
	return gg_client_call(c, method, gg_buf_text(&path), GG_STR(""), NULL, r);
}

/* ---- list ---- */

static void row(struct gg_table *t, const struct gg_node *n, int64_t now)
{
	const struct gg_node *health = gg_node_get(n, "health"), *reg = gg_node_get(n, "registration");
	int64_t seen = gg_node_time(n, "last_seen");
	char age[16];
	struct gg_str state = gg_node_text(health, "state"), reason = gg_node_text(health, "reason");
	gg_table_cell(t, gg_node_text(n, "id"));
	gg_table_cellf(t, "%.*s%s%.*s", GG_STR_ARG(state), reason.len ? ": " : "", GG_STR_ARG(reason));
	gg_table_cell(t, gg_node_text(n, "driver"));
	gg_table_cell(t, gg_node_text(n, "signals"));
	gg_table_cell(t, seen ? gg_str(gg_when_age(age, now - seen)) : GG_STR("never"));
	struct gg_str credential = gg_node_text(reg, "credential");
	gg_table_cellf(
		t, "%s%.*s", gg_node_true(reg, "application") ? "application, " : "", GG_STR_ARG(credential));
}

static int draw_list(void *arg, struct gg_buf *to)
{
	static const struct gg_column columns[] = {{.title = "DEVICE", .keep = true}, {.title = "HEALTH"},
		{.title = "DRIVER"}, {.title = "SIGNALS", .right = true},
		{.title = "HEARD OF", .right = true}, {.title = "REGISTERED"}};
	struct gg_table t;
	struct gg_reply r;
	int64_t now = gg_clock_utc(&gg_clock_system);
	int rc = gg_client_call(arg, "GET", "/api/v1/devices", GG_STR(""), NULL, &r);
	const struct gg_node *all = rc == 0 ? gg_node_get(r.root, "devices") : NULL;
	gg_table_init(&t, columns, GG_COUNT(columns));
	for (const struct gg_node *n = all ? all->first : NULL; n; n = n->next)
		if (!gg_str_is(gg_node_text(n, "kind"), "pipeline"))
			row(&t, n, now);
	if (rc == 0 && gg_table_rows(&t) == 0)
		gg_buf_str(to, GG_STR("no device yet\n"));
	else if (rc == 0)
		gg_table_write(&t, gg_cli_table_width(), gg_cli_colour(), to);
	gg_table_done(&t);
	gg_reply_done(&r);
	return rc;
}

static int draw_json(void *arg, struct gg_buf *to)
{
	struct gg_reply r;
	int rc = gg_client_call(arg, "GET", "/api/v1/devices", GG_STR(""), NULL, &r);
	if (rc == 0)
		gg_buf_str(to, gg_buf_view(&r.body));
	gg_reply_done(&r);
	return rc;
}

static int list(const struct gg_args *args)
{
	struct gg_buf out GG_CLEANUP(gg_buf_done) = GG_BUF(OUT_MAX);
	struct gg_client *c = gg_client_open(args);
	int (*draw)(void *, struct gg_buf *) = args->json ? draw_json : draw_list;
	if (!c)
		return 1;
	int rc = gg_arg(args, "watch") ? gg_cli_watch(1, draw, c) : draw(c, &out);
	if (rc == 0)
		fputs(gg_buf_text(&out), stdout);
	gg_client_close(c);
	return rc;
}

/* ---- show ---- */

static void put_line(struct gg_buf *to, const char *what, struct gg_str text)
{
	if (text.len == 0)
		return;
	gg_buf_printf(to, "%-12s ", what);
	gg_text_clean(to, text, false);
	gg_buf_char(to, '\n');
}

static void put_pairs(struct gg_buf *to, const char *what, const struct gg_node *pairs)
{
	for (const struct gg_node *p = pairs ? pairs->first : NULL; p; p = p->next) {
		char text[400];
		struct gg_str value = gg_node_scalar(p);
		snprintf(text, sizeof text, "%.*s: %.*s", (int)gg_min_size(p->key.len, 120), p->key.p,
			(int)gg_min_size(value.len, 256), value.p);
		put_line(to, what, gg_str(text));
	}
}

static void print_device(const struct gg_node *n, struct gg_buf *to)
{
	const struct gg_node *health = gg_node_get(n, "health"), *reg = gg_node_get(n, "registration");
	const struct gg_node *labels = gg_node_get(n, "labels"), *properties = gg_node_get(n, "properties");
	put_line(to, "device", gg_node_text(n, "id"));
	put_line(to, "title", gg_node_text(n, "title"));
	put_line(to, "driver", gg_node_text(n, "driver"));
	put_line(to, "health", gg_node_text(health, "state"));
	put_line(to, "reason", gg_node_text(health, "reason"));
	put_line(to, "since", gg_node_text(health, "since"));
	put_line(to, "heard of", gg_node_text(n, "last_seen"));
	put_pairs(to, "label", labels);
	put_pairs(to, "says", properties);
	put_line(to, "credential",
		gg_node_true(reg, "scram") ? GG_STR("password, also by SCRAM-SHA-256")
					   : gg_node_text(reg, "credential"));
	if (reg)
		put_line(to, "application", gg_node_text(reg, "application"));
	put_line(to, "registered", gg_node_text(reg, "created"));
}

static int print_signals(struct gg_client *c, const char *id, struct gg_buf *to)
{
	static const struct gg_column columns[] = {{.title = "SIGNAL"}, {.title = "VALUE", .right = true},
		{.title = "UNIT"}, {.title = "QUALITY"}};
	struct gg_buf path GG_CLEANUP(gg_buf_done) = GG_BUF(PATH_MAX_BYTES);
	struct gg_table t;
	struct gg_reply r;
	gg_buf_str(&path, GG_STR("/api/v1/signals?limit=200&device="));
	gg_url_escape(&path, gg_str(id));
	int rc = gg_client_call(c, "GET", gg_buf_text(&path), GG_STR(""), NULL, &r);
	const struct gg_node *all = rc == 0 ? gg_node_get(r.root, "signals") : NULL;
	gg_table_init(&t, columns, GG_COUNT(columns));
	for (const struct gg_node *n = all ? all->first : NULL; n; n = n->next) {
		const struct gg_node *last = gg_node_get(n, "last");
		gg_table_cell(&t, gg_node_text(n, "name"));
		gg_table_cell(&t, gg_node_text(last, "value"));
		gg_table_cell(&t, gg_node_text(n, "unit"));
		gg_table_cell(&t, gg_node_text(last, "quality"));
	}
	if (gg_table_rows(&t)) {
		gg_buf_char(to, '\n');
		gg_table_write(&t, gg_cli_table_width(), gg_cli_colour(), to);
	}
	gg_table_done(&t);
	gg_reply_done(&r);
	return rc;
}

static int show(const struct gg_args *args)
{
	struct gg_buf out GG_CLEANUP(gg_buf_done) = GG_BUF(OUT_MAX);
	struct gg_reply r;
	struct gg_client *c = gg_client_open(args);
	if (!c)
		return 1;
	int rc = call_device(c, "GET", args->words[0], &r);
	if (rc == 0 && args->json)
		gg_buf_str(&out, gg_buf_view(&r.body));
	else if (rc == 0)
		print_device(r.root, &out);
	gg_reply_done(&r);
	if (rc == 0 && !args->json)
		rc = print_signals(c, args->words[0], &out);
	if (rc == 0)
		fputs(gg_buf_text(&out), stdout);
	gg_client_close(c);
	return rc;
}

/* ---- add and remove ---- */

static bool flag(const struct gg_args *args, const char *name)
{
	return gg_arg(args, name) != NULL;
}

static int get_password(const struct gg_args *args, char password[GG_SECRET_MAX])
{
	char what[200];
	snprintf(what, sizeof what, "Password of %.150s", args->words[0]);
	if (flag(args, "password-file"))
		return gg_secret_read(args, gg_arg(args, "password-file"), password);
	return flag(args, "password") ? gg_secret_ask(args, what, password) : gg_secret_make(args, password);
}

static void tell_added(
	const struct gg_args *args, const struct gg_node *root, const char *password, bool made)
{
	struct gg_str token = gg_node_text(root, "token");
	if (token.len)
		printf("%.*s\n", GG_STR_ARG(token));
	else if (made)
		printf("%s\n", password);
	if (args->quiet)
		return;
	fprintf(stderr, "%s is registered%s%s\n", args->words[0],
		token.len || made           ? "; this is shown once: its "
		: flag(args, "certificate") ? "; it shows a certificate with this common name"
					    : "",
		token.len ? "token"
		: made    ? "password"
			  : "");
}

/* With --json what was made up here stands beside what the API says. */
static void print_added_json(struct gg_reply *r, const char *password, bool made)
{
	struct gg_str answer = gg_str_trim(gg_buf_view(&r->body));
	if (!made || answer.len < 2) {
		printf("%.*s\n", GG_STR_ARG(answer));
		return;
	}
	struct gg_buf out GG_CLEANUP(gg_buf_done) = GG_BUF(1 << 20);
	struct gg_json_writer w = gg_json_writer(&out);
	gg_json_begin_object(&w);
	gg_json_put_str(&w, "password", gg_str(password));
	gg_json_end_object(&w);
	out.len--; /* the brace */
	gg_buf_char(&out, ',');
	gg_buf_add(&out, answer.p + 1, answer.len - 1);
	puts(gg_buf_text(&out));
}

/* What kind of credential the options ask for. */
struct wish {
	bool token, certificate, given; /* given: a password, or a file with it */
};

static int read_wish(const struct gg_args *args, struct wish *ret_wish)
{
	const struct wish w = {flag(args, "token"), flag(args, "certificate"),
		flag(args, "password") || flag(args, "password-file")};
	if (w.token + w.certificate + w.given > 1)
		return gg_cli_wrong(args, "one credential: --password, --token or --certificate");
	if (flag(args, "scram") && (w.token || w.certificate))
		return gg_cli_wrong(args, "--scram with a password, of which its verifier is made");
	*ret_wish = w;
	return 0;
}

static void write_wish(
	const struct gg_args *args, const struct wish *wish, const char *password, struct gg_buf *to)
{
	struct gg_json_writer w = gg_json_writer(to);
	gg_json_begin_object(&w);
	gg_json_put_str(&w, "id", gg_str(args->words[0]));
	if (password[0])
		gg_json_put_str(&w, "password", gg_str(password));
	if (flag(args, "scram"))
		gg_json_put_bool(&w, "scram", true);
	if (wish->token)
		gg_json_put_bool(&w, "token", true);
	if (wish->certificate)
		gg_json_put_bool(&w, "certificate", true);
	gg_json_put_bool(&w, "application", flag(args, "application"));
	gg_json_end_object(&w);
}

static int add(const struct gg_args *args)
{
	struct gg_buf body GG_CLEANUP(gg_buf_done) = GG_BUF(64 << 10);
	char password[GG_SECRET_MAX] = "";
	struct wish wish = {0};
	struct gg_reply r;
	int rc = read_wish(args, &wish);
	if (rc != 0)
		return rc;
	bool with_password = !wish.token && !wish.certificate, made = with_password && !wish.given;
	struct gg_client *c = gg_client_open(args);
	if (!c)
		return 1;
	rc = with_password ? get_password(args, password) : 0;
	write_wish(args, &wish, password, &body);
	if (rc == 0) {
		rc = gg_client_call(c, "POST", "/api/v1/devices", gg_buf_view(&body), NULL, &r);
		if (rc == 0 && args->json)
			print_added_json(&r, password, made);
		else if (rc == 0)
			tell_added(args, r.root, password, made);
		gg_reply_done(&r);
	}
	if (body.p)
		explicit_bzero(body.p, body.cap);
	explicit_bzero(password, sizeof password);
	gg_client_close(c);
	return rc;
}

static int take_away(const struct gg_args *args)
{
	struct gg_reply r;
	struct gg_client *c = gg_client_open(args);
	if (!c)
		return 1;
	int rc = call_device(c, "DELETE", args->words[0], &r);
	if (rc == 0 && args->json)
		puts("{\"removed\":true}");
	else if (rc == 0 && !args->quiet)
		printf("%s is no longer registered\n", args->words[0]);
	gg_reply_done(&r);
	gg_client_close(c);
	return rc;
}

int gg_cmd_device(const struct gg_args *args)
{
	static const struct gg_verb verbs[] = {{"list", "", 0, 0, list}, {"show", "ID", 1, 1, show},
		{"add", "ID", 1, 1, add}, {"remove", "ID", 1, 1, take_away}, {0}};
	return gg_cli_verb(args, verbs);
}

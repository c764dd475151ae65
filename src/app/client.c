/* SPDX-License-Identifier: Apache-2.0 */
#include "app/client.h"
#include "app/output.h"
#include "app/table.h"
#include "app/when.h"
#include "net/curl.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { TOKEN_MAX = 4096, TREE_MEMORY = 1 << 30, CONNECT_MS = 5000, ANSWER_S = 60 };

struct pouring;

struct gg_client {
	const struct gg_args *args;
	CURL *curl;
	char data[GG_DATA_DIR]; /* "" = elsewhere */
	char socket[GG_DATA_DIR + 32];
	const char *base; /* http://localhost or the URL given */
	char token[TOKEN_MAX];
	char code[40];
	struct pouring *pouring; /* the answer goes there, piece by piece */
};

/* ---- where is it? ---- */

/* That of the demo keeps its gateway's folder in its own. */
static const char *const usual[] = {"ganglion-data", "site-data/data", "/var/lib/ganglion"};

static int socket_path(const char *data, char *to, size_t size)
{
	const size_t most = sizeof((struct sockaddr_un *)NULL)->sun_path;
	return (size_t)snprintf(to, size, "%s/api.sock", data) < most ? 0 : -ENAMETOOLONG;
}

bool gg_client_is_at_work(const char *data)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	if (socket_path(data, to.sun_path, sizeof to.sun_path) < 0)
		return false;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	bool answers = connect(fd, (struct sockaddr *)&to, sizeof to) == 0 || errno == EACCES;
	close(fd);
	return answers;
}

static bool is_data(const char *dir)
{
	char path[GG_DATA_DIR];
	struct stat st;
	snprintf(path, sizeof path, "%s/journal", dir);
	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

int gg_client_find_data(const struct gg_args *args, char ret_data[GG_DATA_DIR])
{
	const char *given = gg_arg(args, "data");
	if (!given)
		given = getenv("GANGLION_DATA");
	for (size_t i = 0; !given && i < GG_COUNT(usual); i++)
		if (gg_client_is_at_work(usual[i]))
			given = usual[i];
	for (size_t i = 0; !given && i < GG_COUNT(usual); i++)
		if (is_data(usual[i]))
			given = usual[i];
	if (!given)
		return -ENOENT;
	char inner[GG_DATA_DIR]; /* --data site-data, as the demo was started */
	snprintf(inner, sizeof inner, "%s/data", given);
	if (!is_data(given) && is_data(inner))
		given = inner;
	return gg_str_copy(ret_data, GG_DATA_DIR, gg_str(given)) >= GG_DATA_DIR ? -ENOENT : 0;
}

/* ---- open and close ---- */

static int read_token(struct gg_client *c)
{
	const char *path = gg_arg(c->args, "token-file"), *text = getenv("GANGLION_TOKEN");
	if (!path) {
		gg_str_copy(c->token, sizeof c->token, gg_str(text));
		return 0;
	}
	FILE *f = fopen(path, "re");
	if (!f)
		return gg_cli_failed(c->args, "--token-file %s: %s", path, strerror(errno));
	char line[TOKEN_MAX] = "";
	if (!fgets(line, sizeof line, f))
		line[0] = '\0';
	fclose(f);
	struct gg_str token = gg_str_trim(gg_str(line));
	gg_str_copy(c->token, sizeof c->token, token);
	return token.len ? 0 : gg_cli_failed(c->args, "--token-file %s is empty", path);
}

static int setup(struct gg_client *c)
{
	const char *url = gg_arg(c->args, "gateway");
	struct gg_error e = {0};
	if (gg_curl_load(&e) < 0)
		return gg_cli_failed(c->args, "%s", e.text);
	c->curl = curl_easy_init();
	if (!c->curl)
		return gg_cli_failed(c->args, "out of memory");
	if (!url) {
		c->base = "http://localhost";
		if (socket_path(c->data, c->socket, sizeof c->socket) == 0)
			return 0;
		return gg_cli_failed(c->args,
			"%s is too long a path for a unix socket; go there and say --data ., or use "
			"--gateway URL with "
			"a token",
			c->data);
	}
	if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)
		return gg_cli_wrong(
			c->args, "--gateway: expected http://HOST:PORT or https://HOST:PORT, got %s", url);
	c->base = url;
	return read_token(c);
}

static struct gg_client *client_new(const struct gg_args *args)
{
	struct gg_client *c = calloc(1, sizeof *c);
	if (c)
		c->args = args;
	return c;
}

static bool elsewhere(const struct gg_args *args)
{
	return gg_arg(args, "gateway") != NULL;
}

struct gg_client *gg_client_open(const struct gg_args *args)
{
	struct gg_client *c = client_new(args);
	if (c && !elsewhere(args) && gg_client_find_data(args, c->data) < 0) {
		gg_cli_failed(args, "no gateway found: none of ./ganglion-data, ./site-data and "
				    "/var/lib/ganglion is there.\n"
				    "Start one with 'ganglion run', say with --data DIR where its data lie, "
				    "or with --gateway "
				    "URL where it is");
		free(c);
		return NULL;
	}
	if (c && setup(c) == 0)
		return c;
	gg_client_close(c);
	return NULL;
}

struct gg_client *gg_client_try(const struct gg_args *args, char ret_data[GG_DATA_DIR])
{
	ret_data[0] = '\0';
	if (elsewhere(args))
		return gg_client_open(args);
	if (gg_client_find_data(args, ret_data) < 0 || !gg_client_is_at_work(ret_data))
		return NULL;
	return gg_client_open(args);
}

void gg_client_close(struct gg_client *c)
{
	if (!c)
		return;
	if (c->curl)
		curl_easy_cleanup(c->curl);
	explicit_bzero(c->token, sizeof c->token);
	free(c);
}

/* ---- a request ---- */

static size_t take_body(char *data, size_t size, size_t count, void *arg)
{
	struct gg_buf *body = arg;
	gg_buf_add(body, data, size * count);
	return body->error ? 0 : size * count;
}

static int no_answer(struct gg_client *c, CURLcode code)
{
	long reason = 0;
	curl_easy_getinfo(c->curl, CURLINFO_OS_ERRNO, &reason);
	if (c->socket[0] && reason == EACCES)
		return gg_cli_failed(c->args,
			"no permission to open %s: run this as the user the gateway runs as, or use "
			"--gateway URL "
			"with a token",
			c->socket);
	if (c->socket[0] && code != CURLE_OPERATION_TIMEDOUT)
		return gg_cli_failed(c->args,
			"the gateway is not running: nobody answers at %s. Start it with 'ganglion run "
			"--data %s'",
			c->socket, c->data);
	if (code == CURLE_PEER_FAILED_VERIFICATION)
		return gg_cli_failed(c->args,
			"%s shows a certificate that is not trusted; if it is the gateway's own, give it "
			"with --ca "
			"FILE (it lies in its data folder as api-certificate.pem)",
			c->base);
	return gg_cli_failed(c->args, "no answer from %s: %s", c->base, curl_easy_strerror(code));
}

static int refused(struct gg_client *c, const struct gg_reply *r)
{
	struct gg_buf text GG_CLEANUP(gg_buf_done) = GG_BUF(64 << 10);
	struct gg_str detail = gg_node_text(r->root, "detail");
	gg_str_copy(c->code, sizeof c->code, gg_node_text(r->root, "code"));
	if (detail.len == 0)
		detail = gg_node_text(r->root, "title");
	gg_text_clean(&text, detail.len ? detail : GG_STR("the gateway refused"), /* lines= */ true);
	if (r->status == 401)
		return gg_cli_failed(c->args, "%s\n%s", gg_buf_text(&text),
			c->token[0]
				? "The token is unknown here, revoked or expired: 'ganglion key list' on the "
				  "gateway's machine shows those there are"
				: "Give a token in $GANGLION_TOKEN or with --token-file FILE; 'ganglion key "
				  "create' on the gateway's machine makes one");
	return gg_cli_failed(c->args, "%s", gg_buf_text(&text));
}

static void set_options(struct gg_client *c, const char *method, struct gg_str body, struct gg_reply *r)
{
	curl_easy_reset(c->curl);
	if (c->socket[0])
		curl_easy_setopt(c->curl, CURLOPT_UNIX_SOCKET_PATH, c->socket);
	if (gg_arg(c->args, "ca"))
		curl_easy_setopt(c->curl, CURLOPT_CAINFO, gg_arg(c->args, "ca"));
	curl_easy_setopt(c->curl, CURLOPT_CUSTOMREQUEST, method);
	curl_easy_setopt(c->curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(c->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c->curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
	curl_easy_setopt(c->curl, CURLOPT_TIMEOUT, (long)ANSWER_S);
	curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, &r->body);
	if (c->socket[0])
		curl_easy_setopt(c->curl, CURLOPT_PROXY, "");
	if (body.len || strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0) {
		curl_easy_setopt(c->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len);
		curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, body.p ? body.p : "");
	}
}

static struct curl_slist *headers(const struct gg_client *c, struct gg_str body, const char *media)
{
	char text[TOKEN_MAX + 32];
	struct curl_slist *list = curl_slist_append(NULL, "Accept: application/json");
	snprintf(text, sizeof text, "Content-Type: %s", media ? media : "application/json");
	if (body.len)
		list = curl_slist_append(list, text);
	snprintf(text, sizeof text, "Authorization: Bearer %s", c->token);
	if (c->token[0])
		list = curl_slist_append(list, text);
	explicit_bzero(text, sizeof text);
	return curl_slist_append(list, "Expect:");
}

static size_t take_piece(char *data, size_t size, size_t count, void *arg);
static int look_around(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d);

/* It takes as long as it takes, and is ended by Ctrl-C. */
static void set_pouring(struct gg_client *c)
{
	curl_easy_setopt(c->curl, CURLOPT_TIMEOUT, 0L);
	curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, take_piece);
	curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, c->pouring);
	curl_easy_setopt(c->curl, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(c->curl, CURLOPT_XFERINFOFUNCTION, look_around);
}

static CURLcode perform(struct gg_client *c, const char *method, const char *path, struct gg_str body,
	const char *media, struct gg_reply *r)
{
	struct gg_buf url GG_CLEANUP(gg_buf_done) = GG_BUF(64 << 10);
	struct curl_slist *list = headers(c, body, media);
	long status = 0;
	size_t end = strlen(c->base);
	while (end && c->base[end - 1] == '/')
		end--;
	gg_buf_add(&url, c->base, end);
	gg_buf_str(&url, gg_str(path));
	set_options(c, method, body, r);
	if (c->pouring)
		set_pouring(c);
	curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, list);
	curl_easy_setopt(c->curl, CURLOPT_URL, gg_buf_text(&url));
	CURLcode code = curl_easy_perform(c->curl);
	curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
	r->status = (int)status;
	curl_slist_free_all(list);
	return code;
}

int gg_client_call(struct gg_client *c, const char *method, const char *path, struct gg_str body,
	const char *media, struct gg_reply *r)
{
	const char *type = NULL;
	*r = (struct gg_reply){.body = GG_BUF(GG_ANSWER_BYTES), .arena = GG_ARENA(TREE_MEMORY)};
	c->code[0] = '\0';
	CURLcode code = perform(c, method, path, body, media, r);
	if (code != CURLE_OK)
		return no_answer(c, code);
	curl_easy_getinfo(c->curl, CURLINFO_CONTENT_TYPE, &type);
	if (type && (strstr(type, "json")) && gg_node_parse(&r->arena, gg_buf_view(&r->body), &r->root) < 0)
		return gg_cli_failed(c->args, "the answer of the gateway can't be read");
	return r->status >= 400 ? refused(c, r) : 0;
}

/* ---- an answer that is long ---- */

struct pouring {
	struct gg_client *c;
	const struct gg_sink *sink;
	struct gg_reply reply; /* of a refusal */
	int status;            /* of the sink */
};

static size_t take_piece(char *data, size_t size, size_t count, void *arg)
{
	struct pouring *p = arg;
	long status = 0;
	curl_easy_getinfo(p->c->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status >= 400)
		return take_body(data, size, count, &p->reply.body);
	p->status = gg_sink_write(p->sink, data, size * count);
	return p->status < 0 ? 0 : size * count;
}

static int look_around(GG_UNUSED void *arg, GG_UNUSED curl_off_t a, GG_UNUSED curl_off_t b,
	GG_UNUSED curl_off_t c, GG_UNUSED curl_off_t d)
{
	return gg_cli_interrupted();
}

static int poured(struct pouring *p, CURLcode code)
{
	struct gg_client *c = p->c;
	if (gg_cli_interrupted())
		return gg_cli_failed(c->args, "cancelled");
	if (p->status < 0 && p->status != -EPIPE)
		return gg_cli_failed(c->args, "the result can't be written: %s", strerror(-p->status));
	if (p->status < 0)
		return 1; /* whoever read has gone */
	if (code == CURLE_PARTIAL_FILE || code == CURLE_RECV_ERROR || code == CURLE_GOT_NOTHING)
		return gg_cli_failed(
			c->args, "the gateway broke its answer off in the middle; its log says why");
	if (code != CURLE_OK)
		return no_answer(c, code);
	if (p->reply.status < 400)
		return 0;
	gg_node_parse(&p->reply.arena, gg_buf_view(&p->reply.body), &p->reply.root);
	return refused(c, &p->reply);
}

int gg_client_pour(struct gg_client *c, const char *method, const char *path, struct gg_str body,
	const struct gg_sink *sink)
{
	struct pouring p = {.c = c, .sink = sink};
	p.reply = (struct gg_reply){.body = GG_BUF(GG_ANSWER_BYTES), .arena = GG_ARENA(TREE_MEMORY)};
	c->code[0] = '\0';
	c->pouring = &p;
	CURLcode code = perform(c, method, path, body, NULL, &p.reply);
	c->pouring = NULL;
	int rc = poured(&p, code);
	gg_reply_done(&p.reply);
	return rc;
}

void gg_reply_done(struct gg_reply *r)
{
	gg_buf_done(&r->body);
	gg_arena_done(&r->arena);
	r->root = NULL;
}

const char *gg_client_code(const struct gg_client *c)
{
	return c->code;
}

void gg_url_escape(struct gg_buf *to, struct gg_str s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char b = (unsigned char)s.p[i];
		bool plain = (b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z') || (b >= '0' && b <= '9') ||
			     (b && strchr("-._~/", b));
		if (plain)
			gg_buf_char(to, (char)b);
		else
			gg_buf_printf(to, "%%%02X", b);
	}
}

void gg_url_param(struct gg_buf *path, const char *name, struct gg_str value)
{
	gg_buf_char(path, memchr(path->p, '?', path->len) ? '&' : '?');
	gg_buf_str(path, gg_str(name));
	gg_buf_char(path, '=');
	gg_url_escape(path, value);
}

int gg_url_time(const struct gg_args *args, struct gg_buf *path, const char *option, const char *name,
	const char *otherwise)
{
	const char *given = gg_arg(args, option) ? gg_arg(args, option) : otherwise;
	char text[GG_TIME_TEXT];
	int64_t ns;
	if (!given)
		return 0;
	if (gg_when_parse(gg_str(given), gg_clock_utc(&gg_clock_system), &ns) < 0)
		return gg_cli_wrong(args,
			"--%s: expected a time like 2026-03-01T12:00:00Z, or how long ago, like -1h; got "
			"'%s'",
			option, given);
	gg_time_format(text, ns);
	gg_url_param(path, name, gg_str(text));
	return 0;
}

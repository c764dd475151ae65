/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All of the API behind the HTTP parser: routes, roles, query parameters, JSON bodies, tokens, Last-Event-ID,
 * by the real handlers over real stores in a folder of their own. An input is text:
 *
 *   METHOD target        "GET /api/v1/events?limit=3"; an unknown method is one more to refuse
 *   a line per header    "@viewer" stands for a token that is good
 *   an empty line
 *   body
 *
 * Input may change the configuration, register devices and make tokens, as a client could; there are no
 * drivers and no uplinks among the components, so nothing reaches the network.
 */
#include "api/api.h"
#include "api/tokens.h"
#include "base/log.h"
#include "core/loop.h"
#include "core/signals.h"
#include "core/work.h"
#include "gateway/events.h"
#include "gateway/gateway.h"
#include "pipeline/stages.h"

#include <fcntl.h>
#include <ftw.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TURNS = 400, ANSWER = 1 << 16 };

static const struct gg_component *const components[] = {&gg_stage_window, NULL};
static char folder[] = "/tmp/ganglion-api-fuzz-XXXXXX";
static char tokens[3][GG_TOKEN_TEXT];

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st, (void)type, (void)at;
	return remove(path);
}

static void remove_folder(void)
{
	nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void die(const char *what)
{
	fprintf(stderr, "api_fuzz: %s\n", what);
	abort();
}

static void make_something(void)
{
	uint32_t signal;
	gg_signal_make_full(GG_STR("press/oil/temperature"), NULL, &signal);
	for (unsigned i = 0; i < 5; i++) {
		char key[8];
		snprintf(key, sizeof key, "k%u", i);
		gg_event(&(struct gg_event_report){.kind = "rule",
			.key = gg_str(key),
			.severity = GG_WARNING,
			.title = GG_STR("it is so"),
			.device = GG_NONE,
			.signal = signal});
	}
}

static void start(void)
{
	struct gg_gateway *g = &gg_gateway;
	struct gg_plan *plans[GG_MOST_SHARDS] = {0};
	struct gg_problems problems = {0};
	struct gg_error e = {0};
	if (!mkdtemp(folder))
		die("no folder");
	atexit(remove_folder);
	gg_log_setup(GG_ERROR, GG_LOG_TEXT, open("/dev/null", O_WRONLY | O_CLOEXEC));
	gg_components_set(components);
	if (gg_config_load_text("fuzz", GG_STR("api: { listen: '' }\njournal: { reserve: 0 }\n"), NULL,
		    &problems, &g->config) < 0)
		die("no configuration");
	g->data_dir = gg_str_dup(gg_str(folder));
	g->control = gg_loop_new("control", 4096);
	g->io = gg_loop_new("io", 64);
	g->north = gg_loop_new("north", 64);
	atomic_store(&g->site, gg_str_dup(GG_STR("fuzz")));
	g->started_ns = 1;
	if (gg_work_start(1) < 0 || gg_stores_open(g, &e) < 0 || gg_events_start() < 0 ||
		gg_shards_make(g, &e) < 0 || gg_shards_plan(g, g->config, 1, plans, &e) < 0)
		die(e.text);
	gg_shards_swap(g, plans);
	if (gg_stores_start(g, &e) < 0 || gg_shards_start(g) < 0 || gg_loop_start(g->io) < 0 ||
		gg_loop_start(g->north) < 0 || gg_api_start(&g->config->site.api, &e) < 0)
		die(e.text);
	g->ready = true;
	for (int role = GG_ROLE_VIEWER; role <= GG_ROLE_ADMINISTRATOR; role++) {
		const struct gg_token_entry *entry;
		if (gg_tokens_make(GG_STR("fuzz"), (enum gg_role)role, 0, NULL, tokens[role - GG_ROLE_VIEWER],
			    &entry, &e) < 0)
			die(e.text);
	}
	make_something();
	gg_loop_turn(g->control, 10 * GG_NS_PER_MS);
}

/* ---- a request ---- */

static void put_header(struct gg_buf *to, struct gg_str line)
{
	static const char *const names[] = {"@viewer", "@operator", "@administrator"};
	for (size_t i = 0; i < line.len; i++)
		if ((unsigned char)line.p[i] < ' ')
			return; /* the parser's own fuzz target has those */
	for (size_t i = 0; i < GG_COUNT(names); i++) {
		if (gg_str_is(line, names[i])) {
			gg_buf_printf(to, "Authorization: Bearer %s\r\n", tokens[i]);
			return;
		}
	}
	if (line.len)
		gg_buf_printf(to, "%.*s\r\n", GG_STR_ARG(line));
}

static void make_request(struct gg_buf *to, struct gg_str input)
{
	struct gg_str first = gg_str_cut(&input, '\n');
	struct gg_str method = gg_str_cut(&first, ' ');
	gg_buf_printf(to, "%.*s %.*s HTTP/1.1\r\nHost: fuzz\r\n", GG_STR_ARG(method), GG_STR_ARG(first));
	for (unsigned i = 0; i < 8 && input.len; i++) {
		struct gg_str line = gg_str_cut(&input, '\n');
		if (line.len == 0)
			break;
		put_header(to, line);
	}
	gg_buf_printf(to, "Content-Length: %zu\r\nConnection: close\r\n\r\n", input.len);
	gg_buf_str(to, input);
}

/* Until the answer's end, or for as long as a stream is of interest. */
static void read_answer(int fd)
{
	char answer[ANSWER];
	for (unsigned i = 0; i < TURNS; i++) {
		gg_loop_turn(gg_gateway.control, i < 8 ? 0 : GG_NS_PER_MS);
		ssize_t n = read(fd, answer, sizeof answer);
		if (n == 0 || (n < 0 && errno != EAGAIN))
			return;
		if (n > 0 && memmem(answer, (size_t)n, "text/event-stream", 17))
			i = TURNS - 4;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool started;
	struct gg_buf request GG_CLEANUP(gg_buf_done) = GG_BUF(1 << 20);
	int fds[2];
	if (!started)
		start();
	started = true;
	make_request(&request, gg_str_n((const char *)data, size));
	if (request.error || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0)
		return 0;
	if (gg_api_serve_take(fds[0]) == 0 && write(fds[1], request.p, request.len) > 0)
		read_answer(fds[1]);
	close(fds[1]);
	for (int i = 0; i < 3; i++)
		gg_loop_turn(gg_gateway.control, 0);
	return 0;
}

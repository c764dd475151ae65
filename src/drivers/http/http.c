/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Devices push over HTTP, on a listener of its own:
 *
 *   POST /ingest/{device}            JSON, as the MQTT server takes it
 *   POST /ingest/{device}/{signal}   one value as text, or JSON
 *   POST /write, /api/v2/write       line protocol (?precision=ns|us|ms|s), as InfluxDB's clients send it
 *
 *   request ─▶ who is it? (off the loop) ─▶ decode, a batch per device ─▶ submit, a receipt each
 *                                                                            └─▶ all there: 204
 *
 * 204 means that what was sent is in the journal and synced. What can't be taken now is answered with 503 and
 * Retry-After, and the client sends it again; nothing waits here beyond its receipts. A device may write only
 * what is its own unless its grant says more.
 */
#include "drivers/http/http.h"
#include "formats/decode_line.h"
#include "net/http_server.h"

#include "base/log.h"

#include <strings.h>
#include <time.h>

enum { BATCHES_PER_REQUEST = 256, MOST_UNDER_WAY = 1000 };

struct source {
	struct gg_decoder decoder;
	struct source *next;
};

struct http_driver {
	/* options */
	const char *listen;
	struct gg_tls_options tls;
	uint64_t max_body;
	const char *time, *device_tag;
	int time_unit;
	/* state */
	struct gg_host *host;
	struct gg_address address;
	struct gg_tls *context;
	struct gg_http_server *server;
	struct gg_format_rule rule;
	struct gg_map by_device; /* id -> struct source */
	struct source *sources;
	_Atomic unsigned under_way; /* requests whose login or receipts are out */
	bool closing;
	struct gg_counter *accepted, *refused, *busy;
};

struct part {
	struct gg_receipt receipt;
	struct ingest *ingest;
	struct gg_batch *batch; /* being filled */
	struct source *source;
};

/* A request on its way. */
struct ingest {
	struct http_driver *d;
	struct gg_http_request *request;
	struct gg_str device, signal; /* of the path; empty for line protocol */
	struct gg_grant grant;
	unsigned waiting; /* receipts that are out */
	int status;
	size_t count;
	struct part parts[BATCHES_PER_REQUEST];
};

/* ---- answers ---- */

static void finish(struct ingest *in)
{
	for (size_t i = 0; i < in->count; i++)
		gg_batch_unref(in->parts[i].batch);
	atomic_fetch_sub(&in->d->under_way, 1);
	free(in);
}

static void answer_error(struct ingest *in, int code, const char *text)
{
	struct gg_error e = {0};
	gg_error_set(&e, code, "%s", text);
	bool later = code == -EAGAIN || code == -ENOSPC || code == -ENOMEM || code == -EIO;
	if (later || code == -EDQUOT)
		gg_http_add_header(in->request, "Retry-After", later ? GG_STR("1") : GG_STR("60"));
	if (code == -EACCES)
		gg_http_add_header(in->request, "WWW-Authenticate", GG_STR("Bearer realm=\"ganglion\""));
	gg_count(later ? in->d->busy : in->d->refused, 1);
	gg_http_problem_error(GG_TAKE(in->request), &e);
	finish(in);
}

static void answer(struct ingest *in)
{
	static const char *const later = "the gateway cannot take more data now; send them again";
	if (in->status < 0) {
		answer_error(in, in->status == -ENOSPC ? -ENOSPC : -EAGAIN, later);
		return;
	}
	gg_count(in->d->accepted, 1);
	gg_http_reply(GG_TAKE(in->request), 204, NULL, GG_STR(""));
	finish(in);
}

static void receipt_done(struct gg_receipt *r, int status)
{
	struct ingest *in = GG_CONTAINER(r, struct part, receipt)->ingest;
	if (status < 0)
		in->status = status;
	if (--in->waiting == 0)
		answer(in);
}

/* ---- decoding ---- */

static int make_signal(void *arg, uint32_t device, struct gg_str name, uint32_t *ret_signal)
{
	static const struct gg_signal_spec any = {.type = GG_TYPE_NONE};
	struct http_driver *d = arg;
	return gg_host_signal(d->host, device, name, &any, ret_signal);
}

static int source_of(struct http_driver *d, struct gg_str id, struct source **ret_source)
{
	struct source *s = gg_map_get_ptr(&d->by_device, id);
	uint32_t device = GG_NONE;
	if (!s) {
		int rc = gg_host_device(d->host, id, &device);
		if (rc < 0)
			return rc;
		s = calloc(1, sizeof *s);
		if (!s || gg_map_put_ptr(&d->by_device, id, s) < 0) {
			free(s);
			return -ENOMEM;
		}
		s->decoder = (struct gg_decoder){.device = device, .signal = make_signal, .arg = d};
		s->next = d->sources;
		d->sources = s;
		gg_host_device_health(d->host, device, true, "");
	}
	*ret_source = s;
	return 0;
}

/* The part of a device, made when it is the first of this request. Errors: -EPERM not its own, -E2BIG. */
static int part_of(struct ingest *in, struct gg_str id, struct part **ret_part)
{
	const struct gg_grant *g = &in->grant;
	struct source *source = NULL;
	if (g->device != GG_NONE && !g->any_topic && !gg_str_eq(gg_device_id(g->device), id))
		return -EPERM;
	int rc = source_of(in->d, id, &source);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < in->count; i++) {
		if (in->parts[i].source == source) {
			*ret_part = &in->parts[i];
			return 0;
		}
	}
	if (in->count == BATCHES_PER_REQUEST)
		return -E2BIG;
	struct gg_batch *b = gg_batch_new(16, 0);
	if (!b)
		return -EAGAIN;
	b->device = source->decoder.device;
	struct part *p = &in->parts[in->count++];
	*p = (struct part){.receipt = {.done = receipt_done, .loop = gg_host_loop(in->d->host)},
		.ingest = in,
		.batch = b,
		.source = source};
	*ret_part = p;
	return 0;
}

static int line_device(
	void *arg, struct gg_str id, struct gg_decoder **ret_decoder, struct gg_batch ***ret_batch)
{
	struct part *p = NULL;
	int rc = part_of(arg, id, &p);
	if (rc < 0)
		return rc;
	*ret_decoder = &p->source->decoder;
	*ret_batch = &p->batch;
	return 0;
}

static int decode_lines(struct ingest *in, int64_t now, struct gg_error *e)
{
	static const char *const words[] = {"s", "ms", "us", "ns"};
	struct gg_line_rule rule = {gg_str(in->d->device_tag), GG_TIME_NS, now};
	struct gg_line_sink sink = {in, line_device};
	struct gg_str precision;
	if (gg_http_param(in->request, "precision", &precision) == 0) {
		size_t i = 0;
		while (i < GG_COUNT(words) && !gg_str_is(precision, words[i]))
			i++;
		if (i == GG_COUNT(words))
			return gg_error_set(e, -EINVAL, "precision: expected s, ms, us or ns");
		rule.unit = (enum gg_time_unit)(GG_TIME_S + i);
	}
	int rc = gg_decode_lines(gg_http_body(in->request), &rule, &sink, e);
	return rc == -EPERM ? gg_error_set(e, rc, "a line names a device that is not yours") : rc;
}

static int decode_one(struct ingest *in, int64_t now, struct gg_error *e)
{
	struct gg_str body = gg_http_body(in->request), type = gg_http_header(in->request, "Content-Type");
	struct part *p = NULL;
	int rc = part_of(in, in->device, &p);
	if (rc < 0)
		return gg_error_set(e, rc, "device \"%.*s\": %s", GG_STR_ARG(in->device),
			rc == -EPERM ? "you may send only what is your own" : strerror(-rc));
	bool plain = in->signal.len && gg_str_starts(type, GG_STR("text/plain"));
	rc = plain ? gg_decode_plain(&p->source->decoder, &in->d->rule, in->signal, body, now, &p->batch)
		   : gg_decode_json(&p->source->decoder, &in->d->rule, in->signal, body, now, &p->batch);
	return rc < 0 ? gg_error_set(
				e, rc, "the body is not %s", plain ? "one value as text" : "JSON with values")
		      : 0;
}

static void submit_all(struct ingest *in)
{
	struct gg_batch *batches[BATCHES_PER_REQUEST];
	size_t n = 0;
	for (size_t i = 0; i < in->count; i++) {
		struct part *p = &in->parts[i];
		if (p->batch->count == 0)
			continue;
		p->batch->receipt = &p->receipt;
		batches[n++] = GG_TAKE(p->batch);
	}
	if (n == 0) {
		answer(in); /* nothing in it: nothing to keep */
		return;
	}
	/* All are counted first: a receipt may return from within, and in may then be gone. */
	in->waiting = (unsigned)n;
	struct http_driver *d = in->d;
	for (size_t i = 0; i < n; i++)
		gg_host_submit_take(d->host, batches[i]); /* when it fails the receipt says so */
}

static void granted(void *arg, const struct gg_grant *g)
{
	struct ingest *in = arg;
	struct gg_error e = {0};
	int64_t now = gg_clock_utc(gg_host_clock(in->d->host));
	if (g->status < 0) {
		answer_error(in, g->status,
			g->status == -EDQUOT ? "too many failures from there"
					     : "unknown device or wrong token");
		return;
	}
	in->grant = *g;
	int rc = in->device.len ? decode_one(in, now, &e) : decode_lines(in, now, &e);
	if (rc < 0)
		answer_error(in, rc, e.text);
	else
		submit_all(in);
}

/* ---- requests ---- */

/* Errors: -ENOENT no such place, -EINVAL a wrong escape. */
static int route(struct gg_http_request *r, struct gg_str *ret_device, struct gg_str *ret_signal)
{
	static const struct gg_str ingest = {"/ingest/", 8};
	struct gg_str path = gg_http_path(r), empty = GG_STR("");
	*ret_device = *ret_signal = empty;
	if (gg_str_is(path, "/write") || gg_str_is(path, "/api/v2/write"))
		return 0;
	if (!gg_str_starts(path, ingest))
		return -ENOENT;
	struct gg_str rest = gg_str_n(path.p + ingest.len, path.len - ingest.len);
	struct gg_str device = gg_str_cut(&rest, '/');
	if (device.len == 0)
		return -ENOENT;
	int rc = gg_http_decode(r, device, false, ret_device);
	return rc == 0 && rest.len ? gg_http_decode(r, rest, false, ret_signal) : rc;
}

static size_t on_head(void *arg, struct gg_http_request *r)
{
	struct http_driver *d = arg;
	struct gg_str device, signal;
	int rc = route(r, &device, &signal);
	if (rc < 0) {
		gg_http_problem(r, rc == -ENOENT ? 404 : 400,
			"expected /ingest/{device}, /ingest/{device}/{signal} or /write");
	} else if (!gg_str_is(gg_http_method(r), "POST")) {
		gg_http_add_header(r, "Allow", GG_STR("POST"));
		gg_http_problem(r, 405, "data are sent with POST");
	} else if (d->closing || atomic_load(&d->under_way) >= MOST_UNDER_WAY) {
		gg_http_add_header(r, "Retry-After", GG_STR("1"));
		gg_count(d->busy, 1);
		gg_http_problem(r, 503, "too many requests are under way; send it again");
	}
	return d->max_body;
}

/* "Bearer X", or "Token X" as InfluxDB's clients say. */
static struct gg_str token_of(struct gg_str header)
{
	struct gg_str scheme = gg_str_cut(&header, ' ');
	bool known = (scheme.len == 6 && strncasecmp(scheme.p, "Bearer", 6) == 0) ||
		     (scheme.len == 5 && strncasecmp(scheme.p, "Token", 5) == 0);
	return known ? gg_str_trim(header) : GG_STR("");
}

static void on_request(void *arg, struct gg_http_request *r)
{
	struct http_driver *d = arg;
	const struct gg_stream *s = gg_http_stream(r);
	struct ingest *in = calloc(1, sizeof *in);
	if (!in) {
		gg_http_problem(r, 503, "out of memory");
		return;
	}
	in->d = d;
	in->request = r;
	atomic_fetch_add(&d->under_way, 1);
	route(r, &in->device, &in->signal);
	struct gg_login login = {.user = in->device,
		.secret = token_of(gg_http_header(r, "Authorization")),
		.certificate = gg_str(s ? gg_stream_certificate_name(s) : ""),
		.peer = gg_str(s ? gg_stream_peer(s) : ""),
		.local = s && gg_stream_is_local(s) && gg_address_is_loopback(&d->address)};
	if (login.secret.len == 0 && login.certificate.len == 0)
		login.user = GG_STR(""); /* nobody claims to be the device: anonymous, if that is allowed */
	if (gg_host_login(d->host, &login, granted, in) < 0)
		answer_error(in, -EAGAIN, "too many logins are under way; send it again");
}

/* ---- life ---- */

static int init(void *self, struct gg_host *host, struct gg_error *e)
{
	struct http_driver *d = self;
	d->host = host;
	d->rule = (struct gg_format_rule){.format = GG_FORMAT_JSON,
		.time_unit = (enum gg_time_unit)d->time_unit,
		.time = gg_str(d->time),
		.signal = GG_STR("value")};
	if (d->rule.time.len) { /* as the decoder walks: names joined by dots */
		gg_str_copy(d->rule.time_path, sizeof d->rule.time_path, gg_str(d->time + 1));
		for (char *c = d->rule.time_path; *c; c++)
			*c = *c == '/' ? '.' : *c;
	}
	int rc = gg_address_parse(gg_str(d->listen), 0, &d->address, e);
	if (rc == 0 && d->tls.certificate)
		rc = gg_tls_server_new(&d->tls, &d->context, e);
	char labels[220];
	static const char help[] = "Requests with data, by result";
	snprintf(labels, sizeof labels, "driver=\"%.150s\",result=\"accepted\"", gg_host_name(host));
	d->accepted = gg_metric_counter("http_ingest_requests_total", labels, help);
	snprintf(labels, sizeof labels, "driver=\"%.150s\",result=\"refused\"", gg_host_name(host));
	d->refused = gg_metric_counter("http_ingest_requests_total", labels, help);
	snprintf(labels, sizeof labels, "driver=\"%.150s\",result=\"busy\"", gg_host_name(host));
	d->busy = gg_metric_counter("http_ingest_requests_total", labels, help);
	return rc;
}

static int start(void *self, struct gg_error *e)
{
	static const struct gg_http_ops ops = {on_head, on_request};
	struct http_driver *d = self;
	struct gg_listener_options o = {.address = d->address, .tls = d->context};
	struct gg_listener *l = NULL;
	int rc = gg_http_server_new(gg_host_loop(d->host), NULL, &ops, d, &d->server);
	if (rc < 0)
		return gg_error_set(e, rc, "out of memory");
	rc = gg_http_server_listen(d->server, &o, &l, e);
	if (rc == 0)
		gg_log(GG_INFO, gg_host_name(d->host), "listening for data over HTTP",
			GG_S("listen", d->listen), GG_I("port", gg_listener_port(l)));
	else
		gg_http_server_close(GG_TAKE(d->server));
	return rc;
}

static void close_driver(void *self)
{
	struct http_driver *d = self;
	d->closing = true;
	gg_http_server_close(GG_TAKE(d->server));
}

/* Receipts that are out point into requests of ours: wait for them. */
static void stop(void *self)
{
	struct http_driver *d = self;
	const struct timespec step = {.tv_nsec = 5 * GG_NS_PER_MS};
	for (int i = 0; i < 1000 && atomic_load(&d->under_way); i++)
		nanosleep(&step, NULL);
}

static void fini(void *self)
{
	struct http_driver *d = self;
	for (struct source *s = d->sources, *next; s; s = next) {
		next = s->next;
		gg_decoder_done(&s->decoder);
		free(s);
	}
	gg_map_done(&d->by_device);
	d->context = gg_tls_unref(d->context);
}

static const char *const time_units[] = {"auto", "s", "ms", "us", "ns", NULL};

static const struct gg_option options[] = {
	GG_OPTION(struct http_driver, listen, STRING, .def = "127.0.0.1:8086", .flags = GG_MAIN,
		.help = "Where to listen"),
	GG_OPTION(struct http_driver, tls, GROUP, .sub = gg_tls_server_option_table,
		.help = "Certificate and key: then it speaks TLS"),
	GG_OPTION(struct http_driver, max_body, SIZE, .def = "1MiB", .min = "1KiB", .max = "16MiB",
		.help = "The most one request may send"),
	GG_OPTION(struct http_driver, time, STRING, .example = "/ts",
		.help = "JSON Pointer of the samples' time; without it the time received counts"),
	GG_OPTION(struct http_driver, time_unit, CHOICE, .def = "auto", .choices = time_units,
		.help = "Unit of that time where it is a number"),
	GG_OPTION(struct http_driver, device_tag, STRING, .def = "device",
		.help = "Line protocol: the tag that names the device; without it the measurement does"),
	{0}};

static const struct gg_driver_ops ops = {0};

const struct gg_component gg_driver_http = {
	.name = "http",
	.title = "HTTP push",
	.help = "Takes JSON, single values and line protocol that devices and scripts send with POST. A "
		"request is "
		"answered with 204 when its data are in the journal.",
	.example = "push:\n"
		   "  driver: http\n"
		   "  listen: 127.0.0.1:8086\n",
	.kind = GG_DRIVER,
	.self_size = sizeof(struct http_driver),
	.options = options,
	.init = init,
	.start = start,
	.close = close_driver,
	.stop = stop,
	.fini = fini,
	.driver = &ops,
};

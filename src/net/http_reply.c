/* SPDX-License-Identifier: Apache-2.0 */
/* Answers: whole, as a problem (RFC 9457), piece by piece (chunked, RFC 9112 §7.1), or by giving the
 * connection away to WebSocket. Each ends the request. */
#include "base/json.h"
#include "base/log.h"
#include "net/http_private.h"
#include "net/websocket.h"

#include <stdarg.h>
#include <time.h>

static const char *status_text(int status)
{
	return http_status_str((enum http_status)status);
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 §5.6.7), made once a second. No strftime: that asks the locale.
 */
static const char *date_text(void)
{
	static const char days[] = "SunMonTueWedThuFriSat", months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	static _Thread_local char text[40];
	static _Thread_local time_t of;
	time_t now = time(NULL);
	if (now != of) {
		struct tm t;
		gmtime_r(&now, &t);
		snprintf(text, sizeof text, "%.3s, %02d %.3s %d %02d:%02d:%02d GMT", days + 3 * t.tm_wday,
			t.tm_mday, months + 3 * t.tm_mon, t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec);
		of = now;
	}
	return text;
}

void gg_http_add_header(struct gg_http_request *r, const char *name, struct gg_str value)
{
	struct gg_buf *b = &r->extra;
	size_t before = b->len;
	gg_buf_str(b, gg_str(name));
	gg_buf_str(b, GG_STR(": "));
	for (size_t i = 0; i < value.len; i++)
		gg_buf_char(b, (unsigned char)value.p[i] < ' ' || value.p[i] == 0x7f ? ' ' : value.p[i]);
	gg_buf_str(b, GG_STR("\r\n"));
	if (b->error) {
		gg_log(GG_WARN, "http", "headers of an answer are too long, leaving one out",
			GG_S("name", name));
		b->len = before;
		b->error = 0;
	}
}

static void begin_head(
	struct gg_buf *b, const struct gg_http_request *r, int status, const char *content_type)
{
	gg_buf_printf(b, "HTTP/1.1 %d %s\r\nDate: %s\r\n", status, status_text(status), date_text());
	if (content_type)
		gg_buf_printf(b, "Content-Type: %s\r\n", content_type);
	gg_buf_str(b, gg_buf_view(&r->extra));
}

static void end_head(struct gg_buf *b, const struct gg_http_request *r, bool keep_alive)
{
	if (!keep_alive)
		gg_buf_str(b, GG_STR("Connection: close\r\n"));
	else if (r->version_1_0)
		gg_buf_str(b, GG_STR("Connection: keep-alive\r\n"));
	gg_buf_str(b, GG_STR("\r\n"));
}

/* Can another request follow on this connection? */
static bool stays(struct gg_http_request *r)
{
	if (!r->complete && (r->expects_body || r->breaks_off)) {
		gg_stream_linger(r->conn->stream); /* the rest of the request is still coming */
		return false;
	}
	return r->keep_alive && !r->conn->server->closed;
}

static void finish(struct gg_http_request *r, bool keep_alive)
{
	struct gg_http_conn *c = r->conn;
	gg_http_request_free(r);
	if (c)
		gg_http_answered(c, keep_alive);
}

void gg_http_reply(struct gg_http_request *r, int status, const char *content_type, struct gg_str body)
{
	struct gg_http_conn *c = r->conn;
	bool keep_alive = false;
	if (c) {
		struct gg_buf head GG_CLEANUP(gg_buf_done) = GG_BUF(16 << 10);
		bool bodyless = status < 200 || status == 204 || status == 304;
		keep_alive = stays(r);
		begin_head(&head, r, status, bodyless ? NULL : content_type);
		if (!bodyless)
			gg_buf_printf(&head, "Content-Length: %zu\r\n", content_type ? body.len : 0);
		end_head(&head, r, keep_alive);
		keep_alive = keep_alive && !head.error;
		gg_http_send(c, head.p, head.len);
		if (!bodyless && !r->is_head && content_type)
			gg_http_send(c, body.p, body.len);
	}
	finish(r, keep_alive);
}

static void send_problem(struct gg_http_request *r, int status, const char *title, const struct gg_error *e)
{
	struct gg_buf b GG_CLEANUP(gg_buf_done) = GG_BUF(8 << 10);
	struct gg_json_writer w = gg_json_writer(&b);
	gg_json_begin_object(&w);
	gg_json_put_str(&w, "type", GG_STR("about:blank"));
	gg_json_put_str(&w, "title", gg_str(title));
	gg_json_put_int(&w, "status", status);
	if (e->text[0])
		gg_json_put_str(&w, "detail", gg_str(e->text));
	if (e->code)
		gg_json_put_str(&w, "code", gg_str(gg_error_name(e->code)));
	if (e->file[0])
		gg_json_put_str(&w, "file", gg_str(e->file));
	if (e->line) {
		gg_json_put_int(&w, "line", e->line);
		gg_json_put_int(&w, "column", e->column);
	}
	gg_json_end_object(&w);
	gg_buf_char(&b, '\n');
	gg_http_reply(r, status, "application/problem+json", gg_buf_view(&b));
}

void gg_http_problem(struct gg_http_request *r, int status, const char *detail, ...)
{
	struct gg_error e = {0};
	va_list args;
	va_start(args, detail);
	vsnprintf(e.text, sizeof e.text, detail, args);
	va_end(args);
	send_problem(r, status, status_text(status), &e);
}

void gg_http_problem_error(struct gg_http_request *r, const struct gg_error *e)
{
	int status = gg_error_http(e->code);
	send_problem(r, status, status_text(status), e);
}

/* ---- piece by piece ---- */

void gg_http_stream_begin(struct gg_http_request *r, int status, const char *content_type,
	const struct gg_http_stream_ops *ops, void *arg)
{
	r->streaming = true;
	r->stream_ops = ops;
	r->stream_arg = arg;
	r->chunked = !r->version_1_0;
	if (!r->conn)
		return;
	struct gg_buf head GG_CLEANUP(gg_buf_done) = GG_BUF(16 << 10);
	r->keep_alive = stays(r) && r->chunked;
	begin_head(&head, r, status, content_type);
	if (r->chunked)
		gg_buf_str(&head, GG_STR("Transfer-Encoding: chunked\r\n"));
	end_head(&head, r, r->keep_alive);
	gg_http_send(r->conn, head.p, head.len);
}

int gg_http_stream_write(struct gg_http_request *r, struct gg_str bytes)
{
	struct gg_http_conn *c = r->conn;
	char size[24] = "";
	if (!c || c->closing)
		return -EPIPE;
	if (r->is_head || bytes.len == 0)
		return 0;
	int before = r->chunked ? snprintf(size, sizeof size, "%zx\r\n", bytes.len) : 0;
	size_t len = (size_t)before + bytes.len + (r->chunked ? 2 : 0);
	if (len > c->server->limits.output_bytes)
		return -E2BIG;
	uint8_t *to = gg_stream_room(c->stream, len);
	if (!to)
		return -EAGAIN;
	memcpy(to, size, (size_t)before);
	memcpy(to + before, bytes.p, bytes.len);
	if (r->chunked)
		memcpy(to + before + bytes.len, "\r\n", 2);
	gg_stream_commit(c->stream, len);
	c->written += len;
	return 0;
}

size_t gg_http_stream_queued(const struct gg_http_request *r)
{
	return r->conn ? gg_stream_queued(r->conn->stream) : 0;
}

void gg_http_stream_end(struct gg_http_request *r, bool whole)
{
	if (r->conn && whole && r->chunked && !r->is_head)
		gg_http_send(r->conn, "0\r\n\r\n", 5);
	finish(r, r->keep_alive && whole);
}

/* ---- WebSocket ---- */

bool gg_http_wants_websocket(const struct gg_http_request *r)
{
	return r->method == HTTP_GET && gg_websocket_list_has(gg_http_header(r, "upgrade"), "websocket") &&
	       gg_websocket_list_has(gg_http_header(r, "connection"), "upgrade");
}

static int refuse_websocket(struct gg_http_request *r, int status, const char *detail)
{
	if (status == 426) {
		gg_http_add_header(r, "Upgrade", GG_STR("websocket"));
		gg_http_add_header(r, "Connection", GG_STR("Upgrade"));
		gg_http_add_header(r, "Sec-WebSocket-Version", GG_STR("13"));
	}
	gg_http_problem(r, status, "%s", detail);
	return -EINVAL;
}

int gg_http_websocket_take(struct gg_http_request *r, const char *subprotocol, struct gg_stream **ret_stream)
{
	char accept[GG_WEBSOCKET_ACCEPT_LEN + 1];
	if (!r->conn) {
		gg_http_request_free(r);
		return -EPIPE;
	}
	if (!gg_http_wants_websocket(r) || r->expects_body)
		return refuse_websocket(r, 426, "expected a WebSocket upgrade");
	if (!gg_str_is(gg_http_header(r, "sec-websocket-version"), "13"))
		return refuse_websocket(r, 426, "expected Sec-WebSocket-Version: 13");
	if (gg_websocket_accept_key(gg_http_header(r, "sec-websocket-key"), accept) < 0)
		return refuse_websocket(r, 400, "expected a Sec-WebSocket-Key of 16 bytes in base64");
	if (subprotocol && !gg_websocket_list_has(gg_http_header(r, "sec-websocket-protocol"), subprotocol))
		return refuse_websocket(
			r, 400, "the client does not offer the subprotocol that is spoken here");
	struct gg_buf head GG_CLEANUP(gg_buf_done) = GG_BUF(16 << 10);
	gg_buf_printf(&head,
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		"Sec-WebSocket-Accept: %s\r\n",
		accept);
	if (subprotocol)
		gg_buf_printf(&head, "Sec-WebSocket-Protocol: %s\r\n", subprotocol);
	gg_buf_str(&head, gg_buf_view(&r->extra));
	gg_buf_str(&head, GG_STR("\r\n"));
	struct gg_stream *s = gg_http_give_stream(r->conn);
	gg_http_request_free(r);
	gg_stream_set_handler(s, NULL, NULL);
	int rc = gg_stream_write(s, head.p, head.len);
	if (rc == 0)
		rc = gg_websocket_lay(s);
	if (rc < 0) {
		gg_stream_close(s, /* flush= */ false, "out of memory");
		return rc;
	}
	*ret_stream = s;
	return 0;
}

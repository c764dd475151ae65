/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "base/buf.h"
#include "base/clock.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 4096, RECENT = 256, BURST = 20 };
static const int64_t window_ns = 10 * GG_NS_PER_S;

static const char *const level_names[] = {"debug", "info", "warn", "error"};

static _Atomic int log_level = GG_INFO;
static _Atomic int log_format = GG_LOG_TEXT;
static _Atomic int log_fd = STDERR_FILENO;
static _Atomic uint64_t counts[4], left_out_total;

static pthread_mutex_t recent_lock = PTHREAD_MUTEX_INITIALIZER; /* guards recent and recent_next */
static char *recent[RECENT];
static size_t recent_next;

void gg_log_setup(enum gg_log_level level, enum gg_log_format format, int fd)
{
	atomic_store(&log_level, (int)level);
	atomic_store(&log_format, (int)format);
	atomic_store(&log_fd, fd);
}

bool gg_log_enabled(enum gg_log_level level)
{
	return (int)level >= atomic_load_explicit(&log_level, memory_order_relaxed);
}

uint64_t gg_log_count(enum gg_log_level level)
{
	return atomic_load(&counts[level]);
}

uint64_t gg_log_left_out(void)
{
	return atomic_load(&left_out_total);
}

/* May this place speak now? *ret_left_out tells what it swallowed in the window that just ended. */
static bool may_speak(struct gg_log_place *place, uint32_t *ret_left_out)
{
	int64_t now = gg_clock_monotonic(&gg_clock_system), start = atomic_load(&place->window_start_ns);
	if (start == 0 || now - start > window_ns) {
		if (atomic_compare_exchange_strong(&place->window_start_ns, &start, now)) {
			*ret_left_out = atomic_exchange(&place->left_out, 0);
			atomic_store(&place->said, 0);
		}
	}
	if (atomic_fetch_add(&place->said, 1) < BURST)
		return true;
	atomic_fetch_add(&place->left_out, 1);
	atomic_fetch_add(&left_out_total, 1);
	return false;
}

static void add_quoted(struct gg_buf *b, struct gg_str s)
{
	gg_buf_char(b, '"');
	for (size_t i = 0; i < s.len && b->len < LINE_MAX_BYTES - 64; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if (c == '"' || c == '\\') {
			gg_buf_char(b, '\\');
			gg_buf_char(b, (char)c);
		} else if (c < 0x20 || c == 0x7f) {
			gg_buf_printf(b, "\\u%04x", c);
		} else {
			gg_buf_char(b, (char)c);
		}
	}
	gg_buf_char(b, '"');
}

static void add_value(struct gg_buf *b, const struct gg_field *f)
{
	char number[32];
	if (f->type == GG_FIELD_STR) {
		/* JSON has no way to say bytes that are no UTF-8: say how many there were. */
		if (gg_utf8_valid(f->s))
			add_quoted(b, f->s);
		else
			gg_buf_printf(b, "\"(%zu bytes, not UTF-8)\"", f->s.len);
	} else {
		size_t n =
			f->type == GG_FIELD_INT ? gg_format_int(number, f->i) : gg_format_float(number, f->f);
		gg_buf_add(b, number, n);
	}
}

static void format_text(struct gg_buf *b, const char *time, enum gg_log_level level, const char *who,
	const char *text, const struct gg_field *fields, size_t count)
{
	gg_buf_printf(b, "%s %s %s: %s", time, level_names[level], who, text);
	for (size_t i = 0; i < count; i++) {
		gg_buf_printf(b, " %s=", fields[i].key);
		add_value(b, &fields[i]);
	}
	gg_buf_char(b, '\n');
}

static void format_json(struct gg_buf *b, const char *time, enum gg_log_level level, const char *who,
	const char *text, const struct gg_field *fields, size_t count)
{
	gg_buf_printf(b, "{\"time\":\"%s\",\"level\":\"%s\",\"who\":", time, level_names[level]);
	add_quoted(b, gg_str(who));
	gg_buf_str(b, GG_STR(",\"text\":"));
	add_quoted(b, gg_str(text));
	for (size_t i = 0; i < count; i++) {
		gg_buf_printf(b, ",\"%s\":", fields[i].key);
		add_value(b, &fields[i]);
	}
	gg_buf_str(b, GG_STR("}\n"));
}

static void remember(struct gg_str line)
{
	char *copy = gg_str_dup(gg_str_n(line.p, line.len - 1));
	if (!copy)
		return;
	pthread_mutex_lock(&recent_lock);
	char *old = recent[recent_next % RECENT];
	recent[recent_next++ % RECENT] = copy;
	pthread_mutex_unlock(&recent_lock);
	free(old);
}

static void put_line(struct gg_str line)
{
	int fd = atomic_load(&log_fd);
	struct pollfd room = {fd, POLLOUT, 0};
	if (poll(&room, 1, 0) != 1 || write(fd, line.p, line.len) < 0)
		atomic_fetch_add(&left_out_total, 1);
}

void gg_log_write(struct gg_log_place *place, enum gg_log_level level, const char *who, const char *text,
	const struct gg_field *fields, size_t count)
{
	uint32_t left_out = 0;
	atomic_fetch_add(&counts[level], 1);
	if (!may_speak(place, &left_out))
		return;
	struct gg_field all[17];
	count = gg_min_size(count, GG_COUNT(all) - 1);
	memcpy(all, fields, count * sizeof *all);
	if (left_out)
		all[count++] = GG_I("left_out", left_out);
	char time[GG_TIME_TEXT];
	gg_time_format(time, gg_clock_utc(&gg_clock_system) / GG_NS_PER_MS * GG_NS_PER_MS);
	struct gg_buf line = GG_BUF(2 * LINE_MAX_BYTES);
	format_json(&line, time, level, who, text, all, count);
	if (!line.error)
		remember(gg_buf_view(&line));
	if (atomic_load(&log_format) == GG_LOG_TEXT) {
		gg_buf_clear(&line);
		format_text(&line, time, level, who, text, all, count);
	}
	if (!line.error)
		put_line(gg_buf_view(&line));
	gg_buf_done(&line);
}

void gg_log_recent(size_t most, void (*each)(void *arg, struct gg_str json_line), void *arg)
{
	pthread_mutex_lock(&recent_lock);
	size_t count = gg_min_size(gg_min_size(recent_next, RECENT), most);
	for (size_t i = recent_next - count; i < recent_next; i++)
		each(arg, gg_str(recent[i % RECENT]));
	pthread_mutex_unlock(&recent_lock);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "recording.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zstd.h>

enum { ROWS_MAX = 1000000, FILE_MAX = 64 << 20 };

/* The file as it lies in site/data, between two symbols. */
__asm__(".section .rodata\n"
	".global gg_site_recording_begin, gg_site_recording_end\n"
	"gg_site_recording_begin:\n"
	".incbin \"" GG_SITE_RECORDING "\"\n"
	"gg_site_recording_end:\n"
	".byte 0\n"
	".previous\n");
extern const char gg_site_recording_begin[], gg_site_recording_end[];

struct bytes {
	char *p; /* ended by NUL */
	size_t len;
};

static int read_file(const char *path, struct bytes *to)
{
	FILE *f = fopen(path, "rb");
	long size = -1;
	if (f && fseek(f, 0, SEEK_END) == 0)
		size = ftell(f);
	if (size < 0 || size > FILE_MAX) {
		fprintf(stderr, "%s: %s\n", path, f && size > FILE_MAX ? "too large" : strerror(errno));
		if (f)
			fclose(f);
		return -1;
	}
	rewind(f);
	to->p = malloc((size_t)size + 1);
	to->len = to->p ? fread(to->p, 1, (size_t)size, f) : 0;
	fclose(f);
	if (to->p)
		to->p[to->len] = '\0';
	return to->p ? 0 : -1;
}

/* Takes the zstd frame off, if it is one. */
static int unpack(const char *what, struct bytes *b)
{
	unsigned long long size = ZSTD_getFrameContentSize(b->p, b->len);
	if (size == ZSTD_CONTENTSIZE_ERROR)
		return 0;
	char *plain = size < FILE_MAX ? malloc((size_t)size + 1) : NULL;
	size_t got = plain ? ZSTD_decompress(plain, (size_t)size, b->p, b->len) : 0;
	if (!plain || ZSTD_isError(got)) {
		fprintf(stderr, "%s: %s\n", what, plain ? ZSTD_getErrorName(got) : "too large");
		free(plain);
		return -1;
	}
	free(b->p);
	plain[got] = '\0';
	*b = (struct bytes){plain, got};
	return 0;
}

/* A row, or nothing when the line is none (the heading). */
static int read_row(const char *line, struct gg_site_row *row)
{
	const char *comma = strchr(line, ',');
	char *end;
	if (!comma || (size_t)(comma - line) >= sizeof row->time)
		return 0;
	row->value = strtod(comma + 1, &end);
	if (end == comma + 1)
		return 0;
	memcpy(row->time, line, (size_t)(comma - line));
	row->time[comma - line] = '\0';
	return 1;
}

static double seconds_of(const char *text)
{
	struct tm t = {0};
	return strptime(text, "%Y-%m-%d %H:%M:%S", &t) ? (double)timegm(&t) : 0;
}

static int read_rows(char *text, struct gg_site_recording *r)
{
	char *rest = text, *line;
	while ((line = strsep(&rest, "\n"))) {
		if (r->count % 4096 == 0) {
			void *more = r->count < ROWS_MAX
					     ? realloc(r->rows, (r->count + 4096) * sizeof *r->rows)
					     : NULL;
			if (!more)
				return -1;
			r->rows = more;
		}
		r->count += (size_t)read_row(line, &r->rows[r->count]);
	}
	for (size_t i = 1; i < r->count && r->row_seconds <= 0; i++)
		r->row_seconds = seconds_of(r->rows[i].time) - seconds_of(r->rows[i - 1].time);
	return r->count > 1 && r->row_seconds > 0 ? 0 : -1;
}

int gg_site_recording_load(const char *path, struct gg_site_recording *ret_recording)
{
	struct gg_site_recording r = {0};
	struct bytes b = {0};
	if (path && read_file(path, &b) < 0)
		return -1;
	if (!path) {
		b.len = (size_t)(gg_site_recording_end - gg_site_recording_begin);
		b.p = malloc(b.len + 1);
		if (!b.p)
			return -1;
		memcpy(b.p, gg_site_recording_begin, b.len);
		b.p[b.len] = '\0';
	}
	const char *what = path ? path : "the recording";
	int rc = unpack(what, &b);
	if (rc == 0 && (rc = read_rows(b.p, &r)) < 0)
		fprintf(stderr, "%s: rows of \"2013-12-14 18:15:00,97.2\" were expected\n", what);
	free(b.p);
	if (rc < 0)
		gg_site_recording_done(&r);
	else
		*ret_recording = r;
	return rc;
}

void gg_site_recording_done(struct gg_site_recording *r)
{
	free(r->rows);
	*r = (struct gg_site_recording){0};
}

size_t gg_site_recording_find(const struct gg_site_recording *r, const char *time)
{
	size_t i = 0;
	while (i < r->count && strcmp(r->rows[i].time, time) < 0)
		i++;
	return i;
}

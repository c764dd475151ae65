/* SPDX-License-Identifier: Apache-2.0 */
#include "core/metrics.h"
#include "base/log.h"
#include "base/map.h"

#include <pthread.h>

enum kind { COUNTER, GAUGE, HISTOGRAM };
enum { MOST_SERIES = 20000 };

struct series {
	struct series *next; /* of the same family, in the order made */
	char *labels;
	union {
		struct gg_counter counter;
		struct gg_gauge gauge;
		struct gg_histogram histogram;
	} u;
};

struct family {
	struct family *next;
	char *name, *help;
	enum kind kind;
	struct series *first, **end;
};

static struct {
	pthread_mutex_t lock;  /* guards all below; the values themselves are atomic */
	struct gg_map by_name; /* "name{labels}" -> series */
	struct family *first, **end;
	size_t count;
} registry = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct series spare;

static struct family *family_of(const char *name, const char *help, enum kind kind)
{
	for (struct family *f = registry.first; f; f = f->next)
		if (strcmp(f->name, name) == 0)
			return f->kind == kind ? f : NULL;
	struct family *f = calloc(1, sizeof *f);
	if (!f)
		return NULL;
	*f = (struct family){
		.name = gg_str_dup(gg_str(name)), .help = gg_str_dup(gg_str(help)), .kind = kind};
	f->end = &f->first;
	if (!f->name || !f->help) {
		free(f->name);
		free(f->help);
		free(f);
		return NULL;
	}
	if (!registry.end)
		registry.end = &registry.first;
	*registry.end = f;
	registry.end = &f->next;
	return f;
}

static struct series *make(
	const char *key, const char *name, const char *labels, const char *help, enum kind kind)
{
	struct family *f = registry.count < MOST_SERIES ? family_of(name, help, kind) : NULL;
	size_t value_size = kind == HISTOGRAM ? sizeof(struct gg_histogram) : sizeof(struct gg_counter);
	struct series *s = f ? calloc(1, offsetof(struct series, u) + value_size) : NULL;
	char *copy = s ? gg_str_dup(gg_str(labels)) : NULL;
	if (!copy || gg_map_put_ptr(&registry.by_name, gg_str(key), s) < 0) {
		free(copy);
		free(s);
		return NULL;
	}
	s->labels = copy;
	*f->end = s;
	f->end = &s->next;
	registry.count++;
	return s;
}

static struct series *series(const char *name, const char *labels, const char *help, enum kind kind)
{
	char key[512];
	snprintf(key, sizeof key, "%c%s{%s}", "cgh"[kind], name, labels ? labels : "");
	pthread_mutex_lock(&registry.lock);
	struct series *s = gg_map_get_ptr(&registry.by_name, gg_str(key));
	if (!s)
		s = make(key, name, labels, help, kind);
	pthread_mutex_unlock(&registry.lock);
	if (!s)
		gg_log(GG_WARN, "metrics", "no room for another series, continuing without it",
			GG_S("name", name));
	return s ? s : &spare;
}

struct gg_counter *gg_metric_counter(const char *name, const char *labels, const char *help)
{
	return &series(name, labels, help, COUNTER)->u.counter;
}

struct gg_gauge *gg_metric_gauge(const char *name, const char *labels, const char *help)
{
	return &series(name, labels, help, GAUGE)->u.gauge;
}

struct gg_histogram *gg_metric_histogram(const char *name, const char *labels, const char *help)
{
	return &series(name, labels, help, HISTOGRAM)->u.histogram;
}

double gg_metrics_value(const char *name, const char *labels)
{
	char key[512];
	double value = 0;
	for (int kind = COUNTER; kind <= GAUGE; kind++) {
		snprintf(key, sizeof key, "%c%s{%s}", "cgh"[kind], name, labels ? labels : "");
		pthread_mutex_lock(&registry.lock);
		struct series *s = gg_map_get_ptr(&registry.by_name, gg_str(key));
		pthread_mutex_unlock(&registry.lock);
		if (s)
			value = kind == COUNTER ? (double)atomic_load(&s->u.counter.value)
						: (double)atomic_load(&s->u.gauge.value);
	}
	return value;
}

/* ---- histograms: four buckets an octave, by the leading bits of the time in us ---- */

static unsigned bucket_of(int64_t ns)
{
	uint64_t us = ns > 0 ? (uint64_t)ns / 1000 : 0;
	if (us < 4)
		return (unsigned)us;
	unsigned octave = 63 - (unsigned)__builtin_clzll(us); /* >= 2 */
	unsigned bucket = (octave - 1) * 4 + ((us >> (octave - 2)) & 3);
	return bucket < GG_HISTOGRAM_BUCKETS ? bucket : GG_HISTOGRAM_BUCKETS - 1;
}

/* The first time, in us, that is beyond the bucket. */
static uint64_t bucket_end(unsigned bucket)
{
	if (bucket < 4)
		return bucket + 1;
	unsigned octave = bucket / 4 + 1, quarter = bucket % 4;
	return (uint64_t)(quarter + 5) << (octave - 2);
}

void gg_histogram_add(struct gg_histogram *h, int64_t ns)
{
	atomic_fetch_add_explicit(&h->buckets[bucket_of(ns)], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&h->sum_ns, ns > 0 ? (uint64_t)ns : 0, memory_order_relaxed);
}

static uint64_t total(const struct gg_histogram *h)
{
	uint64_t n = 0;
	for (unsigned i = 0; i < GG_HISTOGRAM_BUCKETS; i++)
		n += atomic_load_explicit(&h->buckets[i], memory_order_relaxed);
	return n;
}

int64_t gg_histogram_quantile(const struct gg_histogram *h, double q)
{
	uint64_t n = total(h), seen = 0;
	if (n == 0)
		return 0;
	for (unsigned i = 0; i < GG_HISTOGRAM_BUCKETS; i++) {
		seen += atomic_load_explicit(&h->buckets[i], memory_order_relaxed);
		if ((double)seen >= q * (double)n)
			return (int64_t)bucket_end(i) * 1000;
	}
	return (int64_t)bucket_end(GG_HISTOGRAM_BUCKETS - 1) * 1000;
}

/* ---- text form ---- */

static void write_histogram(struct gg_buf *to, const char *name, const struct series *s)
{
	const struct gg_histogram *h = &s->u.histogram;
	const char *comma = s->labels[0] ? "," : "";
	uint64_t seen = 0;
	for (unsigned i = 0; i < GG_HISTOGRAM_BUCKETS; i++) {
		seen += atomic_load_explicit(&h->buckets[i], memory_order_relaxed);
		/* One line an octave keeps the page readable; quantiles inside are for our own faces. */
		if (i % 4 == 3 && i + 1 < GG_HISTOGRAM_BUCKETS)
			gg_buf_printf(to, "ganglion_%s_bucket{%s%sle=\"%g\"} %llu\n", name, s->labels, comma,
				(double)bucket_end(i) / 1e6, (unsigned long long)seen);
	}
	gg_buf_printf(to, "ganglion_%s_bucket{%s%sle=\"+Inf\"} %llu\n", name, s->labels, comma,
		(unsigned long long)seen);
	gg_buf_printf(
		to, "ganglion_%s_sum{%s} %.9g\n", name, s->labels, (double)atomic_load(&h->sum_ns) / 1e9);
	gg_buf_printf(to, "ganglion_%s_count{%s} %llu\n", name, s->labels, (unsigned long long)seen);
}

static void write_series(struct gg_buf *to, const struct family *f, const struct series *s)
{
	if (f->kind == HISTOGRAM) {
		write_histogram(to, f->name, s);
		return;
	}
	bool labels = s->labels[0] != '\0';
	gg_buf_printf(to, "ganglion_%s%s%s%s ", f->name, labels ? "{" : "", s->labels, labels ? "}" : "");
	if (f->kind == COUNTER)
		gg_buf_printf(to, "%llu\n", (unsigned long long)atomic_load(&s->u.counter.value));
	else
		gg_buf_printf(to, "%lld\n", (long long)atomic_load(&s->u.gauge.value));
}

void gg_metrics_write(struct gg_buf *to)
{
	static const char *const kinds[] = {"counter", "gauge", "histogram"};
	pthread_mutex_lock(&registry.lock);
	for (const struct family *f = registry.first; f; f = f->next) {
		gg_buf_printf(to, "# HELP ganglion_%s %s\n# TYPE ganglion_%s %s\n", f->name, f->help, f->name,
			kinds[f->kind]);
		for (const struct series *s = f->first; s; s = s->next)
			write_series(to, f, s);
	}
	pthread_mutex_unlock(&registry.lock);
}

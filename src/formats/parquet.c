/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/parquet.h"

#include "base/map.h"
#include "formats/parquet_encode.h"
#include "formats/thrift.h"

#include <zstd.h>

/* Numbers of the format: Type, Repetition, Encoding, Codec, PageType, ConvertedType. */
enum { TYPE_INT64 = 2, TYPE_DOUBLE = 5, TYPE_BYTES = 6 };
enum { REQUIRED = 0, OPTIONAL = 1 };
enum { PLAIN = 0, RLE = 3, DELTA_BINARY_PACKED = 5, RLE_DICTIONARY = 8 };
enum { ZSTD = 6, DATA_PAGE = 0, DICTIONARY_PAGE = 2, UTF8 = 0 };

enum {
	GROUP_BYTES = 32 << 20, /* of texts and words; then a group ends before it has all its rows */
	BYTES_MAX = 256 << 20,
	META_MAX = 256 << 20,
	LEVEL = 3,
};

struct column {
	const struct gg_parquet_column *spec;
	bool said;        /* in this row */
	uint8_t *present; /* of each row */
	int64_t *times;   /* of those present */
	double *numbers;
	uint32_t *words; /* numbers in the dictionary */
	size_t count;
	struct gg_buf bytes; /* of texts, or of the dictionary; PLAIN */
	struct gg_map dictionary;
	uint32_t distinct, last_word;
	size_t last_offset, last_len; /* of the last word, in bytes */
};

struct gg_parquet {
	const struct gg_sink *sink;
	unsigned columns;
	struct column column[GG_PARQUET_COLUMNS];
	struct gg_parquet_column spec[GG_PARQUET_COLUMNS];
	size_t rows;
	uint64_t all_rows, groups, offset;
	struct gg_buf values, page, packed;
	struct gg_buf meta; /* the groups, as the footer lists them */
	ZSTD_CCtx *zstd;
	int error;
};

/* ---- life ---- */

static int column_init(struct column *c, const struct gg_parquet_column *spec)
{
	const size_t n = GG_PARQUET_GROUP_ROWS;
	c->spec = spec;
	c->bytes = GG_BUF(BYTES_MAX);
	c->present = malloc(n);
	bool ok = c->present != NULL;
	if (spec->type == GG_PARQUET_TIME)
		ok &= (c->times = malloc(n * sizeof *c->times)) != NULL;
	if (spec->type == GG_PARQUET_NUMBER)
		ok &= (c->numbers = malloc(n * sizeof *c->numbers)) != NULL;
	if (spec->type == GG_PARQUET_WORD)
		ok &= (c->words = malloc(n * sizeof *c->words)) != NULL;
	return ok ? 0 : -ENOMEM;
}

static int put(struct gg_parquet *p, const void *data, size_t len)
{
	int status = gg_sink_write(p->sink, data, len);
	p->offset += len;
	return status;
}

int gg_parquet_new(const struct gg_parquet_column *columns, unsigned count, const struct gg_sink *sink,
	struct gg_parquet **ret_parquet)
{
	struct gg_parquet *p = calloc(1, sizeof *p);
	int status = p && count <= GG_PARQUET_COLUMNS ? 0 : -ENOMEM;
	for (unsigned i = 0; i < count && status == 0; i++) {
		p->spec[i] = columns[i];
		status = column_init(&p->column[p->columns++], &p->spec[i]);
	}
	if (status == 0) {
		p->sink = sink;
		p->values = p->page = p->packed = GG_BUF(BYTES_MAX);
		p->meta = GG_BUF(META_MAX);
		p->zstd = ZSTD_createCCtx();
		status = p->zstd ? put(p, "PAR1", 4) : -ENOMEM;
	}
	if (status < 0) {
		gg_parquet_free(p);
		return status;
	}
	*ret_parquet = p;
	return 0;
}

struct gg_parquet *gg_parquet_free(struct gg_parquet *p)
{
	if (!p)
		return NULL;
	for (unsigned i = 0; i < p->columns; i++) {
		struct column *c = &p->column[i];
		free(c->present);
		free(c->times);
		free(c->numbers);
		free(c->words);
		gg_buf_done(&c->bytes);
		gg_map_done(&c->dictionary);
	}
	gg_buf_done(&p->values);
	gg_buf_done(&p->page);
	gg_buf_done(&p->packed);
	gg_buf_done(&p->meta);
	ZSTD_freeCCtx(p->zstd);
	free(p);
	return NULL;
}

/* ---- rows ---- */

void gg_parquet_time(struct gg_parquet *p, unsigned column, int64_t ns)
{
	struct column *c = &p->column[column];
	c->times[c->count] = ns;
	c->said = true;
}

void gg_parquet_number(struct gg_parquet *p, unsigned column, double v)
{
	struct column *c = &p->column[column];
	c->numbers[c->count] = v;
	c->said = true;
}

static void put_plain(struct gg_buf *to, struct gg_str s)
{
	gg_parquet_le32(to, (uint32_t)s.len);
	gg_buf_str(to, s);
}

/* Mostly it is the word of the row before. */
static int word_number(struct column *c, struct gg_str s, uint32_t *ret_number)
{
	uint64_t number;
	if (c->distinct && s.len == c->last_len && memcmp(c->bytes.p + c->last_offset, s.p, s.len) == 0) {
		*ret_number = c->last_word;
		return 0;
	}
	number = gg_map_get(&c->dictionary, s, UINT64_MAX);
	if (number == UINT64_MAX) {
		number = c->distinct;
		int status = gg_map_put(&c->dictionary, s, number);
		if (status < 0)
			return status;
		put_plain(&c->bytes, s);
		c->distinct++;
		c->last_offset = c->bytes.len - s.len;
		c->last_len = s.len;
	} else {
		c->last_len = SIZE_MAX; /* its place is not known */
	}
	*ret_number = c->last_word = (uint32_t)number;
	return c->bytes.error;
}

void gg_parquet_str(struct gg_parquet *p, unsigned column, struct gg_str s)
{
	struct column *c = &p->column[column];
	if (c->spec->type == GG_PARQUET_TEXT)
		put_plain(&c->bytes, s);
	else if (!p->error)
		p->error = word_number(c, s, &c->words[c->count]);
	c->said = true;
}

static void say_nothing(struct gg_parquet *p, unsigned column)
{
	switch (p->spec[column].type) {
	case GG_PARQUET_TIME:
		gg_parquet_time(p, column, 0);
		break;
	case GG_PARQUET_NUMBER:
		gg_parquet_number(p, column, 0);
		break;
	default:
		gg_parquet_str(p, column, GG_STR(""));
	}
}

static int write_group(struct gg_parquet *p);

int gg_parquet_row(struct gg_parquet *p)
{
	size_t bytes = 0;
	for (unsigned i = 0; i < p->columns; i++) {
		struct column *c = &p->column[i];
		if (!c->said && !c->spec->optional)
			say_nothing(p, i);
		c->present[p->rows] = c->said;
		c->count += c->said;
		c->said = false;
		bytes += c->bytes.len;
		if (c->bytes.error && !p->error)
			p->error = c->bytes.error;
	}
	p->rows++;
	if (!p->error && (p->rows == GG_PARQUET_GROUP_ROWS || bytes > GROUP_BYTES))
		p->error = write_group(p);
	return p->error;
}

/* ---- a column of a group ---- */

struct chunk {
	uint64_t begin, plain_bytes, dictionary, data; /* offsets; dictionary 0 = none */
};

/* The definition levels: runs of rows that have a value and that have none. */
static void put_levels(struct gg_parquet *p, const struct column *c, struct gg_buf *to)
{
	size_t at = to->len;
	gg_parquet_le32(to, 0);
	for (size_t i = 0; i < p->rows;) {
		size_t end = i + 1;
		while (end < p->rows && c->present[end] == c->present[i])
			end++;
		gg_thrift_varint(to, (uint64_t)(end - i) << 1);
		gg_buf_char(to, (char)c->present[i]);
		i = end;
	}
	uint32_t len = to->error ? 0 : (uint32_t)(to->len - at - 4);
	for (unsigned b = 0; b < 4 && !to->error; b++)
		to->p[at + b] = (char)(len >> 8 * b);
}

static void put_values(const struct column *c, struct gg_buf *to)
{
	switch (c->spec->type) {
	case GG_PARQUET_TIME:
		gg_parquet_delta(to, c->times, c->count);
		break;
	case GG_PARQUET_NUMBER:
		for (size_t i = 0; i < c->count; i++) {
			uint64_t bits;
			memcpy(&bits, &c->numbers[i], sizeof bits);
			gg_parquet_le64(to, bits);
		}
		break;
	case GG_PARQUET_WORD: {
		unsigned width = gg_parquet_width(c->distinct ? c->distinct - 1 : 0);
		gg_buf_char(to, (char)width);
		gg_parquet_runs(to, c->words, c->count, width);
		break;
	}
	default:
		gg_buf_str(to, gg_buf_view(&c->bytes));
	}
}

static int encoding_of(const struct column *c)
{
	return c->spec->type == GG_PARQUET_TIME   ? DELTA_BINARY_PACKED
	       : c->spec->type == GG_PARQUET_WORD ? RLE_DICTIONARY
						  : PLAIN;
}

/* Compresses what is in values and writes it with its header. */
static int write_page(struct gg_parquet *p, int type, size_t count, int encoding, struct chunk *chunk)
{
	if (p->values.error)
		return p->values.error;
	gg_buf_clear(&p->packed);
	gg_buf_clear(&p->page);
	size_t most = ZSTD_compressBound(p->values.len);
	char *to = gg_buf_room(&p->packed, most);
	if (!to)
		return p->packed.error;
	size_t len = ZSTD_compressCCtx(p->zstd, to, most, p->values.p, p->values.len, LEVEL);
	if (ZSTD_isError(len) || p->values.len > INT32_MAX || len > INT32_MAX)
		return -E2BIG;
	struct gg_thrift t = gg_thrift(&p->page);
	gg_thrift_element(&t);
	gg_thrift_i32(&t, 1, type);
	gg_thrift_i32(&t, 2, (int32_t)p->values.len);
	gg_thrift_i32(&t, 3, (int32_t)len);
	gg_thrift_begin(&t, type == DATA_PAGE ? 5 : 7);
	gg_thrift_i32(&t, 1, (int32_t)count);
	gg_thrift_i32(&t, 2, encoding);
	if (type == DATA_PAGE) {
		gg_thrift_i32(&t, 3, RLE);
		gg_thrift_i32(&t, 4, RLE);
	}
	gg_thrift_end(&t);
	gg_thrift_end(&t);
	chunk->plain_bytes += p->page.len + p->values.len;
	int status = p->page.error ? p->page.error : put(p, p->page.p, p->page.len);
	return status < 0 ? status : put(p, to, len);
}

static int write_column(struct gg_parquet *p, struct column *c, struct chunk *ret_chunk)
{
	struct chunk chunk = {.begin = p->offset};
	int status = 0;
	if (c->spec->type == GG_PARQUET_WORD) {
		chunk.dictionary = p->offset;
		gg_buf_clear(&p->values);
		gg_buf_str(&p->values, gg_buf_view(&c->bytes));
		status = write_page(p, DICTIONARY_PAGE, c->distinct, PLAIN, &chunk);
	}
	chunk.data = p->offset;
	gg_buf_clear(&p->values);
	if (c->spec->optional)
		put_levels(p, c, &p->values);
	put_values(c, &p->values);
	if (status == 0)
		status = write_page(p, DATA_PAGE, p->rows, encoding_of(c), &chunk);
	*ret_chunk = chunk;
	return status;
}

/* ---- what the footer says of it ---- */

static int order(struct gg_str a, struct gg_str b)
{
	int by = memcmp(a.p, b.p, gg_min_size(a.len, b.len));
	return by ? by : a.len < b.len ? -1 : a.len > b.len;
}

static bool range_of_words(const struct column *c, struct gg_str *ret_low, struct gg_str *ret_high)
{
	const uint8_t *p = (const uint8_t *)c->bytes.p;
	for (uint32_t i = 0; i < c->distinct; i++) {
		uint32_t len =
			(uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
		struct gg_str s = gg_str_n((const char *)p + 4, len);
		if (i == 0 || order(s, *ret_low) < 0)
			*ret_low = s;
		if (i == 0 || order(s, *ret_high) > 0)
			*ret_high = s;
		p += 4 + len;
	}
	return c->distinct > 0;
}

static void put_statistics(struct gg_thrift *t, const struct column *c, size_t rows)
{
	char low[8], high[8];
	struct gg_str a = gg_str_n(low, 8), b = gg_str_n(high, 8);
	bool any = c->count > 0;
	if (c->spec->type == GG_PARQUET_TIME && any) {
		int64_t least = c->times[0], most = c->times[0];
		for (size_t i = 1; i < c->count; i++) {
			least = c->times[i] < least ? c->times[i] : least;
			most = c->times[i] > most ? c->times[i] : most;
		}
		for (unsigned i = 0; i < 8; i++) {
			low[i] = (char)((uint64_t)least >> 8 * i);
			high[i] = (char)((uint64_t)most >> 8 * i);
		}
	} else if (c->spec->type == GG_PARQUET_WORD) {
		any = range_of_words(c, &a, &b);
	} else {
		any = false;
	}
	gg_thrift_begin(t, 12);
	gg_thrift_i64(t, 3, (int64_t)(rows - c->count));
	if (any) {
		gg_thrift_str(t, 5, b);
		gg_thrift_str(t, 6, a);
	}
	gg_thrift_end(t);
}

static int physical(const struct column *c)
{
	return c->spec->type == GG_PARQUET_TIME     ? TYPE_INT64
	       : c->spec->type == GG_PARQUET_NUMBER ? TYPE_DOUBLE
						    : TYPE_BYTES;
}

static void put_chunk(struct gg_parquet *p, struct gg_thrift *t, const struct column *c,
	const struct chunk *k, uint64_t bytes)
{
	gg_thrift_element(t);
	gg_thrift_i64(t, 2, (int64_t)k->begin);
	gg_thrift_begin(t, 3);
	gg_thrift_i32(t, 1, physical(c));
	gg_thrift_list(t, 2, GG_THRIFT_I32, c->spec->type == GG_PARQUET_WORD ? 3 : 2);
	gg_thrift_zigzag(t->to, encoding_of(c));
	gg_thrift_zigzag(t->to, RLE);
	if (c->spec->type == GG_PARQUET_WORD)
		gg_thrift_zigzag(t->to, PLAIN);
	gg_thrift_list(t, 3, GG_THRIFT_BINARY, 1);
	gg_thrift_bytes(t->to, gg_str(c->spec->name));
	gg_thrift_i32(t, 4, ZSTD);
	gg_thrift_i64(t, 5, (int64_t)p->rows);
	gg_thrift_i64(t, 6, (int64_t)k->plain_bytes);
	gg_thrift_i64(t, 7, (int64_t)bytes);
	gg_thrift_i64(t, 9, (int64_t)k->data);
	if (k->dictionary)
		gg_thrift_i64(t, 11, (int64_t)k->dictionary);
	put_statistics(t, c, p->rows);
	gg_thrift_end(t);
	gg_thrift_end(t);
}

static void begin_anew(struct gg_parquet *p)
{
	p->rows = 0;
	for (unsigned i = 0; i < p->columns; i++) {
		struct column *c = &p->column[i];
		c->count = 0;
		c->distinct = 0;
		gg_buf_clear(&c->bytes);
		gg_map_done(&c->dictionary);
		c->dictionary = (struct gg_map){0};
	}
}

static int write_group(struct gg_parquet *p)
{
	struct gg_thrift t = gg_thrift(&p->meta);
	uint64_t plain = 0;
	gg_thrift_element(&t);
	gg_thrift_list(&t, 1, GG_THRIFT_STRUCT, p->columns);
	for (unsigned i = 0; i < p->columns; i++) {
		struct chunk k;
		int status = write_column(p, &p->column[i], &k);
		if (status < 0)
			return status;
		put_chunk(p, &t, &p->column[i], &k, p->offset - k.begin);
		plain += k.plain_bytes;
	}
	gg_thrift_i64(&t, 2, (int64_t)plain);
	gg_thrift_i64(&t, 3, (int64_t)p->rows);
	gg_thrift_end(&t);
	p->all_rows += p->rows;
	p->groups++;
	begin_anew(p);
	return p->meta.error;
}

/* ---- the footer ---- */

static void put_column_schema(struct gg_thrift *t, const struct column *c)
{
	bool string = c->spec->type == GG_PARQUET_WORD || c->spec->type == GG_PARQUET_TEXT;
	gg_thrift_element(t);
	gg_thrift_i32(t, 1, physical(c));
	gg_thrift_i32(t, 3, c->spec->optional ? OPTIONAL : REQUIRED);
	gg_thrift_str(t, 4, gg_str(c->spec->name));
	if (string)
		gg_thrift_i32(t, 6, UTF8);
	if (string) {
		gg_thrift_begin(t, 10);
		gg_thrift_begin(t, 1); /* STRING */
		gg_thrift_end(t);
		gg_thrift_end(t);
	} else if (c->spec->type == GG_PARQUET_TIME) {
		gg_thrift_begin(t, 10);
		gg_thrift_begin(t, 8);      /* TIMESTAMP */
		gg_thrift_bool(t, 1, true); /* isAdjustedToUTC */
		gg_thrift_begin(t, 2);
		gg_thrift_begin(t, 3); /* NANOS */
		gg_thrift_end(t);
		gg_thrift_end(t);
		gg_thrift_end(t);
		gg_thrift_end(t);
	}
	gg_thrift_end(t);
}

int gg_parquet_finish(struct gg_parquet *p)
{
	if (!p->error && p->rows)
		p->error = write_group(p);
	if (p->error)
		return p->error;
	struct gg_buf foot GG_CLEANUP(gg_buf_done) = GG_BUF(META_MAX);
	struct gg_thrift t = gg_thrift(&foot);
	gg_thrift_element(&t);
	gg_thrift_i32(&t, 1, 2); /* version */
	gg_thrift_list(&t, 2, GG_THRIFT_STRUCT, p->columns + 1);
	gg_thrift_element(&t);
	gg_thrift_str(&t, 4, GG_STR("schema"));
	gg_thrift_i32(&t, 5, (int32_t)p->columns);
	gg_thrift_end(&t);
	for (unsigned i = 0; i < p->columns; i++)
		put_column_schema(&t, &p->column[i]);
	gg_thrift_i64(&t, 3, (int64_t)p->all_rows);
	gg_thrift_list(&t, 4, GG_THRIFT_STRUCT, (uint32_t)p->groups);
	gg_buf_str(&foot, gg_buf_view(&p->meta));
	gg_thrift_str(&t, 6, GG_STR("ganglion"));
	gg_thrift_list(&t, 7, GG_THRIFT_STRUCT, p->columns); /* how minimum and maximum are to be read */
	for (unsigned i = 0; i < p->columns; i++) {
		gg_thrift_element(&t);
		gg_thrift_begin(&t, 1); /* by the type */
		gg_thrift_end(&t);
		gg_thrift_end(&t);
	}
	gg_thrift_end(&t);
	size_t len = foot.len;
	gg_parquet_le32(&foot, (uint32_t)len);
	gg_buf_str(&foot, GG_STR("PAR1"));
	return foot.error ? foot.error : put(p, foot.p, foot.len);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Encodings are read back by a small reader of our own; whole files by pyarrow and DuckDB, in
 * tests/integration/test_export.py. */
#include "check.h"

#include "base/bytes.h"
#include "formats/parquet.h"
#include "formats/parquet_encode.h"
#include "formats/thrift.h"

static int64_t unzigzag(uint64_t v)
{
	return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

static uint64_t unpack(const uint8_t *bytes, size_t at, unsigned width)
{
	uint64_t v = 0;
	for (unsigned b = 0; b < width; b++)
		v |= (uint64_t)(bytes[(at * width + b) / 8] >> (at * width + b) % 8 & 1) << b;
	return v;
}

/* What a reader of DELTA_BINARY_PACKED does. */
static size_t read_delta(struct gg_buf *from, int64_t *to)
{
	struct gg_reader r = gg_reader(from->p, from->len);
	assert_int_equal(gg_read_varint(&r), 128);
	assert_int_equal(gg_read_varint(&r), 4);
	size_t count = (size_t)gg_read_varint(&r);
	uint64_t value = (uint64_t)unzigzag(gg_read_varint(&r));
	to[0] = (int64_t)value;
	for (size_t i = 1; i < count;) {
		uint64_t least = (uint64_t)unzigzag(gg_read_varint(&r));
		const uint8_t *widths = gg_read_bytes(&r, 4);
		for (unsigned m = 0; m < 4 && i < count; m++) {
			const uint8_t *mini = gg_read_bytes(&r, 4U * widths[m]);
			for (unsigned k = 0; k < 32 && i < count; k++)
				to[i++] = (int64_t)(value += least + unpack(mini, k, widths[m]));
		}
	}
	assert_true(gg_reader_ok(&r));
	assert_int_equal(gg_reader_left(&r), 0);
	return count;
}

static void deltas_read_back(GG_UNUSED void **state)
{
	static int64_t in[1000], back[1000];
	const size_t counts[] = {1, 2, 32, 33, 128, 129, 130, 257, 1000};
	for (size_t kind = 0; kind < 4; kind++) {
		uint64_t x = 88172645463325252ULL;
		for (size_t i = 0; i < GG_COUNT(in); i++) {
			x ^= x << 13, x ^= x >> 7, x ^= x << 17;
			in[i] = kind == 0   ? 1772366400000000000 + (int64_t)i * 1000000000
				: kind == 1 ? (int64_t)x
				: kind == 2 ? (i % 2 ? INT64_MAX : INT64_MIN)
					    : (int64_t)(x % 1000) - 500;
		}
		for (size_t c = 0; c < GG_COUNT(counts); c++) {
			struct gg_buf b GG_CLEANUP(gg_buf_done) = GG_BUF(1 << 20);
			gg_parquet_delta(&b, in, counts[c]);
			assert_int_equal(read_delta(&b, back), counts[c]);
			assert_memory_equal(in, back, counts[c] * sizeof *in);
		}
	}
}

static void runs_say_how_often_and_what(GG_UNUSED void **state)
{
	struct gg_buf b GG_CLEANUP(gg_buf_done) = GG_BUF(1 << 20);
	const uint32_t values[] = {3, 3, 3, 300, 0, 0};
	gg_parquet_runs(&b, values, GG_COUNT(values), gg_parquet_width(300));
	const uint8_t want[] = {6, 3, 0, 2, 0x2c, 1, 4, 0, 0};
	assert_int_equal(b.len, sizeof want);
	assert_memory_equal(b.p, want, sizeof want);
	assert_int_equal(gg_parquet_width(0), 0);
	assert_int_equal(gg_parquet_width(1), 1);
	assert_int_equal(gg_parquet_width(255), 8);
}

static void thrift_is_written_as_the_compact_protocol_says(GG_UNUSED void **state)
{
	struct gg_buf b GG_CLEANUP(gg_buf_done) = GG_BUF(1 << 20);
	struct gg_thrift t = gg_thrift(&b);
	gg_thrift_element(&t);
	gg_thrift_i32(&t, 1, -1);
	gg_thrift_bool(&t, 2, true);
	gg_thrift_i64(&t, 40, 300);
	gg_thrift_begin(&t, 41);
	gg_thrift_str(&t, 1, GG_STR("ab"));
	gg_thrift_end(&t);
	gg_thrift_list(&t, 42, GG_THRIFT_I32, 2);
	gg_thrift_zigzag(&b, 1);
	gg_thrift_zigzag(&b, 2);
	gg_thrift_end(&t);
	const uint8_t want[] = {
		0x15, 1, 0x11, 6, 80, 0xd8, 4, 0x1c, 0x18, 2, 'a', 'b', 0, 0x19, 0x25, 2, 4, 0};
	assert_int_equal(b.len, sizeof want);
	assert_memory_equal(b.p, want, sizeof want);
}

static int to_buffer(void *arg, const void *data, size_t len)
{
	struct gg_buf *b = arg;
	gg_buf_add(b, data, len);
	return b->error;
}

static int refuse(GG_UNUSED void *arg, GG_UNUSED const void *data, size_t len)
{
	return len == 4 ? 0 : -EPIPE;
}

static const struct gg_parquet_column columns[] = {{"word", GG_PARQUET_WORD, false},
	{"time", GG_PARQUET_TIME, false}, {"number", GG_PARQUET_NUMBER, true},
	{"text", GG_PARQUET_TEXT, true}};

static void a_file_begins_and_ends_with_its_mark(GG_UNUSED void **state)
{
	struct gg_buf b GG_CLEANUP(gg_buf_done) = GG_BUF(64 << 20);
	struct gg_sink sink = {&b, to_buffer};
	struct gg_parquet *p = NULL;
	assert_int_equal(gg_parquet_new(columns, GG_COUNT(columns), &sink, &p), 0);
	for (int i = 0; i < 1000; i++) {
		gg_parquet_str(p, 0, i % 10 < 5 ? GG_STR("a") : GG_STR("bb"));
		gg_parquet_time(p, 1, i);
		if (i % 3)
			gg_parquet_number(p, 2, i);
		assert_int_equal(gg_parquet_row(p), 0);
	}
	assert_int_equal(gg_parquet_finish(p), 0);
	gg_parquet_free(p);
	assert_memory_equal(b.p, "PAR1", 4);
	assert_memory_equal(b.p + b.len - 4, "PAR1", 4);
	struct gg_reader r = gg_reader(b.p + b.len - 8, 4);
	assert_true(gg_read_le32(&r) < b.len);
}

static void what_the_sink_refuses_is_told(GG_UNUSED void **state)
{
	struct gg_sink sink = {NULL, refuse};
	struct gg_parquet *p = NULL;
	assert_int_equal(gg_parquet_new(columns, GG_COUNT(columns), &sink, &p), 0);
	assert_int_equal(gg_parquet_row(p), 0);
	assert_int_equal(gg_parquet_finish(p), -EPIPE);
	assert_int_equal(gg_parquet_finish(p), -EPIPE);
	assert_null(gg_parquet_free(p));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(deltas_read_back),
		cmocka_unit_test(runs_say_how_often_and_what),
		cmocka_unit_test(thrift_is_written_as_the_compact_protocol_says),
		cmocka_unit_test(a_file_begins_and_ends_with_its_mark),
		cmocka_unit_test(what_the_sink_refuses_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

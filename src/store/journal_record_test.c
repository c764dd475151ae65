/* SPDX-License-Identifier: Apache-2.0 */
#include "store_fixture.h"

#include "store/journal_format.h"

#include <math.h>

struct codec {
	struct gg_dictionary dictionary;
	struct gg_lexicon lexicon;
	struct gg_buf names, bytes;
};

static void codec_init(struct codec *c)
{
	*c = (struct codec){.dictionary.names = &gg_names_table, .lexicon.names = &gg_names_table};
	c->names = GG_BUF(1 << 20);
	c->bytes = GG_BUF(64 << 20);
}

static void codec_done(struct codec *c)
{
	gg_dictionary_done(&c->dictionary);
	gg_lexicon_done(&c->lexicon);
	gg_buf_done(&c->names);
	gg_buf_done(&c->bytes);
}

static struct gg_batch *there_and_back(struct codec *c, const struct gg_batch *b)
{
	size_t max = 0;
	gg_buf_clear(&c->names);
	gg_buf_clear(&c->bytes);
	assert_int_equal(gg_dictionary_announce(&c->dictionary, b, &c->names, &max), 0);
	uint8_t *to = (uint8_t *)gg_buf_room(&c->bytes, max);
	c->bytes.len = gg_batch_encode(&c->dictionary, b, to);
	assert_true(c->bytes.len <= max);
	assert_int_equal(gg_lexicon_read(&c->lexicon, 1, gg_buf_view(&c->names)), 0);
	struct gg_batch *back = NULL;
	assert_int_equal(gg_batch_decode(&c->lexicon, gg_buf_view(&c->bytes), GG_RECORD_INPUT, &back), 0);
	return back;
}

static void assert_same(const struct gg_batch *a, const struct gg_batch *b)
{
	assert_int_equal(a->count, b->count);
	assert_int_equal(a->device, b->device);
	assert_int_equal(a->received_ns, b->received_ns);
	for (uint32_t i = 0; i < a->count; i++) {
		const struct gg_sample *x = &a->samples[i], *y = &b->samples[i];
		assert_int_equal(x->signal, y->signal);
		assert_int_equal(x->time_ns, y->time_ns);
		assert_int_equal(x->type, y->type);
		assert_int_equal(x->quality, y->quality);
		assert_int_equal(x->aux, y->aux);
		if (x->type >= GG_TYPE_STRING)
			assert_true(gg_str_eq(gg_batch_text(a, x), gg_batch_text(b, y)));
		else if (x->type == GG_TYPE_BOOL)
			assert_int_equal(
				x->v.b, y->v.b); /* what lies behind it in the union may be anything */
		else
			assert_int_equal(x->v.u, y->v.u);
	}
}

static void every_double_reads_back_bit_by_bit(GG_UNUSED void **state)
{
	const double values[] = {0, -0.0, 1, -1, 21.5, 21.37, 21.375, 0.001, 0.0001, 1e300, -1e-300, NAN,
		-NAN, INFINITY, -INFINITY, 1e12, 4e12, 4.1e12, 123456789.123, 0.1 + 0.2,
		3.4028234663852886e38, 1e39, 5e-324, 16777217, 0.3333333333333333};
	struct codec c;
	codec_init(&c);
	uint32_t signal = a_signal("press/double");
	struct gg_batch *b = gg_batch_new(GG_COUNT(values) + 2000, 0);
	b->device = gg_signal(signal)->device;
	uint64_t random = 1;
	for (size_t i = 0; i < GG_COUNT(values) + 2000; i++) {
		struct gg_sample s = {.signal = signal, .time_ns = (int64_t)i, .type = GG_TYPE_FLOAT};
		random = random * 6364136223846793005U + 1442695040888963407U;
		s.v.u = random ^ (random >> 31);
		if (i < GG_COUNT(values))
			s.v.f = values[i];
		else if (i % 2)
			s.v.f = (double)(int64_t)(random >> 40) / 100 - 50000;
		gg_batch_add(b, &s);
	}
	struct gg_batch *back = there_and_back(&c, b);
	assert_same(b, back);
	gg_batch_unref(back);
	gg_batch_unref(b);
	codec_done(&c);
}

static void all_types_times_and_qualities_read_back(GG_UNUSED void **state)
{
	struct codec c;
	codec_init(&c);
	uint32_t first = a_signal("press/a"), other = a_signal("mill/b");
	struct gg_batch *b = gg_batch_new(64, 1000);
	b->device = GG_NONE;
	b->received_ns = INT64_MIN;
	gg_batch_add_bool(b, first, 5, true);
	gg_batch_add_bool(b, first, 5, false);
	gg_batch_add_int(b, other, INT64_MAX, INT64_MIN);
	gg_batch_add_int(b, other, INT64_MIN, INT64_MAX);
	struct gg_sample s = {.signal = first, .type = GG_TYPE_UINT, .quality = GG_UNCERTAIN, .aux = 65535};
	s.v.u = UINT64_MAX;
	gg_batch_add(b, &s);
	gg_batch_add_string(b, first, 7, GG_STR("hello"));
	gg_batch_add_string(b, first, 8, GG_STR(""));
	gg_batch_add_bad(b, other, 9, GG_REASON_TIMEOUT);
	struct gg_batch *back = there_and_back(&c, b);
	assert_same(b, back);
	assert_true(back->frozen);
	gg_batch_unref(back);
	gg_batch_unref(b);
	codec_done(&c);
}

static void a_poll_of_decimals_takes_four_bytes_a_sample(GG_UNUSED void **state)
{
	struct codec c;
	codec_init(&c);
	struct gg_batch *b = gg_batch_new(100, 0);
	for (uint32_t i = 0; i < 100; i++) {
		char name[32];
		snprintf(name, sizeof name, "boiler/point-%u", i);
		gg_batch_add_float(b, a_signal(name), 1700000000000000000, (2000 + i * 37) / 100.0);
	}
	b->device = gg_signal(b->samples[0].signal)->device;
	b->received_ns = 1700000000000000000 + 12345;
	struct gg_batch *back = there_and_back(&c, b);
	assert_same(b, back);
	assert_true(c.bytes.len <= 400);
	gg_batch_unref(back);
	gg_batch_unref(b);
	codec_done(&c);
}

static void names_are_written_once(GG_UNUSED void **state)
{
	struct codec c;
	codec_init(&c);
	struct gg_batch *b = a_batch(a_signal("press/once"), 3, 0, 1);
	gg_batch_unref(there_and_back(&c, b));
	assert_true(c.names.len > 0);
	gg_batch_unref(there_and_back(&c, b));
	assert_int_equal(c.names.len, 0);
	gg_dictionary_forget(&c.dictionary);
	struct gg_batch *back = there_and_back(&c, b);
	assert_true(c.names.len > 0);
	assert_same(b, back);
	gg_batch_unref(back);
	gg_batch_unref(b);
	codec_done(&c);
}

static void a_signal_that_has_changed_is_described_anew(GG_UNUSED void **state)
{
	struct codec c;
	uint32_t signal = a_signal("press/renamed"), other = a_signal("press/same"), again;
	struct gg_signal_spec spec = {.type = GG_TYPE_FLOAT, .unit = "degC", .title = "Oil"};
	codec_init(&c);
	struct gg_batch *b = a_batch(signal, 3, 0, 1), *same = a_batch(other, 3, 0, 1);
	gg_batch_unref(there_and_back(&c, b));
	gg_batch_unref(there_and_back(&c, same));
	assert_int_equal(gg_signal_make(gg_signal(signal)->device, GG_STR("renamed"), &spec, &again), 0);
	assert_int_equal(again, signal);
	gg_batch_unref(there_and_back(&c, same));
	assert_int_equal(c.names.len, 0); /* of the others nothing is said twice */
	struct gg_batch *back = there_and_back(&c, b);
	assert_same(b, back);
	assert_non_null(memmem(c.names.p, c.names.len, "degC", 4));
	gg_batch_unref(back);
	gg_batch_unref(there_and_back(&c, b));
	assert_int_equal(c.names.len, 0);
	gg_batch_unref(b);
	gg_batch_unref(same);
	codec_done(&c);
}

static void shared_strings_cannot_blow_up_a_record(GG_UNUSED void **state)
{
	struct codec c;
	codec_init(&c);
	struct gg_batch *b = gg_batch_new(100, 1 << 20);
	b->tail_len = 1 << 20;
	struct gg_sample s = {
		.signal = a_signal("press/blob"), .type = GG_TYPE_BYTES, .v.blob = {0, 1 << 20}};
	for (int i = 0; i < 100; i++)
		gg_batch_add(b, &s);
	size_t max;
	assert_int_equal(gg_dictionary_announce(&c.dictionary, b, &c.names, &max), -E2BIG);
	gg_batch_unref(b);
	codec_done(&c);
}

static void any_damage_is_refused_or_harmless(GG_UNUSED void **state)
{
	struct codec c;
	codec_init(&c);
	struct gg_batch *b = a_batch(a_signal("press/damage"), 20, 1000, 1.25);
	gg_batch_unref(there_and_back(&c, b));
	for (size_t i = 0; i < c.bytes.len; i++)
		for (int bit = 0; bit < 8; bit++) {
			c.bytes.p[i] = (char)(c.bytes.p[i] ^ (1 << bit));
			struct gg_batch *back = NULL;
			if (gg_batch_decode(&c.lexicon, gg_buf_view(&c.bytes), GG_RECORD_INPUT, &back) == 0)
				gg_batch_unref(back);
			c.bytes.p[i] = (char)(c.bytes.p[i] ^ (1 << bit));
		}
	for (size_t len = 0; len < c.bytes.len; len++) {
		struct gg_batch *back = NULL;
		assert_int_equal(
			gg_batch_decode(&c.lexicon, gg_str_n(c.bytes.p, len), GG_RECORD_INPUT, &back),
			-EINVAL);
	}
	gg_batch_unref(b);
	codec_done(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_double_reads_back_bit_by_bit),
		cmocka_unit_test(all_types_times_and_qualities_read_back),
		cmocka_unit_test(a_poll_of_decimals_takes_four_bytes_a_sample),
		cmocka_unit_test(a_signal_that_has_changed_is_described_anew),
		cmocka_unit_test(names_are_written_once),
		cmocka_unit_test(shared_strings_cannot_blow_up_a_record),
		cmocka_unit_test(any_damage_is_refused_or_harmless),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

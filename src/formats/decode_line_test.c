/* SPDX-License-Identifier: Apache-2.0 */
/* Examples are those of InfluxDB's line protocol reference, and what its clients send. */
#include "check.h"

#include "core/signals.h"
#include "formats/decode_line.h"

static struct gg_decoder decoders[4];
static struct gg_batch *batches[4];
static char ids[4][32];
static size_t count;

static int make_signal(void *arg, uint32_t device, struct gg_str name, uint32_t *ret_signal)
{
	(void)arg;
	return gg_signal_make(device, name, NULL, ret_signal);
}

static int device_of(
	void *arg, struct gg_str id, struct gg_decoder **ret_decoder, struct gg_batch ***ret_batch)
{
	size_t i = 0;
	(void)arg;
	while (i < count && !gg_str_is(id, ids[i]))
		i++;
	if (i == count) {
		gg_str_copy(ids[count++], sizeof ids[0], id);
		decoders[i] = (struct gg_decoder){.signal = make_signal};
		assert_int_equal(gg_device_make(id, &decoders[i].device), 0);
		batches[i] = gg_batch_new(2, 0);
	}
	*ret_decoder = &decoders[i];
	*ret_batch = &batches[i];
	return 0;
}

static int decode(const char *text, struct gg_error *e)
{
	struct gg_line_sink sink = {NULL, device_of};
	struct gg_line_rule rule = {GG_STR("device"), GG_TIME_AUTO, 77};
	return gg_decode_lines(gg_str(text), &rule, &sink, e);
}

static int tear_down(void **state)
{
	(void)state;
	for (size_t i = 0; i < count; i++) {
		gg_batch_unref(batches[i]);
		gg_decoder_done(&decoders[i]);
	}
	count = 0;
	return 0;
}

static const struct gg_sample *sample(size_t device, uint32_t i, const char *name)
{
	assert_true(device < count && i < batches[device]->count);
	const struct gg_sample *s = &batches[device]->samples[i];
	assert_string_equal(gg_signal(s->signal)->name.p, name);
	return s;
}

static void reads_all_types(void **state)
{
	(void)state;
	assert_int_equal(
		decode("m f=1.5,i=-3i,u=18446744073709551615u,t=t,n=False,s=\"a, b=\\\"c\\\"\\\\\",e=1e3 "
		       "1556813561098000000\n",
			NULL),
		0);
	assert_true(sample(0, 0, "m/f")->v.f == 1.5);
	assert_int_equal(sample(0, 1, "m/i")->v.i, -3);
	assert_true(sample(0, 2, "m/u")->v.u == UINT64_MAX);
	assert_true(sample(0, 3, "m/t")->v.b);
	assert_false(sample(0, 4, "m/n")->v.b);
	check_str(gg_batch_text(batches[0], sample(0, 5, "m/s")), "a, b=\"c\"\\");
	assert_true(sample(0, 6, "m/e")->v.f == 1000);
	assert_int_equal(sample(0, 6, "m/e")->time_ns, 1556813561098000000);
}

static void names_come_from_measurement_tags_and_field(void **state)
{
	(void)state;
	assert_int_equal(decode("# a comment\n"
				"cpu,cpu=cpu0,host=a usage=1\r\n"
				"\n"
				"weather,room=b,device=press-2 temp=21.5 1556813561\n"
				"my_Measure,tag\\,x=tag\\ value field\\ key=\"string\"\n",
				 NULL),
		0);
	assert_int_equal(sample(0, 0, "cpu/cpu0.a.usage")->time_ns, 77);
	assert_int_equal(sample(1, 0, "press-2/weather.b.temp")->time_ns, 1556813561 * GG_NS_PER_S);
	assert_int_equal(count, 3);
	assert_string_equal(ids[2], "my_Measure");
}

static void says_which_line_is_wrong(void **state)
{
	(void)state;
	static const char *const wrong[] = {"m f=1\nm f", "m f=1\nm", "m f=1\nm f=", "m f=1\nm f=x",
		"m f=1\n,a=b f=1", "m f=1\nm,a f=1", "m f=1\nm f=\"open", "m f=1\nm f=1 now",
		"m f=1\nm f=nan", "m f=1\nm f=1ii"};
	for (size_t i = 0; i < GG_COUNT(wrong); i++) {
		struct gg_error e = {0};
		assert_int_equal(decode(wrong[i], &e), -EINVAL);
		assert_non_null(strstr(e.text, "line 2: expected"));
	}
}

#define LINE(name) cmocka_unit_test_teardown(name, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LINE(reads_all_types),
		LINE(names_come_from_measurement_tags_and_field),
		LINE(says_which_line_is_wrong),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

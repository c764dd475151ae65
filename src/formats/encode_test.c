/* SPDX-License-Identifier: Apache-2.0 */
/* Golden outputs of the encoders. Vectors of CBOR are those of RFC 8949, Appendix A. */
#include "check.h"

#include "core/signals.h"
#include "formats/cbor.h"
#include "formats/compress.h"
#include "formats/encode.h"

#include <math.h>
#include <zstd.h>

#define T0 (1700000000 * GG_NS_PER_S)

static struct gg_buf out;

static void check_hex(const char *hex)
{
	char text[2048] = "";
	assert_int_equal(out.error, 0);
	for (size_t i = 0; i < out.len; i++)
		snprintf(text + 2 * i, 3, "%02x", (unsigned char)out.p[i]);
	assert_string_equal(text, hex);
	gg_buf_clear(&out);
}

static void check_out(const char *text)
{
	assert_int_equal(out.error, 0);
	assert_string_equal(gg_buf_text(&out), text);
	gg_buf_clear(&out);
}

static uint32_t signal_of(const char *name, const char *unit)
{
	struct gg_signal_spec spec = {.unit = unit};
	uint32_t s = GG_NONE;
	assert_int_equal(gg_signal_make_full(gg_str(name), &spec, &s), 0);
	return s;
}

static struct gg_batch *boiler(void)
{
	struct gg_batch *b = gg_batch_new(8, 64);
	gg_batch_add_float(b, signal_of("boiler/temperature", "degF"), T0 + 250 * GG_NS_PER_MS, 212);
	gg_batch_add_bool(b, signal_of("boiler/burner", NULL), T0 + 250 * GG_NS_PER_MS, true);
	gg_batch_add_string(b, signal_of("boiler/state", NULL), T0 + GG_NS_PER_S, GG_STR("say \"hi\""));
	gg_batch_add_int(b, signal_of("boiler/level", "%"), T0, -40);
	gg_batch_add_bad(b, signal_of("boiler/flow", NULL), T0, GG_REASON_TIMEOUT);
	struct gg_sample bytes = {
		.time_ns = T0, .signal = signal_of("boiler/raw", NULL), .type = GG_TYPE_BYTES};
	bytes.v.blob.off = b->tail_len;
	bytes.v.blob.len = 2;
	memcpy(b->tail + b->tail_len, "\xff\xfe", 2);
	b->tail_len += 2;
	gg_batch_add(b, &bytes);
	return b;
}

static void encode(const struct gg_encoder *encoder, uint32_t from, uint32_t to)
{
	struct gg_batch *b = boiler();
	struct gg_encoding e;
	encoder->begin(&e, &out, 0x1f40, GG_STR("boiler"));
	for (uint32_t i = from; i < to; i++)
		encoder->add(&e, b, &b->samples[i]);
	encoder->end(&e);
	gg_batch_unref(b);
}

static void json_is_as_described(void **state)
{
	(void)state;
	encode(&gg_encoder_json, 0, 6);
	check_out("{\"id\":\"0000000000001f40\",\"device\":\"boiler\",\"samples\":["
		  "{\"signal\":\"temperature\",\"time\":\"2023-11-14T22:13:20.25Z\",\"value\":212,\"unit\":"
		  "\"degF\"},"
		  "{\"signal\":\"burner\",\"time\":\"2023-11-14T22:13:20.25Z\",\"value\":true},"
		  "{\"signal\":\"state\",\"time\":\"2023-11-14T22:13:21Z\",\"value\":\"say \\\"hi\\\"\"},"
		  "{\"signal\":\"level\",\"time\":\"2023-11-14T22:13:20Z\",\"value\":-40,\"unit\":\"%\"},"
		  "{\"signal\":\"flow\",\"time\":\"2023-11-14T22:13:20Z\",\"value\":null,\"quality\":\"bad\","
		  "\"reason\":\"no answer in time\"},"
		  "{\"signal\":\"raw\",\"time\":\"2023-11-14T22:13:20Z\",\"value\":{\"base64\":\"//4=\"}}]}");
}

static void senml_uses_its_own_units_and_leaves_bad_values_out(void **state)
{
	(void)state;
	encode(&gg_encoder_senml, 0, 6);
	check_out("[{\"bn\":\"boiler/"
		  "\",\"bt\":1700000000,\"n\":\"temperature\",\"u\":\"Cel\",\"t\":0.25,\"v\":100},"
		  "{\"n\":\"burner\",\"t\":0.25,\"vb\":true},"
		  "{\"n\":\"state\",\"t\":1,\"vs\":\"say \\\"hi\\\"\"},"
		  "{\"n\":\"level\",\"u\":\"/\",\"v\":-0.4},"
		  "{\"n\":\"raw\",\"vd\":\"__4\"}]");
}

static void cbor_says_the_same_as_json(void **state)
{
	(void)state;
	encode(&gg_encoder_cbor, 4, 5);
	/* {"id": 8000, "device": "boiler", "samples": [{"time": 1700000000000000000, "value": null,
	 *   "reason": "no answer in time", "signal": "flow", "quality": "bad"}]} */
	check_hex("a3626964191f406664657669636566626f696c65726773616d706c657381"
		  "a56474696d651b17979cfe362a00006576616c7565f666726561736f6e"
		  "716e6f20616e7377657220696e2074696d65667369676e616c64666c6f77677175616c69747963626164");
}

static void cbor_floats_are_as_short_as_can_be(void **state)
{
	(void)state;
	static const struct {
		double v;
		const char *hex;
	} vectors[] = {{0.0, "f90000"}, {-0.0, "f98000"}, {1.0, "f93c00"}, {1.1, "fb3ff199999999999a"},
		{1.5, "f93e00"}, {65504.0, "f97bff"}, {100000.0, "fa47c35000"},
		{3.4028234663852886e+38, "fa7f7fffff"}, {1.0e+300, "fb7e37e43c8800759c"},
		{5.960464477539063e-8, "f90001"}, {0.00006103515625, "f90400"}, {-4.0, "f9c400"},
		{-4.1, "fbc010666666666666"}, {INFINITY, "f97c00"}, {-INFINITY, "f9fc00"}, {NAN, "f97e00"}};
	for (size_t i = 0; i < GG_COUNT(vectors); i++) {
		gg_cbor_float(&out, vectors[i].v);
		check_hex(vectors[i].hex);
	}
}

static void cbor_integers_are_as_short_as_can_be(void **state)
{
	(void)state;
	static const struct {
		int64_t v;
		const char *hex;
	} vectors[] = {{0, "00"}, {23, "17"}, {24, "1818"}, {100, "1864"}, {1000, "1903e8"},
		{1000000, "1a000f4240"}, {1000000000000, "1b000000e8d4a51000"}, {-1, "20"}, {-100, "3863"},
		{-1000, "3903e7"}, {INT64_MIN, "3b7fffffffffffffff"}};
	for (size_t i = 0; i < GG_COUNT(vectors); i++) {
		gg_cbor_int(&out, vectors[i].v);
		check_hex(vectors[i].hex);
	}
	gg_cbor_uint(&out, UINT64_MAX);
	check_hex("1bffffffffffffffff");
}

static void events_become_cbor_too(void **state)
{
	(void)state;
	/* The last example of Appendix A's nested ones: {"a": 1, "b": [2, 3]} */
	assert_int_equal(gg_cbor_json(&out, GG_STR("{\"a\": 1, \"b\": [2, 3]}")), 0);
	check_hex("a26161016162820203");
	assert_int_equal(gg_cbor_json(&out, GG_STR("[\"\\u00fc\", null, [], {}, true]")), 0);
	check_hex("8562c3bcf680a0f5");
	assert_int_equal(gg_cbor_json(&out, GG_STR("{\"a\": ")), -EINVAL);
	gg_buf_clear(&out);
	assert_int_equal(gg_encoder_json.event(&out, 255, GG_STR("{\"kind\":\"rule\"}")), 0);
	check_out("{\"id\":\"00000000000000ff\",\"event\":{\"kind\":\"rule\"}}");
	assert_int_equal(gg_encoder_json.event(&out, 255, GG_STR("nonsense")), -EINVAL);
	gg_buf_clear(&out);
}

static void base64_pads_as_rfc_4648_says(void **state)
{
	(void)state;
	static const char *const vectors[][2] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"},
		{"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};
	for (size_t i = 0; i < GG_COUNT(vectors); i++) {
		gg_buf_base64(&out, gg_str(vectors[i][0]), false);
		check_out(vectors[i][1]);
	}
}

static void what_is_compressed_comes_back(void **state)
{
	(void)state;
	struct gg_compressor *c = gg_compressor_new(3);
	char text[5000], back[5000];
	memset(text, 'x', sizeof text);
	for (int round = 0; round < 2; round++) {
		assert_int_equal(gg_compress(c, gg_str_n(text, sizeof text), &out), 0);
		assert_true(out.len < 100);
		assert_int_equal(ZSTD_getFrameContentSize(out.p, out.len), sizeof text);
		assert_int_equal(ZSTD_decompress(back, sizeof back, out.p, out.len), sizeof back);
		assert_memory_equal(back, text, sizeof text);
		gg_buf_clear(&out);
	}
	gg_compressor_free(c);
}

static void a_full_buffer_is_an_error_and_no_more(void **state)
{
	(void)state;
	const struct gg_encoder *all[] = {&gg_encoder_json, &gg_encoder_senml, &gg_encoder_cbor};
	struct gg_buf whole = out;
	for (size_t i = 0; i < GG_COUNT(all); i++) {
		out = GG_BUF(40);
		encode(all[i], 0, 6);
		assert_int_equal(out.error, -E2BIG);
		gg_buf_done(&out);
	}
	out = whole;
}

int main(void)
{
	out = GG_BUF(1 << 20);
	const struct CMUnitTest tests[] = {
		TEST(json_is_as_described),
		TEST(senml_uses_its_own_units_and_leaves_bad_values_out),
		TEST(cbor_says_the_same_as_json),
		TEST(cbor_floats_are_as_short_as_can_be),
		TEST(cbor_integers_are_as_short_as_can_be),
		TEST(events_become_cbor_too),
		TEST(base64_pads_as_rfc_4648_says),
		TEST(what_is_compressed_comes_back),
		TEST(a_full_buffer_is_an_error_and_no_more),
	};
	int rc = cmocka_run_group_tests(tests, NULL, NULL);
	gg_buf_done(&out);
	return rc;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The specification's own vectors, the way there and back, and what must not open. */
#include "check.h"
#include "store/seal.h"

static struct gg_seal *make(uint8_t byte)
{
	uint8_t key[GG_SEAL_KEY];
	struct gg_seal *s = NULL;
	memset(key, byte, sizeof key);
	assert_int_equal(gg_seal_new(key, &s), 0);
	return s;
}

static void opens_the_vectors_of_the_specification(void **state)
{
	(void)state;
	static const struct {
		uint8_t key;
		const char *associated;
		uint8_t sealed[12], tag[16];
	} vectors[] = {
		{1, "", {0xce, 0x54, 0x6e, 0xf6, 0x3c, 0x9c, 0xc6, 0x07, 0x65, 0x92, 0x36, 0x09},
			{0xb3, 0x3a, 0x9a, 0x19, 0x74, 0xe9, 0x6e, 0x52, 0xda, 0xf2, 0xfc, 0xf7, 0x07, 0x5e,
				0x22, 0x71}},
		{3, "c2sp.org/XAES-256-GCM",
			{0x98, 0x6e, 0xc1, 0x83, 0x25, 0x93, 0xdf, 0x54, 0x43, 0xa1, 0x79, 0x43},
			{0x7f, 0xd0, 0x83, 0xbf, 0x3f, 0xdb, 0x41, 0xab, 0xd7, 0x40, 0xa2, 0x1f, 0x71, 0xeb,
				0x76, 0x9d}},
	};
	for (size_t i = 0; i < GG_COUNT(vectors); i++) {
		struct gg_seal *s = make(vectors[i].key);
		uint8_t trailer[GG_SEAL_TRAILER], text[12];
		memcpy(trailer, "ABCDEFGHIJKLMNOPQRSTUVWX", GG_SEAL_NONCE);
		memcpy(trailer + GG_SEAL_NONCE, vectors[i].tag, GG_SEAL_TAG);
		assert_int_equal(
			gg_seal_open(s, gg_str(vectors[i].associated), vectors[i].sealed, 12, trailer, text),
			0);
		assert_memory_equal(text, "XAES-256-GCM", 12);
		gg_seal_free(s);
	}
}

static void what_was_shut_opens_in_place_and_says_nothing_meanwhile(void **state)
{
	(void)state;
	struct gg_seal *s = make(7);
	uint8_t text[1000], was[1000], trailer[GG_SEAL_TRAILER], other[GG_SEAL_TRAILER], again[1000];
	memset(text, 'a', sizeof text);
	memcpy(was, text, sizeof text);
	assert_int_equal(gg_seal_shut(s, GG_STR("7"), text, sizeof text, text, trailer), 0);
	assert_int_equal(gg_seal_shut(s, GG_STR("7"), was, sizeof was, again, other), 0);
	assert_memory_not_equal(text, was, sizeof text);
	assert_memory_not_equal(text, again, sizeof text); /* a nonce of its own */
	assert_int_equal(gg_seal_open(s, GG_STR("7"), text, sizeof text, trailer, text), 0);
	assert_memory_equal(text, was, sizeof text);
	assert_int_equal(gg_seal_shut(s, GG_STR(""), NULL, 0, text, trailer), 0);
	assert_int_equal(gg_seal_open(s, GG_STR(""), NULL, 0, trailer, text), 0);
	gg_seal_free(s);
}

static void opens_nothing_that_was_changed_moved_or_is_anothers(void **state)
{
	(void)state;
	struct gg_seal *s = make(7), *stranger = make(8);
	uint8_t sealed[64] = {0}, to[64], trailer[GG_SEAL_TRAILER];
	assert_int_equal(gg_seal_shut(s, GG_STR("place 1"), sealed, sizeof sealed, sealed, trailer), 0);
	assert_int_equal(gg_seal_open(s, GG_STR("place 2"), sealed, sizeof sealed, trailer, to), -EBADMSG);
	assert_int_equal(
		gg_seal_open(stranger, GG_STR("place 1"), sealed, sizeof sealed, trailer, to), -EBADMSG);
	assert_int_equal(
		gg_seal_open(s, GG_STR("place 1"), sealed, sizeof sealed - 1, trailer, to), -EBADMSG);
	for (size_t i = 0; i < sizeof sealed + sizeof trailer; i++) {
		uint8_t *at = i < sizeof sealed ? &sealed[i] : &trailer[i - sizeof sealed];
		*at ^= 1;
		assert_int_equal(
			gg_seal_open(s, GG_STR("place 1"), sealed, sizeof sealed, trailer, to), -EBADMSG);
		*at ^= 1;
	}
	assert_int_equal(gg_seal_open(s, GG_STR("place 1"), sealed, sizeof sealed, trailer, to), 0);
	gg_seal_free(stranger);
	gg_seal_free(s);
}

/* A series is XAES-256-GCM like the rest: its blocks open with the nonce put together by hand. */
static void a_series_opens_by_its_numbers_and_as_single_blocks(void **state)
{
	(void)state;
	struct gg_seal *s = make(7), *reader = make(7);
	const uint8_t half[GG_SEAL_HALF] = "twelve bytes";
	uint8_t text[3][50], to[50], trailer[GG_SEAL_TRAILER], tags[3][GG_SEAL_TAG];
	assert_int_equal(gg_seal_series(s, half), 0);
	assert_int_equal(gg_seal_series(reader, half), 0);
	for (uint8_t i = 0; i < 3; i++) {
		memset(text[i], i, sizeof text[i]);
		assert_int_equal(
			gg_seal_shut_at(s, 0x100u + i, GG_STR("k"), text[i], 50, text[i], tags[i]), 0);
		assert_int_equal(gg_seal_shut(s, GG_STR(""), to, 50, to, trailer), 0);
	}
	for (uint8_t i = 0; i < 3; i++) {
		assert_int_equal(
			gg_seal_open_at(reader, 0x101u + i, GG_STR("k"), text[i], 50, tags[i], to), -EBADMSG);
		assert_int_equal(
			gg_seal_open_at(reader, 0x100u + i, GG_STR("l"), text[i], 50, tags[i], to), -EBADMSG);
		assert_int_equal(
			gg_seal_open_at(reader, 0x100u + i, GG_STR("k"), text[i], 50, tags[i], to), 0);
		assert_true(to[0] == i && to[49] == i);
		memcpy(trailer, half, sizeof half);
		memset(trailer + GG_SEAL_HALF, 0, GG_SEAL_HALF);
		trailer[GG_SEAL_NONCE - 2] = 1;
		trailer[GG_SEAL_NONCE - 1] = i;
		memcpy(trailer + GG_SEAL_NONCE, tags[i], GG_SEAL_TAG);
		assert_int_equal(gg_seal_open(reader, GG_STR("k"), text[i], 50, trailer, to), 0);
	}
	gg_seal_free(s);
	gg_seal_free(reader);
}

/* RFC 5869's construction with no salt: extract with zeros, then one block of expand. */
static void keys_of_different_purposes_differ_and_stay(void **state)
{
	(void)state;
	uint8_t root[GG_SEAL_KEY] = {1}, a[GG_SEAL_KEY], again[GG_SEAL_KEY], b[GG_SEAL_KEY];
	assert_int_equal(gg_seal_derive(root, GG_STR("journal"), a), 0);
	assert_int_equal(gg_seal_derive(root, GG_STR("journal"), again), 0);
	assert_int_equal(gg_seal_derive(root, GG_STR("databases"), b), 0);
	assert_memory_equal(a, again, sizeof a);
	assert_memory_not_equal(a, b, sizeof a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opens_the_vectors_of_the_specification),
		cmocka_unit_test(what_was_shut_opens_in_place_and_says_nothing_meanwhile),
		cmocka_unit_test(opens_nothing_that_was_changed_moved_or_is_anothers),
		cmocka_unit_test(a_series_opens_by_its_numbers_and_as_single_blocks),
		cmocka_unit_test(keys_of_different_purposes_differ_and_stay),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"

#include "formats/tar.h"

static void a_header_reads_back(GG_UNUSED void **state)
{
	const uint64_t sizes[] = {0, 1, 511, 512, (1ULL << 33) - 1, 1ULL << 33, 1ULL << 62};
	for (size_t i = 0; i < GG_COUNT(sizes); i++) {
		uint8_t block[GG_TAR_BLOCK];
		struct gg_tar_file f = {"journal/00000000000000000000.seg", sizes[i], 1772366400, 0600},
				   back = {0};
		assert_int_equal(gg_tar_write(block, &f), 0);
		assert_int_equal(gg_tar_read(block, &back), 1);
		assert_string_equal(back.name, f.name);
		assert_true(back.bytes == f.bytes);
		assert_int_equal(back.time_s, f.time_s);
		assert_int_equal(back.mode, f.mode);
	}
}

static void what_is_no_header_of_a_file_is_refused(GG_UNUSED void **state)
{
	uint8_t block[GG_TAR_BLOCK] = {0};
	struct gg_tar_file f = {"a", 5, 0, 0600}, back;
	assert_int_equal(gg_tar_read(block, &back), 0);
	memset(block, 'x', sizeof block);
	assert_int_equal(gg_tar_read(block, &back), -EINVAL);
	assert_int_equal(gg_tar_write(block, &f), 0);
	for (size_t i = 0; i < GG_TAR_BLOCK; i++) {
		block[i] ^= 1;
		if (i < 148 || i >= 156) /* the sum itself has room for blanks and zeros */
			assert_int_equal(gg_tar_read(block, &back), -EINVAL);
		block[i] ^= 1;
	}
	memset(f.name, 'n', 100);
	assert_int_equal(gg_tar_write(block, &f), 0);
	assert_int_equal(gg_tar_read(block, &back), 1);
	assert_int_equal(strlen(back.name), 100);
}

static void files_are_filled_up_to_blocks(GG_UNUSED void **state)
{
	assert_int_equal(gg_tar_padding(0), 0);
	assert_int_equal(gg_tar_padding(1), 511);
	assert_int_equal(gg_tar_padding(512), 0);
	assert_int_equal(gg_tar_padding(513), 511);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_header_reads_back),
		cmocka_unit_test(what_is_no_header_of_a_file_is_refused),
		cmocka_unit_test(files_are_filled_up_to_blocks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

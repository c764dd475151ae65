/* SPDX-License-Identifier: Apache-2.0 */
/* cmocka with the headers it wants before it, and a few checks in our words. */
#ifndef GG_TESTS_CHECK_H
#define GG_TESTS_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those: */
#include <cmocka.h>

#include "base/str.h"

#define check_str(view, text)                                                                                \
	do {                                                                                                 \
		struct gg_str view_ = (view);                                                                \
		char *copy_ = gg_str_dup(view_);                                                             \
		assert_string_equal(copy_, text);                                                            \
		free(copy_);                                                                                 \
	} while (0)

#define TEST(name) cmocka_unit_test(name)

#endif

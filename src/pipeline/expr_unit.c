/* SPDX-License-Identifier: Apache-2.0 */
/* What expressions want of units: conversions as a factor and an offset, and units of products, which are
 * left as UDUNITS would read them ("V.A"). Never called per sample. */
#include "pipeline/expr.h"
#include "pipeline/units.h"

#include <math.h>

enum { UNIT_TEXT = 64 };

int gg_unit_linear(const char *from, const char *to, struct gg_expr_linear *ret_linear)
{
	struct gg_units *u = NULL;
	int rc = gg_units_new(from, to, &u, NULL);
	if (rc < 0)
		return gg_unit_known(from) && gg_unit_known(to) ? -ENOTSUP : -EINVAL;
	if (!u) {
		*ret_linear = (struct gg_expr_linear){1, 0};
		return 0;
	}
	double at_0 = gg_units_convert(u, 0), at_1 = gg_units_convert(u, 1), at_3 = gg_units_convert(u, 3);
	gg_units_free(u);
	/* logarithmic units (dBm) are not linear */
	if (!(fabs(at_3 - at_0 - 3 * (at_1 - at_0)) <= 1e-9 * (1 + fabs(at_3))))
		return -ENOTSUP;
	*ret_linear = (struct gg_expr_linear){at_1 - at_0, at_0};
	return 0;
}

bool gg_unit_known(const char *unit)
{
	return gg_units_check(unit, NULL) == 0;
}

static bool is_word(const char *unit)
{
	for (; *unit; unit++)
		if (!((*unit | 32) >= 'a' && (*unit | 32) <= 'z'))
			return false;
	return true;
}

int gg_unit_combine(const char *a, char operation, const char *b, char *to, size_t size)
{
	bool plain_a = is_word(a), plain_b = is_word(b);
	char text[2 * UNIT_TEXT + 8];
	int n = snprintf(text, sizeof text, "%s%s%s%c%s%s%s", plain_a ? "" : "(", a, plain_a ? "" : ")",
		operation == '*' ? '.' : '/', plain_b ? "" : "(", b, plain_b ? "" : ")");
	if (n < 0 || (size_t)n >= sizeof text || (size_t)n >= size || !gg_unit_known(text))
		return -EINVAL;
	gg_str_copy(to, size, gg_str(text));
	return 0;
}

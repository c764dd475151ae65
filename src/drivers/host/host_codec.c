/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/host/host_codec.h"

/* The next word of a text whose words stand apart by single blanks, as a number from 0 up. */
static int take_number(struct gg_str *text, double *ret_number)
{
	double number;
	int rc = gg_parse_float(gg_str_trim(gg_str_cut(text, ' ')), &number);
	if (rc < 0)
		return rc;
	if (!(number >= 0 && number < 1e15)) /* NaN is neither */
		return -ERANGE;
	*ret_number = number;
	return 0;
}

int gg_machine_load(struct gg_str text, double ret_load[3])
{
	double load[3];
	for (size_t i = 0; i < GG_COUNT(load); i++) {
		int rc = take_number(&text, &load[i]);
		if (rc < 0)
			return rc;
	}
	memcpy(ret_load, load, sizeof load);
	return 0;
}

int gg_machine_uptime(struct gg_str text, double *ret_seconds)
{
	return take_number(&text, ret_seconds);
}

/* "  16316412 kB" */
static int parse_kib(struct gg_str text, uint64_t *ret_bytes)
{
	uint64_t kib;
	text = gg_str_trim(text);
	int rc = gg_parse_uint(gg_str_cut(&text, ' '), &kib);
	if (rc < 0)
		return rc;
	if (!gg_str_is(text, "kB"))
		return -EINVAL;
	if (kib > UINT64_MAX / 1024)
		return -ERANGE;
	*ret_bytes = kib * 1024;
	return 0;
}

int gg_machine_memory(struct gg_str text, struct gg_machine_memory *ret_memory)
{
	struct gg_machine_memory m = {0};
	bool total = false, available = false;
	while (text.len) {
		struct gg_str line = gg_str_cut(&text, '\n'), name = gg_str_cut(&line, ':');
		int rc = 0;
		if (gg_str_is(name, "MemTotal")) {
			rc = parse_kib(line, &m.total_bytes);
			total = true;
		} else if (gg_str_is(name, "MemAvailable")) {
			rc = parse_kib(line, &m.available_bytes);
			available = true;
		}
		if (rc < 0)
			return rc;
	}
	if (!total || !available)
		return -EINVAL;
	if (m.total_bytes == 0 || m.available_bytes > m.total_bytes)
		return -ERANGE;
	*ret_memory = m;
	return 0;
}

int gg_machine_temperature(struct gg_str text, double *ret_celsius)
{
	int64_t thousandths;
	int rc = gg_parse_int(gg_str_trim(text), &thousandths);
	if (rc < 0)
		return rc;
	if (thousandths < -273150 || thousandths > 1000000)
		return -ERANGE; /* a sensor that is off says -274000 */
	*ret_celsius = (double)thousandths / 1000;
	return 0;
}

static bool fits_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
	       c == '_' || c == '.';
}

void gg_machine_zone_name(struct gg_str text, char ret_name[GG_MACHINE_ZONE_NAME])
{
	text = gg_str_trim(text);
	if (text.len == 0)
		text = GG_STR("zone");
	size_t len = gg_min_size(text.len, GG_MACHINE_ZONE_NAME - 1);
	for (size_t i = 0; i < len; i++)
		ret_name[i] = fits_name(text.p[i]) ? text.p[i] : '_';
	ret_name[len] = '\0';
}

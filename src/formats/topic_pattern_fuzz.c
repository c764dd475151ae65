/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pattern, a topic and a filter, a line each. What a topic says of device and signal must lead back to the
 * topic where the pattern has a way back, and lie within the topic.
 */
#include "formats/topic_pattern.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool truth)
{
	if (!truth)
		abort();
}

static bool lies_in(struct gg_str part, struct gg_str whole)
{
	return part.len == 0 || (part.p >= whole.p && part.p + part.len <= whole.p + whole.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gg_str rest = gg_str_n(data ? (const char *)data : "", size);
	struct gg_str text = gg_str_cut(&rest, '\n'), topic = gg_str_cut(&rest, '\n');
	struct gg_topic_pattern p;
	struct gg_topic_names names;
	struct gg_error e = {0};
	char filled[512];
	if (gg_topic_pattern_parse(text, &p, &e) < 0) {
		must(e.text[0] != '\0');
		return 0;
	}
	must(p.count > 0 && p.count <= GG_PATTERN_LEVELS);
	if (gg_topic_pattern_match(&p, topic, &names)) {
		must(lies_in(names.device, topic) && lies_in(names.signal, topic));
		size_t n = gg_topic_pattern_fill(&p, names.device, names.signal, filled, sizeof filled);
		must(n < sizeof filled && (n == 0 || gg_str_eq(gg_str_n(filled, n), topic)));
		if (names.device.len)
			(void)gg_topic_pattern_is_own(&p, topic, names.device);
	}
	(void)gg_topic_pattern_is_own(&p, rest, topic);
	return 0;
}

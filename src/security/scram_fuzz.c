/* SPDX-License-Identifier: Apache-2.0 */
/* Both messages of a client, divided by a NUL; then the text as a verifier. */
#include "security/scram.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gg_str text = gg_str_n(data, size), first = gg_str_cut(&text, '\0');
	struct gg_scram s;
	struct gg_scram_verifier v = {.iterations = 4096};
	char out[GG_SCRAM_MESSAGE];
	size_t len;
	if (gg_scram_first(&s, first) == 0) {
		assert(s.user[0] && s.nonce_len);
		if (gg_scram_challenge(&s, &v, GG_STR("abcdefgh"), out, &len) == 0) {
			assert(len < sizeof out);
			gg_scram_final(&s, text, out, &len);
		}
	}
	gg_scram_parse(gg_str_n(data, size), &v);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What is whole stays what it is with more behind it; what is not whole is wrong or wants more, at every
 * length. */
#include "net/proxy.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gg_proxy_header h, again;
	struct gg_error e = {0};
	int rc = gg_proxy_parse(gg_str_n(data, size), &h, &e);
	if (rc == 0) {
		assert(h.size > 0 && h.size <= size && h.size <= GG_PROXY_MAX);
		assert(gg_proxy_parse(gg_str_n(data, h.size), &again, NULL) == 0 && again.size == h.size);
		assert(gg_proxy_parse(gg_str_n(data, h.size - 1), &again, NULL) == -EAGAIN);
		assert(!h.carries || h.source.host[0] || h.source.scheme[0]);
	} else {
		assert(rc == -EPROTO || rc == -EAGAIN);
		assert((rc == -EPROTO) == (e.text[0] != '\0'));
	}
	struct gg_network n;
	char peer[64];
	if (gg_network_parse(gg_str_n(data, size), &n, NULL) == 0) {
		gg_str_copy(peer, sizeof peer, gg_str_n(data, size));
		gg_network_has(&n, 1, peer);
	}
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What is whole stays what it is with more behind it; what is not whole is wrong or wants more, at every
 * length. */
#include "net/proxy.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gg_proxy_header h, again;
	int rc = gg_proxy_parse(gg_str_n(data, size), &h);
	if (rc == 0) {
		assert(h.size > 0 && h.size <= size && h.size <= GG_PROXY_MAX);
		assert(gg_proxy_parse(gg_str_n(data, h.size), &again) == 0 && again.size == h.size);
		assert(gg_proxy_parse(gg_str_n(data, h.size - 1), &again) == -EAGAIN);
		assert(!h.carries || h.source.host[0] || h.source.scheme[0]);
	} else {
		assert(rc == -EPROTO || rc == -EAGAIN);
	}
	struct gg_network n;
	char peer[64];
	if (gg_network_parse(gg_str_n(data, size), &n, NULL) == 0) {
		gg_str_copy(peer, sizeof peer, gg_str_n(data, size));
		gg_network_has(&n, 1, peer);
	}
	return 0;
}

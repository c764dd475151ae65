/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Slows down whoever guesses: counts failures per address in a table of fixed size. After ten failures an
 * address waits; one failure is forgiven every six seconds. When the table is full the entry that has been
 * quiet longest gives way. Thread: its owner's.
 */
#ifndef GG_SECURITY_LIMITER_H
#define GG_SECURITY_LIMITER_H

#include "base/str.h"

enum { GG_LIMITER_ADDRESSES = 1024 };

struct gg_limiter {
	struct {
		uint64_t address; /* hash, 0 = free */
		double failures;
		int64_t since_ns;
	} rows[GG_LIMITER_ADDRESSES];
};

/* May it try (again)? peer: "10.0.0.7:49152", whose port does not count. */
bool gg_limiter_allows(struct gg_limiter *l, struct gg_str peer, int64_t now_ns);
void gg_limiter_failed(struct gg_limiter *l, struct gg_str peer, int64_t now_ns);

#endif

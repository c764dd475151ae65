/* SPDX-License-Identifier: Apache-2.0 */
/* A call: one request on its way through the API, with who asks and what the path's pattern caught. */
#ifndef GG_API_CALL_H
#define GG_API_CALL_H

#include "net/http_server.h"
#include "security/token.h"

enum { GG_CALL_PARTS = 2, GG_CALLER = 96 };

struct gg_call {
	struct gg_http_request *r;
	struct gg_str parts[GG_CALL_PARTS]; /* what {…} in the pattern stood for, decoded */
	enum gg_role role;                  /* of who asks */
	char who[GG_CALLER];                /* for the audit and for "acknowledged by" */
};

#endif

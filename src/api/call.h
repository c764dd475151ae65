/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A call: one request on its way through the API, with who asks, which route it took and what the route's
 * pattern caught; and the small words handlers are written in: parameters, bodies, answers.
 *
 * A handler answers its call once, now or later on the control loop; the call lives in its request's memory
 * until then, so that work off the loop can carry it along. Thread: control, unless said.
 */
#ifndef GG_API_CALL_H
#define GG_API_CALL_H

#include "base/json.h"
#include "net/http_server.h"
#include "security/token.h"

enum { GG_CALL_PARTS = 2, GG_CALLER = 160, GG_ANSWER_MAX = 64 << 20 };

struct gg_route;

struct gg_api_call {
	struct gg_http_request *r;
	const struct gg_route *route;
	struct gg_str parts[GG_CALL_PARTS]; /* what {…} in the pattern stood for, decoded */
	enum gg_role role;                  /* of who asks */
	char who[GG_CALLER];                /* for the audit and for "acknowledged by" */
	char token[GG_TOKEN_ID + 8];        /* id of the token or session used; "" over the unix socket */
	bool local;                         /* over the unix socket */
};

/* ---- parameters of the query. Each answers the call with a problem and returns false when wrong ---- */

/* "" when absent. */
bool gg_api_text(struct gg_api_call *c, const char *name, struct gg_str *ret_value);
bool gg_api_number(struct gg_api_call *c, const char *name, uint64_t least, uint64_t most, uint64_t otherwise,
	uint64_t *ret_value);
/* A time as RFC 3339, or a duration like "1h" back from now. */
bool gg_api_time(struct gg_api_call *c, const char *name, int64_t otherwise, int64_t *ret_value);

/* ---- a JSON object as body ---- */

enum gg_field_type { GG_IN_STRING, GG_IN_BOOL, GG_IN_NUMBER, GG_IN_ANY };

struct gg_in_field {
	const char *name;
	enum gg_field_type type;
	bool required;
	/* filled: */
	bool given;
	bool truth;
	double number;
	struct gg_str text; /* of a string: unescaped; of a number or any: as written */
	enum gg_json_token token;
};

/* Fills fields from the body, which may be empty when nothing is required. Answers with a problem and
 * returns false when it is no object, a key is unknown or a type is wrong. */
bool gg_api_body(struct gg_api_call *c, struct gg_in_field *fields, size_t count);

/* ---- answers ---- */

struct gg_answer {
	struct gg_buf body;
	struct gg_json_writer w;
};

void gg_answer_begin(struct gg_answer *a);
/* Sends it and ends the call. */
void gg_answer_send(struct gg_api_call *c, int status, struct gg_answer *a);
/* application/problem+json with the code's word and status. */
void gg_api_problem(struct gg_api_call *c, int code, const char *format, ...) GG_PRINTF(3, 4);
void gg_api_problem_error(struct gg_api_call *c, const struct gg_error *e);
void gg_api_done(struct gg_api_call *c); /* 204 */

#endif

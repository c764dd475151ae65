/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Routes: one array (routes.c) says what the API can do; the dispatcher (api.c), the OpenAPI description
 * (openapi.c) and the tests all read it, so they can't differ.
 *
 * A pattern's {name} stands for one segment of the path, {*name} for one or more, so that signals' names may
 * be written with their slashes; the first row that fits wins. Thread: pure functions.
 */
#ifndef GG_API_ROUTE_H
#define GG_API_ROUTE_H

#include "api/call.h"

struct gg_param {
	const char *name;
	const char *schema; /* JSON Schema */
	const char *help;
};

enum { GG_ROUTE_PARAMS = 10 };

struct gg_route {
	const char *method, *pattern;
	enum gg_role role; /* the least that may; GG_ROLE_NONE: everybody */
	void (*handle)(struct gg_api_call *c);
	const char *id; /* operationId */
	const char *summary;
	int status;         /* of success */
	const char *answer; /* its schema's name, or NULL: no JSON */
	const char *media;  /* its type when it is no JSON; NULL: none */
	const char *body;   /* schema's name of the request's body, or NULL */
	bool yaml;          /* the body may be YAML, too */
	bool reads;         /* changes nothing, whatever its method: is left out of the audit */
	size_t body_max;    /* 0: 64 KiB */
	struct gg_param params[GG_ROUTE_PARAMS];
};

/* Ended by a row without method. */
extern const struct gg_route gg_routes[];

struct gg_schema {
	const char *name;
	const char *json;
};

/* Ended by a row without name (schemas.c). */
extern const struct gg_schema gg_schemas[];

/* Does the path (escaped, without query) fit? parts are views of path, still escaped. */
bool gg_route_fits(const char *pattern, struct gg_str path, struct gg_str parts[GG_CALL_PARTS]);
/* The route, or NULL with *ret_allowed the methods that the path knows ("GET, PUT"), "" when it knows none.
 */
const struct gg_route *gg_route_find(const struct gg_route *routes, struct gg_str method, struct gg_str path,
	struct gg_str parts[GG_CALL_PARTS], char *ret_allowed, size_t size);

/* The OpenAPI 3.1 description of all routes. */
void gg_openapi_write(const struct gg_route *routes, const struct gg_schema *schemas, struct gg_buf *to);

#endif

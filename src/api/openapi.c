/* SPDX-License-Identifier: Apache-2.0 */
/* The OpenAPI 3.1 description, written from the routes and schemas: what is described is what is served. */
#include "api/route.h"

static const char description[] =
	"Everything the gateway can do. A token goes into `Authorization: Bearer ...`; a page logs in with "
	"POST /api/v1/session. What goes wrong is told as application/problem+json (RFC 9457) with a word in "
	"`code`. Names of signals in paths may be written with their slashes, or with %2F.";

/* "/signals/{*name}/history" as OpenAPI writes it. */
static void put_path(struct gg_json_writer *w, const char *pattern)
{
	char text[160];
	size_t n = 0;
	for (const char *p = pattern; *p && n < sizeof text - 1; p++)
		if (*p != '*')
			text[n++] = *p;
	gg_json_key(w, gg_str_n(text, n));
}

static void put_ref(struct gg_json_writer *w, const char *schema)
{
	char text[120];
	int n = snprintf(text, sizeof text, "{\"$ref\":\"#/components/schemas/%s\"}", schema);
	gg_json_raw(w, gg_str_n(text, (size_t)n));
}

static void put_content(struct gg_json_writer *w, const char *media, const char *schema)
{
	gg_json_key(w, GG_STR("content"));
	gg_json_begin_object(w);
	gg_json_key(w, gg_str(media ? media : "application/json"));
	gg_json_begin_object(w);
	gg_json_key(w, GG_STR("schema"));
	if (schema)
		put_ref(w, schema);
	else
		gg_json_raw(w, GG_STR("{\"type\":\"string\"}"));
	gg_json_end_object(w);
	gg_json_end_object(w);
}

static void put_parameter(
	struct gg_json_writer *w, const char *in, struct gg_str name, const char *schema, const char *help)
{
	gg_json_begin_object(w);
	gg_json_put_str(w, "name", name);
	gg_json_put_str(w, "in", gg_str(in));
	if (strcmp(in, "path") == 0)
		gg_json_put_bool(w, "required", true);
	if (help)
		gg_json_put_str(w, "description", gg_str(help));
	gg_json_key(w, GG_STR("schema"));
	gg_json_raw(w, gg_str(schema));
	gg_json_end_object(w);
}

static void put_parameters(struct gg_json_writer *w, const struct gg_route *r)
{
	gg_json_key(w, GG_STR("parameters"));
	gg_json_begin_array(w);
	for (const char *p = strchr(r->pattern, '{'); p; p = strchr(p + 1, '{')) {
		const char *name = p[1] == '*' ? p + 2 : p + 1;
		put_parameter(w, "path", gg_str_n(name, (size_t)(strchr(name, '}') - name)),
			"{\"type\":\"string\"}", NULL);
	}
	for (size_t i = 0; i < GG_ROUTE_PARAMS && r->params[i].name; i++)
		put_parameter(w, "query", gg_str(r->params[i].name), r->params[i].schema, r->params[i].help);
	gg_json_end_array(w);
}

static void put_responses(struct gg_json_writer *w, const struct gg_route *r)
{
	char status[8];
	snprintf(status, sizeof status, "%d", r->status);
	gg_json_key(w, GG_STR("responses"));
	gg_json_begin_object(w);
	gg_json_key(w, gg_str(status));
	gg_json_begin_object(w);
	gg_json_put_str(w, "description", r->status == 204 ? GG_STR("Done") : GG_STR("As asked"));
	if (r->answer || r->media)
		put_content(w, r->media, r->answer);
	gg_json_end_object(w);
	gg_json_key(w, GG_STR("default"));
	gg_json_begin_object(w);
	gg_json_put_str(w, "description", GG_STR("What went wrong"));
	put_content(w, "application/problem+json", "Problem");
	gg_json_end_object(w);
	gg_json_end_object(w);
}

static void put_operation(struct gg_json_writer *w, const struct gg_route *r)
{
	char method[8];
	size_t n = gg_str_copy(method, sizeof method, gg_str(r->method));
	for (size_t i = 0; i < n && i < sizeof method; i++)
		method[i] = (char)(method[i] | 0x20);
	gg_json_key(w, gg_str_n(method, n));
	gg_json_begin_object(w);
	gg_json_put_str(w, "operationId", gg_str(r->id));
	gg_json_put_str(w, "summary", gg_str(r->summary));
	gg_json_put_str(w, "x-role", gg_str(gg_role_name(r->role)));
	if (r->role == GG_ROLE_NONE) {
		gg_json_key(w, GG_STR("security"));
		gg_json_raw(w, GG_STR("[]"));
	}
	put_parameters(w, r);
	if (r->body) {
		gg_json_key(w, GG_STR("requestBody"));
		gg_json_begin_object(w);
		put_content(w, NULL, r->body);
		gg_json_end_object(w);
	}
	put_responses(w, r);
	gg_json_end_object(w);
}

static bool seen_before(const struct gg_route *routes, const struct gg_route *r)
{
	for (const struct gg_route *p = routes; p < r; p++)
		if (strcmp(p->pattern, r->pattern) == 0)
			return true;
	return false;
}

static void put_paths(struct gg_json_writer *w, const struct gg_route *routes)
{
	gg_json_key(w, GG_STR("paths"));
	gg_json_begin_object(w);
	for (const struct gg_route *r = routes; r->method; r++) {
		if (seen_before(routes, r))
			continue;
		put_path(w, r->pattern);
		gg_json_begin_object(w);
		for (const struct gg_route *same = r; same->method; same++)
			if (strcmp(same->pattern, r->pattern) == 0)
				put_operation(w, same);
		gg_json_end_object(w);
	}
	gg_json_end_object(w);
}

void gg_openapi_write(const struct gg_route *routes, const struct gg_schema *schemas, struct gg_buf *to)
{
	struct gg_json_writer w = gg_json_writer(to);
	gg_json_begin_object(&w);
	gg_json_put_str(&w, "openapi", GG_STR("3.1.0"));
	gg_json_key(&w, GG_STR("info"));
	gg_json_begin_object(&w);
	gg_json_put_str(&w, "title", GG_STR("Ganglion"));
	gg_json_put_str(&w, "version", GG_STR(GG_VERSION));
	gg_json_put_str(&w, "description", gg_str(description));
	gg_json_end_object(&w);
	gg_json_key(&w, GG_STR("security"));
	gg_json_raw(&w, GG_STR("[{\"token\":[]},{\"session\":[]}]"));
	put_paths(&w, routes);
	gg_json_key(&w, GG_STR("components"));
	gg_json_begin_object(&w);
	gg_json_key(&w, GG_STR("securitySchemes"));
	gg_json_raw(&w,
		GG_STR("{\"token\":{\"type\":\"http\",\"scheme\":\"bearer\"},"
		       "\"session\":{\"type\":\"apiKey\",\"in\":\"cookie\",\"name\":\"ganglion_session\"}}"));
	gg_json_key(&w, GG_STR("schemas"));
	gg_json_begin_object(&w);
	for (const struct gg_schema *s = schemas; s->name; s++) {
		gg_json_key(&w, gg_str(s->name));
		gg_json_raw(&w, gg_str(s->json));
	}
	gg_json_end_object(&w);
	gg_json_end_object(&w);
	gg_json_end_object(&w);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "api/page.h"
#include "api/handlers.h"

void gg_api_page(struct gg_api_call *c)
{
	struct gg_str path = gg_http_path(c->r);
	if (gg_str_is(path, "/"))
		path = GG_STR("/index.html");
	for (const struct gg_page_file *f = gg_page_files; f->path; f++) {
		if (!gg_str_is(path, f->path))
			continue;
		gg_http_add_header(c->r, "ETag", gg_str(f->tag));
		if (gg_str_is(gg_http_header(c->r, "if-none-match"), f->tag))
			gg_http_reply(c->r, 304, NULL, GG_STR(""));
		else
			gg_http_reply(c->r, 200, f->type, gg_str_n(f->bytes, f->len));
		return;
	}
	gg_api_problem(c, -ENOENT, "the page has no such file");
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/lua_file.h"

static int read_file(const char *path, struct gg_buf *to, struct gg_error *e)
{
	FILE *f = fopen(path, "re");
	if (!f)
		return gg_error_set(e, -errno, "file: %s can't be read: %s", path, strerror(errno));
	for (char chunk[4096]; !feof(f) && !ferror(f) && !to->error;)
		gg_buf_add(to, chunk, fread(chunk, 1, sizeof chunk, f));
	bool failed = ferror(f) != 0;
	fclose(f);
	if (failed || to->error)
		return gg_error_set(
			e, failed ? -EIO : to->error, "file: %s can't be read, or is too long", path);
	return 0;
}

/* "functions/power.lua" is spoken of as "power.lua". */
static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

int gg_lua_open(const struct gg_lua_options *o, const char *name, struct gg_lua **ret_lua, struct gg_error *e)
{
	struct gg_buf text GG_CLEANUP(gg_buf_done) = GG_BUF(GG_LUA_CODE);
	const struct gg_lua_limits limits = {o->instructions, o->memory};
	struct gg_lua *l = NULL;
	if (!o->code == !o->file)
		return gg_error_set(e, -EINVAL, "wants `code` or `file`, one of them");
	int rc = o->file ? read_file(o->file, &text, e) : 0;
	if (rc == 0)
		rc = gg_lua_new(o->file ? last_part(o->file) : name,
			o->file ? gg_buf_view(&text) : gg_str(o->code), &limits, &l, e);
	if (rc == 0 && !gg_lua_has(l, o->function)) {
		gg_lua_free(l);
		rc = gg_error_set(e, -EINVAL, "the code has no function %s", o->function);
	}
	if (rc == 0)
		*ret_lua = l;
	return rc;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ${NAME}, ${NAME:-default} and ${file:/path} inside scalars. Whatever has been replaced makes the scalar a
 * secret: it is shown and stored as it was written (raw), so neither a log, an API answer nor a revision on
 * disk holds what the environment or the file said. "$${" stands for a plain "${".
 */
#include "core/value_tree.h"

#include "base/file.h"

#include <fcntl.h>

static const char *from_process(const void *arg GG_UNUSED, const char *name)
{
	return getenv(name);
}

const struct gg_environment gg_environment_process = {.get = from_process};

struct substitution {
	const struct gg_environment *env;
	struct gg_problems *problems;
	struct gg_value *value;
	struct gg_buf out;
	bool replaced;
};

static bool is_name(struct gg_str s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];
		bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
		if (!letter && !(i && c >= '0' && c <= '9'))
			return false;
	}
	return s.len > 0 && s.len < 128;
}

/* A secret in a file: without the newline that editors leave at its end. */
static int read_small(const char *path, struct gg_buf *to)
{
	size_t start = to->len;
	int rc = gg_file_read(AT_FDCWD, path, GG_FILE_REGULAR, GG_VALUE_FILE, to);
	if (rc < 0)
		to->len = gg_min_size(to->len, start);
	while (rc == 0 && to->len > start && (to->p[to->len - 1] == '\n' || to->p[to->len - 1] == '\r'))
		to->len--;
	return rc;
}

static void put_file(struct substitution *s, struct gg_str path)
{
	char name[1024];
	if (path.len == 0 || path.p[0] != '/' || gg_str_copy(name, sizeof name, path) >= sizeof name) {
		gg_problem(s->problems, s->value, "expected an absolute path in ${file:/path}, got \"%.*s\"",
			GG_STR_ARG(path));
		return;
	}
	if (s->env->no_files) {
		gg_problem(s->problems, s->value, "${file:...} cannot be used here");
		return;
	}
	int rc = read_small(name, &s->out);
	if (rc == -EINVAL)
		gg_problem(s->problems, s->value, "%s is not a regular file", name);
	else if (rc == -E2BIG)
		gg_problem(s->problems, s->value, "%s is larger than %d KiB", name, GG_VALUE_FILE >> 10);
	else if (rc < 0)
		gg_problem(s->problems, s->value, "cannot read %s: %s", name, strerror(-rc));
}

static void put_variable(struct substitution *s, struct gg_str inside)
{
	char name[128];
	struct gg_str rest = inside;
	struct gg_str word = gg_str_cut(&rest, ':');
	bool has_default = rest.len > 0 && rest.p[0] == '-';
	if (!is_name(word) || (word.len < inside.len && !has_default)) {
		gg_problem(s->problems, s->value,
			"expected ${NAME}, ${NAME:-default} or ${file:/path}, got \"${%.*s}\"; "
			"write \"$${\" for a plain \"${\"",
			GG_STR_ARG(inside));
		return;
	}
	gg_str_copy(name, sizeof name, word);
	const char *value = s->env->get ? s->env->get(s->env->arg, name) : NULL;
	if (value && (value[0] || !has_default))
		gg_buf_str(&s->out, gg_str(value));
	else if (has_default)
		gg_buf_add(&s->out, rest.p + 1, rest.len - 1);
	else
		gg_problem(
			s->problems, s->value, "environment variable %s is not set and has no default", name);
}

/* Takes one "${...}" at the start of text; returns how many bytes it spans. */
static size_t put_reference(struct substitution *s, struct gg_str text)
{
	size_t end = gg_str_find(text, '}');
	if (end == text.len) {
		gg_problem(s->problems, s->value, "\"${\" has no \"}\"; write \"$${\" for a plain \"${\"");
		return text.len;
	}
	struct gg_str inside = gg_str_n(text.p + 2, end - 2);
	s->replaced = true;
	if (gg_str_starts(inside, GG_STR("file:")))
		put_file(s, gg_str_n(inside.p + 5, inside.len - 5));
	else
		put_variable(s, inside);
	return end + 1;
}

static void substitute(struct substitution *s, struct gg_str text)
{
	for (size_t i = 0; i < text.len;) {
		struct gg_str rest = gg_str_n(text.p + i, text.len - i);
		if (gg_str_starts(rest, GG_STR("$${"))) {
			gg_buf_str(&s->out, GG_STR("${"));
			i += 3;
		} else if (gg_str_starts(rest, GG_STR("${"))) {
			i += put_reference(s, rest);
		} else {
			gg_buf_char(&s->out, text.p[i++]);
		}
	}
}

int gg_value_substitute(struct gg_arena *arena, struct gg_value *v, const struct gg_environment *env,
	struct gg_problems *problems)
{
	if (!memmem(v->text.p, v->text.len, "${", 2))
		return 0;
	struct substitution s = {.env = env ? env : &gg_environment_process,
		.problems = problems,
		.value = v,
		.out = GG_BUF(v->text.len + (4U << 20))};
	substitute(&s, v->text);
	struct gg_str text = s.out.len ? gg_buf_view(&s.out) : GG_STR("");
	if (s.out.error == 0 && (!gg_utf8_valid(text) || memchr(text.p, 0, text.len))) {
		gg_problem(problems, v, "what this stands for is no UTF-8 text without zero bytes");
		text.len = 0;
	}
	const char *copy = s.out.error ? NULL : gg_arena_str(arena, text);
	if (copy) {
		v->raw = v->text;
		v->secret = s.replaced;
		v->text = gg_str_n(copy, text.len);
	}
	gg_buf_done(&s.out);
	return copy ? 0 : -ENOMEM;
}

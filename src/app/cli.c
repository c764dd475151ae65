/* SPDX-License-Identifier: Apache-2.0 */
#include "app/cli.h"
#include "app/table.h"
#include "ganglion/option.h"

#include <stdarg.h>

const struct gg_flag gg_common_flags[] = {{"json", GG_FLAG_SWITCH, NULL, "print JSON"},
	{"quiet", GG_FLAG_SWITCH, NULL, "no progress, only results"},
	{"help", GG_FLAG_SWITCH, NULL, "this help"}, {0}};

static void GG_PRINTF(2, 0) complain(const struct gg_args *args, const char *format, va_list list)
{
	char text[1024];
	struct gg_buf clean GG_CLEANUP(gg_buf_done) =
		GG_BUF(8192); /* names of files and devices may be in it */
	vsnprintf(text, sizeof text, format, list);
	gg_text_clean(&clean, gg_str(text), /* lines= */ true);
	fprintf(stderr, "ganglion%s%s: %s\n", args->command ? " " : "",
		args->command ? args->command->name : "", gg_buf_text(&clean));
}

int gg_cli_wrong(const struct gg_args *args, const char *format, ...)
{
	va_list list;
	va_start(list, format);
	complain(args, format, list);
	va_end(list);
	if (args->command)
		fprintf(stderr, "Try: ganglion %s --help\n", args->command->name);
	return 2;
}

int gg_cli_failed(const struct gg_args *args, const char *format, ...)
{
	va_list list;
	va_start(list, format);
	complain(args, format, list);
	va_end(list);
	return 1;
}

const char *gg_arg(const struct gg_args *args, const char *flag)
{
	for (size_t i = 0; args->command->flags && args->command->flags[i].name; i++)
		if (strcmp(args->command->flags[i].name, flag) == 0)
			return args->values[i];
	return NULL;
}

/* ---- help ---- */

static void print_flag(const struct gg_flag *f)
{
	char left[64];
	snprintf(left, sizeof left, "--%s%s%s", f->name, f->value ? " " : "", f->value ? f->value : "");
	printf("  %-24s %s\n", left, f->help);
}

static void help_of(const struct gg_command *c)
{
	printf("%s\n\nusage: ganglion %s %s\n", c->summary, c->name, c->usage);
	if (c->details)
		printf("\n%s\n", c->details);
	printf("\noptions:\n");
	for (const struct gg_flag *f = c->flags; f && f->name; f++)
		if (f->help)
			print_flag(f);
	for (const struct gg_flag *f = gg_common_flags; f->name; f++)
		print_flag(f);
	if (c->examples)
		printf("\nexamples:\n%s\n", c->examples);
}

static const struct gg_command *find(const char *name)
{
	for (const struct gg_command *c = gg_commands; c->name; c++)
		if (strcmp(c->name, name) == 0)
			return c;
	return NULL;
}

int gg_cmd_help(const struct gg_args *args)
{
	const struct gg_command *c = args->word_count ? find(args->words[0]) : NULL;
	if (c) {
		help_of(c);
		return 0;
	}
	printf("Ganglion reads the machines around it, decides on the spot, and tells the cloud only what "
	       "matters.\n\n"
	       "usage: ganglion COMMAND [OPTION...]\n\ncommands:\n");
	for (c = gg_commands; c->name; c++)
		printf("  %-10s %s\n", c->name, c->summary);
	printf("\nganglion COMMAND --help tells more, with examples.\n");
	return 0;
}

/* ---- parsing ---- */

static const char *command_name(const void *ctx, size_t i)
{
	(void)ctx;
	return gg_commands[i].name;
}

static const char *flag_name(const void *ctx, size_t i)
{
	return ((const struct gg_flag *)ctx)[i].name;
}

static size_t find_flag(const struct gg_flag *flags, struct gg_str name)
{
	size_t i = 0;
	while (flags && flags[i].name && !gg_str_is(name, flags[i].name))
		i++;
	return flags && flags[i].name ? i : SIZE_MAX;
}

static bool take_common(struct gg_args *args, struct gg_str name, bool *help)
{
	args->json |= gg_str_is(name, "json");
	args->quiet |= gg_str_is(name, "quiet");
	*help |= gg_str_is(name, "help");
	return find_flag(gg_common_flags, name) != SIZE_MAX;
}

/* Takes argv[*i], which begins with "--"; moves *i past a value that follows. */
static int take_flag(struct gg_args *args, int argc, char **argv, int *i, bool *help)
{
	const struct gg_flag *flags = args->command->flags;
	struct gg_str rest = gg_str(argv[*i] + 2);
	bool has_value = gg_str_find(rest, '=') < rest.len;
	struct gg_str name = gg_str_cut(&rest, '=');
	if (!has_value && take_common(args, name, help))
		return 0;
	size_t at = find_flag(flags, name);
	if (at == SIZE_MAX) {
		const char *near = flags ? gg_nearest(name, flag_name, flags) : NULL;
		return gg_cli_wrong(args, "no option --%.*s%s%s%s", GG_STR_ARG(name),
			near ? "; did you mean --" : "", near ? near : "", near ? "?" : "");
	}
	if (flags[at].type == GG_FLAG_SWITCH) {
		args->values[at] = "";
		return has_value ? gg_cli_wrong(args, "--%s takes no value", flags[at].name) : 0;
	}
	if (!has_value && *i + 1 >= argc)
		return gg_cli_wrong(
			args, "--%s needs a value: --%s %s", flags[at].name, flags[at].name, flags[at].value);
	args->values[at] = has_value ? rest.p : argv[++*i];
	return 0;
}

static int parse(struct gg_args *args, int argc, char **argv, bool *help)
{
	bool only_words = false;
	for (int i = 2; i < argc; i++) {
		if (!only_words && strcmp(argv[i], "--") == 0) {
			only_words = true;
		} else if (!only_words && strcmp(argv[i], "-h") == 0) {
			*help = true;
		} else if (!only_words && strncmp(argv[i], "--", 2) == 0) {
			int rc = take_flag(args, argc, argv, &i, help);
			if (rc)
				return rc;
		} else if (args->word_count == GG_MOST_WORDS) {
			return gg_cli_wrong(args, "more than %d arguments", GG_MOST_WORDS);
		} else {
			args->words[args->word_count++] = argv[i];
		}
	}
	return 0;
}

/* ---- verbs ---- */

static const char *verb_name(const void *ctx, size_t i)
{
	return ((const struct gg_verb *)ctx)[i].name;
}

static int run_verb(const struct gg_args *args, const struct gg_verb *v, size_t skip)
{
	struct gg_args rest = *args;
	rest.words += skip;
	rest.word_count -= skip;
	if (rest.word_count < v->least)
		return gg_cli_wrong(args, "%s needs %s", v->name, v->words);
	if (rest.word_count > v->most)
		return gg_cli_wrong(args, "too many arguments: '%s' is one too many; expected %s %s",
			rest.words[v->most], v->name, v->words);
	return v->run(&rest);
}

int gg_cli_verb(const struct gg_args *args, const struct gg_verb *verbs)
{
	if (args->word_count == 0)
		return run_verb(args, &verbs[0], 0);
	for (const struct gg_verb *v = verbs; v->name; v++)
		if (strcmp(v->name, args->words[0]) == 0)
			return run_verb(args, v, 1);
	const char *near = gg_nearest(gg_str(args->words[0]), verb_name, verbs);
	return gg_cli_wrong(args, "'%s' is none of its words%s%s%s", args->words[0],
		near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

int gg_cli_main(int argc, char **argv)
{
	static const char *words[GG_MOST_WORDS];
	struct gg_args args = {.words = words};
	bool help = false;
	if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return gg_cmd_help(&args);
	args.command = find(strcmp(argv[1], "--version") == 0 ? "version" : argv[1]);
	if (!args.command) {
		const char *near = gg_nearest(gg_str(argv[1]), command_name, NULL);
		return gg_cli_wrong(&args, "no command '%s'%s%s%s; 'ganglion help' lists them", argv[1],
			near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "");
	}
	int rc = parse(&args, argc, argv, &help);
	if (rc == 0 && help)
		help_of(args.command);
	else if (rc == 0)
		rc = args.command->run(&args);
	return rc;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `ganglion completion`: scripts for shells, written from the table of commands. A command's verbs are the
 * lower-case words of its usage ("[list | show ID]"); what a flag or a word takes is told by the word that
 * stands for it there: FILE and PATH complete files, DIR folders.
 */
#include "app/cli.h"

#include <ctype.h>

enum { SCRIPT_MAX = 256 << 10 };

/* ---- what there is ---- */

/* Calls each verb of a usage. */
static void each_verb(
	const struct gg_command *c, void (*each)(struct gg_buf *to, struct gg_str verb), struct gg_buf *to)
{
	bool may = true;
	for (const char *p = c->usage; *p; p++) {
		size_t n = 0;
		while (islower((unsigned char)p[n]) || (n && p[n] == '-' && islower((unsigned char)p[n + 1])))
			n++;
		if (may && n > 1 && (p[n] == ' ' || p[n] == ']' || !p[n]))
			each(to, gg_str_n(p, n));
		may = *p == '|' || (p == c->usage && *p == '[') || (may && *p == ' ');
	}
}

static bool takes_files(const char *value)
{
	return value && (strstr(value, "FILE") || strstr(value, "PATH"));
}

static bool takes_folders(const char *value)
{
	return value && strstr(value, "DIR");
}

static void add_word(struct gg_buf *to, struct gg_str word)
{
	gg_buf_printf(to, "%s%.*s", to->len && to->p[to->len - 1] != '\'' ? " " : "", GG_STR_ARG(word));
}

static void words_of_flags(struct gg_buf *to, const struct gg_flag *flags)
{
	for (const struct gg_flag *f = flags; f && f->name; f++)
		if (f->help)
			gg_buf_printf(to, " --%s", f->name);
}

/* Between single quotes, of all three shells. */
static void quoted(struct gg_buf *to, const char *text)
{
	for (; *text; text++)
		if (*text == '\'')
			gg_buf_str(to, GG_STR("\xe2\x80\x99")); /* no shell needs to escape that one */
		else
			gg_buf_char(to, *text);
}

/* ---- bash ---- */

static void bash_values(struct gg_buf *to, const struct gg_flag *flags)
{
	for (const struct gg_flag *f = flags; f && f->name; f++)
		if (f->type == GG_FLAG_TEXT)
			gg_buf_printf(to, "\t\t%s:--%s) %s ;;\n", "$command", f->name,
				takes_files(f->value)     ? "COMPREPLY=($(compgen -f -- \"$word\")); return"
				: takes_folders(f->value) ? "COMPREPLY=($(compgen -d -- \"$word\")); return"
							  : "return");
}

static void bash(struct gg_buf *to)
{
	gg_buf_str(to, GG_STR("# bash completion of ganglion\n"
			      "_ganglion() {\n"
			      "\tlocal word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
			      "\tlocal command= verbs= flags= files= i\n"
			      "\tCOMPREPLY=()\n"
			      "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
			      "\t\t[[ ${COMP_WORDS[i]} == -* ]] || { command=${COMP_WORDS[i]}; break; }\n"
			      "\tdone\n"
			      "\tcase $command in\n\t'') verbs='"));
	for (const struct gg_command *c = gg_commands; c->name; c++)
		add_word(to, gg_str(c->name));
	gg_buf_str(to, GG_STR("' ;;\n"));
	for (const struct gg_command *c = gg_commands; c->name; c++) {
		gg_buf_printf(to, "\t%s)\n\t\tverbs='", c->name);
		if (strcmp(c->name, "help") == 0)
			for (const struct gg_command *other = gg_commands; other->name; other++)
				add_word(to, gg_str(other->name));
		each_verb(c, add_word, to);
		gg_buf_str(to, GG_STR("'\n\t\tflags='"));
		words_of_flags(to, c->flags);
		words_of_flags(to, gg_common_flags);
		gg_buf_printf(to, "'\n\t\tfiles=%s\n", strstr(c->usage, "FILE") ? "1" : "");
		gg_buf_str(to, GG_STR("\t\tcase $command:$before in\n"));
		bash_values(to, c->flags);
		gg_buf_str(to, GG_STR("\t\tesac ;;\n"));
	}
	gg_buf_str(to, GG_STR("\t*) return ;;\n"
			      "\tesac\n"
			      "\tif [[ $word == -* ]]; then\n"
			      "\t\tCOMPREPLY=($(compgen -W \"$flags\" -- \"$word\"))\n"
			      "\t\treturn\n"
			      "\tfi\n"
			      "\tif [[ -z $command || $before == \"$command\" ]]; then\n"
			      "\t\tCOMPREPLY=($(compgen -W \"$verbs\" -- \"$word\"))\n"
			      "\tfi\n"
			      "\tif [[ -n $files ]]; then COMPREPLY+=($(compgen -f -- \"$word\")); fi\n"
			      "}\n"
			      "complete -o filenames -F _ganglion ganglion\n"));
}

/* ---- zsh ---- */

static void zsh_described(struct gg_buf *to, const char *name, const char *help)
{
	gg_buf_printf(to, "'%s:", name);
	quoted(to, help);
	gg_buf_str(to, GG_STR("'\n"));
}

/* In _arguments a colon and brackets have a meaning. */
static void zsh_flag(struct gg_buf *to, const struct gg_flag *f)
{
	gg_buf_printf(to, "\t\t'--%s%s[", f->name, f->type == GG_FLAG_TEXT ? "=" : "");
	for (const char *p = f->help; *p; p++)
		if (*p == '\'')
			gg_buf_str(to, GG_STR("\xe2\x80\x99"));
		else if (strchr("[]:\\", *p))
			gg_buf_printf(to, "\\%c", *p);
		else
			gg_buf_char(to, *p);
	gg_buf_char(to, ']');
	if (f->type == GG_FLAG_TEXT)
		gg_buf_printf(to, ":%s:%s", f->value,
			takes_files(f->value)     ? "_files"
			: takes_folders(f->value) ? "_files -/"
						  : " ");
	gg_buf_str(to, GG_STR("' \\\n"));
}

static void zsh_flags(struct gg_buf *to, const struct gg_flag *flags)
{
	for (const struct gg_flag *f = flags; f && f->name; f++)
		if (f->help)
			zsh_flag(to, f);
}

static void zsh(struct gg_buf *to)
{
	gg_buf_str(to, GG_STR("#compdef ganglion\n"
			      "# zsh completion of ganglion\n"
			      "_ganglion() {\n"
			      "\tlocal -a commands\n"
			      "\tcommands=(\n"));
	for (const struct gg_command *c = gg_commands; c->name; c++) {
		gg_buf_str(to, GG_STR("\t\t"));
		zsh_described(to, c->name, c->summary);
	}
	gg_buf_str(to, GG_STR("\t)\n"
			      "\tif ((CURRENT == 2)); then _describe command commands; return; fi\n"
			      "\tlocal command=$words[2]\n"
			      "\tshift words; ((CURRENT--))\n"
			      "\tcase $command in\n"));
	for (const struct gg_command *c = gg_commands; c->name; c++) {
		gg_buf_printf(to, "\t%s) _arguments -S \\\n", c->name);
		zsh_flags(to, c->flags);
		zsh_flags(to, gg_common_flags);
		gg_buf_str(to, GG_STR("\t\t'1: :("));
		each_verb(c, add_word, to);
		gg_buf_printf(to, ")' '*: :%s' ;;\n", strstr(c->usage, "FILE") ? "_files" : " ");
	}
	gg_buf_str(to, GG_STR("\tesac\n"
			      "}\n"
			      "if [[ $funcstack[1] = _ganglion ]]; then _ganglion \"$@\"; else compdef "
			      "_ganglion ganglion; "
			      "fi\n"));
}

/* ---- fish ---- */

static void fish_help(struct gg_buf *to, const char *help)
{
	gg_buf_str(to, GG_STR(" -d '"));
	quoted(to, help);
	gg_buf_str(to, GG_STR("'\n"));
}

static void fish_flags(struct gg_buf *to, const char *command, const struct gg_flag *flags)
{
	for (const struct gg_flag *f = flags; f && f->name; f++) {
		if (!f->help)
			continue;
		gg_buf_printf(to, "complete -c ganglion -n '__fish_seen_subcommand_from %s' -l %s%s", command,
			f->name,
			f->type != GG_FLAG_TEXT                            ? ""
			: takes_files(f->value) || takes_folders(f->value) ? " -r -F"
									   : " -x");
		fish_help(to, f->help);
	}
}

static void fish(struct gg_buf *to)
{
	gg_buf_str(to, GG_STR("# fish completion of ganglion\ncomplete -c ganglion -f\n"));
	for (const struct gg_command *c = gg_commands; c->name; c++) {
		gg_buf_printf(to, "complete -c ganglion -n __fish_use_subcommand -a %s", c->name);
		fish_help(to, c->summary);
		gg_buf_printf(to, "complete -c ganglion -n '__fish_seen_subcommand_from %s' -a '", c->name);
		each_verb(c, add_word, to);
		gg_buf_printf(to, "'%s\n", strstr(c->usage, "FILE") ? " -F" : "");
		fish_flags(to, c->name, c->flags);
		fish_flags(to, c->name, gg_common_flags);
	}
}

int gg_cmd_completion(const struct gg_args *args)
{
	static const struct {
		const char *name;
		void (*write)(struct gg_buf *to);
	} shells[] = {{"bash", bash}, {"zsh", zsh}, {"fish", fish}};
	struct gg_buf script GG_CLEANUP(gg_buf_done) = GG_BUF(SCRIPT_MAX);
	if (args->word_count != 1)
		return gg_cli_wrong(args, "expected one of: bash, zsh, fish");
	for (size_t i = 0; i < GG_COUNT(shells); i++) {
		if (strcmp(args->words[0], shells[i].name) != 0)
			continue;
		shells[i].write(&script);
		if (script.error)
			return gg_cli_failed(args, "out of memory");
		fputs(gg_buf_text(&script), stdout);
		return 0;
	}
	return gg_cli_wrong(args, "no shell \"%s\": expected bash, zsh or fish", args->words[0]);
}

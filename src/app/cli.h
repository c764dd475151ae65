/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line. A command is a row: its name, what it does in a line, its usage and examples (which work
 * as pasted), and its function. Options are a table too, so help and parser can't differ. Exit status: 0
 * done, 1 it went wrong (or what was checked is wrong), 2 used wrongly.
 */
#ifndef GG_APP_CLI_H
#define GG_APP_CLI_H

#include "base/buf.h"
#include "base/error.h"

enum gg_flag_type { GG_FLAG_SWITCH, GG_FLAG_TEXT, GG_FLAG_END };

struct gg_flag {
	const char *name; /* without the dashes */
	enum gg_flag_type type;
	const char *value; /* what stands for the value in help: "DIR" */
	const char *help;  /* NULL: another name for one before, not listed */
};

enum { GG_MOST_FLAGS = 16, GG_MOST_WORDS = 4096 };

struct gg_command;

struct gg_args {
	const struct gg_command *command;
	const char *values[GG_MOST_FLAGS]; /* beside the command's flags; a switch that is on has "" */
	const char **words;                /* what is not a flag */
	size_t word_count;
	bool json, quiet;
};

struct gg_command {
	const char *name;
	const char *summary;
	const char *usage;    /* behind "ganglion NAME " */
	const char *details;  /* a paragraph or NULL */
	const char *examples; /* lines that work as pasted */
	const struct gg_flag *flags;
	int (*run)(const struct gg_args *args);
};

/* A command's first word, where it has several: `ganglion event ack`. Ended by a row without name. */
struct gg_verb {
	const char *name;
	const char *words; /* what follows it: "ID TEXT" */
	size_t least, most;
	int (*run)(const struct gg_args *args); /* args->words begin behind the verb */
};

/* Runs the verb that args->words[0] names; without one the first of the table. */
int gg_cli_verb(const struct gg_args *args, const struct gg_verb *verbs);

/* All commands, ended by a row without name (commands.c). */
extern const struct gg_command gg_commands[];

/* Flags that every command has, ended by a row without name. */
extern const struct gg_flag gg_common_flags[];

int gg_cli_main(int argc, char **argv);
/* The value of a flag, or NULL. */
const char *gg_arg(const struct gg_args *args, const char *flag);
/* "ganglion detect: text" on stderr; returns 2 so that one can write: return gg_cli_wrong(args, "..."). */
int gg_cli_wrong(const struct gg_args *args, const char *format, ...) GG_PRINTF(2, 3);
/* The same for what went wrong: returns 1. */
int gg_cli_failed(const struct gg_args *args, const char *format, ...) GG_PRINTF(2, 3);
/* Is stdout a terminal on which colour is welcome? */
bool gg_cli_colour(void);
/* Does it show UTF-8? A terminal whose locale says otherwise does not; where none is set, and in files, it
 * does. */
bool gg_cli_utf8(void);
/* Columns of the terminal, 100 when it is none. */
unsigned gg_cli_width(void);
/* What a table may take: 0, no limit, when stdout is no terminal. */
unsigned gg_cli_table_width(void);
/* Progress of long work: a line on stderr that is written over, on a terminal only and not with --quiet. done
 * of total; total 0 = unknown. At most ten a second. gg_cli_progress_end() wipes it. */
void gg_cli_progress(const struct gg_args *args, const char *what, uint64_t done, uint64_t total);
void gg_cli_progress_end(void);
/* Until a key or Ctrl-C ends the program: draws anew every period, on a terminal over the old picture. draw
 * returns an exit status; not 0 ends it. */
int gg_cli_watch(double seconds, int (*draw)(void *arg, struct gg_buf *to), void *arg);

int gg_cmd_completion(const struct gg_args *args);
int gg_cmd_help(const struct gg_args *args);
int gg_cmd_version(const struct gg_args *args);
int gg_cmd_detect(const struct gg_args *args);
int gg_cmd_run(const struct gg_args *args);
int gg_cmd_demo(const struct gg_args *args);
int gg_cmd_backup(const struct gg_args *args);
int gg_cmd_check(const struct gg_args *args);
int gg_cmd_config(const struct gg_args *args);
int gg_cmd_device(const struct gg_args *args);
int gg_cmd_doctor(const struct gg_args *args);
int gg_cmd_event(const struct gg_args *args);
int gg_cmd_export(const struct gg_args *args);
int gg_cmd_history(const struct gg_args *args);
int gg_cmd_key(const struct gg_args *args);
int gg_cmd_query(const struct gg_args *args);
int gg_cmd_replay(const struct gg_args *args);
int gg_cmd_restore(const struct gg_args *args);
int gg_cmd_signal(const struct gg_args *args);
int gg_cmd_vault(const struct gg_args *args);

#endif

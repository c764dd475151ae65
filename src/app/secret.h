/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets from people: typed without being shown, read from a file, or made up. Thread: main. */
#ifndef GG_APP_SECRET_H
#define GG_APP_SECRET_H

#include "app/cli.h"

enum { GG_SECRET_MAX = 260 };

/* From the terminal, twice, or a line of standard input when that is none. Errors are printed: 1. */
int gg_secret_ask(const struct gg_args *args, const char *what, char to[GG_SECRET_MAX]);
/* The same, asked once. */
int gg_secret_ask_once(const struct gg_args *args, const char *what, char to[GG_SECRET_MAX]);
/* The first line of a file. */
int gg_secret_read(const struct gg_args *args, const char *path, char to[GG_SECRET_MAX]);
/* 24 letters and digits: 142 bits. */
int gg_secret_make(const struct gg_args *args, char to[GG_SECRET_MAX]);

#endif

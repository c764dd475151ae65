/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A configuration value as it was written: a tree of maps, lists and scalars in which each node knows its
 * place (file, line, column). YAML files and API bodies both become such trees; what a scalar means is
 * decided by the option table that reads it, so "yes", 5s and 21.5 stay text until then. Immutable once
 * built. Owner: the arena of its configuration.
 */
#ifndef GANGLION_VALUE_H
#define GANGLION_VALUE_H

#include "base/str.h"

enum gg_value_kind { GG_VALUE_NULL, GG_VALUE_SCALAR, GG_VALUE_LIST, GG_VALUE_MAP };

struct gg_value {
	enum gg_value_kind kind;
	bool quoted; /* a scalar in quotes: a string, whatever it looks like */
	bool secret; /* came from the environment or a secret file: never shown */
	unsigned line, column;
	const char *file;
	struct gg_str text;      /* scalar, after substitution */
	struct gg_str raw;       /* as written, e.g. "${TOKEN}", when it is not text; else empty (p NULL) */
	size_t count;            /* list, map */
	struct gg_value **items; /* list; map: the values */
	struct gg_value **keys;  /* map: the keys, scalars with their own place */
};

/* The value of a key, or NULL; v may be NULL or no map. */
const struct gg_value *gg_value_get(const struct gg_value *v, const char *key);
/* Are they the same, places aside? */
bool gg_value_equal(const struct gg_value *a, const struct gg_value *b);

#endif

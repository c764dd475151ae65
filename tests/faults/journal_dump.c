/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shows a journal as text, for tests that look at what a gateway left behind:
 *
 *   journal_dump FOLDER [from=POSITION] [kinds=input,derived,event,...]
 *   POSITION KIND [device/signal=VALUE@TIME_NS ...]      a line per record; other kinds: NAME and bytes
 *
 * A sealed one opens by the slots of the data folder around it. The last line says how many bytes were
 * damaged. The folder may be one that a gateway is writing.
 */
#include "core/signals.h"
#include "security/vault.h"
#include "store/journal.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>

static const char *const kinds[] = {
	"none", "input", "derived", "event", "tick", "checkpoint", "kept", "names", "mark"};

static void print_value(const struct gg_batch *b, const struct gg_sample *s)
{
	const struct gg_signal_info *info = gg_signal(s->signal);
	printf(" %.*s=", GG_STR_ARG(info ? info->name : GG_STR("?")));
	if (s->quality == GG_BAD)
		printf("bad");
	else if (s->type >= GG_TYPE_STRING)
		printf("'%.*s'", GG_STR_ARG(gg_batch_text(b, s)));
	else
		printf("%.17g", gg_sample_number(s));
	printf("@%" PRId64, s->time_ns);
}

static void print_record(const struct gg_record *r)
{
	printf("%" PRIu64 " %s", r->position, (size_t)r->kind < GG_COUNT(kinds) ? kinds[r->kind] : "?");
	for (uint32_t i = 0; r->batch && i < r->batch->count; i++)
		print_value(r->batch, &r->batch->samples[i]);
	if (!r->batch && r->kind == GG_RECORD_EVENT)
		printf(" %.*s", GG_STR_ARG(r->bytes));
	else if (!r->batch)
		printf(" %.*s %zu", GG_STR_ARG(r->name), r->bytes.len);
	putchar('\n');
}

static unsigned kinds_of(struct gg_str list)
{
	unsigned bits = 0;
	while (list.len) {
		struct gg_str word = gg_str_cut(&list, ',');
		for (unsigned i = 0; i < GG_COUNT(kinds); i++)
			if (gg_str_is(word, kinds[i]))
				bits |= 1U << i;
	}
	return bits;
}

/* The root key of the data folder around dir, by its own slots. */
static const uint8_t *root_key(const char *dir)
{
	static struct gg_vault_key key;
	const struct gg_vault_means means = {0};
	struct gg_error e = {0};
	char data[4096];
	snprintf(data, sizeof data, "%s/..", dir);
	if (gg_vault_open_folder(data, &means, &key, &e) < 0)
		fprintf(stderr, "%s\n", e.text);
	return key.sealed ? key.root : NULL;
}

int main(int argc, char **argv)
{
	struct gg_journal_reader *reader = NULL;
	struct gg_record r;
	uint64_t from = 0;
	unsigned wanted = ~0U;
	for (int i = 2; i < argc; i++) {
		struct gg_str value = gg_str(argv[i]), key = gg_str_cut(&value, '=');
		if (gg_str_is(key, "from"))
			gg_parse_uint(value, &from);
		if (gg_str_is(key, "kinds"))
			wanted = kinds_of(value);
	}
	gg_signals_limit(1000000, 1000000);
	if (argc < 2) {
		fprintf(stderr, "usage: journal_dump FOLDER [from=POSITION] [kinds=KIND,...]\n");
		return 2;
	}
	int rc = gg_journal_reader_open(argv[1], &gg_names_table, root_key(argv[1]), from, &reader);
	if (rc < 0) {
		fprintf(stderr, "%s: %s\n", argv[1], gg_journal_reader_error(rc));
		return 2;
	}
	gg_journal_reader_kinds(reader, wanted);
	while ((rc = gg_journal_next(reader, &r)) == 1) {
		print_record(&r);
		gg_batch_unref(r.batch);
	}
	printf("damaged %" PRIu64 "\n", gg_journal_reader_damaged(reader));
	gg_journal_reader_free(reader);
	return rc < 0;
}

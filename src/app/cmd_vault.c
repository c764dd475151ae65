/* SPDX-License-Identifier: Apache-2.0 */
/* `ganglion vault`: what opens a sealed data folder. The gateway may be at work: it reads the slots at its
 * start only. */
#include "app/client.h"
#include "app/problems.h"
#include "app/secret.h"
#include "app/table.h"
#include "app/unseal.h"
#include "app/when.h"

#include <openssl/crypto.h>

static int failed(const struct gg_args *args, int rc, const struct gg_error *e)
{
	return rc < 0 ? gg_cli_failed(args, "%s", e->text[0] ? e->text : strerror(-rc)) : 0;
}

static int find(const struct gg_args *args, char data[GG_DATA_DIR])
{
	return gg_client_find_data(args, data) < 0
		       ? gg_cli_failed(args, "no data folder found; say with --data DIR where it lies")
		       : 0;
}

/* ---- telling ---- */

static void details(const struct gg_slot *s, struct gg_buf *to)
{
	if (s->kind == GG_SLOT_KEY_FILE || s->kind == GG_SLOT_TPM)
		gg_buf_str(to, gg_str(s->hint));
	if (s->pcrs) {
		gg_buf_str(to, GG_STR(", PCRs "));
		gg_pcrs_text(s->pcrs, to);
	}
}

static void put_slot(struct gg_json_writer *w, const struct gg_slot *s)
{
	gg_json_begin_object(w);
	gg_json_put_int(w, "slot", (int64_t)s->number);
	gg_json_put_str(w, "kind", gg_str(gg_slot_kind_name(s->kind)));
	gg_json_put_time(w, "created", s->created_ns);
	if (s->hint[0])
		gg_json_put_str(w, s->kind == GG_SLOT_TPM ? "tpm" : "key_file", gg_str(s->hint));
	if (s->kind == GG_SLOT_TPM)
		gg_pcrs_put(s->pcrs, w);
	gg_json_end_object(w);
}

static void print_json(const char *data, bool sealed, const struct gg_slots *s)
{
	struct gg_buf out GG_CLEANUP(gg_buf_done) = GG_BUF(GG_SLOTS_FILE);
	struct gg_json_writer w = gg_json_writer(&out);
	gg_json_begin_object(&w);
	gg_json_put_str(&w, "data", gg_str(data));
	gg_json_put_bool(&w, "sealed", sealed);
	gg_json_key(&w, GG_STR("slots"));
	gg_json_begin_array(&w);
	for (size_t i = 0; i < s->count; i++)
		put_slot(&w, &s->items[i]);
	gg_json_end_array(&w);
	gg_json_end_object(&w);
	puts(gg_buf_text(&out));
}

static void print_table(const struct gg_slots *s)
{
	static const struct gg_column columns[] = {
		{.title = "SLOT", .right = true}, {.title = "KIND"}, {.title = "CREATED"}, {.title = ""}};
	struct gg_buf out GG_CLEANUP(gg_buf_done) = GG_BUF(GG_TABLE_BYTES);
	struct gg_buf text GG_CLEANUP(gg_buf_done) = GG_BUF(4096);
	struct gg_table t;
	char time[GG_TIME_TEXT];
	gg_table_init(&t, columns, GG_COUNT(columns));
	for (size_t i = 0; i < s->count; i++) {
		gg_buf_clear(&text);
		details(&s->items[i], &text);
		gg_table_cellf(&t, "%llu", (unsigned long long)s->items[i].number);
		gg_table_cell(&t, gg_str(gg_slot_kind_name(s->items[i].kind)));
		gg_table_cell(&t, gg_str(gg_when_short(time, s->items[i].created_ns, 0)));
		gg_table_cell(&t, gg_buf_view(&text));
	}
	gg_table_write(&t, gg_cli_table_width(), gg_cli_colour(), &out);
	fputs(gg_buf_text(&out), stdout);
	gg_table_done(&t);
}

static int tell(const struct gg_args *args, const char *data)
{
	struct gg_slots s = {0};
	struct gg_error e = {0};
	int rc = gg_vault_slots(data, &s, &e);
	if (rc < 0 && rc != -ENOENT)
		return failed(args, rc, &e);
	if (args->json)
		print_json(data, rc == 0, &s);
	else if (rc == 0 && !args->quiet)
		print_table(&s);
	else if (!args->quiet)
		printf("%s is not sealed; it is sealed by the first start with a configuration that names a "
		       "key "
		       "under 'encryption'\n",
			data);
	return 0;
}

static int status(const struct gg_args *args)
{
	char data[GG_DATA_DIR];
	return find(args, data) ? 1 : tell(args, data);
}

/* ---- another way ---- */

struct new_way {
	struct gg_site_encryption way;
	struct gg_config *config;
	const char *pcrs[GG_PCRS + 1];
	char pcr_text[200], typed[GG_SECRET_MAX];
};

static int take_pcrs(const struct gg_args *args, struct new_way *n)
{
	const char *given = gg_arg(args, "pcrs");
	uint32_t bits;
	if (!given)
		return 0;
	if (gg_str_copy(n->pcr_text, sizeof n->pcr_text, gg_str(given)) >= sizeof n->pcr_text)
		return gg_cli_wrong(args, "--pcrs: expected numbers from 0 to 23, with commas between");
	size_t count = 0;
	for (char *p = n->pcr_text; p && count <= GG_PCRS; count++) {
		n->pcrs[count] = p;
		p = strchr(p, ',');
		if (p)
			*p++ = '\0';
	}
	n->way.pcrs = (struct gg_strings){n->pcrs, count};
	if (count > GG_PCRS || gg_site_encryption_pcrs(&n->way, &bits) < 0)
		return gg_cli_wrong(args, "--pcrs: expected numbers from 0 to 23, with commas between");
	return n->way.tpm ? 0 : gg_cli_wrong(args, "--pcrs goes with --new-tpm");
}

static int take_way(const struct gg_args *args, struct new_way *n)
{
	const char *file = gg_arg(args, "config");
	n->way = (struct gg_site_encryption){.key_file = gg_arg(args, "new-key-file"),
		.passphrase = gg_arg(args, "new-passphrase"),
		.passphrase_file = gg_arg(args, "new-passphrase-file"),
		.tpm = gg_arg(args, "new-tpm")};
	unsigned ways = gg_site_encryption_ways(&n->way);
	if (ways + (file != NULL) != 1)
		return gg_cli_wrong(args, "expected one of --config, --new-key-file, --new-passphrase, "
					  "--new-passphrase-file and "
					  "--new-tpm");
	int rc = take_pcrs(args, n);
	if (rc || !file)
		return rc;
	if (gg_cli_load_config(args, file, &n->config) < 0)
		return 1;
	n->way = n->config->site.encryption;
	return gg_site_encryption_ways(&n->way)
		       ? 0
		       : gg_cli_failed(args, "%s names no key under 'encryption'", file);
}

static int rewrap_with(const struct gg_args *args, const char *data, struct new_way *n)
{
	struct gg_unsealing u = {.args = args, .ask = true};
	struct gg_vault_means means = gg_cli_means(&u);
	struct gg_error e = {0};
	if (n->way.passphrase && !n->config) {
		if (gg_secret_ask(args, "new passphrase", n->typed))
			return 1;
		n->way.passphrase = n->typed;
	}
	int rc = gg_vault_rewrap(data, &means, &n->way, gg_arg(args, "keep") != NULL, &e);
	if (rc < 0)
		return failed(args, rc, &e);
	if (!n->config && !args->quiet)
		fprintf(stderr, "the next start needs this way under 'encryption' in the configuration\n");
	return tell(args, data);
}

static int rewrap(const struct gg_args *args)
{
	char data[GG_DATA_DIR];
	struct new_way n = {0};
	int rc = take_way(args, &n);
	if (rc == 0)
		rc = find(args, data);
	if (rc == 0)
		rc = rewrap_with(args, data, &n);
	OPENSSL_cleanse(n.typed, sizeof n.typed);
	gg_config_free(n.config);
	return rc;
}

/* ---- recovery ---- */

static void print_recovery(const struct gg_args *args, const char *text)
{
	if (args->json)
		printf("{\"recovery_key\":\"%s\"}\n", text);
	else
		printf("%s\n", text);
	if (!args->json && !args->quiet)
		fprintf(stderr,
			"This recovery key opens the data and their backups, and is shown this once: write "
			"it "
			"down and keep it\naway from this machine. Recovery keys made before no longer "
			"work.\n");
}

static int add_recovery(const struct gg_args *args)
{
	char data[GG_DATA_DIR], text[GG_RECOVERY_TEXT] = "";
	struct gg_unsealing u = {.args = args, .ask = true};
	struct gg_vault_means means = gg_cli_means(&u);
	struct gg_error e = {0};
	if (find(args, data))
		return 1;
	int rc = gg_vault_add_recovery(data, &means, text, &e);
	if (text[0])
		print_recovery(args, text);
	OPENSSL_cleanse(text, sizeof text);
	return failed(args, rc, &e);
}

static int take_away(const struct gg_args *args)
{
	char data[GG_DATA_DIR];
	uint64_t number;
	struct gg_error e = {0};
	if (gg_parse_uint(gg_str(args->words[0]), &number) < 0)
		return gg_cli_wrong(args, "expected a slot's number, as 'ganglion vault' shows them");
	if (find(args, data))
		return 1;
	int rc = gg_vault_remove(data, number, &e);
	return rc < 0 ? failed(args, rc, &e) : tell(args, data);
}

int gg_cmd_vault(const struct gg_args *args)
{
	static const struct gg_verb verbs[] = {{"status", "", 0, 0, status}, {"rewrap", "", 0, 0, rewrap},
		{"add-recovery", "", 0, 0, add_recovery}, {"remove", "SLOT", 1, 1, take_away}, {0}};
	return gg_cli_verb(args, verbs);
}

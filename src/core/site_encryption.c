/* SPDX-License-Identifier: Apache-2.0 */
/* What no table can say of `encryption`: exactly one way, PCRs only with a TPM, and no passphrase that would
 * lie beside the data it seals. */
#include "core/site.h"

enum { PCRS = 24 };

unsigned gg_site_encryption_ways(const struct gg_site_encryption *o)
{
	return (o->key_file != NULL) + (o->passphrase != NULL) + (o->passphrase_file != NULL) +
	       (o->tpm != NULL);
}

int gg_site_encryption_pcrs(const struct gg_site_encryption *o, uint32_t *ret_pcrs)
{
	uint32_t pcrs = 0;
	uint64_t n;
	for (size_t i = 0; i < o->pcrs.count; i++) {
		if (gg_parse_uint(gg_str(o->pcrs.items[i]), &n) < 0 || n >= PCRS)
			return -EINVAL;
		pcrs |= 1U << n;
	}
	*ret_pcrs = pcrs;
	return 0;
}

static void check_text(
	const char *name, const char *text, const struct gg_value *at, struct gg_problems *problems)
{
	const struct gg_value *v = gg_value_get(at, name);
	if (text && !text[0] && problems->count == 0) /* else a variable that is not set has been told */
		gg_problem(problems, v ? v : at, "encryption: %s is empty", name);
}

void gg_site_check_encryption(
	const struct gg_site_encryption *o, const struct gg_value *at, struct gg_problems *problems)
{
	const struct gg_value *passphrase = gg_value_get(at, "passphrase"), *pcrs = gg_value_get(at, "pcrs");
	unsigned ways = gg_site_encryption_ways(o);
	uint32_t bits;
	if (!at || at->kind != GG_VALUE_MAP)
		return;
	if (ways != 1)
		gg_problem(problems, at,
			"encryption: expected exactly one of key_file, passphrase, passphrase_file and tpm, "
			"got "
			"%s",
			ways ? "several; a second way to open it is a recovery key, 'ganglion vault "
			       "add-recovery'"
			     : "none");
	check_text("key_file", o->key_file, at, problems);
	check_text("passphrase", o->passphrase, at, problems);
	check_text("passphrase_file", o->passphrase_file, at, problems);
	check_text("tpm", o->tpm, at, problems);
	if (o->passphrase && passphrase && !passphrase->secret)
		gg_problem(problems, passphrase,
			"encryption: the passphrase may not be written out in the configuration, which is "
			"shown, "
			"copied and kept: use ${NAME}, ${file:/path} or passphrase_file");
	if (o->pcrs.count && !o->tpm)
		gg_problem(problems, pcrs ? pcrs : at, "encryption: pcrs go with tpm");
	if (gg_site_encryption_pcrs(o, &bits) < 0)
		gg_problem(problems, pcrs ? pcrs : at, "encryption: expected numbers of PCRs from 0 to 23");
}

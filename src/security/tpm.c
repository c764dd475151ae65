/* SPDX-License-Identifier: Apache-2.0 */
/* See tpm.h. */
#include "security/tpm.h"

#include "security/tpm_library.h"

#include <openssl/crypto.h>
#include <unistd.h>

enum { HANDLES = 4, CODE = 0xffff, FORMAT_ONE = TPM2_RC_FMT1, ERROR_BITS = 0xbf };

/* A conversation with the TPM; what was made in it goes when it ends. */
struct talk {
	TSS2_TCTI_CONTEXT *tcti;
	ESYS_CONTEXT *esys;
	ESYS_TR handles[HANDLES];
	size_t count;
	const char *where;
	struct gg_error *e;
};

static const TPMT_SYM_DEF cipher = {
	.algorithm = TPM2_ALG_AES, .keyBits = {.aes = 128}, .mode = {.aes = TPM2_ALG_CFB}};

/* ---- what it says ---- */

/* TPM 2.0 part 2, 6.6: errors of format 1 tell also which parameter, session or handle was wrong. */
static unsigned error_of(TSS2_RC rc)
{
	if ((rc & TSS2_RC_LAYER_MASK) != TSS2_TPM_RC_LAYER &&
		(rc & TSS2_RC_LAYER_MASK) != TSS2_RESMGR_TPM_RC_LAYER)
		return 0;
	return rc & FORMAT_ONE ? rc & ERROR_BITS : rc & CODE;
}

static int refused(struct talk *t, TSS2_RC rc, const char *doing)
{
	unsigned error = error_of(rc);
	const char *hint = "";
	if (error == (TPM2_RC_BAD_AUTH & ERROR_BITS) || error == (TPM2_RC_AUTH_FAIL & ERROR_BITS))
		hint = ": its owner hierarchy has a password, which is not supported";
	else if (error == TPM2_RC_LOCKOUT)
		hint = ": it is locked after too many wrong attempts; wait, or 'tpm2_dictionarylockout'";
	else if (error == (TPM2_RC_HIERARCHY & ERROR_BITS))
		hint = ": its owner hierarchy is switched off in the firmware's settings";
	return gg_error_set(
		t->e, -EIO, "TPM (%s): %s failed with 0x%x%s", t->where, doing, (unsigned)rc, hint);
}

/* ---- beginning and end ---- */

/* tpm2-tss loads whatever library is named, and one of its own runs commands. A slot that came with
 * somebody's backup must not. */
static bool is_known(const char *name)
{
	static const char *const known[] = {"auto", "device", "tabrmd", "swtpm", "mssim"};
	struct gg_str rest = gg_str(name), word = gg_str_cut(&rest, ':');
	for (size_t i = 0; i < GG_COUNT(known); i++)
		if (gg_str_is(word, known[i]))
			return true;
	return false;
}

static int connect_to(struct talk *t, const char *name)
{
	static const char *const usual[] = {"device:/dev/tpmrm0", "tabrmd"};
	bool automatic = strcmp(name, "auto") == 0;
	TSS2_RC rc = TSS2_TCTI_RC_NO_CONNECTION;
	t->where = name;
	if (!is_known(name))
		return gg_error_set(t->e, -EINVAL,
			"TPM (%s): expected auto, or device, tabrmd, swtpm or mssim, as device:/dev/tpmrm0",
			name);
	if (!automatic)
		rc = gg_tss.Tss2_TctiLdr_Initialize(name, &t->tcti);
	else if (access("/dev/tpmrm0", F_OK) == 0)
		rc = gg_tss.Tss2_TctiLdr_Initialize(t->where = usual[0], &t->tcti);
	else
		rc = gg_tss.Tss2_TctiLdr_Initialize(t->where = usual[1], &t->tcti);
	if (rc == TSS2_RC_SUCCESS)
		return 0;
	bool denied =
		automatic && access("/dev/tpmrm0", F_OK) == 0 && access("/dev/tpmrm0", R_OK | W_OK) != 0;
	return gg_error_set(t->e, denied ? -EACCES : -ENODEV, "TPM (%s): %s", t->where,
		denied      ? "this user may not use /dev/tpmrm0; it belongs to the group tss"
		: automatic ? "there is none: no /dev/tpmrm0, and no tpm2-abrmd answers"
			    : "it can't be reached");
}

static int begin(struct talk *t, const char *name)
{
	int rc = gg_tpm_library_load(t->e);
	if (rc == 0)
		rc = connect_to(t, name);
	if (rc < 0)
		return rc;
	TSS2_RC tpm = gg_tss.Esys_Initialize(&t->esys, t->tcti, NULL);
	if (tpm != TSS2_RC_SUCCESS)
		return refused(t, tpm, "the beginning");
	tpm = gg_tss.Esys_Startup(t->esys, TPM2_SU_CLEAR); /* the firmware has done it, but for simulators */
	return tpm == TSS2_RC_SUCCESS || error_of(tpm) == TPM2_RC_INITIALIZE ? 0
									     : refused(t, tpm, "its start");
}

static void end(struct talk *t)
{
	while (t->count)
		gg_tss.Esys_FlushContext(t->esys, t->handles[--t->count]);
	if (t->esys)
		gg_tss.Esys_Finalize(&t->esys);
	if (t->tcti)
		gg_tss.Tss2_TctiLdr_Finalize(&t->tcti);
}

static ESYS_TR keep(struct talk *t, ESYS_TR handle)
{
	t->handles[t->count++] = handle;
	return handle;
}

/* ---- the primary ---- */

/* TCG TPM v2.0 Provisioning Guidance 7.5.1: the storage root key, here of ECC P-256. */
static const TPM2B_PUBLIC storage_key = {
	.publicArea = {.type = TPM2_ALG_ECC,
		.nameAlg = TPM2_ALG_SHA256,
		.objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
				    TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_USERWITHAUTH |
				    TPMA_OBJECT_NODA | TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT,
		.parameters = {.eccDetail = {.symmetric = {.algorithm = TPM2_ALG_AES,
						     .keyBits = {.aes = 128},
						     .mode = {.aes = TPM2_ALG_CFB}},
				       .scheme = {.scheme = TPM2_ALG_NULL},
				       .curveID = TPM2_ECC_NIST_P256,
				       .kdf = {.scheme = TPM2_ALG_NULL}}},
		.unique = {.ecc = {.x = {.size = 32}, .y = {.size = 32}}}}};

static int make_primary(struct talk *t, ESYS_TR *ret_primary, struct gg_slot_blob *ret_name)
{
	static const TPM2B_SENSITIVE_CREATE nothing;
	static const TPM2B_DATA outside;
	static const TPML_PCR_SELECTION none;
	ESYS_TR primary;
	TPM2B_NAME *name = NULL;
	TSS2_RC rc = gg_tss.Esys_CreatePrimary(t->esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD, ESYS_TR_NONE,
		ESYS_TR_NONE, &nothing, &storage_key, &outside, &none, &primary, NULL, NULL, NULL, NULL);
	if (rc != TSS2_RC_SUCCESS)
		return refused(t, rc, "making the storage key");
	keep(t, primary);
	rc = gg_tss.Esys_TR_GetName(t->esys, primary, &name);
	if (rc != TSS2_RC_SUCCESS || name->size > sizeof ret_name->p) {
		gg_tss.Esys_Free(name);
		return refused(t, rc, "naming the storage key");
	}
	ret_name->len = name->size;
	memcpy(ret_name->p, name->name, name->size);
	gg_tss.Esys_Free(name);
	*ret_primary = primary;
	return 0;
}

/* ---- sessions ---- */

static int begin_session(struct talk *t, ESYS_TR primary, TPM2_SE type, ESYS_TR *ret_session)
{
	const TPMA_SESSION wanted =
		TPMA_SESSION_DECRYPT | TPMA_SESSION_ENCRYPT | TPMA_SESSION_CONTINUESESSION;
	ESYS_TR session;
	TSS2_RC rc = gg_tss.Esys_StartAuthSession(t->esys, primary, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
		ESYS_TR_NONE, NULL, type, &cipher, TPM2_ALG_SHA256, &session);
	if (rc != TSS2_RC_SUCCESS)
		return refused(t, rc, "beginning a session");
	keep(t, session);
	if (type == TPM2_SE_HMAC)
		rc = gg_tss.Esys_TRSess_SetAttributes(t->esys, session, wanted, 0xff);
	if (rc != TSS2_RC_SUCCESS)
		return refused(t, rc, "beginning a session");
	*ret_session = session;
	return 0;
}

static TPML_PCR_SELECTION select_pcrs(uint32_t pcrs)
{
	return (TPML_PCR_SELECTION){.count = 1,
		.pcrSelections = {{.hash = TPM2_ALG_SHA256,
			.sizeofSelect = 3,
			.pcrSelect = {(uint8_t)pcrs, (uint8_t)(pcrs >> 8), (uint8_t)(pcrs >> 16)}}}};
}

/* A policy session with PolicyPCR done (type POLICY), or what its digest would be (TRIAL). */
static int pcr_session(struct talk *t, ESYS_TR primary, TPM2_SE type, uint32_t pcrs, ESYS_TR *ret_session,
	TPM2B_DIGEST *ret_digest)
{
	static const TPM2B_DIGEST as_they_are;
	TPML_PCR_SELECTION selection = select_pcrs(pcrs);
	TPM2B_DIGEST *digest = NULL;
	int rc = begin_session(t, primary, type, ret_session);
	if (rc < 0)
		return rc;
	TSS2_RC tpm = gg_tss.Esys_PolicyPCR(
		t->esys, *ret_session, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &as_they_are, &selection);
	if (tpm == TSS2_RC_SUCCESS)
		tpm = gg_tss.Esys_PolicyGetDigest(
			t->esys, *ret_session, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &digest);
	if (tpm != TSS2_RC_SUCCESS)
		return refused(t, tpm, "reading the PCRs (bank SHA-256)");
	*ret_digest = *digest;
	gg_tss.Esys_Free(digest);
	return 0;
}

/* ---- sealing ---- */

static int check_bank(struct talk *t, uint32_t pcrs)
{
	TPML_PCR_SELECTION selection = select_pcrs(pcrs), *read = NULL;
	TPML_DIGEST *values = NULL;
	UINT32 counter;
	TSS2_RC rc = gg_tss.Esys_PCR_Read(
		t->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &selection, &counter, &read, &values);
	bool there = rc == TSS2_RC_SUCCESS && values->count > 0;
	gg_tss.Esys_Free(read);
	gg_tss.Esys_Free(values);
	if (rc != TSS2_RC_SUCCESS)
		return refused(t, rc, "reading the PCRs");
	return there ? 0
		     : gg_error_set(t->e, -ENOTSUP,
			       "TPM (%s): it keeps no PCRs of SHA-256; switch that bank on in the firmware's "
			       "settings, or name no pcrs",
			       t->where);
}

static int keep_object(
	struct talk *t, const TPM2B_PUBLIC *pub, const TPM2B_PRIVATE *priv, struct gg_slot *slot)
{
	size_t pub_len = 0, priv_len = 0;
	TSS2_RC rc = gg_tss.Tss2_MU_TPM2B_PUBLIC_Marshal(pub, slot->pub.p, sizeof slot->pub.p, &pub_len);
	if (rc == TSS2_RC_SUCCESS)
		rc = gg_tss.Tss2_MU_TPM2B_PRIVATE_Marshal(priv, slot->priv.p, sizeof slot->priv.p, &priv_len);
	if (rc != TSS2_RC_SUCCESS)
		return refused(t, rc, "writing the sealed object");
	slot->pub.len = pub_len;
	slot->priv.len = priv_len;
	return 0;
}

static int create(struct talk *t, ESYS_TR primary, ESYS_TR session, const TPM2B_DIGEST *policy,
	const uint8_t key[GG_SEAL_KEY], struct gg_slot *slot)
{
	static const TPM2B_DATA outside;
	static const TPML_PCR_SELECTION none;
	TPM2B_SENSITIVE_CREATE secret = {.sensitive = {.data = {.size = GG_SEAL_KEY}}};
	TPM2B_PUBLIC template = {
		.publicArea = {.type = TPM2_ALG_KEYEDHASH,
			.nameAlg = TPM2_ALG_SHA256,
			.objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
					    TPMA_OBJECT_NODA | (slot->pcrs ? 0 : TPMA_OBJECT_USERWITHAUTH),
			.authPolicy = *policy,
			.parameters = {.keyedHashDetail = {.scheme = {.scheme = TPM2_ALG_NULL}}}}};
	TPM2B_PUBLIC *pub = NULL;
	TPM2B_PRIVATE *priv = NULL;
	memcpy(secret.sensitive.data.buffer, key, GG_SEAL_KEY);
	TSS2_RC rc = gg_tss.Esys_Create(t->esys, primary, session, ESYS_TR_NONE, ESYS_TR_NONE, &secret,
		&template, &outside, &none, &priv, &pub, NULL, NULL, NULL);
	OPENSSL_cleanse(&secret, sizeof secret);
	int done = rc == TSS2_RC_SUCCESS ? keep_object(t, pub, priv, slot) : refused(t, rc, "sealing");
	gg_tss.Esys_Free(pub);
	gg_tss.Esys_Free(priv);
	return done;
}

int gg_tpm_seal(struct gg_slot *slot, const uint8_t key[GG_SEAL_KEY], struct gg_error *e)
{
	struct talk t = {.e = e};
	TPM2B_DIGEST policy = {0};
	ESYS_TR primary, session, trial;
	int rc = begin(&t, slot->hint);
	if (rc == 0)
		rc = make_primary(&t, &primary, &slot->primary);
	if (rc == 0 && slot->pcrs)
		rc = check_bank(&t, slot->pcrs);
	if (rc == 0 && slot->pcrs)
		rc = pcr_session(&t, primary, TPM2_SE_TRIAL, slot->pcrs, &trial, &policy);
	if (rc == 0)
		rc = begin_session(&t, primary, TPM2_SE_HMAC, &session);
	if (rc == 0)
		rc = create(&t, primary, session, &policy, key, slot);
	end(&t);
	return rc;
}

/* ---- unsealing ---- */

static int pcrs_changed(struct talk *t, uint32_t pcrs)
{
	struct gg_buf list GG_CLEANUP(gg_buf_done) = GG_BUF(200);
	gg_pcrs_text(pcrs, &list);
	return gg_error_set(t->e, -EACCES,
		"TPM (%s): the machine has not started as it did when the key was sealed: of the PCRs %s at "
		"least one has changed (firmware, its settings, boot loader or kernel)",
		t->where, gg_buf_text(&list));
}

static int another_tpm(struct talk *t)
{
	return gg_error_set(t->e, -EACCES,
		"TPM (%s): the key was sealed by another TPM, or this one has been cleared since", t->where);
}

static int load(struct talk *t, ESYS_TR primary, ESYS_TR session, const struct gg_slot *slot,
	ESYS_TR *ret_object, TPM2B_DIGEST *ret_policy)
{
	TPM2B_PUBLIC pub = {0};
	TPM2B_PRIVATE priv = {0};
	size_t pub_at = 0, priv_at = 0;
	ESYS_TR object;
	if (gg_tss.Tss2_MU_TPM2B_PUBLIC_Unmarshal(slot->pub.p, slot->pub.len, &pub_at, &pub) !=
			TSS2_RC_SUCCESS ||
		gg_tss.Tss2_MU_TPM2B_PRIVATE_Unmarshal(slot->priv.p, slot->priv.len, &priv_at, &priv) !=
			TSS2_RC_SUCCESS)
		return gg_error_set(t->e, -EBADMSG, "the sealed object in the slot is damaged");
	TSS2_RC rc =
		gg_tss.Esys_Load(t->esys, primary, session, ESYS_TR_NONE, ESYS_TR_NONE, &priv, &pub, &object);
	if (error_of(rc) == (TPM2_RC_INTEGRITY & ERROR_BITS))
		return another_tpm(t);
	if (rc != TSS2_RC_SUCCESS)
		return refused(t, rc, "loading the sealed object");
	*ret_object = keep(t, object);
	*ret_policy = pub.publicArea.authPolicy;
	return 0;
}

static int unseal(struct talk *t, ESYS_TR object, ESYS_TR policy, ESYS_TR session, const struct gg_slot *slot,
	uint8_t ret_key[GG_SEAL_KEY])
{
	TPM2B_SENSITIVE_DATA *data = NULL;
	bool by_policy = policy != ESYS_TR_NONE;
	TSS2_RC rc = gg_tss.Esys_Unseal(t->esys, object, by_policy ? policy : session,
		by_policy ? session : ESYS_TR_NONE, ESYS_TR_NONE, &data);
	unsigned error = error_of(rc);
	if (by_policy && (error == (TPM2_RC_POLICY_FAIL & ERROR_BITS) || error == TPM2_RC_PCR_CHANGED))
		return pcrs_changed(t, slot->pcrs);
	if (rc != TSS2_RC_SUCCESS)
		return refused(t, rc, "unsealing");
	bool fits = data->size == GG_SEAL_KEY;
	if (fits)
		memcpy(ret_key, data->buffer, GG_SEAL_KEY);
	OPENSSL_cleanse(data, sizeof *data);
	gg_tss.Esys_Free(data);
	return fits ? 0 : gg_error_set(t->e, -EBADMSG, "the sealed object in the slot is no key of ours");
}

static int unseal_under(
	struct talk *t, ESYS_TR primary, const struct gg_slot *slot, uint8_t ret_key[GG_SEAL_KEY])
{
	ESYS_TR session, object = ESYS_TR_NONE, policy = ESYS_TR_NONE;
	TPM2B_DIGEST now = {0}, wanted = {0};
	int rc = begin_session(t, primary, TPM2_SE_HMAC, &session);
	if (rc == 0)
		rc = load(t, primary, session, slot, &object, &wanted);
	if (rc == 0 && slot->pcrs)
		rc = pcr_session(t, primary, TPM2_SE_POLICY, slot->pcrs, &policy, &now);
	if (rc == 0 && slot->pcrs &&
		(now.size != wanted.size || memcmp(now.buffer, wanted.buffer, now.size) != 0))
		rc = pcrs_changed(t, slot->pcrs);
	return rc == 0 ? unseal(t, object, policy, session, slot, ret_key) : rc;
}

int gg_tpm_unseal(
	const struct gg_slot *slot, const char *tcti, uint8_t ret_key[GG_SEAL_KEY], struct gg_error *e)
{
	struct talk t = {.e = e};
	struct gg_slot_blob name;
	ESYS_TR primary;
	int rc = begin(&t, tcti ? tcti : slot->hint);
	if (rc == 0)
		rc = make_primary(&t, &primary, &name);
	if (rc == 0 && (name.len != slot->primary.len || memcmp(name.p, slot->primary.p, name.len) != 0))
		rc = another_tpm(&t);
	if (rc == 0)
		rc = unseal_under(&t, primary, slot, ret_key);
	end(&t);
	return rc;
}

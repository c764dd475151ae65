/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tpm2-tss, loaded when a TPM is first asked: a gateway without one does not pay for it, nor needs it
 * installed (docs/decisions/0008-libcurl-on-demand.md says the same of libcurl). Include this, call
 * gg_tpm_library_load() first, and call gg_tss.Esys_...().
 */
#ifndef GG_SECURITY_TPM_LIBRARY_H
#define GG_SECURITY_TPM_LIBRARY_H

#include "base/error.h"

#include <tss2/tss2_esys.h>
#include <tss2/tss2_mu.h>
#include <tss2/tss2_tctildr.h>

#define GG_ESYS_FUNCTIONS(X)                                                                                 \
	X(Esys_Initialize)                                                                                   \
	X(Esys_Finalize)                                                                                     \
	X(Esys_Free)                                                                                         \
	X(Esys_Startup)                                                                                      \
	X(Esys_CreatePrimary)                                                                                \
	X(Esys_TR_GetName)                                                                                   \
	X(Esys_StartAuthSession)                                                                             \
	X(Esys_TRSess_SetAttributes)                                                                         \
	X(Esys_PCR_Read)                                                                                     \
	X(Esys_PolicyPCR)                                                                                    \
	X(Esys_PolicyGetDigest)                                                                              \
	X(Esys_Create)                                                                                       \
	X(Esys_Load)                                                                                         \
	X(Esys_Unseal)                                                                                       \
	X(Esys_FlushContext)

#define GG_MU_FUNCTIONS(X)                                                                                   \
	X(Tss2_MU_TPM2B_PUBLIC_Marshal)                                                                      \
	X(Tss2_MU_TPM2B_PUBLIC_Unmarshal)                                                                    \
	X(Tss2_MU_TPM2B_PRIVATE_Marshal)                                                                     \
	X(Tss2_MU_TPM2B_PRIVATE_Unmarshal)

#define GG_TCTI_FUNCTIONS(X)                                                                                 \
	X(Tss2_TctiLdr_Initialize)                                                                           \
	X(Tss2_TctiLdr_Finalize)

struct gg_tss {
#define ROW(name) __typeof__(name) *name;
	GG_ESYS_FUNCTIONS(ROW)
	GG_MU_FUNCTIONS(ROW)
	GG_TCTI_FUNCTIONS(ROW)
#undef ROW
};

extern struct gg_tss gg_tss;

/* Loads it, once. Thread: any. Errors: -ENOENT with a text that says what to install. */
int gg_tpm_library_load(struct gg_error *e);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `ganglion doctor` looks at. A check adds findings: what is as it should be, what may hurt later, and
 * what is wrong now, each of the latter with how to mend it. Checks only look; what they write (to measure
 * the disk) they take away again.
 */
#ifndef GG_APP_DOCTOR_H
#define GG_APP_DOCTOR_H

#include "app/client.h"
#include "core/config.h"

enum gg_verdict { GG_FINE, GG_MIND, GG_WRONG };

enum { GG_FINDINGS = 256 };

struct gg_finding {
	enum gg_verdict verdict;
	const char *what; /* "clock" */
	char text[400];
	char mend[400]; /* "" when fine */
};

struct gg_doctor {
	const struct gg_args *args;
	struct gg_config *config; /* NULL: none could be read */
	char data[GG_DATA_DIR];   /* "" = none */
	bool at_work;             /* a gateway answers there */
	int pid;                  /* its process; 0 = unknown */
	struct gg_finding findings[GG_FINDINGS];
	size_t count;
};

/* Adds one; the caller fills its mend with gg_mend(). */
void gg_find(struct gg_doctor *d, enum gg_verdict verdict, const char *what, const char *format, ...)
	GG_PRINTF(4, 5);
/* How to mend what was found last. */
void gg_mend(struct gg_doctor *d, const char *format, ...) GG_PRINTF(2, 3);

void gg_doctor_clock(struct gg_doctor *d);
void gg_doctor_limits(struct gg_doctor *d);
void gg_doctor_data(struct gg_doctor *d);
/* Returns false when what is in the folder is sealed, and can't be read here. */
bool gg_doctor_vault(struct gg_doctor *d);
void gg_doctor_disk(struct gg_doctor *d);
void gg_doctor_journal(struct gg_doctor *d);
void gg_doctor_ports(struct gg_doctor *d);
void gg_doctor_files(struct gg_doctor *d);
void gg_doctor_gateway(struct gg_doctor *d);

#endif

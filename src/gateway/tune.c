/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What changes in the gateway itself when a configuration changes, and nothing has to start again: the site's
 * name, what the stores keep, and what others have asked to be told of (the API's certificate and limits).
 */
#include "gateway/gateway.h"
#include "store/history.h"
#include "store/journal.h"

static const struct gg_gateway_tuner *tuner;

/* Names that were in force: somebody may be reading one. Bounded by the changes a person makes. */
struct former {
	struct former *next;
	char *name;
};

static struct former *former;

void gg_gateway_tune_with(const struct gg_gateway_tuner *t)
{
	tuner = t;
}

static int change_name(struct gg_gateway *g, const char *name)
{
	char *was = atomic_load(&g->site);
	if (strcmp(was, name) == 0)
		return 0;
	char *fresh = gg_str_dup(gg_str(name));
	struct former *f = malloc(sizeof *f);
	if (!fresh || !f) {
		free(fresh);
		free(f);
		return -ENOMEM;
	}
	*f = (struct former){former, was};
	former = f;
	atomic_store(&g->site, fresh);
	return 0;
}

int gg_gateway_tune_prepare(const struct gg_config *fresh, struct gg_error *e)
{
	return tuner ? tuner->prepare(fresh, e) : 0;
}

void gg_gateway_tune(struct gg_gateway *g, const struct gg_config *fresh, bool applied)
{
	struct gg_journal_options o = {0};
	if (tuner)
		tuner->done(fresh, applied);
	if (!applied)
		return;
	gg_stores_journal_options(&fresh->site.journal, &o);
	gg_journal_tune(g->journal, &o);
	gg_stores_tune_history(g, &fresh->site);
	if (change_name(g, fresh->site.name) < 0)
		gg_log(GG_ERROR, "config", "out of memory: the site keeps its old name until a restart");
}

void gg_gateway_tune_end(void)
{
	for (struct former *f; (f = former);) {
		former = f->next;
		free(f->name);
		free(f);
	}
	tuner = NULL;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "app/reload.h"
#include "gateway/gateway.h"

#include <libgen.h>
#include <sys/inotify.h>
#include <unistd.h>

static const int64_t settle_ns = 500 * GG_NS_PER_MS; /* editors write in several steps */

static struct gg_watch changes;
static struct gg_timer settled;
static int inotify_fd = -1;

static void tell(bool refused, const char *text)
{
	gg_event(&(struct gg_event_report){.kind = "config-refused",
		.key = GG_STR("file"),
		.severity = GG_WARNING,
		.clear = !refused,
		.title = gg_str(text),
		.device = GG_NONE,
		.signal = GG_NONE});
}

static bool is_news(const struct gg_config *fresh)
{
	struct gg_config_changes c = {0};
	bool news = gg_config_compare(gg_gateway.config, fresh, &c) < 0;
	for (size_t i = 0; i < c.count && !news; i++)
		news = c.items[i].kind != GG_CONFIG_SAME;
	gg_config_changes_done(&c);
	return news;
}

void gg_reload_now(const char *who)
{
	struct gg_problems problems = {0};
	struct gg_config *fresh = NULL;
	struct gg_error e = {0};
	char place[1024], text[1200];
	if (!gg_gateway.config_path)
		return;
	int rc = gg_config_load_file(gg_gateway.config_path, &problems, &fresh);
	if (rc < 0 && problems.count)
		e = problems.items[0];
	else if (rc == 0 && !is_news(fresh))
		gg_config_free(fresh);
	else if (rc == 0)
		rc = gg_gateway_apply(fresh, who, "the file has changed", &e);
	gg_problems_done(&problems);
	gg_error_format(&e, place, sizeof place);
	snprintf(text, sizeof text, "The changed configuration was not taken over: %s", place);
	if (rc < 0)
		gg_log(GG_ERROR, "config", "not taken over, the one in force stays", GG_S("reason", place));
	tell(rc < 0, text);
}

static void when_settled(struct gg_timer *t)
{
	(void)t;
	gg_reload_now("file");
}

static void take_changes(struct gg_watch *w, uint32_t events)
{
	_Alignas(struct inotify_event) char bytes[8192];
	(void)events;
	bool ours = false;
	for (ssize_t n; (n = read(w->fd, bytes, sizeof bytes)) > 0;) {
		for (char *p = bytes; p < bytes + n;) {
			const struct inotify_event *e = (const struct inotify_event *)(const void *)p;
			struct gg_str name = gg_str(e->len ? e->name : "");
			ours |= gg_glob(GG_STR("*.yaml"), name) || gg_glob(GG_STR("*.yml"), name) ||
				gg_str_is(name, "conf.d");
			p += sizeof *e + e->len;
		}
	}
	if (ours)
		gg_timer_start(w->loop, &settled, settle_ns, when_settled);
}

void gg_reload_watch(struct gg_loop *loop)
{
	char path[4096], conf_d[4200];
	const uint32_t what = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE;
	if (!gg_gateway.config_path)
		return;
	gg_str_copy(path, sizeof path, gg_str(gg_gateway.config_path));
	const char *dir = dirname(path);
	snprintf(conf_d, sizeof conf_d, "%s/conf.d", dir);
	inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (inotify_fd < 0 || inotify_add_watch(inotify_fd, dir, what) < 0) {
		gg_log(GG_WARN, "config",
			"the file can't be watched, continuing without: send SIGHUP after a change",
			GG_S("reason", strerror(errno)));
		gg_reload_stop();
		return;
	}
	inotify_add_watch(inotify_fd, conf_d, what); /* it need not be there */
	gg_watch_add(loop, &changes, inotify_fd, EPOLLIN, take_changes);
}

void gg_reload_stop(void)
{
	gg_timer_stop(&settled);
	gg_watch_remove(&changes);
	if (inotify_fd >= 0)
		close(inotify_fd);
	inotify_fd = -1;
}

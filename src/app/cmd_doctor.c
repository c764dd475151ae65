/* SPDX-License-Identifier: Apache-2.0 */
/* `ganglion doctor`: what is wrong with this box and its configuration, and how to mend it. */
#include "app/check_rules.h"
#include "app/components.h"
#include "app/doctor.h"
#include "app/problems.h"
#include "app/table.h"

#include <stdarg.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void gg_find(struct gg_doctor *d, enum gg_verdict verdict, const char *what, const char *format, ...)
{
	va_list list;
	if (d->count == GG_FINDINGS)
		return;
	struct gg_finding *f = &d->findings[d->count++];
	*f = (struct gg_finding){.verdict = verdict, .what = what};
	va_start(list, format);
	vsnprintf(f->text, sizeof f->text, format, list);
	va_end(list);
}

void gg_mend(struct gg_doctor *d, const char *format, ...)
{
	va_list list;
	va_start(list, format);
	vsnprintf(d->findings[d->count - 1].mend, sizeof d->findings->mend, format, list);
	va_end(list);
}

/* ---- the configuration ---- */

static void tell_problems(struct gg_doctor *d, const struct gg_problems *problems)
{
	char text[1024];
	for (size_t i = 0; i < problems->count && i < 20; i++) {
		gg_find(d, GG_WRONG, "configuration", "%s",
			gg_error_format(&problems->items[i], text, sizeof text));
		gg_mend(d, "correct it there; 'ganglion check' tells when it is right");
	}
}

static const char *config_path(const struct gg_args *args)
{
	static const char *const usual[] = {"ganglion.yaml", "/etc/ganglion/ganglion.yaml"};
	const char *given = gg_arg(args, "config");
	for (size_t i = 0; !given && i < GG_COUNT(usual); i++)
		if (access(usual[i], F_OK) == 0)
			given = usual[i];
	return given;
}

static void look_at_config(struct gg_doctor *d)
{
	struct gg_problems problems = {0};
	const char *path = config_path(d->args);
	gg_components_set(gg_all_components);
	int rc = path ? gg_config_load_file(path, &problems, &d->config)
		      : gg_config_load_text(
				"built-in", gg_str(gg_default_config), NULL, &problems, &d->config);
	if (rc == 0)
		gg_check_rules(d->config, &problems);
	tell_problems(d, &problems);
	if (rc < 0 && problems.count == 0) {
		gg_find(d, GG_WRONG, "configuration", "%s: %s", path, strerror(-rc));
		gg_mend(d, "name another file with --config");
	} else if (problems.count == 0) {
		gg_find(d, GG_FINE, "configuration", path ? "%s is right" : "the built-in defaults%s",
			path ? path : "");
	}
	gg_problems_done(&problems);
}

/* ---- the gateway's process, as the kernel says who listens ---- */

static int pid_of(const char *data)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	struct ucred peer = {0};
	socklen_t size = sizeof peer;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return 0;
	if ((size_t)snprintf(to.sun_path, sizeof to.sun_path, "%s/api.sock", data) >= sizeof to.sun_path ||
		connect(fd, (struct sockaddr *)&to, sizeof to) != 0 ||
		getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
		peer.pid = 0;
	close(fd);
	return peer.pid;
}

/* ---- telling ---- */

static const char *const words[] = {"fine", "mind", "wrong"};

static void print_json(const struct gg_doctor *d, bool healthy)
{
	struct gg_buf out GG_CLEANUP(gg_buf_done) = GG_BUF(1 << 20);
	struct gg_json_writer w = gg_json_writer(&out);
	gg_json_begin_object(&w);
	gg_json_put_bool(&w, "healthy", healthy);
	gg_json_key(&w, GG_STR("findings"));
	gg_json_begin_array(&w);
	for (size_t i = 0; i < d->count; i++) {
		const struct gg_finding *f = &d->findings[i];
		gg_json_begin_object(&w);
		gg_json_put_str(&w, "verdict", gg_str(words[f->verdict]));
		gg_json_put_str(&w, "about", gg_str(f->what));
		gg_json_put_str(&w, "text", gg_str(f->text));
		if (f->mend[0])
			gg_json_put_str(&w, "mend", gg_str(f->mend));
		gg_json_end_object(&w);
	}
	gg_json_end_array(&w);
	gg_json_end_object(&w);
	puts(gg_buf_text(&out));
}

static void print_finding(const struct gg_finding *f, bool colour)
{
	static const char *const signs[] = {"ok   ", "mind ", "WRONG"};
	static const char *const colours[] = {"\x1b[32m", "\x1b[33m", "\x1b[1;31m"};
	struct gg_buf text GG_CLEANUP(gg_buf_done) = GG_BUF(4096);
	gg_text_clean(&text, gg_str(f->text), /* lines= */ false);
	printf("%s%s%s  %-14s %s\n", colour ? colours[f->verdict] : "", signs[f->verdict],
		colour ? "\x1b[0m" : "", f->what, gg_buf_text(&text));
	gg_buf_clear(&text);
	gg_text_clean(&text, gg_str(f->mend), /* lines= */ false);
	if (f->mend[0])
		printf("%22s> %s\n", "", gg_buf_text(&text));
}

static int report(const struct gg_doctor *d)
{
	size_t wrong = 0, mind = 0;
	for (size_t i = 0; i < d->count; i++) {
		wrong += d->findings[i].verdict == GG_WRONG;
		mind += d->findings[i].verdict == GG_MIND;
	}
	if (d->args->json) {
		print_json(d, wrong == 0);
		return wrong ? 1 : 0;
	}
	for (size_t i = 0; i < d->count; i++)
		if (!d->args->quiet || d->findings[i].verdict != GG_FINE)
			print_finding(&d->findings[i], gg_cli_colour());
	if (!d->args->quiet)
		printf("\n%zu wrong, %zu to mind\n", wrong, mind);
	return wrong ? 1 : 0;
}

int gg_cmd_doctor(const struct gg_args *args)
{
	struct gg_doctor *d = calloc(1, sizeof *d);
	if (args->word_count || !d) {
		free(d);
		return args->word_count ? gg_cli_wrong(args, "no argument expected")
					: gg_cli_failed(args, "out of memory");
	}
	d->args = args;
	look_at_config(d);
	if (gg_client_find_data(args, d->data) < 0 && d->config && d->config->site.data_dir)
		gg_str_copy(d->data, sizeof d->data, gg_str(d->config->site.data_dir));
	d->at_work = d->data[0] && gg_client_is_at_work(d->data);
	d->pid = d->at_work ? pid_of(d->data) : 0;
	gg_doctor_clock(d);
	gg_doctor_limits(d);
	gg_doctor_data(d);
	gg_doctor_disk(d);
	if (gg_doctor_vault(d))
		gg_doctor_journal(d);
	gg_doctor_ports(d);
	gg_doctor_files(d);
	gg_doctor_gateway(d);
	int rc = report(d);
	gg_config_free(d->config);
	free(d);
	return rc;
}

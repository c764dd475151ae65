/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The site's process. It has a process group of its own, so that Ctrl-C reaches it through us, in order; and
 * the kernel ends it when we are killed. What it says goes to DIR/site.log.
 */
#include "app/demo.h"
#include "app/run_loop.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { START_MS = 5000, END_MS = 3000, RESTARTS = 5 };

int gg_demo_site_find(char to[GG_DEMO_PATH], struct gg_error *e)
{
	char self[GG_DEMO_PATH - 64];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	self[n > 0 ? n : 0] = '\0';
	char *slash = strrchr(self, '/');
	if (slash)
		*slash = '\0';
	snprintf(to, GG_DEMO_PATH, "%s/ganglion-site", self);
	if (!slash || access(to, X_OK) < 0)
		return gg_error_set(e, -ENOENT,
			"the pump hall's program is not at %s; say where it is with --site PATH", to);
	return 0;
}

/* In the child. Only what is safe between fork and exec. */
static void become(char *const *argv, int log, pid_t parent)
{
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(1);
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (dup2(null, STDIN_FILENO) < 0 || dup2(log, STDOUT_FILENO) < 0 || dup2(log, STDERR_FILENO) < 0)
		_exit(126);
	gg_run_unblock_signals();
	execv(argv[0], argv);
	_exit(127);
}

static int spawn(struct gg_demo *d, struct gg_error *e)
{
	char path[GG_DEMO_PATH], ca[GG_DEMO_PATH], credentials[GG_DEMO_PATH], state[GG_DEMO_PATH];
	char server[32], port[16];
	gg_demo_path(d, "tls/ca.crt", ca);
	gg_demo_path(d, "site/credentials", credentials);
	gg_demo_path(d, "site/state", state);
	snprintf(server, sizeof server, "127.0.0.1:%u", d->ports[GG_DEMO_MQTTS]);
	snprintf(port, sizeof port, "%u", d->ports[GG_DEMO_MODBUS]);
	const char *const argv[] = {d->site_path, "--modbus-port", port, "--mqtt", server, "--ca", ca,
		"--credentials", credentials, "--state", state, d->speed ? "--speed" : NULL, d->speed, NULL};
	int log = open(gg_demo_path(d, "site.log", path),
		O_WRONLY | O_CREAT | O_CLOEXEC | (d->restarts ? O_APPEND : O_TRUNC), 0600);
	if (log < 0)
		return gg_error_set(e, -errno, "%s: %s", path, strerror(errno));
	pid_t self = getpid();
	d->site = fork();
	if (d->site == 0)
		become((char *const *)(uintptr_t)argv, log, self);
	int rc = d->site < 0 ? gg_error_set(e, -errno, "no process for the site: %s", strerror(errno)) : 0;
	close(log);
	if (rc == 0) {
		d->site_fd = (int)syscall(SYS_pidfd_open, d->site, 0);
		if (d->site_fd >= 0)
			fcntl(d->site_fd, F_SETFD, FD_CLOEXEC);
	}
	return rc;
}

/* Takes its exit status away; false while it runs. */
static bool has_ended(struct gg_demo *d, int *ret_status)
{
	int status = 0;
	if (d->site <= 0 || waitpid(d->site, &status, WNOHANG) == 0)
		return false;
	if (d->site_fd >= 0)
		close(d->site_fd);
	d->site = 0;
	d->site_fd = -1;
	*ret_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	return true;
}

static bool answers(unsigned port)
{
	const struct sockaddr_in a = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool yes = fd >= 0 && connect(fd, (const struct sockaddr *)&a, sizeof a) == 0;
	if (fd >= 0)
		close(fd);
	return yes;
}

int gg_demo_site_start(struct gg_demo *d, struct gg_error *e)
{
	int status;
	int rc = spawn(d, e);
	if (rc < 0)
		return rc;
	for (int waited = 0; waited < START_MS; waited += 20) {
		if (answers(d->ports[GG_DEMO_MODBUS]))
			return 0;
		if (has_ended(d, &status))
			return gg_error_set(e, -EIO,
				"the site ended at once with status %d; %s/site.log says why", status,
				d->shown_dir);
		poll(NULL, 0, 20);
	}
	gg_demo_site_end(d);
	return gg_error_set(e, -ETIMEDOUT, "the site's Modbus port %u does not answer; see %s/site.log",
		d->ports[GG_DEMO_MODBUS], d->shown_dir);
}

static void start_again(struct gg_timer *t)
{
	struct gg_demo *d = GG_CONTAINER(t, struct gg_demo, site_timer);
	struct gg_error e = {0};
	if (spawn(d, &e) < 0)
		fprintf(stderr, "%s\n", e.text);
	else
		gg_demo_site_watch(d, t->loop);
}

static void ended(struct gg_watch *w, uint32_t events)
{
	struct gg_demo *d = GG_CONTAINER(w, struct gg_demo, site_watch);
	struct gg_loop *loop = w->loop;
	int status;
	(void)events;
	gg_watch_remove(w);
	if (!has_ended(d, &status))
		return;
	if (d->restarts++ < RESTARTS) {
		fprintf(stderr, "The site ended with status %d and is started again.\n", status);
		gg_timer_start(loop, &d->site_timer, GG_NS_PER_S, start_again);
	} else {
		fprintf(stderr,
			"The site ended %d times and is not started again; %s/site.log may say why.\n",
			RESTARTS + 1, d->shown_dir);
	}
}

void gg_demo_site_watch(struct gg_demo *d, struct gg_loop *loop)
{
	if (d->site_fd >= 0)
		gg_watch_add(loop, &d->site_watch, d->site_fd, EPOLLIN, ended);
}

void gg_demo_site_unwatch(struct gg_demo *d)
{
	if (d->site_watch.active)
		gg_watch_remove(&d->site_watch);
	gg_timer_stop(&d->site_timer);
}

void gg_demo_site_end(struct gg_demo *d)
{
	int status;
	if (d->site <= 0)
		return;
	kill(d->site, SIGTERM);
	for (int waited = 0; waited < END_MS; waited += 20) {
		if (has_ended(d, &status))
			return;
		poll(NULL, 0, 20);
	}
	kill(d->site, SIGKILL);
	waitpid(d->site, &status, 0);
	d->site = 0;
}

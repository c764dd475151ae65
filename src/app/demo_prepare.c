/* SPDX-License-Identifier: Apache-2.0 */
#include "app/demo.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct {
	const char *variable, *what;
	unsigned usual;
} ports[GG_DEMO_PORTS] = {
	[GG_DEMO_HTTP] = {"GANGLION_DEMO_HTTP", "the page", 8080},
	[GG_DEMO_MQTT] = {"GANGLION_DEMO_MQTT", "MQTT", 1883},
	[GG_DEMO_MQTTS] = {"GANGLION_DEMO_MQTTS", "MQTT with TLS", 8883},
	[GG_DEMO_MODBUS] = {"GANGLION_DEMO_MODBUS", "the pumps' Modbus", 1502},
};

const char *gg_demo_path(const struct gg_demo *d, const char *name, char to[GG_DEMO_PATH])
{
	snprintf(to, GG_DEMO_PATH, "%s/%s", d->dir, name);
	return to;
}

int gg_demo_write(const char *path, int mode, const char *text, size_t len, struct gg_error *e)
{
	char fresh[GG_DEMO_PATH + 8];
	snprintf(fresh, sizeof fresh, "%s.new", path);
	unlink(fresh);
	int fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	int rc = fd < 0 ? -errno : 0;
	if (rc == 0) {
		ssize_t n = write(fd, text, len);
		rc = n < 0 ? -errno : (size_t)n < len ? -ENOSPC : 0;
		close(fd);
	}
	if (rc == 0 && rename(fresh, path) < 0)
		rc = -errno;
	if (rc < 0 && fd >= 0)
		unlink(fresh);
	return rc < 0 ? gg_error_set(e, rc, "%s: %s", path, strerror(-rc)) : 0;
}

static int make_folders(const struct gg_demo *d, struct gg_error *e)
{
	static const char *const names[] = {".", "tls", "site"};
	char path[GG_DEMO_PATH];
	for (size_t i = 0; i < GG_COUNT(names); i++)
		if (mkdir(gg_demo_path(d, names[i], path), 0700) < 0 && errno != EEXIST)
			return gg_error_set(e, -errno, "%s: %s", path, strerror(errno));
	return 0;
}

/* ---- ports ---- */

/* The port when it is free, another when it is taken; 0 when there is none at all. */
static unsigned free_port(unsigned wanted)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)wanted),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	unsigned port = 0;
	if (fd < 0)
		return 0;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
	if (bind(fd, (struct sockaddr *)&a, sizeof a) == 0 && listen(fd, 1) == 0 &&
		getsockname(fd, (struct sockaddr *)&a, &size) == 0)
		port = ntohs(a.sin_port);
	close(fd);
	return port ? port : wanted ? free_port(0) : 0;
}

/* A port that the environment names stays; a taken one is replaced, and that is said. */
static int pick_port(struct gg_demo *d, enum gg_demo_port which, struct gg_error *e)
{
	const char *given = getenv(ports[which].variable), *colon = given ? strrchr(given, ':') : NULL;
	uint64_t number;
	char address[32];
	if (given) {
		if (!colon || gg_parse_uint(gg_str(colon + 1), &number) < 0 || number > 65535)
			return gg_error_set(e, -EINVAL, "%s: expected 127.0.0.1:PORT, got \"%s\"",
				ports[which].variable, given);
		d->ports[which] = (unsigned)number;
		return 0;
	}
	d->ports[which] = free_port(ports[which].usual);
	if (!d->ports[which])
		return gg_error_set(e, -EADDRINUSE, "no port is free for %s", ports[which].what);
	if (d->ports[which] != ports[which].usual)
		fprintf(stderr, "Port %u is taken: %s is at %u.\n", ports[which].usual, ports[which].what,
			d->ports[which]);
	snprintf(address, sizeof address, "127.0.0.1:%u", d->ports[which]);
	setenv(ports[which].variable, address, 1);
	return 0;
}

int gg_demo_prepare(struct gg_demo *d, struct gg_error *e)
{
	char path[GG_DEMO_PATH];
	int rc = make_folders(d, e);
	setenv("GANGLION_DEMO", d->dir, 1);
	for (int i = 0; i < GG_DEMO_PORTS && rc == 0; i++)
		rc = pick_port(d, (enum gg_demo_port)i, e);
	if (rc == 0 && access(gg_demo_path(d, "ganglion.yaml", path), F_OK) < 0)
		rc = gg_demo_write(path, 0600, gg_demo_config, strlen(gg_demo_config), e);
	if (rc == 0)
		rc = gg_demo_tls(d, e);
	if (rc == 0)
		rc = gg_demo_sensors_prepare(d, e);
	d->fresh = access(gg_demo_path(d, "site/state", path), F_OK) < 0;
	return rc;
}

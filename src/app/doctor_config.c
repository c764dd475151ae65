/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the configuration needs of the machine, found through the option tables: every option named "listen"
 * is a port that must be free, every file option a file that must be there, and certificates must not be
 * over. So a new driver is looked after without a word here.
 */
#include "app/doctor.h"
#include "base/clock.h"
#include "net/stream.h"

#include <fcntl.h>
#include <netdb.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NESTING = 6, PLACE = 200 };

/* ---- walking through options ---- */

typedef void visitor(struct gg_doctor *d, const char *place, const struct gg_option *o, const char *value);

static const char *string_at(const void *self, const struct gg_option *o)
{
	const char *text;
	memcpy(&text, (const char *)self + o->offset, sizeof text);
	return text;
}

static void walk(struct gg_doctor *d, const char *place, const struct gg_option *table, const void *self,
	unsigned depth, visitor *visit)
{
	char inner[PLACE];
	for (const struct gg_option *o = table; o && o->name && depth < NESTING; o++) {
		if (o->type == GG_OPT_GROUP) {
			snprintf(inner, sizeof inner, "%s.%s", place, o->name);
			walk(d, inner, o->sub, (const char *)self + o->offset, depth + 1, visit);
		} else if (o->type == GG_OPT_STRING && string_at(self, o) && string_at(self, o)[0]) {
			snprintf(inner, sizeof inner, "%s.%s", place, o->name);
			visit(d, inner, o, string_at(self, o));
		} else if (o->type == GG_OPT_STRINGS) {
			struct gg_strings all;
			memcpy(&all, (const char *)self + o->offset, sizeof all);
			snprintf(inner, sizeof inner, "%s.%s", place, o->name);
			for (size_t i = 0; i < all.count; i++)
				visit(d, inner, o, all.items[i]);
		}
	}
}

static void walk_instances(
	struct gg_doctor *d, const char *kind, const struct gg_instances *all, visitor *visit)
{
	char place[PLACE];
	for (size_t i = 0; i < all->count; i++) {
		const struct gg_instance_config *c = &all->items[i];
		snprintf(place, sizeof place, "%s.%s", kind, c->name);
		if (c->checked)
			walk(d, place, c->component->options, c->checked, 0, visit);
	}
}

static const struct gg_option *api_table(void)
{
	const struct gg_option *o = gg_site_options;
	while (o->name && strcmp(o->name, "api") != 0)
		o++;
	return o->sub;
}

static void walk_all(struct gg_doctor *d, visitor *visit)
{
	if (!d->config)
		return;
	const struct gg_site *site = &d->config->site;
	if (site->api.enabled)
		walk(d, "api", api_table(), &site->api, 0, visit);
	walk_instances(d, "drivers", &site->drivers, visit);
	walk_instances(d, "uplinks", &site->uplinks, visit);
}

/* ---- ports ---- */

static int try_bind(const struct gg_address *a)
{
	char port[8];
	struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM},
			*all = NULL;
	snprintf(port, sizeof port, "%u", (unsigned)a->port);
	if (getaddrinfo(a->host[0] && strcmp(a->host, "*") != 0 ? a->host : NULL, port, &hints, &all) != 0)
		return -EADDRNOTAVAIL;
	int fd = socket(all->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1, rc = fd < 0 ? -errno : 0;
	if (rc == 0)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (rc == 0 && (bind(fd, all->ai_addr, all->ai_addrlen) != 0 || listen(fd, 1) != 0))
		rc = -errno;
	if (fd >= 0)
		close(fd);
	freeaddrinfo(all);
	return rc;
}

static void check_port(struct gg_doctor *d, const char *place, const struct gg_option *o, const char *value)
{
	struct gg_address a;
	if (strcmp(o->name, "listen") != 0 || gg_address_parse(gg_str(value), 0, &a, NULL) < 0 || a.port == 0)
		return;
	int rc = d->at_work ? 0 : try_bind(&a);
	if (rc == 0)
		gg_find(d, GG_FINE, "port", "%s: %s %s", place, value,
			d->at_work ? "is the gateway's" : "is free");
	else if (rc == -EADDRINUSE) {
		gg_find(d, GG_WRONG, "port", "%s: %s is taken by another program", place, value);
		gg_mend(d, "'ss -ltnp sport = :%u' tells which; end it, or set another port at %s",
			(unsigned)a.port, place);
	} else if (rc == -EACCES) {
		gg_find(d, GG_WRONG, "port", "%s: ports below 1024 are not for everybody: %s", place, value);
		gg_mend(d,
			"use a higher port, or AmbientCapabilities=CAP_NET_BIND_SERVICE in the systemd unit");
	} else {
		gg_find(d, GG_WRONG, "port", "%s: %s is no address of this machine", place, value);
		gg_mend(d, "'ip address' shows those there are; 0.0.0.0 stands for all");
	}
}

void gg_doctor_ports(struct gg_doctor *d)
{
	walk_all(d, check_port);
}

/* ---- files and certificates ---- */

static bool ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);
	return n >= m && strcmp(text + n - m, end) == 0;
}

static X509 *read_certificate(const char *path)
{
	FILE *f = fopen(path, "re");
	X509 *x = f ? PEM_read_X509(f, NULL, NULL, NULL) : NULL;
	if (f)
		fclose(f);
	return x;
}

static void check_certificate(struct gg_doctor *d, const char *place, const char *path)
{
	X509 *x = read_certificate(path);
	int days = 0, seconds = 0;
	if (!x) {
		gg_find(d, GG_WRONG, "certificate", "%s: %s holds no certificate in PEM form", place, path);
		gg_mend(d,
			"it should begin with -----BEGIN CERTIFICATE-----; 'openssl x509 -inform der -in %s' "
			"turns a "
			"DER file into PEM",
			path);
		return;
	}
	ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(x));
	bool over = days < 0 || seconds<0, early = X509_cmp_current_time(X509_get0_notBefore(x))> 0;
	X509_free(x);
	if (over)
		gg_find(d, GG_WRONG, "certificate", "%s: %s is over since %d days", place, path, -days);
	else if (early)
		gg_find(d, GG_WRONG, "certificate", "%s: %s is not valid yet; is the clock right?", place,
			path);
	else if (days < 30)
		gg_find(d, GG_MIND, "certificate", "%s: %s ends in %d days", place, path, days);
	else
		gg_find(d, GG_FINE, "certificate", "%s: valid for %d days", place, days);
	if (over || early || days < 30)
		gg_mend(d, "get a new one from whoever signed it, put it there, and 'ganglion config apply' "
			   "or SIGHUP");
}

static void check_file(struct gg_doctor *d, const char *place, const struct gg_option *o, const char *path)
{
	struct stat st;
	if (!(o->flags & GG_FILE))
		return;
	if (stat(path, &st) != 0 || faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) != 0) {
		gg_find(d, GG_WRONG, "file", "%s: %s: %s", place, path, strerror(errno));
		gg_mend(d, "put it there, readable for the gateway's user, or correct %s", place);
	} else if (ends_with(o->name, "key") && (st.st_mode & 0077)) {
		gg_find(d, GG_MIND, "file", "%s: others may read the private key %s", place, path);
		gg_mend(d, "chmod 600 %s", path);
	} else if (S_ISREG(st.st_mode) && (strstr(o->name, "certificate") || ends_with(o->name, "ca"))) {
		check_certificate(d, place, path);
	}
}

void gg_doctor_files(struct gg_doctor *d)
{
	char path[GG_DATA_DIR + 32];
	walk_all(d, check_file);
	snprintf(path, sizeof path, "%s/api-certificate.pem", d->data);
	if (d->data[0] && access(path, R_OK) == 0)
		check_certificate(d, "api.tls", path);
	snprintf(path, sizeof path, "%s/first-token", d->data);
	if (d->data[0] && access(path, F_OK) == 0) {
		gg_find(d, GG_MIND, "token", "the administrator's first token still lies in %s", path);
		gg_mend(d, "make one of your own, 'ganglion key create --role administrator'; the file then "
			   "goes");
	}
}

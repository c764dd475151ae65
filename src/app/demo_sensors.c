/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sensors' passwords: random, in the clear only in DIR/site/credentials (0600), which the site reads, as
 * a real sensor has its password burnt in; the registry holds hashes.
 */
#include "app/demo.h"
#include "devices/registry.h"
#include "gateway/gateway.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <unistd.h>

enum { RANDOM = 18, PASSWORD = 2 * RANDOM + 1 };

static const char *const names[GG_DEMO_SENSORS] = {"bearing-1", "bearing-2", "hall"};

_Static_assert(sizeof((struct gg_demo *)0)->hashes[0] == GG_PASSWORD_HASH, "a hash fits");

static int make_password(char to[PASSWORD])
{
	uint8_t bytes[RANDOM];
	if (RAND_bytes(bytes, sizeof bytes) != 1)
		return -EIO;
	gg_format_hex(to, bytes, sizeof bytes);
	return 0;
}

/* The password of a sensor as the file has it. Errors: -ENOENT. */
static int find_password(const struct gg_demo *d, const char *name, char to[PASSWORD])
{
	char path[GG_DEMO_PATH], line[256];
	FILE *f = fopen(gg_demo_path(d, "site/credentials", path), "re");
	int rc = -ENOENT;
	while (f && rc < 0 && fgets(line, sizeof line, f)) {
		struct gg_str rest = gg_str_trim(gg_str(line));
		if (gg_str_is(gg_str_cut(&rest, ' '), name) && rest.len && rest.len < PASSWORD) {
			gg_str_copy(to, PASSWORD, rest);
			rc = 0;
		}
	}
	if (f)
		fclose(f);
	OPENSSL_cleanse(line, sizeof line);
	return rc;
}

int gg_demo_sensors_prepare(struct gg_demo *d, struct gg_error *e)
{
	char path[GG_DEMO_PATH], text[GG_DEMO_SENSORS * (PASSWORD + 32)], password[PASSWORD];
	int len = 0;
	if (access(gg_demo_path(d, "site/credentials", path), F_OK) == 0)
		return 0;
	for (int i = 0; i < GG_DEMO_SENSORS; i++) {
		int rc = make_password(password);
		if (rc == 0)
			rc = gg_password_hash(gg_str(password), d->hashes[i]);
		if (rc < 0)
			return gg_error_set(e, rc, "no password could be made: %s", strerror(-rc));
		len += snprintf(text + len, sizeof text - (size_t)len, "%s %s\n", names[i], password);
	}
	int rc = gg_demo_write(path, 0600, text, (size_t)len, e);
	OPENSSL_cleanse(text, sizeof text);
	OPENSSL_cleanse(password, sizeof password);
	return rc;
}

/* The hash made before, or one of what the file says. */
static int hash_of(struct gg_demo *d, int sensor, struct gg_error *e)
{
	char password[PASSWORD];
	if (d->hashes[sensor][0])
		return 0;
	int rc = find_password(d, names[sensor], password);
	if (rc < 0)
		return gg_error_set(e, rc,
			"%s/site/credentials has no line for %s; remove the file, and the "
			"next start makes passwords anew",
			d->shown_dir, names[sensor]);
	rc = gg_password_hash(gg_str(password), d->hashes[sensor]);
	OPENSSL_cleanse(password, sizeof password);
	return rc < 0 ? gg_error_set(e, rc, "a password could not be hashed") : 0;
}

int gg_demo_sensors_enter(struct gg_demo *d, struct gg_error *e)
{
	for (int i = 0; i < GG_DEMO_SENSORS; i++) {
		const struct gg_registered *known = gg_registry_find(&gg_registry, gg_str(names[i]));
		if (known && !d->hashes[i][0])
			continue;
		int rc = hash_of(d, i, e);
		struct gg_registered entry = {.enabled = true, .created_ns = gg_gateway_utc()};
		entry.id = gg_str_dup(gg_str(names[i]));
		gg_str_copy(entry.password, sizeof entry.password, gg_str(d->hashes[i]));
		if (rc == 0)
			rc = entry.id ? gg_registry_put(&gg_registry, &entry, e) : -ENOMEM;
		free(entry.id);
		if (rc < 0)
			return rc;
	}
	gg_gateway_forget_logins();
	return 0;
}

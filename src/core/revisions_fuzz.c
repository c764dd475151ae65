/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a revision's file; the first byte chooses whether its sum is put right, so that it is read. */
#include "core/revisions.h"

#include "base/clock.h"

#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char folder[] = "/tmp/ganglion-revisions-fuzz-XXXXXX", path[100];

static void remove_all(void)
{
	char inner[100];
	snprintf(inner, sizeof inner, "%s/revisions", folder);
	unlink(path);
	rmdir(inner);
	rmdir(folder);
}

static void make_folder(void)
{
	if (path[0])
		return;
	if (!mkdtemp(folder))
		abort();
	snprintf(path, sizeof path, "%s/revisions", folder);
	if (mkdir(path, 0700) < 0)
		abort();
	snprintf(path, sizeof path, "%s/revisions/000001.yaml", folder);
	atexit(remove_all);
}

static void put_header(FILE *f, struct gg_str head, struct gg_str text)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned len = 0;
	EVP_Digest(text.p, text.len, digest, &len, EVP_sha256(), NULL);
	fprintf(f, "# {\"number\":1,%.*s\"sha256\":\"", GG_STR_ARG(head));
	for (unsigned i = 0; i < len; i++)
		fprintf(f, "%02x", digest[i]);
	fputs("\"}\n", f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	make_folder();
	FILE *f = fopen(path, "w");
	if (!f)
		abort();
	struct gg_str text = gg_str_n(size ? (const char *)data + 1 : "", size ? size - 1 : 0);
	if (size && data[0] & 1) {
		struct gg_str head = gg_str_cut(&text, '\n');
		put_header(f, head, text);
	}
	fwrite(text.p, 1, text.len, f);
	fclose(f);
	struct gg_revision one, *all = NULL;
	struct gg_buf out = GG_BUF(1 << 24);
	struct gg_error e = {0};
	size_t count = 0;
	if (gg_revision_read(folder, 0, &one, &out, &e) == 0 &&
		(one.number != 1 || !gg_str_eq(gg_buf_view(&out), text)))
		abort();
	if (gg_revisions_list(folder, &all, &count, &e) < 0 || count != 1)
		abort();
	free(all);
	gg_buf_clear(&out);
	struct gg_revision note = {.time_ns = 1};
	uint64_t number = 0;
	gg_str_copy(note.who, sizeof note.who, gg_str("a user"));
	if (size && data[0] & 2 && gg_revision_store(folder, &note, text, &number, &e) == 0) {
		if (gg_revision_read(folder, number, &one, &out, &e) < 0 ||
			!gg_str_eq(gg_buf_view(&out), text))
			abort();
		char stored[120];
		snprintf(stored, sizeof stored, "%s/revisions/%06llu.yaml", folder,
			(unsigned long long)number);
		unlink(stored);
	}
	gg_buf_done(&out);
	return 0;
}

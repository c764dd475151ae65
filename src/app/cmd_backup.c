/* SPDX-License-Identifier: Apache-2.0 */
/* `ganglion backup`: all that a gateway needs to go on elsewhere, in one file; while it works, or of its
 * folder. */
#include "app/client.h"
#include "app/output.h"
#include "app/unseal.h"
#include "base/clock.h"
#include "gateway/backup.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* In a folder the file is named by the moment. */
static int name_file(const struct gg_args *args, char *to, size_t size)
{
	const char *given = args->words[0];
	struct stat st;
	char time[GG_TIME_TEXT];
	int64_t now = gg_clock_utc(&gg_clock_system);
	if (stat(given, &st) != 0 || !S_ISDIR(st.st_mode))
		return gg_str_copy(to, size, gg_str(given)) < size
			       ? 0
			       : gg_cli_failed(args, "the name is too long");
	gg_time_format(time, now - now % GG_NS_PER_S);
	size_t kept = 0;
	for (const char *p = time; *p; p++)
		if (*p != ':' && *p != '-')
			time[kept++] = *p;
	time[kept] = '\0';
	int n = snprintf(to, size, "%s/ganglion-%s.tar.zst", given, time);
	return n < (int)size ? 0 : gg_cli_failed(args, "the name is too long");
}

static void progress(void *arg, uint64_t bytes, uint64_t total)
{
	gg_cli_progress(arg, "backing up", bytes, total);
}

static int from_folder(const struct gg_args *args, const char *data, const struct gg_sink *sink)
{
	char path[GG_DATA_DIR + 16];
	struct gg_error e = {0};
	snprintf(path, sizeof path, "%s/lock", data);
	int lock = open(path, O_RDWR | O_CLOEXEC);
	if (lock < 0)
		return gg_cli_failed(args, "%s: %s", path, strerror(errno));
	int rc = 1;
	if (flock(lock, LOCK_EX | LOCK_NB) < 0) {
		gg_cli_failed(args,
			"a gateway is at work in %s and its API does not answer; end it, or turn the API on",
			data);
	} else {
		struct gg_backup b = {.data_dir = data,
			.site = "",
			.cancelled = gg_cli_interruptible(),
			.progress = progress,
			.arg = (void *)(uintptr_t)args};
		rc = gg_cli_unseal(args, data);
		if (rc == 0)
			rc = gg_backup_write(&b, sink, &e) < 0 ? gg_cli_failed(args, "%s", e.text) : 0;
	}
	close(lock);
	return rc;
}

/* Elsewhere a TPM's slot opens nothing: better to hear of it now than when the machine is gone. */
static void warn(const char *data)
{
	static struct gg_slots s;
	bool elsewhere = false;
	if (gg_vault_slots(data, &s, NULL) < 0)
		return;
	for (size_t i = 0; i < s.count; i++)
		elsewhere |= s.items[i].kind != GG_SLOT_TPM;
	fprintf(stderr, elsewhere ? "it is sealed as the folder is: keep the key file, passphrase or "
				    "recovery key at hand, too\n"
				  : "WARNING: only this machine's TPM opens this backup; run 'ganglion vault "
				    "add-recovery' "
				    "and make another\n");
}

static void tell(const struct gg_args *args, const struct gg_output *out)
{
	if (args->json)
		printf("{\"file\":\"%s\",\"bytes\":%llu}\n", out->path, (unsigned long long)out->bytes);
	else if (!args->quiet && out->path[0])
		printf("%s: %.1f MiB; 'ganglion restore' puts it into an empty folder\n", out->path,
			(double)out->bytes / (1 << 20));
}

int gg_cmd_backup(const struct gg_args *args)
{
	char data[GG_DATA_DIR], file[4000];
	struct gg_output out;
	if (args->word_count != 1)
		return gg_cli_wrong(args, "expected a file or a folder to write to; - is standard output");
	if (strcmp(args->words[0], "-") == 0 && isatty(STDOUT_FILENO))
		return gg_cli_wrong(args, "a backup is nothing for a terminal");
	struct gg_client *c = gg_client_try(args, data);
	if (!c && gg_arg(args, "gateway"))
		return 1;
	if (!c && !data[0])
		return gg_cli_failed(args, "no data folder found; say with --data DIR where it lies");
	int rc = name_file(args, file, sizeof file);
	if (rc == 0)
		rc = gg_output_open(&out, args, file, 0600);
	gg_cli_interruptible();
	if (rc == 0) {
		out.doing = c ? "backed up, MiB" : NULL;
		rc = c ? gg_client_pour(c, "GET", "/api/v1/backup", GG_STR(""), &out.sink)
		       : from_folder(args, data, &out.sink);
		rc = gg_output_close(&out, rc);
	}
	if (rc == 0)
		tell(args, &out);
	if (rc == 0 && !args->quiet && !gg_arg(args, "gateway"))
		warn(data);
	gg_client_close(c);
	return rc;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Against swtpm, a whole TPM 2.0 in a process, at a socket in a folder of ours. Skipped where it is not
 * installed. */
#include "check.h"
#include "security/tpm.h"
#include "security/tpm_library.h"

#include <dlfcn.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct machine {
	char dir[64];
	char tcti[120];
	pid_t pid;
};

static bool installed(void)
{
	return access("/usr/bin/swtpm", X_OK) == 0 && gg_tpm_library_load(NULL) == 0;
}

static int unix_socket(const char *path, bool listens)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	gg_str_copy(a.sun_path, sizeof a.sun_path, gg_str(path));
	int rc = listens ? bind(fd, (struct sockaddr *)&a, sizeof a)
			 : connect(fd, (struct sockaddr *)&a, sizeof a);
	if (rc == 0 && listens)
		rc = listen(fd, 1);
	if (rc == 0)
		return fd;
	close(fd);
	return -1;
}

/* A socket is there a moment before it listens. */
static bool answers(const char *path)
{
	int fd = unix_socket(path, false);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static void power_on(struct machine *m)
{
	char state[100], server[100], control[100], path[80], control_path[80];
	const struct timespec moment = {.tv_nsec = 5000000};
	snprintf(state, sizeof state, "dir=%s", m->dir);
	snprintf(path, sizeof path, "%s/tpm", m->dir);
	snprintf(control_path, sizeof control_path, "%s/tpm.ctrl", m->dir);
	snprintf(server, sizeof server, "type=unixio,path=%s", path);
	snprintf(control, sizeof control, "type=unixio,path=%s", control_path);
	const char *const argv[] = {"swtpm", "socket", "--tpm2", "--tpmstate", state, "--server", server,
		"--ctrl", control, "--flags", "not-need-init,startup-clear", "--log", "level=0", NULL};
	unlink(path);
	unlink(control_path);
	m->pid = fork();
	if (m->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves none behind */
		execv("/usr/bin/swtpm", (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	assert_true(m->pid > 0);
	bool ready = false;
	for (int i = 0; i < 2000 && !(ready = answers(control_path) && answers(path)); i++)
		nanosleep(&moment, NULL);
	assert_true(ready);
	snprintf(m->tcti, sizeof m->tcti, "swtpm:path=%s", path);
}

static void power_off(struct machine *m)
{
	kill(m->pid, SIGTERM);
	assert_int_equal(waitpid(m->pid, NULL, 0), m->pid);
	m->pid = 0;
}

static void buy(struct machine *m)
{
	snprintf(m->dir, sizeof m->dir, "/tmp/gg-tpm-XXXXXX");
	assert_non_null(mkdtemp(m->dir));
	power_on(m);
}

static void scrap(struct machine *m)
{
	static const char *const names[] = {"tpm", "tpm.ctrl", "tpm2-00.permall", ".lock"};
	char path[100];
	if (m->pid)
		power_off(m);
	for (size_t i = 0; i < GG_COUNT(names); i++) {
		snprintf(path, sizeof path, "%s/%s", m->dir, names[i]);
		unlink(path);
	}
	rmdir(m->dir);
}

static struct gg_slot seal(const struct machine *m, uint32_t pcrs, uint8_t key[GG_SEAL_KEY])
{
	struct gg_slot s = {.kind = GG_SLOT_TPM, .number = 1, .pcrs = pcrs};
	struct gg_error e = {0};
	memset(key, 0x5a, GG_SEAL_KEY);
	gg_str_copy(s.hint, sizeof s.hint, gg_str(m->tcti));
	int rc = gg_tpm_seal(&s, key, &e);
	if (rc < 0)
		print_message("%s\n", e.text);
	assert_int_equal(rc, 0);
	return s;
}

static void assert_unseals(const struct gg_slot *s)
{
	uint8_t key[GG_SEAL_KEY] = {0}, like[GG_SEAL_KEY];
	struct gg_error e = {0};
	int rc = gg_tpm_unseal(s, NULL, key, &e);
	if (rc < 0)
		print_message("%s\n", e.text);
	assert_int_equal(rc, 0);
	memset(like, 0x5a, sizeof like);
	assert_memory_equal(key, like, sizeof key);
}

static void assert_refused(const struct gg_slot *s, const char *tcti, const char *says)
{
	uint8_t key[GG_SEAL_KEY] = {0};
	struct gg_error e = {0};
	assert_int_equal(gg_tpm_unseal(s, tcti, key, &e), -EACCES);
	assert_non_null(strstr(e.text, says));
	assert_int_equal(key[0], 0);
}

/* What firmware does with what it starts. */
static void extend(const struct machine *m, unsigned pcr)
{
	TSS2_RC (*do_extend)(ESYS_CONTEXT *, ESYS_TR, ESYS_TR, ESYS_TR, ESYS_TR, const TPML_DIGEST_VALUES *);
	TPML_DIGEST_VALUES v = {
		.count = 1, .digests = {{.hashAlg = TPM2_ALG_SHA256, .digest = {.sha256 = {1}}}}};
	TSS2_TCTI_CONTEXT *tcti = NULL;
	ESYS_CONTEXT *esys = NULL;
	void *library = dlopen("libtss2-esys.so.0", RTLD_NOW | RTLD_LOCAL);
	do_extend = (__typeof__(do_extend))dlsym(library, "Esys_PCR_Extend");
	assert_non_null(do_extend);
	assert_int_equal(gg_tss.Tss2_TctiLdr_Initialize(m->tcti, &tcti), 0);
	assert_int_equal(gg_tss.Esys_Initialize(&esys, tcti, NULL), 0);
	assert_int_equal(
		do_extend(esys, ESYS_TR_PCR0 + pcr, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &v), 0);
	gg_tss.Esys_Finalize(&esys);
	gg_tss.Tss2_TctiLdr_Finalize(&tcti);
	dlclose(library);
}

static void what_was_sealed_opens_after_a_restart_of_the_machine(void **state)
{
	(void)state;
	struct machine m;
	uint8_t key[GG_SEAL_KEY];
	if (!installed())
		skip();
	buy(&m);
	struct gg_slot s = seal(&m, 0, key), bound = seal(&m, 1U << 7 | 1U << 0, key);
	for (int i = 0; i < 5; i++) /* nothing is left behind in the TPM, which has room for three */
		assert_unseals(&s);
	assert_unseals(&bound);
	power_off(&m);
	power_on(&m);
	assert_unseals(&s);
	assert_unseals(&bound);
	scrap(&m);
}

static void another_start_of_the_machine_is_refused_until_it_is_as_it_was(void **state)
{
	(void)state;
	struct machine m;
	uint8_t key[GG_SEAL_KEY];
	if (!installed())
		skip();
	buy(&m);
	struct gg_slot s = seal(&m, 1U << 7, key), free = seal(&m, 0, key);
	extend(&m, 7);
	assert_refused(&s, NULL, "PCRs 7");
	assert_unseals(&free);
	power_off(&m);
	power_on(&m);
	assert_unseals(&s);
	extend(&m, 8);
	assert_unseals(&s);
	scrap(&m);
}

static void another_tpm_is_refused(void **state)
{
	(void)state;
	struct machine m, other;
	uint8_t key[GG_SEAL_KEY];
	if (!installed())
		skip();
	buy(&m);
	buy(&other);
	struct gg_slot s = seal(&m, 0, key);
	assert_refused(&s, other.tcti, "another TPM");
	struct gg_slot forged = seal(&other, 0, key);
	forged.pub = s.pub;
	forged.priv = s.priv;
	assert_refused(&forged, other.tcti, "another TPM");
	assert_unseals(&s);
	scrap(&m);
	scrap(&other);
}

/* ---- a listener between the machine and its TPM ---- */

struct listener {
	struct machine *m;
	int at;
	struct gg_buf heard;
};

static bool pass_on(struct listener *l, int from, int to)
{
	char bytes[8192];
	ssize_t n = read(from, bytes, sizeof bytes);
	if (n <= 0)
		return false;
	gg_buf_add(&l->heard, bytes, (size_t)n);
	return write(to, bytes, (size_t)n) == n;
}

/* swtpm's TCTI connects anew for each command. */
static void *listen_in(void *arg)
{
	struct listener *l = arg;
	char path[100];
	snprintf(path, sizeof path, "%s/tpm", l->m->dir);
	for (int fd; (fd = accept(l->at, NULL, NULL)) >= 0;) {
		int below = unix_socket(path, false);
		struct pollfd both[] = {{.fd = fd, .events = POLLIN}, {.fd = below, .events = POLLIN}};
		bool goes_on = below >= 0;
		while (goes_on && poll(both, 2, -1) > 0)
			goes_on = both[0].revents ? pass_on(l, fd, below) : pass_on(l, below, fd);
		close(fd);
		if (below >= 0)
			close(below);
	}
	return NULL;
}

static void who_listens_on_the_bus_does_not_hear_the_key(void **state)
{
	(void)state;
	struct machine m, heard_at;
	struct listener l = {.m = &m, .heard = GG_BUF(4 << 20)};
	char path[100], control[100], real[100];
	uint8_t key[GG_SEAL_KEY];
	pthread_t thread;
	if (!installed())
		skip();
	buy(&m);
	heard_at = m;
	snprintf(path, sizeof path, "%s/bus", m.dir);
	snprintf(control, sizeof control, "%s/bus.ctrl", m.dir);
	snprintf(real, sizeof real, "%s/tpm.ctrl", m.dir);
	snprintf(heard_at.tcti, sizeof heard_at.tcti, "swtpm:path=%s", path);
	assert_int_equal(symlink(real, control), 0);
	l.at = unix_socket(path, true);
	assert_int_equal(pthread_create(&thread, NULL, listen_in, &l), 0);
	struct gg_slot s = seal(&heard_at, 0, key), bound = seal(&heard_at, 1U << 7, key);
	assert_unseals(&s);
	assert_unseals(&bound);
	shutdown(l.at, SHUT_RDWR);
	pthread_join(thread, NULL);
	close(l.at);
	assert_int_equal(l.heard.error, 0);
	assert_true(l.heard.len > 4000);
	assert_non_null(
		memmem(l.heard.p, l.heard.len, s.pub.p, s.pub.len)); /* it does hear what is not secret */
	assert_null(memmem(l.heard.p, l.heard.len, key, 8));
	gg_buf_done(&l.heard);
	unlink(path);
	unlink(control);
	scrap(&m);
}

static void no_tpm_is_told(void **state)
{
	(void)state;
	struct gg_slot s = {.kind = GG_SLOT_TPM};
	uint8_t key[GG_SEAL_KEY] = {0};
	struct gg_error e = {0};
	if (!installed())
		skip();
	gg_str_copy(s.hint, sizeof s.hint, GG_STR("swtpm:path=/nowhere/tpm"));
	assert_int_equal(gg_tpm_seal(&s, key, &e), -ENODEV);
	assert_non_null(strstr(e.text, "/nowhere/tpm"));
	gg_str_copy(s.hint, sizeof s.hint, GG_STR("device:/dev/no-such-thing"));
	assert_int_equal(gg_tpm_seal(&s, key, &e), -ENODEV);
}

static void nothing_is_loaded_or_run_because_a_slot_says_so(void **state)
{
	(void)state;
	static const char *const hints[] = {
		"cmd:touch /tmp/gg-was-here", "/tmp/evil.so", "./evil.so:x", "libevil.so.0", ""};
	uint8_t key[GG_SEAL_KEY];
	if (!installed())
		skip();
	for (size_t i = 0; i < GG_COUNT(hints); i++) {
		struct gg_slot s = {.kind = GG_SLOT_TPM};
		struct gg_error e = {0};
		gg_str_copy(s.hint, sizeof s.hint, gg_str(hints[i]));
		assert_int_equal(gg_tpm_unseal(&s, NULL, key, &e), -EINVAL);
		assert_int_equal(access("/tmp/gg-was-here", F_OK), -1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_sealed_opens_after_a_restart_of_the_machine),
		cmocka_unit_test(another_start_of_the_machine_is_refused_until_it_is_as_it_was),
		cmocka_unit_test(another_tpm_is_refused),
		cmocka_unit_test(who_listens_on_the_bus_does_not_hear_the_key),
		cmocka_unit_test(no_tpm_is_told),
		cmocka_unit_test(nothing_is_loaded_or_run_because_a_slot_says_so),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

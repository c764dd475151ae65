/* SPDX-License-Identifier: Apache-2.0 */
/* A folder's key: made once, opened by each way, by no other, and never lost while the way changes. */
#include "check.h"
#include "security/vault.h"
#include "security/vault_file.h"
#include "security/vault_ways.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

struct folder {
	char dir[64], key[80], other[80], words[80];
};

static void put(const char *path, const char *text, size_t len, unsigned mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), len);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static int make(void **state)
{
	static struct folder f;
	static const char one[] = "0123456789abcdef0123456789abcdef",
			  two[] = "another key file of some forty bytes";
	snprintf(f.dir, sizeof f.dir, "/tmp/gg-vault-XXXXXX");
	assert_non_null(mkdtemp(f.dir));
	snprintf(f.key, sizeof f.key, "%s/key", f.dir);
	snprintf(f.other, sizeof f.other, "%s/other", f.dir);
	snprintf(f.words, sizeof f.words, "%s/words", f.dir);
	put(f.key, one, 32, 0600);
	put(f.other, two, sizeof two - 1, 0600);
	put(f.words, "nine bats on a wire\r\nsecond line", 32, 0400);
	*state = &f;
	return 0;
}

static int unmake(void **state)
{
	static const char *const names[] = {
		"key", "other", "words", "keys.json", "keys.json.new", "catalog.db"};
	struct folder *f = *state;
	char path[100];
	for (size_t i = 0; i < GG_COUNT(names); i++) {
		snprintf(path, sizeof path, "%s/%s", f->dir, names[i]);
		unlink(path);
	}
	return rmdir(f->dir);
}

static int open_with(
	struct folder *f, struct gg_site_encryption o, struct gg_vault_key *k, struct gg_error *e)
{
	*e = (struct gg_error){0};
	return gg_vault_open(f->dir, &o, k, e);
}

static void assert_opens(struct folder *f, struct gg_site_encryption o, const struct gg_vault_key *like)
{
	struct gg_vault_key k;
	struct gg_error e;
	int rc = open_with(f, o, &k, &e);
	if (rc < 0)
		print_message("%s\n", e.text);
	assert_int_equal(rc, 0);
	assert_true(k.sealed);
	assert_memory_equal(k.root, like->root, sizeof k.root);
}

static void assert_refused(struct folder *f, struct gg_site_encryption o, int rc, const char *says)
{
	struct gg_vault_key k = {.sealed = true};
	struct gg_error e;
	assert_int_equal(open_with(f, o, &k, &e), rc);
	assert_non_null(strstr(e.text, says));
	assert_true(k.sealed); /* untouched */
}

static struct gg_slots slots_of(struct folder *f)
{
	struct gg_slots s = {0};
	struct gg_error e = {0};
	assert_int_equal(gg_vault_file_read(f->dir, &s, &e), 0);
	return s;
}

static int say(void *arg, char to[GG_PASSPHRASE_MAX + 1], struct gg_error *e)
{
	(void)e;
	gg_str_copy(to, GG_PASSPHRASE_MAX + 1, gg_str(arg));
	return 0;
}

#define BY_FILE(f)  ((struct gg_site_encryption){.key_file = (f)->key})
#define BY_WORDS(f) ((struct gg_site_encryption){.passphrase_file = (f)->words})
#define NO_MEANS    ((struct gg_vault_means){0})

static void a_plain_folder_stays_plain_while_nothing_is_named(void **state)
{
	struct folder *f = *state;
	struct gg_vault_key k = {.sealed = true};
	struct gg_error e;
	assert_int_equal(open_with(f, (struct gg_site_encryption){0}, &k, &e), 0);
	assert_false(k.sealed);
	char path[100];
	snprintf(path, sizeof path, "%s/keys.json", f->dir);
	assert_int_equal(access(path, F_OK), -1);
}

static void the_first_start_makes_a_key_and_later_ones_find_it(void **state)
{
	struct folder *f = *state;
	static const uint8_t zeros[GG_SEAL_KEY];
	struct gg_vault_key k;
	struct gg_error e;
	struct stat st;
	char path[100];
	assert_int_equal(open_with(f, BY_FILE(f), &k, &e), 0);
	assert_true(k.sealed);
	assert_memory_not_equal(k.root, zeros, sizeof zeros);
	assert_opens(f, BY_FILE(f), &k);
	snprintf(path, sizeof path, "%s/keys.json", f->dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	struct gg_slots s = slots_of(f);
	assert_int_equal(s.count, 1);
	assert_string_equal(s.items[0].hint, f->key);
}

static void a_passphrase_opens_from_text_and_from_the_first_line_of_a_file(void **state)
{
	struct folder *f = *state;
	struct gg_vault_key k;
	struct gg_error e;
	assert_int_equal(open_with(f, BY_WORDS(f), &k, &e), 0);
	assert_opens(f, (struct gg_site_encryption){.passphrase = "nine bats on a wire"}, &k);
	assert_refused(
		f, (struct gg_site_encryption){.passphrase = "nine bats on a wirE"}, -EACCES, "does not fit");
}

static void a_short_passphrase_seals_nothing(void **state)
{
	struct folder *f = *state;
	assert_refused(f, (struct gg_site_encryption){.passphrase = "hello world"}, -EINVAL, "12 to 256");
	assert_int_equal(access(f->dir, F_OK), 0);
	struct gg_slots s;
	assert_int_equal(gg_vault_file_read(f->dir, &s, NULL), -ENOENT);
}

static void a_sealed_folder_without_a_named_key_or_with_another_is_refused(void **state)
{
	struct folder *f = *state;
	struct gg_vault_key k;
	struct gg_error e;
	assert_int_equal(open_with(f, BY_FILE(f), &k, &e), 0);
	assert_refused(f, (struct gg_site_encryption){0}, -ENOENT, "names no key");
	assert_refused(f, (struct gg_site_encryption){0}, -ENOENT, f->key);
	assert_refused(f, (struct gg_site_encryption){.key_file = f->other}, -EACCES, "does not fit");
	assert_refused(f, BY_WORDS(f), -EACCES, "none of them");
	assert_opens(f, BY_FILE(f), &k);
}

static void a_key_that_others_may_read_is_refused_with_the_command_that_mends_it(void **state)
{
	struct folder *f = *state;
	char says[100];
	chmod(f->key, 0640);
	snprintf(says, sizeof says, "chmod 600 %s", f->key);
	assert_refused(f, BY_FILE(f), -EACCES, says);
	setenv("CREDENTIALS_DIRECTORY", f->dir,
		1); /* a credential's access list looks like a group's right */
	struct gg_vault_key k;
	struct gg_error e;
	assert_int_equal(open_with(f, BY_FILE(f), &k, &e), 0);
	chmod(f->key, 0644);
	assert_refused(f, BY_FILE(f), -EACCES, says);
	unsetenv("CREDENTIALS_DIRECTORY");
}

static void a_key_file_of_no_sense_is_refused(void **state)
{
	struct folder *f = *state;
	put(f->key, "short", 5, 0600);
	assert_refused(f, BY_FILE(f), -EINVAL, "32 to 4096 bytes");
	assert_refused(f, (struct gg_site_encryption){.key_file = f->dir}, -EINVAL, "regular file");
	assert_refused(f, (struct gg_site_encryption){.key_file = "/nowhere/key"}, -ENOENT, "/nowhere/key");
}

static void slots_that_were_lost_are_told_and_not_made_anew(void **state)
{
	struct folder *f = *state;
	char path[100];
	snprintf(path, sizeof path, "%s/catalog.db", f->dir);
	put(path, "GGDB what is sealed looks like noise", 30, 0600);
	assert_refused(f, BY_FILE(f), -ENOENT, "put it back");
	assert_refused(f, (struct gg_site_encryption){0}, -ENOENT, "put it back");
	put(path, "SQLite format 3\0 and so on", 26, 0600);
	struct gg_vault_key k;
	struct gg_error e;
	assert_int_equal(open_with(f, BY_FILE(f), &k, &e), 0);
}

static void each_changed_byte_of_a_slot_shows(void **state)
{
	struct folder *f = *state;
	struct gg_vault_key k;
	struct gg_error e;
	uint8_t key[GG_SEAL_KEY], root[GG_SEAL_KEY];
	assert_int_equal(open_with(f, BY_FILE(f), &k, &e), 0);
	struct gg_slots s = slots_of(f);
	struct gg_slot *slot = &s.items[0];
	assert_int_equal(gg_way_open(&BY_FILE(f), slot, key, &e), 0);
	assert_int_equal(gg_wrap_open(&s, slot, key, root), 0);
	for (size_t i = 0; i < sizeof slot->wrapped; i++) {
		slot->wrapped[i] ^= 1;
		assert_int_equal(gg_wrap_open(&s, slot, key, root), -EACCES);
		slot->wrapped[i] ^= 1;
	}
	s.vault[3] ^= 1; /* a slot of another folder */
	assert_int_equal(gg_wrap_open(&s, slot, key, root), -EACCES);
	s.vault[3] ^= 1;
	slot->hint[1] ^= 1;
	assert_int_equal(gg_wrap_open(&s, slot, key, root), -EACCES);
	slot->hint[1] ^= 1;
	slot->number++;
	assert_int_equal(gg_wrap_open(&s, slot, key, root), -EACCES);
	slot->number--;
	assert_int_equal(gg_wrap_open(&s, slot, key, root), 0);
	assert_memory_equal(root, k.root, sizeof root);
}

static void rewrapping_changes_the_way_and_not_the_key(void **state)
{
	struct folder *f = *state;
	struct gg_vault_key k, again;
	struct gg_error e;
	assert_int_equal(open_with(f, BY_FILE(f), &k, &e), 0);
	assert_int_equal(gg_vault_rewrap(f->dir, &NO_MEANS, &BY_WORDS(f), /* keep= */ true, &e), 0);
	assert_int_equal(slots_of(f).count, 2); /* where a crash between leaves it: both open */
	assert_opens(f, BY_FILE(f), &k);
	assert_opens(f, BY_WORDS(f), &k);
	assert_int_equal(gg_vault_rewrap(f->dir, &NO_MEANS, &BY_WORDS(f), /* keep= */ false, &e), 0);
	assert_int_equal(slots_of(f).count, 1);
	assert_opens(f, BY_WORDS(f), &k);
	assert_refused(f, BY_FILE(f), -EACCES, "none of them");
	const struct gg_vault_means words = {
		.passphrase = say, .arg = (void *)(uintptr_t) "nine bats on a wire"};
	assert_int_equal(gg_vault_open_folder(f->dir, &words, &again, &e), 0);
	assert_memory_equal(again.root, k.root, sizeof k.root);
}

static void rewrapping_without_the_old_key_or_to_a_bad_one_changes_nothing(void **state)
{
	struct folder *f = *state;
	struct gg_vault_key k;
	struct gg_error e = {0};
	assert_int_equal(open_with(f, BY_FILE(f), &k, &e), 0);
	const struct gg_vault_means wrong = {.key_file = f->other};
	assert_int_equal(gg_vault_rewrap(f->dir, &wrong, &BY_WORDS(f), false, &e), -EACCES);
	assert_non_null(strstr(e.text, "does not fit"));
	const struct gg_site_encryption bad = {.key_file = "/nowhere/key"};
	assert_int_equal(gg_vault_rewrap(f->dir, &NO_MEANS, &bad, false, &e), -ENOENT);
	assert_opens(f, BY_FILE(f), &k);
	assert_int_equal(slots_of(f).count, 1);
}

static void a_recovery_key_opens_however_it_is_typed_until_the_next_is_made(void **state)
{
	struct folder *f = *state;
	struct gg_vault_key k, again;
	struct gg_error e;
	char first[GG_RECOVERY_TEXT] = "", second[GG_RECOVERY_TEXT] = "", typed[GG_RECOVERY_TEXT];
	assert_int_equal(open_with(f, BY_FILE(f), &k, &e), 0);
	assert_int_equal(gg_vault_add_recovery(f->dir, &NO_MEANS, first, &e), 0);
	assert_int_equal(strlen(first), 35);
	unlink(f->key);
	size_t n = 0;
	for (const char *p = first; *p; p++)
		if (*p != '-')
			typed[n++] = (char)(*p == '0' ? 'o' : *p == '1' ? 'l' : *p >= 'A' ? *p + 32 : *p);
	typed[n] = '\0';
	struct gg_vault_means means = {.passphrase = say, .arg = typed};
	assert_int_equal(gg_vault_open_folder(f->dir, &means, &again, &e), 0);
	assert_memory_equal(again.root, k.root, sizeof k.root);
	assert_int_equal(gg_vault_add_recovery(f->dir, &means, second, &e), 0);
	assert_int_equal(slots_of(f).count, 2);
	assert_int_equal(gg_vault_open_folder(f->dir, &means, &again, &e), -EACCES);
	means.arg = second;
	assert_int_equal(gg_vault_rewrap(f->dir, &means, &BY_WORDS(f), false, &e), 0);
	assert_opens(f, BY_WORDS(f), &k);
	assert_opens(f, (struct gg_site_encryption){.passphrase = second}, &k);
}

static void a_folder_that_opens_by_nothing_says_what_was_tried(void **state)
{
	struct folder *f = *state;
	struct gg_vault_key k;
	struct gg_error e;
	char recovery[GG_RECOVERY_TEXT];
	assert_int_equal(open_with(f, BY_FILE(f), &k, &e), 0);
	assert_int_equal(gg_vault_add_recovery(f->dir, &NO_MEANS, recovery, &e), 0);
	const struct gg_vault_means wrong = {
		.key_file = f->other, .passphrase = say, .arg = (void *)(uintptr_t) "no idea at all"};
	assert_int_equal(gg_vault_open_folder(f->dir, &wrong, &k, &e), -EACCES);
	assert_non_null(strstr(e.text, f->other));
	assert_non_null(strstr(e.text, "recovery key"));
	assert_null(strstr(e.text, "no idea"));
}

static void the_last_slot_stays(void **state)
{
	struct folder *f = *state;
	struct gg_vault_key k;
	struct gg_error e;
	char recovery[GG_RECOVERY_TEXT];
	assert_int_equal(open_with(f, BY_FILE(f), &k, &e), 0);
	assert_int_equal(gg_vault_remove(f->dir, 1, &e), -EINVAL);
	assert_int_equal(gg_vault_remove(f->dir, 9, &e), -ENOENT);
	assert_int_equal(gg_vault_add_recovery(f->dir, &NO_MEANS, recovery, &e), 0);
	assert_int_equal(gg_vault_remove(f->dir, 1, &e), 0);
	struct gg_slots s = slots_of(f);
	assert_int_equal(s.count, 1);
	assert_int_equal(s.items[0].number, 2);
}

static void a_file_that_asks_for_too_much_is_refused(void **state)
{
	static const char start[] =
		"{\"format\":1,\"vault\":\"00000000000000000000000000000000\",\"slots\":["
		"{\"slot\":1,\"kind\":\"passphrase\",\"created\":\"2026-01-01T00:00:00Z\",\"salt\":"
		"\"0000000000000000000000000000000000000000000000000000000000000000\",";
	static const struct {
		const char *costs;
		int rc;
	} cases[] = {{"\"log2_n\":16,\"r\":8,\"p\":2", 0}, {"\"log2_n\":20,\"r\":8,\"p\":1", -EBADMSG},
		{"\"log2_n\":63,\"r\":8,\"p\":1", -EBADMSG}, {"\"log2_n\":16,\"r\":8,\"p\":64", -EBADMSG},
		{"\"log2_n\":0,\"r\":8,\"p\":1", -EBADMSG}, {"\"log2_n\":16,\"r\":8", -EBADMSG}};
	(void)state;
	for (size_t i = 0; i < GG_COUNT(cases); i++) {
		struct gg_buf text GG_CLEANUP(gg_buf_done) = GG_BUF(GG_SLOTS_FILE);
		static struct gg_slots s;
		struct gg_error e = {0};
		gg_buf_printf(&text, "%s%s,\"wrapped\":\"", start, cases[i].costs);
		for (int n = 0; n < 2 * GG_SLOT_WRAPPED; n++)
			gg_buf_char(&text, '0');
		gg_buf_str(&text, GG_STR("\"}]}\n"));
		assert_int_equal(gg_slots_read(gg_buf_view(&text), &s, &e), cases[i].rc);
		assert_true(cases[i].rc == 0 || e.text[0]);
	}
	assert_true(gg_slot_hint_fits(GG_STR("/etc/schl\xc3\xbcssel")));
	assert_false(gg_slot_hint_fits(GG_STR("/etc/\x1b[2Jkey")));
	assert_false(gg_slot_hint_fits(GG_STR("/etc/\xc2\x9bkey")));
	assert_false(gg_slot_hint_fits(GG_STR("/etc/\xffkey")));
	struct gg_slots s;
	struct gg_error e = {0};
	assert_int_equal(gg_slots_read(GG_STR("{\"format\":2,\"ways\":[]}"), &s, &e), -ENOTSUP);
	assert_non_null(strstr(e.text, "newer"));
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make, unmake)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(a_plain_folder_stays_plain_while_nothing_is_named),
		IN_FOLDER(the_first_start_makes_a_key_and_later_ones_find_it),
		IN_FOLDER(a_passphrase_opens_from_text_and_from_the_first_line_of_a_file),
		IN_FOLDER(a_short_passphrase_seals_nothing),
		IN_FOLDER(a_sealed_folder_without_a_named_key_or_with_another_is_refused),
		IN_FOLDER(a_key_that_others_may_read_is_refused_with_the_command_that_mends_it),
		IN_FOLDER(a_key_file_of_no_sense_is_refused),
		IN_FOLDER(slots_that_were_lost_are_told_and_not_made_anew),
		IN_FOLDER(each_changed_byte_of_a_slot_shows),
		IN_FOLDER(rewrapping_changes_the_way_and_not_the_key),
		IN_FOLDER(rewrapping_without_the_old_key_or_to_a_bad_one_changes_nothing),
		IN_FOLDER(a_recovery_key_opens_however_it_is_typed_until_the_next_is_made),
		IN_FOLDER(a_folder_that_opens_by_nothing_says_what_was_tried),
		IN_FOLDER(the_last_slot_stays),
		cmocka_unit_test(a_file_that_asks_for_too_much_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* See slots.h. */
#include "security/slots.h"

#include "base/clock.h"
#include "base/json.h"

enum { FORMAT = 1, MOST_LOG2_N = 20, MOST_COST = 1 << 24, MOST_MEMORY = 256 << 20 };

static const char *const kinds[GG_SLOT_KINDS] = {"key-file", "passphrase", "recovery", "tpm"};

const char *gg_slot_kind_name(enum gg_slot_kind kind)
{
	return kinds[kind];
}

/* ---- writing ---- */

static void put_hex(struct gg_json_writer *w, const char *key, const uint8_t *bytes, size_t len)
{
	gg_json_key(w, gg_str(key));
	struct gg_buf text GG_CLEANUP(gg_buf_done) = GG_BUF(2 * GG_SLOT_BLOB + 2);
	gg_buf_hex(&text, gg_str_n(bytes, len));
	if (text.error)
		w->to->error = text.error;
	gg_json_string(w, gg_buf_view(&text));
}

void gg_pcrs_put(uint32_t pcrs, struct gg_json_writer *w)
{
	gg_json_key(w, GG_STR("pcrs"));
	gg_json_begin_array(w);
	for (unsigned i = 0; i < GG_PCRS; i++)
		if (pcrs & 1U << i)
			gg_json_uint(w, i);
	gg_json_end_array(w);
}

static void put_tpm(struct gg_json_writer *w, const struct gg_slot *s)
{
	gg_pcrs_put(s->pcrs, w);
	put_hex(w, "primary", s->primary.p, s->primary.len);
	put_hex(w, "public", s->pub.p, s->pub.len);
	put_hex(w, "private", s->priv.p, s->priv.len);
}

static void put_slot(struct gg_json_writer *w, const struct gg_slot *s, bool wrapped)
{
	gg_json_begin_object(w);
	gg_json_put_int(w, "slot", (int64_t)s->number);
	gg_json_put_str(w, "kind", gg_str(kinds[s->kind]));
	gg_json_put_time(w, "created", s->created_ns);
	if (s->kind == GG_SLOT_KEY_FILE || s->kind == GG_SLOT_TPM)
		gg_json_put_str(w, "hint", gg_str(s->hint));
	if (s->kind == GG_SLOT_TPM)
		put_tpm(w, s);
	else
		put_hex(w, "salt", s->salt, sizeof s->salt);
	if (s->kind == GG_SLOT_PASSPHRASE || s->kind == GG_SLOT_RECOVERY) {
		gg_json_put_int(w, "log2_n", (int64_t)s->cost.log2_n);
		gg_json_put_int(w, "r", (int64_t)s->cost.r);
		gg_json_put_int(w, "p", (int64_t)s->cost.p);
	}
	if (wrapped)
		put_hex(w, "wrapped", s->wrapped, sizeof s->wrapped);
	gg_json_end_object(w);
}

void gg_slots_write(const struct gg_slots *s, struct gg_buf *to)
{
	struct gg_json_writer w = gg_json_writer(to);
	gg_json_begin_object(&w);
	gg_json_put_int(&w, "format", FORMAT);
	put_hex(&w, "vault", s->vault, sizeof s->vault);
	gg_json_key(&w, GG_STR("slots"));
	gg_json_begin_array(&w);
	for (size_t i = 0; i < s->count; i++)
		put_slot(&w, &s->items[i], /* wrapped= */ true);
	gg_json_end_array(&w);
	gg_json_end_object(&w);
	gg_buf_char(to, '\n');
}

void gg_slot_bind(const struct gg_slots *s, const struct gg_slot *slot, struct gg_buf *to)
{
	struct gg_json_writer w = gg_json_writer(to);
	gg_json_begin_array(&w);
	gg_json_string(&w, GG_STR("ganglion key slot"));
	gg_json_int(&w, FORMAT);
	gg_json_begin_object(&w);
	put_hex(&w, "vault", s->vault, sizeof s->vault);
	gg_json_end_object(&w);
	put_slot(&w, slot, /* wrapped= */ false);
	gg_json_end_array(&w);
}

bool gg_slot_hint_fits(struct gg_str hint)
{
	for (size_t i = 0; i < hint.len; i++) {
		unsigned char c = (unsigned char)hint.p[i];
		unsigned char next = i + 1 < hint.len ? (unsigned char)hint.p[i + 1] : 0;
		if (c < 0x20 || c == 0x7f || (c == 0xc2 && next < 0xa0)) /* C0, DEL, C1 */
			return false;
	}
	return hint.len < GG_SLOT_HINT && gg_utf8_valid(hint);
}

void gg_pcrs_text(uint32_t pcrs, struct gg_buf *to)
{
	const char *between = "";
	for (unsigned i = 0; i < GG_PCRS; i++) {
		if (!(pcrs & 1U << i))
			continue;
		gg_buf_printf(to, "%s%u", between, i);
		between = ", ";
	}
}

/* ---- reading ---- */

struct reading {
	struct gg_json_reader json;
	const char *expected; /* the first thing that was not there */
	unsigned seen;        /* fields of the slot, one bit each */
};

static void wrong(struct reading *r, const char *expected)
{
	if (!r->expected)
		r->expected = expected;
}

static struct gg_str take(struct reading *r, enum gg_json_token type, const char *expected)
{
	enum gg_json_token t = gg_json_next(&r->json);
	if (t == type)
		return r->json.text;
	wrong(r, expected);
	return GG_STR("");
}

static void take_uint(struct reading *r, uint64_t most, uint64_t *to)
{
	struct gg_str text = take(r, GG_JSON_NUMBER, "a number");
	if (!r->expected && (gg_parse_uint(text, to) < 0 || *to > most))
		wrong(r, "a smaller whole number");
}

static unsigned digit(char c)
{
	return c >= '0' && c <= '9'   ? (unsigned)(c - '0')
	       : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
				      : 16;
}

/* Returns how many bytes; most is also what is expected when exact. */
static size_t take_hex(struct reading *r, uint8_t *to, size_t most, bool exact)
{
	struct gg_str text = take(r, GG_JSON_STRING, "bytes as hex digits");
	size_t n = text.len / 2;
	if (text.len % 2 || n > most || (exact && n != most)) {
		wrong(r, "as many hex digits as the field has");
		return 0;
	}
	for (size_t i = 0; i < n; i++) {
		unsigned high = digit(text.p[2 * i]), low = digit(text.p[2 * i + 1]);
		if (high > 15 || low > 15)
			wrong(r, "hex digits");
		to[i] = (uint8_t)(high << 4 | (low & 15));
	}
	return n;
}

static void take_blob(struct reading *r, struct gg_slot_blob *b)
{
	b->len = take_hex(r, b->p, sizeof b->p, /* exact= */ false);
}

static void take_kind(struct reading *r, struct gg_slot *s)
{
	struct gg_str text = take(r, GG_JSON_STRING, "a kind of slot");
	unsigned i = 0;
	while (i < GG_SLOT_KINDS && !gg_str_is(text, kinds[i]))
		i++;
	if (i < GG_SLOT_KINDS)
		s->kind = (enum gg_slot_kind)i;
	else
		wrong(r, "a kind of slot: key-file, passphrase, recovery or tpm");
}

static void take_hint(struct reading *r, struct gg_slot *s)
{
	struct gg_str text = take(r, GG_JSON_STRING, "a text");
	if (text.len >= sizeof s->hint) {
		wrong(r, "a shorter hint");
		return;
	}
	size_t n = gg_json_unescape(text, s->hint);
	if (!gg_slot_hint_fits(gg_str_n(s->hint, n)))
		wrong(r, "a hint of plain text");
}

static void take_created(struct reading *r, struct gg_slot *s)
{
	struct gg_str text = take(r, GG_JSON_STRING, "a time");
	if (!r->expected && gg_time_parse(text, &s->created_ns) < 0)
		wrong(r, "a time");
}

static void take_pcrs(struct reading *r, struct gg_slot *s)
{
	enum gg_json_token t;
	uint64_t n = 0;
	take(r, GG_JSON_ARRAY, "a list of PCRs");
	while (!r->expected && (t = gg_json_next(&r->json)) != GG_JSON_ARRAY_END) {
		if (t != GG_JSON_NUMBER || gg_parse_uint(r->json.text, &n) < 0 || n >= GG_PCRS)
			wrong(r, "numbers of PCRs, 0 to 23");
		else
			s->pcrs |= 1U << n;
	}
}

enum field { SLOT, KIND, CREATED, HINT, SALT, LOG2_N, R, P, PCRS, PRIMARY, PUBLIC, PRIVATE, WRAPPED, FIELDS };

static const char *const fields[FIELDS] = {"slot", "kind", "created", "hint", "salt", "log2_n", "r", "p",
	"pcrs", "primary", "public", "private", "wrapped"};

#define BIT(f) (1U << (f))
#define ALL    (BIT(SLOT) | BIT(KIND) | BIT(CREATED) | BIT(WRAPPED))
#define COSTS  (BIT(SALT) | BIT(LOG2_N) | BIT(R) | BIT(P))

static const unsigned needed[GG_SLOT_KINDS] = {[GG_SLOT_KEY_FILE] = ALL | BIT(HINT) | BIT(SALT),
	[GG_SLOT_PASSPHRASE] = ALL | COSTS,
	[GG_SLOT_RECOVERY] = ALL | COSTS,
	[GG_SLOT_TPM] = ALL | BIT(HINT) | BIT(PCRS) | BIT(PRIMARY) | BIT(PUBLIC) | BIT(PRIVATE)};

static void take_secret_parts(struct reading *r, enum field f, struct gg_slot *s)
{
	switch (f) {
	case SALT:
		take_hex(r, s->salt, sizeof s->salt, /* exact= */ true);
		break;
	case PRIMARY:
		take_blob(r, &s->primary);
		break;
	case PUBLIC:
		take_blob(r, &s->pub);
		break;
	case PRIVATE:
		take_blob(r, &s->priv);
		break;
	default:
		take_hex(r, s->wrapped, sizeof s->wrapped, /* exact= */ true);
	}
}

static void take_field(struct reading *r, enum field f, struct gg_slot *s)
{
	switch (f) {
	case SLOT:
		take_uint(r, UINT32_MAX, &s->number);
		break;
	case KIND:
		take_kind(r, s);
		break;
	case CREATED:
		take_created(r, s);
		break;
	case HINT:
		take_hint(r, s);
		break;
	case LOG2_N:
		take_uint(r, MOST_LOG2_N, &s->cost.log2_n);
		break;
	case R:
		take_uint(r, 64, &s->cost.r);
		break;
	case P:
		take_uint(r, 64, &s->cost.p);
		break;
	case PCRS:
		take_pcrs(r, s);
		break;
	default:
		take_secret_parts(r, f, s);
	}
}

static void check_slot(struct reading *r, const struct gg_slot *s)
{
	const struct gg_slot_cost *c = &s->cost;
	if (r->expected)
		return;
	if (r->seen != needed[s->kind])
		wrong(r, "all fields of a slot, and no other");
	else if ((needed[s->kind] & BIT(LOG2_N)) &&
		 (c->log2_n < 1 || c->r < 1 || c->p < 1 || (128 * c->r) << c->log2_n > MOST_MEMORY ||
			 (c->r * c->p) << c->log2_n > MOST_COST))
		wrong(r, "costs of scrypt within 256 MiB and a minute");
}

static void take_slot(struct reading *r, struct gg_slot *s)
{
	enum gg_json_token t;
	r->seen = 0;
	while (!r->expected && (t = gg_json_next(&r->json)) != GG_JSON_OBJECT_END) {
		unsigned f = 0;
		while (t == GG_JSON_KEY && f < FIELDS && !gg_str_is(r->json.text, fields[f]))
			f++;
		if (t != GG_JSON_KEY || f == FIELDS || (r->seen & BIT(f))) {
			wrong(r, "a field of a slot, once");
			return;
		}
		r->seen |= BIT(f);
		take_field(r, (enum field)f, s);
	}
	check_slot(r, s);
}

static void take_slots(struct reading *r, struct gg_slots *s)
{
	enum gg_json_token t;
	take(r, GG_JSON_ARRAY, "a list of slots");
	while (!r->expected && (t = gg_json_next(&r->json)) != GG_JSON_ARRAY_END) {
		if (t != GG_JSON_OBJECT || s->count == GG_SLOTS) {
			wrong(r, "at most 8 slots");
			return;
		}
		struct gg_slot *slot = &s->items[s->count++];
		take_slot(r, slot);
		for (size_t i = 0; i + 1 < s->count; i++)
			if (s->items[i].number == slot->number)
				wrong(r, "slots of different numbers");
	}
}

int gg_slots_read(struct gg_str json, struct gg_slots *ret_slots, struct gg_error *e)
{
	struct reading r = {.json = gg_json_reader(json)};
	struct gg_slots s = {0};
	uint64_t format = 0;
	enum gg_json_token t;
	bool known[3] = {false};
	take(&r, GG_JSON_OBJECT, "an object");
	while (!r.expected && (t = gg_json_next(&r.json)) != GG_JSON_OBJECT_END) {
		static const char *const keys[] = {"format", "vault", "slots"};
		size_t k = 0;
		while (t == GG_JSON_KEY && k < GG_COUNT(keys) && !gg_str_is(r.json.text, keys[k]))
			k++;
		if (t != GG_JSON_KEY || k == GG_COUNT(keys) || known[k]) {
			wrong(&r, "format, vault and slots");
			break;
		}
		known[k] = true;
		if (k == 0)
			take_uint(&r, UINT32_MAX, &format);
		else if (k == 1)
			take_hex(&r, s.vault, sizeof s.vault, /* exact= */ true);
		else
			take_slots(&r, &s);
		if (format > FORMAT)
			return gg_error_set(e, -ENOTSUP, "made by a newer Ganglion (format %llu)",
				(unsigned long long)format);
	}
	if (!r.expected &&
		(gg_json_next(&r.json) != GG_JSON_END || format != FORMAT || !known[1] || !s.count))
		wrong(&r, "format, vault and at least one slot, and nothing behind them");
	if (r.expected)
		return gg_error_set(
			e, -EBADMSG, "damaged at byte %zu: expected %s", gg_json_offset(&r.json), r.expected);
	*ret_slots = s;
	return 0;
}

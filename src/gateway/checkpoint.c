/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A shard's state in the journal, so that a restart has little to run again.
 *
 *   record:      magic · number of this part · number of parts · bytes of the state
 *   state:       shards in all · time · rules' time · rules from · signals · plan
 *
 * A large state goes as several records, one behind the other; the checkpoint is good when the last of them
 * is there, and lies where the first is. Signals stand in it with all that is known of them, because at a
 * start nobody has named them yet and states are kept by name.
 *
 * Rules from: shard 0's rules see batches of other shards in the order of its mailbox, not of the journal.
 * What had been synced when this checkpoint was begun had been posted before, and a letter to oneself behind
 * that has seen it all; from there on the rules look at the others' batches again. What they see twice is
 * the last few milliseconds, and a sample seen twice changes nothing but counters.
 *
 * How often: every minute when something has changed, unless the state is large against what the journal took
 * meanwhile; then later, after a quarter of an hour at most. So checkpoints at most double what is written to
 * flash. Earlier, within a second, when there is much to run again or to read (SAMPLES, GROWN), and the state
 * is small against it: a restart under full load is to take no longer than another. A shard that rests writes
 * one too when the journal has grown, because an old checkpoint holds back the segments behind it.
 */
#include "base/log.h"
#include "core/loop.h"
#include "core/signals.h"
#include "gateway/gateway.h"
#include "store/journal.h"

enum {
	MAGIC = 0x31434747,
	PART_BYTES = 8 << 20,
	STATE_MAX = 256 << 20,
	WORTH_IT = 1 << 20,
	SAMPLES = 250000,
	GROWN = 16 << 20,
	TEXT_MAX = 512
};

static const int64_t look_ns = GG_NS_PER_S, period_ns = 60 * GG_NS_PER_S, longest_ns = 15 * 60 * GG_NS_PER_S;

/* ---- numbers and texts of the state ---- */

static void put(struct gg_buf *to, uint64_t v, size_t bytes)
{
	uint8_t b[8];
	struct gg_writer w = gg_writer(b, sizeof b);
	gg_write_le64(&w, v);
	gg_buf_add(to, b, bytes);
}

static void put_text(struct gg_buf *to, struct gg_str s)
{
	put(to, s.len, 2);
	gg_buf_str(to, s);
}

static void put_double(struct gg_buf *to, double d)
{
	uint64_t bits;
	memcpy(&bits, &d, sizeof bits);
	put(to, bits, 8);
}

static double get_double(struct gg_reader *r)
{
	uint64_t bits = gg_read_le64(r);
	double d;
	memcpy(&d, &bits, sizeof d);
	return d;
}

/* ---- signals ---- */

static bool is_mine(const struct gg_shard *s, const struct gg_signal_info *info)
{
	return s->of == 1 || gg_hash_stable(gg_device_id(info->device)) % s->of == s->number;
}

static void save_signals(const struct gg_shard *s, struct gg_buf *to)
{
	for (uint32_t i = 0; i < gg_signal_count(); i++) {
		const struct gg_signal_info *info = gg_signal(i);
		if (!is_mine(s, info))
			continue;
		put_text(to, info->name);
		put(to, info->type, 1);
		put(to, info->writable, 1);
		put_text(to, gg_str(info->unit));
		put_text(to, gg_str(info->title));
		put_double(to, info->low);
		put_double(to, info->high);
		put(to, (uint64_t)info->period_ns, 8);
	}
	put_text(to, GG_STR(""));
}

/* False behind the last. */
static bool load_signal(struct gg_reader *r, bool make)
{
	char unit[TEXT_MAX], title[TEXT_MAX];
	struct gg_signal_spec spec = {0};
	struct gg_str name = gg_read_str(r, gg_read_le16(r));
	if (name.len == 0 || !gg_reader_ok(r))
		return false;
	spec.type = gg_read_u8(r);
	spec.writable = gg_read_u8(r) != 0;
	gg_str_copy(unit, sizeof unit, gg_read_str(r, gg_read_le16(r)));
	gg_str_copy(title, sizeof title, gg_read_str(r, gg_read_le16(r)));
	spec.unit = unit[0] ? unit : NULL;
	spec.title = title[0] ? title : NULL;
	spec.low = get_double(r);
	spec.high = get_double(r);
	spec.period_ns = (int64_t)gg_read_le64(r);
	uint32_t signal;
	if (make && gg_reader_ok(r) && gg_signal_find(name) == GG_NONE)
		gg_signal_make_full(name, &spec, &signal);
	return true;
}

/* ---- the state ---- */

struct head {
	uint64_t of, rules_from;
	int64_t now_ns, rules_now_ns;
};

static void read_head(struct gg_reader *r, struct head *h)
{
	h->of = gg_read_le64(r);
	h->now_ns = (int64_t)gg_read_le64(r);
	h->rules_now_ns = (int64_t)gg_read_le64(r);
	h->rules_from = gg_read_le64(r);
}

static void save(const struct gg_shard *s, struct gg_buf *to)
{
	put(to, s->of, 8);
	put(to, (uint64_t)s->now_ns, 8);
	put(to, (uint64_t)s->rules_now_ns, 8);
	put(to, s->rules_from, 8);
	save_signals(s, to);
	gg_plan_save(s->plan, to);
}

uint64_t gg_checkpoint_rules_from(struct gg_str first_part)
{
	struct gg_reader r = gg_reader(first_part.p, first_part.len);
	struct head h;
	read_head(&r, &h);
	return gg_reader_ok(&r) ? h.rules_from : 0;
}

static int read_signals(struct gg_reader *r, bool make)
{
	while (load_signal(r, make))
		;
	return gg_reader_ok(r) ? 0 : -EINVAL;
}

int gg_checkpoint_signals(struct gg_str state)
{
	struct gg_reader r = gg_reader(state.p, state.len);
	struct head h;
	read_head(&r, &h);
	return read_signals(&r, true);
}

int gg_shard_load(struct gg_shard *s, struct gg_str state)
{
	struct gg_reader r = gg_reader(state.p, state.len);
	struct head h;
	read_head(&r, &h);
	if (gg_reader_ok(&r) && h.of != s->of)
		return -ESTALE;
	int rc = read_signals(&r, false);
	if (rc == 0)
		rc = gg_plan_load(s->plan, &r);
	if (rc < 0)
		return rc;
	s->now_ns = h.now_ns;
	s->rules_now_ns = h.rules_now_ns;
	return 0;
}

/* ---- records ---- */

int gg_checkpoint_part(struct gg_str name, struct gg_str bytes, struct gg_checkpoint_part *ret_part)
{
	struct gg_reader r = gg_reader(bytes.p, bytes.len);
	struct gg_checkpoint_part p = {0};
	uint64_t shard;
	uint32_t magic = gg_read_le32(&r);
	p.number = gg_read_le32(&r);
	p.count = gg_read_le32(&r);
	p.bytes = gg_read_str(&r, gg_reader_left(&r));
	if (!gg_reader_ok(&r) || magic != MAGIC || p.number >= p.count || gg_parse_uint(name, &shard) < 0 ||
		shard >= GG_MOST_SHARDS)
		return -EINVAL;
	p.shard = (unsigned)shard;
	*ret_part = p;
	return 0;
}

static int write_part(struct gg_shard *s, struct gg_str state, uint32_t number, uint32_t count)
{
	struct gg_buf part GG_CLEANUP(gg_buf_done) = GG_BUF(PART_BYTES + 16);
	char name[12];
	size_t from = (size_t)number * PART_BYTES;
	put(&part, MAGIC, 4);
	put(&part, number, 4);
	put(&part, count, 4);
	gg_buf_add(&part, state.p + from, gg_min_size(state.len - from, PART_BYTES));
	snprintf(name, sizeof name, "%u", s->number);
	return part.error ? part.error
			  : gg_journal_append_record(s->journal, GG_RECORD_CHECKPOINT, gg_str(name),
				    gg_buf_view(&part), /* receipt= */ NULL);
}

static void write_state(struct gg_shard *s)
{
	struct gg_buf state GG_CLEANUP(gg_buf_done) = GG_BUF(STATE_MAX);
	save(s, &state);
	int rc = state.error;
	uint32_t count = (uint32_t)((state.len + PART_BYTES - 1) / PART_BYTES);
	for (uint32_t i = 0; i < count && rc == 0; i++)
		rc = write_part(s, gg_buf_view(&state), i, count);
	s->saved_mono_ns = gg_clock_monotonic(&gg_clock_system);
	s->saved_end = gg_journal_end(s->journal);
	s->saved_bytes = state.len;
	s->samples_since = 0;
	if (rc < 0) {
		gg_log(GG_WARN, gg_loop_name(s->loop),
			"checkpoint could not be written, a restart will take longer",
			GG_S("reason", strerror(-rc)), GG_I("bytes", state.len));
		return;
	}
	gg_count(s->checkpoint_bytes, state.len);
	s->changed = false;
}

static void write_behind_letters(void *arg, int64_t number)
{
	struct gg_shard *s = arg;
	(void)number;
	if (!s->late_count)
		write_state(s);
}

void gg_shard_checkpoint(struct gg_shard *s)
{
	/* Never before what it has seen: that would run again behind it. */
	if (!s->plan || !s->changed || !s->journal || s->late_count)
		return;
	s->rules_from = !s->home && s->of > 1 ? gg_journal_end(s->journal) : 0;
	/* Behind the letters that other shards have sent so far. */
	if (!s->rules_from || gg_loop_post(s->loop, write_behind_letters, s, 0) < 0) {
		s->rules_from = 0;
		write_state(s);
	}
}

/* ---- when ---- */

static bool is_due(struct gg_shard *s)
{
	uint64_t grown = gg_journal_end(s->journal) - s->saved_end;
	int64_t age = gg_clock_monotonic(&gg_clock_system) - s->saved_mono_ns;
	bool much = s->samples_since >= SAMPLES || grown >= GROWN;
	if (age < period_ns && !(much && grown / 4 > s->saved_bytes))
		return false;
	if (grown > WORTH_IT && grown > s->saved_bytes)
		s->changed = true;
	return grown > s->saved_bytes || age >= longest_ns;
}

static void checkpoint_fires(struct gg_timer *t)
{
	struct gg_shard *s = GG_CONTAINER(t, struct gg_shard, checkpoint);
	if (is_due(s))
		gg_shard_checkpoint(s);
	gg_timer_start(s->loop, t, look_ns, checkpoint_fires);
}

void gg_shard_checkpoints_start(struct gg_shard *s)
{
	if (!s->journal || s->checkpoint.place)
		return;
	s->saved_mono_ns = gg_clock_monotonic(&gg_clock_system);
	gg_timer_start(s->loop, &s->checkpoint, look_ns, checkpoint_fires);
}

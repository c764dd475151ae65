/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing to a signal. A write is a short chain of requests, all urgent, so that it overtakes waiting polls:
 *
 *   coil                     5 ──────────────────────────────▶ read back (if asked) ─▶ done
 *   one register             6  or 16 ───────────────────────▶ read back
 *   several registers        16 ─────────────────────────────▶ read back
 *   record of a file         21 ─────────────────────────────▶ read back
 *   bit of a register        22 ─────────────────────────────▶ read back
 *                            └ unknown to it: 3, change, 6 ──▶ read back
 *
 * What a device does not know (6, 22) is remembered. Reading first and writing the word back can lose what
 * somebody else writes in between: that is why it is only the fall-back. A write that was sent is never
 * repeated: without an answer nobody knows whether it took effect, and the one who asked must decide.
 */
#include "drivers/modbus/modbus_device.h"

enum { WRITES_MAX = 64 };

enum step { STEP_WRITE, STEP_READ_FIRST, STEP_READ_BACK };

struct gg_modbus_write {
	struct gg_modbus_job job; /* first */
	struct gg_modbus_device *device;
	const struct gg_modbus_signal *signal;
	struct gg_write *w;
	enum step step;
	bool on;            /* coil or bit */
	uint16_t registers; /* how many; 0: a coil */
	uint8_t want[GG_MODBUS_STRING_MAX + 2];
	uint8_t wire[GG_MODBUS_STRING_MAX + 2]; /* what the request under way carries */
};

static bool is_bit(const struct gg_modbus_write *m)
{
	return m->registers && m->signal->form.type == GG_MODBUS_BOOL && m->signal->form.bit >= 0;
}

static void end(struct gg_modbus_write *m, int status, const char *reason)
{
	struct gg_modbus_device *d = m->device;
	struct gg_write *w = m->w;
	d->write_count--;
	free(m);
	d->ops->write_done(d->arg, w, status, reason);
}

static void send_step(struct gg_modbus_write *m, enum step step)
{
	m->step = step;
	m->job.request.unit = m->device->o.unit;
	m->job.request.address = m->signal->at.number;
	m->job.request.file = m->signal->at.file;
	m->job.broadcast = m->device->o.broadcast;
	int r = gg_modbus_line_submit(m->device->line, &m->job);
	if (r != 0)
		end(m, r, "no connection");
}

/* The bit's place in the register as the signal's order has it: the same byte swap as for decoding. */
static unsigned bit_place(const struct gg_modbus_signal *s)
{
	bool swap = s->form.order == GG_MODBUS_LITTLE || s->form.order == GG_MODBUS_BIG_SWAP;
	return (unsigned)(s->form.bit ^ (swap ? 8 : 0));
}

static void write_words(struct gg_modbus_write *m, const uint8_t *words)
{
	struct gg_modbus_request *r = &m->job.request;
	memcpy(m->wire, words, m->registers * 2U);
	bool single = m->registers == 1 && !m->device->no_single_write;
	*r = (struct gg_modbus_request){.function = m->signal->at.table == GG_MODBUS_FILE
							    ? GG_MODBUS_WRITE_FILE
						    : single ? GG_MODBUS_WRITE_REGISTER
							     : GG_MODBUS_WRITE_REGISTERS,
		.count = m->registers,
		.data = m->wire,
		.data_len = m->registers * 2U};
	send_step(m, STEP_WRITE);
}

static void read_words(struct gg_modbus_write *m, enum step step)
{
	m->job.request = (struct gg_modbus_request){.function = gg_modbus_table_read(m->signal->at.table),
		.count = m->registers ? m->registers : 1};
	send_step(m, step);
}

static void begin(struct gg_modbus_write *m)
{
	if (!m->registers) {
		m->wire[0] = m->on ? 0xff : 0;
		m->wire[1] = 0;
		m->job.request = (struct gg_modbus_request){
			.function = GG_MODBUS_WRITE_COIL, .data = m->wire, .data_len = 2};
		send_step(m, STEP_WRITE);
	} else if (!is_bit(m)) {
		write_words(m, m->want);
	} else if (m->device->no_mask_write) {
		read_words(m, STEP_READ_FIRST);
	} else {
		unsigned mask = 1U << bit_place(m->signal);
		m->job.request = (struct gg_modbus_request){.function = GG_MODBUS_MASK_WRITE,
			.and_mask = (uint16_t)~mask,
			.or_mask = (uint16_t)(m->on ? mask : 0)};
		send_step(m, STEP_WRITE);
	}
}

/* The device does not know the function: is there another way? */
static bool try_other(struct gg_modbus_write *m)
{
	struct gg_modbus_device *d = m->device;
	uint8_t function = m->job.request.function;
	if (m->step != STEP_WRITE)
		return false;
	if (function == GG_MODBUS_MASK_WRITE && !d->no_mask_write) {
		d->no_mask_write = d->unkept = true;
		read_words(m, STEP_READ_FIRST);
		return true;
	}
	if (function == GG_MODBUS_WRITE_REGISTER && !d->no_single_write) {
		uint8_t words[2];
		memcpy(words, m->wire, sizeof words);
		d->no_single_write = d->unkept = true;
		write_words(m, words);
		return true;
	}
	return false;
}

static void change_bit(struct gg_modbus_write *m, const uint8_t *word)
{
	unsigned place = bit_place(m->signal);
	uint8_t words[2] = {word[0], word[1]};
	uint8_t *byte = &words[place < 8 ? 1 : 0];
	uint8_t mask = (uint8_t)(1U << (place & 7));
	*byte = (uint8_t)(m->on ? *byte | mask : *byte & ~mask);
	write_words(m, words);
}

static bool took_effect(const struct gg_modbus_write *m, const uint8_t *data)
{
	if (!m->registers)
		return gg_modbus_bit(data, 0) == m->on;
	if (is_bit(m)) {
		unsigned place = bit_place(m->signal);
		return (data[place < 8 ? 1 : 0] >> (place & 7) & 1) == m->on;
	}
	return memcmp(data, m->want, m->registers * 2U) == 0;
}

/* What was read back is a sample like any other, and says at once what the device has now. */
static void read_back(struct gg_modbus_write *m, const uint8_t *data)
{
	struct gg_modbus_device *d = m->device;
	struct gg_batch *b = gg_batch_new(1, GG_MODBUS_STRING_MAX);
	if (b) {
		b->device = d->o.index;
		(void)gg_modbus_device_add(m->signal, data, 0, gg_loop_utc(d->loop), b);
		(void)d->ops->submit_take(d->arg, b);
	}
	if (took_effect(m, data))
		end(m, 0, "written and read back");
	else
		end(m, -EIO, "the device took the write, but reads back another value");
}

static void failed(struct gg_modbus_write *m, int status)
{
	static const struct {
		int status;
		const char *text;
	} texts[] = {{-ETIMEDOUT, "no answer: whether the write took effect is not known"},
		{-EBADMSG, "garbled answer: whether the write took effect is not known"},
		{-ENOTCONN, "connection lost"},
		{-ECANCELED, "given up: the device was lost or the driver stops"},
		{-EINVAL, "the write does not fit into a request"}};
	const char *text = strerror(-status);
	for (size_t i = 0; i < GG_COUNT(texts); i++)
		if (texts[i].status == status)
			text = texts[i].text;
	end(m, status, text);
}

static void write_done(struct gg_modbus_job *job, int status, const struct gg_modbus_answer *a)
{
	struct gg_modbus_write *m = GG_CONTAINER(job, struct gg_modbus_write, job);
	if (status != 0) {
		failed(m, status);
	} else if (!a) {
		end(m, 0, "sent to all devices of the line; nobody answers a broadcast");
	} else if (a->exception) {
		if (a->exception == GG_MODBUS_ILLEGAL_FUNCTION && try_other(m))
			return;
		end(m, a->exception == GG_MODBUS_DEVICE_BUSY ? -EAGAIN : -EIO,
			gg_modbus_exception_text(a->exception));
	} else if (m->step == STEP_READ_FIRST) {
		change_bit(m, a->data);
	} else if (m->step == STEP_READ_BACK) {
		read_back(m, a->data);
	} else if (m->signal->readback) {
		read_words(m, STEP_READ_BACK);
	} else {
		end(m, 0, "written");
	}
}

static int check_range(const struct gg_modbus_signal *s, const struct gg_write *w, struct gg_error *e)
{
	double v = gg_sample_number(&w->value);
	if (s->low == s->high || !gg_type_is_number(w->value.type) || (v >= s->low && v <= s->high))
		return 0;
	return gg_error_set(
		e, -ERANGE, "%g is outside the range of %s, %g to %g", v, s->name, s->low, s->high);
}

static int encode(struct gg_modbus_write *m, const struct gg_write *w, struct gg_error *e)
{
	const struct gg_modbus_signal *s = m->signal;
	int r;
	if (!m->registers || is_bit(m))
		r = gg_modbus_value_bool(&w->value, w->text, &m->on);
	else
		r = gg_modbus_encode_value(&s->form, &w->value, w->text, m->want);
	if (r == -ERANGE)
		return gg_error_set(e, r, "the value does not fit into the registers of %s", s->name);
	if (r == -E2BIG)
		return gg_error_set(e, r, "%s has room for %u bytes", s->name, s->form.length);
	if (r != 0)
		return gg_error_set(
			e, r, "a %s can't be written to %s", gg_type_name(w->value.type), s->name);
	return 0;
}

int gg_modbus_device_write(
	struct gg_modbus_device *d, const struct gg_modbus_signal *s, struct gg_write *w, struct gg_error *e)
{
	if (!s->writable)
		return gg_error_set(e, -EPERM, "%s is not writable", s->name);
	if (!d->line_up)
		return gg_error_set(e, -ENOTCONN, "no connection to %s", d->o.name);
	if (d->state != GG_MODBUS_ALIVE)
		return gg_error_set(e, -ETIMEDOUT, "%s does not answer", d->o.name);
	if (d->write_count >= WRITES_MAX)
		return gg_error_set(e, -EAGAIN, "too many writes to %s are under way", d->o.name);
	int r = check_range(s, w, e);
	if (r != 0)
		return r;
	struct gg_modbus_write *m = calloc(1, sizeof *m);
	if (!m)
		return gg_error_set(e, -ENOMEM, "out of memory");
	m->device = d;
	m->signal = s;
	m->w = w;
	m->registers = gg_modbus_table_is_bits(s->at.table) ? 0 : gg_modbus_form_registers(&s->form);
	m->job.done = write_done;
	m->job.owner = d;
	m->job.urgent = true;
	r = encode(m, w, e);
	if (r != 0) {
		free(m);
		return r;
	}
	d->write_count++;
	begin(m);
	return 0;
}

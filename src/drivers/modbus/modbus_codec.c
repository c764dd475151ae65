/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests out, answers in. The length of an RTU answer is worked out from its first bytes and compared with
 * what was asked for, so that a frame is accepted only when unit, function, length and CRC all fit;
 * everything else is noise of which the first byte is dropped before looking again. That finds the answer
 * behind an echo of our own request (two-wire RS-485 adapters), behind line noise at start-up, and behind the
 * end of a late answer.
 *
 * The one thing this can't tell apart is a late answer to an earlier request of the same kind; the line keeps
 * silent for a while after a timeout for that reason.
 */
#include "drivers/modbus/modbus_codec.h"

enum { MBAP = 7, MEI_IDENTIFY = 14, FILE_REFERENCE = 6 };

/* Polynomial A001h, reflected, start FFFFh (SL §6.2.2). Two nibbles per byte: a table of 32 bytes is enough.
 */
uint16_t gg_modbus_crc(const uint8_t *bytes, size_t len)
{
	static const uint16_t table[16] = {0x0000, 0xcc01, 0xd801, 0x1400, 0xf001, 0x3c00, 0x2800, 0xe401,
		0xa001, 0x6c00, 0x7800, 0xb401, 0x5000, 0x9c01, 0x8801, 0x4400};
	uint16_t crc = 0xffff;
	for (size_t i = 0; i < len; i++) {
		crc = (uint16_t)(crc >> 4 ^ table[(crc ^ bytes[i]) & 15]);
		crc = (uint16_t)(crc >> 4 ^ table[(crc ^ bytes[i] >> 4) & 15]);
	}
	return crc;
}

bool gg_modbus_is_write(uint8_t function)
{
	return function == GG_MODBUS_WRITE_COIL || function == GG_MODBUS_WRITE_REGISTER ||
	       function == GG_MODBUS_WRITE_COILS || function == GG_MODBUS_WRITE_REGISTERS ||
	       function == GG_MODBUS_MASK_WRITE || function == GG_MODBUS_READ_WRITE ||
	       function == GG_MODBUS_WRITE_FILE;
}

/* ---- requests ---- */

static bool reads_bits(uint8_t function)
{
	return function == GG_MODBUS_READ_COILS || function == GG_MODBUS_READ_DISCRETE;
}

static bool reads_registers(uint8_t function)
{
	return function == GG_MODBUS_READ_HOLDING || function == GG_MODBUS_READ_INPUT ||
	       function == GG_MODBUS_READ_WRITE;
}

/* How many bytes of data an answer to a read carries. */
static size_t read_bytes(const struct gg_modbus_request *r)
{
	return reads_bits(r->function) ? (r->count + 7U) / 8 : r->count * 2U;
}

static bool is_file(uint8_t function)
{
	return function == GG_MODBUS_READ_FILE || function == GG_MODBUS_WRITE_FILE;
}

static bool count_fits(const struct gg_modbus_request *r, unsigned most)
{
	return r->count >= 1 && r->count <= most && r->address + (unsigned)r->count <= 65536;
}

static bool request_valid(const struct gg_modbus_request *r)
{
	switch (r->function) {
	case GG_MODBUS_READ_COILS:
	case GG_MODBUS_READ_DISCRETE:
		return count_fits(r, GG_MODBUS_READ_BITS);
	case GG_MODBUS_READ_HOLDING:
	case GG_MODBUS_READ_INPUT:
		return count_fits(r, GG_MODBUS_READ_REGS);
	case GG_MODBUS_WRITE_COIL:
	case GG_MODBUS_WRITE_REGISTER:
		return r->data_len == 2;
	case GG_MODBUS_WRITE_COILS:
		return count_fits(r, GG_MODBUS_WRITE_BITS) && r->data_len == (r->count + 7U) / 8;
	case GG_MODBUS_WRITE_REGISTERS:
		return count_fits(r, GG_MODBUS_WRITE_REGS) && r->data_len == r->count * 2U;
	case GG_MODBUS_READ_WRITE:
		return count_fits(r, GG_MODBUS_READ_REGS) && r->data_len % 2 == 0 && r->data_len >= 2 &&
		       r->data_len <= GG_MODBUS_READ_WRITE_REGS * 2 &&
		       r->write_address + r->data_len / 2 <= 65536;
	case GG_MODBUS_READ_FILE:
		return count_fits(r, GG_MODBUS_READ_RECORDS) && r->file;
	case GG_MODBUS_WRITE_FILE:
		return count_fits(r, GG_MODBUS_WRITE_RECORDS) && r->file && r->data_len == r->count * 2U;
	default:
		return r->function == GG_MODBUS_MASK_WRITE || r->function == GG_MODBUS_IDENTIFY ||
		       r->function == GG_MODBUS_READ_FIFO;
	}
}

static void write_pdu(const struct gg_modbus_request *r, struct gg_writer *w)
{
	gg_write_u8(w, r->function);
	if (r->function == GG_MODBUS_IDENTIFY) {
		gg_write_u8(w, MEI_IDENTIFY);
		gg_write_u8(w, r->access       ? r->access
			       : r->object < 3 ? 1
					       : 2); /* a stream of objects (MAP §6.21) */
		gg_write_u8(w, r->object);
		return;
	}
	if (is_file(r->function)) { /* one group (MAP §6.14, §6.15) */
		gg_write_u8(w, (uint8_t)(7 + r->data_len));
		gg_write_u8(w, FILE_REFERENCE);
		gg_write_be16(w, r->file);
		gg_write_be16(w, r->address);
		gg_write_be16(w, r->count);
		gg_write_bytes(w, r->data, r->data_len);
		return;
	}
	gg_write_be16(w, r->address);
	switch (r->function) {
	case GG_MODBUS_WRITE_COIL:
	case GG_MODBUS_WRITE_REGISTER:
	case GG_MODBUS_READ_FIFO:
		break;
	case GG_MODBUS_MASK_WRITE:
		gg_write_be16(w, r->and_mask);
		gg_write_be16(w, r->or_mask);
		return;
	case GG_MODBUS_READ_WRITE:
		gg_write_be16(w, r->count);
		gg_write_be16(w, r->write_address);
		gg_write_be16(w, (uint16_t)(r->data_len / 2));
		gg_write_u8(w, (uint8_t)r->data_len);
		break;
	default:
		gg_write_be16(w, r->count);
		if (!r->data_len)
			return;
		gg_write_u8(w, (uint8_t)r->data_len);
	}
	gg_write_bytes(w, r->data, r->data_len);
}

int gg_modbus_encode(enum gg_modbus_framing framing, uint16_t transaction, const struct gg_modbus_request *r,
	struct gg_writer *to)
{
	if (!request_valid(r))
		return -EINVAL;
	uint8_t pdu[GG_MODBUS_PDU];
	struct gg_writer w = gg_writer(pdu, sizeof pdu);
	write_pdu(r, &w);
	if (!gg_writer_ok(&w))
		return -E2BIG;
	uint8_t *frame = to->p;
	if (framing == GG_MODBUS_TCP) {
		gg_write_be16(to, transaction);
		gg_write_be16(to, 0);
		gg_write_be16(to, (uint16_t)(gg_writer_len(&w) + 1));
	}
	gg_write_u8(to, r->unit);
	gg_write_bytes(to, pdu, gg_writer_len(&w));
	if (framing == GG_MODBUS_RTU)
		gg_write_le16(to, gg_modbus_crc(frame, (size_t)(to->p - frame)));
	return gg_writer_ok(to) ? 0 : -E2BIG;
}

/* ---- answers ---- */

/* Of the one group that was asked for the registers remain. */
static bool split_file(struct gg_reader *r)
{
	uint8_t all = gg_read_u8(r), len = gg_read_u8(r), reference = gg_read_u8(r);
	return gg_reader_ok(r) && reference == FILE_REFERENCE && all == len + 1 &&
	       len == gg_reader_left(r) + 1;
}

static bool split_fifo(struct gg_reader *r)
{
	uint16_t bytes = gg_read_be16(r), count = gg_read_be16(r);
	return gg_reader_ok(r) && count <= GG_MODBUS_FIFO_REGS && bytes == count * 2 + 2 &&
	       gg_reader_left(r) == count * 2U;
}

/* Splits a PDU; what was read stands alone in data. False: cut short or too long. */
static bool split_pdu(const uint8_t *pdu, size_t len, struct gg_modbus_answer *a)
{
	struct gg_reader r = gg_reader(pdu, len);
	uint8_t function = gg_read_u8(&r);
	a->function = function & 0x7f;
	a->exception = 0;
	if (function & 0x80) {
		a->exception = gg_read_u8(&r);
		a->data = r.p;
		a->len = 0;
		return gg_reader_ok(&r) && a->exception && gg_reader_left(&r) == 0;
	}
	if (reads_bits(a->function) || reads_registers(a->function)) {
		uint8_t count = gg_read_u8(&r);
		if (count != gg_reader_left(&r))
			return false;
	}
	if (a->function == GG_MODBUS_READ_FILE && !split_file(&r))
		return false;
	if (a->function == GG_MODBUS_READ_FIFO && !split_fifo(&r))
		return false;
	a->len = gg_reader_left(&r);
	a->data = r.p;
	return gg_reader_ok(&r);
}

static int take_tcp(const uint8_t *bytes, size_t len, struct gg_modbus_answer *ret_answer, size_t *ret_used)
{
	if (len < MBAP)
		return 0;
	struct gg_reader r = gg_reader(bytes, len);
	struct gg_modbus_answer a = {.transaction = gg_read_be16(&r)};
	uint16_t protocol = gg_read_be16(&r), length = gg_read_be16(&r);
	a.unit = gg_read_u8(&r);
	if (protocol != 0 || length < 3 || length > GG_MODBUS_PDU + 1)
		return -EBADMSG;
	if (gg_reader_left(&r) < length - 1U)
		return 0;
	if (!split_pdu(r.p, length - 1U, &a)) {
		/* The frame's end is known, so only this answer is lost: it fits no request. */
		a.data = r.p;
		a.len = 0;
		a.function = 0;
		a.exception = 0;
	}
	*ret_used = MBAP + length - 1U;
	*ret_answer = a;
	return 1;
}

/* The length of the PDU of an answer to 43/14, whose objects have to be walked; 0: not yet known; SIZE_MAX:
 * none. */
static size_t identity_length(const uint8_t *pdu, size_t len)
{
	size_t at = 7; /* function, MEI, code, conformity, more, next, number */
	if (len < at)
		return 0;
	if (pdu[1] != MEI_IDENTIFY)
		return SIZE_MAX;
	for (unsigned i = 0; i < pdu[6]; i++) {
		if (len < at + 2)
			return at + 2 > GG_MODBUS_PDU ? SIZE_MAX : 0;
		at += 2U + pdu[at + 1];
	}
	return at <= GG_MODBUS_PDU ? at : SIZE_MAX;
}

/* What the count of bytes in the answer has to be. */
static size_t counted_bytes(const struct gg_modbus_request *r)
{
	if (r->function == GG_MODBUS_READ_FILE)
		return 2U + read_bytes(r);
	return r->function == GG_MODBUS_WRITE_FILE ? 7U + read_bytes(r) : read_bytes(r);
}

/* The length of the PDU that starts here if it is the answer to r; 0: needs more bytes; SIZE_MAX: it is not.
 */
static size_t rtu_length(const struct gg_modbus_request *r, const uint8_t *pdu, size_t len)
{
	if (len < 1)
		return 0;
	if (pdu[0] == (r->function | 0x80))
		return 2;
	if (pdu[0] != r->function)
		return SIZE_MAX;
	switch (r->function) {
	case GG_MODBUS_WRITE_COIL:
	case GG_MODBUS_WRITE_REGISTER:
	case GG_MODBUS_WRITE_COILS:
	case GG_MODBUS_WRITE_REGISTERS:
		return 5;
	case GG_MODBUS_MASK_WRITE:
		return 7;
	case GG_MODBUS_IDENTIFY:
		return identity_length(pdu, len);
	case GG_MODBUS_READ_FIFO:
		if (len < 3)
			return 0;
		return pdu[1] == 0 && pdu[2] <= 2 + 2 * GG_MODBUS_FIFO_REGS ? 3U + pdu[2] : SIZE_MAX;
	default:
		if (len < 2)
			return 0;
		return pdu[1] == counted_bytes(r) ? 2U + pdu[1] : SIZE_MAX;
	}
}

static int take_rtu(const struct gg_modbus_request *expect, const uint8_t *bytes, size_t len,
	struct gg_modbus_answer *ret_answer, size_t *ret_used)
{
	size_t at = 0;
	for (; expect && at < len; at++) {
		if (bytes[at] != expect->unit)
			continue;
		size_t pdu_len = rtu_length(expect, bytes + at + 1, len - at - 1);
		if (pdu_len == SIZE_MAX)
			continue;
		if (pdu_len == 0 || len - at < pdu_len + 3) {
			*ret_used = at;
			return 0;
		}
		struct gg_reader crc = gg_reader(bytes + at + 1 + pdu_len, 2);
		if (gg_read_le16(&crc) != gg_modbus_crc(bytes + at, pdu_len + 1))
			continue;
		struct gg_modbus_answer a = {.unit = bytes[at]};
		if (!split_pdu(bytes + at + 1, pdu_len, &a) || gg_modbus_check(expect, &a) != 0)
			continue;
		*ret_used = at + pdu_len + 3;
		*ret_answer = a;
		return 1;
	}
	*ret_used = len;
	return 0;
}

int gg_modbus_take(enum gg_modbus_framing framing, const struct gg_modbus_request *expect,
	const uint8_t *bytes, size_t len, struct gg_modbus_answer *ret_answer, size_t *ret_used)
{
	*ret_used = 0;
	return framing == GG_MODBUS_TCP ? take_tcp(bytes, len, ret_answer, ret_used)
					: take_rtu(expect, bytes, len, ret_answer, ret_used);
}

size_t gg_modbus_answer_bytes(enum gg_modbus_framing framing, const struct gg_modbus_request *r)
{
	if (!reads_bits(r->function) && !reads_registers(r->function))
		return 0;
	return (framing == GG_MODBUS_TCP ? MBAP : 3U) + 2U + read_bytes(r);
}

static bool echoes_file(const struct gg_modbus_request *r, const struct gg_modbus_answer *a)
{
	struct gg_reader in = gg_reader(a->data, a->len);
	uint8_t bytes = gg_read_u8(&in), reference = gg_read_u8(&in);
	uint16_t file = gg_read_be16(&in), record = gg_read_be16(&in), count = gg_read_be16(&in);
	return gg_reader_ok(&in) && bytes == 7 + r->data_len && reference == FILE_REFERENCE &&
	       file == r->file && record == r->address && count == r->count &&
	       gg_reader_left(&in) == r->data_len && memcmp(in.p, r->data, r->data_len) == 0;
}

static bool echoes(const struct gg_modbus_request *r, const struct gg_modbus_answer *a)
{
	struct gg_reader in = gg_reader(a->data, a->len);
	if (r->function == GG_MODBUS_WRITE_FILE)
		return echoes_file(r, a);
	if (gg_read_be16(&in) != r->address)
		return false;
	switch (r->function) {
	case GG_MODBUS_WRITE_COIL:
	case GG_MODBUS_WRITE_REGISTER:
		return a->len == 4 && memcmp(a->data + 2, r->data, 2) == 0;
	case GG_MODBUS_MASK_WRITE:
		return a->len == 6 && gg_read_be16(&in) == r->and_mask && gg_read_be16(&in) == r->or_mask;
	default:
		return a->len == 4 && gg_read_be16(&in) == r->count;
	}
}

int gg_modbus_check(const struct gg_modbus_request *r, const struct gg_modbus_answer *a)
{
	if (a->unit != r->unit || a->function != r->function)
		return -EBADMSG;
	if (a->exception)
		return 0;
	bool fits;
	if (reads_bits(r->function) || reads_registers(r->function) || r->function == GG_MODBUS_READ_FILE) {
		fits = a->len == read_bytes(r);
	} else if (r->function == GG_MODBUS_READ_FIFO) {
		fits = a->len <= GG_MODBUS_FIFO_REGS * 2;
	} else if (r->function == GG_MODBUS_IDENTIFY) {
		fits = a->len >= 6 && identity_length(a->data - 1, a->len + 1) == a->len + 1;
	} else {
		fits = echoes(r, a);
	}
	return fits ? 0 : -EBADMSG;
}

uint8_t gg_modbus_identity_level(const struct gg_modbus_answer *a)
{
	uint8_t level = a->data[2] & 0x0f; /* the high bit says that single objects can be asked for, too */
	return level < 1 ? 1 : level > 3 ? 3 : level;
}

uint8_t gg_modbus_identity_more(const struct gg_modbus_answer *a)
{
	return a->data[3] == 0xff ? a->data[4] : 0;
}

bool gg_modbus_identity(
	const struct gg_modbus_answer *a, size_t *at, uint8_t *ret_id, struct gg_str *ret_text)
{
	size_t from = *at ? *at : 6;
	if (from >= a->len)
		return false;
	struct gg_reader r = gg_reader(a->data + from, a->len - from);
	uint8_t id = gg_read_u8(&r), len = gg_read_u8(&r);
	struct gg_str text = gg_read_str(&r, len);
	if (!gg_reader_ok(&r))
		return false;
	*at = from + 2U + len;
	*ret_id = id;
	*ret_text = text;
	return true;
}

/* ---- exceptions ---- */

static const struct {
	uint8_t code;
	uint8_t reason; /* enum gg_reason */
	const char *text;
} exceptions[] = {
	{GG_MODBUS_ILLEGAL_FUNCTION, GG_REASON_ILLEGAL_FUNCTION, "illegal function"},
	{GG_MODBUS_ILLEGAL_ADDRESS, GG_REASON_ILLEGAL_ADDRESS, "illegal data address"},
	{GG_MODBUS_ILLEGAL_VALUE, GG_REASON_ILLEGAL_VALUE, "illegal data value"},
	{GG_MODBUS_DEVICE_FAILURE, GG_REASON_DEVICE_FAILURE, "device failure"},
	{GG_MODBUS_ACKNOWLEDGE, GG_REASON_DEVICE_BUSY, "acknowledged, still working on it"},
	{GG_MODBUS_DEVICE_BUSY, GG_REASON_DEVICE_BUSY, "device busy"},
	{8, GG_REASON_DEVICE_FAILURE, "memory parity error"},
	{GG_MODBUS_GATEWAY_PATH, GG_REASON_NO_CONNECTION, "gateway has no path to the device"},
	{GG_MODBUS_GATEWAY_TARGET, GG_REASON_TIMEOUT, "device behind the gateway does not answer"},
};

const char *gg_modbus_exception_text(uint8_t exception)
{
	for (size_t i = 0; i < GG_COUNT(exceptions); i++)
		if (exceptions[i].code == exception)
			return exceptions[i].text;
	return "unknown exception";
}

enum gg_reason gg_modbus_exception_reason(uint8_t exception)
{
	for (size_t i = 0; i < GG_COUNT(exceptions); i++)
		if (exceptions[i].code == exception)
			return (enum gg_reason)exceptions[i].reason;
	return GG_REASON_REFUSED;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Modbus frames, both ways, as pure functions: requests are written, answers are taken out of a byte stream.
 * (Modbus Application Protocol V1.1b3 "MAP"; Messaging on TCP/IP V1.0b "TCP"; over Serial Line V1.02 "SL".)
 *
 *   TCP   | transaction 2 | protocol 0 2 | length 2 | unit 1 | PDU: function 1, data .. 252 |
 *   RTU                                             | unit 1 | PDU                          | CRC16 2, low
 * first |
 *
 * RTU has no length and over a stream no silence to mark its end, so the length follows from the function
 * code and from what was asked; bytes that can't begin the answer are skipped one by one until something
 * fits. Thread: pure functions.
 */
#ifndef GG_MODBUS_CODEC_H
#define GG_MODBUS_CODEC_H

#include "base/bytes.h"
#include "ganglion/sample.h"

enum {
	GG_MODBUS_ADU = 260,             /* the longest frame (TCP §4.1) */
	GG_MODBUS_PDU = 253,             /* MAP §4.1 */
	GG_MODBUS_READ_BITS = 2000,      /* MAP §6.1 */
	GG_MODBUS_READ_REGS = 125,       /* MAP §6.3 */
	GG_MODBUS_WRITE_BITS = 1968,     /* MAP §6.11 */
	GG_MODBUS_WRITE_REGS = 123,      /* MAP §6.12 */
	GG_MODBUS_READ_WRITE_REGS = 121, /* MAP §6.17: what function 23 writes */
	GG_MODBUS_READ_RECORDS = 124,    /* MAP §6.14: of one file, in one answer */
	GG_MODBUS_WRITE_RECORDS = 121,   /* MAP §6.15: a request of up to FBh bytes */
	GG_MODBUS_FIFO_REGS = 31,        /* MAP §6.18 */
};

enum gg_modbus_framing { GG_MODBUS_TCP, GG_MODBUS_RTU };

enum gg_modbus_function {
	GG_MODBUS_READ_COILS = 1,
	GG_MODBUS_READ_DISCRETE = 2,
	GG_MODBUS_READ_HOLDING = 3,
	GG_MODBUS_READ_INPUT = 4,
	GG_MODBUS_WRITE_COIL = 5,
	GG_MODBUS_WRITE_REGISTER = 6,
	GG_MODBUS_WRITE_COILS = 15,
	GG_MODBUS_WRITE_REGISTERS = 16,
	GG_MODBUS_READ_FILE = 20,
	GG_MODBUS_WRITE_FILE = 21,
	GG_MODBUS_MASK_WRITE = 22,
	GG_MODBUS_READ_WRITE = 23,
	GG_MODBUS_READ_FIFO = 24,
	GG_MODBUS_IDENTIFY = 43, /* with MEI type 14 */
};

enum gg_modbus_exception { /* MAP §7 */
	GG_MODBUS_ILLEGAL_FUNCTION = 1,
	GG_MODBUS_ILLEGAL_ADDRESS = 2,
	GG_MODBUS_ILLEGAL_VALUE = 3,
	GG_MODBUS_DEVICE_FAILURE = 4,
	GG_MODBUS_ACKNOWLEDGE = 5,
	GG_MODBUS_DEVICE_BUSY = 6,
	GG_MODBUS_GATEWAY_PATH = 10,
	GG_MODBUS_GATEWAY_TARGET = 11,
};

struct gg_modbus_request {
	uint8_t unit;
	uint8_t function;           /* enum gg_modbus_function */
	uint16_t address;           /* first coil, register or record, from 0; 23: of the read part */
	uint16_t count;             /* 1-4, 15, 16, 20, 21, 23; how many */
	uint16_t file;              /* 20, 21 */
	uint16_t write_address;     /* 23 */
	uint16_t and_mask, or_mask; /* 22 */
	uint8_t object;             /* 43: the first object asked for */
	uint8_t access;             /* 43: 1 basic, 2 regular, 3 extended; 0: as the object has it */
	/* 5, 6: two bytes as they go on the wire; 15: packed bits; 16, 21, 23: registers */
	const uint8_t *data;
	size_t data_len;
};

struct gg_modbus_answer {
	uint16_t transaction;   /* TCP */
	uint8_t unit, function; /* without the exception's bit */
	uint8_t exception;      /* 0 = none */
	const uint8_t *data; /* what was read: packed bits or registers; else the PDU behind the function */
	size_t len;
};

/* Appends a whole frame. Errors: -EINVAL counts or lengths the standard does not allow, -E2BIG no room. */
int gg_modbus_encode(enum gg_modbus_framing framing, uint16_t transaction, const struct gg_modbus_request *r,
	struct gg_writer *to);

/*
 * Takes one answer from the bytes of a stream. *ret_used says how many bytes are done with in any case
 * (skipped noise and the frame). expect: the request under way; needed for RTU (NULL: nothing is expected and
 * all is noise), not looked at for TCP, whose answers are matched by transaction. Returns 1 with *ret_answer,
 * 0 when more bytes are needed, -EBADMSG when the stream can't be followed any more (TCP: wrong protocol or
 * length).
 */
int gg_modbus_take(enum gg_modbus_framing framing, const struct gg_modbus_request *expect,
	const uint8_t *bytes, size_t len, struct gg_modbus_answer *ret_answer, size_t *ret_used);

/* How long the frame of the answer is, exceptions apart; 0: that depends. */
size_t gg_modbus_answer_bytes(enum gg_modbus_framing framing, const struct gg_modbus_request *r);

/* Does the answer fit the request: unit, function, byte count, echo? Errors: -EBADMSG. */
int gg_modbus_check(const struct gg_modbus_request *r, const struct gg_modbus_answer *a);

/* What a checked answer to 43/14 says of itself: the most the device knows (1 basic, 2 regular, 3 extended),
 * and which object is to be asked for next; 0: that was all. */
uint8_t gg_modbus_identity_level(const struct gg_modbus_answer *a);
uint8_t gg_modbus_identity_more(const struct gg_modbus_answer *a);
/* Walks the objects of a checked answer to function 43/14: *at is 0 at first. False at the end. */
bool gg_modbus_identity(
	const struct gg_modbus_answer *a, size_t *at, uint8_t *ret_id, struct gg_str *ret_text);

bool gg_modbus_is_write(uint8_t function);
uint16_t gg_modbus_crc(const uint8_t *bytes, size_t len);
/* For people: "illegal data address". */
const char *gg_modbus_exception_text(uint8_t exception);
/* For a sample. */
enum gg_reason gg_modbus_exception_reason(uint8_t exception);

static inline bool gg_modbus_bit(const uint8_t *packed, size_t i)
{
	return packed[i / 8] >> (i % 8) & 1;
}

#endif

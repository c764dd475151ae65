/* SPDX-License-Identifier: Apache-2.0 */
/* A serial port as Modbus wants it: raw, with the silent intervals of the line's speed. Thread: any. */
#ifndef GG_MODBUS_SERIAL_H
#define GG_MODBUS_SERIAL_H

#include "base/error.h"
#include "ganglion/option.h"

enum gg_modbus_parity { GG_MODBUS_PARITY_EVEN, GG_MODBUS_PARITY_ODD, GG_MODBUS_PARITY_NONE };

struct gg_modbus_serial {
	int64_t baud;
	int parity;        /* enum gg_modbus_parity */
	int64_t data_bits; /* 8; 7 exists in the field for ASCII converters */
	int64_t stop_bits; /* 0 = what the standard says: 1 with parity, 2 without (SL §2.5.1) */
	bool rs485;        /* let the kernel drive the transmitter (TIOCSRS485) */
};

extern const struct gg_option gg_modbus_serial_options[];

/* Opens and sets up; refuses a port that somebody else has locked. Errors: -errno with a text. */
int gg_modbus_serial_open(
	const char *path, const struct gg_modbus_serial *o, int *ret_fd, struct gg_error *e);
/* Is the speed one that termios knows? */
bool gg_modbus_serial_speed_known(int64_t baud);
/* The silence that parts two frames: 3.5 characters of 11 bits, 1.75 ms above 19200 baud (SL §2.5.1.1). */
int64_t gg_modbus_serial_silence_ns(int64_t baud);

#endif

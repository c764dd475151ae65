/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening a serial port. It is locked with flock(2) and TIOCEXCL, because two masters on one bus destroy each
 * other's frames without an error anywhere. The descriptor is non-blocking from the start: a port without
 * carrier must not hang the loop in open(2).
 */
#include "drivers/modbus/modbus_serial.h"

#include <fcntl.h>
#include <linux/serial.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

static const char *const parities[] = {"even", "odd", "none", NULL};

const struct gg_option gg_modbus_serial_options[] = {
	GG_OPTION(struct gg_modbus_serial, baud, INT, .def = "19200", .min = "50", .max = "4000000",
		.unit = "baud", .help = "Speed of the line"),
	GG_OPTION(struct gg_modbus_serial, parity, CHOICE, .def = "even", .choices = parities,
		.help = "Parity bit"),
	GG_OPTION(struct gg_modbus_serial, data_bits, INT, .def = "8", .min = "7", .max = "8",
		.help = "Data bits"),
	GG_OPTION(struct gg_modbus_serial, stop_bits, INT, .def = "0", .min = "0", .max = "2",
		.help = "Stop bits; 0: one with parity, two without, as the standard says"),
	GG_OPTION(struct gg_modbus_serial, rs485, BOOL, .def = "false",
		.help = "Let the kernel switch the RS-485 transmitter, for ports whose hardware does not"),
	{0},
};

static const struct {
	int64_t baud;
	speed_t speed;
} speeds[] = {{50, B50}, {75, B75}, {110, B110}, {134, B134}, {150, B150}, {200, B200}, {300, B300},
	{600, B600}, {1200, B1200}, {1800, B1800}, {2400, B2400}, {4800, B4800}, {9600, B9600},
	{19200, B19200}, {38400, B38400}, {57600, B57600}, {115200, B115200}, {230400, B230400},
	{460800, B460800}, {500000, B500000}, {576000, B576000}, {921600, B921600}, {1000000, B1000000},
	{1152000, B1152000}, {1500000, B1500000}, {2000000, B2000000}, {2500000, B2500000},
	{3000000, B3000000}, {3500000, B3500000}, {4000000, B4000000}};

static const speed_t *find_speed(int64_t baud)
{
	for (size_t i = 0; i < GG_COUNT(speeds); i++)
		if (speeds[i].baud == baud)
			return &speeds[i].speed;
	return NULL;
}

bool gg_modbus_serial_speed_known(int64_t baud)
{
	return find_speed(baud) != NULL;
}

int64_t gg_modbus_serial_silence_ns(int64_t baud)
{
	if (baud > 19200)
		return 1750 * GG_NS_PER_US;
	return 35 * 11 * GG_NS_PER_S / (baud > 0 ? baud * 10 : 1);
}

static int set_up(int fd, const struct gg_modbus_serial *o)
{
	const speed_t *speed = find_speed(o->baud);
	struct termios t;
	if (!speed)
		return -EINVAL;
	if (tcgetattr(fd, &t) != 0)
		return -errno;
	cfmakeraw(&t);
	t.c_cflag &= ~(tcflag_t)(CSIZE | CSTOPB | PARENB | PARODD | CRTSCTS);
	t.c_cflag |= CLOCAL | CREAD | (o->data_bits == 7 ? CS7 : CS8);
	if (o->parity != GG_MODBUS_PARITY_NONE)
		t.c_cflag |= PARENB;
	if (o->parity == GG_MODBUS_PARITY_ODD)
		t.c_cflag |= PARODD;
	if (o->stop_bits == 2 || (o->stop_bits == 0 && o->parity == GG_MODBUS_PARITY_NONE))
		t.c_cflag |= CSTOPB;
	/* A byte with wrong parity is dropped, so that the CRC fails rather than the byte becomes 0. */
	t.c_iflag |= IGNBRK | (o->parity == GG_MODBUS_PARITY_NONE ? 0 : INPCK | IGNPAR);
	t.c_cc[VMIN] = 1;
	t.c_cc[VTIME] = 0;
	if (cfsetispeed(&t, *speed) != 0 || cfsetospeed(&t, *speed) != 0 || tcsetattr(fd, TCSANOW, &t) != 0)
		return -errno;
	if (o->rs485) {
		struct serial_rs485 rs = {.flags = SER_RS485_ENABLED | SER_RS485_RTS_ON_SEND};
		if (ioctl(fd, TIOCSRS485, &rs) != 0)
			return -errno;
	}
	return tcflush(fd, TCIOFLUSH) != 0 ? -errno : 0;
}

int gg_modbus_serial_open(const char *path, const struct gg_modbus_serial *o, int *ret_fd, struct gg_error *e)
{
	int fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return gg_error_set(e, -errno, "can't open %s: %s", path, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		close(fd);
		return gg_error_set(e, -EBUSY, "%s is in use by another program or instance", path);
	}
	(void)ioctl(fd, TIOCEXCL);
	int r = set_up(fd, o);
	if (r != 0) {
		close(fd);
		return gg_error_set(
			e, r, "can't set up %s%s: %s", path, o->rs485 ? " (with rs485)" : "", strerror(-r));
	}
	*ret_fd = fd;
	return 0;
}

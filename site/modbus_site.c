/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server's thread: poll() over a wake-up pipe, the listeners, the serial lines and the clients. libmodbus
 * reads a whole request at a time, waiting shortly for its rest; good for a peer, and the reason it is not in
 * the gateway.
 */
#include "modbus_site.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PORTS_MAX = 64, CLIENTS_MAX = 512 };

struct port {
	modbus_t *ctx;
	int listener; /* -1: a serial line */
	int serial;   /* -1: TCP */
	uint16_t number;
	struct gg_site_modbus_unit *units;
	unsigned unit_count;
};

struct client {
	int fd;
	unsigned port;
};

struct gg_site_modbus {
	struct gg_site_modbus_options o;
	struct port ports[PORTS_MAX];
	unsigned port_count;
	struct client clients[CLIENTS_MAX];
	unsigned client_count;
	pthread_mutex_t units_lock; /* guards what units hold, and clients */
	pthread_t thread;
	bool started;
	int wake[2];
};

/* ---- values ---- */

void gg_site_modbus_put_u32(uint16_t *registers, uint32_t value)
{
	registers[0] = (uint16_t)(value >> 16);
	registers[1] = (uint16_t)value;
}

void gg_site_modbus_put_float(uint16_t *registers, float value)
{
	uint32_t bits;
	memcpy(&bits, &value, sizeof bits);
	gg_site_modbus_put_u32(registers, bits);
}

/* ---- making ---- */

static int make_units(struct gg_site_modbus *s, unsigned port, unsigned first, unsigned count)
{
	struct port *p = &s->ports[port];
	p->units = calloc(count, sizeof *p->units);
	if (!p->units)
		return -1;
	for (unsigned i = 0; i < count; i++) {
		struct gg_site_modbus_unit *u = &p->units[i];
		u->port = port;
		u->unit = first + i;
		u->map = modbus_mapping_new(
			(int)s->o.coils, (int)s->o.discretes, (int)s->o.holdings, (int)s->o.inputs);
		if (!u->map)
			return -1;
		p->unit_count++;
	}
	return 0;
}

static void set_patience(modbus_t *ctx)
{
	modbus_set_byte_timeout(ctx, 0, 50000);
	modbus_set_response_timeout(ctx, 0, 20000);
}

static int open_port(struct gg_site_modbus *s, uint16_t number)
{
	struct port *p = &s->ports[s->port_count];
	struct sockaddr_in bound;
	socklen_t size = sizeof bound;
	*p = (struct port){.listener = -1, .serial = -1};
	p->ctx = modbus_new_tcp(s->o.host ? s->o.host : "127.0.0.1", number);
	s->port_count++;
	if (!p->ctx)
		return -1;
	set_patience(p->ctx);
	p->listener = modbus_tcp_listen(p->ctx, 64);
	if (p->listener < 0 || getsockname(p->listener, (struct sockaddr *)&bound, &size) != 0)
		return -1;
	p->number = ntohs(bound.sin_port);
	return make_units(s, s->port_count - 1, 1, s->o.units);
}

struct gg_site_modbus *gg_site_modbus_new(const struct gg_site_modbus_options *o)
{
	struct gg_site_modbus *s = calloc(1, sizeof *s);
	if (!s)
		return NULL;
	s->o = *o;
	s->wake[0] = s->wake[1] = -1;
	pthread_mutex_init(&s->units_lock, NULL);
	int r = o->ports > PORTS_MAX || o->units > 247 || pipe(s->wake) != 0 ? -1 : 0;
	for (unsigned i = 0; r == 0 && i < o->ports; i++)
		r = open_port(s, o->first_port ? (uint16_t)(o->first_port + i) : 0);
	if (r != 0) {
		int e = errno ? errno : EINVAL;
		gg_site_modbus_free(s);
		errno = e;
		return NULL;
	}
	return s;
}

int gg_site_modbus_add_serial(struct gg_site_modbus *s, const char *path, int baud, unsigned unit)
{
	struct port *p = &s->ports[s->port_count];
	if (s->port_count >= PORTS_MAX || s->started)
		return -1;
	*p = (struct port){.listener = -1, .serial = -1};
	p->ctx = modbus_new_rtu(path, baud, 'E', 8, 1);
	if (!p->ctx)
		return -1;
	s->port_count++;
	set_patience(p->ctx);
	if (modbus_set_slave(p->ctx, (int)unit) != 0 || modbus_connect(p->ctx) != 0)
		return -1;
	p->serial = modbus_get_socket(p->ctx);
	return make_units(s, s->port_count - 1, unit, 1) != 0 ? -1 : (int)s->port_count - 1;
}

/* ---- serving ---- */

struct query {
	uint8_t bytes[MODBUS_TCP_MAX_ADU_LENGTH];
	int len;
	unsigned unit, function, address, count;
};

static unsigned word(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static void parse(struct query *q, int header)
{
	const uint8_t *pdu = q->bytes + header;
	q->unit = q->bytes[header - 1];
	q->function = pdu[0];
	q->address = q->len >= header + 3 ? word(pdu + 1) : 0;
	q->count = 1;
	if (q->len >= header + 5 && q->function != 5 && q->function != 6 && q->function != 22)
		q->count = word(pdu + 3);
}

/* The exception a fault asks for; 0: none. */
static uint8_t faulty(const struct gg_site_modbus_unit *u, const struct query *q)
{
	const struct gg_site_modbus_faults *f = &u->faults;
	if (f->exception)
		return f->exception;
	for (size_t i = 0; i < sizeof f->unknown; i++)
		if (f->unknown[i] && f->unknown[i] == q->function)
			return MODBUS_EXCEPTION_ILLEGAL_FUNCTION;
	bool holding = q->function == 3 || q->function == 6 || q->function == 16 || q->function == 22;
	if (holding && q->address < f->hole_end && q->address + q->count > f->hole_first)
		return MODBUS_EXCEPTION_ILLEGAL_DATA_ADDRESS;
	if (f->most_registers && (q->function == 3 || q->function == 4) && q->count > f->most_registers)
		return MODBUS_EXCEPTION_ILLEGAL_DATA_VALUE;
	return 0;
}

static bool writes(unsigned function)
{
	return function == 5 || function == 6 || function == 15 || function == 16 || function == 22 ||
	       function == 23;
}

/* What the stuck registers hold, so that a write can be undone. */
static void keep_stuck(const struct gg_site_modbus_unit *u, uint16_t *kept, bool back)
{
	for (unsigned a = u->faults.stuck_first;
		a < u->faults.stuck_end && a < (unsigned)u->map->nb_registers; a++) {
		uint16_t *r = &u->map->tab_registers[a];
		uint16_t *k = &kept[a - u->faults.stuck_first];
		*(back ? r : k) = *(back ? k : r);
	}
}

static void answer(struct gg_site_modbus *s, struct port *p, struct query *q)
{
	struct gg_site_modbus_unit *u = gg_site_modbus_unit(s, (unsigned)(p - s->ports), q->unit);
	uint8_t dropped[4096];
	if (!u && q->unit == 0 && p->serial >= 0)
		u = &p->units[0]; /* a broadcast: libmodbus does as it is told and says nothing */
	if (u && u->faults.one_by_one && p->listener >= 0)
		(void)!recv(modbus_get_socket(p->ctx), dropped, sizeof dropped, MSG_DONTWAIT);
	if (!u || u->faults.silent || (u->faults.silent_at && u->faults.silent_at == q->function))
		return;
	u->requests++;
	uint8_t exception = faulty(u, q);
	if (exception) {
		modbus_reply_exception(p->ctx, q->bytes, exception);
		return;
	}
	if (s->o.refresh && q->function >= 1 && q->function <= 4)
		s->o.refresh(s->o.arg, u, (int)q->function, q->address, q->count);
	uint16_t kept[65536 / 64];
	bool stuck = u->faults.stuck_end > u->faults.stuck_first &&
		     (size_t)(u->faults.stuck_end - u->faults.stuck_first) <= sizeof kept / sizeof kept[0];
	if (stuck)
		keep_stuck(u, kept, false);
	modbus_reply(p->ctx, q->bytes, q->len, u->map);
	if (stuck)
		keep_stuck(u, kept, true);
	if (s->o.written && writes(q->function))
		s->o.written(s->o.arg, u, (int)q->function, q->address, q->count);
}

/* false: the peer is gone. */
static bool serve(struct gg_site_modbus *s, struct port *p, int fd)
{
	struct query q;
	modbus_set_socket(p->ctx, fd);
	q.len = modbus_receive(p->ctx, q.bytes);
	if (q.len < 0)
		return p->serial >= 0; /* a line stays, whatever comes over it */
	if (q.len == 0)
		return true; /* for another unit */
	int header = modbus_get_header_length(p->ctx);
	if (q.len <= header)
		return true;
	parse(&q, header);
	answer(s, p, &q);
	return true;
}

static void accept_client(struct gg_site_modbus *s, unsigned port)
{
	int fd = accept(s->ports[port].listener, NULL, NULL);
	if (fd < 0)
		return;
	if (s->client_count == CLIENTS_MAX) {
		close(fd);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
	s->clients[s->client_count++] = (struct client){fd, port};
}

static void drop_client(struct gg_site_modbus *s, unsigned i)
{
	close(s->clients[i].fd);
	s->clients[i] = s->clients[--s->client_count];
}

static nfds_t watch_all(struct gg_site_modbus *s, struct pollfd *p)
{
	nfds_t n = 0;
	p[n++] = (struct pollfd){.fd = s->wake[0], .events = POLLIN};
	for (unsigned i = 0; i < s->port_count; i++)
		p[n++] = (struct pollfd){
			.fd = s->ports[i].listener >= 0 ? s->ports[i].listener : s->ports[i].serial,
			.events = POLLIN};
	for (unsigned i = 0; i < s->client_count; i++)
		p[n++] = (struct pollfd){.fd = s->clients[i].fd, .events = POLLIN};
	return n;
}

static void handle(struct gg_site_modbus *s, const struct pollfd *p, nfds_t n)
{
	/* From the back, because dropping moves the last into the gap; nobody is accepted before. */
	for (nfds_t i = n; i-- > 1 + s->port_count;) {
		unsigned c = (unsigned)(i - 1 - s->port_count);
		if (p[i].revents && c < s->client_count && s->clients[c].fd == p[i].fd &&
			!serve(s, &s->ports[s->clients[c].port], p[i].fd))
			drop_client(s, c);
	}
	for (unsigned i = 0; i < s->port_count; i++) {
		if (!p[1 + i].revents)
			continue;
		if (s->ports[i].listener >= 0)
			accept_client(s, i);
		else
			serve(s, &s->ports[i], s->ports[i].serial);
	}
}

static void *run(void *arg)
{
	struct gg_site_modbus *s = arg;
	struct pollfd p[1 + PORTS_MAX + CLIENTS_MAX];
	for (;;) {
		gg_site_modbus_lock(s);
		nfds_t n = watch_all(s, p);
		gg_site_modbus_unlock(s);
		if (poll(p, n, -1) < 0 && errno != EINTR)
			return NULL;
		if (p[0].revents)
			return NULL;
		gg_site_modbus_lock(s);
		handle(s, p, n);
		gg_site_modbus_unlock(s);
	}
}

int gg_site_modbus_start(struct gg_site_modbus *s)
{
	s->started = pthread_create(&s->thread, NULL, run, s) == 0;
	return s->started ? 0 : -1;
}

void gg_site_modbus_free(struct gg_site_modbus *s)
{
	if (!s)
		return;
	if (s->started && write(s->wake[1], "", 1) == 1)
		pthread_join(s->thread, NULL);
	while (s->client_count)
		drop_client(s, s->client_count - 1);
	for (unsigned i = 0; i < s->port_count; i++) {
		struct port *p = &s->ports[i];
		for (unsigned k = 0; k < p->unit_count; k++)
			modbus_mapping_free(p->units[k].map);
		free(p->units);
		if (p->listener >= 0)
			close(p->listener);
		if (p->serial >= 0)
			modbus_close(p->ctx);
		modbus_free(p->ctx);
	}
	for (int i = 0; i < 2; i++)
		if (s->wake[i] >= 0)
			close(s->wake[i]);
	pthread_mutex_destroy(&s->units_lock);
	free(s);
}

/* ---- asking ---- */

uint16_t gg_site_modbus_port(const struct gg_site_modbus *s, unsigned port)
{
	return port < s->port_count ? s->ports[port].number : 0;
}

struct gg_site_modbus_unit *gg_site_modbus_unit(struct gg_site_modbus *s, unsigned port, unsigned unit)
{
	for (unsigned i = 0; port < s->port_count && i < s->ports[port].unit_count; i++)
		if (s->ports[port].units[i].unit == unit)
			return &s->ports[port].units[i];
	return NULL;
}

void gg_site_modbus_lock(struct gg_site_modbus *s)
{
	pthread_mutex_lock(&s->units_lock);
}

void gg_site_modbus_unlock(struct gg_site_modbus *s)
{
	pthread_mutex_unlock(&s->units_lock);
}

void gg_site_modbus_drop_clients(struct gg_site_modbus *s)
{
	gg_site_modbus_lock(s);
	/* shutdown, not close: the thread may be waiting on them and closes them itself. */
	for (unsigned i = 0; i < s->client_count; i++)
		shutdown(s->clients[i].fd, SHUT_RDWR);
	gg_site_modbus_unlock(s);
}

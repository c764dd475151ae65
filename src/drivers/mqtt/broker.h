/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The MQTT server's own header: what its files share. An idea per file:
 *
 *   mqtt.c        the component: options, life cycle
 *   broker.c      the broker behind it: made and ended
 *   listen.c      listeners: plain, TLS, WebSocket
 *   connection.c  a client's connection: bytes to packets, keep-alive, pauses, the end
 *   connect.c     CONNECT: who it is, its session, CONNACK
 *   auth.c        AUTH: SCRAM-SHA-256, at CONNECT and again later
 *   alias.c       topic aliases to a client
 *   publish_in.c  PUBLISH from a client: limits, aliases, QoS 2, and where it goes
 *   promise.c     acknowledgements that wait for the disk
 *   ingest.c      topics and payloads become samples
 *   deliver.c     who wants a message, and sending it with QoS 0
 *   outbound.c    a session's queue and what is in flight in it
 *   subscribe.c   SUBSCRIBE, UNSUBSCRIBE
 *   session.c     sessions and their end
 *   retained.c    retained messages
 *   message.c     a message, counted by reference
 *   persist.c     records that survive the process: writing, replaying, compacting
 *   access.c      which topics are a client's own
 *   limits.c      rates, lengths of topics, retained messages of a device
 *   command.c     write and publish, asked for by rules and people
 *   sys.c         $SYS topics and metrics
 *
 * Thread: everything here belongs to the instance's loop.
 */
#ifndef GG_DRIVERS_MQTT_BROKER_H
#define GG_DRIVERS_MQTT_BROKER_H

#include "base/buf.h"
#include "formats/decode.h"
#include "formats/topic_pattern.h"
#include "ganglion/driver.h"
#include "net/mqtt_codec.h"
#include "net/mqtt_topic.h"
#include "net/stream.h"

#include <pthread.h>

enum broker_anonymous { ANONYMOUS_AUTO, ANONYMOUS_NEVER, ANONYMOUS_ALWAYS };
enum broker_durability { DURABILITY_DISK, DURABILITY_MEMORY };
enum { BROKER_LISTENERS = 16, BROKER_TOPICS = 64, BROKER_ALIASES = 32 /* a client may use */ };

/* A row of `topics`, and what was made of it. */
struct topic_option {
	const char *pattern;
	struct gg_format_options format;
};

/* A row of `proxy_protocol`: at which listener who is believed to be a proxy. */
struct proxy_option {
	const char *listen;
	struct gg_strings from;
};

enum redirect_kind { REDIRECT_USE, REDIRECT_MOVED };

struct redirect_options {
	const char *to;
	int kind;
};

struct broker_options {
	struct redirect_options redirect;
	const char *response_information;
	struct gg_strings listen;
	struct gg_many proxies; /* struct proxy_option */
	struct gg_tls_options tls;
	int anonymous, durability;
	struct gg_many topics; /* struct topic_option */
	const char *write;
	uint64_t max_clients, max_packet, max_inflight, max_queued, max_retained, memory, rate;
	uint64_t rate_bytes, max_per_address, connect_rate, client_memory, max_subscriptions, max_topic,
		max_levels;
	uint64_t retained_memory, max_retained_per_device, retained_memory_per_device;
	int64_t session_expiry_ns, keep_alive_ns, write_timeout_ns, sys_interval_ns;
};

/* What the broker asks of the gateway: gg_host_... in the gateway, a double in tests. */
struct broker_outside {
	void *arg;
	const char *name; /* the instance's */
	int (*device)(void *arg, struct gg_str id, uint32_t *ret_device);
	int (*signal)(void *arg, uint32_t device, struct gg_str name, uint32_t *ret_signal);
	struct gg_str (*device_id)(uint32_t device);
	int (*submit_take)(void *arg, struct gg_batch *batch);
	int (*keep)(void *arg, const void *data, size_t len, struct gg_receipt *receipt);
	int (*login)(void *arg, const struct gg_login *login,
		void (*granted)(void *arg, const struct gg_grant *grant), void *granted_arg);
	void (*health)(void *arg, uint32_t device, bool healthy, const char *reason);
};

struct broker_counters {
	struct gg_gauge *connections, *sessions, *retained, *queued_bytes;
	struct gg_counter *in[3], *out[3], *bytes_in, *bytes_out;
	struct gg_counter *dropped_payload, *dropped_denied, *dropped_slow, *dropped_full, *dropped_expired,
		*dropped_large, *dropped_limit;
	struct gg_counter *refused_logins, *protocol_errors, *throttled[2];
	struct gg_histogram *ack_wait;
};

struct connection;
struct session;
struct hold;

/* ---- message.c ---- */

/* Immutable but for the counts. */
struct message {
	unsigned refs;
	uint64_t id; /* in the journal's records; 0 until kept */
	size_t size;
	struct broker *broker;
	struct command *command;        /* that waits for its acknowledgement, or NULL */
	int64_t expires_ns;             /* UTC; INT64_MAX = never */
	struct gg_mqtt_publish publish; /* views of bytes; packet_id is not used */
	char bytes[];
};

/* ---- subscriptions ---- */

struct subscription {
	struct gg_topic_entry entry; /* first */
	struct session *session;
	struct subscription *next;
	uint32_t id; /* subscription identifier, 0 = none */
	uint8_t qos;
	bool no_local, retain_as_published;
	struct gg_str group;  /* of a shared subscription, else empty */
	struct gg_str filter; /* as the client wrote it; in text */
	char text[];
};

/* ---- outbound.c: a session's messages with QoS > 0, in order; the first `sent` are in flight ---- */

enum outgoing_state { OUT_QUEUED, OUT_SENT, OUT_RELEASED, OUT_DONE };
enum { OUT_IDS = 4 };

struct outgoing {
	struct message *message;
	uint32_t ids[OUT_IDS]; /* subscription identifiers */
	uint32_t record;       /* QoS 2: which record says its packet id; 0 = none yet */
	uint16_t packet_id;
	uint8_t qos, state;
	bool retain;
	bool again;  /* it may have been sent before the process ended: DUP */
	bool resend; /* SENT over an earlier connection, not yet over this one */
};

/* What a record that is on its way to the disk holds of a session, which may end meanwhile. */
struct outbox {
	struct session *session; /* NULL: has ended */
	unsigned refs;
};

struct session {
	struct broker *broker;
	struct connection *connection; /* NULL: not connected */
	const char *id;                /* the key in the broker's map */
	size_t id_len;
	uint32_t device;   /* who owns it; GG_NONE an application */
	uint32_t expiry_s; /* 0 ends with the connection, UINT32_MAX never */
	int64_t left_ns;   /* UTC: when it lost its connection */
	struct gg_timer expiry, will_timer;
	struct subscription *subscriptions;
	unsigned subscription_count;
	uint64_t *received;   /* packet ids of QoS 2 that wait for PUBREL: a bitmap, NULL until needed */
	struct outgoing *out; /* ring */
	uint32_t out_cap, out_first, out_count, out_sent;
	uint32_t out_unacked, out_resend;     /* over this connection; of those sent, how many are not */
	uint32_t out_looked;                  /* up to where packet ids may have been given ahead */
	uint32_t records_asked, records_kept; /* of packet ids */
	struct outbox *outbox;
	size_t out_bytes, subscription_bytes; /* of the messages in it; of its subscriptions */
	uint16_t last_packet_id, free_ids;    /* so many behind the last are known to be free */
	struct message *will;
	uint32_t will_delay_s, will_serial;
	bool drop_told;            /* the log has that it loses messages; until its next connection */
	bool pumping;              /* outbound.c */
	bool any_topic, will_kept; /* who made it may use all topics; a record of its will is out */
	uint64_t match_turn;       /* deliver.c: is it in the list of matches already, and where */
	uint32_t match_place;
};

/* ---- promise.c ---- */

struct ack {
	int64_t received_ns;
	uint16_t packet_id;
	uint8_t type, reason;
	const char *text, *limit; /* static; NULL: nothing more to say */
};

enum pause_cause { PAUSE_LOGIN = 1, PAUSE_RATE = 2, PAUSE_ACKS = 4, PAUSE_JOURNAL = 8 };
enum connection_state { AWAITS_CONNECT, AWAITS_LOGIN, AWAITS_AUTH, CONNECTED };

/* Fills with time, holds a second's worth. */
struct bucket {
	double tokens;
	int64_t at_ns;
};

struct broker_listener {
	struct broker *broker;
	struct gg_listener *listener;
	struct gg_http_server *http; /* of a WebSocket */
	struct gg_str path;
	struct gg_network *proxies;
	size_t proxy_count;
	bool loopback;
};

struct connection {
	struct broker *broker;
	struct gg_stream *stream; /* NULL once closed */
	struct session *session;
	struct connection *next, *previous;
	enum connection_state state;
	enum gg_mqtt_version version;
	uint8_t paused;
	bool busy, closing, dead, said_goodbye, trusted, problem_info;
	bool told;             /* the log has why it is ended */
	bool throttled;        /* and that it is read no faster */
	struct gg_timer timer; /* for CONNECT, then keep-alive */
	struct gg_timer rate_timer;
	int64_t keep_alive_ns, last_seen_ns;
	/* who */
	struct login *login;
	struct auth *auth;  /* an exchange that is on */
	bool authenticates; /* it came in by AUTH, so it may do so again */
	uint32_t device;
	bool any_topic;
	char *id;     /* of its entry in the registry; NULL: none */
	char *topics; /* filters beyond its own, a line each; NULL: none */
	/* what the client can take */
	uint32_t receive_maximum, maximum_packet; /* 0: not said yet */
	uint16_t alias_maximum;
	struct alias_table *aliases_out;
	/* from the client */
	char **aliases; /* by alias - 1 */
	struct bucket messages, bytes;
	unsigned unreleased; /* QoS > 0 under way, for its receive maximum */
	/* what this turn brought */
	struct gg_batch *batch;
	bool batch_promised;
	struct hold *hold;                     /* of this turn, NULL until needed */
	struct hold *holds_first, *holds_last; /* in order, this turn's is the last */
	struct ack *acks;                      /* ring */
	uint32_t ack_cap, ack_first, ack_count;
};

/* Where a topic leads, remembered by topic. */
struct source {
	struct gg_decoder decoder;
	uint32_t device;
};

struct rule {
	struct gg_topic_pattern pattern;
	struct gg_format_rule format;
	unsigned literal; /* levels of plain text: of several patterns that match, the one with most counts */
};

struct broker {
	struct broker_options o;
	struct broker_outside outside;
	struct gg_loop *loop;
	int64_t utc_ahead; /* of the broker's time over the monotonic clock; 0: nobody has asked yet */
	struct broker_listener listeners[BROKER_LISTENERS];
	unsigned listener_count;
	struct gg_tls *tls;
	struct rule *rules;
	size_t rule_count;
	struct gg_topic_pattern write_pattern;
	bool has_write, closing;
	/* clients */
	struct connection *connections;
	_Atomic unsigned connection_count; /* stop() looks from another thread */
	struct gg_map sessions;            /* client id -> struct session * */
	struct gg_topic_tree subscriptions, retained;
	size_t retained_count, retained_bytes, subscription_count, shared_count;
	struct gg_map retained_of; /* device -> struct retained_quota * */
	struct retained *dirty;    /* retained.c: to be kept soon */
	struct gg_timer retained_timer, sys_timer;
	/* topics to samples */
	struct gg_map routes, sources;
	/* deliver.c: the list of matches, used again and again */
	struct match *matches;
	uint32_t match_count, match_cap;
	uint64_t match_turn;
	uint32_t share_turn;
	/* promise.c */
	struct wait *stalled, *idle_waits;
	struct gg_timer stall_timer;
	int64_t stall_ns;
	_Atomic unsigned waits_under_way;
	/* memory and records */
	uint64_t next_message_id;
	uint32_t last_will;
	size_t message_bytes;
	bool replaying;
	struct gg_map replayed; /* message id -> struct message *, between the first record and start */
	struct gg_buf record;
	struct broker_counters count;
	struct command *commands; /* that wait for an acknowledgement */
	struct command *command;  /* whose message is being delivered */
	pthread_mutex_t idle_lock;
	pthread_cond_t idle; /* closing, and nothing is under way any more */
	/* for $SYS */
	uint64_t sent, received, bytes_sent, bytes_received, packets_sent, packets_received;
	uint64_t payload_sent, payload_received, dropped, expired_clients;
	unsigned most_clients;
	/* The message that is being routed came with QoS 2 under this id, which has to be on disk with it or
	 * not at all; 0: it did not, or it is. */
	uint16_t received_id;
	const char *why, *limit; /* of the message that was refused last, static */
	int64_t started_ns;
};

/* ---- broker.c: o, outside and loop are set ---- */
/* Something ended: whoever waits for all to be over may look. */
void gg_broker_look_idle(struct broker *b);
/* Waits until it is. Thread: not the loop's. False: not in time. */
bool gg_broker_wait_idle(struct broker *b, int64_t most_ns);
int gg_broker_init(struct broker *b, struct gg_error *e);
/* Lets the clients go. */
void gg_broker_close(struct broker *b);
/* Frees all; no connection may be left. */
void gg_broker_done(struct broker *b);

/* ---- listen.c ---- */
int gg_listen_check(const struct broker *b, struct gg_error *e);
int gg_listen_start(struct broker *b, struct gg_error *e);
void gg_listen_close(struct broker *b);

/* ---- connection.c ---- */
const struct gg_stream_handler *gg_broker_accept(void *listener, struct gg_stream *s, void **ret_arg);
/* Ends it; reason 0 = say nothing to the client. */
void gg_connection_end(struct connection *c, uint8_t reason, const char *why);
/* The same for what goes beyond a limit, an option's name. */
void gg_connection_end_limit(struct connection *c, uint8_t reason, const char *limit, const char *why);
void gg_connection_pause(struct connection *c, enum pause_cause cause);
void gg_connection_resume(struct connection *c, enum pause_cause cause);
/* Encodes into the stream's output. Errors: -EAGAIN no room, -EMSGSIZE larger than the client takes. */
int gg_connection_send(struct connection *c, const struct gg_mqtt_packet *p);
int gg_connection_send_ack(struct connection *c, enum gg_mqtt_type type, uint16_t packet_id, uint8_t reason);
/* text and limit go with it where the client wants them (§3.1.2.11.7) and they fit its packets; may be NULL.
 */
int gg_connection_send_ack_text(struct connection *c, const struct ack *a);
/* A reason string, and which limit it was: block is memory for the encoded property. */
enum { LIMIT_BLOCK = 96 };
void gg_connection_explain(
	struct gg_mqtt_properties *q, const char *text, const char *limit, char block[LIMIT_BLOCK]);

/* Leaves out of a packet the words that this client does not take. */
void gg_connection_fit_words(const struct connection *c, struct gg_mqtt_packet *p);
/* A packet has gone into the stream. */
static inline void gg_connection_sent(struct connection *c, size_t size)
{
	gg_count(c->broker->count.bytes_out, size);
	c->broker->bytes_sent += size;
	c->broker->packets_sent++;
}

/* The time by which sessions and messages expire: the time of day at the broker's start, and from there on
 * the monotonic clock. So a clock that is set forward a year while we run ends none, and none lives on for
 * ever when it is set back. */
static inline int64_t gg_broker_utc(struct broker *b)
{
	if (!b->utc_ahead)
		b->utc_ahead = gg_loop_utc(b->loop) - gg_loop_now(b->loop);
	return gg_loop_now(b->loop) + b->utc_ahead;
}

/* The largest packet that the client takes ([MQTT-3.1.2-24]). */
static inline size_t gg_connection_most(const struct connection *c)
{
	return c->maximum_packet ? c->maximum_packet : SIZE_MAX;
}

/* ---- connect.c ---- */
void gg_connect_in(struct connection *c, const struct gg_mqtt_frame *f, const struct gg_mqtt_connect *p);
void gg_connect_forget(struct connection *c);
/* data: of an exchange, for CONNACK. */
void gg_connect_establish(struct connection *c, const struct gg_mqtt_connect *p, struct gg_str data);
void gg_connect_refuse(struct connection *c, uint8_t reason, const char *why);
/* Who it is by the registry. */
void gg_connect_identify(struct connection *c, const struct gg_grant *g);
/* What to say when the registry does not let it in. */
void gg_connect_not_granted(struct connection *c, int status);

static inline uint8_t gg_redirect_reason(const struct broker *b)
{
	return b->o.redirect.kind == REDIRECT_MOVED ? GG_MQTT_SERVER_MOVED : GG_MQTT_USE_ANOTHER_SERVER;
}

/* ---- auth.c ---- */
/* A CONNECT with an authentication method. */
void gg_auth_connect(struct connection *c, const struct gg_mqtt_frame *f, const struct gg_mqtt_connect *p);
void gg_auth_in(struct connection *c, const struct gg_mqtt_disconnect *p);
void gg_auth_forget(struct connection *c);

/* ---- alias.c ---- */
/* The alias to send a topic with; *ret_known: the client knows it, the topic itself may be left out. 0: none.
 */
uint16_t gg_alias_pick(struct connection *c, struct gg_str topic, bool *ret_known);
/* The topic has gone out under the alias. */
void gg_alias_sent(struct connection *c, uint16_t alias, struct gg_str topic);
void gg_alias_done(struct connection *c);

/* ---- publish_in.c ---- */
/* true: taken; false: not now, the packet is to be presented again. */
bool gg_publish_in(struct connection *c, struct gg_mqtt_publish *p);
void gg_pubrel_in(struct connection *c, const struct gg_mqtt_ack *a);
/* Samples, retaining and subscribers, for a message of a client, a will or a command. c may be NULL; from may
 * be NULL; hold NULL: nobody waits. Returns 0, or a reason why it was refused. */
uint8_t gg_broker_route(struct broker *b, struct connection *c, struct session *from,
	const struct gg_mqtt_publish *p, struct hold *hold, unsigned *ret_receivers);

/* ---- promise.c ---- */
/* The hold of this turn, made when needed. NULL when out of memory. */
struct hold *gg_promise_hold(struct connection *c);
/* An acknowledgement that goes out when the turn's data are safe. Errors: -ENOMEM. */
int gg_promise_ack(struct connection *c, enum gg_mqtt_type type, uint16_t packet_id, uint8_t reason);
/* The same with b->why and b->limit. */
int gg_promise_refusal(struct connection *c, enum gg_mqtt_type type, uint16_t packet_id, uint8_t reason);
/* Bytes that go out behind the acknowledgements. Errors: -ENOMEM, -EMSGSIZE larger than the client takes. */
int gg_promise_reply(struct connection *c, const struct gg_mqtt_packet *p);
/* A hold of nobody's connection: over() is called once all that it was given for is on disk, or could not be
 * (a negative status), after _done(). NULL when out of memory. */
struct hold *gg_promise_apart(void (*over)(void *arg, int status), void *arg);
void gg_promise_apart_done(struct hold *h);
bool gg_promise_full(const struct connection *c);
/* Submits the batch; with a hold its acknowledgements wait for it. */
void gg_promise_batch_take(struct broker *b, struct connection *c, struct hold *hold, struct gg_batch *batch);
/* Keeps a record; with a hold its acknowledgements wait for it. */
void gg_promise_keep(struct broker *b, struct hold *hold, struct gg_str record);
/* Keeps a record and calls kept(arg, number) once it is on disk, or can't be; with durability memory at
 * once. Without kept: nobody waits, but it is written as soon as can be. */
void gg_promise_keep_soon(struct broker *b, struct gg_str record, void (*kept)(void *arg, uint32_t number),
	void *arg, uint32_t number);
/* The turn is over: acknowledgements that wait for nothing go out. */
void gg_promise_turn(struct connection *c);
void gg_promise_forget(struct connection *c);
/* Room again: submits what had to wait. */
void gg_promise_resume(struct broker *b);
/* Gives up what had to wait. */
void gg_promise_done(struct broker *b);
void gg_promise_free(struct broker *b);

/* ---- ingest.c ---- */
/* Decodes a message whose topic a pattern names (of a will: c NULL, and whose session it is), with c into the
 * connection's batch of this turn. Errors: -ENOENT no pattern, -EINVAL payload, -EACCES another device's
 * samples, -EDQUOT, -ENOMEM. */
int gg_ingest(struct broker *b, struct connection *c, const struct session *from,
	const struct gg_mqtt_publish *p, struct hold *hold);
void gg_ingest_flush(struct connection *c);
void gg_ingest_done(struct broker *b);

/* ---- deliver.c ---- */
/* Gives the message to all who subscribed. Returns how many. */
unsigned gg_deliver(
	struct broker *b, const struct gg_mqtt_publish *p, struct session *from, struct hold *hold);

/* ---- outbound.c ---- */
/* Errors: -ENOBUFS the queue is full, -EDQUOT the client's memory is. Takes a reference of its own. */
int gg_outbound_add(struct session *s, struct message *m, uint8_t qos, bool retain, const uint32_t *ids);
void gg_outbound_pump(struct session *s);
void gg_outbound_reconnected(struct session *s);
void gg_outbound_ack(struct session *s, enum gg_mqtt_type type, uint16_t packet_id, uint8_t reason);
void gg_outbound_done(struct session *s);
/* Replay: finds by message, or makes nothing. */
struct outgoing *gg_outbound_find(struct session *s, uint64_t message_id);
void gg_outbound_finish(struct session *s, struct outgoing *o);
void gg_outbound_restore(struct session *s, struct outgoing *o, uint16_t packet_id, uint8_t state);
void gg_outbound_maybe_sent(struct session *s);
void gg_outbound_trim(struct session *s);
void gg_outbound_each(
	struct session *s, void (*each)(void *arg, struct session *s, struct outgoing *o), void *arg);
/* Sends a PUBLISH with what changes on the way: remaining expiry, identifiers. Errors: -EAGAIN, -EMSGSIZE. */
int gg_outbound_send(struct connection *c, const struct gg_mqtt_publish *p, int64_t expires_ns,
	const struct outgoing *o, bool dup);

/* ---- subscribe.c ---- */
void gg_subscribe_in(struct connection *c, const struct gg_mqtt_subscribe *p);
void gg_unsubscribe_in(struct connection *c, const struct gg_mqtt_subscribe *p);
/* Errors: -EDQUOT, -ENOMEM, -EINVAL. */
int gg_subscription_set(struct session *s, const struct gg_mqtt_filter *f, uint32_t id, bool *ret_new);
bool gg_subscription_drop(struct session *s, struct gg_str filter);

/* ---- session.c ---- */
struct session *gg_session_find(struct broker *b, struct gg_str id);
struct session *gg_session_new(struct broker *b, struct gg_str id);
/* Frees it with all it holds. */
void gg_session_end(struct session *s, bool keep_record);
/* Replay: it has ended, but for its will, of which it is not known yet whether all it said is on disk. */
void gg_session_empty(struct session *s);
/* Its connection has gone. */
void gg_session_left(struct session *s, bool goodbye);
void gg_session_start_expiry(struct session *s);
/* What was kept of it has been read: its times go on. May end it. */
void gg_session_replayed(struct session *s);
bool gg_session_received(struct session *s, uint16_t id);
/* Errors: -ENOMEM. */
int gg_session_set_received(struct session *s, uint16_t id, bool on);
void gg_session_will(struct session *s);
/* Its will is not to be sent. */
void gg_session_drop_will(struct session *s);

static inline bool gg_session_persists(const struct session *s)
{
	return s->expiry_s > 0;
}

static inline struct gg_str gg_session_id(const struct session *s)
{
	return gg_str_n(s->id, s->id_len);
}

/* ---- message.c ---- */
/* NULL when memory or the budget is used up. */
struct message *gg_message_new(struct broker *b, const struct gg_mqtt_publish *p);
struct message *gg_message_ref(struct message *m);
void gg_message_unref(struct message *m);

/* ---- retained.c ---- */
/* Errors: -EDQUOT the limit is reached, -ENOMEM. */
int gg_retain(struct broker *b, const struct gg_mqtt_publish *p, uint32_t owner, struct hold *hold);
int gg_retain_quietly(struct broker *b, const struct gg_mqtt_publish *p, uint32_t owner, int64_t expires_ns);
void gg_retained_send(struct subscription *s, struct gg_str filter);
void gg_retained_each(
	struct broker *b, void (*each)(void *arg, struct message *m, uint32_t owner), void *arg);
/* Keeps now what would be kept within the second. */
void gg_retained_flush(struct broker *b);
void gg_retained_done(struct broker *b);

/* ---- persist.c ---- */
void gg_persist_session(struct session *s, struct hold *hold);
void gg_persist_session_end(struct session *s);
void gg_persist_subscription(const struct subscription *s, struct hold *hold);
void gg_persist_unsubscribe(struct session *s, struct gg_str filter, struct hold *hold);
void gg_persist_retained(struct broker *b, const struct message *m, uint32_t owner, struct hold *hold);
void gg_persist_retained_clear(struct broker *b, struct gg_str topic, struct hold *hold);
struct persist_receiver {
	struct session *session;
	uint8_t qos;
	bool retain, again;
	uint32_t ids[OUT_IDS];
};
/* received_from: who sent it with QoS 2 under b->received_id; NULL: nobody did. */
void gg_persist_message(struct broker *b, struct message *m, const struct persist_receiver *receivers,
	size_t count, const struct session *received_from, struct hold *hold);
void gg_persist_outgoing(struct session *s, const struct outgoing *o, uint8_t state, struct hold *hold);
/* That it is about to be sent with its packet id. */
void gg_persist_sending(struct session *s, const struct outgoing *o, void (*kept)(void *arg, uint32_t number),
	void *arg, uint32_t number);
void gg_persist_will(struct session *s);
/* serial: of which; a later one stays. */
void gg_persist_will_gone(struct broker *b, struct gg_str client, uint32_t serial);
void gg_persist_received(struct session *s, uint16_t packet_id, bool on, struct hold *hold);
void gg_persist_replay(struct broker *b, struct gg_str record);
/* All records have been replayed. */
void gg_persist_replayed(struct broker *b);
void gg_persist_compact(struct broker *b);

/* ---- access.c ---- */
bool gg_access(const struct connection *c, struct gg_str topic_or_filter);

/* ---- command.c ---- */
int gg_command_write(struct broker *b, struct gg_write *w, struct gg_error *e);
int gg_command_publish(struct broker *b, struct gg_publish *p, struct gg_error *e);
/* The message has been made for it. */
void gg_command_attach(struct command *k, struct message *m);
/* A client has answered, or (GG_MQTT_UNSPECIFIED) none will. */
void gg_command_answered(struct message *m, uint8_t reason);
void gg_commands_done(struct broker *b);

/* ---- limits.c ---- */
/* May a message be read now? Else the connection has been paused. */
bool gg_limit_message(struct connection *c);
bool gg_limit_bytes(struct connection *c);
void gg_limit_bytes_spend(struct connection *c, size_t size);
/* Reads from it again after that time. */
void gg_limit_pause(struct connection *c, int64_t wait_ns);
/* The limit, an option's name, that a topic or filter goes beyond; NULL: none. */
const char *gg_limit_topic(const struct broker *b, struct gg_str topic);
/* Accounts for a retained message of a device: old and new sizes, 0 = there is none. Errors: -EDQUOT, with
 * b->why and b->limit set; -ENOMEM. */
int gg_limit_retained(struct broker *b, uint32_t owner, size_t old_size, size_t new_size);
/* The same where one device's takes the place of another's; on failure all is as before. */
int gg_limit_retained_move(struct broker *b, uint32_t from, uint32_t to, size_t old_size, size_t new_size);
void gg_limit_done(struct broker *b);

/* ---- sys.c ---- */
void gg_sys_init(struct broker *b);
void gg_sys_start(struct broker *b);

#endif

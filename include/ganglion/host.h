/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the core does for an instance of a component: its name, loop and clock, devices and signals, taking in
 * batches, health, events, work that may block, and logins. A host belongs to one instance.
 * Thread: the instance's loop, unless said.
 */
#ifndef GANGLION_HOST_H
#define GANGLION_HOST_H

#include "ganglion/batch.h"
#include "ganglion/component.h"
#include "ganglion/loop.h"
#include "ganglion/metrics.h"

struct gg_host;

const char *gg_host_name(const struct gg_host *h); /* the instance's, as in the configuration. Thread: any */
struct gg_loop *gg_host_loop(
	const struct gg_host *h); /* Thread: any. NULL: the configuration is only being checked:
				     init() names what signals it can, and nothing else follows */
const struct gg_clock *gg_host_clock(const struct gg_host *h);
const char *gg_host_site(const struct gg_host *h);     /* the gateway's name: option site. Thread: any */
const char *gg_host_data_dir(const struct gg_host *h); /* where the gateway keeps its files */

/* ---- devices and signals: dense indices that stay the same for the life of the process ---- */

enum { GG_NONE = 0xffffffffU };

/* What a driver knows of a signal when it names it first. Strings are copied. */
struct gg_signal_spec {
	uint8_t type; /* enum gg_type, GG_TYPE_NONE = takes what comes */
	bool writable;
	const char *unit; /* as UDUNITS writes it, NULL = none */
	const char *title;
	double low, high;  /* the range a display may assume; low == high: unknown */
	int64_t period_ns; /* how often a sample is to be expected, 0 = unknown */
};

/* What the signal table says. Immutable; valid for the life of the process. */
struct gg_signal_info {
	struct gg_str name;   /* "device/signal" */
	struct gg_str signal; /* the part behind the device */
	uint32_t index, device;
	uint8_t type;
	bool writable;
	const char *unit, *title; /* never NULL */
	double low, high;
	int64_t period_ns;
};

/* Finds or makes. A name is 1 to 128 bytes of UTF-8 without control bytes, blanks, wildcards (*?#+) and, for
 * a device, '/'. Errors: -EINVAL such a name, -EDQUOT the limit of devices or signals is reached. Thread:
 * any; takes a lock when new, so keep the index. */
int gg_host_device(struct gg_host *h, struct gg_str id, uint32_t *ret_device);
int gg_host_signal(struct gg_host *h, uint32_t device, struct gg_str name, const struct gg_signal_spec *spec,
	uint32_t *ret_signal);
/* NULL when there is no such index. Thread: any, no lock. */
const struct gg_signal_info *gg_signal(uint32_t index);
/* By full name; GG_NONE when unknown. Thread: any; takes a lock. */
uint32_t gg_signal_find(struct gg_str name);
uint32_t gg_signal_count(void);
/* "" when there is no such index. Thread: any, no lock. */
struct gg_str gg_device_id(uint32_t device);
uint32_t gg_device_find(struct gg_str id);
/* false: the configuration has `enabled: false` for it. Nothing of it is taken in then; a driver that polls
 * asks before each poll and leaves it alone. Thread: any, no lock. */
bool gg_device_enabled(uint32_t device);
uint32_t gg_device_count(void);

/* ---- data ---- */

/*
 * Takes a batch in (the core owns it afterwards, also on failure, when its receipt is returned with the
 * error): it goes to the device's shard. received_ns is set here when 0. Errors: -EAGAIN the shard's mailbox
 * is full; the driver should stop reading from its device until driver.resume(). Thread: any.
 */
int gg_host_submit_take(struct gg_host *h, struct gg_batch *b);
/* Returns the receipt to its owner at once. Thread: any. */
void gg_receipt_return(struct gg_receipt *r, int status);

/* Reachable or not, with the reason in words for people ("no answer from 10.0.0.7:502 in 1 s"). Counted, kept
 * for the device's page; a device that is lost or back is an event. */
void gg_host_device_health(struct gg_host *h, uint32_t device, bool healthy, const char *reason);

/* ---- a driver's own durable records (sessions, retained messages): in the journal, beside the data ---- */

/* Appends bytes under the instance's name. receipt may be NULL. Errors: -E2BIG, -EAGAIN. */
int gg_host_keep(struct gg_host *h, const void *data, size_t len, struct gg_receipt *receipt);

/* ---- writing to a signal ---- */

/* Ask the driver of the signal to write. value's strings lie in text. done() is called once, on the thread of
 * loop, with 0 or a negative errno and a text. Thread: any. Owner: the caller, until done. */
struct gg_write {
	uint32_t signal;
	struct gg_sample value; /* type and v; a blob's bytes are in text */
	struct gg_str text;
	struct gg_loop *loop;
	void (*done)(struct gg_write *w, int status, const char *reason);
	void *driver; /* private, as all below: the instance that has it, and the answer on its way back */
	int status;
	char reason[192];
};

/* Errors: -ENOENT no such signal, -EPERM not writable, -EACCES its device is disabled, -EAGAIN too many under
 * way; done() is then not called. */
int gg_write_start(struct gg_write *w);
/* What a driver calls when it is through. reason may be NULL. Thread: the driver's loop. */
void gg_write_done(struct gg_write *w, int status, const char *reason);

/* ---- publishing a message to whoever listens at a driver or uplink (MQTT topics) ---- */

struct gg_publish {
	const char *via; /* instance's name, NULL = the first that can */
	struct gg_str topic, payload;
	uint8_t qos;
	bool retain;
	struct gg_loop *loop;
	void (*done)(struct gg_publish *p, int status, const char *reason);
	void *target; /* private, as above */
	int status;
	char reason[192];
};

/* Errors: -ENOENT nobody by that name can publish, -EAGAIN. The topic and payload stay valid until done(). */
int gg_publish_start(struct gg_publish *p);
void gg_publish_done(struct gg_publish *p, int status, const char *reason);

/* ---- events ---- */

enum gg_severity { GG_INFORMATION, GG_WARNING, GG_CRITICAL };

struct gg_event_report {
	const char *kind; /* "device-lost", "anomaly", "rule", "action-failed", "disk-full", ... */
	struct gg_str
		key; /* with kind: what makes it the same event again; while open it is not opened twice */
	enum gg_severity severity;
	bool clear;               /* the condition has passed: clears the open event of that kind and key */
	struct gg_str title;      /* one sentence for people */
	struct gg_str message;    /* more words for them, or empty */
	uint32_t device, signal;  /* GG_NONE when not about one */
	struct gg_str trace_json; /* an object, or empty */
	int64_t time_ns;          /* UTC; 0 = now */
};

/* Copies what it needs; returns the event's id, 0 when it could not be taken (counted). Thread: any. */
uint64_t gg_event(const struct gg_event_report *r);
/* Adds a step, a JSON object, to an event's trace: an action's result. Thread: any. */
void gg_event_trace(uint64_t event, struct gg_str step_json);

/* ---- work that may block (hashing a password, resolving a name): a small pool of threads ---- */

/* work(arg) runs on some thread, then done(arg) on the loop's. Errors: -EAGAIN too much is waiting. */
int gg_host_work(struct gg_host *h, void (*work)(void *arg), void (*done)(void *arg), void *arg);

/* ---- who may connect ---- */

/* SCRAM takes two logins: ASK for the verifier of a name, which everybody gets one of, known or not; and when
 * the driver has checked the proof, GOOD or BAD with the verifier as the secret. */
enum gg_login_step { GG_LOGIN_PLAIN, GG_LOGIN_SCRAM_ASK, GG_LOGIN_SCRAM_GOOD, GG_LOGIN_SCRAM_BAD };

struct gg_login {
	struct gg_str user, secret; /* a device's id and password or token; empty when not given */
	struct gg_str
		certificate; /* subject common name of a client certificate that was verified, or empty */
	struct gg_str peer;  /* address, for the log */
	bool local;          /* from loopback */
	enum gg_login_step step;
};

struct gg_grant {
	int status;           /* 0, -EACCES unknown or wrong, -EDQUOT too many failures from there */
	uint32_t device;      /* who it is; GG_NONE = an anonymous local client or application */
	bool any_topic;       /* may use all topics (an application), not only its own */
	struct gg_str topics; /* MQTT filters it may use beyond its own, a line each; valid during the call */
	struct gg_str id;     /* of its entry in the registry; empty: nobody known; valid during the call */
	struct gg_str verifier; /* answer to GG_LOGIN_SCRAM_ASK: as src/security/scram.h reads it */
};

/* Checks against the device registry off the loop; granted() is called once on the loop. The strings of login
 * are copied. Errors: -EAGAIN. */
int gg_host_login(struct gg_host *h, const struct gg_login *login,
	void (*granted)(void *arg, const struct gg_grant *g), void *arg);

#endif

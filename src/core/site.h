/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration's root as the gateway reads it: what `ganglion.yaml` may hold. The tables stand in
 * site.c. Strings are "" or NULL when absent, as the option's row says; all memory is the configuration's.
 */
#ifndef GG_CORE_SITE_H
#define GG_CORE_SITE_H

#include "ganglion/component.h"
#include "ganglion/host.h"

struct gg_site_log {
	int level, format; /* enum gg_log_level, enum gg_log_format */
};

struct gg_site_limits {
	uint64_t signals, signals_per_device, devices, batch_memory;
};

struct gg_site_retention {
	uint64_t size;  /* bytes, 0 = no limit */
	int64_t age_ns; /* 0 = no limit */
};

struct gg_site_journal {
	int64_t commit_ns; /* how long a group commit may wait for company */
	uint64_t segment_size;
	uint64_t reserve; /* bytes of disk that are left to others */
	struct gg_site_retention retention;
};

/* How long samples and their rollups live; 0 = forever for samples, as the samples for rollups. */
struct gg_site_ages {
	int64_t samples_ns, seconds_ns, minutes_ns, hours_ns, days_ns;
};

/* Signals whose history lives shorter or longer than that of others. */
struct gg_site_selection {
	const char *name;
	struct gg_strings select; /* patterns of signals */
	struct gg_many labels;    /* struct gg_label: all must be the device's */
	struct gg_site_ages ages;
};

struct gg_site_history_retention {
	uint64_t size; /* bytes, 0 = no limit */
	struct gg_site_ages ages;
	struct gg_many selections; /* struct gg_site_selection; the first that fits counts */
};

/* What rests in the data folder is sealed when one of the first four is named. */
struct gg_site_encryption {
	const char *key_file;
	const char *passphrase;
	const char *passphrase_file;
	const char *tpm;        /* "auto" or a TCTI */
	struct gg_strings pcrs; /* with tpm: numbers */
};

struct gg_site_history {
	bool enabled;
	int64_t block_ns;
	struct gg_site_history_retention retention;
};

struct gg_site_events_retention {
	uint64_t count; /* 0 = no limit */
	int64_t age_ns; /* 0 = no limit */
};

struct gg_site_events {
	struct gg_site_events_retention retention;
};

struct gg_site_api_tls {
	const char *listen; /* NULL = no TLS */
	const char *certificate, *key, *client_ca;
};

struct gg_site_api {
	bool enabled;
	const char *listen; /* "" = none without TLS */
	struct gg_site_api_tls tls;
	uint64_t connections;
	struct gg_strings origins; /* pages from elsewhere that may call the API */
};

struct gg_label {
	const char *name, *value;
};

struct gg_site_device {
	const char *id, *title;
	bool enabled, any_topic;
	struct gg_many labels;     /* struct gg_label */
	struct gg_strings topics;  /* what it may use beyond its own */
	const struct gg_value *at; /* its place */
};

struct gg_site_pipeline {
	const char *name, *title;
	bool enabled;
	struct gg_strings select, exclude; /* patterns of signals */
	struct gg_many labels;             /* struct gg_label: all must be the device's */
	struct gg_instances stages;
	const struct gg_value *at;
};

struct gg_site_rule_on {
	const char *event, *key; /* kind; pattern of keys. NULL kind = none */
	int severity;            /* the least that counts */
};

struct gg_site_rule {
	const char *name, *title, *message;
	bool enabled;
	const char *when, *clear_when; /* conditions; gg_value_get(at, "when") has the place */
	struct gg_site_rule_on on;     /* in place of when: an event of another kind */
	const char *hysteresis;        /* "2" or "2 K"; NULL = none */
	int64_t for_ns, clear_for_ns;
	int severity;                               /* enum gg_severity */
	int64_t pause_ns;                           /* not again before this has passed */
	uint64_t per_hour;                          /* at most so often, 0 = no limit */
	struct gg_instances actions, clear_actions; /* do, on_clear */
	const struct gg_value *at;
};

/* What every driver has, whatever it speaks: gg_instance_config.common. When a device is answered is each
 * driver's own option: not all protocols have an answer to hold back. */
struct gg_driver_common {
	bool enabled;
};

/* What the uplink engine does for every uplink: gg_instance_config.common. */
struct gg_uplink_common {
	bool enabled;
	struct gg_strings send;    /* "events", "devices", patterns of signals */
	struct gg_strings exclude; /* patterns of signals */
	int format, compress;      /* enum gg_uplink_format, enum gg_uplink_compress */
	uint64_t rate;             /* bytes per second, 0 = no limit */
	int64_t linger_ns;         /* how long samples may be collected into one parcel */
	uint64_t parcel_size;      /* bytes before compression */
};

enum gg_uplink_format { GG_UPLINK_JSON, GG_UPLINK_SENML, GG_UPLINK_CBOR, GG_UPLINK_LINES };
enum gg_uplink_compress { GG_UPLINK_PLAIN, GG_UPLINK_ZSTD };

struct gg_site {
	const char *name;     /* option site */
	const char *data_dir; /* NULL = the program's default */
	uint64_t shards;      /* 0 = auto: cores - 1, at least 1 */
	struct gg_site_log log;
	struct gg_site_limits limits;
	struct gg_site_journal journal;
	struct gg_site_encryption encryption;
	struct gg_site_history history;
	struct gg_site_events events;
	struct gg_site_api api;
	struct gg_instances drivers;
	struct gg_many devices;   /* struct gg_site_device */
	struct gg_many pipelines; /* struct gg_site_pipeline */
	struct gg_many rules;     /* struct gg_site_rule */
	struct gg_instances uplinks;
};

extern const struct gg_option gg_site_options[];

/* How many of the ways to a key are named; 0 = the folder is plain. */
unsigned gg_site_encryption_ways(const struct gg_site_encryption *o);
/* The PCRs as bits. Errors: -EINVAL one is no number from 0 to 23. */
int gg_site_encryption_pcrs(const struct gg_site_encryption *o, uint32_t *ret_pcrs);

/* What no table can say: names, and names that two things share. root is what site was filled from. */
void gg_site_check(const struct gg_site *site, const struct gg_value *root, struct gg_problems *problems);
/* The part of it that is about the key of what rests on disk (site_encryption.c). */
void gg_site_check_encryption(
	const struct gg_site_encryption *o, const struct gg_value *at, struct gg_problems *problems);
/* The part of it that is about names (site_names.c). */
void gg_site_check_names(
	const struct gg_site *site, const struct gg_value *root, struct gg_problems *problems);

#endif

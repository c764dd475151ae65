/* SPDX-License-Identifier: Apache-2.0 */
#include "actions/webhook/sender.h"

#include "base/clock.h"

#include <pthread.h>

enum { ANSWER_MAX = 1 << 20, PAUSE_MOST_MS = 60000, WAIT_MS = 1000 };

static struct {
	pthread_mutex_t lock; /* guards users, posted, cancel, ending */
	pthread_cond_t cancelled;
	unsigned users;
	struct sender_job *posted;
	const void *cancel; /* owner whose jobs are to be ended */
	bool ending;
	pthread_t thread;
	CURLM *multi;
	struct sender_job *jobs; /* the thread's: waiting and under way */
} sender = {.lock = PTHREAD_MUTEX_INITIALIZER, .cancelled = PTHREAD_COND_INITIALIZER};

void sender_job_free(struct sender_job *job)
{
	if (!job)
		return;
	free(job->url);
	free(job->ca);
	curl_slist_free_all(job->headers);
	gg_buf_done(&job->body);
	free(job);
}

static int64_t now_ns(void)
{
	return gg_clock_monotonic(&gg_clock_system);
}

/* The answer's text does not matter; one without end must not hold us. */
static size_t swallow(char *data, size_t size, size_t count, void *arg)
{
	struct sender_job *job = arg;
	(void)data;
	job->received += size * count;
	return job->received > ANSWER_MAX ? 0 : size * count;
}

static void set_options(struct sender_job *job)
{
	CURL *c = job->easy;
	curl_easy_setopt(c, CURLOPT_URL, job->url);
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_NOPROXY, "*"); /* what the environment says is not our configuration */
	curl_easy_setopt(c, CURLOPT_POSTFIELDS, gg_buf_text(&job->body));
	curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)job->body.len);
	curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, job->method);
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, job->headers);
	curl_easy_setopt(c, CURLOPT_USERAGENT, "ganglion/" GG_VERSION);
	curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)job->timeout_ms);
	curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, job->verify ? 1L : 0L);
	curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, job->verify ? 2L : 0L);
	curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (job->ca)
		curl_easy_setopt(c, CURLOPT_CAINFO, job->ca);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, swallow);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, job);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, job->error);
	curl_easy_setopt(c, CURLOPT_PRIVATE, job);
}

static void unlink_job(struct sender_job *job)
{
	struct sender_job **at = &sender.jobs;
	while (*at && *at != job)
		at = &(*at)->next;
	if (*at)
		*at = job->next;
}

static void stop_transfer(struct sender_job *job)
{
	if (!job->easy)
		return;
	curl_multi_remove_handle(sender.multi, job->easy);
	curl_easy_cleanup(job->easy);
	job->easy = NULL;
}

static void end(struct sender_job *job, int status, const char *reason)
{
	stop_transfer(job);
	unlink_job(job);
	job->done(job, status, reason);
	sender_job_free(job);
}

static void start_transfer(struct sender_job *job)
{
	job->tries_left--;
	job->received = 0;
	job->error[0] = '\0';
	job->easy = curl_easy_init();
	if (!job->easy) {
		end(job, -ENOMEM, "out of memory");
		return;
	}
	set_options(job);
	if (curl_multi_add_handle(sender.multi, job->easy) != CURLM_OK)
		end(job, -ENOMEM, "out of memory");
}

/* A refusal that another try would not change is final. */
static bool worth_another(CURLcode code, long http)
{
	if (code != CURLE_OK)
		return code != CURLE_URL_MALFORMAT && code != CURLE_UNSUPPORTED_PROTOCOL &&
		       code != CURLE_PEER_FAILED_VERIFICATION && code != CURLE_WRITE_ERROR;
	return http >= 500 || http == 429 || http == 408;
}

static void transferred(struct sender_job *job, CURLcode code)
{
	long http = 0;
	char reason[CURL_ERROR_SIZE + 64];
	curl_easy_getinfo(job->easy, CURLINFO_RESPONSE_CODE, &http);
	if (code == CURLE_OK)
		snprintf(reason, sizeof reason, "HTTP %ld", http);
	else
		snprintf(reason, sizeof reason, "%s", job->error[0] ? job->error : curl_easy_strerror(code));
	stop_transfer(job);
	if (code == CURLE_OK && http >= 200 && http < 300) {
		end(job, 0, reason);
	} else if (job->tries_left && worth_another(code, http)) {
		job->due_ns = now_ns() + job->pause_ms * GG_NS_PER_MS;
		job->pause_ms = job->pause_ms * 2 < PAUSE_MOST_MS ? job->pause_ms * 2 : PAUSE_MOST_MS;
	} else {
		end(job, code == CURLE_OPERATION_TIMEDOUT ? -ETIMEDOUT : -EIO, reason);
	}
}

/* Starts what is due; returns how long to wait for the next, in ms. */
static int start_due(void)
{
	int64_t now = now_ns(), wait = WAIT_MS * GG_NS_PER_MS;
	for (struct sender_job *job = sender.jobs, *next; job; job = next) {
		next = job->next;
		if (job->easy)
			continue;
		if (job->due_ns <= now) {
			start_transfer(job);
			wait = 0;
		} else if (job->due_ns - now < wait) {
			wait = job->due_ns - now;
		}
	}
	return wait ? (int)(wait / GG_NS_PER_MS) + 1 : 0;
}

static void end_all_of(const void *owner, const char *reason)
{
	for (struct sender_job *job = sender.jobs, *next; job; job = next) {
		next = job->next;
		if (!owner || job->owner == owner)
			end(job, -ECANCELED, reason);
	}
}

/* Takes over what others have left; returns true when it is time to end. */
static bool take_posted(void)
{
	pthread_mutex_lock(&sender.lock);
	struct sender_job *posted = sender.posted;
	const void *cancel = sender.cancel;
	bool ending = sender.ending;
	sender.posted = NULL;
	pthread_mutex_unlock(&sender.lock);
	for (struct sender_job *next; posted; posted = next) {
		next = posted->next;
		posted->next = sender.jobs;
		sender.jobs = posted;
	}
	if (cancel) {
		end_all_of(cancel, "the action was taken down");
		pthread_mutex_lock(&sender.lock);
		sender.cancel = NULL;
		pthread_cond_broadcast(&sender.cancelled);
		pthread_mutex_unlock(&sender.lock);
	}
	return ending;
}

static void *work(void *arg)
{
	(void)arg;
	while (!take_posted()) {
		int running = 0, left = 0;
		curl_multi_perform(sender.multi, &running);
		for (CURLMsg *m; (m = curl_multi_info_read(sender.multi, &left));) {
			struct sender_job *job = NULL;
			if (m->msg != CURLMSG_DONE)
				continue;
			CURLcode code = m->data.result;
			curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &job);
			transferred(job, code);
		}
		curl_multi_poll(sender.multi, NULL, 0, start_due(), NULL);
	}
	end_all_of(NULL, "the gateway is stopping");
	return NULL;
}

int sender_start(struct gg_error *e)
{
	int rc = gg_curl_load(e);
	if (rc < 0)
		return rc;
	pthread_mutex_lock(&sender.lock);
	if (sender.users == 0) {
		curl_global_init(CURL_GLOBAL_DEFAULT);
		sender.ending = false;
		sender.multi = curl_multi_init();
		rc = sender.multi ? -pthread_create(&sender.thread, NULL, work, NULL) : -ENOMEM;
		if (rc < 0 && sender.multi)
			curl_multi_cleanup(sender.multi);
	}
	sender.users += rc == 0;
	pthread_mutex_unlock(&sender.lock);
	return rc < 0 ? gg_error_set(e, rc, "the sending thread can't be started: %s", strerror(-rc)) : 0;
}

void sender_stop(void)
{
	pthread_mutex_lock(&sender.lock);
	bool last = --sender.users == 0;
	sender.ending = last;
	pthread_mutex_unlock(&sender.lock);
	if (!last)
		return;
	/* Starting and stopping both happen on the control thread, so nobody starts in between. */
	curl_multi_wakeup(sender.multi);
	pthread_join(sender.thread, NULL);
	curl_multi_cleanup(sender.multi);
	sender.multi = NULL;
}

int sender_send_take(struct sender_job *job)
{
	pthread_mutex_lock(&sender.lock);
	bool open = sender.users && !sender.ending;
	if (open) {
		job->next = sender.posted;
		sender.posted = job;
		curl_multi_wakeup(sender.multi);
	}
	pthread_mutex_unlock(&sender.lock);
	if (!open)
		sender_job_free(job);
	return open ? 0 : -ESHUTDOWN;
}

void sender_cancel(const void *owner)
{
	pthread_mutex_lock(&sender.lock);
	while (sender.cancel)
		pthread_cond_wait(&sender.cancelled, &sender.lock);
	sender.cancel = owner;
	curl_multi_wakeup(sender.multi);
	while (sender.cancel == owner)
		pthread_cond_wait(&sender.cancelled, &sender.lock);
	pthread_mutex_unlock(&sender.lock);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libcurl, loaded when it is first needed. Linked the usual way it would bring a dozen libraries (a second
 * TLS stack among them) and two megabytes of memory into every gateway, also into those that never call a
 * webhook. Include this in place of <curl/curl.h>, call gg_curl_load() first, and write libcurl's names as
 * ever.
 */
#ifndef GG_NET_CURL_H
#define GG_NET_CURL_H

#define CURL_DISABLE_TYPECHECK
#include "base/error.h"

#include <curl/curl.h>
#undef curl_easy_setopt
#undef curl_easy_getinfo

#define GG_CURL_FUNCTIONS(X)                                                                                 \
	X(curl_global_init)                                                                                  \
	X(curl_easy_init)                                                                                    \
	X(curl_easy_cleanup)                                                                                 \
	X(curl_easy_reset)                                                                                   \
	X(curl_easy_setopt)                                                                                  \
	X(curl_easy_getinfo)                                                                                 \
	X(curl_easy_perform)                                                                                 \
	X(curl_easy_strerror)                                                                                \
	X(curl_multi_init)                                                                                   \
	X(curl_multi_cleanup)                                                                                \
	X(curl_multi_add_handle)                                                                             \
	X(curl_multi_remove_handle)                                                                          \
	X(curl_multi_perform)                                                                                \
	X(curl_multi_poll)                                                                                   \
	X(curl_multi_wakeup)                                                                                 \
	X(curl_multi_info_read)                                                                              \
	X(curl_slist_append)                                                                                 \
	X(curl_slist_free_all)

struct gg_curl {
#define ROW(name) __typeof__(name) *name##_;
	GG_CURL_FUNCTIONS(ROW)
#undef ROW
};

extern struct gg_curl gg_curl;

/* Loads it, once. Thread: any. Errors: -ENOENT with a text that says what to install. */
int gg_curl_load(struct gg_error *e);

#ifndef GG_CURL_LOADER
#define curl_global_init         gg_curl.curl_global_init_
#define curl_easy_init           gg_curl.curl_easy_init_
#define curl_easy_cleanup        gg_curl.curl_easy_cleanup_
#define curl_easy_reset          gg_curl.curl_easy_reset_
#define curl_easy_setopt         gg_curl.curl_easy_setopt_
#define curl_easy_getinfo        gg_curl.curl_easy_getinfo_
#define curl_easy_perform        gg_curl.curl_easy_perform_
#define curl_easy_strerror       gg_curl.curl_easy_strerror_
#define curl_multi_init          gg_curl.curl_multi_init_
#define curl_multi_cleanup       gg_curl.curl_multi_cleanup_
#define curl_multi_add_handle    gg_curl.curl_multi_add_handle_
#define curl_multi_remove_handle gg_curl.curl_multi_remove_handle_
#define curl_multi_perform       gg_curl.curl_multi_perform_
#define curl_multi_poll          gg_curl.curl_multi_poll_
#define curl_multi_wakeup        gg_curl.curl_multi_wakeup_
#define curl_multi_info_read     gg_curl.curl_multi_info_read_
#define curl_slist_append        gg_curl.curl_slist_append_
#define curl_slist_free_all      gg_curl.curl_slist_free_all_
#endif

#endif

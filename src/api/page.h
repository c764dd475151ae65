/* SPDX-License-Identifier: Apache-2.0 */
/* The page's files, as web/CMakeLists.txt builds them into the program. */
#ifndef GG_API_PAGE_H
#define GG_API_PAGE_H

#include <stddef.h>

struct gg_page_file {
	const char *path; /* "/app.js" */
	const char *type;
	const unsigned char *bytes;
	size_t len;
	const char *tag; /* an ETag: the hash of the bytes, in quotes */
};

/* Ended by a row without path. */
extern const struct gg_page_file gg_page_files[];

#endif

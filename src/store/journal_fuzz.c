/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a segment. The first byte chooses: as they are; or with a right header and right checksums put
 * on (lengths and kinds from the input), so that the search gets behind the CRC to dictionaries and batches.
 * It may be two segments.
 */
#include "core/signals.h"
#include "store/journal_format.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST = 1 << 16 };

/* A device and signals 0..7 without the table, which would grow without end under names from the fuzzer. */
static const struct gg_signal_info *info(GG_UNUSED void *arg, GG_UNUSED uint32_t index)
{
	return NULL;
}

static struct gg_str device(GG_UNUSED void *arg, GG_UNUSED uint32_t index)
{
	return GG_STR("");
}

static int find_device(GG_UNUSED void *arg, struct gg_str id, uint32_t *ret_device)
{
	*ret_device = (uint32_t)id.len % 8;
	return id.len > 200 ? -EINVAL : 0;
}

static int find_signal(GG_UNUSED void *arg, GG_UNUSED uint32_t place, struct gg_str name,
	GG_UNUSED const struct gg_signal_spec *spec, GG_UNUSED uint64_t position, uint32_t *ret_signal)
{
	*ret_signal = (uint32_t)name.len % 8;
	return name.len > 200 ? -EINVAL : 0;
}

static const struct gg_names names = {
	.signal = info, .device = device, .find_device = find_device, .find_signal = find_signal};

static size_t with_checksums(uint8_t *to, uint64_t first, const uint8_t *data, size_t size)
{
	struct gg_segment_header h = {.first = first, .previous_end = first};
	size_t len = GG_SEGMENT_HEADER;
	gg_segment_header_encode(&h, to);
	/* kind, two bytes of length, content */
	while (size >= 3 && len + GG_RECORD_HEADER + size < 2 * MOST) {
		size_t content = gg_min_size((size_t)(data[1] | data[2] << 8), size - 3);
		memcpy(to + len + GG_RECORD_HEADER, data + 3, content);
		gg_record_seal(to + len, first + len, (uint8_t)(data[0] % 9), (uint32_t)content);
		len += GG_RECORD_HEADER + content;
		data += 3 + content;
		size -= 3 + content;
	}
	return len;
}

static char dir[64];

static void write_segment(uint64_t first, const uint8_t *bytes, size_t len)
{
	char path[128];
	snprintf(path, sizeof path, "%s/%020llu.seg", dir, (unsigned long long)first);
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, bytes, len) != (ssize_t)len)
		abort();
	close(fd);
}

static void remove_segments(void)
{
	DIR *all = opendir(dir);
	for (struct dirent *e; all && (e = readdir(all));)
		if (e->d_name[0] != '.')
			unlinkat(dirfd(all), e->d_name, 0);
	if (all)
		closedir(all);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t segment[3 * MOST];
	if (size < 1 || size > MOST)
		return 0;
	if (!dir[0]) {
		snprintf(dir, sizeof dir, "/tmp/ganglion-fuzz-XXXXXX");
		if (!mkdtemp(dir))
			abort();
	}
	/* with bit 2 the second half is a segment of its own, behind a gap with bit 3 */
	size_t len = size - 1, half = data[0] & 4 ? len / 2 : len, first = half;
	if (data[0] & 1)
		first = with_checksums(segment, 0, data + 1, half);
	else
		memcpy(segment, data + 1, half);
	write_segment(0, segment, first);
	if (half < len) {
		first += data[0] & 8 ? 19 : 0;
		write_segment(first, segment, with_checksums(segment, first, data + 1 + half, len - half));
	}
	struct gg_journal_reader *r;
	struct gg_record rec;
	if (gg_journal_reader_open(dir, &names, data[0] & 2 ? 100 : 0, &r) == 0) {
		uint64_t last = 0;
		while (gg_journal_next(r, &rec) == 1) {
			if (rec.position <= last || rec.next <= rec.position)
				abort();
			last = rec.position;
			for (uint32_t i = 0; rec.batch && i < rec.batch->count; i++) {
				const struct gg_sample *s = &rec.batch->samples[i];
				if (s->type >= GG_TYPE_STRING &&
					(uint64_t)s->v.blob.off + s->v.blob.len > rec.batch->tail_len)
					abort();
			}
			gg_batch_unref(rec.batch);
		}
		gg_journal_reader_free(r);
	}
	remove_segments();
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* A register list from its file to a unit's signals. The strings of all rows lie in the file's text. */
#include "drivers/modbus/modbus.h"
#include "drivers/modbus/modbus_registers.h"

#include "base/file.h"
#include "base/map.h"

#include <fcntl.h>

enum { LIST_MAX = 16 << 20 };

/* A name twice is a slip of whoever wrote the list, and the second would hide the first. */
static int note_name(
	struct gg_map *names, const struct gg_modbus_registers *rows, const char *name, struct gg_error *e)
{
	uint64_t before = gg_map_get(names, gg_str(name), 0);
	if (before) {
		gg_error_set(e, -EEXIST, "the name \"%s\" is taken: line %u has it", name, (unsigned)before);
		gg_modbus_registers_place(rows, "name", e);
		return -EEXIST;
	}
	return gg_map_put(names, gg_str(name), rows->csv.line);
}

static int grow(struct gg_modbus_unit *u, uint32_t *cap)
{
	if (u->count < *cap)
		return 0;
	uint32_t more = *cap ? *cap * 2 : 64;
	struct gg_modbus_signal *signals = realloc(u->signals, more * sizeof *signals);
	if (signals)
		u->signals = signals;
	struct gg_modbus_label *labels = realloc(u->labels, more * sizeof *labels);
	if (labels)
		u->labels = labels;
	*cap = more;
	return signals && labels ? 0 : -ENOMEM;
}

static int take_rows(struct gg_modbus_unit *u, struct gg_modbus_registers *rows, struct gg_map *names,
	int order, int64_t period_ns, struct gg_error *e)
{
	struct gg_modbus_signal_options o;
	uint32_t cap = 0;
	int got;
	while ((got = gg_modbus_registers_next(rows, &o, e)) == 1) {
		if (u->count == GG_BATCH_SAMPLES)
			return gg_error_set(e, -EINVAL, "%u:1: more than %d registers", rows->csv.line,
				(int)GG_BATCH_SAMPLES);
		if (grow(u, &cap) != 0)
			return gg_error_set(e, -ENOMEM, "out of memory");
		int r = gg_modbus_signal_take(&o, order, period_ns, &u->signals[u->count], e);
		if (r != 0) {
			gg_modbus_registers_place(rows, "address", e);
			return r;
		}
		r = note_name(names, rows, o.name, e);
		if (r != 0)
			return r;
		u->labels[u->count++] = (struct gg_modbus_label){o.unit, o.title};
	}
	if (got == 0 && u->count == 0)
		return gg_error_set(e, -EINVAL, "1:1: there is no register in it");
	return got;
}

int gg_modbus_list_take(struct gg_modbus_unit *u, const struct gg_modbus_list_options *list, int order,
	int64_t period_ns, struct gg_error *e)
{
	struct gg_modbus_registers rows;
	struct gg_map names = {0};
	struct gg_buf text = GG_BUF(LIST_MAX + 1);
	int r = gg_file_read(AT_FDCWD, list->file, GG_FILE_REGULAR, LIST_MAX, &text);
	if (r != 0) {
		gg_buf_done(&text);
		return gg_error_set(e, r, "registers: can't read %s: %s", list->file, strerror(-r));
	}
	gg_buf_text(&text);
	u->text = text.p; /* owned by the unit from here on */
	r = gg_modbus_registers_init(&rows, u->text, text.len, list->base, e);
	if (r == 0)
		r = take_rows(u, &rows, &names, order, period_ns, e);
	gg_map_done(&names);
	if (r != 0)
		gg_error_prefix(e, "registers: %s", list->file);
	return r;
}

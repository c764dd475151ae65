/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two tables do the work: what columns are called, and how a cell of each is read. A column nobody knows is
 * left alone, for such lists have many; one that is known and can't be read is an error with its place.
 */
#include "drivers/modbus/modbus_registers.h"

#include <ctype.h>

enum field {
	IGNORED,
	NAME,
	ADDRESS,
	TABLE,
	TYPE,
	UNIT,
	TITLE,
	SCALE,
	OFFSET,
	ORDER,
	LENGTH,
	WORDS,
	BIT,
	POLL,
	WRITABLE,
	READBACK,
	LOW,
	HIGH,
	FIELDS,
};

/* A word and what it means. Words are letters and digits, small. */
struct word {
	const char *word;
	int meaning;
};

static const struct word columns[] = {{"name", NAME}, {"tag", NAME}, {"tagname", NAME}, {"signal", NAME},
	{"variable", NAME}, {"point", NAME}, {"pointname", NAME}, {"parameter", NAME}, {"address", ADDRESS},
	{"register", ADDRESS}, {"registeraddress", ADDRESS}, {"modbusaddress", ADDRESS},
	{"modbusregister", ADDRESS}, {"startaddress", ADDRESS}, {"startregister", ADDRESS},
	{"registernumber", ADDRESS}, {"table", TABLE}, {"registertype", TABLE}, {"area", TABLE},
	{"objecttype", TABLE}, {"function", TABLE}, {"functioncode", TABLE}, {"fc", TABLE}, {"type", TYPE},
	{"datatype", TYPE}, {"format", TYPE}, {"dataformat", TYPE}, {"unit", UNIT}, {"units", UNIT},
	{"engunits", UNIT}, {"engineeringunit", UNIT}, {"engineeringunits", UNIT}, {"uom", UNIT},
	{"title", TITLE}, {"description", TITLE}, {"label", TITLE}, {"comment", TITLE}, {"scale", SCALE},
	{"scalefactor", SCALE}, {"factor", SCALE}, {"multiplier", SCALE}, {"gain", SCALE}, {"decimal", SCALE},
	{"offset", OFFSET}, {"bias", OFFSET}, {"order", ORDER}, {"byteorder", ORDER}, {"wordorder", ORDER},
	{"endianness", ORDER}, {"endian", ORDER}, {"length", LENGTH}, {"quantity", WORDS},
	{"registers", WORDS}, {"numberofregisters", WORDS}, {"words", WORDS}, {"size", WORDS}, {"bit", BIT},
	{"bitnumber", BIT}, {"bitindex", BIT}, {"poll", POLL}, {"pollinterval", POLL}, {"scanrate", POLL},
	{"interval", POLL}, {"writable", WRITABLE}, {"access", WRITABLE}, {"clientaccess", WRITABLE},
	{"rw", WRITABLE}, {"readwrite", WRITABLE}, {"attribute", WRITABLE}, {"readback", READBACK},
	{"low", LOW}, {"min", LOW}, {"minimum", LOW}, {"high", HIGH}, {"max", HIGH}, {"maximum", HIGH}, {0}};

static const struct word tables[] = {{"coil", GG_MODBUS_COIL}, {"coils", GG_MODBUS_COIL},
	{"coilstatus", GG_MODBUS_COIL}, {"0x", GG_MODBUS_COIL}, {"1", GG_MODBUS_COIL}, {"01", GG_MODBUS_COIL},
	{"5", GG_MODBUS_COIL}, {"discrete", GG_MODBUS_DISCRETE}, {"discreteinput", GG_MODBUS_DISCRETE},
	{"discreteinputs", GG_MODBUS_DISCRETE}, {"inputstatus", GG_MODBUS_DISCRETE},
	{"contact", GG_MODBUS_DISCRETE}, {"1x", GG_MODBUS_DISCRETE}, {"2", GG_MODBUS_DISCRETE},
	{"02", GG_MODBUS_DISCRETE}, {"input", GG_MODBUS_INPUT}, {"inputregister", GG_MODBUS_INPUT},
	{"inputregisters", GG_MODBUS_INPUT}, {"3x", GG_MODBUS_INPUT}, {"4", GG_MODBUS_INPUT},
	{"04", GG_MODBUS_INPUT}, {"holding", GG_MODBUS_HOLDING}, {"holdingregister", GG_MODBUS_HOLDING},
	{"holdingregisters", GG_MODBUS_HOLDING}, {"4x", GG_MODBUS_HOLDING}, {"3", GG_MODBUS_HOLDING},
	{"03", GG_MODBUS_HOLDING}, {"6", GG_MODBUS_HOLDING}, {"06", GG_MODBUS_HOLDING},
	{"16", GG_MODBUS_HOLDING}, {0}};

#define T(type) GG_MODBUS_##type + 1 /* 0 is "auto" */
static const struct word types[] = {{"auto", 0}, {"default", 0}, {"bool", T(BOOL)}, {"boolean", T(BOOL)},
	{"bit", T(BOOL)}, {"int16", T(INT16)}, {"short", T(INT16)}, {"int", T(INT16)}, {"s16", T(INT16)},
	{"i16", T(INT16)}, {"signed16", T(INT16)}, {"sint16", T(INT16)}, {"uint16", T(UINT16)},
	{"word", T(UINT16)}, {"uint", T(UINT16)}, {"u16", T(UINT16)}, {"unsigned16", T(UINT16)},
	{"int32", T(INT32)}, {"dint", T(INT32)}, {"long", T(INT32)}, {"s32", T(INT32)}, {"i32", T(INT32)},
	{"signed32", T(INT32)}, {"uint32", T(UINT32)}, {"udint", T(UINT32)}, {"dword", T(UINT32)},
	{"u32", T(UINT32)}, {"unsigned32", T(UINT32)}, {"int64", T(INT64)}, {"lint", T(INT64)},
	{"llong", T(INT64)}, {"s64", T(INT64)}, {"i64", T(INT64)}, {"uint64", T(UINT64)},
	{"ulint", T(UINT64)}, {"qword", T(UINT64)}, {"u64", T(UINT64)}, {"float32", T(FLOAT32)},
	{"float", T(FLOAT32)}, {"real", T(FLOAT32)}, {"single", T(FLOAT32)}, {"f32", T(FLOAT32)},
	{"ieee754", T(FLOAT32)}, {"float64", T(FLOAT64)}, {"double", T(FLOAT64)}, {"lreal", T(FLOAT64)},
	{"f64", T(FLOAT64)}, {"bcd16", T(BCD16)}, {"bcd", T(BCD16)}, {"bcd32", T(BCD32)}, {"lbcd", T(BCD32)},
	{"string", T(STRING)}, {"ascii", T(STRING)}, {"text", T(STRING)}, {0}};
#undef T

#define O(order) GG_MODBUS_##order + 1
static const struct word orders[] = {{"auto", 0}, {"big", O(BIG)}, {"bigendian", O(BIG)}, {"abcd", O(BIG)},
	{"highwordfirst", O(BIG)}, {"msw", O(BIG)}, {"little", O(LITTLE)}, {"littleendian", O(LITTLE)},
	{"dcba", O(LITTLE)}, {"bigswap", O(BIG_SWAP)}, {"badc", O(BIG_SWAP)}, {"littleswap", O(LITTLE_SWAP)},
	{"cdab", O(LITTLE_SWAP)}, {"lowwordfirst", O(LITTLE_SWAP)}, {"lsw", O(LITTLE_SWAP)}, {0}};
#undef O

static const struct word accesses[] = {{"true", 1}, {"yes", 1}, {"1", 1}, {"rw", 1}, {"w", 1}, {"wo", 1},
	{"write", 1}, {"readwrite", 1}, {"writeonly", 1}, {"false", 0}, {"no", 0}, {"0", 0}, {"r", 0},
	{"ro", 0}, {"read", 0}, {"readonly", 0}, {0}};

/* -1: there is no such word. */
static int find_word(const struct word *words, const char *text)
{
	char plain[32];
	size_t n = 0;
	for (; *text && n + 1 < sizeof plain; text++)
		if (isalnum((unsigned char)*text))
			plain[n++] = (char)tolower((unsigned char)*text);
	plain[n] = '\0';
	for (; words->word; words++)
		if (strcmp(words->word, plain) == 0)
			return words->meaning;
	return -1;
}

/* ---- the head ---- */

static int find_fields(struct gg_modbus_registers *r, struct gg_error *e)
{
	unsigned seen[FIELDS] = {0};
	for (unsigned i = 0; i < r->csv.count; i++) {
		int field = find_word(columns, r->csv.cells[i].text);
		r->fields[i] = field > 0 ? (uint8_t)field : IGNORED;
		if (field > 0 && seen[field]++)
			return gg_error_set(e, -EINVAL,
				"%u:%u: a second column that means the same as one before: \"%.60s\"",
				r->csv.line, r->csv.cells[i].column, r->csv.cells[i].text);
	}
	if (seen[NAME] && seen[ADDRESS])
		return 0;
	return gg_error_set(e, -EINVAL,
		"%u:1: the first row names the columns, and one called \"%s\" was expected", r->csv.line,
		seen[NAME] ? "address" : "name");
}

int gg_modbus_registers_init(
	struct gg_modbus_registers *r, char *text, size_t len, int64_t base, struct gg_error *e)
{
	memset(r, 0, sizeof *r);
	r->base = base;
	gg_modbus_csv_init(&r->csv, text, len);
	int got = gg_modbus_csv_next(&r->csv, e);
	if (got == 0)
		return gg_error_set(e, -EINVAL, "1:1: a row with the names of the columns was expected");
	return got < 0 ? got : find_fields(r, e);
}

/* ---- cells ---- */

static int expected(const struct gg_modbus_registers *r, unsigned i, const char *what, struct gg_error *e)
{
	return gg_error_set(e, -EINVAL, "%u:%u: expected %s, got \"%.60s\"", r->csv.line,
		r->csv.cells[i].column, what, r->csv.cells[i].text);
}

static int take_number(
	const struct gg_modbus_registers *r, unsigned i, double *to, const char *what, struct gg_error *e)
{
	return gg_parse_float(gg_str(r->csv.cells[i].text), to) == 0 ? 0 : expected(r, i, what, e);
}

static int take_count(const struct gg_modbus_registers *r, unsigned i, int64_t most, int64_t *to,
	const char *what, struct gg_error *e)
{
	int64_t n = 0;
	if (gg_parse_int(gg_str(r->csv.cells[i].text), &n) != 0 || n < 0 || n > most)
		return expected(r, i, what, e);
	*to = n;
	return 0;
}

static int take_word(const struct gg_modbus_registers *r, unsigned i, const struct word *words, int *to,
	const char *what, struct gg_error *e)
{
	int found = find_word(words, r->csv.cells[i].text);
	if (found < 0)
		return expected(r, i, what, e);
	*to = found;
	return 0;
}

/* "500ms", or a bare number of milliseconds, as other programs write it. */
static int take_poll(const struct gg_modbus_registers *r, unsigned i, int64_t *to, struct gg_error *e)
{
	uint64_t ms = 0;
	struct gg_str text = gg_str(r->csv.cells[i].text);
	if (gg_parse_uint(text, &ms) == 0 && ms <= 86400000)
		*to = (int64_t)ms * GG_NS_PER_MS;
	else if (gg_parse_duration(text, to) != 0 || *to < 0 || *to > 86400 * GG_NS_PER_S)
		return expected(r, i, "a duration such as 500ms, or milliseconds, up to a day", e);
	return 0;
}

/* What a name of a signal can't hold becomes '_'. */
static void take_name(char *name, struct gg_modbus_signal_options *s)
{
	s->name = name;
	for (; *name; name++)
		if ((unsigned char)*name <= ' ' || *name == 0x7f || strchr("*?#+", *name))
			*name = '_';
}

struct row {
	int table; /* -1: not told */
	int64_t words;
	unsigned address_cell;
};

static void take_text(
	struct gg_modbus_registers *r, unsigned i, struct gg_modbus_signal_options *s, struct row *row)
{
	char *text = r->csv.cells[i].text;
	switch (r->fields[i]) {
	case NAME:
		take_name(text, s);
		break;
	case ADDRESS:
		s->address = text;
		row->address_cell = i;
		break;
	case UNIT:
		s->unit = text;
		break;
	case TITLE:
		s->title = text;
		break;
	default:
		break;
	}
}

static int take_cell(struct gg_modbus_registers *r, unsigned i, struct gg_modbus_signal_options *s,
	struct row *row, struct gg_error *e)
{
	int word = 0, rc = 0;
	switch (r->fields[i]) {
	case TABLE:
		return take_word(
			r, i, tables, &row->table, "coil, discrete, input, holding or a function code", e);
	case TYPE:
		return take_word(r, i, types, &s->type, "a type such as int16, uint32, float32 or string", e);
	case ORDER:
		return take_word(r, i, orders, &s->order, "an order of bytes such as ABCD or CDAB", e);
	case WRITABLE:
	case READBACK:
		rc = take_word(r, i, accesses, &word, "read-only, read-write, true or false", e);
		*(r->fields[i] == WRITABLE ? &s->writable : &s->readback) = word == 1;
		return rc;
	case SCALE:
		return take_number(r, i, &s->scale, "a number", e);
	case OFFSET:
		return take_number(r, i, &s->offset, "a number", e);
	case LOW:
		return take_number(r, i, &s->low, "a number", e);
	case HIGH:
		return take_number(r, i, &s->high, "a number", e);
	case LENGTH:
		return take_count(r, i, GG_MODBUS_STRING_MAX, &s->length, "a length of 0 to 246 bytes", e);
	case WORDS:
		return take_count(r, i, 125, &row->words, "how many registers it takes, up to 125", e);
	case BIT:
		return take_count(r, i, 15, &s->bit, "a bit from 0 to 15", e);
	case POLL:
		return take_poll(r, i, &s->poll_ns, e);
	default:
		take_text(r, i, s, row);
		return 0;
	}
}

/* "400001.3": a bit of a register, as other programs write it. */
static void take_bit(char *address, struct gg_modbus_signal_options *s)
{
	char *dot = strchr(address, '.');
	int64_t bit;
	if (!dot || s->bit >= 0 || gg_parse_int(gg_str(dot + 1), &bit) != 0 || bit < 0 || bit > 15)
		return;
	*dot = '\0';
	s->bit = bit;
}

/* A bare number goes with the table beside it. */
static int take_address(struct gg_modbus_registers *r, struct gg_modbus_signal_options *s,
	const struct row *row, struct gg_error *e)
{
	char *text = r->csv.cells[row->address_cell].text;
	int64_t number = 0;
	take_bit(text, s);
	bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	if (row->table < 0 || (!hex && gg_parse_int(gg_str(text), &number) != 0))
		return 0;
	if (!hex && (number < r->base || number - r->base > 65535))
		return expected(r, row->address_cell,
			r->base ? "a number from 1 to 65536" : "a number from 0 to 65535", e);
	if (hex)
		snprintf(r->address, sizeof r->address, "%s %.10s", gg_modbus_table_name((uint8_t)row->table),
			text);
	else
		snprintf(r->address, sizeof r->address, "%s %lld", gg_modbus_table_name((uint8_t)row->table),
			(long long)(number - r->base));
	s->address = r->address;
	return 0;
}

static int take_row(struct gg_modbus_registers *r, struct gg_modbus_signal_options *s, struct gg_error *e)
{
	struct row row = {.table = -1};
	*s = (struct gg_modbus_signal_options){.scale = 1, .bit = -1};
	for (unsigned i = 0; i < r->csv.count; i++) {
		int rc = r->csv.cells[i].text[0] ? take_cell(r, i, s, &row, e) : 0;
		if (rc != 0)
			return rc;
	}
	if (!s->name || !s->address)
		return gg_error_set(
			e, -EINVAL, "%u:1: this row has no %s", r->csv.line, s->name ? "address" : "name");
	if (s->type == GG_MODBUS_STRING + 1 && s->length == 0)
		s->length = row.words * 2;
	return take_address(r, s, &row, e);
}

int gg_modbus_registers_next(
	struct gg_modbus_registers *r, struct gg_modbus_signal_options *ret_signal, struct gg_error *e)
{
	struct gg_modbus_signal_options s;
	int got;
	do {
		got = gg_modbus_csv_next(&r->csv, e);
	} while (got == 1 && r->csv.cells[0].text[0] == '#');
	if (got != 1)
		return got;
	int rc = take_row(r, &s, e);
	if (rc != 0)
		return rc;
	*ret_signal = s;
	return 1;
}

void gg_modbus_registers_place(const struct gg_modbus_registers *r, const char *option, struct gg_error *e)
{
	int field = option ? find_word(columns, option) : -1;
	unsigned column = 1;
	for (unsigned i = 0; i < r->csv.count; i++)
		if (field > 0 && r->fields[i] == field)
			column = r->csv.cells[i].column;
	gg_error_prefix(e, "%u:%u", r->csv.line, column);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One table row per type keeps the ladder of types short: how many registers, which sample type, whole-number
 * bounds. All numbers pass through one 64-bit pattern: bytes are put in standard order first (or last), so
 * that orders and types do not multiply.
 */
#include "drivers/modbus/modbus_value.h"

#include <math.h>

enum kind { KIND_BOOL, KIND_INT, KIND_UINT, KIND_FLOAT, KIND_BCD, KIND_STRING };

static const struct {
	uint8_t kind, registers, sample_type;
} types[GG_MODBUS_TYPES] = {
	[GG_MODBUS_BOOL] = {KIND_BOOL, 1, GG_TYPE_BOOL},
	[GG_MODBUS_INT16] = {KIND_INT, 1, GG_TYPE_INT},
	[GG_MODBUS_UINT16] = {KIND_UINT, 1, GG_TYPE_UINT},
	[GG_MODBUS_INT32] = {KIND_INT, 2, GG_TYPE_INT},
	[GG_MODBUS_UINT32] = {KIND_UINT, 2, GG_TYPE_UINT},
	[GG_MODBUS_INT64] = {KIND_INT, 4, GG_TYPE_INT},
	[GG_MODBUS_UINT64] = {KIND_UINT, 4, GG_TYPE_UINT},
	[GG_MODBUS_FLOAT32] = {KIND_FLOAT, 2, GG_TYPE_FLOAT},
	[GG_MODBUS_FLOAT64] = {KIND_FLOAT, 4, GG_TYPE_FLOAT},
	[GG_MODBUS_BCD16] = {KIND_BCD, 1, GG_TYPE_UINT},
	[GG_MODBUS_BCD32] = {KIND_BCD, 2, GG_TYPE_UINT},
	[GG_MODBUS_STRING] = {KIND_STRING, 0, GG_TYPE_STRING},
};

uint16_t gg_modbus_form_registers(const struct gg_modbus_form *f)
{
	return f->type == GG_MODBUS_STRING ? (uint16_t)((f->length + 1U) / 2) : types[f->type].registers;
}

static bool is_scaled(const struct gg_modbus_form *f)
{
	return f->scale != 1 || f->offset != 0;
}

uint8_t gg_modbus_form_type(const struct gg_modbus_form *f)
{
	uint8_t type = types[f->type].sample_type;
	return is_scaled(f) && type != GG_TYPE_BOOL && type != GG_TYPE_STRING ? GG_TYPE_FLOAT : type;
}

/* Between wire order and standard order, which is the same permutation both ways. */
static size_t place(uint8_t order, size_t i, size_t n)
{
	if (order == GG_MODBUS_BIG_SWAP || order == GG_MODBUS_LITTLE)
		i ^= 1;
	if (order == GG_MODBUS_LITTLE_SWAP || order == GG_MODBUS_LITTLE)
		i = (n - 2 - (i & ~(size_t)1)) | (i & 1);
	return i;
}

static uint64_t get_bits(const struct gg_modbus_form *f, const uint8_t *registers)
{
	size_t n = types[f->type].registers * 2U;
	uint64_t bits = 0;
	for (size_t i = 0; i < n; i++)
		bits = bits << 8 | registers[place(f->order, i, n)];
	return bits;
}

static void put_bits(const struct gg_modbus_form *f, uint64_t bits, uint8_t *to)
{
	size_t n = types[f->type].registers * 2U;
	for (size_t i = n; i-- > 0; bits >>= 8)
		to[place(f->order, i, n)] = (uint8_t)bits;
}

static unsigned width(const struct gg_modbus_form *f)
{
	return types[f->type].registers * 16U;
}

static int64_t sign_extend(uint64_t bits, unsigned wide)
{
	return (int64_t)(bits << (64 - wide)) >> (64 - wide);
}

static double as_float(uint64_t bits, unsigned wide)
{
	if (wide == 64) {
		double d;
		memcpy(&d, &bits, sizeof d);
		return d;
	}
	uint32_t low = (uint32_t)bits;
	float v;
	memcpy(&v, &low, sizeof v);
	return gg_float32_value(v);
}

/* Errors: -EINVAL a nibble above 9. */
static int from_bcd(uint64_t bits, unsigned wide, uint64_t *ret_value)
{
	uint64_t v = 0;
	for (unsigned at = wide; at > 0; at -= 4) {
		uint64_t digit = bits >> (at - 4) & 15;
		if (digit > 9)
			return -EINVAL;
		v = v * 10 + digit;
	}
	*ret_value = v;
	return 0;
}

static void set_bad(struct gg_sample *s, enum gg_reason reason)
{
	s->type = GG_TYPE_NONE;
	s->quality = GG_BAD;
	s->aux = (uint16_t)reason;
	s->v.u = 0;
}

static void set_float(struct gg_sample *s, double v)
{
	if (!isfinite(v)) {
		set_bad(s, GG_REASON_NOT_A_NUMBER);
		return;
	}
	s->type = GG_TYPE_FLOAT;
	s->v.f = v;
}

void gg_modbus_decode(const struct gg_modbus_form *f, const uint8_t *registers, struct gg_sample *s)
{
	uint64_t bits = get_bits(f, registers);
	unsigned wide = width(f);
	s->quality = GG_GOOD;
	s->aux = GG_REASON_NONE;
	s->type = types[f->type].sample_type;
	switch (types[f->type].kind) {
	case KIND_BOOL:
		s->v.u = 0;
		s->v.b = f->bit < 0 ? bits != 0 : (bits >> f->bit & 1) != 0;
		return;
	case KIND_FLOAT:
		set_float(s, as_float(bits, wide) * f->scale + f->offset);
		return;
	case KIND_INT:
		s->v.i = sign_extend(bits, wide);
		break;
	case KIND_BCD:
		if (from_bcd(bits, wide, &bits) != 0) {
			set_bad(s, GG_REASON_NOT_A_NUMBER);
			return;
		}
		s->v.u = bits;
		break;
	default:
		s->v.u = bits;
	}
	if (is_scaled(f))
		set_float(s, gg_sample_number(s) * f->scale + f->offset);
}

size_t gg_modbus_decode_string(const struct gg_modbus_form *f, const uint8_t *registers, char *to)
{
	size_t swap = f->order == GG_MODBUS_LITTLE || f->order == GG_MODBUS_BIG_SWAP;
	size_t len = 0;
	while (len < f->length && len < GG_MODBUS_STRING_MAX && registers[len ^ swap]) {
		to[len] = (char)registers[len ^ swap];
		len++;
	}
	while (len > 0 && to[len - 1] == ' ')
		len--;
	if (!gg_utf8_valid(gg_str_n(to, len))) {
		for (size_t i = 0; i < len; i++)
			if ((unsigned char)to[i] >= 0x80)
				to[i] = '?';
	}
	return len;
}

/* ---- writing ---- */

int gg_modbus_value_bool(const struct gg_sample *value, struct gg_str text, bool *ret_on)
{
	static const char *const words[] = {"off", "on", "false", "true", "0", "1", "no", "yes"};
	if (gg_type_is_number(value->type)) {
		double v = gg_sample_number(value);
		if (isnan(v))
			return -EINVAL;
		*ret_on = v != 0;
		return 0;
	}
	for (size_t i = 0; value->type == GG_TYPE_STRING && i < GG_COUNT(words); i++) {
		if (gg_str_is(text, words[i])) {
			*ret_on = i & 1;
			return 0;
		}
	}
	return -EINVAL;
}

static int encode_string(const struct gg_modbus_form *f, struct gg_str text, uint8_t *to)
{
	size_t swap = f->order == GG_MODBUS_LITTLE || f->order == GG_MODBUS_BIG_SWAP;
	if (text.len > f->length)
		return -E2BIG;
	memset(to, 0, gg_modbus_form_registers(f) * 2U);
	for (size_t i = 0; i < text.len; i++)
		to[i ^ swap] = (uint8_t)text.p[i];
	return 0;
}

static int encode_float(const struct gg_modbus_form *f, double raw, uint8_t *to)
{
	uint64_t bits;
	if (f->type == GG_MODBUS_FLOAT64) {
		memcpy(&bits, &raw, sizeof bits);
	} else {
		float v = (float)raw;
		uint32_t low;
		if (!isfinite(v))
			return -ERANGE;
		memcpy(&low, &v, sizeof low);
		bits = low;
	}
	put_bits(f, bits, to);
	return 0;
}

static uint64_t to_bcd(uint64_t v)
{
	uint64_t bits = 0;
	for (unsigned at = 0; v; at += 4, v /= 10)
		bits |= (v % 10) << at;
	return bits;
}

static int encode_signed(const struct gg_modbus_form *f, int64_t v, uint8_t *to)
{
	if (v != sign_extend((uint64_t)v, width(f)))
		return -ERANGE;
	put_bits(f, (uint64_t)v, to);
	return 0;
}

static int encode_unsigned(const struct gg_modbus_form *f, uint64_t v, uint8_t *to)
{
	if (types[f->type].kind == KIND_BCD) {
		if (v > (f->type == GG_MODBUS_BCD16 ? 9999 : 99999999))
			return -ERANGE;
		v = to_bcd(v);
	}
	if (width(f) < 64 && v >> width(f))
		return -ERANGE;
	put_bits(f, v, to);
	return 0;
}

/* Whole numbers that need no scaling stay exact beyond 2^53. */
static int encode_exact(const struct gg_modbus_form *f, const struct gg_sample *value, uint8_t *to)
{
	bool is_signed = value->type == GG_TYPE_INT;
	if (types[f->type].kind == KIND_INT)
		return !is_signed && value->v.u > INT64_MAX ? -ERANGE : encode_signed(f, value->v.i, to);
	return is_signed && value->v.i < 0 ? -ERANGE : encode_unsigned(f, value->v.u, to);
}

static int encode_whole(const struct gg_modbus_form *f, double raw, uint8_t *to)
{
	double v = nearbyint(raw);
	/* The doubles next to 2^63 and 2^64 are those numbers themselves, which don't fit. */
	if (types[f->type].kind == KIND_INT)
		return v < -0x1p63 || v >= 0x1p63 ? -ERANGE : encode_signed(f, (int64_t)v, to);
	return v < 0 || v >= 0x1p64 ? -ERANGE : encode_unsigned(f, (uint64_t)v, to);
}

int gg_modbus_encode_value(
	const struct gg_modbus_form *f, const struct gg_sample *value, struct gg_str text, uint8_t *to)
{
	uint8_t kind = types[f->type].kind;
	if (kind == KIND_STRING)
		return value->type == GG_TYPE_STRING ? encode_string(f, text, to) : -EINVAL;
	if (kind == KIND_BOOL) {
		bool on = false;
		if (gg_modbus_value_bool(value, text, &on) != 0)
			return -EINVAL;
		put_bits(f, on, to);
		return 0;
	}
	if (!gg_type_is_number(value->type))
		return -EINVAL;
	bool whole = value->type == GG_TYPE_INT || value->type == GG_TYPE_UINT;
	if (whole && kind != KIND_FLOAT && !is_scaled(f))
		return encode_exact(f, value, to);
	double raw = (gg_sample_number(value) - f->offset) / f->scale;
	if (!isfinite(raw))
		return -ERANGE;
	return kind == KIND_FLOAT ? encode_float(f, raw, to) : encode_whole(f, raw, to);
}

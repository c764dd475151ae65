/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text to tokens. Two things are unlike other languages, because names of signals are what people write most:
 *
 *   - a name may hold / - . : @ $ and *, so `a/b` and `press-*` are names; the operators / - * want a blank
 *     before or after a name: `a/u * a/i`, `a/x / 2`. Other names go in backquotes or ${...}.
 *   - a word behind a number is its unit: `95 degC`, `3 m/s`, `60%`. Times become seconds at once: `10s`,
 *     `1h30min`; a lone m is metres, as everywhere in UDUNITS.
 */
#include "pipeline/expr_internal.h"

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
}

static bool is_name(char c)
{
	return is_letter(c) || is_digit(c) || (c && strchr("/-.:@$*", c));
}

static bool is_unit(char c)
{
	return is_letter(c) || is_digit(c) || (c && strchr("/^.-*%", c));
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static const struct {
	const char *word;
	enum token token;
} keywords[] = {{"and", T_AND}, {"or", T_OR}, {"not", T_NOT}, {"in", T_IN}, {"between", T_BETWEEN},
	{"for", T_FOR}, {"true", T_TRUE}, {"false", T_FALSE}, {"on", T_TRUE}, {"off", T_FALSE}};

static enum token keyword(struct gg_str word)
{
	for (size_t i = 0; i < GG_COUNT(keywords); i++)
		if (gg_str_is(word, keywords[i].word))
			return keywords[i].token;
	return T_NAME;
}

static void set(struct lexer *l, enum token token, const char *from, const char *to)
{
	l->token = token;
	l->text = gg_str_n(from, (size_t)(to - from));
	l->p = to;
}

static void fail(struct lexer *l, const char *why)
{
	l->token = T_ERROR;
	l->error = why;
}

void gg_expr_lex_start(struct lexer *l, struct gg_str text)
{
	*l = (struct lexer){.start = text.p, .p = text.p, .end = text.p + text.len};
	l->token = T_COMMA; /* nothing before: an operand comes next */
}

/* Between delimiters; the text has no escapes. */
static void quoted(struct lexer *l, enum token token, const char *from, char close)
{
	const char *at = memchr(from, close, (size_t)(l->end - from));
	if (!at) {
		fail(l, "this quote is not closed");
		return;
	}
	set(l, token, from, at);
	l->p = at + 1;
	l->quoted_name = token == T_NAME;
}

/* 10s, 250ms, 1h30min: seconds. */
static bool duration(struct lexer *l, struct gg_str whole)
{
	static const char *const units[] = {"ns", "us", "ms", "s", "sec", "min", "h", "d", "w"};
	size_t letters = 0;
	int64_t ns = 0;
	while (letters < l->unit.len && l->unit.p[letters] >= 'a' && l->unit.p[letters] <= 'z')
		letters++;
	for (size_t i = 0; i < GG_COUNT(units); i++) {
		if (!gg_str_is(gg_str_n(l->unit.p, letters), units[i]) || gg_parse_duration(whole, &ns) < 0)
			continue;
		l->number = (double)ns / 1e9;
		l->unit = GG_STR("s");
		return true;
	}
	return false;
}

static const char *digits(const char *p, const char *end)
{
	while (p < end && is_digit(*p))
		p++;
	return p;
}

static const char *exponent(const char *p, const char *end)
{
	const char *q = p + 1;
	if (q < end && (*q == '+' || *q == '-'))
		q++;
	return q < end && is_digit(*q) ? digits(q, end) : p;
}

static const char *end_of_number(const char *p, const char *end)
{
	p = digits(p, end);
	if (p + 1 < end && *p == '.' && is_digit(p[1]))
		p = digits(p + 1, end);
	return p < end && (*p == 'e' || *p == 'E') ? exponent(p, end) : p;
}

/* The unit behind a number that ends at p, maybe after blanks; returns where it ends, or p when there is
 * none. */
static const char *unit_behind(struct lexer *l, const char *p)
{
	const char *unit = p, *end;
	l->unit = GG_STR("");
	while (unit < l->end && is_blank(*unit))
		unit++;
	if (unit == l->end || !(is_letter(*unit) || (*unit == '%' && unit == p)))
		return p;
	for (end = unit; end < l->end && is_unit(*end);)
		end++;
	struct gg_str word = gg_str_n(unit, (size_t)(end - unit));
	if (keyword(word) != T_NAME)
		return p;
	l->unit = word;
	return end;
}

static void number(struct lexer *l)
{
	const char *from = l->p, *end = end_of_number(from, l->end);
	if (gg_parse_float(gg_str_n(from, (size_t)(end - from)), &l->number) < 0) {
		fail(l, "this is no number");
		return;
	}
	set(l, T_NUMBER, from, unit_behind(l, end));
	if (l->unit.len)
		duration(l, l->text);
}

static const struct {
	const char *text;
	enum token token;
} operators[] = {{"==", T_EQ}, {"!=", T_NE}, {"<>", T_NE}, {"<=", T_LE}, {">=", T_GE}, {"<", T_LT},
	{">", T_GT}, {"=", T_EQ}, {"&&", T_AND}, {"||", T_OR}, {"!", T_NOT}, {"(", T_OPEN}, {")", T_CLOSE},
	{"[", T_OPEN_LIST}, {"]", T_CLOSE_LIST}, {",", T_COMMA}, {"+", T_PLUS}, {"-", T_MINUS},
	{"*", T_TIMES}, {"/", T_DIVIDE}, {"%", T_MODULO}, {"^", T_POWER}};

static void operator_token(struct lexer *l)
{
	struct gg_str rest = gg_str_n(l->p, (size_t)(l->end - l->p));
	for (size_t i = 0; i < GG_COUNT(operators); i++) {
		if (!gg_str_starts(rest, gg_str(operators[i].text)))
			continue;
		set(l, operators[i].token, l->p, l->p + strlen(operators[i].text));
		return;
	}
	fail(l, "this character has no meaning here");
}

static bool after_operand(enum token t)
{
	return t == T_NUMBER || t == T_STRING || t == T_NAME || t == T_TRUE || t == T_FALSE || t == T_CLOSE ||
	       t == T_CLOSE_LIST;
}

static void name(struct lexer *l)
{
	const char *from = l->p, *p = from;
	while (p < l->end && is_name(*p))
		p++;
	set(l, T_NAME, from, p);
	l->token = keyword(l->text);
}

void gg_expr_lex_next(struct lexer *l)
{
	enum token before = l->token;
	if (before == T_ERROR)
		return;
	while (l->p < l->end && is_blank(*l->p))
		l->p++;
	l->column = (unsigned)(l->p - l->start) + 1;
	l->quoted_name = false;
	if (l->p == l->end) {
		set(l, T_END, l->p, l->p);
		return;
	}
	char c = *l->p;
	if (is_digit(c))
		number(l);
	else if (c == '\'' || c == '"')
		quoted(l, T_STRING, l->p + 1, c);
	else if (c == '`')
		quoted(l, T_NAME, l->p + 1, c);
	else if (c == '$' && l->end - l->p > 1 && l->p[1] == '{')
		quoted(l, T_NAME, l->p + 2, '}');
	else if (is_letter(c) || (c == '*' && !after_operand(before)))
		name(l);
	else
		operator_token(l);
}

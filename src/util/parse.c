/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Words that a person types, and numbers as a person reads them.  A parser takes the whole word or refuses it: what
 * could be meant in two ways is an error, not a guess.
 */
#include <vtape/util.h>

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <strings.h>
#include <time.h>

#define RANGE_COUNT_MAX 1000000u
#define NUMBER_DIGITS_MAX 18 /* of a name: always fits 64 bits */

/* Digits at @s as a number; *end is behind them. */
static int parse_digits(const char *s, const char **end, uint64_t *out)
{
	uint64_t v = 0;

	if (!isdigit((unsigned char)*s))
		return -EINVAL;
	for (; isdigit((unsigned char)*s); s++)
		if (__builtin_mul_overflow(v, 10u, &v) || __builtin_add_overflow(v, (uint64_t)(*s - '0'), &v))
			return -ERANGE;
	*end = s;
	*out = v;
	return 0;
}

/* log2 of the unit, or -1.  "", "B", "K", "KB", "KiB" and so on. */
static int unit_shift(const char *s)
{
	static const char letters[] = "KMGTPE";
	const char *at;

	if (!*s || !strcasecmp(s, "B"))
		return 0;
	at = strchr(letters, toupper((unsigned char)*s));
	if (!at || (s[1] && strcasecmp(s + 1, "B") && strcasecmp(s + 1, "iB")))
		return -1;
	return 10 * (int)(at - letters + 1);
}

/* ".5" as @num / @den, both at most 10^9: what lies beyond nine digits is less than two bytes of 1 GiB. */
static int parse_fraction(const char **s, uint64_t *num, uint64_t *den)
{
	*num = 0;
	*den = 1;
	if (**s != '.')
		return 0;
	if (!isdigit((unsigned char)*++*s))
		return -EINVAL;
	for (; isdigit((unsigned char)**s); ++*s) {
		if (*den >= 1000000000u)
			continue;
		*num = *num * 10 + (uint64_t)(**s - '0');
		*den *= 10;
	}
	return 0;
}

int parse_size(const char *s, uint64_t *out)
{
	uint64_t whole, num, den, part;
	const char *p = s;
	int shift, r;

	r = parse_digits(p, &p, &whole);
	if (!r)
		r = parse_fraction(&p, &num, &den);
	if (r)
		return err_explain(r, "\"%s\" is not a size (examples: 4096, 256K, 1.5G)", s);
	if (p[0] == ' ' && p[1])
		p++;
	shift = unit_shift(p);
	if (shift < 0 || (shift == 0 && den > 1))
		return err_explain(-EINVAL, "\"%s\" is not a size (examples: 4096, 256K, 1.5G)", s);

	/* num < 2^30, so 30 bits of shift fit before the division. */
	part = shift <= 30 ? (num << shift) / den : ((num << 30) / den) << (shift - 30);
	if (whole > UINT64_MAX >> shift || __builtin_add_overflow(whole << shift, part, &whole))
		return err_explain(-ERANGE, "\"%s\" is too large a size", s);
	*out = whole;
	return 0;
}

int parse_duration(const char *s, uint64_t *seconds)
{
	static const struct {
		char letter;
		uint32_t seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 }, { 'w', 604800 }, { 'y', 365 * 86400 } };
	const char *p;
	uint64_t n;
	int r;

	r = parse_digits(s, &p, &n);
	if (!r && !*p && n == 0) {
		*seconds = 0;
		return 0;
	}
	if (!r && *p && !p[1])
		for (size_t i = 0; i < ARRAY_LEN(units); i++)
			if (*p == units[i].letter) {
				if (__builtin_mul_overflow(n, (uint64_t)units[i].seconds, &n))
					return err_explain(-ERANGE, "\"%s\" is too long a time", s);
				*seconds = n;
				return 0;
			}
	return err_explain(r ? r : -EINVAL, "\"%s\" is not a time (examples: 90s, 15m, 12h, 7d, 2w, 1y, 0)", s);
}

bool parse_is_name(const char *s)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-+";
	size_t n = strlen(s);

	return n >= 1 && n <= BARCODE_MAX && strspn(s, allowed) == n && s[0] != '.' && s[0] != '-';
}

/* The digits of a name that are counted up: name[start..end). */
struct digit_run { size_t start, end; };

static bool last_run(const char *s, size_t len, struct digit_run *run)
{
	while (len > 0 && !isdigit((unsigned char)s[len - 1]))
		len--;
	run->end = len;
	while (len > 0 && isdigit((unsigned char)s[len - 1]))
		len--;
	run->start = len;
	return run->end > run->start;
}

/* Barcodes end in a media type of a letter and a digit ("L8"), which says what the tape is, not which. */
static size_t without_media_type(const char *s, size_t len)
{
	bool typed = len >= 3 && isdigit((unsigned char)s[len - 1]) && isalpha((unsigned char)s[len - 2]) &&
		     isdigit((unsigned char)s[len - 3]);

	return typed ? len - 2 : len;
}

static int range_set(struct name_range *r, const char *s, size_t len, const struct digit_run *run, uint64_t count)
{
	char last[BARCODE_MAX + 1];
	const char *end;

	if (count < 1 || count > RANGE_COUNT_MAX)
		return err_explain(-ERANGE, "a range has 1 to %u names", RANGE_COUNT_MAX);
	if (len > BARCODE_MAX || run->end - run->start > NUMBER_DIGITS_MAX)
		return err_explain(-ERANGE, "\"%s\": name or number too long", s);
	memset(r, 0, sizeof(*r));
	memcpy(r->prefix, s, run->start);
	memcpy(r->suffix, s + run->end, len - run->end);
	r->digits = (unsigned)(run->end - run->start);
	if (r->digits)
		parse_digits(s + run->start, &end, &r->first);
	r->count = count;
	return parse_range_name(r, count - 1, last);
}

static int range_one(const char *s, struct name_range *out)
{
	size_t len = strlen(s);

	if (!parse_is_name(s))
		return err_explain(-EINVAL, "\"%s\" is not a name (1 to %d of A-Z a-z 0-9 . _ - +)", s, BARCODE_MAX);
	return range_set(out, s, len, &(struct digit_run){ len, len }, 1);
}

/* "A00001+100".  1: it is none. */
static int range_counted(const char *s, struct name_range *out)
{
	const char *plus = strrchr(s, '+'), *end;
	struct digit_run run;
	uint64_t count;
	size_t len;
	int r;

	if (!plus)
		return 1;
	len = (size_t)(plus - s);
	r = parse_digits(plus + 1, &end, &count);
	if (r == -EINVAL || (!r && *end) || !last_run(s, without_media_type(s, len), &run))
		return 1;
	if (r)
		return err_explain(r, "\"%s\": the number after + is too large", s);
	return range_set(out, s, len, &run, count);
}

/* Are a[0..alen) and @b the same name but for their numbers in the same place?  Then *run is that of a, *brun of b. */
static bool same_but_number(const char *a, size_t alen, const char *b, struct digit_run *run, struct digit_run *brun)
{
	size_t blen = strlen(b), from = alen;

	while (last_run(a, from, run)) {
		size_t tail = alen - run->end;

		brun->start = run->start;
		brun->end = blen - tail;
		if (blen > run->start + tail && !memcmp(a, b, run->start) &&
		    !memcmp(a + run->end, b + brun->end, tail) &&
		    strspn(b + brun->start, "0123456789") >= brun->end - brun->start)
			return true;
		from = run->start;
	}
	return false;
}

/* "A00001-A00100"; "A1-A20" too, but "2024-01" is a name: it could only count with the zero gone.  1: it is none. */
static int range_from_to(const char *s, struct name_range *out)
{
	struct digit_run a, b;
	uint64_t first, last;
	const char *end;

	for (const char *dash = strchr(s, '-'); dash; dash = strchr(dash + 1, '-')) {
		size_t alen = (size_t)(dash - s), awidth, bwidth;
		bool grows;

		if (!same_but_number(s, alen, dash + 1, &a, &b))
			continue;
		awidth = a.end - a.start;
		bwidth = b.end - b.start;
		grows = bwidth > awidth && s[a.start] != '0' && dash[1 + b.start] != '0';
		if (awidth != bwidth && !grows)
			continue;
		if (bwidth > NUMBER_DIGITS_MAX)
			return err_explain(-ERANGE, "\"%s\": number too long", s);
		if (parse_digits(s + a.start, &end, &first) || parse_digits(dash + 1 + b.start, &end, &last))
			continue;
		if (last < first)
			return err_explain(-EINVAL, "\"%s\": the range ends before it begins", s);
		return range_set(out, s, alen, &a, last - first + 1);
	}
	return 1;
}

int parse_range(const char *s, struct name_range *out)
{
	int r;

	r = range_counted(s, out);
	if (r > 0)
		r = range_from_to(s, out);
	if (r > 0)
		r = range_one(s, out);
	return r;
}

int parse_range_name(const struct name_range *r, uint64_t i, char out[BARCODE_MAX + 1])
{
	char number[24] = "", name[3 * BARCODE_MAX];

	if (i >= r->count)
		return err_origin(-EINVAL);
	if (r->digits)
		snprintf(number, sizeof(number), "%0*" PRIu64, (int)r->digits, r->first + i);
	snprintf(name, sizeof(name), "%s%s%s", r->prefix, number, r->suffix);
	if (!parse_is_name(name))
		return err_explain(-EINVAL, "\"%s\" is not a name (1 to %d of A-Z a-z 0-9 . _ - +)", name, BARCODE_MAX);
	memcpy(out, name, strlen(name) + 1);
	return 0;
}

char *format_size(uint64_t bytes, char *out)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double v = (double)bytes;
	size_t u = 0;

	/* 1023.5 and more would round to 1024. */
	while (v >= 1023.5 && u + 1 < ARRAY_LEN(units)) {
		v /= 1024;
		u++;
	}
	snprintf(out, 16, u == 0 || v >= 99.95 ? "%.0f %s" : "%.1f %s", v, units[u]);
	return out;
}

char *format_time(uint64_t ns, char *out)
{
	time_t t = (time_t)(ns / 1000000000u);
	struct tm tm;

	if (ns == 0 || !localtime_r(&t, &tm) || !strftime(out, 32, "%Y-%m-%d %H:%M:%S", &tm))
		memcpy(out, "-", 2);
	return out;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Standard labels on tape: records of 80 characters, in ASCII (ANSI X3.27, ISO 1001) or in EBCDIC (IBM standard
 * labels), that stand as tape files of their own before and behind the data.  Their fields, counted from 1:
 *
 *   VOL1              5-10 volume   38-51 owner (IBM: 42-51)
 *   HDR1, EOF1, EOV1  5-21 file   22-27 set (IBM: first volume)   28-31 section   32-35 sequence   36-39 generation
 *                     42-47 created   48-53 expires   55-60 blocks
 *   HDR2, EOF2, EOV2  5 format   6-10 block length   11-15 record length   71-80 (IBM) block length that needs more
 *
 * Other labels (HDR3-9, UHL, UTL, VOL2-9, UVL) are known as such and say nothing here.  What holds a byte that is no
 * printing character is no label; a number or a date that is none counts as not said.
 */
#include "contents/rows.h"

#include <errno.h>
#include <stdio.h>

#define LABEL_BYTES 80u
#define DAY_NS (86400ull * 1000000000ull)
#define YEAR_LAST 2553u		/* nanoseconds since 1970 go no further in 64 bits */

/* ---- characters -------------------------------------------------------------------------------------------------- */

/* EBCDIC as in code page 037, from @first on, one by one. */
static const struct {
	uint8_t first;
	const char *ascii;
} ebcdic[] = {
	{ 0x40, " " },	       { 0x4b, ".<(+|&" },    { 0x5a, "!$*);" },     { 0x60, "-/" },
	{ 0x6b, ",%_>?" },     { 0x7a, ":#@'=\"" },   { 0x81, "abcdefghi" }, { 0x91, "jklmnopqr" },
	{ 0xa2, "stuvwxyz" },  { 0xc1, "ABCDEFGHI" }, { 0xd1, "JKLMNOPQR" }, { 0xe2, "STUVWXYZ" },
	{ 0xf0, "0123456789" },
};

static char from_ebcdic(uint8_t b)
{
	for (unsigned i = 0; i < ARRAY_LEN(ebcdic); i++)
		if (b >= ebcdic[i].first && b - ebcdic[i].first < (int)strlen(ebcdic[i].ascii))
			return ebcdic[i].ascii[b - ebcdic[i].first];
	return '\0';
}

static uint8_t to_ebcdic(char c)
{
	for (unsigned i = 0; i < ARRAY_LEN(ebcdic); i++) {
		const char *at = strchr(ebcdic[i].ascii, c);
		if (at)
			return (uint8_t)(ebcdic[i].first + (at - ebcdic[i].ascii));
	}
	return to_ebcdic(' ');
}

/* ---- what kind of label ------------------------------------------------------------------------------------------ */

static const struct {
	const char *name;	/* '?': any character */
	int says;		/* 1 or 2: as HDR1 and HDR2, 'V': as VOL1; 0: nothing */
} names[] = {
	{ "VOL1", 'V' }, { "HDR1", 1 }, { "EOF1", 1 }, { "EOV1", 1 }, { "HDR2", 2 }, { "EOF2", 2 }, { "EOV2", 2 },
	{ "VOL?", 0 },	 { "HDR?", 0 }, { "EOF?", 0 }, { "EOV?", 0 }, { "UVL?", 0 }, { "UHL?", 0 }, { "UTL?", 0 },
};

/* < 0: it is none. */
static int says(const char *name)
{
	for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
		const char *last = names[i].name + 3;
		bool digit = name[3] >= '1' && name[3] <= '9';
		/* Users number their own labels as they like. */
		if (!strncmp(name, names[i].name, 3) && (*last == name[3] || (*last == '?' && (digit || *name == 'U'))))
			return names[i].says;
	}
	return -1;
}

/* The 80 characters as ASCII; false if any is not one that prints. */
static bool read_as(enum contents_label_kind kind, const uint8_t *p, char text[LABEL_BYTES])
{
	for (unsigned i = 0; i < LABEL_BYTES; i++) {
		text[i] = kind == LABEL_IBM ? from_ebcdic(p[i]) : (char)p[i];
		if (text[i] < 0x20 || text[i] > 0x7e)
			return false;
	}
	return true;
}

/* ---- fields: @at from 1, as in the standards --------------------------------------------------------------------- */

static void get_word(const char *text, unsigned at, unsigned len, char *out)
{
	while (len && text[at - 1 + len - 1] == ' ')
		len--;
	memcpy(out, text + at - 1, len);
	out[len] = '\0';
}

/* 0 if it is no number. */
static uint32_t get_number(const char *text, unsigned at, unsigned len)
{
	uint64_t n = 0;

	for (const char *c = text + at - 1; len--; c++) {
		if (*c != ' ' && (*c < '0' || *c > '9'))
			return 0;
		n = 10 * n + (*c == ' ' ? 0u : (unsigned)(*c - '0'));
	}
	return n > UINT32_MAX ? 0 : (uint32_t)n;
}

static bool leap(unsigned year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static unsigned days_in(unsigned year)
{
	return leap(year) ? 366 : 365;
}

/* "cyyddd", the day that begins then.  c is blank for 19yy and counts the centuries from 20yy on; two digits of a year
 * before 1970 have no day here. */
static uint64_t get_date(const char *text, unsigned at, bool expires)
{
	char c = text[at - 1];
	uint32_t yyddd = get_number(text, at + 1, 5), day = yyddd % 1000;
	unsigned year = yyddd / 1000 + (c == ' ' ? 1900 : 2000 + 100 * (unsigned)(c - '0'));
	uint64_t days = 0;

	if (expires && (yyddd == 99999 || (c == ' ' && (yyddd == 99365 || yyddd == 99366))))
		return LABEL_NEVER;
	if ((c != ' ' && (c < '0' || c > '9')) || year < 1970 || year > YEAR_LAST || !day || day > days_in(year))
		return 0;
	for (unsigned y = 1970; y < year; y++)
		days += days_in(y);
	return (days + day - 1) * DAY_NS;
}

static void get_file(const char *text, struct contents_label *out)
{
	get_word(text, 5, 17, out->file_id);
	get_word(text, 22, 6, out->set_id);
	out->section = get_number(text, 28, 4);
	out->sequence = get_number(text, 32, 4);
	out->generation = get_number(text, 36, 4);
	out->created_ns = get_date(text, 42, false);
	out->expires_ns = get_date(text, 48, true);
}

static void get_form(const char *text, struct contents_label *out)
{
	out->format = text[4] != ' ' && strchr("FDVSU", text[4]) ? text[4] : 'U';
	out->block_bytes = get_number(text, 6, 5);
	if (!out->block_bytes && out->kind == LABEL_IBM)
		out->block_bytes = get_number(text, 71, 10);
	out->record_bytes = get_number(text, 11, 5);
}

int label_parse(const void *record, size_t n, char name[5], struct contents_label *out)
{
	enum contents_label_kind kind = n && *(const uint8_t *)record >= 0x80 ? LABEL_IBM : LABEL_ANSI;
	char text[LABEL_BYTES];
	int what;

	if (n < LABEL_BYTES || !read_as(kind, record, text))
		return CONTENTS_E_NONE;
	what = says(text);
	if (what < 0)
		return CONTENTS_E_NONE;
	memcpy(name, text, 4);
	name[4] = '\0';
	out->kind = kind;
	if (what == 'V') {
		get_word(text, 5, 6, out->volume);
		get_word(text, kind == LABEL_IBM ? 42 : 38, kind == LABEL_IBM ? 10 : 14, out->owner);
	} else if (what == 1) {
		get_file(text, out);
	} else if (what == 2) {
		get_form(text, out);
	}
	return 0;
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

/* What both standards let a name have. */
static bool writes(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr(" !\"%&'()*+,-./:;<=>?_", c));
}

static int put_word(char *text, unsigned at, unsigned len, const char *word, const char *what)
{
	size_t n = strlen(word);

	if (n > len)
		return err_explain(-EINVAL, "%s '%s' is longer than the %u characters that a label has for it", what,
				   word, len);
	for (size_t i = 0; i < n; i++) {
		if (!writes(word[i]))
			return err_explain(-EINVAL, "%s '%s': a label has capital letters, digits and "
					   "!\"%%&'()*+,-./:;<=>?_", what, word);
		text[at - 1 + i] = word[i];
	}
	return 0;
}

/* The last @len digits, with zeros before them. */
static void put_number(char *text, unsigned at, unsigned len, uint64_t n)
{
	for (; len--; n /= 10)
		text[at - 1 + len] = (char)('0' + n % 10);
}

static int put_date(char *text, unsigned at, uint64_t ns)
{
	uint64_t days = ns / DAY_NS;
	unsigned year = 1970;

	text[at - 1] = ' ';
	put_number(text, at + 1, 5, ns == LABEL_NEVER ? 99365 : 0);
	if (!ns || ns == LABEL_NEVER)
		return 0;
	for (; year <= YEAR_LAST && days >= days_in(year); year++)
		days -= days_in(year);
	if (year > YEAR_LAST || (year == 1999 && days == 364))
		return err_explain(-EINVAL, "a label has no such date: 1999-12-31 means never, and years end at %u",
				   YEAR_LAST);
	if (year >= 2000)
		put_number(text, at, 1, (year - 2000) / 100);
	put_number(text, at + 1, 5, (uint64_t)(year % 100) * 1000 + days + 1);
	return 0;
}

static int put_volume(char *text, const struct contents_label *l)
{
	int r = put_word(text, 5, 6, l->volume, "the volume");
	bool ibm = l->kind == LABEL_IBM;

	if (!r && !*l->volume)
		r = err_explain(-EINVAL, "a volume label needs the name of the volume");
	if (!ibm)
		text[79] = '3';	/* the version of the standard that most programs know */
	return r ? r : put_word(text, ibm ? 42 : 38, ibm ? 10 : 14, l->owner, "the owner");
}

static int put_file(char *text, const struct contents_label *l, uint64_t blocks)
{
	int r = put_word(text, 5, 17, l->file_id, "the file");

	r = r ? r : put_word(text, 22, 6, l->set_id, "the set");
	put_number(text, 28, 4, l->section ? l->section : 1);
	put_number(text, 32, 4, l->sequence ? l->sequence : 1);
	/* IBM leaves these blank unless the file is one of a group of generations. */
	if (l->generation || l->kind != LABEL_IBM) {
		put_number(text, 36, 4, l->generation ? l->generation : 1);
		put_number(text, 40, 2, 0);
	}
	r = r ? r : put_date(text, 42, l->created_ns);
	r = r ? r : put_date(text, 48, l->expires_ns);
	if (l->kind == LABEL_IBM)
		text[53] = '0';	/* no password */
	put_number(text, 55, 6, blocks);
	return r ? r : put_word(text, 61, 13, "VTAPE", "the system");
}

static int put_form(char *text, const struct contents_label *l)
{
	bool large = l->block_bytes > 99999;

	if (large && l->kind != LABEL_IBM)
		return err_explain(-EINVAL, "an ANSI label has no room for blocks of %u bytes", l->block_bytes);
	text[4] = l->format ? l->format : 'U';
	put_number(text, 6, 5, large ? 0 : l->block_bytes);
	put_number(text, 11, 5, l->record_bytes > 99999 ? 0 : l->record_bytes);
	if (large)
		put_number(text, 71, 10, l->block_bytes);
	if (l->kind != LABEL_IBM)
		put_number(text, 51, 2, 0);	/* nothing stands before the data in a block */
	return 0;
}

int label_format(const char *name, const struct contents_label *l, uint64_t blocks, uint8_t out[80])
{
	int what = strlen(name) == 4 ? says(name) : -1, r;
	char text[LABEL_BYTES];

	memset(text, ' ', sizeof(text));
	r = what == 'V' ? put_volume(text, l) :
	    what == 1	? put_file(text, l, blocks) :
	    what == 2	? put_form(text, l) :
			  err_explain(-EINVAL, "'%s' is no label that is written", name);
	if (r)
		return r;
	for (unsigned i = 0; i < 4; i++)
		text[i] = name[i];
	for (unsigned i = 0; i < LABEL_BYTES; i++)
		out[i] = l->kind == LABEL_IBM ? to_ebcdic(text[i]) : (uint8_t)text[i];
	return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names that archives hold, in JSON.  They are bytes; JSON is UTF-8.  One that is not UTF-8 is shown with '?' for what
 * is none, and its real bytes stand beside it in hex.
 */
#include <vtape/ctl.h>

#include <errno.h>

/* Bytes of the character at @p, 0 if it is none: the shortest form only, no surrogates, up to U+10FFFF. */
static size_t character(const uint8_t *p, size_t left)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n = p[0] < 0x80 ? 1 : p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : p[0] >= 0xc0 ? 2 : 0;
	uint32_t c;

	if (n <= 1)
		return n;
	if (n > left)
		return 0;
	c = p[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3fu);
	}
	return c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ? 0 : n;
}

static json_t *hex_of(const char *s, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	CLEANUP(freep) char *hex = malloc(2 * n + 1);

	if (!hex)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		hex[2 * i] = digits[(uint8_t)s[i] >> 4];
		hex[2 * i + 1] = digits[(uint8_t)s[i] & 15];
	}
	return json_stringn(hex, 2 * n);
}

int ctl_put_bytes(json_t *o, const char *key, const char *raw_key, const char *s)
{
	size_t n = strlen(s), k = 0;
	CLEANUP(freep) char *clean = calloc(1, n + 1);
	bool all = true;

	if (!clean)
		return err_origin(-ENOMEM);
	while (k < n) {
		size_t some = character((const uint8_t *)s + k, n - k);
		if (some)
			memcpy(clean + k, s + k, some);
		else
			clean[k] = '?';
		all = all && some;
		k += some ? some : 1;
	}
	if (json_object_set_new(o, key, json_stringn(clean, n)) < 0 ||
	    (!all && json_object_set_new(o, raw_key, hex_of(s, n)) < 0))
		return err_origin(-ENOMEM);
	return 0;
}

static int nibble(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int ctl_get_bytes(const json_t *o, const char *key, const char *raw_key, struct buf *out)
{
	const char *hex = json_string_value(json_object_get(o, raw_key));
	const char *s = json_string_value(json_object_get(o, key));
	int r = 0;

	out->len = 0;
	if (!hex)
		return buf_printf(out, "%s", s ? s : "");
	for (; *hex && !r; hex += 2) {
		int high = nibble(hex[0]), low = high < 0 ? -1 : nibble(hex[1]);
		if (low < 0 || (!high && !low))
			return err_explain(-EINVAL, "\"%s\" is not the hex of a name", raw_key);
		r = buf_put_u8(out, (uint8_t)(high << 4 | low));
	}
	r = r ? r : buf_reserve(out, 1);
	if (!r)
		out->data[out->len] = 0;
	return r;
}

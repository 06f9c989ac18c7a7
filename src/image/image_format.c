/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * image_format: which format an image has: the word a person types, the suffix of a file, or the first bytes.
 * A guess by bytes follows the chain of lengths as far as the bytes go; it is only a guess, the parser decides.
 */
#include <errno.h>
#include <strings.h>

#include <vtape/image.h>

#include "image/layout.h"

static const struct { const char *name, *suffix[2]; } formats[] = {
	[IMAGE_TAP] = { "tap", { ".tap", NULL } },
	[IMAGE_AWS] = { "aws", { ".aws", ".het" } },
};

int image_format_parse(const char *name, enum image_format *out)
{
	unsigned i;

	for (i = 0; i < ARRAY_LEN(formats); i++) {
		if (strcmp(name, formats[i].name))
			continue;
		*out = (enum image_format)i;
		return 0;
	}
	return err_explain(-EINVAL, "\"%s\" is no image format: tap or aws", name);
}

const char *image_format_name(enum image_format f)
{
	return formats[f].name;
}

static bool has_suffix(const char *name, const char *suffix)
{
	size_t n = strlen(name), s = strlen(suffix);

	return n >= s && !strcasecmp(name + n - s, suffix);
}

/* How many frames hold in a row; -1: it cannot be this format. */
static int chain_tap(const uint8_t *p, size_t n)
{
	int frames = 0;

	while (n >= TAP_WORD) {
		uint32_t word = get_le32(p);
		uint64_t bytes = TAP_WORD;

		if (word == TAP_END)
			return frames + 1;
		if (word != TAP_MARK && word != TAP_GAP) {
			if (TAP_CLASS(word) != TAP_CLASS_GOOD && TAP_CLASS(word) != TAP_CLASS_BAD)
				return -1;
			bytes = tap_record_bytes(TAP_LEN(word));
			if (bytes > n)
				return frames;
			if (get_le32(p + bytes - TAP_WORD) != word)
				return -1;
		}
		frames++;
		p += bytes;
		n -= bytes;
	}
	return frames;
}

static int chain_aws(const uint8_t *p, size_t n)
{
	uint32_t len, before = 0;
	int frames = 0;

	while (n >= AWS_HEADER) {
		len = get_le16(p);
		if (get_le16(p + 2) != before || (p[4] & ~(AWS_BEGIN | AWS_MARK | AWS_END | AWS_COMPRESSED)) || !p[4])
			return -1;
		if (p[5] || (p[4] & AWS_MARK ? len || p[4] != AWS_MARK : !len))
			return -1;
		frames++;
		if (n - AWS_HEADER < len)
			return frames;
		before = len;
		p += AWS_HEADER + len;
		n -= AWS_HEADER + len;
	}
	return frames;
}

enum image_format image_guess(const void *head, size_t n, const char *name)
{
	int tap, aws;
	unsigned i, k;

	for (i = 0; name && i < ARRAY_LEN(formats); i++)
		for (k = 0; k < 2 && formats[i].suffix[k]; k++)
			if (has_suffix(name, formats[i].suffix[k]))
				return (enum image_format)i;
	tap = chain_tap(head, n);
	aws = chain_aws(head, n);
	/* A first header of AWS looks like the length word of a .tap record; its flags are rare in data. */
	return aws > 0 && aws >= tap ? IMAGE_AWS : IMAGE_TAP;
}

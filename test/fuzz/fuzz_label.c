/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A record that may be a label, or the beginning of anything.  Promised: what a label says can be written again if its
 * characters are those of labels, and then says the same; first bytes are looked at as far as they go.
 */
#include "contents/rows.h"
#include "fuzz/fuzz.h"

static void again(const char *name, const struct contents_label *l)
{
	struct contents_label got = { 0 };
	uint8_t bytes[80];
	char told[5];

	if (label_format(name, l, 0, bytes))
		return;
	fuzz_require(label_parse(bytes, sizeof(bytes), told, &got) == 0);
	fuzz_require(!strcmp(told, name) && got.kind == l->kind);
	if (name[0] == 'V') {
		fuzz_require(!strcmp(got.volume, l->volume) && !strcmp(got.owner, l->owner));
	} else if (name[3] == '1') {
		fuzz_require(!strcmp(got.file_id, l->file_id) && !strcmp(got.set_id, l->set_id));
		fuzz_require(got.created_ns == l->created_ns && got.expires_ns == l->expires_ns);
	} else {
		fuzz_require(got.format == l->format && got.block_bytes == l->block_bytes);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct contents_label l = { 0 };
	char name[5];

	fuzz_require(magic_words(data, size));
	if (label_parse(data, size, name, &l))
		return 0;
	fuzz_require(strlen(name) == 4 && l.kind != LABEL_NONE);
	fuzz_require(strlen(l.volume) < 7 && strlen(l.owner) < 15 && strlen(l.file_id) < 18 && strlen(l.set_id) < 7);
	again(name, &l);
	return 0;
}

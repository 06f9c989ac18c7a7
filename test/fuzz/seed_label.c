/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes the corpus of fuzz_label: every label, in ASCII and EBCDIC, and some other beginnings.  seed_label FOLDER */
#include <stdio.h>

#include "contents/rows.h"

static const char *dir = ".";

static void save(const char *name, const char *kind, const void *p, size_t n)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s%s", dir, name, kind);
	f = fopen(path, "w");
	if (!f || fwrite(p, 1, n, f) != n || fclose(f))
		abort();
}

int main(int argc, char **argv)
{
	static const char *names[] = { "VOL1", "HDR1", "HDR2", "EOF1", "EOV2" };
	struct contents_label l = { .volume = "A00001", .owner = "OWNER", .file_id = "FILE.ID", .set_id = "A00001",
		.section = 1, .sequence = 2, .created_ns = 1700006400000000000u, .expires_ns = LABEL_NEVER, .format = 'F',
		.block_bytes = 65536, .record_bytes = 80 };
	uint8_t bytes[1024] = { 0 };

	dir = argc > 1 ? argv[1] : dir;
	for (l.kind = LABEL_ANSI; l.kind <= LABEL_IBM; l.kind++)
		for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
			if (label_format(names[i], &l, 7, bytes))
				abort();
			save(names[i], l.kind == LABEL_IBM ? "-ibm" : "-ansi", bytes, 80);
		}
	memset(bytes, 0, sizeof(bytes));
	put_le32(bytes, 1);
	put_le32(bytes + 24, 60012);
	save("dump", "", bytes, sizeof(bytes));
	save("text", "", "Ein sch\xc3\xb6ner Text.\n", 21);
	return 0;
}

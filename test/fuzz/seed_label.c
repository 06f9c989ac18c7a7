/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes the corpus of fuzz_label: every label, in ASCII and EBCDIC, and some other beginnings.  seed_label FOLDER */
#include "contents/rows.h"
#include "seed.h"

int main(int argc, char **argv)
{
	static const char *names[] = { "VOL1", "HDR1", "HDR2", "EOF1", "EOV2" };
	struct contents_label l = { .volume = "A00001", .owner = "OWNER", .file_id = "FILE.ID", .set_id = "A00001",
		.section = 1, .sequence = 2, .created_ns = 1700006400000000000u, .expires_ns = LABEL_NEVER, .format = 'F',
		.block_bytes = 65536, .record_bytes = 80 };
	uint8_t bytes[1024] = { 0 };
	char name[16];

	seed_into(argc, argv);
	for (l.kind = LABEL_ANSI; l.kind <= LABEL_IBM; l.kind++)
		for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
			must(label_format(names[i], &l, 7, bytes));
			snprintf(name, sizeof(name), "%s%s", names[i], l.kind == LABEL_IBM ? "-ibm" : "-ansi");
			seed_bytes(name, bytes, 80);
		}
	memset(bytes, 0, sizeof(bytes));
	put_le32(bytes, 1);
	put_le32(bytes + 24, 60012);
	seed_bytes("dump", bytes, sizeof(bytes));
	seed_bytes("text", "Ein sch\xc3\xb6ner Text.\n", 21);
	return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* An AWS image of foreign bytes. */
#include "fuzz/fuzz_image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_image(IMAGE_AWS, data, size);
	return 0;
}

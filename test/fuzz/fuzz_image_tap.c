/* SPDX-License-Identifier: BSD-2-Clause */
/* A SIMH .tap of foreign bytes. */
#include "fuzz/fuzz_image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_image(IMAGE_TAP, data, size);
	return 0;
}

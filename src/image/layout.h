/* SPDX-License-Identifier: BSD-2-Clause */
/* layout: the words of .tap (SIMH, "SIMH Magtape Representation and Handling") and the headers of AWS images. */
#ifndef IMAGE_LAYOUT_H
#define IMAGE_LAYOUT_H

#include <vtape/tape.h>

/* .tap */
#define TAP_WORD 4u
#define TAP_MARK 0u
#define TAP_END 0xffffffffu
#define TAP_GAP 0xfffffffeu
#define TAP_CLASS(word) ((word) >> 24)
#define TAP_CLASS_GOOD 0x00u
#define TAP_CLASS_BAD 0x80u		/* was read in error when the image was made */
#define TAP_LEN(word) ((word) & TAPE_RECORD_MAX)
static inline uint64_t tap_record_bytes(uint32_t len) { return 2ull * TAP_WORD + len + (len & 1); }

/* AWS: le16 this length, le16 the length before, two bytes of flags. */
#define AWS_HEADER 6u
#define AWS_SEGMENT_MAX 65535u
#define AWS_BEGIN 0x80u
#define AWS_MARK 0x40u
#define AWS_END 0x20u
#define AWS_COMPRESSED 0x03u		/* HET: 1 zlib, 2 bzip2 */
#define AWS_COMPRESSED_2 0x80u		/* in the second byte: another maker's zlib */

#endif

/* Randomness from the kernel. */
#pragma once
#include <stddef.h>
#include <stdint.h>

void rand_bytes(void *out, size_t len);
uint32_t rand_below(uint32_t n); /* uniform in [0, n); n > 0 */
void rand_uuid(char out[37]);    /* RFC 4122 version 4 */
/* `len` characters of upstream's name alphabet, without vowels and look-alikes (apimachinery util/rand);
 * NUL-terminated. */
void rand_name(char *out, size_t len);
/* The same alphabet for a number: what upstream does to hashes (rand.SafeEncodeString of the decimal digits). */
void rand_safe_encode(const char *decimal, char *out);

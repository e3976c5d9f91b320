/* resource.Quantity: "100m", "1.5Gi", "1e3". Exact: kept in billionths (10^-9) of a unit in 128 bits. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

typedef __int128 quantity_nano;
enum quantity_format { QUANTITY_DECIMAL_SI, QUANTITY_BINARY_SI, QUANTITY_DECIMAL_EXPONENT };
struct quantity {
    quantity_nano nano;
    enum quantity_format format;
};
#define QUANTITY_TEXT_SIZE 64
bool quantity_parse(const char *text, struct quantity *ret); /* false: not a quantity; finer than nano is rounded up */
/* Canonical text as upstream prints it. Returns out. */
char *quantity_format_text(const struct quantity *q, char out[QUANTITY_TEXT_SIZE]);
int64_t quantity_value(const struct quantity *q); /* whole units, rounded up; saturates */
int64_t quantity_milli(const struct quantity *q); /* thousandths, rounded up; saturates */
